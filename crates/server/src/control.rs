//! The local door: commands of the operator reach a running server through a socket in its data
//! directory, which only its owner can open.
//!
//! One process owns the database, so whoever wants to change something while a server runs asks it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use axum::extract::{Path as UrlPath, State};
use axum::http::{Method, Request, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sponsorhub_app::api_keys::{self, ApiKeyError, Issued, Listed, Wanted};
use sponsorhub_app::operators::{self, Operator, OperatorError};
use sponsorhub_core::ids::{ApiKeyId, BrandId};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::doctor::{Finding, operator};
use crate::keys::by_hand;
use crate::problem::Problem;
use crate::shared::Shared;
use crate::world::SystemChance;

/// Name of the socket in the data directory.
const SOCKET: &str = "control.sock";

/// The open door; closed and removed when dropped.
#[derive(Debug)]
pub(crate) struct Door {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
        // Gone already is as good.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Opens the door of a server.
pub(crate) fn listen(directory: &Path, shared: Shared) -> Result<Door> {
    let path = directory.join(SOCKET);
    // One left by a process that died; whoever lives holds the lock that we hold now.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {}", path.display()));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path);
    let listener = listener.with_context(|| format!("opening {}", path.display()))?;
    private(&path)?;
    let router = Router::new()
        .route("/keys", post(issue))
        .route("/keys/of/{brand}", get(list))
        .route("/keys/{key}/revoke", post(revoke))
        .route("/admins", get(admins).post(add_admin).delete(remove_admin))
        .route("/noted", post(noted))
        .route("/doctor", get(doctor))
        .with_state(shared);
    #[expect(clippy::disallowed_methods, reason = "the door is held by its task and ends with it")]
    let task = tokio::spawn(answer(listener, router));
    Ok(Door { path, task })
}

fn private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let owner_only = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, owner_only)
        .with_context(|| format!("closing {} to others", path.display()))
}

async fn answer(listener: UnixListener, router: Router) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let service = TowerToHyperService::new(router.clone());
        let http = hyper::server::conn::http1::Builder::new();
        let connection = http.serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move { drop(connection.await) });
        while connections.try_join_next().is_some() {}
    }
}

fn problem(error: &ApiKeyError) -> Problem {
    let status = match error {
        ApiKeyError::Busy | ApiKeyError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Problem::new(status, "api_key", error.to_string())
}

/// Waits for the writer, so it runs beside those who answer requests.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiKeyError> + Send + 'static,
) -> Result<Json<T>, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Problem::busy())?;
    done.map(Json).map_err(|error| problem(&error))
}

async fn issue(
    State(shared): State<Shared>,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Issued>, Problem> {
    apart(move || {
        let (keys, now) = (shared.catalog.keys(), shared.clock.now());
        let issued = api_keys::issue(&*shared.store, &keys, &SystemChance, wanted, now)?;
        by_hand(&*shared.store, format!("/keys/{}", issued.id), now);
        Ok(issued)
    })
    .await
}

async fn list(
    State(shared): State<Shared>,
    UrlPath(brand): UrlPath<BrandId>,
) -> Result<Json<Vec<Listed>>, Problem> {
    apart(move || Ok(api_keys::list(&*shared.store, brand)?)).await
}

async fn revoke(
    State(shared): State<Shared>,
    UrlPath(key): UrlPath<ApiKeyId>,
) -> Result<Json<()>, Problem> {
    apart(move || {
        let now = shared.clock.now();
        api_keys::revoke(&*shared.store, key, now)?;
        by_hand(&*shared.store, format!("/keys/{key}/revoke"), now);
        Ok(())
    })
    .await
}

async fn noted(
    State(shared): State<Shared>,
    Json(path): Json<String>,
) -> Result<Json<()>, Problem> {
    apart(move || {
        by_hand(&*shared.store, path, shared.clock.now());
        Ok(())
    })
    .await
}

async fn operators_do<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OperatorError> + Send + 'static,
) -> Result<Json<T>, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Problem::busy())?;
    done.map(Json).map_err(|error| {
        let status = match error {
            OperatorError::Busy | OperatorError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Problem::new(status, "operator", error.to_string())
    })
}

async fn admins(State(shared): State<Shared>) -> Result<Json<Vec<String>>, Problem> {
    operators_do(move || Ok(operators::list(&*shared.store)?)).await
}

async fn add_admin(
    State(shared): State<Shared>,
    Json(operator): Json<Operator>,
) -> Result<Json<()>, Problem> {
    operators_do(move || {
        let now = shared.clock.now();
        operators::add(&*shared.store, &operator.user, now)?;
        by_hand(&*shared.store, format!("/admins/{}", operator.user), now);
        Ok(())
    })
    .await
}

async fn remove_admin(
    State(shared): State<Shared>,
    Json(operator): Json<Operator>,
) -> Result<Json<()>, Problem> {
    operators_do(move || {
        let now = shared.clock.now();
        operators::remove(&*shared.store, &operator.user, now)?;
        by_hand(&*shared.store, format!("/admins/{}/remove", operator.user), now);
        Ok(())
    })
    .await
}

async fn doctor(State(shared): State<Shared>) -> Result<Json<Vec<Finding>>, Problem> {
    apart(move || Ok(operator::findings(&shared)?)).await
}

/// Asks the server of a data directory; none where no server runs.
pub(crate) fn ask<T: DeserializeOwned>(
    directory: &Path,
    method: Method,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<Option<T>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Not there, or left by a process that died.
        let Ok(stream) = UnixStream::connect(directory.join(SOCKET)).await else {
            return Ok(None);
        };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(connection.await) });
        let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("content-type", "application/json");
        let request = request.body(Full::<hyper::body::Bytes>::from(bytes))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        if status.is_success() {
            return Ok(Some(serde_json::from_slice(&bytes)?));
        }
        let problem: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or("the server refused");
        Err(anyhow::anyhow!("{detail}"))
    })
}
