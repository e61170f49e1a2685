//! What the API is made of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use accounts::Accounts;
use axum::http::StatusCode;
use domain::OrgId;
use futures_util::future::BoxFuture;
use models::SharedRegistry;
use orchestrator::Orchestrator;
use runs::{CacheLimits, CacheSize, Runs};
use runtime::{Ambient, Supervisor};
use store::{Sizes, Store};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::problem::{Problem, Result};

/// What the API is made of.
pub struct Parts {
    /// Runs.
    pub runs: Runs,
    /// Callers, tokens, projects, provider keys.
    pub accounts: Accounts,
    /// Models by name.
    pub models: SharedRegistry,
    /// The log, for streams.
    pub store: Store,
    /// What isolates runs, for the status.
    pub orchestrator: Orchestrator,
    /// Who may look into sandboxes from outside.
    pub previews: gateway::Previews,
    /// Where they look; `None` where this process serves no previews.
    pub gateway: Option<gateway::Gateway>,
    /// Time and chance.
    pub ambient: Ambient,
    /// Owns the tasks that feed streams.
    pub supervisor: Supervisor,
    /// What the server does for us.
    pub hooks: Hooks,
    /// The rest.
    pub settings: ApiSettings,
}

/// What only the server can do, because only it knows how it was put together.
pub struct Hooks {
    /// Looks at the machine, for `GET /v1/doctor`.
    pub doctor: Box<dyn Fn() -> BoxFuture<'static, Vec<Probe>> + Send + Sync>,
    /// Keys or prices of an org have changed: build the models anew and put them in place.
    pub models_changed: Box<dyn Fn(OrgId) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Hooks {
    /// Hooks that do nothing and find nothing.
    #[must_use]
    pub fn none() -> Self {
        Self {
            doctor: Box::new(|| Box::pin(async { Vec::new() })),
            models_changed: Box::new(|_| Box::pin(async {})),
        }
    }
}

/// One thing that a machine needs, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What was looked at: `user namespaces`.
    pub name: String,
    /// Whether it is as needed.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do where it is not.
    pub fix: Option<String>,
}

/// Settings of the API.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// The program's version.
    pub version: String,
    /// The port that is listened on; loopback names with it are accepted in the `Host` header.
    pub port: u16,
    /// Further accepted hosts: a name, or `name:port`. A `*` in a name stands for letters without a dot.
    pub hosts: Vec<String>,
    /// The data folder, for the status.
    pub data_dir: PathBuf,
    /// How many runs work at once.
    pub capacity: u32,
    /// How long finished runs are kept.
    pub retention: Retention,
    /// Providers whose key comes from the environment, with the address that is set there.
    pub environment_keys: Vec<ProviderSource>,
    /// Whether the cookie is sent over TLS only.
    pub secure_cookie: bool,
}

/// How long finished runs are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// In days; for ever where `None`.
    pub keep_days: Option<u32>,
    /// Prepared repositories that no run needs.
    pub cache: CacheLimits,
}

/// A provider whose key comes from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSource {
    /// `anthropic` …
    pub provider: String,
    /// Its address, where one is set.
    pub base_url: Option<String>,
}

/// The parts, as handlers hold them.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

struct Inner {
    parts: Parts,
    streams: Arc<Semaphore>,
    sizes: Mutex<Option<(Duration, Sizes, CacheSize)>>,
}

/// The most streams and sockets that are open at once.
const STREAMS_MAX: usize = 512;
/// How long the sizes of what is kept are not measured anew.
const SIZES_KEPT_FOR: Duration = Duration::from_secs(30);

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        Self(Arc::new(Inner { parts, streams, sizes: Mutex::default() }))
    }

    /// Room for one more open stream; given back when it is dropped.
    pub(crate) fn room_for_stream(&self) -> Result<OwnedSemaphorePermit> {
        self.0.streams.clone().try_acquire_owned().map_err(|_| {
            let detail = "too many streams are open at once";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", detail)
                .with_fix("close some, then try again")
        })
    }

    /// How much is kept, as it was at most half a minute ago: measuring walks over all blobs.
    pub(crate) async fn sizes(&self) -> Result<(Sizes, CacheSize)> {
        let mut kept = self.0.sizes.lock().await;
        let now = self.ambient.clock.elapsed();
        if let Some((measured_at, sizes, cache)) = *kept
            && now.saturating_sub(measured_at) < SIZES_KEPT_FOR
        {
            return Ok((sizes, cache));
        }
        let (sizes, cache) = (self.store.sizes().await?, self.runs.cache_size().await?);
        *kept = Some((now, sizes, cache));
        Ok((sizes, cache))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}
