//! The demo: its figures, its object, and that a server which is killed in the middle of the story
//! changes none of them.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

fn sponsorhub() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sponsorhub"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The figures of docs/demo.md, written a second time.
fn check(output: &Output) {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let object: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let paid = |name: &str| {
        let creators = object["creators"].as_array().expect("a list");
        let creator = creators.iter().find(|creator| creator["name"] == json!(name));
        creator.unwrap_or_else(|| panic!("{name}"))["paid_minor"].as_i64().expect("a number")
    };
    let names = ["ada", "ben", "cleo", "dan", "eve", "fay", "gus", "hana"];
    let all = names.map(paid);
    assert_eq!(all, [45_000, 4_000, 420_000, 52_000, 65_000, 12_500, 38_000, 290_000]);
    let figures = json!([
        object["campaign"]["state"],
        object["deposited_minor"],
        object["provider_fees_minor"],
        object["accrued_minor"],
        object["fees_minor"],
        object["paid_minor"],
        object["refunded_minor"],
        object["postings_sum"],
        object["audit"],
    ]);
    let expected =
        json!(["paid_out", 1_040_100, 30_193, 926_500, 46_050, 926_500, 37_357, 0, "passed"]);
    assert_eq!(figures, expected);
    let conversions = json!({
        "received": 27, "accepted": 26, "held": 1, "rejected": 0, "reversed": 2,
        "amount_minor": 9_160_000,
    });
    assert_eq!(object["conversions"], conversions);
    assert!(object["entries"].as_u64().is_some_and(|entries| entries > 100));
}

#[test]
fn the_story_comes_out_to_the_cent() {
    let output = sponsorhub().args(["demo", "--once", "--json"]).output().expect("runs");
    check(&output);
}

#[test]
fn people_get_lines_and_the_directory_can_be_audited() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let mut demo = sponsorhub();
    demo.args(["demo", "--once", "--data-dir"]).arg(&data);
    let output = demo.output().expect("runs");
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.contains("paid to hana"), "{said}");
    assert!(said.contains("left over                                0.00 USD"), "{said}");
    let audit = sponsorhub().args(["audit", "--data-dir"]).arg(&data).output().expect("runs");
    assert!(audit.status.success(), "{}", text(&audit.stdout));
    let again = demo.output().expect("runs");
    assert_eq!(again.status.code(), Some(2));
    let said = text(&again.stderr);
    assert!(said.starts_with("error: --data-dir: ") && said.lines().count() == 1, "{said}");
}

#[test]
fn serve_without_settings_names_them_and_the_demo() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut serve = sponsorhub();
    serve.args(["serve", "--init", "sandbox", "--listen", "127.0.0.1:0", "--data-dir"]);
    let output = serve.arg(directory.path().join("data")).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for word in ["SPONSORHUB_STRIPE_SECRET_KEY", "SPONSORHUB_CLERK_ISSUER", "`sponsorhub demo`"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn only_a_sandbox_has_another_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let sandbox = Sandbox::start("http://127.0.0.1:9");
    let mut serve = sponsorhub();
    serve.args(["serve", "--init", "test", "--clock", "virtual", "--listen", "127.0.0.1:0"]);
    serve.arg("--data-dir").arg(directory.path().join("data"));
    let output = serve.envs(settings(&sandbox.address)).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("--clock virtual: this installation is for test"), "{said}");
}

/// A child that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Sandbox {
    _child: Killed,
    address: String,
}

impl Sandbox {
    fn start(product: &str) -> Self {
        let mut command = sponsorhub();
        command.args(["sandbox", "--listen", "127.0.0.1:0", "--product", product]);
        command.envs(settings("")).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let said = lines.next().expect("a line").expect("text");
        let (_, rest) = said.split_once("sandbox on ").expect("an address");
        let address = rest.split(';').next().expect("an address").to_owned();
        Self { _child: Killed(child), address }
    }

    /// What the sandbox says really moved.
    fn transfers(&self) -> Vec<u64> {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let ledger = runtime.block_on(async {
            let url = format!("{}/_control/ledger", self.address);
            reqwest::get(url).await.expect("answers").json::<Value>().await.expect("JSON")
        });
        let payouts = ledger["payouts"].as_object().expect("by payout").clone();
        payouts.values().map(|payout| payout["transfers"].as_u64().expect("a count")).collect()
    }
}

fn settings(sandbox: &str) -> Vec<(&'static str, String)> {
    vec![
        ("SPONSORHUB_STRIPE_BASE_URL", sandbox.to_owned()),
        ("SPONSORHUB_STRIPE_SECRET_KEY", "sk_test_demo".to_owned()),
        ("SPONSORHUB_STRIPE_WEBHOOK_SECRET", "whsec_account".to_owned()),
        ("SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET", "whsec_connect".to_owned()),
        ("SPONSORHUB_CLERK_ISSUER", sandbox.to_owned()),
    ]
}

fn serve(data: &Path, listen: &str, sandbox: &str) -> Killed {
    let mut command = sponsorhub();
    command.args(["serve", "--init", "sandbox", "--clock", "virtual", "--rollup-seconds", "1"]);
    command.args(["--trusted-proxy", "127.0.0.1/32", "--log", "error", "--listen", listen]);
    command.arg("--data-dir").arg(data).envs(settings(sandbox));
    Killed(command.stderr(Stdio::null()).spawn().expect("starts"))
}

/// Kills of one story.
const KILLS: u32 = 20;

/// `kill -9` at random moments, sandbox and driver in processes of their own: the figures are the
/// same, and no payout is transferred twice (INV-3).
#[test]
fn a_server_that_is_killed_again_and_again_changes_no_figure() {
    // Another one each time, and printed.
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut kills = 0;
    while kills < KILLS {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("data");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let listen = free.local_addr().expect("an address").to_string();
        drop(free);
        let product = format!("http://{listen}");
        let sandbox = Sandbox::start(&product);
        let mut server = serve(&data, &listen, &sandbox.address);
        let mut driver = sponsorhub();
        driver.args(["demo", "--once", "--json", "--product", &product]);
        driver.args(["--sandbox", &sandbox.address, "--data-dir"]).arg(&data);
        let driver = driver.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut driver = Killed(driver);
        while driver.0.try_wait().expect("a child").is_none() {
            let moment = Duration::from_millis(random.random_range(40..400));
            std::thread::sleep(moment);
            if kills < KILLS && driver.0.try_wait().expect("a child").is_none() {
                // Killed and gone before the next one opens the directory.
                drop(server);
                kills += 1;
                server = serve(&data, &listen, &sandbox.address);
            }
        }
        let status = driver.0.wait().expect("ends");
        let read = |stream: Option<&mut dyn std::io::Read>| {
            let mut bytes = Vec::new();
            if let Some(stream) = stream {
                stream.read_to_end(&mut bytes).expect("read");
            }
            bytes
        };
        let stdout = read(driver.0.stdout.as_mut().map(|out| out as &mut dyn std::io::Read));
        let stderr = read(driver.0.stderr.as_mut().map(|out| out as &mut dyn std::io::Read));
        check(&Output { status, stdout, stderr });
        let transfers = sandbox.transfers();
        assert!(transfers.len() >= 8, "{transfers:?}");
        assert!(transfers.iter().all(|count| *count == 1), "INV-3: {transfers:?}");
        drop(server);
    }
}
