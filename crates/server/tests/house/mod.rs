//! Sandbox, server and driver as processes of their own, and a server that is killed meanwhile.
#![allow(dead_code, reason = "each test target uses its own part")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

pub(crate) fn sponsorhub() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sponsorhub"))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A child that ends with the test.
pub(crate) struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub(crate) struct Sandbox {
    _child: Killed,
    pub(crate) address: String,
}

impl Sandbox {
    pub(crate) fn start(product: &str, more: &[&str]) -> Self {
        let mut command = sponsorhub();
        command.args(["sandbox", "--listen", "127.0.0.1:0", "--product", product]);
        command.args(more);
        command.envs(settings("")).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let said = lines.next().expect("a line").expect("text");
        let (_, rest) = said.split_once("sandbox on ").expect("an address");
        let address = rest.split(';').next().expect("an address").to_owned();
        Self { _child: Killed(child), address }
    }

    /// What the sandbox says really moved.
    pub(crate) fn transfers(&self) -> Vec<u64> {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let ledger = runtime.block_on(async {
            let url = format!("{}/_control/ledger", self.address);
            reqwest::get(url).await.expect("answers").json::<Value>().await.expect("JSON")
        });
        let payouts = ledger["payouts"].as_object().expect("by payout").clone();
        payouts.values().map(|payout| payout["transfers"].as_u64().expect("a count")).collect()
    }
}

pub(crate) fn settings(sandbox: &str) -> Vec<(&'static str, String)> {
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
    // Months are played in a minute, and one operator looks on all the time.
    command.args(["--api-requests-per-minute", "1000000"]);
    command.arg("--data-dir").arg(data).envs(settings(sandbox));
    Killed(command.stderr(Stdio::null()).spawn().expect("starts"))
}

/// What is played while the server is killed.
pub(crate) struct Play<'a> {
    /// More arguments of `sandbox`.
    pub(crate) sandbox: &'a [&'a str],
    /// More arguments of `demo --once --json`.
    pub(crate) demo: &'a [&'a str],
    /// Kills in all; it is played as often as they need.
    pub(crate) kills: u32,
    /// Longest time between two, milliseconds.
    pub(crate) pause_ms: u64,
}

/// Plays, kills the server at random moments, and checks what came out each time. No payout may be
/// transferred twice (INV-3).
pub(crate) fn play_and_kill(play: &Play<'_>, check: impl Fn(&Output)) {
    // Another one each time, and printed.
    let seed = u64::from(std::process::id());
    eprintln!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut kills = 0;
    while kills < play.kills {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("data");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let listen = free.local_addr().expect("an address").to_string();
        drop(free);
        let product = format!("http://{listen}");
        let sandbox = Sandbox::start(&product, play.sandbox);
        let mut server = serve(&data, &listen, &sandbox.address);
        let mut driver = sponsorhub();
        driver.args(["demo", "--once", "--json", "--product", &product]).args(play.demo);
        driver.args(["--sandbox", &sandbox.address, "--data-dir"]).arg(&data);
        let driver = driver.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut driver = Killed(driver);
        while driver.0.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_millis(random.random_range(40..play.pause_ms)));
            if kills < play.kills && driver.0.try_wait().expect("a child").is_none() {
                // Killed and gone before the next one opens the directory.
                drop(server);
                kills += 1;
                server = serve(&data, &listen, &sandbox.address);
            }
        }
        let status = driver.0.wait().expect("ends");
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        driver.0.stdout.take().expect("piped").read_to_end(&mut stdout).expect("read");
        driver.0.stderr.take().expect("piped").read_to_end(&mut stderr).expect("read");
        check(&Output { status, stdout, stderr });
        let transfers = sandbox.transfers();
        assert!(transfers.len() >= 8, "{transfers:?}");
        assert!(transfers.iter().all(|count| *count == 1), "INV-3: {transfers:?}");
        drop(server);
    }
}
