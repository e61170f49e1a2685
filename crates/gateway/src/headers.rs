//! Headers on their way through: what concerns one connection and what is the platform's own is taken off, and the server
//! inside is told its own address as its host.

use std::net::SocketAddr;

use hyper::Uri;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::name::{Form, PreviewName};

/// The parameter of a link that carries the token, and the name of the cookie that it is exchanged for.
pub(crate) const TOKEN: &str = "jm_preview";
/// Carries the token where a program asks.
pub(crate) const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-journeyman-preview");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const FORWARDED: [HeaderName; 4] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];
/// How cookies of the platform begin.
const OWN_COOKIES: [&str; 3] = ["jm_", "__Host-jm_", "__Secure-jm_"];
/// How the platform's tokens begin.
const OWN_TOKENS: [&str; 3] = ["jm_", "jmp_", "e2b_"];

/// What a request is forwarded for.
#[derive(Debug, Clone)]
pub(crate) struct Context<'a> {
    pub(crate) name: PreviewName,
    pub(crate) form: Form,
    /// The host as the client wrote it.
    pub(crate) host: &'a str,
    pub(crate) is_https: bool,
    pub(crate) peer: Option<SocketAddr>,
}

/// Makes the headers of a request fit for the server inside.
pub(crate) fn inward(headers: &mut HeaderMap, context: &Context<'_>) {
    strip_connection(headers);
    strip_own(headers);
    for name in FORWARDED {
        headers.remove(name);
    }
    let own = format!("localhost:{}", context.name.port);
    let scheme = if context.is_https { "https" } else { "http" };
    // A server that compares origin and host, as many do, compares what belongs together.
    if headers.get(header::ORIGIN).is_some_and(|origin| *origin == format!("{scheme}://{}", context.host)) {
        put(headers, header::ORIGIN, &format!("http://{own}"));
    }
    put(headers, header::HOST, &own);
    put(headers, FORWARDED[2].clone(), context.host);
    put(headers, FORWARDED[3].clone(), scheme);
    if let Some(peer) = context.peer {
        put(headers, FORWARDED[1].clone(), &peer.ip().to_string());
    }
}

/// Makes the headers of an answer fit for the client.
pub(crate) fn outward(headers: &mut HeaderMap, context: &Context<'_>) {
    strip_connection(headers);
    keep_cookies(headers, header::SET_COOKIE);
    if let Some(place) = headers.get(header::LOCATION).and_then(|place| relocate(place, context)) {
        headers.insert(header::LOCATION, place);
    }
    if context.form == Form::Path {
        // On the gateway's own host a page must not act as that host.
        let sandbox = "sandbox allow-scripts allow-forms allow-modals allow-popups allow-downloads";
        headers.append(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(sandbox));
        headers.remove("service-worker-allowed");
    }
}

/// Whether both sides speak something else from here on.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let values = headers.get_all(header::CONNECTION);
    let names = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let is_upgrade = names.into_iter().any(|name| name.trim().eq_ignore_ascii_case("upgrade"));
    headers.get(header::UPGRADE).filter(|_| is_upgrade).cloned()
}

/// The tokens that a request shows, the one of its link first.
pub(crate) fn tokens(headers: &HeaderMap, query: Option<&str>) -> Vec<String> {
    let in_query = query.into_iter().flat_map(|query| query.split('&')).filter_map(token_of_pair);
    let in_header = headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok());
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let in_cookies = cookies.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        let name = name.strip_prefix("__Host-").or(name.strip_prefix("__Secure-")).unwrap_or(name);
        (name == TOKEN).then_some(value)
    });
    in_query.chain(in_header).chain(in_cookies).map(str::to_owned).take(8).collect()
}

/// A path without the token, and whether there was one.
pub(crate) fn without_token(path: &str) -> (String, bool) {
    let Some((path, query)) = path.split_once('?') else { return (path.to_owned(), false) };
    let kept: Vec<&str> = query.split('&').filter(|pair| token_of_pair(pair).is_none()).collect();
    let had_token = kept.len() < query.split('&').count();
    let whole = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    (whole, had_token)
}

fn token_of_pair(pair: &str) -> Option<&str> {
    pair.strip_prefix(TOKEN)?.strip_prefix('=')
}

fn strip_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| *name != header::CONTENT_LENGTH && *name != header::HOST)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Takes off what proves somebody to the platform. What the server inside gave out itself stays.
fn strip_own(headers: &mut HeaderMap) {
    headers.remove(TOKEN_HEADER);
    if holds_token(headers, &header::AUTHORIZATION) {
        headers.remove(header::AUTHORIZATION);
    }
    if holds_token(headers, &X_API_KEY) {
        headers.remove(X_API_KEY);
    }
    let kept: Vec<&str> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(str::trim)
        .filter(|pair| !pair.is_empty() && !is_own_cookie(pair))
        .collect();
    // HTTP/2 may send several; one is what a server of HTTP/1.1 expects.
    let joined = HeaderValue::from_str(&kept.join("; ")).ok().filter(|_| !kept.is_empty());
    headers.remove(header::COOKIE);
    if let Some(joined) = joined {
        headers.insert(header::COOKIE, joined);
    }
}

fn holds_token(headers: &HeaderMap, name: &HeaderName) -> bool {
    let is_own = |word: &[u8]| OWN_TOKENS.iter().any(|prefix| word.starts_with(prefix.as_bytes()));
    headers.get_all(name).iter().any(|value| value.as_bytes().split(|byte| *byte == b' ').any(is_own))
}

fn is_own_cookie(pair: &str) -> bool {
    let pair = pair.trim_start();
    OWN_COOKIES
        .iter()
        .any(|prefix| pair.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix)))
}

/// A server inside may not set what the platform reads.
fn keep_cookies(headers: &mut HeaderMap, name: HeaderName) {
    let is_kept = |value: &HeaderValue| !is_own_cookie(&String::from_utf8_lossy(value.as_bytes()));
    if headers.get_all(&name).iter().all(is_kept) {
        return;
    }
    let kept: Vec<HeaderValue> =
        headers.get_all(&name).iter().filter(|value| is_kept(value)).cloned().collect();
    headers.remove(&name);
    for value in kept {
        headers.append(&name, value);
    }
}

/// The server inside knows itself as `localhost:port`; outside that is another place.
fn relocate(place: &HeaderValue, context: &Context<'_>) -> Option<HeaderValue> {
    let text = place.to_str().ok()?;
    let path = match text.parse::<Uri>() {
        Ok(uri) if uri.scheme().is_some() => {
            let is_own_host = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0"));
            let is_own = is_own_host && uri.port_u16() == Some(context.name.port);
            let path = is_own.then(|| uri.path_and_query().map_or("/", |path| path.as_str()));
            path?.to_owned()
        }
        _ => text.to_owned(),
    };
    let is_absolute = path.starts_with('/') && !path.starts_with("//");
    let path = match context.form {
        Form::Path if is_absolute => format!("{}{path}", context.name.path()),
        Form::Host | Form::Path => path,
    };
    HeaderValue::from_str(&path).ok()
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
