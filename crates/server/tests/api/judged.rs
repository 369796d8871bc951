//! Events that the official client signs drive the product, and events that others sign do not.

use std::io::Write as _;
use std::process::{Command, Stdio};

use reqwest::StatusCode;
use serde_json::{Value, json};
use sponsorhub_sandbox::{ClockStart, Method as PayBy, Options, Outcome};

use crate::install;
use crate::world::{BRAND, World, text};

/// The event of a session, as the provider would write it.
fn event(session: &Value) -> String {
    json!({
        "id": "evt_judged", "object": "event", "type": "checkout.session.completed",
        "created": 1_767_614_400, "livemode": false, "account": null,
        "data": { "object": session },
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_the_official_client_signs_are_taken_and_no_others() {
    let folder = match install::node(&["signed.mjs"]) {
        Ok(folder) => folder,
        Err(why) => return install::not_run("events signed by the official client", &why),
    };
    let options = Options { clock: ClockStart::Real, ..Options::default() };
    // The client signs with the time of this machine.
    let world = World::start_unheard(options).await;
    world.join(BRAND).await;
    let campaign = world.campaign(BRAND).await;
    let path = format!("/campaigns/{campaign}");
    let amount = json!({ "amount": { "amount": 100_000, "currency": "USD" } });
    let (_, deposit, _) = world.post(BRAND, &format!("{path}/deposits"), &amount).await;
    let session = text(&deposit["session"]);
    world.sandbox.sandbox.pay(&session, PayBy::Card, Outcome::Succeed).expect("open");
    let hand_over = |secret: &str| {
        let address = format!("{}/webhooks/stripe", world.address);
        let mut command = Command::new("node");
        command.args(["signed.mjs", &address, secret]).current_dir(&folder);
        let mut node =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node runs");
        let event = event(&json!({ "id": session, "object": "checkout.session" }));
        let mut input = node.stdin.take().expect("piped");
        writeln!(input, "{event}").expect("taken");
        drop(input);
        let output = node.wait_with_output().expect("node ends");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(hand_over("whsec_other"), "400", "signed by somebody else");
    let (_, shown) = world.get(BRAND, &path).await;
    assert_eq!(shown["state"], "draft", "nobody has told");
    assert_eq!(hand_over("whsec_account"), "200");
    for _ in 0..500 {
        let (status, shown) = world.get(BRAND, &path).await;
        assert_eq!(status, StatusCode::OK);
        if shown["state"] == "funded" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the money was not looked up");
}
