//! The served document against the server: schemathesis makes up requests to every operation, as three
//! kinds of callers, and looks for what the document does not say.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::cast::{self, Play, Things};
use crate::{install, python};

/// The document, with things that are there in the place of any text.
async fn document(play: &Play, things: &[Things]) -> Value {
    let url = format!("{}/api/openapi.json", play.world.address);
    let mut document: Value =
        play.world.client.get(url).send().await.expect("answers").json().await.expect("JSON");
    for operations in document["paths"].as_object_mut().expect("paths").values_mut() {
        for operation in operations.as_object_mut().expect("methods").values_mut() {
            let parameters = operation["parameters"].as_array_mut().expect("a list");
            for parameter in parameters.iter_mut().filter(|one| one["in"] == "path") {
                let place = format!("{{{}}}", parameter["name"].as_str().expect("a name"));
                let all: Vec<_> = things.iter().map(|of| of.fill(&place)).collect();
                parameter["schema"] = json!({ "type": "string", "enum": all });
            }
        }
    }
    document
}

fn run(folder: &Path, document: &Path, address: &str, (bearer, examples): (&str, u32)) {
    let mut st = Command::new(folder.join("venv/bin/st"));
    st.arg("run").arg(document).args(["--url", address]);
    st.args(["--header", &format!("Authorization: Bearer {bearer}")]);
    st.args(["--max-examples", &examples.to_string(), "--seed", "1", "--no-color"]);
    st.args(["--phases", "coverage,fuzzing"]);
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,\
                  response_schema_conformance";
    st.args(["--checks", checks]).current_dir(folder);
    let output = st.output().expect("runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let tested = |line: &&str| line.trim_start().starts_with("Selected: ");
    let line = said.lines().find(tested).unwrap_or_default();
    let (of, all) = line.trim().trim_start_matches("Selected: ").split_once('/').expect("a count");
    assert_eq!(of, all, "every operation");
    assert!(said.contains(&format!("Tested: {all}")), "{said}");
    crate::world::proven(&format!("schemathesis found nothing in {all} operations"));
}

async fn conforms(examples: u32) {
    let list = "requirements-api.txt";
    let folder = match python::prepared("judges-api", list, &[]) {
        Ok(folder) => folder,
        Err(why) => return install::not_run("the API's document by schemathesis", &why),
    };
    let (play, things) = cast::start().await;
    let document = document(&play, &things).await;
    let path = play.world.data().join("openapi.json");
    std::fs::write(&path, document.to_string()).expect("written");
    for caller in ["creator", "admin", "owner"] {
        let bearer = play.bearer(cast::shows(caller)).expect("a token");
        let (folder, path, address) = (folder.clone(), path.clone(), play.world.address.clone());
        let judging = move || run(&folder, &path, &address, (&bearer, examples));
        tokio::task::spawn_blocking(judging).await.expect("it found nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_does_what_its_document_says() {
    conforms(8).await;
}

#[ignore = "minutes; `cargo xtask prove` runs it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_does_what_its_document_says_at_length() {
    conforms(150).await;
}
