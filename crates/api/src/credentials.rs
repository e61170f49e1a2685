//! Who calls: the socket file's owner, a bearer token, or a browser's cookie; and what they may do.

use accounts::{Action, Allowed, Caller, Via};
use axum::extract::FromRequestParts;
use axum::http::request::Parts as Head;
use axum::http::{HeaderMap, StatusCode, header};

use crate::app::App;
use crate::problem::{Problem, Result};

/// The cookie that carries a browser's login.
pub(crate) const COOKIE: &str = "jm_login";

/// Put into a request's extensions by the listener of the socket file, which only the owner of the data
/// folder can open.
#[derive(Debug, Clone)]
pub struct SocketPeer(pub Caller);

/// A caller whose credential was checked.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated(pub(crate) Caller);

/// The proof that the caller may do `A`.
pub(crate) struct May<A: Action>(pub(crate) Allowed<A>);

impl FromRequestParts<App> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, app: &App) -> Result<Self> {
        if let Some(known) = head.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let caller = Shown::of(head).authenticate(app).await?;
        tracing::Span::current().record("user.id", tracing::field::display(caller.user()));
        let known = Self(caller);
        head.extensions.insert(known.clone());
        Ok(known)
    }
}

impl<A: Action> FromRequestParts<App> for May<A> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, app: &App) -> Result<Self> {
        let Authenticated(caller) = Authenticated::from_request_parts(head, app).await?;
        Ok(Self(caller.allow()?))
    }
}

/// What a caller has shown; kept by long connections, which end when it counts no longer.
#[derive(Clone)]
pub(crate) struct Shown {
    headers: HeaderMap,
    socket: Option<SocketPeer>,
}

impl Shown {
    fn of(head: &Head) -> Self {
        let mut headers = HeaderMap::new();
        for name in [header::AUTHORIZATION, header::COOKIE] {
            for value in head.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Self { headers, socket: head.extensions.get().cloned() }
    }

    /// A wrong token is refused even where a good cookie lies beside it: the caller meant the token.
    async fn authenticate(&self, app: &App) -> Result<Caller> {
        if let Some(SocketPeer(caller)) = &self.socket {
            return Ok(caller.clone());
        }
        if let Some(value) = self.headers.get(header::AUTHORIZATION) {
            let token = value.to_str().ok().and_then(bearer).ok_or_else(Problem::not_authenticated)?;
            return Ok(app.accounts.authenticate(token, Via::Token).await?);
        }
        let login = login_of(&self.headers).ok_or_else(Problem::not_authenticated)?;
        Ok(app.accounts.authenticate(login, Via::Cookie).await?)
    }

    /// Whether it counts still. A store that does not answer for a moment ends no connection.
    pub(crate) async fn still_counts(&self, app: &App) -> bool {
        let checked = self.authenticate(app).await;
        !matches!(checked, Err(problem) if problem.status == StatusCode::UNAUTHORIZED)
    }
}

impl FromRequestParts<App> for Shown {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, _app: &App) -> Result<Self> {
        Ok(Self::of(head))
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The login in the request's cookies.
pub(crate) fn login_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}
