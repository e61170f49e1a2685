//! Bodies, path parts and queries, whose faults are told as problems.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts as Head;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::problem::{Problem, Result};

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON body, or nothing at all.
pub(crate) struct MaybeBody<T>(pub(crate) Option<T>);

/// Parts of the path.
pub(crate) struct Path<T>(pub(crate) T);

/// The query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        match axum::Json::<T>::from_request(request, app).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(of_body(&rejection)),
        }
    }
}

impl<T: DeserializeOwned> FromRequest<App> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(Self(None));
        }
        let Body(value) = Body::from_request(request, app).await?;
        Ok(Self(Some(value)))
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, app: &App) -> Result<Self> {
        let parsed = axum::extract::Path::<T>::from_request_parts(head, app).await;
        let told = |rejection: PathRejection| Problem::invalid(rejection.body_text());
        parsed.map(|axum::extract::Path(value)| Self(value)).map_err(told)
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, app: &App) -> Result<Self> {
        let parsed = axum::extract::Query::<T>::from_request_parts(head, app).await;
        let told = |rejection: QueryRejection| Problem::invalid(rejection.body_text());
        parsed.map(|axum::extract::Query(value)| Self(value)).map_err(told)
    }
}

fn of_body(rejection: &JsonRejection) -> Problem {
    let detail = rejection.body_text();
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than 1 MiB")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            let detail = "send the body as JSON, with content-type: application/json";
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail)
        }
        StatusCode::BAD_REQUEST => Problem::new(StatusCode::BAD_REQUEST, "not_json", detail),
        _ => Problem::invalid(detail),
    }
}
