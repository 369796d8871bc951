//! A private address in many disguises, and a listener on this machine that must hear of none.

use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Answers look-ups by a script; the last line is repeated.
#[derive(Debug)]
struct Script {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Script {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let read =
            |answer: &&[&str]| answer.iter().map(|text| text.parse().expect("one")).collect();
        let answers = Mutex::new(answers.iter().rev().map(read).collect());
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

impl Lookup for Script {
    fn lookup(&self, _: String) -> Later<'static, std::io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().expect("no panic");
        let last = answers.len() == 1;
        let answer = if last { answers[0].clone() } else { answers.pop().expect("one is left") };
        Box::pin(async move { Ok(answer) })
    }
}

/// Counts who connects.
struct Canary {
    port: u16,
    heard: Arc<AtomicUsize>,
}

impl Canary {
    /// Listens on all addresses of this machine, so that no spelling of it misses; answers `says`.
    fn start(says: &'static str) -> Self {
        use std::io::{Read as _, Write as _};
        let listener = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"));
        let listener = listener.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let heard = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let mut stream = stream.expect("connected");
                drop(stream.read(&mut [0; 4_096]));
                drop(stream.write_all(says.as_bytes()));
            }
        });
        Self { port, heard }
    }

    fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }
}

const OK: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

fn limits() -> TimeLimits {
    TimeLimits { connect: Duration::from_millis(500), whole: Duration::from_secs(2) }
}

fn sender(rule: Rule, script: &Arc<Script>) -> Outgoing {
    let lookup = Arc::clone(script) as Arc<dyn Lookup>;
    Outgoing::with(rule, limits(), &lookup).expect("TLS")
}

/// Hosts as somebody may write this machine, its network or what only it can reach.
const HOSTS: [&str; 58] = [
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.01",
    "0177.1",
    "127.0.0.1.",
    "0.0.0.0",
    "0",
    "0.1.2.3",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "127．0．0．1",
    "%31%32%37.0.0.1",
    "127.0.0.1%2f.shop.example",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "0xA9FEA9FE",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::FFFF:7f00:1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[100::1]",
    "[fe80::1%25lo]",
    "localhost",
    "LocalHost.",
];

/// Names whose text is in order. Where they lead is not.
const NAMES: [&str; 4] =
    ["hooks.example", "HOOKS.example", "127.0.0.1.nip.example", "xn--hks-6na.example"];

/// Where such a name leads: beside a public address there is one that is not.
const LEADS: [&[&str]; 12] = [
    &["127.0.0.1"],
    &["::1"],
    &["::ffff:127.0.0.1"],
    &["64:ff9b::7f00:1"],
    &["2002:7f00:1::1"],
    &["10.1.2.3"],
    &["169.254.169.254"],
    &["fd00::1"],
    &["fe80::1"],
    &["0.0.0.0"],
    &["1.1.1.1", "127.0.0.1"],
    &["2606:4700::1111", "::1"],
];

#[tokio::test]
async fn a_private_address_in_a_hundred_disguises_is_never_called() {
    let canary = Canary::start(OK);
    let port = canary.port;
    // The port is allowed, so that it is not the port that saves anybody.
    let rule = Rule { ports: vec![443, 8_443, port], loopback: false };
    let mut urls = Vec::new();
    for host in HOSTS {
        urls.push(format!("https://{host}:{port}/"));
        urls.push(format!("http://{host}:{port}/"));
    }
    for trick in [
        "https://shop.example@127.0.0.1:{}/",
        "https://shop.example:443@127.0.0.1:{}/",
        "https://127.0.0.1:{}\\@shop.example/",
        "https://127.0.0.1:{}#@shop.example/",
        "https:127.0.0.1:{}/",
        "https:///127.0.0.1:{}/",
        "https:\\\\127.0.0.1:{}\\",
        "HTTPS://127.0.0.1:{}/",
        "https://127.0.0.1:{}/?https://shop.example/",
        "https://127.0.\t0.1:{}/",
        " https://127.0.0.1:{}/",
        "//127.0.0.1:{}/",
        "gopher://127.0.0.1:{}/",
        "file:///etc/passwd",
        "https://metadata/",
        "https://metadata.google.internal/",
        "https://printer.local/",
        "https://a.localhost/",
    ] {
        urls.push(trick.replace("{}", &port.to_string()));
    }
    let public = Script::new(&[&["127.0.0.1"]]);
    let strict = sender(rule.clone(), &public);
    for url in &urls {
        assert!(strict.check(url).is_err(), "{url}");
        assert!(matches!(strict.post(url, &[], b"{}").await, Heard::Refused(_)), "{url}");
    }
    let mut led = 0;
    for leads in LEADS {
        for name in NAMES {
            let strict = sender(rule.clone(), &Script::new(&[leads]));
            let url = format!("https://{name}:{port}/");
            if strict.check(&url).is_ok() {
                led += 1;
            }
            let heard = strict.post(&url, &[], b"{}").await;
            assert!(matches!(heard, Heard::Refused(_)), "{url} to {leads:?}: {heard:?}");
        }
    }
    assert!(urls.len() + led > 100, "{} texts and {led} names", urls.len());
    assert!(led >= 36, "{led} names got as far as to be looked up");
    assert_eq!(public.asked.load(Ordering::SeqCst), 0, "no name is asked for such a text");
    assert_eq!(canary.heard(), 0);
}

