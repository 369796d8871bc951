//! Destinations: a visitor is only ever sent to a host that the brand listed.

use proptest::prelude::*;
use sponsorhub_core::attribution::destination::{
    AllowedHost, Destination, DestinationError, ParameterName,
};
use sponsorhub_core::attribution::keys::Mode;
use url::Url;

fn hosts() -> Vec<AllowedHost> {
    let list = ["shop.example", "*.stores.example", "shop.example:8443"];
    list.into_iter().map(|entry| entry.parse().expect("a list entry")).collect()
}

fn live(url: &str) -> Result<String, DestinationError> {
    Destination::try_new(url, &hosts(), Mode::Live).map(|destination| destination.to_string())
}

/// Addresses that try to lead elsewhere, or to do something else than lead somewhere.
const HOSTILE: [&str; 106] = [
    // Without the scheme, or with another one.
    "//evil.example",
    "///evil.example",
    "////evil.example/%2f..",
    "/\\evil.example",
    "\\\\evil.example",
    "/evil.example",
    "evil.example",
    "shop.example",
    "",
    "?next=https://evil.example",
    "#https://evil.example",
    "https:",
    "https:/",
    "https://",
    "https:///",
    "https:///evil.example",
    "https:////evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:shop.example",
    "http://shop.example/",
    "HTTP://shop.example/",
    "http://127.0.0.1/",
    "http://localhost:3000/",
    "ftp://shop.example/",
    "ws://shop.example/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "javascript://shop.example/%0aalert(1)",
    "java\tscript:alert(1)",
    "vbscript:msgbox(1)",
    "data:text/html,<script>alert(1)</script>",
    "data:text/html;base64,PHNjcmlwdD4=",
    "blob:https://shop.example/1",
    "view-source:https://shop.example/",
    "intent://shop.example#Intent;scheme=https;end",
    "mailto:someone@shop.example",
    "about:blank",
    "httpss://shop.example/",
    "https//shop.example/",
    "https;//shop.example/",
    // Users, passwords and their tricks.
    "https://shop.example@evil.example/",
    "https://shop.example:443@evil.example/",
    "https://user@shop.example/",
    "https://user:password@shop.example/",
    "https://:password@shop.example/",
    "https://@shop.example/",
    "https://:@shop.example/",
    "https://evil.example@shop.example/",
    "https://shop.example%40evil.example/",
    "https://shop.example%2540evil.example/",
    "https://evil.example#@shop.example/",
    "https://evil.example?@shop.example/",
    "https://evil.example/@shop.example/",
    "https://evil.example;@shop.example/",
    // Backslashes, which a browser takes for slashes.
    "https:\\\\evil.example",
    "https:\\\\shop.example",
    "https:/\\evil.example",
    "https://evil.example\\@shop.example/",
    "https://shop.example\\@evil.example/",
    "https://evil.example\\.shop.example/",
    "https://shop.example/\\evil.example",
    "https://shop.example\\evil.example",
    // Control characters and blanks, which a browser leaves out.
    " https://shop.example/",
    "https://shop.example/ ",
    "\thttps://shop.example/",
    "ht\ntps://shop.example/",
    "https://evil.example\t.shop.example/",
    "https://shop.example\n@evil.example/",
    "https://shop.example/\r\nSet-Cookie: a=b",
    "https://shop.example/\r\n\r\n<script>alert(1)</script>",
    "https://shop.example/\0",
    "https://shop.example\0.evil.example/",
    "https://shop.example/\u{7f}",
    "https://shop.example/\u{85}x",
    "https://shop.example/\u{2028}x",
    "https://shop.example\u{a0}.evil.example/",
    "https://shop.example\u{3000}/",
    // Hosts that look like the listed one, or are more than it.
    "https://evil.example/",
    "https://shop.example.evil.example/",
    "https://evilshop.example/",
    "https://shop.example./",
    "https://shop.example../",
    "https://.shop.example/",
    "https://www.shop.example/",
    "https://shop-example/",
    "https://shopexample/",
    "https://shop.example%2eevil.example/",
    "https://shop.example%00.evil.example/",
    "https://shop.examp\u{217c}e.evil.example/",
    "https://ѕhop.example/",
    "https://shоp.example/",
    "https://shop.exаmple/",
    "https://xn--hop-dmc.example/",
    "https://shop。example。evil.example/",
    "https://stores.example/",
    "https://evilstores.example/",
    "https://*.stores.example.evil.example/",
    // Ports and addresses.
    "https://shop.example:80/",
    "https://shop.example:8444/",
    "https://a.stores.example:8443/",
    "https://shop.example:99999/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://2130706433/",
];

