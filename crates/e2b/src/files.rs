//! `/files`: whole files in and out, by the sandbox's token or by a signed link.

mod metadata;
mod receive;
mod send;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Uri};
use axum::routing::get;
use sandbox::{FileFault, SandboxError};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::Predicate;
use tower_http::decompression::RequestDecompressionLayer;

use crate::access::{Operation, Signed};
use crate::app::E2b;
use crate::call::Call;
use crate::problem::{Problem, Result};
use crate::{target, user};
use axum::http::StatusCode;

/// The route, without a limit on bodies: they are streamed.
pub(crate) fn route() -> Router<E2b> {
    Router::new()
        .route("/files", get(send::download).post(receive::upload))
        .layer(RequestDecompressionLayer::new())
        .layer(CompressionLayer::new().compress_when(Asked))
        .layer(DefaultBodyLimit::disable())
}

/// Answers are compressed where the client wants nothing else: for the others it would only cost time.
#[derive(Clone, Copy)]
struct Asked;

/// Put into an answer that shall be compressed.
#[derive(Clone, Copy)]
struct Compress;

impl Predicate for Asked {
    fn should_compress<B>(&self, response: &axum::http::Response<B>) -> bool
    where
        B: axum::body::HttpBody,
    {
        response.extensions().get::<Compress>().is_some()
    }
}

/// The query of both directions.
#[derive(Debug, Default)]
struct Query {
    path: String,
    username: String,
    signature: Option<String>,
    signature_expiration: Option<i64>,
}

impl Query {
    fn of(uri: &Uri) -> Result<Self> {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "path" => query.path = value.into_owned(),
                "username" => query.username = value.into_owned(),
                "signature" => query.signature = Some(value.into_owned()),
                "signature_expiration" => {
                    let moment =
                        value.parse().map_err(|_| Problem::bad("signature_expiration is no moment"))?;
                    query.signature_expiration = Some(moment);
                }
                _ => {}
            }
        }
        Ok(query)
    }

    /// The call that the query and the headers allow.
    async fn open(&self, app: &E2b, headers: &HeaderMap, uri: &Uri, operation: Operation) -> Result<Call> {
        let link = self.signature.as_deref().map(|signature| Signed {
            path: &self.path,
            user: &self.username,
            operation,
            signature,
            ends_at: self.signature_expiration,
        });
        let id = target::by_link(app, headers, uri, link).await?;
        let sandbox = target::awake(app, id).await?;
        let named = match self.username.as_str() {
            "" => user::of_header(headers).unwrap_or(None),
            name => Some(name.to_owned()),
        };
        let user = user::look_up(&*sandbox, named.as_deref()).await.map_err(Problem::unauthorized)?;
        Ok(Call { app: app.clone(), id, sandbox, user })
    }
}

/// A failure of the sandbox in this route's words.
fn about(path: &str, error: SandboxError) -> Problem {
    match &error {
        SandboxError::File { fault: FileFault::NotFound, .. } => {
            Problem::not_found(format!("path '{path}' does not exist"))
        }
        SandboxError::File { fault: FileFault::IsAFolder, .. } => {
            Problem::bad(format!("path '{path}' is a directory"))
        }
        SandboxError::File { fault: FileFault::TooLarge, .. } | SandboxError::DiskFull { .. } => {
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "not enough disk space available")
        }
        SandboxError::File { fault: FileFault::Denied, .. } => {
            Problem::new(StatusCode::FORBIDDEN, error.to_string())
        }
        SandboxError::File { .. } => Problem::bad(error.to_string()),
        SandboxError::Gone { .. } => Problem::no_sandbox(""),
        SandboxError::NotOffered { .. } => Problem::new(StatusCode::NOT_IMPLEMENTED, error.to_string()),
        _ => Problem::internal(&error),
    }
}
