//! `/v1/tokens`, `/v1/tickets`

use accounts::access::ManageTokens;
use accounts::{NewToken, Scopes, TokenKind, TokenView};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::TokenId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Body, Path};
use crate::problem::{Problem, Result};

/// A token that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedToken {
    /// For people.
    #[schema(example = "ci")]
    name: String,
    /// How far it reaches; as far as its maker's credential where absent.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// How many days it counts; for ever where absent.
    #[serde(default)]
    expires_in_days: Option<u32>,
    /// `token` (the default), or `e2b` for E2B clients.
    #[serde(default)]
    kind: Option<WantedKind>,
}

/// What sort of token is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WantedKind {
    Token,
    E2b,
}

/// A token, as it is listed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Token {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// `token`, `e2b`, or `login` for a browser.
    kind: String,
    /// How far it reaches; `*` is everything.
    scopes: Vec<String>,
    /// When it was made, in milliseconds since the Unix epoch.
    created_at_ms: i64,
    /// When it ends.
    #[schema(required = true)]
    expires_at_ms: Option<i64>,
    /// When it was last used, to the minute.
    #[schema(required = true)]
    last_used_at_ms: Option<i64>,
    /// The token itself; told once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// All tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenPage {
    /// The tokens, the newest first.
    items: Vec<Token>,
    /// Always null.
    #[schema(required = true)]
    next: Option<String>,
}

/// A ticket for a link.
#[derive(Serialize, ToSchema)]
pub(crate) struct TicketView {
    /// Put it behind `/welcome#t=`.
    ticket: String,
    /// When it ends, in milliseconds since the Unix epoch.
    expires_at_ms: i64,
}

/// The tokens and browser logins.
#[utoipa::path(get, path = "/v1/tokens", tag = "access", responses((status = 200, body = TokenPage)))]
pub(crate) async fn list_tokens(
    State(app): State<App>,
    May(allowed): May<ManageTokens>,
) -> Result<Json<TokenPage>> {
    let tokens = app.accounts.list_tokens(&allowed).await?;
    Ok(Json(TokenPage { items: tokens.iter().map(|token| shown(token, None)).collect(), next: None }))
}

/// Makes a token. Its text is told here and never again.
#[utoipa::path(post, path = "/v1/tokens", tag = "access", request_body = WantedToken,
    responses((status = 201, body = Token)))]
pub(crate) async fn create_token(
    State(app): State<App>,
    May(allowed): May<ManageTokens>,
    Body(wanted): Body<WantedToken>,
) -> Result<(StatusCode, Json<Token>)> {
    let scopes = wanted.scopes.as_ref().map(|names| Scopes::parse(names.iter().map(String::as_str)));
    let kind = match wanted.kind {
        None | Some(WantedKind::Token) => TokenKind::Token,
        Some(WantedKind::E2b) => TokenKind::E2b,
    };
    let new = NewToken {
        name: wanted.name,
        kind,
        scopes: scopes.transpose()?,
        expires_in_days: wanted.expires_in_days,
    };
    let (token, secret) = app.accounts.create_token(&allowed, new).await?;
    Ok((StatusCode::CREATED, Json(shown(&token, Some(secret.expose().to_owned())))))
}

/// Revokes a token or a browser's login, from now on.
#[utoipa::path(delete, path = "/v1/tokens/{token}", tag = "access",
    params(("token" = String, Path, description = "The token's id.")),
    responses((status = 204, description = "It is revoked.")))]
pub(crate) async fn revoke_token(
    State(app): State<App>,
    May(allowed): May<ManageTokens>,
    Path(token): Path<String>,
) -> Result<StatusCode> {
    let id: TokenId = token.parse().map_err(|_| {
        Problem::new(StatusCode::NOT_FOUND, "token_not_found", format!("there is no token {token}"))
    })?;
    app.accounts.revoke_token(&allowed, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a ticket that signs one browser in as the caller, once and within 15 minutes.
#[utoipa::path(post, path = "/v1/tickets", tag = "access", responses((status = 201, body = TicketView)))]
pub(crate) async fn create_ticket(
    State(app): State<App>,
    May(allowed): May<ManageTokens>,
) -> Result<(StatusCode, Json<TicketView>)> {
    let ticket = app.accounts.create_ticket(&allowed).await?;
    let view = TicketView { ticket: ticket.secret.expose().to_owned(), expires_at_ms: ticket.expires_at_ms };
    Ok((StatusCode::CREATED, Json(view)))
}

fn shown(token: &TokenView, secret: Option<String>) -> Token {
    Token {
        id: token.id.to_string(),
        name: token.name.clone(),
        kind: token.kind.name().to_owned(),
        scopes: token.scopes.names().into_iter().map(str::to_owned).collect(),
        created_at_ms: token.created_at_ms,
        expires_at_ms: token.expires_at_ms,
        last_used_at_ms: token.last_used_at_ms,
        token: secret,
    }
}
