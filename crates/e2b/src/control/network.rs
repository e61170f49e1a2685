//! What a sandbox may reach, in E2B's words and in ours.
//!
//! E2B names what is denied; ours names what is allowed, or that all public addresses are. In ours a refusal wins
//! over a permission.

use accounts::access::WriteSandboxes;
use axum::extract::State;
use axum::http::StatusCode;
use orchestrator::{EgressAccess, EgressPolicy};
use serde::Deserialize;
use serde_json::Value;

use super::body::{Body, Id};
use crate::app::E2b;
use crate::caller::May;
use crate::problem::{Problem, Result};

/// All addresses.
const ALL: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// The network of a sandbox, as clients write it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Network {
    #[serde(default, rename = "allowOut")]
    allow: Option<Vec<String>>,
    #[serde(default, rename = "denyOut")]
    deny: Option<Vec<String>>,
    #[serde(default, rename = "allow_internet_access")]
    internet: Option<bool>,
    #[serde(default)]
    rules: Option<Value>,
    #[serde(default, rename = "egressProxy")]
    proxy: Option<Value>,
    #[serde(default, rename = "allowPublicTraffic")]
    public: Option<bool>,
    #[serde(default, rename = "maskRequestHost")]
    host: Option<String>,
}

impl Network {
    /// Whether its ports are open to whoever knows its id, as they are where nobody says otherwise.
    pub(super) fn is_public(&self) -> bool {
        self.public != Some(false)
    }
}

/// `PUT /sandboxes/{sandbox}/network`: what is left out is undone.
pub(super) async fn replace(
    State(app): State<E2b>,
    May(proof): May<WriteSandboxes>,
    Id(id): Id,
    Body(network): Body<Network>,
) -> Result<StatusCode> {
    let wanted = policy(network.internet, Some(&network))?;
    app.orchestrator.set_egress(&proof, id, wanted.unwrap_or_default()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Our policy for what a client asked for; `None` where it asked for nothing, which leaves it to the template.
pub(super) fn policy(internet: Option<bool>, network: Option<&Network>) -> Result<Option<EgressPolicy>> {
    let nothing = Network::default();
    let network = network.unwrap_or(&nothing);
    if network.rules.as_ref().is_some_and(|rules| rules.as_object().is_some_and(|rules| !rules.is_empty())) {
        return Err(Problem::bad("this server does not change requests on their way out; see docs/E2B.md"));
    }
    if network.proxy.as_ref().is_some_and(|proxy| !proxy.is_null()) {
        return Err(Problem::bad("this server sends no traffic through a proxy of yours; see docs/E2B.md"));
    }
    if network.host.is_some() {
        return Err(Problem::bad("this server tells a sandbox's servers no other host; see docs/E2B.md"));
    }
    let (allow, deny) = (network.allow.clone(), network.deny.clone());
    if internet == Some(false) {
        return Ok(Some(EgressPolicy::default()));
    }
    if internet.is_none() && allow.is_none() && deny.is_none() {
        return Ok(None);
    }
    let allow = allow.unwrap_or_default();
    let (all, deny): (Vec<_>, Vec<_>) =
        deny.unwrap_or_default().into_iter().partition(|rule| ALL.contains(&rule.as_str()));
    let access = match (all.is_empty(), allow.is_empty()) {
        (true, _) => EgressAccess::Public,
        (false, true) => EgressAccess::None,
        (false, false) if allow.iter().any(|rule| ALL.contains(&rule.as_str())) => EgressAccess::Public,
        (false, false) => EgressAccess::Listed,
    };
    let allow = allow.into_iter().filter(|rule| !ALL.contains(&rule.as_str())).collect();
    Ok(Some(EgressPolicy { access, allow, deny }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(internet: Option<bool>, network: &str) -> Result<Option<EgressPolicy>> {
        let network: Network = serde_json::from_str(network).expect("a network");
        policy(internet, Some(&network))
    }

    fn made(access: EgressAccess, allow: &[&str], deny: &[&str]) -> Option<EgressPolicy> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Some(EgressPolicy { access, allow: texts(allow), deny: texts(deny) })
    }

    #[test]
    fn what_clients_deny_and_allow_becomes_a_policy() -> Result<()> {
        use EgressAccess::{Listed, None as Nothing, Public};
        assert_eq!(of(None, "{}")?, None);
        assert_eq!(of(Some(true), "{}")?, made(Public, &[], &[]));
        assert_eq!(of(Some(false), r#"{"allowOut":["a.example"]}"#)?, made(Nothing, &[], &[]));
        assert_eq!(of(None, r#"{"denyOut":["8.8.8.8"]}"#)?, made(Public, &[], &["8.8.8.8"]));
        assert_eq!(of(None, r#"{"denyOut":["0.0.0.0/0"]}"#)?, made(Nothing, &[], &[]));
        let listed = r#"{"denyOut":["0.0.0.0/0"],"allowOut":["1.1.1.1","*.a.example"]}"#;
        assert_eq!(of(None, listed)?, made(Listed, &["1.1.1.1", "*.a.example"], &[]));
        Ok(())
    }

    #[test]
    fn what_we_cannot_do_is_refused_rather_than_left_out() {
        for network in [
            r#"{"rules":{"a.example":[{"transform":{"headers":{"A":"b"}}}]}}"#,
            r#"{"egressProxy":{"address":"proxy.example:1080"}}"#,
        ] {
            let refused = of(None, network).expect_err(network);
            assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        }
        assert_eq!(of(None, r#"{"rules":{},"egressProxy":null}"#), Ok(None));
    }
}
