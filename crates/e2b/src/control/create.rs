//! Making sandboxes.

use std::collections::BTreeMap;
use std::time::Duration;

use accounts::Allowed;
use accounts::access::{ReadSandboxes, WriteSandboxes};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use orchestrator::{CreateSandbox, OnTimeout};
use serde::Deserialize;
use serde_json::Value;

use super::body::Body;
use super::network::{self, Network};
use super::view::{self, BASE};
use super::{ports, snapshots};
use crate::app::E2b;
use crate::caller::May;
use crate::problem::{Problem, Result};

/// How long a sandbox lives that a client of the first generation made without saying.
const FIRST_TIMEOUT: Duration = Duration::from_secs(15);

/// A sandbox that is wanted.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(rename = "templateID")]
    template: String,
    #[serde(default)]
    timeout: Option<u64>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default, rename = "envVars")]
    env: Option<BTreeMap<String, String>>,
    #[serde(default, rename = "autoPause")]
    auto_pause: Option<bool>,
    #[serde(default, rename = "autoResume")]
    auto_resume: Option<AutoResume>,
    #[serde(default, rename = "allow_internet_access")]
    internet: Option<bool>,
    #[serde(default)]
    network: Option<Network>,
    #[serde(default, rename = "volumeMounts")]
    volumes: Option<Vec<Value>>,
    #[serde(default)]
    iam: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct AutoResume {
    #[serde(default)]
    enabled: bool,
}

/// `POST /sandboxes`
pub(super) async fn first(
    app: State<E2b>,
    May(proof): May<WriteSandboxes>,
    May(look): May<ReadSandboxes>,
    headers: HeaderMap,
    Body(wanted): Body<Wanted>,
) -> Result<(StatusCode, Json<Value>)> {
    create(&app, (&proof, &look), &headers, wanted, FIRST_TIMEOUT).await
}

/// `POST /v2/sandboxes`
pub(super) async fn second(
    app: State<E2b>,
    May(proof): May<WriteSandboxes>,
    May(look): May<ReadSandboxes>,
    headers: HeaderMap,
    Body(wanted): Body<Wanted>,
) -> Result<(StatusCode, Json<Value>)> {
    let timeout = app.settings.timeout;
    create(&app, (&proof, &look), &headers, wanted, timeout).await
}

async fn create(
    app: &E2b,
    (proof, look): (&Allowed<WriteSandboxes>, &Allowed<ReadSandboxes>),
    headers: &HeaderMap,
    wanted: Wanted,
    timeout: Duration,
) -> Result<(StatusCode, Json<Value>)> {
    if wanted.volumes.as_ref().is_some_and(|volumes| !volumes.is_empty()) {
        return Err(Problem::bad("this server has no volumes; see docs/E2B.md"));
    }
    if wanted
        .iam
        .as_ref()
        .is_some_and(|iam| iam["tokens"].as_object().is_some_and(|tokens| !tokens.is_empty()))
    {
        return Err(Problem::bad("this server gives sandboxes no identity of their own; see docs/E2B.md"));
    }
    let template = match wanted.template.as_str() {
        BASE => app.settings.base_template.clone(),
        name => match snapshots::find(app, look, name).await? {
            Some(snapshot) => snapshot.to_string(),
            None => name.to_owned(),
        },
    };
    let made = CreateSandbox {
        key: key(headers)?,
        template,
        metadata: wanted.metadata.unwrap_or_default(),
        env: wanted.env.unwrap_or_default(),
        timeout: wanted.timeout.map_or(timeout, Duration::from_secs),
        on_timeout: if wanted.auto_pause == Some(true) { OnTimeout::Pause } else { OnTimeout::Delete },
        auto_resume: wanted.auto_resume.is_some_and(|auto| auto.enabled),
        egress: network::policy(wanted.internet, wanted.network.as_ref())?,
        ..CreateSandbox::default()
    };
    let view = app.orchestrator.create(proof, made).await?;
    if wanted.network.as_ref().is_none_or(Network::is_public) {
        ports::open(app, proof, view.id).await?;
    }
    Ok((StatusCode::CREATED, Json(view::handle(app, &view))))
}

/// The key under which asking again gives the same sandbox.
fn key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let good = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    // Kept apart from the keys of other interfaces.
    good.then(|| Some(format!("e2b:{text}")))
        .ok_or_else(|| Problem::bad("the Idempotency-Key cannot be used"))
}
