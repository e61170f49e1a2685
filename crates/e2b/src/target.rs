//! Which sandbox a request is meant for, and whether the client may reach into it.
//!
//! Clients say it by the header `E2b-Sandbox-Id`, or by the host `49983-<sandbox>.<domain>`. A signed link on the
//! API's own host says neither; its signature fits the token of one sandbox alone.

use std::sync::Arc;

use axum::http::{HeaderMap, Uri, header};
use domain::SandboxId;
use sandbox::Sandbox;

use crate::access::{Signed, is_token};
use crate::app::E2b;
use crate::problem::{Problem, Result};

/// The port at which E2B's own agent listens, and its clients believe it to.
pub(crate) const AGENT_PORT: u16 = 49_983;

const ID_HEADER: &str = "e2b-sandbox-id";
const PORT_HEADER: &str = "e2b-sandbox-port";
const TOKEN_HEADER: &str = "x-access-token";

/// The sandbox that is named by header or host; `None` where none is.
pub(crate) fn named(headers: &HeaderMap, uri: &Uri) -> Result<Option<SandboxId>> {
    if let Some(value) = headers.get(ID_HEADER) {
        let text = value.to_str().unwrap_or_default();
        if headers.get(PORT_HEADER).is_some_and(|port| port != AGENT_PORT.to_string().as_str()) {
            return Err(Problem::bad("ports of a sandbox are reached at its host name, see docs/E2B.md"));
        }
        // Old clients append the client's own id.
        let id = text.split('-').next().unwrap_or_default();
        return id.parse().map(Some).map_err(|_| Problem::no_sandbox(text));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    Ok(host.and_then(of_host))
}

fn of_host(host: &str) -> Option<SandboxId> {
    let (label, _) = host.split_once('.')?;
    let (port, id) = label.split_once('-')?;
    (port.parse() == Ok(AGENT_PORT)).then(|| id.parse().ok()).flatten()
}

/// The sandbox that a request is meant for, whose token it shows.
pub(crate) fn by_token(app: &E2b, headers: &HeaderMap, uri: &Uri) -> Result<SandboxId> {
    let id = named(headers, uri)?.ok_or_else(|| Problem::bad("the request names no sandbox"))?;
    match shown(headers) {
        Some(token) if is_token(&app.key, id, token) => Ok(id),
        Some(_) => Err(Problem::unauthorized("access token present in header but does not match")),
        None => Err(Problem::unauthorized("the sandbox's access token is missing")),
    }
}

/// As [`by_token`], also for a signed link.
pub(crate) async fn by_link(
    app: &E2b,
    headers: &HeaderMap,
    uri: &Uri,
    link: Option<Signed<'_>>,
) -> Result<SandboxId> {
    let (Some(link), None) = (link, shown(headers)) else { return by_token(app, headers, uri) };
    let now_ms = app.ambient.now_ms();
    let named = match named(headers, uri)? {
        Some(id) => Some(id),
        None => app.orchestrator.live_ids().into_iter().find(|id| link.is_of(&app.key, *id)),
    };
    let id = named.ok_or_else(|| Problem::unauthorized("invalid signature"))?;
    link.check(&app.key, id, now_ms)?;
    Ok(id)
}

fn shown(headers: &HeaderMap) -> Option<&str> {
    headers.get(TOKEN_HEADER).map(|token| token.to_str().unwrap_or_default())
}

/// The running sandbox; one that rests is woken where it was made so.
pub(crate) async fn awake(app: &E2b, id: SandboxId) -> Result<Arc<dyn Sandbox>> {
    crate::fleet::awake(app, id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "sbx00000000000000000000000000000007";

    fn of(pairs: &[(&'static str, &str)]) -> Result<Option<String>> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("a header"));
        }
        named(&headers, &Uri::from_static("/files")).map(|id| id.map(|id| id.to_string()))
    }

    #[test]
    fn header_and_host_name_the_sandbox() {
        assert_eq!(of(&[("e2b-sandbox-id", ID)]), Ok(Some(ID.to_owned())));
        assert_eq!(of(&[("e2b-sandbox-id", &format!("{ID}-client"))]), Ok(Some(ID.to_owned())));
        assert_eq!(of(&[("host", &format!("49983-{ID}.sandboxes.example:8443"))]), Ok(Some(ID.to_owned())));
        for host in ["127.0.0.1:4000", "api.example", &format!("8000-{ID}.example"), &format!("49983-{ID}")] {
            assert_eq!(of(&[("host", host)]), Ok(None), "{host}");
        }
    }

    #[test]
    fn what_is_no_id_is_a_sandbox_that_is_not_there() {
        for text in ["", "nonsense", "run00000000000000000000000000000007", "../etc"] {
            assert_eq!(of(&[("e2b-sandbox-id", text)]), Err(Problem::no_sandbox(text)), "{text}");
        }
        let other_port = of(&[("e2b-sandbox-id", ID), ("e2b-sandbox-port", "8000")]);
        assert!(other_port.is_err(), "{other_port:?}");
    }
}
