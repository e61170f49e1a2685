//! The web app's files. With the feature `embed-web` they are in the program; without, a page says how to
//! build them.

use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// A file of the web app.
struct Asset {
    bytes: std::borrow::Cow<'static, [u8]>,
    content_type: String,
}

/// Serves a file, or the app's page for every address that the app itself knows.
pub(crate) async fn serve(method: Method, uri: Uri) -> Response {
    if method != Method::GET && method != Method::HEAD {
        let detail = "this route does not take this method";
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if let Some(asset) = find(path).filter(|_| path != "index.html") {
        // Names under assets/ carry a hash of their content.
        let is_hashed = path.starts_with("assets/");
        return answer(asset, if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" });
    }
    if path.starts_with("assets/") {
        return Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such file").into_response();
    }
    match find("index.html") {
        Some(page) => answer(page, "no-cache"),
        None => answer(how_to_build(), "no-store"),
    }
}

fn answer(asset: Asset, cache: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, cache.to_owned())];
    (headers, asset.bytes).into_response()
}

#[cfg(feature = "embed-web")]
#[derive(rust_embed::RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/dist"]
struct Dist;

#[cfg(feature = "embed-web")]
fn find(path: &str) -> Option<Asset> {
    let file = Dist::get(path)?;
    Some(Asset { content_type: file.metadata.mimetype().to_owned(), bytes: file.data })
}

#[cfg(not(feature = "embed-web"))]
fn find(_path: &str) -> Option<Asset> {
    None
}

fn how_to_build() -> Asset {
    let page = include_str!("assets/how_to_build.html");
    Asset { bytes: page.as_bytes().into(), content_type: "text/html; charset=utf-8".to_owned() }
}
