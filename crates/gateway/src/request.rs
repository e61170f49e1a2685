//! One request: whose preview it is, whether it may, and on to the server inside.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};

use crate::backends::Place;
use crate::gateway::Shared;
use crate::guarded::{Guarded, Source};
use crate::headers::{self, Context};
use crate::name::{BadName, Form, Named, PreviewName};
use crate::pages::{Page, WAKE_PATH};
use crate::registry::Entry;
use crate::upgrade;

pub(crate) type Answer = Response<Either<Full<Bytes>, Guarded>>;

/// What came in, before its headers are changed.
struct Asked {
    name: PreviewName,
    form: Form,
    /// Path and query inside the preview, without the token.
    path: String,
    host: String,
    had_token: bool,
    peer: Option<SocketAddr>,
}

impl Asked {
    /// What stands before `path` outside.
    fn base(&self) -> String {
        match self.form {
            Form::Host => String::new(),
            Form::Path => self.name.path(),
        }
    }
}

/// Answers one request.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    peer: Option<SocketAddr>,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let asked_headers = pages_headers(request.headers());
    let answer = match read(&shared, peer, &request) {
        Ok(Ok(asked)) => admit(&shared, asked, request).await,
        Ok(Err(redirect)) => Ok(redirect),
        Err(page) => Err(*page),
    };
    Ok(answer.unwrap_or_else(|page| page.response(&asked_headers).map(Either::Left)))
}

/// Only what a page's form depends on.
fn pages_headers(headers: &HeaderMap) -> HeaderMap {
    let accept = headers.get(header::ACCEPT).cloned();
    accept.map(|accept| (header::ACCEPT, accept)).into_iter().collect()
}

type Reading = Result<Result<Asked, Answer>, Box<Page>>;

