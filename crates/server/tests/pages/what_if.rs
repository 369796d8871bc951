//! What a campaign would have cost: the page says what the program says, and keeps nothing of the file.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::reader::{Reader, Seen};
use crate::texts::hostile;
use crate::world::{BRAND, World, text};

const PATH: &str = "/brand/what-if";
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/sample-orders.csv");
const HEAD: &str = "order_id,customer_id,ordered_on,amount_minor,currency\n";

/// A form as browsers send it, with a file.
fn form(fields: &[(&str, &str)], file: Option<(&str, &[u8])>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = "--line\r\ncontent-disposition: form-data; name=";
        body.extend_from_slice(format!("{part}\"{name}\"\r\n\r\n{value}\r\n").as_bytes());
    }
    if let Some((name, bytes)) = file {
        let part = "--line\r\ncontent-disposition: form-data; name=\"orders\"; filename=";
        let part = format!("{part}\"{name}\"\r\ncontent-type: text/csv\r\n\r\n");
        body.extend_from_slice(part.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--line--\r\n");
    body
}

async fn send(reader: &Reader<'_>, body: Vec<u8>) -> Seen {
    let request = reader.request(Method::POST, PATH).header("origin", &reader.world.address);
    let request = request.header("content-type", "multipart/form-data; boundary=line");
    Reader::seen(request.body(body)).await
}

async fn brand(world: &World) -> Reader<'_> {
    world.join(BRAND).await;
    Reader::of(world, BRAND)
}

/// What the program says of the sample under the same terms.
fn said(terms: &Value, more: &[&str]) -> Value {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), terms.to_string()).expect("written");
    let mut program = Command::new(env!("CARGO_BIN_EXE_sponsorhub"));
    program.args(["what-if", "--json", "--orders", SAMPLE, "--terms"]).arg(file.path()).args(more);
    let output = program.output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("an object")
}

/// A piece of a page without its marks.
fn plain(html: &str) -> String {
    let texts = html.split('<').map(|tag| tag.split_once('>').map_or(tag, |(_, text)| text));
    texts.collect::<String>().replace('\u{a0}', " ")
}

/// What stands after a mark and before the next.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(start).unwrap_or_else(|| panic!("{start}: {page}"));
    rest.split(end).next().expect("something")
}

/// The cells of a table, without its head.
fn cells(page: &str, name: &str) -> Vec<Vec<String>> {
    let table = between(page, &format!("aria-label=\"{name}\""), "</table>");
    let rows = table.split("<tr>").skip(2);
    let cells = |row: &str| {
        let cells = row.split("</td>").flat_map(|part| part.split("</th>"));
        let cells = cells.map(|cell| plain(cell).trim().to_owned());
        cells.filter(|cell| !cell.is_empty()).collect()
    };
    rows.map(cells).collect()
}

fn amount(value: &Value) -> String {
    let minor = value.as_i64().expect("minor units");
    let digits = (minor / 100).to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    let groups = groups.into_iter().map(|group| String::from_utf8_lossy(group).into_owned());
    format!("{}.{:02} USD", groups.collect::<Vec<_>>().join(","), minor % 100)
}

fn sum(rows: &Value, name: &str) -> Value {
    let rows = rows.as_array().expect("rows");
    json!(rows.iter().map(|row| row[name].as_i64().expect("a number")).sum::<i64>())
}

/// As in `5 Jan 1997` and `Jan 1997`.
fn dated(date: &Value) -> String {
    let names = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    let names: Vec<_> = names.split(' ').collect();
    let date = text(date);
    let parts: Vec<usize> = date.split('-').map(|part| part.parse().expect("a number")).collect();
    let month = format!("{} {}", names[parts[1] - 1], parts[0]);
    parts.get(2).map_or(month.clone(), |day| format!("{day} {month}"))
}

