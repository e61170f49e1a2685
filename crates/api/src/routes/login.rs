//! `/v1/login`, `/v1/logout`

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrets::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::{Authenticated, COOKIE, login_of};
use crate::extract::Body;
use crate::problem::{Problem, Result};

/// A ticket from a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogIn {
    /// What stands behind `#t=` in the link.
    #[schema(value_type = String)]
    ticket: Secret,
}

/// Exchanges a single-use ticket for a cookie. Needs no credential.
#[utoipa::path(post, path = "/v1/login", tag = "access", security(()), request_body = LogIn,
    responses((status = 204, description = "The cookie is set.")))]
pub(crate) async fn log_in(State(app): State<App>, Body(asked): Body<LogIn>) -> Result<Response> {
    let login = app.accounts.log_in(asked.ticket.expose()).await.map_err(|error| match error {
        accounts::Error::NotAuthenticated => {
            let detail = "this link was used already, or is too old";
            Problem::new(StatusCode::UNAUTHORIZED, "ticket_not_valid", detail).with_fix(
                "start `journeyman up` again for a new link, or beside it: journeyman api POST /v1/tickets",
            )
        }
        other => other.into(),
    })?;
    let seconds = (login.expires_at_ms - app.ambient.now_ms()) / 1_000;
    answer(&app, login.secret.expose(), seconds)
}

/// Ends the browser's login.
#[utoipa::path(post, path = "/v1/logout", tag = "access",
    responses((status = 204, description = "The login has ended.")))]
pub(crate) async fn log_out(
    State(app): State<App>,
    _caller: Authenticated,
    headers: HeaderMap,
) -> Result<Response> {
    if let Some(login) = login_of(&headers) {
        app.accounts.log_out(login).await?;
    }
    answer(&app, "", 0)
}

fn answer(app: &App, value: &str, seconds: i64) -> Result<Response> {
    let secure = if app.settings.secure_cookie { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let cookie = HeaderValue::from_str(&cookie).map_err(|error| Problem::internal(&error))?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
