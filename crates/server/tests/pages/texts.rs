//! Whatever somebody calls themself, a page shows it as a text.

use std::fmt::Write as _;

use serde_json::json;

use crate::reader::{Reader, quoted};
use crate::world::{BRAND, World, text};

/// Beginnings and ends that break out of places where a text may stand.
const OUT: [&str; 10] =
    ["", "\">", "'>", "</title>", "</time>", "--> ", "]]>", "\\\">", "{{7*7}}", "</textarea>"];

/// What would be seen to run or to change the page.
pub(crate) const IN: [&str; 10] = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "\" autofocus onfocus=alert(1) x=\"",
    "' style='position:fixed",
    "<iframe src=//evil.example>",
    "<base href=//evil.example/>",
    "<form action=//evil.example><button>",
    "&lt;script&gt;&#x3c;b&#62;",
];

/// A hundred of them.
pub(crate) fn hostile() -> Vec<String> {
    let all = OUT.iter().flat_map(|out| IN.iter().map(move |within| format!("{out}{within}")));
    all.collect()
}

/// A text as pages write it.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' | '<' | '>' | '"' | '\'' => {
                write!(escaped, "&#{};", u32::from(letter)).expect("room");
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_hostile_names_are_shown_as_texts_to_everybody_who_reads_them() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.paid(BRAND, &world.terms()).await;
    let path = format!("/campaigns/{campaign}");
    world.post(BRAND, &format!("{path}/launch"), &json!({})).await;
    let plain = Reader::of(&world, BRAND).get(&format!("/brand{path}")).await.text;
    let mut names = Vec::new();
    for name in hostile() {
        let user = format!("user_{}", names.len());
        let creator = Reader::of(&world, (&user, "creator"));
        let joined = creator.post("/join", &[("name", &name)]).await;
        assert_eq!(joined.location(), "/creator", "{name}: {}", joined.text);
        let own = creator.get("/creator").await.text;
        let header = format!("<span class=\"name\">{}</span>", escaped(name.trim()));
        assert!(own.contains(&header), "{name}: {own}");
        assert_eq!(own.matches("<script").count(), 1, "{name}");
        names.push(name);
    }
    assert_eq!(names.len(), 100);
    // A brand reads the names of those who take part, in a table and in a picture.
    for (index, name) in names.iter().enumerate().step_by(7) {
        let who = (format!("user_{index}"), "creator");
        let who = (who.0.as_str(), who.1);
        let (status, body, _) = world.post(who, &format!("{path}/enrollments"), &json!({})).await;
        assert!(status.is_success(), "{body}");
        let page = Reader::of(&world, BRAND).get(&format!("/brand{path}")).await.text;
        assert!(page.contains(&format!(">{}</a>", escaped(name.trim()))), "{name}: {page}");
        for tag in ["<script", "<img", "<svg", "<iframe", "<base", "<form"] {
            assert_eq!(page.matches(tag).count(), plain.matches(tag).count(), "{name}: {tag}");
        }
    }
    // A brand's own name, as its creators read it.
    for (index, within) in IN.iter().enumerate() {
        let (user, name) = (format!("user_b{index}"), within.trim());
        let brand = (user.as_str(), "brand");
        let joined = Reader::of(&world, brand).post("/join", &[("name", name)]).await;
        assert_eq!(joined.location(), "/brand", "{}", joined.text);
        world.paid(brand, &world.terms()).await;
        let found = Reader::of(&world, ("user_0", "creator")).get("/creator/campaigns").await.text;
        assert!(found.contains(&format!("<h2>{}</h2>", escaped(name))), "{name}: {found}");
        assert_eq!(found.matches("<script").count(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_an_address_or_a_form_is_not_repeated_as_markup() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.campaign(BRAND).await;
    let reader = Reader::of(&world, BRAND);
    let path = format!("/brand/campaigns/{campaign}");
    for within in IN {
        for query in ["done", "kind", "enrollment", "to"] {
            for page in ["", "/ledger", "/conversions"] {
                let seen = reader.get(&format!("{path}{page}?{query}={}", quoted(within))).await;
                assert!(!seen.text.contains(within), "{page} {query}: {}", seen.text);
            }
        }
        for (rest, field) in [("/fund", "amount"), ("/steps/launch", "key")] {
            let seen = reader.post(&format!("{path}{rest}"), &[(field, within)]).await;
            assert!(!seen.text.contains(within), "{rest}: {}", seen.text);
        }
    }
    // A place behind the end of the ledger is its end.
    for before in ["0", "1", "2", "999", "18446744073709551615"] {
        let seen = reader.get(&format!("{path}/ledger?before={before}")).await;
        assert_eq!(seen.status.as_u16(), 200, "{before}: {}", seen.text);
    }
    let seen = reader.get(&format!("{path}/ledger?before=-1")).await;
    assert_eq!(seen.status.as_u16(), 400);
    let (_, shown) = world.get(BRAND, &format!("/campaigns/{campaign}")).await;
    assert_eq!(text(&shown["state"]), "draft");
}
