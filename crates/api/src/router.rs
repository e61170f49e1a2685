//! All routes and the layers around them.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::app::{App, Parts};
use crate::edge::{Edge, edge};
use crate::hosts::Hosts;
use crate::idempotency::{Once, UnderWay, once};
use crate::problem::Problem;
use crate::{assets, openapi, routes};

/// The largest body that is read.
pub(crate) const BODY_MAX_BYTES: usize = 1 << 20;

/// The API and the web app. The listener of the socket file puts a
/// [`SocketPeer`](crate::SocketPeer) into its requests' extensions.
pub fn router(parts: Parts) -> Router {
    router_with(parts, Router::new())
}

/// As [`router`], with further routes on the same port, behind the same checks of host and origin. They
/// come before the web app's and must not begin with `/v1` or `/docs`. Their bodies are their own: not limited,
/// not compressed.
pub fn router_with(parts: Parts, more: Router) -> Router {
    let hosts = Arc::new(Hosts::new(parts.settings.port, &parts.settings.hosts));
    let app = App::new(parts);
    let (api, _document) = routes::all().split_for_parts();
    let api = api
        .layer(from_fn_with_state(Once { app: app.clone(), under_way: UnderWay::default() }, once))
        .merge(routes::unrepeatable().split_for_parts().0)
        .route("/v1/openapi.json", get(openapi::serve))
        .route("/docs/api", get(openapi::page))
        .route("/docs/api.js", get(openapi::script))
        .route("/docs/api.css", get(openapi::style))
        .route("/v1", any(no_such_route))
        .route("/v1/{*rest}", any(no_such_route))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(assets::serve)
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(CompressionLayer::new())
        .merge(more.with_state(()))
        .layer(CatchPanicLayer::custom(panicked));
    api.layer(from_fn_with_state(Edge { app: app.clone(), hosts }, edge)).with_state(app)
}

async fn no_such_route() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_route", "there is no such route").with_fix("see /docs/api")
}

async fn method_not_allowed() -> Problem {
    let detail = "this route does not take this method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).with_fix("see /docs/api")
}

/// The panic's own message was logged by the layer's hook and stays there.
fn panicked(_cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    let detail = "something went wrong on our side";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}
