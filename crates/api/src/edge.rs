//! What every request passes first and every answer last: a request id, the check of host and origin,
//! security headers, one log line.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use crate::app::App;
use crate::credentials::SocketPeer;
use crate::hosts::Hosts;

/// The header that names a request in answers and logs.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What pages may load and do: only what we serve ourselves. xterm writes style elements.
const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// Data is no page: it may load nothing.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// State of the edge.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) app: App,
    pub(crate) hosts: std::sync::Arc<Hosts>,
}

/// The layer.
pub(crate) async fn edge(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let ambient = &edge.app.ambient;
    let started = ambient.clock.elapsed();
    let id = format!("req{}", ambient.uuid().simple());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!(
        "request",
        request.id = %id,
        http.method = %method,
        http.path = %path,
        user.id = tracing::field::Empty
    );
    let is_socket = request.extensions().get::<SocketPeer>().is_some();
    let checked = if is_socket { Ok(()) } else { edge.hosts.check(request.uri(), request.headers()) };
    let mut response = match checked {
        Ok(()) => next.run(request).instrument(span.clone()).await,
        Err(problem) => problem.into_response(),
    };
    add_headers(response.headers_mut(), &path, &id);
    let duration_ms = ambient.clock.elapsed().saturating_sub(started).as_millis();
    let status = response.status().as_u16();
    tracing::debug!(parent: &span, http.status = status, duration_ms, "answered");
    response
}

fn add_headers(headers: &mut HeaderMap, path: &str, id: &str) {
    let is_data = path.starts_with("/v1/");
    let policy = if is_data { DATA_POLICY } else { PAGE_POLICY };
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_data && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}
