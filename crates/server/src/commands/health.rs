//! `status`, `doctor`, and what a bare `journeyman` shows.

use serde_json::Value;

use super::setup::word;
use crate::error::Result;
use crate::exit::Exit;
use crate::render::text::clean;
use crate::session::Session;

/// `journeyman status`
pub(super) async fn status(session: &Session) -> Result<Exit> {
    let status: Value = session.client.get("/v1/status").await?;
    session.output().either(&status, || lines(session, &status).join("\n"));
    if status["runs"]["needs_you"].as_u64().unwrap_or(0) > 0 {
        session.output().next("journeyman run list --state waiting");
    }
    Ok(Exit::Ok)
}

fn lines(session: &Session, status: &Value) -> Vec<String> {
    let runs = &status["runs"];
    let number = |name: &str| runs[name].as_u64().unwrap_or(0);
    let owner = match session.other() {
        Some(owner) if owner.in_process => format!("process {} (a command)", owner.pid),
        Some(owner) => format!("process {}  {}", owner.pid, owner.url.as_deref().unwrap_or("")),
        None => "no server is running".to_owned(),
    };
    let mut lines = vec![
        format!(
            "Journeyman {}   data {}   database {}",
            word(status, "version"),
            word(status, "data_dir"),
            word(status, "database")
        ),
        format!("server    {owner}"),
        format!(
            "sandbox   {}: {}",
            word(&status["sandbox"], "provider"),
            word(&status["sandbox"], "isolation")
        ),
        format!(
            "runs      {} working, {} queued, {} sleeping, {} waiting for you",
            number("working"),
            number("queued"),
            number("sleeping"),
            number("needs_you")
        ),
    ];
    for name in ["storage", "retention"] {
        if let Value::Object(fields) = &status[name] {
            let parts = fields.iter().filter(|(_, value)| !value.is_null());
            let parts = parts
                .map(|(field, value)| format!("{} {}", field.replace('_', " "), clean(&value.to_string())));
            let parts = parts.collect::<Vec<_>>();
            if !parts.is_empty() {
                lines.push(format!("{name:<9} {}", parts.join(", ")));
            }
        }
    }
    lines
}

/// `journeyman doctor`
pub(super) async fn doctor(session: &Session) -> Result<Exit> {
    let report: Value = session.client.get("/v1/doctor").await?;
    let probes = report["probes"].as_array().cloned().unwrap_or_default();
    session.output().either(&report, || probes.iter().map(probe).collect::<Vec<_>>().join("\n"));
    let healthy = probes.iter().all(|probe| probe["ok"].as_bool().unwrap_or(false));
    session.output().next("journeyman demo");
    Ok(if healthy { Exit::Ok } else { Exit::Internal })
}

fn probe(probe: &Value) -> String {
    let ok = probe["ok"].as_bool().unwrap_or(false);
    let mut text =
        format!("{:<4} {:<24} {}", if ok { "ok" } else { "NO" }, word(probe, "name"), word(probe, "detail"));
    if !ok && !probe["fix"].is_null() {
        text.push_str(&format!("\n     fix:  {}", word(probe, "fix")));
    }
    text
}

/// A bare `journeyman`: where things stand, and three things to try.
pub(super) async fn welcome(session: &Session) -> Result<Exit> {
    status(session).await?;
    for suggestion in ["journeyman demo", "journeyman do \"…\" --repo .", "journeyman up --open"] {
        session.output().next(suggestion);
    }
    Ok(Exit::Ok)
}
