//! The life of sandboxes: who owns which, their limits, and that none is left behind.
//!
//! Ownership is in the database before a sandbox exists on the host, so that a server which died leaves
//! nothing that the next one does not know of.

pub mod error;
mod scratch;
pub mod state;
mod store;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{OrgId, RunId, SandboxId};
use runtime::Ambient;
use sandbox::{Sandbox, SandboxLimits, SandboxProvider, SandboxSpec};

pub use error::{Error, Result};
pub use scratch::Scratch;
pub use state::{SandboxChange, SandboxState, StopCause};

/// Opens, closes and reaps sandboxes. Clones share their state.
#[derive(Clone)]
pub struct Orchestrator {
    inner: Arc<Inner>,
}

struct Inner {
    provider: Arc<dyn SandboxProvider>,
    store: ::store::Store,
    ambient: Ambient,
    limits: SandboxLimits,
    live: Mutex<HashMap<SandboxId, Arc<dyn Sandbox>>>,
}

/// What a run needs of its sandbox.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The run.
    pub run: RunId,
    /// What survives the sandbox lies here.
    pub state_dir: PathBuf,
    /// The read-only tree under /workspace.
    pub base: Option<PathBuf>,
    /// Host paths to show besides the template.
    pub include: Vec<PathBuf>,
    /// Host paths to show at another path: (host, inside).
    pub binds: Vec<(PathBuf, PathBuf)>,
}

impl Orchestrator {
    /// An orchestrator over one provider. Each sandbox gets `limits`.
    #[must_use]
    pub fn new(
        provider: Arc<dyn SandboxProvider>,
        store: ::store::Store,
        ambient: Ambient,
        limits: SandboxLimits,
    ) -> Self {
        Self { inner: Arc::new(Inner { provider, store, ambient, limits, live: Mutex::default() }) }
    }

    /// The provider's name.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        self.inner.provider.name()
    }

    /// What isolates the sandboxes, in a few words.
    #[must_use]
    pub fn isolation(&self) -> String {
        self.inner.provider.isolation()
    }

    /// Opens a sandbox for a run. Its row is durable before the host has anything of it.
    ///
    /// # Errors
    ///
    /// [`Error::Sandbox`] where the provider cannot; the row then says that it failed.
    pub async fn open(&self, org: OrgId, wanted: Wanted) -> Result<Arc<dyn Sandbox>> {
        let inner = &self.inner;
        let id = SandboxId::from_uuid(inner.ambient.uuid());
        let (provider, now_ms) = (inner.provider.name(), inner.ambient.now_ms());
        let run = wanted.run;
        inner
            .store
            .write(move |tx| Box::pin(store::insert(tx, org, store::NewRow { id, run, provider, now_ms })))
            .await?;
        let spec = SandboxSpec {
            workspace_base: wanted.base,
            include: wanted.include,
            binds: wanted.binds,
            limits: inner.limits.clone(),
            ..SandboxSpec::new(id, wanted.state_dir)
        };
        match inner.provider.create(spec).await {
            Ok(sandbox) => {
                self.lock().insert(id, sandbox.clone());
                self.change(org, id, SandboxChange::BecameReady).await?;
                Ok(sandbox)
            }
            Err(error) => {
                self.change(org, id, SandboxChange::StartFailed { error: error.to_string() }).await?;
                Err(error.into())
            }
        }
    }

    /// Stops a sandbox and frees what it holds on the host. Closing twice is closing once.
    ///
    /// # Errors
    ///
    /// Where the provider could not stop it, or the change could not be kept.
    pub async fn close(&self, org: OrgId, id: SandboxId, cause: StopCause) -> Result<()> {
        let live = self.lock().remove(&id);
        if let Some(sandbox) = live {
            sandbox.stop().await?;
        }
        self.change(org, id, SandboxChange::Stopped { cause }).await
    }

    /// A sandbox for work of our own, which no agent enters, with `adjust` to bind into it what it shall see.
    /// Its folder lies under `root`.
    ///
    /// # Errors
    ///
    /// [`Error::Sandbox`] where the provider cannot make one.
    pub async fn scratch(
        &self,
        root: &std::path::Path,
        adjust: impl FnOnce(&mut SandboxSpec) + Send,
    ) -> Result<Scratch> {
        let id = SandboxId::from_uuid(self.inner.ambient.uuid());
        let mut spec = SandboxSpec {
            limits: self.inner.limits.clone(),
            ..SandboxSpec::new(id, root.join(format!("scratch-{id}")))
        };
        adjust(&mut spec);
        let folder = spec.state_dir.clone();
        Ok(Scratch::new(self.inner.provider.create(spec).await?, folder))
    }

    /// Called once by the owner of the data folder, before it opens any sandbox: removes what a dead owner
    /// left on the host, and says in the rows that those sandboxes are lost.
    ///
    /// # Errors
    ///
    /// Where the host or the store refuses.
    pub async fn recover(&self) -> Result<Vec<SandboxId>> {
        let reaped = self.inner.provider.reap(Vec::new()).await?;
        let now_ms = self.inner.ambient.now_ms();
        self.inner.store.write(move |tx| Box::pin(store::lose_all(tx, now_ms))).await?;
        Ok(reaped)
    }

    /// Stops all sandboxes of this process; their rows say so at the next start.
    pub async fn stop_all(&self) {
        let live: Vec<_> = self.lock().drain().collect();
        for (id, sandbox) in live {
            if let Err(error) = sandbox.stop().await {
                tracing::warn!(sandbox.id = %id, error = &error as &dyn std::error::Error, "could not stop a sandbox");
            }
        }
    }

    async fn change(&self, org: OrgId, id: SandboxId, change: SandboxChange) -> Result<()> {
        let now_ms = self.inner.ambient.now_ms();
        self.inner.store.write(move |tx| Box::pin(store::apply(tx, org, id, change, now_ms))).await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SandboxId, Arc<dyn Sandbox>>> {
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