/// Every figure of the page is the program's.
fn is_same(page: &str, said: &Value) {
    let month = |row: &Value| {
        let mut cells = vec![dated(&row["month"]), row["orders"].to_string()];
        let names = ["amount_minor", "commission_minor", "fees_minor", "unmet_minor"];
        cells.extend(names.map(|name| amount(&row[name])));
        cells
    };
    let months = &said["months"];
    let mut wanted: Vec<_> = months.as_array().expect("months").iter().map(month).collect();
    let mut all = vec!["All".to_owned(), said["orders"].to_string(), amount(&said["amount_minor"])];
    let names = ["commission_minor", "fees_minor", "unmet_minor"];
    all.extend(names.map(|name| amount(&sum(months, name))));
    wanted.push(all);
    assert_eq!(cells(page, "The months as a table"), wanted);
    let creator = |row: &Value| {
        let number = row["creator"].as_u64().expect("a number") + 1;
        vec![number.to_string(), row["orders"].to_string(), amount(&row["commission_minor"])]
    };
    let creators = &said["creators"];
    let rows = creators.as_array().expect("creators");
    let mut wanted: Vec<_> = rows.iter().map(creator).collect();
    let orders = sum(creators, "orders").to_string();
    wanted.push(vec![format!("All {}", rows.len()), orders, amount(&said["earned_minor"])]);
    assert_eq!(cells(page, "The creators as a table"), wanted);
    let answer = between(page, "id=\"answer\"", "</section>");
    for (name, field) in [
        ("Budget", "budget_minor"),
        ("Creators get", "earned_minor"),
        ("Fees", "fees_minor"),
        ("Back to you", "left_minor"),
        ("Beyond the budget", "unmet_minor"),
    ] {
        let shown = plain(between(answer, &format!("{name}</dt><dd>"), "</dd>"));
        assert_eq!(shown, amount(&said[field]), "{name}");
    }
    let answer = plain(answer);
    let (orders, reversed) = (&said["orders"], &said["reversed"]);
    let worth = amount(&said["amount_minor"]);
    let line = format!("{orders} orders of {worth}, {reversed} of them given back.");
    assert!(answer.contains(&line), "{line}: {answer}");
    let first = match &said["exhausted_on"] {
        Value::Null => "The budget sufficed for every order.".to_owned(),
        day => format!("The budget first did not suffice on {}.", dated(day)),
    };
    assert!(answer.contains(&first), "{first}: {answer}");
    for (field, line) in [
        ("rejected", "are smaller than the terms pay for."),
        ("uncredited", "orders after it are credited to nobody."),
    ] {
        let count = said[field].as_u64().expect("a count");
        assert_eq!(answer.contains(&format!("{count} {line}")), count > 0, "{field}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_says_of_a_file_what_the_program_says() {
    let world = World::start().await;
    let brand = brand(&world).await;
    let file = std::fs::read(SAMPLE).expect("the sample");
    let fields = [
        ("budget", "2500"),
        ("rate", "12.5"),
        ("creator_cap", "450"),
        ("min_order", "12"),
        ("on_exhausted", "record"),
        ("creators", "7"),
        ("reverse_every", "20"),
    ];
    let terms = json!({
        "currency": "USD", "budget": 250_000, "rates": { "sale": { "bps": [[0, 1_250]] } },
        "creator_cap": 45_000, "min_order": 1_200, "on_exhausted": "record",
    });
    let said_of = said(&terms, &["--creators", "7", "--reverse-every", "20"]);
    for name in ["rejected", "reversed", "unmet_minor"] {
        assert!(said_of[name].as_i64() > Some(0), "{name} is tried: {said_of}");
    }
    let seen = send(&brand, form(&fields, Some(("orders.csv", &file)))).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.text);
    is_same(&seen.text, &said_of);
    // The way to such a campaign has the same terms filled in.
    let to = between(&seen.text, "href=\"/brand/new?", "\"").replace("&#38;", "&");
    let opening = brand.get(&format!("/brand/new?{to}")).await.text;
    for (name, value) in &fields[..4] {
        let at = between(&opening, &format!("name=\"{name}\""), ">");
        assert!(at.contains(&format!("value=\"{value}\"")), "{name}: {at}");
    }
    assert!(opening.contains("<option value=\"record\" selected>"), "{opening}");
    // A campaign that pauses, on the sample by the button, by the address, and as a file.
    let fields = [("budget", "1000"), ("on_exhausted", "pause")];
    let terms = json!({
        "currency": "USD", "budget": 100_000, "rates": { "sale": { "bps": [[0, 1_000]] } },
    });
    let said_of = said(&terms, &[]);
    assert!(said_of["uncredited"].as_u64() > Some(0), "{said_of}");
    let by_button = brand.post(PATH, &[fields[0], fields[1], ("sample", "1")]).await.text;
    let by_address = brand.get(&format!("{PATH}?budget=1000&on_exhausted=pause&sample=1")).await;
    let by_file = send(&brand, form(&fields, Some(("orders.csv", &file)))).await.text;
    for page in [&by_button, &by_address.text, &by_file] {
        is_same(page, &said_of);
    }
    assert!(by_button.contains("made-up sample") && !by_file.contains("made-up sample"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_of_a_shop_is_read_as_it_was_saved_and_the_answer_says_how() {
    let world = World::start().await;
    let brand = brand(&world).await;
    let sheet = |one: &str, other: &str| {
        format!(
            "order_id;customer_id;ordered_on;amount;currency\r\n1;Zoë;2026-01-31;{one};EUR\r\n\
             2;zoe@example.com;2026-01-31;{other};EUR\r\n;;;;\r\n"
        )
    };
    let windows = |text: &str| -> Vec<u8> {
        text.chars().map(|one| u8::try_from(u32::from(one)).expect("a letter of it")).collect()
    };
    let utf_16 = |text: &str| -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    let comma = "read as whole units, with a comma before the cents";
    for (file, units, worth, told) in [
        (windows(&sheet("1.234,50", "50")), "cents", "1,284.50 EUR", comma),
        (utf_16(&sheet("1234,5", "50,00")), "whole", "1,284.50 EUR", comma),
        (
            sheet("1,234.50", "50.00").replace(';', "\t").into_bytes(),
            "cents",
            "1,284.50 EUR",
            "read as whole units, with a point before the cents",
        ),
        (sheet("1234", "50").into_bytes(), "cents", "12.84 EUR", "read as cents"),
        (sheet("1234", "50").into_bytes(), "whole", "1,284.00 EUR", "read as whole units: 50 is"),
    ] {
        let fields = [("budget", "1000"), ("amounts", units)];
        let seen = send(&brand, form(&fields, Some(("Bestellungen.csv", &file)))).await;
        assert_eq!(seen.status, StatusCode::OK, "{}", seen.text);
        let answer = plain(between(&seen.text, "id=\"answer\"", "</section>"));
        assert!(answer.contains(&format!("2 orders of {worth}")), "{worth}: {answer}");
        assert!(answer.contains(told), "{told}: {answer}");
        assert!(answer.contains("fee, at most41.00 EUR"), "{answer}");
    }
    // What is not said by the file is not said of the sample either.
    let sample = brand.get(&format!("{PATH}?sample=1&amounts=whole")).await.text;
    assert!(sample.contains("read as cents"), "{sample}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_used_is_named_by_line_and_column_and_the_form_stays() {
    let world = World::start().await;
    let brand = brand(&world).await;
    let rows = |rows: &str| format!("{HEAD}{rows}");
    let good = "o1,c1,1997-01-01,1177,USD\n";
    let mut tried = BTreeMap::from([
        ("a,b\n1,2\n".to_owned(), "line 1, column order_id: the head has no such column"),
        (
            rows(&format!("{good}o2,c1,1997-02-30,5,USD\n")),
            "line 3, column ordered_on: write it like 2026-01-31",
        ),
        (
            rows(&format!("{good}o2,c1,1997-01-01,1.7,USD\n")),
            "line 3, column amount_minor: write it like 5000, as in line 2",
        ),
        (
            "order_id;customer_id;ordered_on;amount;currency\na;b;1997-01-01;50.0.0;EUR\n"
                .to_owned(),
            "line 2, column amount: write it like 50.00",
        ),
        (format!("PK\u{3}\u{4}{HEAD}"), "save its sheet as CSV"),
        (
            rows(&format!("{good}o2,c1,1997-01-01,5,EUR\n")),
            "line 3, column currency: the same in all rows",
        ),
        (
            rows(&format!("{good}o2,c1,1997-01-01\n")),
            "line 3, column amount_minor: the row ends before it",
        ),
        (rows(&format!("{good}o2,c1,2001-01-01,5,USD\n")), "a campaign lasts at most 24 months"),
        (rows(""), "the file has no orders"),
        (String::new(), "the file has no orders"),
    ]);
    tried.insert(rows(&"o".repeat(8 << 20)), "at most 8 MiB: leave out columns");
    // What is read past before it is given up is more than that, and the form stays all the same.
    tried.insert(rows(&"o".repeat(65 << 20)), "at most 8 MiB: leave out columns");
    let fields = [("budget", "777.5"), ("creators", "5"), ("amounts", "whole")];
    for (file, told) in &tried {
        let seen = send(&brand, form(&fields, Some(("orders.csv", file.as_bytes())))).await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY, "{told}: {}", seen.text);
        let at = between(&seen.text, "id=\"about-orders\"", "</div>").replace("&#96;", "`");
        assert!(at.contains("class=\"hint wrong\"") && at.contains(told), "{told}: {at}");
        assert!(at.contains("has to be chosen again"), "{at}");
        assert!(seen.text.contains("value=\"777.5\"") && seen.text.contains("value=\"5\""));
        assert!(seen.text.contains("<option value=\"whole\" selected>"), "{}", seen.text);
        assert!(!seen.text.contains("id=\"answer\""), "{}", seen.text);
    }
    // No file, as browsers say it and as others do.
    for body in [form(&fields, Some(("", b""))), form(&fields, None)] {
        let seen = send(&brand, body).await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(seen.text.contains("<p class=\"hint wrong\">choose a file</p>"), "{}", seen.text);
    }
    // What is wrong elsewhere is said there, and nothing is computed.
    let file = std::fs::read(SAMPLE).expect("the sample");
    let seen = send(&brand, form(&[("creators", "0")], Some(("o.csv", &file)))).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    let at = between(&seen.text, "id=\"about-creators\"", "</div>");
    assert!(at.contains("a whole number, 1 to 100"), "{at}");
    // A form that is none, one that never ends, and one with more than the form has.
    let many: Vec<_> = (0..40).map(|_| ("a", "b")).collect();
    for body in [Vec::new(), b"--line\r\n".to_vec(), form(&many, None)] {
        let seen = send(&brand, body).await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{}", seen.text);
        assert!(seen.text.contains("form_malformed"), "{}", seen.text);
    }
}

/// Whether a file under a directory has these bytes.
fn is_kept(directory: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(directory).expect("a directory").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return is_kept(&path, bytes);
        }
        let file = std::fs::read(&path).unwrap_or_default();
        file.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_file_is_shown_kept_or_logged() {
    let world = World::start().await;
    let brand = brand(&world).await;
    let mark = "secret-customer";
    let mut file =
        "order_id,customer_id,ordered_on,amount_minor,currency,\"<script>note\"\n".to_owned();
    let texts = hostile().into_iter().chain(["=1+1", "@SUM(A1)"].map(str::to_owned));
    for (number, text) in texts.enumerate() {
        let text = text.replace('"', "\"\"");
        let row =
            format!("\"{text}{number}\",\"={mark}{text}{number}\",1997-01-01,100,USD,\"{text}\"\n");
        file.push_str(&row);
    }
    let name = "secret-customer<script>.csv";
    let good = send(&brand, form(&[], Some((name, file.as_bytes())))).await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.text);
    assert!(good.text.contains("102 orders of"), "{}", good.text);
    file.push_str("<script>alert(1)</script>,secret-customer,<img src=x>,<b>,=1+1,<i>\n");
    let bad = send(&brand, form(&[], Some((name, file.as_bytes())))).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    for seen in [&good, &bad] {
        for text in [mark, "alert(1)", "onerror", "=1+1", "<i>", "<script>"] {
            assert!(!seen.text.contains(text), "{text}: {}", seen.text);
        }
        assert_eq!(seen.header("cache-control"), "no-store");
    }
    assert!(!world.log().contains(mark), "{}", world.log());
    assert!(!is_kept(&world.data(), mark.as_bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_estimate_is_computed_at_a_time_and_whoever_comes_meanwhile_is_told_so() {
    let world = World::start().await;
    let brand = brand(&world).await;
    let mut file = HEAD.to_owned();
    for number in 0.. {
        let row = format!("{number:x},{number},1997-0{}-01,9,USD\n", number % 9 + 1);
        if file.len() + row.len() > 8 << 20 {
            break;
        }
        file.push_str(&row);
    }
    let body = form(&[("budget", "777.5")], Some(("orders.csv", file.as_bytes())));
    let sample = format!("{PATH}?sample=1&budget=777.5");
    let large = async {
        // The others may have been first.
        for _ in 0..50 {
            let seen = send(&brand, body.clone()).await;
            if seen.status != StatusCode::SERVICE_UNAVAILABLE {
                return seen;
            }
        }
        panic!("always busy");
    };
    let mut large = std::pin::pin!(large);
    let mut told = Vec::new();
    let seen = loop {
        tokio::select! {
            seen = &mut large => break seen,
            seen = brand.get(&sample) => told.push(seen),
        }
    };
    assert_eq!(seen.status, StatusCode::OK, "the largest file is taken: {}", seen.text);
    let busy = told.iter().find(|seen| seen.status == StatusCode::SERVICE_UNAVAILABLE);
    let busy = busy.expect("somebody came meanwhile");
    assert_eq!(busy.header("retry-after"), "5");
    assert!(busy.text.contains("send it once more") && busy.text.contains("value=\"777.5\""));
    // The last of those who came meanwhile may be at it still.
    for _ in 0..100 {
        if brand.get(&sample).await.status == StatusCode::OK {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it is not free again");
}