/// What is checked is what is connected to: there is no second answer.
#[tokio::test]
async fn a_name_whose_answer_flips_reaches_nothing_that_was_not_checked() {
    let canary = Canary::start(OK);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    listener.set_nonblocking(true).expect("it can wait for nobody");
    // 127.0.0.3 stands for a public address, at which nobody listens.
    let script = Script::new(&[&["127.0.0.3"], &["127.0.0.1"]]);
    let lookup = Arc::clone(&script) as Arc<dyn Lookup>;
    let is_allowed = |address: IpAddr| address == IpAddr::from([127, 0, 0, 3]);
    let public = client(limits(), &lookup, is_allowed).build().expect("TLS");
    let rule = Rule { ports: vec![port, canary.port], loopback: false };
    let flipped = Outgoing { rule, public, loopback: sender(Rule::default(), &script).loopback };
    let url = format!("https://hooks.example:{port}/");
    assert_eq!(flipped.post(&url, &[], b"{}").await, Heard::Unreachable);
    assert_eq!(script.asked.load(Ordering::SeqCst), 1, "asked once, checked and used");
    let heard = flipped.post(&url, &[], b"{}").await;
    assert!(matches!(heard, Heard::Refused(_)), "the next time it is checked again: {heard:?}");
    assert!(listener.accept().is_err(), "nobody came");
    assert_eq!(canary.heard(), 0);
}

#[tokio::test]
async fn a_sandbox_calls_this_machine_and_follows_nobody_elsewhere() {
    let canary = Canary::start(OK);
    let lookup = || Script::new(&[&["127.0.0.1"]]);
    let sandbox = sender(Rule { loopback: true, ..Rule::default() }, &lookup());
    let url = format!("http://127.0.0.1:{}/hooks?a=b", canary.port);
    assert_eq!(sandbox.check(&url), Ok(()));
    let headers = [("webhook-id", "msg_1".to_owned())];
    assert_eq!(sandbox.post(&url, &headers, b"{}").await, Heard::Status(204));
    let by_name = format!("http://localhost:{}/", canary.port);
    assert_eq!(sandbox.post(&by_name, &[], b"{}").await, Heard::Status(204));
    assert_eq!(canary.heard(), 2);
    // Not by TLS, not at another address of this machine, and never where the rule is strict.
    for other in
        ["https://127.0.0.1:{}/", "http://127.0.0.2:{}/", "http://[::]:{}/", "http://0:{}/"]
    {
        let other = other.replace("{}", &canary.port.to_string());
        assert!(matches!(sandbox.post(&other, &[], b"{}").await, Heard::Refused(_)), "{other}");
    }
    assert!(sender(Rule::default(), &lookup()).check(&url).is_err());
    // `localhost` that leads away is not believed either.
    let away = sender(Rule { loopback: true, ..Rule::default() }, &Script::new(&[&["1.1.1.1"]]));
    assert!(matches!(away.post(&by_name, &[], b"{}").await, Heard::Refused(_)));
    let says =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {url}\r\nconnection: close\r\n\r\n");
    let redirecting = Canary::start(says.leak());
    let there = format!("http://127.0.0.1:{}/", redirecting.port);
    assert_eq!(sandbox.post(&there, &[], b"{}").await, Heard::Status(307));
    assert_eq!((redirecting.heard(), canary.heard()), (1, 2), "a redirect is an answer");
}

#[tokio::test]
async fn who_does_not_answer_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("bound"));
    let sandbox =
        sender(Rule { loopback: true, ..Rule::default() }, &Script::new(&[&["127.0.0.1"]]));
    assert_eq!(sandbox.post(&url, &[], b"{}").await, Heard::TimedOut);
    drop(silent);
    assert_eq!(sandbox.post(&url, &[], b"{}").await, Heard::Unreachable);
}

#[test]
fn public_hosts_are_called_at_the_ports_that_are_listed() {
    let strict = sender(Rule::default(), &Script::new(&[&["1.1.1.1"]]));
    for url in [
        "https://shop.example/hooks",
        "https://shop.example:8443/",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/a?b=c",
        "https://xn--bcher-kva.example/",
    ] {
        assert_eq!(strict.check(url), Ok(()), "{url}");
    }
    for url in ["https://shop.example:22/", "https://shop.example:80/", "http://shop.example/"] {
        assert!(strict.check(url).is_err(), "{url}");
    }
    let long = format!("https://shop.example/{}", "a".repeat(3_000));
    assert!(strict.check(&long).is_err());
}
