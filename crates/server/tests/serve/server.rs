//! The binary as a child process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    log: Arc<Mutex<String>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn sponsorhub() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sponsorhub"))
}

impl Server {
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        let mut command = sponsorhub();
        command.arg("serve").arg("--data-dir").arg(data).args(["--listen", "127.0.0.1:0"]);
        // Nobody is there: nothing in these tests is about money that moves.
        command.envs([
            ("SPONSORHUB_STRIPE_BASE_URL", "http://127.0.0.1:9"),
            ("SPONSORHUB_STRIPE_SECRET_KEY", "sk_test_nobody"),
            ("SPONSORHUB_STRIPE_WEBHOOK_SECRET", "whsec_nobody"),
            ("SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET", "whsec_no_one"),
            ("SPONSORHUB_CLERK_ISSUER", "http://127.0.0.1:9"),
        ]);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            log.lock().expect("whole").push_str(&line);
            line.split_once("listening on http://").map(|(_, address)| address.trim().to_owned())
        });
        let Some(address) = address else {
            panic!("the server did not start: {}", log.lock().expect("whole"));
        };
        let kept = Arc::clone(&log);
        // The log goes on; somebody has to read it.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut kept = kept.lock().expect("whole");
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        Self { child, address, log }
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("whole").clone()
    }

    /// Ends it at once, in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Asks it to stop, and waits.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(asked.success());
        self.child.wait().expect("it ends")
    }
}
