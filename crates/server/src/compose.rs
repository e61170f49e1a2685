//! The parts of the program, put together once.

pub(crate) mod egress;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod models;

use std::sync::Arc;

use ::models::SharedRegistry;
use ::models::scripted::Pace;
use accounts::{Accounts, Caller};
use clap::ValueEnum;
use orchestrator::Orchestrator;
use runs::Runs;
use runtime::Supervisor;
use sandbox::{NativeConfig, NativeProvider, SandboxError, SandboxLimits};
use secrets::{MasterKey, SubKey};
use store::{BlobsConfig, DatabaseConfig, Store, StoreConfig, StoreError};

use crate::error::{Failure, Result};
use crate::folder::disk_full;
use crate::session::Context;
use models::ModelSource;

/// What a process does. By default it does all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Answers requests.
    Api,
    /// Drives runs.
    Worker,
    /// Looks after sandboxes.
    Orchestrator,
    /// Does what is due: deletes old runs.
    Scheduler,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Api, Self::Worker, Self::Orchestrator, Self::Scheduler];
}

/// The parts. Clones share them.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) accounts: Accounts,
    /// The owner of the data folder, who is behind the socket.
    pub(crate) owner: Caller,
    pub(crate) models: SharedRegistry,
    pub(crate) source: ModelSource,
    pub(crate) orchestrator: Orchestrator,
    pub(crate) runs: Runs,
    pub(crate) native: NativeConfig,
    /// Who may look into sandboxes from outside.
    pub(crate) previews: ::gateway::Previews,
    /// Makes the access tokens that E2B's clients get for their sandboxes.
    pub(crate) e2b_key: SubKey,
}

/// Puts the parts together: opens the store and starts the sandboxes' launcher at the same time.
///
/// # Errors
///
/// Where one of them cannot be had.
pub(crate) async fn compose(context: &Context, pace: Pace, tasks: &Supervisor) -> Result<Parts> {
    let (folder, ambient) = (&context.folder, &context.ambient);
    let native = NativeConfig::for_data_dir(folder.root(), context.env.path("HOME"));
    // Starting does not wait for the launcher, which gets ready while the store opens.
    let provider = NativeProvider::start(native.clone()).map_err(about_sandbox)?;
    let store = Store::open(store_config(context)?, ambient.clone(), tasks).await;
    let store = store.map_err(|error| about_store(context, &error))?;
    let key = MasterKey::load_or_create(folder.root(), &*ambient.random)
        .map_err(|error| Failure::new("master_key", crate::error::chain(&error)))?;
    let e2b_key = key.sub_key("e2b access tokens");
    let accounts = Accounts::new(store.clone(), key, ambient.clone());
    let name = context.env.get("USER").or(context.env.get("LOGNAME")).unwrap_or("owner");
    let owner = accounts.ensure_local_owner(name).await;
    let owner = owner.map_err(|error| Failure::internal("find the owner of the data folder", &error))?;
    let source = ModelSource {
        env: context.env.clone(),
        config: context.config.clone(),
        pace,
        accounts: accounts.clone(),
        org: owner.org(),
        ambient: ambient.clone(),
    };
    let models = SharedRegistry::new(source.registry().await?);
    let egress = egress::Egress::new(context, &store, tasks)?;
    let way_out = Arc::new(egress.for_clones(&context.env));
    let egress: Arc<dyn orchestrator::Companion> = Arc::new(egress);
    let orchestrator = Orchestrator::new(orchestrator::Parts {
        provider: Arc::new(provider),
        store: store.clone(),
        ambient: ambient.clone(),
        limits: limits(context),
        data: folder.root().to_owned(),
        tasks: tasks.clone(),
        companions: vec![egress],
    });
    let previews = ::gateway::Previews::new(store.clone());
    let runs = Runs::new(runs::Parts {
        store: store.clone(),
        ambient: ambient.clone(),
        accounts: accounts.clone(),
        models: models.clone(),
        orchestrator: orchestrator.clone(),
        way_out: Some(way_out),
        settings: runs::Settings {
            data: folder.root().to_owned(),
            home: context.env.path("HOME"),
            keep_days: context.config.runs.keep_days,
            cache: context.config.runs.cache(),
        },
    });
    Ok(Parts { store, accounts, owner, models, source, orchestrator, runs, native, previews, e2b_key })
}

fn store_config(context: &Context) -> Result<StoreConfig> {
    let (config, env) = (&context.config, &context.env);
    let database = match &config.database.url {
        Some(url) => {
            DatabaseConfig::Postgres { url: url.clone(), pool: config.database.connections.unwrap_or(10) }
        }
        None => DatabaseConfig::Sqlite { path: context.folder.database() },
    };
    let text = |name: &str| env.get(name).map(str::to_owned);
    let blobs = match &config.blobs.bucket {
        Some(bucket) => BlobsConfig::S3(store::config::S3Config {
            bucket: bucket.clone(),
            endpoint: config.blobs.endpoint.clone(),
            region: config.blobs.region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
            prefix: config.blobs.prefix.clone().unwrap_or_default(),
            access_key_id: text("AWS_ACCESS_KEY_ID"),
            secret_access_key: text("AWS_SECRET_ACCESS_KEY"),
        }),
        None => BlobsConfig::Folder { path: context.folder.blobs() },
    };
    Ok(StoreConfig::new(database, blobs))
}

fn limits(context: &Context) -> SandboxLimits {
    let (set, mut limits) = (&context.config.sandbox, SandboxLimits::default());
    if let Some(mib) = set.memory_mib {
        limits.memory_bytes = mib.saturating_mul(1 << 20);
    }
    limits.processes = set.processes.unwrap_or(limits.processes);
    limits.cpu_millis = set.cpu_millis.unwrap_or(limits.cpu_millis);
    limits
}

fn about_sandbox(error: SandboxError) -> Failure {
    match error {
        SandboxError::Unsupported { fix, .. } => {
            Failure::new("sandbox_unsupported", "this machine cannot isolate a sandbox").fix(fix)
        }
        other => Failure::internal("start the sandboxes' launcher", &other),
    }
}

fn about_store(context: &Context, error: &StoreError) -> Failure {
    match error {
        StoreError::DiskFull => disk_full(context.folder.root()),
        other => {
            Failure::new("store_unavailable", "the database cannot be opened").why(crate::error::chain(other))
        }
    }
}
