//! What pages are made of beside their HTML. Names carry a hash of the content, so that browsers may keep
//! it for ever.

use std::sync::LazyLock;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::api::Path;
use crate::problem::Problem;

struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    path: String,
}

fn asset(name: &'static str, kind: &'static str, text: &'static str) -> Asset {
    let hash = HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..8]);
    let (stem, ending) = name.split_once('.').unwrap_or((name, "txt"));
    Asset { name, kind, text, path: format!("/assets/{stem}.{hash}.{ending}") }
}

static ASSETS: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    let script = "text/javascript; charset=utf-8";
    [
        asset("app.css", "text/css; charset=utf-8", include_str!("../../assets/pages/app.css")),
        asset("app.js", script, include_str!("../../assets/pages/app.js")),
        asset("clerk.js", script, include_str!("../../assets/pages/clerk.js")),
        asset("icon.svg", "image/svg+xml", include_str!("../../assets/pages/icon.svg")),
    ]
});

/// Where the assets are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paths {
    pub(super) css: &'static str,
    pub(super) js: &'static str,
    pub(super) clerk_js: &'static str,
    pub(super) icon: &'static str,
}

/// Where the assets of this version are.
pub(super) fn paths() -> Paths {
    let of = |name: &str| {
        let found = ASSETS.iter().find(|asset| asset.name == name);
        found.map_or("/", |asset| asset.path.as_str())
    };
    let (css, js) = (of("app.css"), of("app.js"));
    Paths { css, js, clerk_js: of("clerk.js"), icon: of("icon.svg") }
}

/// `GET /assets/{name}`.
pub(super) async fn show(Path(name): Path<String>) -> Response {
    let wanted = format!("/assets/{name}");
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == wanted) else {
        let detail = "nothing is at this address";
        return Problem::new(StatusCode::NOT_FOUND, "not_found", detail).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, asset.text).into_response()
}
