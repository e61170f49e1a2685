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
#[folder = "../../web/dist"]
struct Dist;

#[cfg(feature = "embed-web")]
fn find(path: &str) -> Option<Asset> {
    let file = Dist::get(path)?;
    let mime = file.metadata.mimetype();
    let charset = if mime.starts_with("text/") { "; charset=utf-8" } else { "" };
    Some(Asset { content_type: format!("{mime}{charset}"), bytes: file.data })
}

#[cfg(not(feature = "embed-web"))]
fn find(_path: &str) -> Option<Asset> {
    None
}

fn how_to_build() -> Asset {
    let page = include_str!("assets/how_to_build.html");
    Asset { bytes: page.as_bytes().into(), content_type: "text/html; charset=utf-8".to_owned() }
}

#[cfg(all(test, feature = "embed-web"))]
mod tests {
    use super::*;

    async fn get(path: &str) -> Response {
        serve(Method::GET, path.parse().expect("an address")).await
    }

    fn header_of(response: &Response, name: header::HeaderName) -> &str {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[tokio::test]
    async fn the_apps_page_is_given_for_its_addresses_and_never_kept() {
        for path in ["/", "/index.html", "/welcome", "/p/shop/runs/1"] {
            let page = get(path).await;
            assert_eq!(page.status(), StatusCode::OK, "{path}");
            assert_eq!(header_of(&page, header::CONTENT_TYPE), "text/html; charset=utf-8");
            assert_eq!(header_of(&page, header::CACHE_CONTROL), "no-cache");
        }
    }

    #[tokio::test]
    async fn files_whose_names_carry_a_hash_are_kept_for_ever() {
        let script = Dist::iter().find(|path| path.starts_with("assets/") && path.ends_with(".js"));
        let file = get(&format!("/{}", script.expect("a script"))).await;
        assert_eq!(header_of(&file, header::CACHE_CONTROL), "public, max-age=31536000, immutable");
        assert!(header_of(&file, header::CONTENT_TYPE).starts_with("text/javascript"));
        assert_eq!(get("/assets/missing.js").await.status(), StatusCode::NOT_FOUND);
    }
}
