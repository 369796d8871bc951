//! A server with a sandbox behind it, and the people who use it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sponsorhub_sandbox::{Method as PayBy, Options, Outcome, Running, Sandbox, TokenWanted};

pub(crate) const DAY_MS: i64 = 86_400_000;

/// What the identity provider's webhooks are signed with.
pub(crate) const CLERK_SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

/// A server and its sandbox.
pub(crate) struct World {
    child: Child,
    pub(crate) sandbox: Running,
    pub(crate) address: String,
    pub(crate) client: Client,
    directory: tempfile::TempDir,
    /// What the server has logged.
    log: Log,
    /// Requests of the API a minute.
    rate: u32,
}

/// More than any test asks.
const UNLIMITED: u32 = 10_000_000;

type Log = Arc<Mutex<String>>;

impl Drop for World {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What is not as usual about a server.
#[derive(Clone, Copy)]
struct How<'a> {
    more: &'a [&'a str],
    rate: u32,
    /// A setting that it does not have.
    without: Option<&'a str>,
}

const USUAL: How<'static> = How { more: &[], rate: UNLIMITED, without: None };

/// A server on this directory, and where it is.
fn serve(directory: &Path, base: &str, how: How<'_>, log: &Log) -> (Child, String) {
    let How { more, rate, without } = how;
    let mut command = Command::new(env!("CARGO_BIN_EXE_sponsorhub"));
    command.args(["serve", "--init", "sandbox", "--clock", "virtual"]);
    command.args(["--rollup-seconds", "1", "--listen", "127.0.0.1:0", "--webhook-loopback"]);
    command.args(["--api-requests-per-minute", &rate.to_string()]);
    command.args(more).arg("--data-dir").arg(directory.join("data"));
    command.envs([
        ("SPONSORHUB_STRIPE_BASE_URL", base),
        ("SPONSORHUB_STRIPE_SECRET_KEY", "sk_test_api"),
        ("SPONSORHUB_STRIPE_WEBHOOK_SECRET", "whsec_account"),
        ("SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET", "whsec_connect"),
        ("SPONSORHUB_CLERK_ISSUER", base),
        ("SPONSORHUB_CLERK_WEBHOOK_SECRET", CLERK_SECRET),
    ]);
    if let Some(setting) = without {
        command.env_remove(setting);
    }
    let mut child = command.stderr(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let log = Arc::clone(log);
    let keep = move |line: &str| {
        let mut log = log.lock().expect("no panic");
        log.push_str(line);
        log.push('\n');
    };
    let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
        keep(&line);
        line.split_once("listening on ").map(|(_, address)| address.trim().to_owned())
    });
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| keep(&line)));
    let address = address.expect("it says where");
    (child, address)
}

/// Status, body, and whether it was replayed.
pub(crate) type Answer = (StatusCode, Value, bool);

impl World {
    pub(crate) async fn start() -> Arc<Self> {
        Self::start_with(&[]).await
    }

    /// With more arguments of `serve`.
    pub(crate) async fn start_with(more: &[&str]) -> Arc<Self> {
        let world = Self::begin(Options::default(), How { more, ..USUAL }).await;
        for (path, connect) in [("", false), ("/connect", true)] {
            let secret = if connect { "whsec_connect" } else { "whsec_account" };
            world.sandbox.sandbox.register_webhook(sponsorhub_sandbox::WebhookEndpoint {
                url: format!("{}/webhooks/stripe{path}", world.address),
                secret: secret.to_owned(),
                connect,
                enabled_events: Vec::new(),
            });
        }
        world
    }

    /// The provider tells it nothing.
    pub(crate) async fn start_unheard(options: Options) -> Arc<Self> {
        Self::begin(options, USUAL).await
    }

    /// It lacks this setting.
    pub(crate) async fn start_without(setting: &str) -> Arc<Self> {
        Self::begin(Options::default(), How { without: Some(setting), ..USUAL }).await
    }

    /// Everybody may ask so often a minute.
    pub(crate) async fn start_at_rate(options: Options, rate: u32) -> Arc<Self> {
        Self::begin(options, How { rate, ..USUAL }).await
    }

    async fn begin(options: Options, how: How<'_>) -> Arc<Self> {
        let sandbox = Sandbox::start(options).await.expect("a port");
        let directory = tempfile::tempdir().expect("a directory");
        let log = Log::default();
        let (child, address) = serve(directory.path(), &sandbox.base_url, how, &log);
        let client = Client::builder().build().expect("a client");
        for user in [ADMIN.0, OTHER_ADMIN.0] {
            keys(directory.path(), &["add-admin", user]);
        }
        Arc::new(Self { child, sandbox, address, client, directory, log, rate: how.rate })
    }

