//! `/v1/status`, `/v1/doctor`

use accounts::access::ReadStatus;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::May;
use crate::problem::Result;
use crate::schema::runs::SandboxView;

/// How the server stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    /// The program's version.
    version: String,
    /// The data folder.
    data_dir: String,
    /// `sqlite` or `postgres`.
    database: String,
    /// What isolates runs.
    sandbox: SandboxView,
    /// How many runs there are of each sort.
    runs: RunCounts,
    /// How many runs work at once at most.
    capacity: u32,
    /// How much is kept.
    storage: Storage,
    /// For how long.
    retention: RetentionView,
}

/// Runs that have not ended, by their words.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct RunCounts {
    queued: i64,
    working: i64,
    needs_you: i64,
    sleeping: i64,
}

/// How much is kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct Storage {
    /// The database.
    database_bytes: u64,
    /// Artifacts.
    blob_bytes: u64,
    /// Repositories that were prepared for runs.
    prepared: u64,
    /// What they hold.
    prepared_bytes: u64,
}

/// How long finished runs are kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct RetentionView {
    /// In days; null is for ever.
    #[schema(required = true)]
    keep_days: Option<u32>,
    /// Prepared repositories that no run needs are removed after this many days without use.
    prepared_days: u32,
    /// What they hold together at most.
    prepared_bytes: u64,
}

/// What the machine has and lacks.
#[derive(Serialize, ToSchema)]
pub(crate) struct Doctor {
    /// What was looked at.
    probes: Vec<ProbeView>,
}

/// One thing that a machine needs, and whether it is there.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProbeView {
    /// What was looked at.
    name: String,
    /// Whether it is as needed.
    ok: bool,
    /// What was found.
    detail: String,
    /// What to do where it is not.
    #[schema(required = true)]
    fix: Option<String>,
}

/// How the server stands.
#[utoipa::path(get, path = "/v1/status", tag = "server", responses((status = 200, body = Status)))]
pub(crate) async fn status(State(app): State<App>, May(allowed): May<ReadStatus>) -> Result<Json<Status>> {
    let states = app.runs.count_states(allowed.org()).await?;
    let (sizes, cache) = app.sizes().await?;
    let sandbox = SandboxView::new(app.orchestrator.provider().to_owned(), app.orchestrator.isolation());
    Ok(Json(Status {
        version: app.settings.version.clone(),
        data_dir: app.settings.data_dir.display().to_string(),
        database: app.store.database_name().to_owned(),
        sandbox,
        runs: counts(&states),
        capacity: app.settings.capacity,
        storage: Storage {
            database_bytes: sizes.database_bytes,
            blob_bytes: sizes.blob_bytes,
            prepared: cache.bases,
            prepared_bytes: cache.bytes,
        },
        retention: RetentionView {
            keep_days: app.settings.retention.keep_days,
            prepared_days: app.settings.retention.cache.days,
            prepared_bytes: app.settings.retention.cache.bytes,
        },
    }))
}

/// What the machine has and lacks.
#[utoipa::path(get, path = "/v1/doctor", tag = "server", responses((status = 200, body = Doctor)))]
pub(crate) async fn doctor(State(app): State<App>, _allowed: May<ReadStatus>) -> Result<Json<Doctor>> {
    let probes = (app.hooks.doctor)().await;
    let probes = probes.into_iter().map(|probe| ProbeView {
        name: probe.name,
        ok: probe.ok,
        detail: probe.detail,
        fix: probe.fix,
    });
    Ok(Json(Doctor { probes: probes.collect() }))
}

fn counts(states: &[(String, i64)]) -> RunCounts {
    let mut counts = RunCounts::default();
    for (state, count) in states {
        match state.as_str() {
            "queued" => counts.queued += count,
            "starting" | "running" => counts.working += count,
            "waiting" => counts.needs_you += count,
            "sleeping" | "paused" => counts.sleeping += count,
            // The others have ended.
            _ => {}
        }
    }
    counts
}
