//! Bodies, ids and queries, whose faults are told in E2B's shape.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts as Head;
use bytes::Bytes;
use domain::SandboxId;
use serde::de::DeserializeOwned;

use crate::app::E2b;
use crate::problem::{Problem, Result};

/// A JSON body; an empty one is `{}`.
pub(super) struct Body<T>(pub(super) T);

/// The sandbox in the path.
pub(super) struct Id(pub(super) SandboxId);

/// The query, decoded, in order.
pub(super) struct Pairs(Vec<(String, String)>);

impl<T: DeserializeOwned> FromRequest<E2b> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &E2b) -> Result<Self> {
        let bytes =
            Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
                }
                _ => Problem::bad("the body did not come whole"),
            })?;
        let json: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let read = serde_json::from_slice(json);
        read.map(Self).map_err(|error| Problem::bad(format!("error when parsing the request: {error}")))
    }
}

impl FromRequestParts<E2b> for Id {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, app: &E2b) -> Result<Self> {
        let path = axum::extract::Path::<String>::from_request_parts(head, app).await;
        let axum::extract::Path(text) = path.map_err(|error| Problem::bad(error.body_text()))?;
        // Old clients append the client's own id.
        let id = text.split('-').next().unwrap_or_default();
        id.parse().map(Self).map_err(|_| Problem::not_found(format!("sandbox \"{text}\" doesn't exist")))
    }
}

impl FromRequestParts<E2b> for Pairs {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, _app: &E2b) -> Result<Self> {
        let query = head.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl Pairs {
    /// The first value of `name` that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// All values of `name`, however they are strung together: `a=1,2` and `a=1&a=2`.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(key, _)| key == name || key.strip_suffix("[]") == Some(name));
        values.flat_map(|(_, value)| value.split(',')).filter(|value| !value.is_empty()).collect()
    }

    /// A number.
    pub(super) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Problem::bad(format!("{name} is no number that can be used")))
    }
}
