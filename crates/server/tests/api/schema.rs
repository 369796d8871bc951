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
            // The judge makes up no lines of JSON; any text will do.
            let bodies = operation.pointer_mut("/requestBody/content");
            if let Some(bodies) = bodies.and_then(Value::as_object_mut)
                && let Some(lines) = bodies.remove("application/x-ndjson")
            {
                bodies.insert("text/plain".to_owned(), lines);
            }
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

/// Who asks, and for what.
struct Judged {
    bearer: String,
    examples: u32,
    /// Paths by a regular expression; none: all.
    only: Option<&'static str>,
}

fn run(folder: &Path, document: &Path, address: &str, judged: &Judged) {
    let Judged { bearer, examples, only } = judged;
    let mut st = Command::new(folder.join("venv/bin/st"));
    st.arg("run").arg(document).args(["--url", address]);
    st.args(["--header", &format!("Authorization: Bearer {bearer}")]);
    st.args(["--max-examples", &examples.to_string(), "--seed", "1", "--no-color"]);
    st.args(["--phases", "coverage,fuzzing"]);
    if let Some(only) = only {
        st.args(["--include-path-regex", only]);
    }
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,\
                  response_schema_conformance";
    st.args(["--checks", checks]).current_dir(folder);
    let output = st.output().expect("runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let tested = |line: &&str| line.trim_start().starts_with("Selected: ");
    let line = said.lines().find(tested).unwrap_or_default();
    let (of, all) = line.trim().trim_start_matches("Selected: ").split_once('/').expect("a count");
    assert!(of == all || (only.is_some() && of == "2"), "every operation: {line}");
    assert!(said.contains(&format!("Tested: {of}")), "{said}");
    crate::world::proven(&format!("schemathesis found nothing in {of} operations"));
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
    for (caller, only) in
        [("creator", None), ("admin", None), ("owner", None), ("key_report", Some("^/v"))]
    {
        let bearer = play.bearer(cast::shows(caller)).expect("a token");
        let (folder, path, address) = (folder.clone(), path.clone(), play.world.address.clone());
        let judged = Judged { bearer, examples, only };
        let judging = move || run(&folder, &path, &address, &judged);
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
