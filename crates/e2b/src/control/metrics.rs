//! What sandboxes use.

use accounts::access::ReadSandboxes;
use axum::Json;
use axum::extract::State;
use domain::SandboxId;
use sandbox::Metrics;
use serde_json::{Map, Value, json};

use super::body::{Id, Pairs};
use crate::app::E2b;
use crate::caller::May;
use crate::problem::{Problem, Result};
use crate::time::rfc3339;

/// The most sandboxes of one question.
const MANY_MAX: usize = 100;

/// `GET /sandboxes/{sandbox}/metrics`
pub(super) async fn of_one(
    State(app): State<E2b>,
    May(proof): May<ReadSandboxes>,
    Id(id): Id,
    pairs: Pairs,
) -> Result<Json<Vec<Value>>> {
    super::life::present(&app, &proof, id).await?;
    let start: Option<i64> = pairs.number("start")?;
    let end: Option<i64> = pairs.number("end")?;
    // To the second: the whole of the last one counts.
    let from_ms = start.map_or(i64::MIN, |seconds| seconds.saturating_mul(1_000));
    let to_ms = end.map_or(i64::MAX, |seconds| seconds.saturating_mul(1_000).saturating_add(999));
    let samples = app.orchestrator.metrics(&proof, id, from_ms..=to_ms).await?;
    Ok(Json(samples.iter().map(shown).collect()))
}

/// `GET /sandboxes/metrics`: the newest of each.
pub(super) async fn of_many(
    State(app): State<E2b>,
    May(proof): May<ReadSandboxes>,
    pairs: Pairs,
) -> Result<Json<Value>> {
    let wanted = pairs.all("sandbox_ids");
    if wanted.len() > MANY_MAX {
        return Err(Problem::bad(format!("at most {MANY_MAX} sandboxes at once")));
    }
    let mut found = Map::new();
    for text in wanted {
        let Ok(id) = text.parse::<SandboxId>() else { continue };
        match app.orchestrator.metrics(&proof, id, i64::MIN..=i64::MAX).await {
            Ok(samples) => {
                if let Some(newest) = samples.last() {
                    found.insert(text.to_owned(), shown(newest));
                }
            }
            Err(orchestrator::Error::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(json!({ "sandboxes": found })))
}

fn shown(sample: &Metrics) -> Value {
    json!({
        "timestamp": rfc3339(sample.at_ms),
        "timestampUnix": sample.at_ms / 1_000,
        "cpuCount": sample.cpu_count,
        "cpuUsedPct": sample.cpu_used_percent,
        "memUsed": sample.memory_used_bytes,
        "memTotal": sample.memory_total_bytes,
        "memCache": sample.memory_cache_bytes,
        "diskUsed": sample.disk_used_bytes,
        "diskTotal": sample.disk_total_bytes,
    })
}
