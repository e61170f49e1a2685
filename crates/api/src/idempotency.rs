//! Idempotency keys: a POST that is sent again is answered as before and does nothing.
//!
//! `POST /v1/runs` keeps its key in the transaction that makes the run. The others are kept here, after
//! they were done: two at once do one thing, and only a crash in between can let a repetition through.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::credentials::Authenticated;
use crate::problem::from::idempotency_conflict;
use crate::problem::{Problem, Result};
use crate::router::BODY_MAX_BYTES;

/// The header that carries the key.
pub(crate) const HEADER: &str = "idempotency-key";
/// The longest key.
const KEY_MAX_BYTES: usize = 200;
/// How long answers are kept at least.
const KEPT_FOR_MS: i64 = 24 * 60 * 60 * 1_000;
/// The largest answer that is kept.
const ANSWER_MAX_BYTES: usize = 1 << 20;

/// Keys whose requests are being done in this process.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<HashSet<String>>>);

/// Takes its key off the list when the request ends, however it ends.
struct Turn {
    under_way: UnderWay,
    name: String,
}

impl UnderWay {
    fn begin(&self, name: String) -> Option<Turn> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.clone()).then(|| Turn { under_way: self.clone(), name })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.under_way.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// State of the layer.
#[derive(Clone)]
pub(crate) struct Once {
    pub(crate) app: App,
    pub(crate) under_way: UnderWay,
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    content_type: Option<String>,
    body: String,
}

/// The key of a request, where it carries one.
pub(crate) fn key_of(headers: &HeaderMap) -> Result<Option<&str>> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_MAX_BYTES);
    key.map(Some).ok_or_else(|| Problem::invalid("an idempotency key has 1 to 200 visible ASCII characters"))
}

/// The layer.
pub(crate) async fn once(State(once): State<Once>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    do_once(once, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn do_once(once: Once, request: Request, next: Next) -> Result<Response> {
    let (mut head, body) = request.into_parts();
    let Authenticated(caller) = Authenticated::from_request_parts(&mut head, &once.app).await?;
    let Some(key) = key_of(&head.headers)? else {
        return Err(Problem::invalid("the idempotency key is empty"));
    };
    let body = to_bytes(body, BODY_MAX_BYTES).await.map_err(|_| body_too_large())?;
    let scope = format!("POST {}", head.uri.path());
    // What one user may ask another's key does not answer.
    let hash = secrets::token::hash(&format!("{} {}", caller.user(), secrets::token::hash_bytes(&body)));
    let asked = store::Request { org: caller.org(), scope, key: key.to_owned(), hash };
    let Some(_turn) = once.under_way.begin(format!("{} {} {key}", asked.org, asked.scope)) else {
        let detail = "a request with this idempotency key is being done";
        return Err(
            Problem::new(StatusCode::CONFLICT, "idempotency_under_way", detail).with_fix("wait, then repeat")
        );
    };
    if let Some(kept) = find(&once.app, &asked).await? {
        return Ok(kept);
    }
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    keep(&once.app, asked, response).await
}

async fn find(app: &App, asked: &store::Request) -> Result<Option<Response>> {
    let asked = asked.clone();
    let found = app.store.write(move |tx| Box::pin(async move { tx.idempotent(&asked).await })).await;
    let text = match found {
        Err(store::StoreError::Conflict { .. }) => return Err(idempotency_conflict()),
        found => found?,
    };
    let Some(text) = text else { return Ok(None) };
    let kept: Kept = serde_json::from_str(&text).map_err(|error| Problem::internal(&error))?;
    let status = StatusCode::from_u16(kept.status).map_err(|error| Problem::internal(&error))?;
    let mut response = (status, kept.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    if let Some(value) = kept.content_type.and_then(|value| HeaderValue::from_str(&value).ok()) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    Ok(Some(response))
}

/// Keeps what was done. A refusal did nothing, so that the request may come again.
async fn keep(app: &App, asked: store::Request, response: Response) -> Result<Response> {
    if !response.status().is_success() {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, ANSWER_MAX_BYTES).await.map_err(|error| Problem::internal(&error))?;
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kept = Kept {
        status: head.status.as_u16(),
        content_type: content_type.map(str::to_owned),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    let text = serde_json::to_string(&kept).map_err(|error| Problem::internal(&error))?;
    let now_ms = app.ambient.now_ms();
    let written = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                tx.idempotent_forget(now_ms - KEPT_FOR_MS).await?;
                tx.idempotent_keep(&asked, &text, now_ms).await
            })
        })
        .await;
    if let Err(error) = written {
        // It is done; that its repetition would not be noticed is no reason to say otherwise.
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the answer to an idempotency key was not kept"
        );
    }
    Ok(Response::from_parts(head, Body::from(bytes)))
}

pub(crate) fn body_too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than 1 MiB")
}
