//! Programs of this machine: our servers, nginx, wrk.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// On the disk that is measured: beside the build, which is no memory file system.
pub(crate) fn directory() -> TempDir {
    let beside = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    tempfile::tempdir_in(beside).expect("the target directory takes files")
}

/// A server that ends with its owner.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: String,
    /// What ends a program whose children would outlive a kill.
    stop: Option<Command>,
}

impl Drop for Server {
    fn drop(&mut self) {
        match &mut self.stop {
            Some(stop) => drop(stop.status().expect("the same program")),
            None => self.child.kill().expect("it runs"),
        }
        self.child.wait().expect("it ends");
    }
}

impl Server {
    /// Starts ours on a data directory.
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        Self::start_with(data, arguments, "http://127.0.0.1:9")
    }

    /// Starts ours where this identity provider's tokens are believed.
    pub(crate) fn start_with(data: &Path, arguments: &[&str], issuer: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sponsorhub"));
        command.arg("serve").arg("--data-dir").arg(data).args(["--listen", "127.0.0.1:0"]);
        // Nobody is there: nothing here is about money that moves.
        command.envs([
            ("SPONSORHUB_STRIPE_BASE_URL", "http://127.0.0.1:9"),
            ("SPONSORHUB_STRIPE_SECRET_KEY", "sk_test_nobody"),
            ("SPONSORHUB_STRIPE_WEBHOOK_SECRET", "whsec_nobody"),
            ("SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET", "whsec_no_one"),
            ("SPONSORHUB_CLERK_ISSUER", issuer),
        ]);
        let child = command.args(arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
        let mut child = child.expect("the server starts");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let mut lines = log.lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once("listening on http://").map(|(_, address)| address.trim().to_owned())
        });
        // The log goes on; somebody has to read it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("it says where it listens"), stop: None }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Memory that it holds, MiB.
    pub(crate) fn resident_mib(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
        kib.unwrap_or(f64::NAN) / 1024.0
    }
}

/// nginx with one redirect; none where it is not installed.
pub(crate) fn nginx(directory: &Path) -> Option<Server> {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        free.local_addr().expect("bound").port()
    };
    let prefix = directory.join("nginx");
    std::fs::create_dir_all(prefix.join("logs")).expect("writable");
    let configuration = prefix.join("nginx.conf");
    let text = format!(
        "daemon off; worker_processes 2; pid {0}/nginx.pid; error_log {0}/logs/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {0}/b;\n\
         proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ return 302 https://shop.example/product; }} }} }}\n",
        prefix.display()
    );
    std::fs::write(&configuration, text).expect("writable");
    let command = || {
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&prefix).arg("-c").arg(&configuration);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let child = command().spawn().ok()?;
    let mut stop = command();
    stop.args(["-s", "stop"]);
    let server = Server { child, address: format!("127.0.0.1:{port}"), stop: Some(stop) };
    for _ in 0..100 {
        if std::net::TcpStream::connect(&server.address).is_ok() {
            return Some(server);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// What wrk measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrk {
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) p99_ms: f64,
}

/// One run.
pub(crate) fn wrk(url: &str, connections: u32, seconds: u32, script: Option<&Path>) -> Wrk {
    let mut command = Command::new("wrk");
    command.args(["-t1", "--latency", &format!("-c{connections}"), &format!("-d{seconds}s")]);
    if let Some(script) = script {
        command.arg("-s").arg(script);
    }
    let output = command.arg(url).output().expect("wrk is installed (Debian: apt install wrk)");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("Non-2xx"), "every request must succeed: {text}");
    let after = |mark: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(mark));
        line.unwrap_or_else(|| panic!("{mark} in {text}")).trim().to_owned()
    };
    let rate = after("Requests/sec:").parse().expect("a number");
    Wrk { rate, p99_ms: milliseconds(&after("99%")) }
}

fn milliseconds(text: &str) -> f64 {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1_000.0)];
    let parsed = units.iter().find_map(|(unit, factor)| {
        text.strip_suffix(unit).and_then(|number| Some(number.parse::<f64>().ok()? * factor))
    });
    parsed.unwrap_or_else(|| panic!("a duration: {text}"))
}