/// Addresses that a browser would repair so that they lead to the listed host after all.
const NEUTRALISED: [&str; 8] = [
    "https://ｓｈｏｐ.example/",
    "https://shop。example/",
    "https://shop.ex\u{ad}ample/",
    "https://shop.example/../../evil.example",
    "https://shop.example//evil.example/",
    "https://shop.example/%0d%0aLocation:%20https://evil.example",
    "https://shop.example/?next=https://evil.example#//evil.example",
    "HTTPS://SHOP.EXAMPLE:443/<script>\"'",
];

#[test]
fn each_of_100_hostile_destinations_is_refused() {
    for url in HOSTILE {
        for mode in [Mode::Test, Mode::Live] {
            let read = Destination::try_new(url, &hosts(), mode);
            assert!(read.is_err(), "{url:?} leads to {read:?}");
        }
    }
}

#[test]
fn what_a_browser_would_repair_leads_to_the_listed_host_in_plain_characters() {
    for url in NEUTRALISED {
        let canonical = live(url).unwrap_or_else(|error| panic!("{url:?}: {error}"));
        let read = Url::parse(&canonical).expect("an address");
        assert_eq!((read.scheme(), read.host_str()), ("https", Some("shop.example")), "{url:?}");
        let is_plain = |c: char| c.is_ascii_graphic() && !"<>\"\\".contains(c);
        assert!(canonical.chars().all(is_plain), "{canonical}");
        assert_eq!(live(&canonical), Ok(canonical.clone()), "canonical at once");
    }
}

#[test]
fn the_sandbox_also_leads_to_this_machine_and_nowhere_else() {
    let sandbox = |url: &str| Destination::try_new(url, &hosts(), Mode::Sandbox).map(drop);
    for url in
        ["http://127.0.0.1:3000/a", "http://[::1]/", "http://localhost:8080/", "http://127.9.9.9"]
    {
        assert_eq!(sandbox(url), Ok(()), "{url}");
    }
    let repaired = "http://0x7f000001/";
    assert_eq!(sandbox(repaired), Ok(()), "an address of this machine in other clothes");
    for url in
        HOSTILE.into_iter().filter(|url| !url.contains("127.0.0.1") && !url.contains("localhost"))
    {
        assert!(sandbox(url).is_err(), "{url:?}");
    }
    for url in [
        "http://10.0.0.1/",
        "http://localhost.evil.example/",
        "http://0.0.0.0/",
        "http://user@localhost/",
    ] {
        assert!(sandbox(url).is_err(), "{url}");
    }
}

#[test]
fn a_listed_host_is_that_host_a_star_its_subdomains_and_a_port_that_port() {
    let fine = [
        "https://shop.example",
        "https://shop.example/a/b?c=d#e",
        "https://shop.example:443/",
        "https://shop.example:8443/",
        "https://Shop.Example/",
        "https://a.stores.example/",
        "https://a.b.stores.example/",
    ];
    for url in fine {
        assert!(live(url).is_ok(), "{url}");
    }
    for entry in ["shop.example", "*.shop.example", "shop.example:8443", "xn--bcher-kva.example"] {
        assert!(entry.parse::<AllowedHost>().is_ok(), "{entry}");
    }
    for entry in [
        "",
        "*",
        "*.",
        "com",
        "*.com",
        "https://shop.example",
        "shop.example/",
        "shop.example.",
        "shop.example:",
        "shop.example:0",
        "shop.example:080",
        "shop.example:70000",
        "a.*.example",
        "*.*.example",
        "127.0.0.1",
        "[::1]",
        "user@shop.example",
        "shop example",
        "shоp.example",
        "shop.example:443:443",
        ".shop.example",
        "shop..example%2f",
        "0x7f.1",
    ] {
        assert_eq!(entry.parse::<AllowedHost>(), Err(DestinationError::ListEntry), "{entry:?}");
    }
}

#[test]
fn each_refusal_names_its_rule() {
    let long = format!("https://shop.example/{}", "a".repeat(2_028));
    let grows = format!("https://shop.example/{}", "é".repeat(700));
    let cases = [
        (long.as_str(), "destination_length"),
        (grows.as_str(), "destination_length"),
        ("https://shop.example/a b", "destination_character"),
        ("http://shop.example/", "destination_scheme"),
        ("https://shop.example:99999/", "destination_malformed"),
        ("https://user@shop.example/", "destination_user"),
        ("https://evil.example/", "destination_host"),
    ];
    for (url, code) in cases {
        assert_eq!(live(url).map_err(DestinationError::code), Err(code), "{url}");
    }
}

