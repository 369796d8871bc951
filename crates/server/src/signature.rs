//! Signed reports: `SponsorHub-Signature: t=<Unix seconds>,v1=<hex>`, where the API key asks for it.
//!
//! HMAC-SHA256 over `t`, a full stop and the body as it was sent. The time is part of what is
//! signed, and a signature is good for five minutes, so that a copied request cannot be sent again
//! later. Several `v1` may stand there while a secret is being replaced.

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How far the time may be off, either way, seconds.
const TOLERANCE_S: i64 = 300;

/// The header.
pub(crate) const HEADER: &str = "sponsorhub-signature";

/// Why a signature is not believed: a stable code, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadSignature(pub(crate) &'static str, pub(crate) Cow<'static, str>);

const MALFORMED: BadSignature =
    BadSignature("signature_malformed", Cow::Borrowed("send t=<Unix seconds>,v1=<64 hex digits>"));

/// Checks the header's text against a body that came at `now`, milliseconds.
pub(crate) fn check(
    header: Option<&str>,
    body: &[u8],
    secret: &[u8],
    now: i64,
) -> Result<(), BadSignature> {
    let missing = BadSignature("signature_missing", "this API key needs signed reports".into());
    let header = header.ok_or(missing)?;
    let mut time = None;
    let mut tags = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", seconds)) if time.is_none() => time = Some(seconds),
            Some(("v1", tag)) if tags.len() < 4 => {
                tags.push(HEXLOWER.decode(tag.as_bytes()).map_err(|_| MALFORMED)?);
            }
            // Other versions may stand beside it.
            Some((name, _)) if name.starts_with('v') && name != "v1" => {}
            _ => return Err(MALFORMED),
        }
    }
    let time = time.filter(|time| !tags.is_empty() && !time.is_empty()).ok_or(MALFORMED)?;
    if !time.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    let seconds: i64 = time.parse().map_err(|_| MALFORMED)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    if !tags.iter().any(|tag| mac.clone().verify_slice(tag).is_ok()) {
        let fix = "the signature is not that of this body; sign the bytes as they are sent";
        return Err(BadSignature("signature_wrong", fix.into()));
    }
    if (now.div_euclid(1_000)).abs_diff(seconds) > TOLERANCE_S.unsigned_abs() {
        let by = now.div_euclid(1_000).saturating_sub(seconds);
        let way = if by > 0 { "behind" } else { "ahead of" };
        let fix = format!(
            "t is {} seconds {way} the clock here; sign anew for each sending, and set the shop's clock",
            by.unsigned_abs()
        );
        return Err(BadSignature("signature_stale", fix.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_123;

    fn sign(seconds: i64, body: &[u8], secret: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        HEXLOWER.encode(&mac.finalize().into_bytes())
    }

    fn code(header: &str) -> &'static str {
        match check(Some(header), b"body", b"secret", NOW) {
            Ok(()) => "ok",
            Err(BadSignature(code, _)) => code,
        }
    }

    #[test]
    fn only_this_body_signed_with_this_secret_within_five_minutes_passes() {
        let t = NOW / 1_000;
        let good = sign(t, b"body", b"secret");
        assert_eq!(code(&format!("t={t},v1={good}")), "ok");
        let other = sign(t, b"body", b"old secret");
        assert_eq!(code(&format!("t={t},v1={other},v1={good}")), "ok", "while it is replaced");
        assert_eq!(code(&format!("t={t},v1={other}")), "signature_wrong");
        assert_eq!(code(&format!("t={},v1={good}", t + 1)), "signature_wrong");
        let bodies = sign(t, b"bodY", b"secret");
        assert_eq!(code(&format!("t={t},v1={bodies}")), "signature_wrong");
        for (off, expected) in
            [(300, "ok"), (301, "signature_stale"), (-300, "ok"), (-301, "signature_stale")]
        {
            let signature = sign(t + off, b"body", b"secret");
            assert_eq!(code(&format!("t={},v1={signature}", t + off)), expected);
        }
    }

    #[test]
    fn anything_else_is_malformed_or_missing() {
        let t = NOW / 1_000;
        let good = sign(t, b"body", b"secret");
        for header in [
            String::new(),
            format!("v1={good}"),
            format!("t={t}"),
            format!("t={t},v0={good}"),
            format!("t={t},v1={}", good.to_uppercase()),
            format!("t=-{t},v1={good}"),
            format!("t={t},t={t},v1={good}"),
            format!("t={t};v1={good}"),
        ] {
            assert_eq!(code(&header), "signature_malformed", "{header}");
        }
        assert_eq!(check(None, b"", b"", NOW).map_err(|bad| bad.0), Err("signature_missing"));
        let short = check(Some(&format!("t={t},v1=00")), b"body", b"secret", NOW);
        assert_eq!(short.map_err(|bad| bad.0), Err("signature_wrong"));
    }
}
