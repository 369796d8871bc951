//! Plain pages: no script, everything escaped.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

/// Text as it may stand in a page and in a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A page; `body` is HTML.
pub(crate) fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escape(title);
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} (sandbox)</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n\
         body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem; }}\n\
         button, input, select {{ font: inherit; padding: .4rem .8rem; margin: .2rem 0; }}\n\
         .note {{ background: #fff7d6; border: 1px solid #e5d48a; padding: .5rem 1rem; }}\n\
         pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}\n\
         </style>\n</head>\n<body>\n\
         <p class=\"note\">This is a sandbox. No money moves and nobody is charged.</p>\n\
         <h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    );
    (status, Html(text)).into_response()
}

/// Sends a browser elsewhere; addresses that cannot stand in a header are refused.
pub(crate) fn redirect(to: &str) -> Response {
    let is_web = to.starts_with("http://") || to.starts_with("https://") || to.starts_with('/');
    match HeaderValue::from_str(to) {
        Ok(to) if is_web => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        _ => page(StatusCode::BAD_REQUEST, "Nowhere to go", "<p>The address is not one.</p>"),
    }
}

/// An amount for people, of a currency with two decimals.
pub(crate) fn money(minor: i64, currency: &str) -> String {
    format!("{}.{:02} {}", minor / 100, minor % 100, escape(&currency.to_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_text_or_an_attribute() {
        let hostile = "<script>\"'&</script>";
        assert_eq!(escape(hostile), "&lt;script&gt;&quot;&#39;&amp;&lt;/script&gt;");
    }

    #[test]
    fn browsers_are_sent_to_web_addresses_only() {
        assert_eq!(redirect("http://127.0.0.1/a").status(), StatusCode::SEE_OTHER);
        for to in ["javascript:alert(1)", "http://a/\nset-cookie: b=c"] {
            assert_eq!(redirect(to).status(), StatusCode::BAD_REQUEST, "{to}");
        }
    }
}
