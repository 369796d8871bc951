//! What goes in and out, as JSON schemas of the `OpenAPI` document.

mod inputs;
mod operations;

use serde_json::{Map, Value, json};

use inputs::inputs;

fn object(fields: &[(&str, Value)], required: &[&str]) -> Value {
    let fields: Map<String, Value> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": fields, "required": required })
}

fn refers(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn id(prefix: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^{prefix}[0-9a-v]{{26}}$") })
}

fn number() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn minor() -> Value {
    json!({ "type": "integer", "description": "minor units of the campaign's currency" })
}

fn time() -> Value {
    json!({ "type": "integer", "description": "milliseconds since 1970" })
}

fn maybe(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn words() -> Value {
    json!({ "type": "array", "items": text() })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

type Shape = (&'static str, Vec<(&'static str, Value)>);

fn campaign_shapes() -> Vec<Shape> {
    let money = refers("Money");
    vec![
        ("Money", vec![("amount", minor()), ("currency", text())]),
        (
            "Campaign",
            vec![
                ("id", id("cmp_")),
                ("brand", id("brd_")),
                ("state", text()),
                ("is_frozen", flag()),
                ("mode", text()),
                ("terms", refers("Terms")),
                ("confirmed_budget", money.clone()),
                ("launched_at", maybe(&time())),
                ("ended_at", maybe(&time())),
                ("conversions_until", maybe(&time())),
                ("closes_at", maybe(&time())),
                ("entries", number()),
            ],
        ),
        (
            "Deposit",
            vec![
                ("deposit", number()),
                ("amount", money.clone()),
                ("total", money.clone()),
                ("state", json!({ "enum": ["expected", "failed", "confirmed", "settled"] })),
                ("is_advance", flag()),
                ("session", text()),
                ("payment", maybe(&text())),
                ("reversed", money.clone()),
                ("refunded", money.clone()),
                ("transferred", money.clone()),
                ("cases", json!({ "type": "array", "items": refers("Case") })),
            ],
        ),
        (
            "Case",
            vec![
                ("case", text()),
                ("state", json!({ "enum": ["disputed", "reversed", "reinstated"] })),
                ("amount", money.clone()),
            ],
        ),
        (
            "Enrollment",
            vec![
                ("id", id("enr_")),
                ("campaign", id("cmp_")),
                ("started_at", time()),
                ("ended_at", maybe(&time())),
                ("base", money.clone()),
                ("creator_cap", maybe(&money)),
                ("entries", number()),
            ],
        ),
        (
            "Link",
            vec![
                ("number", number()),
                ("token", text()),
                ("path", text()),
                ("url", text()),
                ("destination", text()),
            ],
        ),
        ("Code", vec![("code", text()), ("readable", text())]),
    ]
}

fn ledger_shapes() -> Vec<Shape> {
    let money = refers("Money");
    vec![
        (
            "Entry",
            vec![
                ("seq", number()),
                ("at", time()),
                ("kind", text()),
                ("body", json!({ "type": "object" })),
                ("leaf", text()),
                ("note", maybe(&text())),
            ],
        ),
        (
            "Conversion",
            vec![
                ("seq", number()),
                ("at", time()),
                ("kind", text()),
                ("result", text()),
                ("enrollment", id("enr_")),
                ("body", json!({ "type": "object" })),
                ("leaf", text()),
            ],
        ),
        (
            "Balances",
            vec![
                ("currency", text()),
                ("accounts", json!({ "type": "object" })),
                ("enrollments", json!({ "type": "object" })),
                ("free", money.clone()),
                ("unmet_demand", money.clone()),
                ("difference", minor()),
                ("as_of_entry", number()),
            ],
        ),
        (
            "Hold",
            vec![
                ("conversion", number()),
                ("enrollment", id("enr_")),
                ("is_open", flag()),
                ("deadline", time()),
            ],
        ),
        (
            "Payout",
            vec![
                ("payout", number()),
                ("enrollment", id("enr_")),
                ("amount", money.clone()),
                ("state", text()),
                ("planned_on", time()),
                ("deposit", number()),
                ("attempts", number()),
                ("reference", text()),
            ],
        ),
    ]
}

fn statement_shape() -> Shape {
    let money = refers("Money");
    (
        "Statement",
        vec![
            ("enrollment", id("enr_")),
            ("pending", money.clone()),
            ("held", money.clone()),
            ("matured", money.clone()),
            ("on_its_way", money.clone()),
            ("paid", money.clone()),
            ("clawed_back", money.clone()),
            ("unclaimed", money.clone()),
            ("base_reserved", money),
            ("payouts", json!({ "type": "array", "items": refers("Payout") })),
            ("as_of_entry", number()),
        ],
    )
}

fn caller_shapes() -> Vec<Shape> {
    vec![
        (
            "Me",
            vec![
                ("role", text()),
                ("side", text()),
                ("id", maybe(&text())),
                ("name", maybe(&text())),
            ],
        ),
        (
            "Recipient",
            vec![
                ("account", text()),
                ("may_receive_transfers", flag()),
                ("payouts_enabled", flag()),
                ("checked_at", time()),
            ],
        ),
        (
            "BankPayout",
            vec![
                ("id", text()),
                ("amount", refers("Money")),
                ("state", text()),
                ("arrives_at", time()),
            ],
        ),
        (
            "Holding",
            vec![
                ("held", refers("Money")),
                ("in_doubt", refers("Money")),
                ("at_provider", maybe(&refers("Money"))),
                ("missing", refers("Money")),
                ("beyond", refers("Money")),
            ],
        ),
        ("ReportTold", vec![("result", text()), ("campaign", id("cmp_"))]),
        ("Brand", vec![("id", id("brd_")), ("name", text())]),
        ("ApiKeyId", vec![("id", id("key_"))]),
        ("ApiKey", vec![("id", id("key_")), ("scopes", json!({ "type": "array" }))]),
        (
            "Workers",
            vec![
                ("now", time()),
                ("settled_at", time()),
                ("jobs", json!({ "type": "array", "items": refers("Job") })),
                ("holdings", json!({ "type": "array", "items": refers("Holding") })),
            ],
        ),
        (
            "Problem",
            vec![
                ("type", text()),
                ("title", text()),
                ("status", number()),
                ("code", text()),
                ("detail", text()),
            ],
        ),
    ]
}

fn oversight_shapes() -> Vec<Shape> {
    let approval = || json!({ "enum": ["waits", "agreed"] });
    vec![
        (
            "Access",
            vec![
                ("at", time()),
                ("who", text()),
                ("role", text()),
                ("session", maybe(&text())),
                ("method", text()),
                ("path", text()),
                ("status", number()),
                ("count", number()),
                ("network", text()),
            ],
        ),
        (
            "User",
            vec![
                ("user", text()),
                ("role", text()),
                ("is_suspended", flag()),
                ("joined_at", time()),
                ("changed_at", time()),
            ],
        ),
        (
            "Erasure",
            vec![
                ("creator", id("crt_")),
                ("state", json!({ "enum": ["waits", "erased"] })),
                ("asked_at", maybe(&time())),
                ("erased_at", maybe(&time())),
            ],
        ),
        (
            "Exchange",
            vec![
                ("planned", number()),
                ("key", text()),
                ("at", time()),
                ("outcome", text()),
                ("provider_requests", json!({ "type": "array", "items": text() })),
            ],
        ),
        (
            "Refund",
            vec![
                ("refund", number()),
                ("amount", refers("Money")),
                ("deposit", number()),
                ("state", json!({ "enum": ["planned", "paid", "failed", "settled_outside"] })),
            ],
        ),
        (
            "Settling",
            vec![("approval", approval()), ("until", maybe(&time())), ("refund", number())],
        ),
        (
            "Advance",
            vec![
                ("approval", approval()),
                ("until", maybe(&time())),
                ("deposit", maybe(&number())),
            ],
        ),
    ]
}

fn webhook_shapes() -> Vec<Shape> {
    let webhook = vec![
        ("id", id("whk_")),
        ("url", text()),
        ("events", words()),
        ("created_at", time()),
        ("enabled", flag()),
        ("disabled_at", maybe(&time())),
        ("disabled_why", maybe(&json!({ "enum": ["by_owner", "gone", "failing"] }))),
        ("failing_since", maybe(&time())),
        ("old_secret_until", maybe(&time())),
        ("notice", maybe(&text())),
    ];
    let secret = ("secret", maybe(&text()));
    vec![
        ("NewWebhook", webhook.iter().cloned().chain([secret]).collect()),
        ("Webhook", webhook),
        ("WebhookId", vec![("id", id("whk_"))]),
        (
            "Delivery",
            vec![
                ("delivery", number()),
                ("type", text()),
                ("campaign", maybe(&id("cmp_"))),
                ("seq", maybe(&number())),
                ("state", json!({ "enum": ["waiting", "delivered", "given_up"] })),
                ("created_at", time()),
                ("attempts", number()),
                ("next_attempt_at", maybe(&time())),
                ("last_attempt_at", maybe(&time())),
                ("last_answer", maybe(&text())),
            ],
        ),
    ]
}

fn finding_shape() -> Shape {
    let severity = json!({ "enum": ["error", "warning", "ok"] });
    let texts = ["code", "meaning", "fix"].map(|name| (name, text()));
    let times = ["first_at", "last_at"].map(|name| (name, maybe(&time())));
    let rest = [("severity", severity), ("count", number()), ("example", maybe(&text()))];
    ("Finding", texts.into_iter().chain(times).chain(rest).collect())
}

fn disbursement_shape() -> Shape {
    let money = refers("Money");
    (
        "Disbursement",
        vec![
            ("payout", number()),
            ("campaign", id("cmp_")),
            ("enrollment", id("enr_")),
            ("amount", money),
            ("state", json!({ "enum": ["planned", "attempted", "unknown", "failed"] })),
            ("planned_on", time()),
            ("attempted_at", maybe(&time())),
            ("deposit", number()),
            ("attempts", number()),
            ("reference", text()),
        ],
    )
}

fn shapes() -> impl Iterator<Item = Shape> {
    campaign_shapes()
        .into_iter()
        .chain(ledger_shapes())
        .chain([disbursement_shape(), statement_shape()])
        .chain(oversight_shapes())
        .chain(caller_shapes())
        .chain(webhook_shapes())
        .chain(operations::operations())
        .chain(operations::parties())
        .chain([finding_shape()])
}

/// All schemas by name; a name that ends in `List` is a page of what stands before it.
pub(super) fn all() -> Map<String, Value> {
    let mut all: Map<String, Value> =
        inputs().into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    for (name, fields) in shapes() {
        let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        all.insert(name.to_owned(), object(&fields, &required));
        let page = object(
            &[
                ("data", json!({ "type": "array", "items": refers(name) })),
                ("next_cursor", maybe(&text())),
            ],
            &["data", "next_cursor"],
        );
        all.insert(format!("{name}List"), page);
    }
    all
}
