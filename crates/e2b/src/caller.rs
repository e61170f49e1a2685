//! Who calls the control plane: whoever shows an API key, in `X-API-Key` or as a bearer token.

use accounts::{Action, Allowed, Caller, Via};
use axum::extract::FromRequestParts;
use axum::http::request::Parts as Head;
use axum::http::{HeaderMap, StatusCode, header};

use crate::app::E2b;
use crate::problem::{Problem, Result};

/// The proof that the caller may do `A`.
pub(crate) struct May<A: Action>(pub(crate) Allowed<A>);

impl<A: Action> FromRequestParts<E2b> for May<A> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, app: &E2b) -> Result<Self> {
        let caller = authenticate(app, &head.headers).await?;
        tracing::Span::current().record("user.id", tracing::field::display(caller.user()));
        let allowed =
            caller.allow().map_err(|error| Problem::new(StatusCode::FORBIDDEN, error.to_string()))?;
        Ok(Self(allowed))
    }
}

async fn authenticate(app: &E2b, headers: &HeaderMap) -> Result<Caller> {
    let key = shown(headers).ok_or_else(|| Problem::unauthorized("the API key is missing"))?;
    match app.accounts.authenticate(key, Via::Token).await {
        Ok(caller) => Ok(caller),
        Err(accounts::Error::NotAuthenticated) => Err(Problem::unauthorized("the API key is not valid")),
        Err(error) => Err(Problem::internal(&error)),
    }
}

fn shown(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().ok();
    }
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
