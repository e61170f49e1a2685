//! Calls with one message in and one out.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::request::Parts as Head;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::code::{Code, ConnectError, Result};
use crate::app::E2b;
use crate::call::{Call, Refused};

/// The largest message. Clients split what they send to processes and files well below this.
const MESSAGE_MAX_BYTES: usize = 16 << 20;

/// Answers one call by `action`.
pub(crate) async fn answer<I, O, Fut>(
    app: &E2b,
    request: Request,
    action: impl FnOnce(Call, I) -> Fut + Send,
) -> Response
where
    I: DeserializeOwned + Send,
    O: Serialize,
    Fut: Future<Output = Result<O>> + Send,
{
    let (head, body) = request.into_parts();
    if !is(&head.headers, "application/json") {
        return unsupported("application/json");
    }
    let call = match Call::of(app, &head).await {
        Ok(call) => call,
        Err(Refused::Problem(problem)) => return problem.into_response(),
        Err(Refused::Connect(error)) => return error.into_response(),
    };
    let run = async {
        let bytes = to_bytes(body, MESSAGE_MAX_BYTES).await.map_err(|_| too_large())?;
        action(call, read(&bytes)?).await
    };
    let outcome = match timeout(&head) {
        Ok(Some(limit)) => {
            app.ambient.within(limit, run).await.unwrap_or_else(|| Err(ConnectError::deadline()))
        }
        Ok(None) => run.await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(output) => json(&output),
        Err(error) => error.into_response(),
    }
}

fn too_large() -> ConnectError {
    ConnectError::new(
        Code::ResourceExhausted,
        format!("the message is larger than {MESSAGE_MAX_BYTES} bytes"),
    )
}

/// A message from its JSON; fields that we do not know are passed over, as protobuf wants it.
pub(crate) fn read<I: DeserializeOwned>(bytes: &[u8]) -> Result<I> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes)
        .map_err(|error| ConnectError::invalid(format!("the message cannot be read: {error}")))
}

/// How long the client waits.
pub(crate) fn timeout(head: &Head) -> Result<Option<std::time::Duration>> {
    let Some(value) = head.headers.get("connect-timeout-ms") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    // At most ten digits, by the protocol.
    let millis: Option<u64> = (text.len() <= 10).then(|| text.parse().ok()).flatten();
    let millis = millis.ok_or_else(|| ConnectError::invalid(format!("{text:?} is no time-out")))?;
    Ok(Some(std::time::Duration::from_millis(millis)))
}

/// Whether the body is of this type.
pub(crate) fn is(headers: &HeaderMap, wanted: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

/// What a body of another type gets, as the protocol fixes it.
pub(crate) fn unsupported(wanted: &'static str) -> Response {
    let mut response = StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    response.headers_mut().insert("accept-post", HeaderValue::from_static(wanted));
    response
}

fn json(output: &impl Serialize) -> Response {
    match serde_json::to_vec(output) {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => ConnectError::internal(&error).into_response(),
    }
}
