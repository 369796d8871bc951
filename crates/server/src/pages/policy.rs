//! What a page may load, and other headers that browsers keep to.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Needs;
use super::front::Front;
use crate::shared::Shared;

/// Where the identity provider's script asks for a proof that somebody is a person.
const CHALLENGES: &str = "https://challenges.cloudflare.com";

/// Headers of every page. `same-origin` keeps addresses from other sites and still tells us that a form
/// comes from a page of ours.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// The content security policy: everything from here, no script or style in the page itself.
fn policy(front: &Front, pay_hosts: &[String], needs: Needs) -> String {
    let (mut script, mut style, mut image, mut form) = ("", "", "", String::new());
    let (mut host, mut more) = (String::new(), String::new());
    if needs.pay {
        form = pay_hosts.iter().fold(form, |form, host| form + " " + host);
    }
    match front {
        Front::Clerk { host: clerk, .. } => {
            host = format!(" https://{clerk}");
            " worker-src 'self' blob:;".clone_into(&mut more);
            if needs.sign_in {
                (script, image) = (CHALLENGES, " https://img.clerk.com");
                // The provider's form is styled by its script.
                style = " 'unsafe-inline'";
                more = format!("{more} frame-src {CHALLENGES};");
            }
        }
        Front::Sandbox { base, .. } if needs.sign_in => form = format!("{form} {base}"),
        Front::Sandbox { .. } | Front::Nothing => {}
    }
    let script = if script.is_empty() { String::new() } else { format!(" {script}") };
    format!(
        "default-src 'none'; script-src 'self'{host}{script}; style-src 'self'{style}; \
         img-src 'self' data:{image}; connect-src 'self'{host}; form-action 'self'{form};{more} \
         frame-ancestors 'none'; base-uri 'none'"
    )
}

/// Puts the headers on a page.
pub(super) fn put(headers: &mut HeaderMap, shared: &Shared, needs: Needs) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = policy(&shared.front, &shared.pay_hosts, needs);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_loads_from_here_only_and_leads_elsewhere_only_to_pay_or_sign_in() {
        let hosts = ["https://checkout.stripe.com".to_owned()];
        let strict = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
        assert_eq!(policy(&Front::Nothing, &hosts, Needs::default()), strict);
        let pay = policy(&Front::Nothing, &hosts, Needs { pay: true, sign_in: false });
        assert!(pay.contains("form-action 'self' https://checkout.stripe.com;"), "{pay}");
        let base = "http://127.0.0.1:8081".to_owned();
        let sandbox = Front::Sandbox { base, people: Vec::new() };
        assert_eq!(policy(&sandbox, &hosts, Needs::default()), strict);
        let enter = policy(&sandbox, &hosts, Needs { pay: false, sign_in: true });
        assert!(enter.contains("form-action 'self' http://127.0.0.1:8081;"), "{enter}");
    }

    #[test]
    fn the_identity_providers_script_may_style_only_the_page_to_sign_in_on() {
        let front = Front::Clerk { key: String::new(), host: "x.clerk.accounts.dev".to_owned() };
        let usual = policy(&front, &[], Needs::default());
        let script = "script-src 'self' https://x.clerk.accounts.dev;";
        assert!(usual.contains(script) && !usual.contains("unsafe"), "{usual}");
        let enter = policy(&front, &[], Needs { pay: false, sign_in: true });
        assert!(enter.contains("style-src 'self' 'unsafe-inline';"), "{enter}");
        assert!(!enter.contains("script-src 'self' 'unsafe-inline'"), "{enter}");
    }
}
