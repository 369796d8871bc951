//! What goes in.

use serde_json::{Value, json};

use super::{flag, maybe, minor, number, object, refers, text, time, words};

fn terms() -> Value {
    let rate = json!({
        "description": "`bps`: basis points of the order, `flat`: minor units an order; tiers \
                        [from_count, value], the first from 0",
        "oneOf": [
            object(&[("bps", json!({ "type": "array" }))], &["bps"]),
            object(&[("flat", json!({ "type": "array" }))], &["flat"]),
        ],
    });
    let rates = json!({ "type": "object", "additionalProperties": rate });
    let hosts = json!({ "type": "array", "items": text() });
    object(
        &[
            ("currency", json!({ "enum": ["USD", "EUR", "GBP"] })),
            ("budget", minor()),
            ("ends_at", time()),
            ("destination_hosts", hosts),
            ("rates", rates),
            ("base", minor()),
            ("base_unlock", json!({})),
            ("creator_cap", maybe(&minor())),
            ("platform_fee_bps", number()),
            ("attribution_window_days", number()),
            ("replay_window_days", number()),
            ("clearing_days", number()),
            ("payout_minimum", minor()),
            ("payout_every_days", number()),
            ("conversions_per_click", number()),
            ("on_exhausted", json!({ "enum": ["pause", "record"] })),
            ("netting_share_bps", number()),
            ("hold_deadline_days", number()),
            ("notice_days", number()),
            ("provider_fee_reserve_bps", number()),
            ("provider_fee_reserve_fixed", minor()),
            ("min_order", minor()),
        ],
        &["currency", "budget", "ends_at"],
    )
}

fn report() -> Value {
    object(
        &[
            ("source", text()),
            ("external_id", text()),
            ("type", text()),
            ("occurred_at", json!({ "type": "string", "format": "date-time" })),
            ("amount", number()),
            ("currency", json!({ "enum": ["USD", "EUR", "GBP"] })),
            ("click", text()),
            ("code", text()),
            ("reverses", text()),
            ("reverses_type", text()),
            ("campaign", text()),
            ("dry_run", flag()),
        ],
        &["source", "external_id", "type", "occurred_at"],
    )
}

pub(super) fn inputs() -> Vec<(&'static str, Value)> {
    vec![
        ("Nothing", json!({ "type": "object", "maxProperties": 0 })),
        ("Join", object(&[("name", text())], &["name"])),
        ("Terms", terms()),
        ("OpenDeposit", object(&[("amount", refers("Money"))], &["amount"])),
        (
            "WantedLink",
            object(&[("destination", text()), ("slug", maybe(&text()))], &["destination"]),
        ),
        ("WantedCode", object(&[("readable", text())], &["readable"])),
        (
            "PlaceHold",
            object(
                &[("conversion", number()), ("reason", text()), ("deadline", maybe(&time()))],
                &["conversion", "reason"],
            ),
        ),
        ("UpholdHold", object(&[("reason", text())], &["reason"])),
        ("Report", report()),
        ("NewName", object(&[("name", text())], &["name"])),
        ("Place", object(&[("role", text()), ("is_suspended", flag())], &[])),
        ("Suspension", object(&[("is_suspended", flag())], &["is_suspended"])),
        ("CancelPayout", object(&[("reason", text())], &["reason"])),
        ("SettleOutside", object(&[("reference", text())], &["reference"])),
        ("WantedWebhook", object(&[("url", text()), ("events", words())], &["url"])),
        (
            "ChangeWebhook",
            object(&[("url", text()), ("events", words()), ("enabled", flag())], &[]),
        ),
        ("RotateKey", object(&[("overlap_hours", number()), ("expires_at", maybe(&time()))], &[])),
        ("RotateWebhook", object(&[("overlap_hours", number())], &[])),
        (
            "IssueKey",
            object(
                &[
                    ("scopes", json!({ "type": "array", "items": text() })),
                    ("needs_signature", flag()),
                    ("expires_at", maybe(&time())),
                ],
                &[],
            ),
        ),
    ]
}