#[test]
fn the_click_is_appended_where_a_shop_finds_it() {
    let cases = [
        ("https://shop.example", "https://shop.example/?sh_click=TOKEN"),
        ("https://shop.example/a", "https://shop.example/a?sh_click=TOKEN"),
        ("https://shop.example/a?", "https://shop.example/a?sh_click=TOKEN"),
        ("https://shop.example/a?b=c", "https://shop.example/a?b=c&sh_click=TOKEN"),
        ("https://shop.example/a?b=c#d?e", "https://shop.example/a?b=c&sh_click=TOKEN#d?e"),
        ("https://shop.example/#", "https://shop.example/?sh_click=TOKEN#"),
        ("https://shop.example/?sh_click=old", "https://shop.example/?sh_click=TOKEN"),
        ("https://shop.example/?sh_click", "https://shop.example/?sh_click=TOKEN"),
        (
            "https://shop.example/?sh%5Fclick=old&b=%20",
            "https://shop.example/?b=%20&sh_click=TOKEN",
        ),
        ("https://shop.example/?sh_click=1&b&sh_click=2", "https://shop.example/?b&sh_click=TOKEN"),
        (
            "https://shop.example/?sh_clicks=1&SH_CLICK=2",
            "https://shop.example/?sh_clicks=1&SH_CLICK=2&sh_click=TOKEN",
        ),
        ("https://shop.example/?a=b+c&&d=%2B", "https://shop.example/?a=b+c&d=%2B&sh_click=TOKEN"),
    ];
    for (url, expected) in cases {
        let destination = Destination::try_new(url, &hosts(), Mode::Live).expect("listed");
        assert_eq!(destination.with_click(&ParameterName::default(), "TOKEN"), expected, "{url}");
    }
    let destination = Destination::try_new("https://shop.example/", &hosts(), Mode::Live);
    let hostile = "a&b=c#d\r\n/\\@\" é";
    let text =
        destination.expect("listed").with_click(&"click-1".parse().expect("a name"), hostile);
    assert_eq!(text, "https://shop.example/?click-1=a%26b%3Dc%23d%0D%0A%2F%5C%40%22+%C3%A9");
}

#[test]
fn parameter_names_are_plain() {
    let long = "a".repeat(33);
    for name in ["", "a b", "a=b", "a&b", "a#b", "é", "a%20", long.as_str()] {
        assert_eq!(name.parse::<ParameterName>(), Err(DestinationError::Parameter), "{name}");
    }
    for name in ["sh_click", "a", "A-9_", &long[..32]] {
        assert!(name.parse::<ParameterName>().is_ok(), "{name}");
    }
}

proptest! {
    #[test]
    fn whatever_is_accepted_leads_to_a_listed_host(
        text in any::<String>(),
        pieces in proptest::collection::vec(piece(), 0..8),
        token in "[A-Za-z0-9_-]{1,20}",
    ) {
        for url in [text, pieces.concat(), format!("https://{}", pieces.concat())] {
            let Ok(destination) = Destination::try_new(&url, &hosts(), Mode::Live) else {
                continue;
            };
            let name = ParameterName::default();
            let read = Url::parse(&destination.with_click(&name, &token)).expect("an address");
            let host = read.host_str().expect("a host").to_owned();
            prop_assert!(host == "shop.example" || host.ends_with(".stores.example"), "{url:?}");
            let clicks = read.query_pairs().filter(|(name, _)| name == "sh_click");
            let clicks: Vec<_> = clicks.map(|(_, value)| value.into_owned()).collect();
            prop_assert_eq!(clicks, [token.clone()]);
        }
    }

    #[test]
    fn no_text_upsets_a_list(text in any::<String>(), pieces in proptest::collection::vec(piece(), 0..4)) {
        drop(text.parse::<AllowedHost>());
        drop(pieces.concat().parse::<AllowedHost>());
    }
}

/// Pieces from which addresses on the edge of the rules are put together.
fn piece() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "https:",
        "http:",
        "//",
        "/",
        "\\",
        "@",
        ":",
        "?",
        "#",
        "&",
        ".",
        "*",
        "%2f",
        "%40",
        "\t",
        "shop.example",
        "a.stores.example",
        "stores.example",
        "evil.example",
        "sh_click=x",
        "8443",
        "[::1]",
        "127.0.0.1",
        "é",
        "。",
        "user",
    ])
}
