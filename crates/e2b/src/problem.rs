//! Errors in the shape that E2B's clients read: `{"code": 404, "message": "…"}`, where the code is the status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What handlers of the control plane and of files return on failure.
pub(crate) type Result<T> = std::result::Result<T, Problem>;

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// The sandbox that was asked for and is not there.
    pub(crate) sandbox: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), sandbox: None }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    /// What E2B has and we have not.
    pub(crate) fn unsupported(what: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, format!("this server has no {what}; see docs/E2B.md"))
    }

    /// The sandbox is not there or does not run: the words are what clients look for.
    pub(crate) fn no_sandbox(id: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::BAD_GATEWAY, "The sandbox was not found");
        problem.sandbox = Some(id.into());
        problem
    }

    /// Something on our side, which goes to the log here and nowhere else.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = error, "a request of an E2B client failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong on our side")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({ "code": self.status.as_u16(), "message": self.message });
        if let Some(sandbox) = self.sandbox {
            body["sandboxId"] = sandbox.into();
        }
        let mut response = (self.status, body.to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
