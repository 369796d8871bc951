//! What operators look after.

use serde_json::json;

use super::{Shape, flag, id, maybe, number, refers, text, time, words};

pub(super) fn operations() -> Vec<Shape> {
    let event = vec![
        ("id", text()),
        ("type", text()),
        ("came_by", json!({ "enum": ["account", "connect", "list"] })),
        ("account", maybe(&text())),
        ("object", maybe(&text())),
        ("happened_at", time()),
        ("at", time()),
        ("state", json!({ "enum": ["waiting", "needs_person", "done"] })),
        ("tries", number()),
        ("next_try_at", maybe(&time())),
        ("done_at", maybe(&time())),
        ("outcome", maybe(&text())),
    ];
    let replayed = ("replayed", maybe(&text()));
    vec![
        ("ReplayedEvent", event.iter().cloned().chain([replayed]).collect()),
        ("ProviderEvent", event),
        (
            "Job",
            vec![
                ("name", text()),
                ("last_run_at", maybe(&time())),
                ("last_done_at", maybe(&time())),
                ("done", number()),
                ("error", maybe(&text())),
                ("waiting", number()),
                ("oldest_at", maybe(&time())),
                ("may_be_paused", flag()),
                ("paused_at", maybe(&time())),
                ("paused_by", maybe(&text())),
            ],
        ),
    ]
}

pub(super) fn parties() -> Vec<Shape> {
    vec![
        (
            "WebhookEndpoint",
            vec![
                ("id", id("whk_")),
                ("owner", text()),
                ("host", maybe(&text())),
                ("events", words()),
                ("created_at", time()),
                ("enabled", flag()),
                ("failing_since", maybe(&time())),
                ("notice", maybe(&text())),
            ],
        ),
        (
            "ListedBrand",
            vec![
                ("id", id("brd_")),
                ("name", text()),
                ("created_at", time()),
                ("campaigns", number()),
            ],
        ),
        (
            "ListedCreator",
            vec![
                ("id", id("crt_")),
                ("name", maybe(&text())),
                ("created_at", time()),
                ("state", json!({ "enum": ["known", "erasure_waits", "erased"] })),
                ("enrollments", number()),
            ],
        ),
        (
            "Keyring",
            vec![
                ("id", text()),
                ("mode", json!({ "enum": ["sandbox", "test", "live"] })),
                ("masters", json!({ "type": "array", "items": refers("Master") })),
            ],
        ),
        (
            "Master",
            vec![
                ("master", number()),
                ("state", json!({ "enum": ["signs", "valid", "retired", "revoked"] })),
                ("created_at", time()),
                ("retired_at", maybe(&time())),
                ("revoked_at", maybe(&time())),
            ],
        ),
    ]
}