    /// Kills the server, and starts another one where it was.
    pub(crate) fn restart(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        let (directory, base) = (self.directory.path(), &self.sandbox.base_url);
        (self.child, self.address) =
            serve(directory, base, How { rate: self.rate, ..USUAL }, &self.log);
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    /// Where its data lie.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    /// Ends the server as an operator does.
    pub(crate) async fn end(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("runs").success());
        for _ in 0..500 {
            if self.client.get(&self.address).send().await.is_err() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        // Whoever closes the database last moves its log into it: this is the last one now.
        for _ in 0..500 {
            if self.keys(&["admins"]).0 && !self.data().join("sponsorhub.db-wal").exists() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the server does not end");
    }

    /// Runs `sponsorhub keys` beside this server.
    pub(crate) fn keys(&self, arguments: &[&str]) -> (bool, String) {
        keys(self.directory.path(), arguments)
    }

    pub(crate) fn token(&self, user: &str, role: &str) -> String {
        let wanted = TokenWanted {
            user: user.to_owned(),
            role: Some(role.to_owned()),
            azp: Some(self.address.clone()),
            ttl_s: Some(100_000),
            ..TokenWanted::default()
        };
        self.sandbox.sandbox.token(&wanted).expect("issued").token
    }

    pub(crate) async fn ask(
        &self,
        who: (&str, &str),
        (method, path): (Method, &str),
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Answer {
        let url = format!("{}/api/v1{path}", self.address);
        let mut request = self.client.request(method, url).bearer_auth(self.token(who.0, who.1));
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = request.send().await.expect("answers");
        let status = response.status();
        let is_replayed = response.headers().contains_key("idempotent-replayed");
        (status, response.json().await.expect("JSON"), is_replayed)
    }

    pub(crate) async fn post(&self, who: (&str, &str), path: &str, body: &Value) -> Answer {
        self.ask(who, (Method::POST, path), Some(body), None).await
    }

    pub(crate) async fn get(&self, who: (&str, &str), path: &str) -> (StatusCode, Value) {
        let (status, body, _) = self.ask(who, (Method::GET, path), None, None).await;
        (status, body)
    }

    pub(crate) async fn join(&self, who: (&str, &str)) {
        let name = json!({ "name": who.0 });
        let (status, body, _) = self.ask(who, (Method::PUT, "/me"), Some(&name), None).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }

    pub(crate) fn terms(&self) -> Value {
        json!({
            "currency": "USD", "budget": 100_000,
            "ends_at": self.sandbox.sandbox.now_ms() + 30 * DAY_MS,
            "destination_hosts": ["shop.example"],
            "rates": { "sale": { "bps": [[0, 1_000]] } },
        })
    }

    pub(crate) async fn campaign(&self, who: (&str, &str)) -> String {
        let (status, body, _) = self.post(who, "/campaigns", &self.terms()).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        text(&body["id"])
    }

    /// A campaign whose budget is paid in.
    pub(crate) async fn paid(&self, who: (&str, &str), terms: &Value) -> String {
        let (status, body, _) = self.post(who, "/campaigns", terms).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let campaign = text(&body["id"]);
        let amount = json!({ "amount": { "amount": terms["budget"], "currency": "USD" } });
        let path = format!("/campaigns/{campaign}/deposits");
        let (_, deposit, _) = self.post(who, &path, &amount).await;
        let session = text(&deposit["session"]);
        self.sandbox.sandbox.pay(&session, PayBy::Card, Outcome::Succeed).expect("open");
        self.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
        self.pass(2_000).await;
        // On a busy machine the news of the payment may still be on its way.
        for _ in 0..100 {
            if self.get(who, &format!("/campaigns/{campaign}")).await.1["state"] != "draft" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        campaign
    }

    /// Moves the sandbox's time until the server has done what was due.
    pub(crate) async fn pass(&self, ms: i64) {
        let at = self.sandbox.sandbox.advance_ms(ms).expect("forward");
        for _ in 0..12_000 {
            let (_, standing) = self.get(("user_operator", "admin"), "/workers").await;
            if standing["settled_at"].as_i64().is_some_and(|settled| settled >= at) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the workers do not come to rest");
    }
}

/// Runs `sponsorhub keys` beside the server; what it prints.
fn keys(directory: &std::path::Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sponsorhub"));
    command.arg("keys").args(arguments).arg("--data-dir").arg(directory.join("data"));
    let output = command.output().expect("runs");
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

pub(crate) fn code(body: &Value) -> &str {
    body["code"].as_str().unwrap_or("none")
}

pub(crate) const ADA: (&str, &str) = ("ada", "creator");
pub(crate) const BRAND: (&str, &str) = ("marta", "brand");
pub(crate) const RIVAL: (&str, &str) = ("rival", "brand");
pub(crate) const ADMIN: (&str, &str) = ("user_operator", "admin");
pub(crate) const OTHER_ADMIN: (&str, &str) = ("user_second", "admin");

pub(crate) fn filled(path: &str) -> String {
    let path = path.replace("{campaign}", "cmp_00000000000000000000000000");
    let path = path.replace("{enrollment}", "enr_00000000000000000000000000");
    let path = path.replace("{creator}", "crt_00000000000000000000000000");
    path.replace("{key}", "key_00000000000000000000000000")
        .replace("{conversion}", "7")
        .replace("{user}", "user_nobody")
        .replace("{payout}", "7")
        .replace("{refund}", "7")
        .replace("{webhook}", "whk_00000000000000000000000000")
        .replace("{delivery}", "7")
        .replace("{brand}", "brd_00000000000000000000000000")
}

/// A line for the record of proofs.
pub(crate) fn proven(line: &str) {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "proof: {line}").expect("stdout");
}
