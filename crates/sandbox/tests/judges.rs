//! The official clients of those who are imitated judge the sandbox, where `node`, `python3` and their
//! registries are at hand. Where they are not, this says so and judges nothing.

#[path = "../judges/install.rs"]
mod install;

use std::path::PathBuf;
use std::process::Command;

use sponsorhub_sandbox::{ClockStart, Options, Sandbox};

/// Runs one judge against a sandbox of its own.
async fn judge(program: PathBuf, script: PathBuf) {
    let options = Options { clock: ClockStart::Real, ..Options::default() };
    let running = Sandbox::start(options).await.expect("starts");
    let url = running.base_url.clone();
    let judging = move || Command::new(program).arg(script).arg(url).output();
    let output = tokio::task::spawn_blocking(judging).await.expect("no panic").expect("it runs");
    running.stop().await;
    let says = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&says));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_clients_find_nothing_wrong() {
    match install::node(&["judge.mjs"]) {
        Ok(folder) => judge("node".into(), folder.join("judge.mjs")).await,
        Err(why) => install::not_run("the judges in node of the sandbox", &why),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_in_python_finds_nothing_wrong() {
    match install::python(&["judge.py"]) {
        Ok(folder) => judge(folder.join("venv/bin/python"), folder.join("judge.py")).await,
        Err(why) => install::not_run("the judge in Python of the sandbox", &why),
    }
}
