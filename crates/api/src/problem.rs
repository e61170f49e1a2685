//! Errors as RFC 9457 `application/problem+json`, with a stable code. Causes go to the log, never out.

pub(crate) mod from;
pub(crate) mod store_error;

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What handlers return on failure.
pub(crate) type Result<T> = std::result::Result<T, Problem>;

/// An error as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// Stable, lower case with underscores.
    pub(crate) code: Cow<'static, str>,
    /// What happened, one plain sentence.
    pub(crate) detail: String,
    /// What to do.
    pub(crate) fix: Option<String>,
    /// The files that an apply would overwrite.
    pub(crate) paths: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Body<'a> {
    status: u16,
    code: &'a str,
    title: String,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paths: Option<&'a [String]>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, code: code.into(), detail: detail.into(), fix: None, paths: None }
    }

    pub(crate) fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    pub(crate) fn with_paths(mut self, paths: Vec<String>) -> Self {
        self.paths = Some(paths);
        self
    }

    /// The request itself is wrong.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", detail)
    }

    /// No credential, or none that counts.
    pub(crate) fn not_authenticated() -> Self {
        let detail = "this needs a credential that is valid";
        Self::new(StatusCode::UNAUTHORIZED, "not_authenticated", detail)
            .with_fix("open the link that `journeyman up` prints, or send a token: journeyman token create")
    }

    /// Something on our side, which goes to the log here and nowhere else.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong on our side")
            .with_fix("try again; the server's log has the cause")
    }

    fn title(&self) -> String {
        let words = self.code.replace('_', " ");
        let mut letters = words.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }

    /// The body.
    pub(crate) fn json(&self) -> String {
        let body = Body {
            status: self.status.as_u16(),
            code: &self.code,
            title: self.title(),
            detail: &self.detail,
            fix: self.fix.as_deref(),
            paths: self.paths.as_deref(),
        };
        // Plain strings and numbers always encode.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.json()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