fn read(shared: &Shared, peer: Option<SocketAddr>, request: &Request<Incoming>) -> Reading {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let misdirected = || {
        let text = "This server has no preview under that host.";
        Box::new(Page::new(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed", "Not here", text))
    };
    if method == Method::CONNECT
        || method == Method::TRACE
        || headers.get_all(header::HOST).iter().count() > 1
    {
        let text = "Methods CONNECT and TRACE and more than one Host are not taken.";
        return Err(Box::new(Page::new(StatusCode::BAD_REQUEST, "bad_request", "Bad request", text)));
    }
    let host = match (uri.authority(), headers.get(header::HOST)) {
        (Some(authority), None) => Some(authority.as_str()),
        (None, Some(host)) => host.to_str().ok(),
        // HTTP/2 may send both; they must agree.
        (Some(authority), Some(host)) => host.to_str().ok().filter(|host| *host == authority.as_str()),
        (None, None) => None,
    };
    let host = host.ok_or_else(misdirected)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    match shared.names.read(host, path) {
        Ok(Named::Preview(name, form, path)) => {
            let (path, had_token) = headers::without_token(&path);
            Ok(Ok(Asked { name, form, path, host: host.to_owned(), had_token, peer }))
        }
        Ok(Named::WithoutSlash(name)) => {
            let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
            Ok(Err(redirect(StatusCode::PERMANENT_REDIRECT, &format!("{}/{query}", name.path()))))
        }
        Ok(Named::Gateway) | Err(BadName::Preview) => Err(Box::new(Page::bad_name())),
        Err(BadName::Host) => Err(misdirected()),
    }
}

/// Lets in who may, and exchanges the token of a link for a cookie.
async fn admit(shared: &Arc<Shared>, asked: Asked, request: Request<Incoming>) -> Result<Answer, Page> {
    let failed = |error: crate::Error| {
        tracing::error!(error = &error as &dyn std::error::Error, "a preview could not be looked up");
        let text = "The server cannot check previews right now. Try again in a moment.";
        Page::new(StatusCode::SERVICE_UNAVAILABLE, "previews_unavailable", "Not now", text)
    };
    let mut found = None;
    for token in headers::tokens(request.headers(), request.uri().query()) {
        if let Some(entry) = shared.previews.by_token(asked.name, &token).await.map_err(failed)? {
            found = Some((entry, token));
            break;
        }
    }
    let (entry, token) = match found {
        Some((entry, token)) => (entry, Some(token)),
        None => {
            let public = shared.previews.public(asked.name).await.map_err(failed)?;
            (public.ok_or_else(Page::no_link)?, None)
        }
    };
    let is_look = request.method() == Method::GET || request.method() == Method::HEAD;
    if let Some(token) = token.as_ref().filter(|_| asked.had_token && is_look) {
        return Ok(exchange(shared, &asked, &entry, token));
    }
    let place = Place { org: entry.row.org, sandbox: asked.name.sandbox, port: asked.name.port };
    if asked.path == WAKE_PATH {
        return wake(shared, &asked, place, token.is_some(), &request).await;
    }
    let page = |reason| Page::not_there(&reason, asked.name, &asked.base(), token.is_some());
    shared.backends.ready(place).await.map_err(page)?;
    // The answer itself ends with the preview as well; this is for the time until it begins.
    let ended = entry.ended.clone();
    tokio::select! {
        answer = forward(shared, &asked, place, entry, request) => answer.map_err(page),
        () = ended.cancelled() => Err(Page::no_link()),
    }
}

/// The same address without its token, and the token as a cookie of this preview alone.
fn exchange(shared: &Shared, asked: &Asked, entry: &Entry, token: &str) -> Answer {
    let (prefix, path) = match (asked.form, shared.is_https) {
        (Form::Host, true) => ("__Host-", "/".to_owned()),
        (Form::Host, false) => ("", "/".to_owned()),
        (Form::Path, true) => ("__Secure-", format!("{}/", asked.name.path())),
        (Form::Path, false) => ("", format!("{}/", asked.name.path())),
    };
    let secure = if shared.is_https { "; Secure" } else { "" };
    let life = entry.row.expires_at_ms.map_or_else(String::new, |expires_at_ms| {
        let seconds = (expires_at_ms - shared.ambient.now_ms()).max(0) / 1_000;
        format!("; Max-Age={seconds}")
    });
    let cookie =
        format!("{prefix}{}={token}; Path={path}; HttpOnly; SameSite=Lax{secure}{life}", headers::TOKEN);
    let mut response = redirect(StatusCode::SEE_OTHER, &format!("{}{}", asked.base(), asked.path));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn redirect(status: StatusCode, place: &str) -> Answer {
    let mut response = Response::new(Either::Left(Full::default()));
    *response.status_mut() = status;
    // `//host` would lead elsewhere.
    let place = format!("/{}", place.trim_start_matches(['/', '\\']));
    let place = HeaderValue::from_str(&place).unwrap_or_else(|_| HeaderValue::from_static("/"));
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, place);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The button of a page: wakes the sandbox and goes back to where the looker was.
async fn wake(
    shared: &Shared,
    asked: &Asked,
    place: Place,
    has_link: bool,
    request: &Request<Incoming>,
) -> Result<Answer, Page> {
    let scheme = if shared.is_https { "https" } else { "http" };
    let origin = request.headers().get(header::ORIGIN);
    let is_own = match asked.form {
        Form::Host => origin.is_some_and(|origin| *origin == format!("{scheme}://{}", asked.host)),
        // Its pages have no origin of their own.
        Form::Path => origin.is_some_and(|origin| {
            *origin == format!("{scheme}://{}", asked.host) || origin.as_bytes() == b"null"
        }),
    };
    if request.method() != Method::POST || !is_own || !has_link {
        let text = "Only the button of this preview's own page wakes its sandbox.";
        return Err(Page::new(StatusCode::FORBIDDEN, "wake_refused", "Not from here", text));
    }
    let page = |reason| Page::not_there(&reason, asked.name, &asked.base(), true);
    shared.backends.wake(place).await.map_err(page)?;
    Ok(redirect(StatusCode::SEE_OTHER, &format!("{}/", asked.base())))
}

/// Carries the request to the server inside.
async fn forward(
    shared: &Arc<Shared>,
    asked: &Asked,
    place: Place,
    entry: Arc<Entry>,
    mut request: Request<Incoming>,
) -> Result<Answer, crate::backends::NotThere> {
    let context = Context {
        name: asked.name,
        form: asked.form,
        host: &asked.host,
        is_https: shared.is_https,
        peer: asked.peer,
    };
    let protocol = headers::upgrade(request.headers()).filter(|_| request.version() == Version::HTTP_11);
    let outside = protocol.as_ref().map(|_| hyper::upgrade::on(&mut request));
    let (mut head, body) = request.into_parts();
    headers::inward(&mut head.headers, &context);
    if let Some(protocol) = protocol {
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(header::UPGRADE, protocol);
    }
    head.uri =
        asked.path.parse::<Uri>().map_err(|error| crate::backends::NotThere::Failed(error.to_string()))?;
    head.version = Version::HTTP_11;
    head.extensions.clear();
    let (response, line) = shared.pool.request(place, Request::from_parts(head, body)).await?;
    let is_upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let protocol = response.headers().get(header::UPGRADE).cloned();
    let (mut head, body) = response.into_parts();
    headers::outward(&mut head.headers, &context);
    head.version = Version::HTTP_11;
    head.extensions.clear();
    if is_upgraded {
        let (Some(outside), Some(protocol)) = (outside, protocol) else {
            return Err(crate::backends::NotThere::Failed("it switched protocols unasked".to_owned()));
        };
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(header::UPGRADE, protocol);
        shared.supervisor.spawn("gateway upgrade", upgrade::copy(outside, line.into_stream(), entry));
        return Ok(Response::from_parts(head, Either::Left(Full::default())));
    }
    let source = Source { pool: shared.pool.clone(), place, line };
    Ok(Response::from_parts(head, Either::Right(Guarded::new(body, entry, source))))
}
