//! Sandboxes in E2B's JSON.

use orchestrator::{EgressAccess, OnTimeout, SandboxView};
use serde_json::{Value, json};

use crate::access;
use crate::app::E2b;
use crate::time::rfc3339;

/// The version of E2B's agent whose behaviour ours has: the newest that clients ask for by number.
pub(crate) const AGENT_VERSION: &str = "0.6.7";

/// What we call ourselves where E2B names the machine.
const CLIENT: &str = "journeyman";

/// The name that the base template has for E2B's clients.
pub(super) const BASE: &str = "base";

/// What a client needs to reach a sandbox.
pub(super) fn handle(app: &E2b, view: &SandboxView) -> Value {
    let mut body = json!({
        "sandboxID": view.id.to_string(),
        "templateID": view.template,
        "clientID": CLIENT,
        "envdVersion": AGENT_VERSION,
        "envdAccessToken": access::token_of(&app.key, view.id).expose(),
        "trafficAccessToken": access::traffic_token_of(&app.key, view.id).expose(),
        "domain": app.settings.domain,
    });
    add_alias(app, view, &mut body);
    body
}

/// One of a list.
pub(super) fn listed(app: &E2b, view: &SandboxView) -> Value {
    let mut body = json!({
        "sandboxID": view.id.to_string(),
        "templateID": view.template,
        "clientID": CLIENT,
        "startedAt": rfc3339(started(view)),
        "endAt": rfc3339(ends(view)),
        "cpuCount": view.cpu_millis.div_ceil(1_000),
        "memoryMB": view.memory_bytes >> 20,
        "diskSizeMB": view.disk_bytes.unwrap_or(0) >> 20,
        "metadata": view.metadata,
        "state": if is_running(view) { "running" } else { "paused" },
        "envdVersion": AGENT_VERSION,
    });
    add_alias(app, view, &mut body);
    body
}

/// All about one.
pub(super) fn detail(app: &E2b, view: &SandboxView) -> Value {
    let mut body = listed(app, view);
    body["envdAccessToken"] = access::token_of(&app.key, view.id).expose().into();
    body["domain"] = json!(app.settings.domain);
    body["allowInternetAccess"] = (view.egress.access != EgressAccess::None).into();
    body["network"] = json!({ "allowOut": view.egress.allow, "denyOut": view.egress.deny });
    body["lifecycle"] = json!({
        "onTimeout": match view.on_timeout { OnTimeout::Delete => "kill", OnTimeout::Pause => "pause" },
        "autoResume": view.auto_resume,
    });
    body
}

fn add_alias(app: &E2b, view: &SandboxView, body: &mut Value) {
    if view.template == app.settings.base_template {
        body["alias"] = BASE.into();
    }
}

/// Whether it counts as running for E2B's clients, who know two states.
pub(super) fn is_running(view: &SandboxView) -> bool {
    matches!(view.state.as_str(), "starting" | "running")
}

pub(super) fn started(view: &SandboxView) -> i64 {
    view.started_at_ms.unwrap_or(view.created_at_ms)
}

/// A sandbox that rests has no end; clients want a moment all the same.
fn ends(view: &SandboxView) -> i64 {
    const NEVER_MS: i64 = 253_402_300_799_000; // the last second of the year 9999
    view.ends_at_ms.unwrap_or(if is_running(view) { NEVER_MS } else { view.changed_at_ms })
}
