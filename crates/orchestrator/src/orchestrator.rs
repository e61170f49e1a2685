//! The parts of the orchestrator, and the sandboxes of runs.

use std::path::PathBuf;
use std::sync::Arc;

use domain::{OrgId, RunId, SandboxId};
use runtime::{Ambient, Supervisor};
use sandbox::{Sandbox, SandboxLimits, SandboxProvider, SandboxSpec};
use tokio::sync::OnceCell;

use crate::error::Result;
use crate::live::{Live, LiveBox};
use crate::metrics::History;
use crate::scratch::Scratch;
use crate::state::{SandboxChange, StopCause};
use crate::store;
use crate::wish::EgressPolicy;

/// Makes, keeps, rests and removes sandboxes. Clones share their state.
#[derive(Clone)]
pub struct Orchestrator {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: Parts,
    pub(crate) live: Live,
    pub(crate) history: History,
    pub(crate) recovered: OnceCell<()>,
    node: String,
}

/// What an orchestrator is made of.
pub struct Parts {
    /// Makes the sandboxes.
    pub provider: Arc<dyn SandboxProvider>,
    /// Keeps the rows, the log and the archives.
    pub store: ::store::Store,
    /// Time and chance.
    pub ambient: Ambient,
    /// What a sandbox may use where nothing else was asked for.
    pub limits: SandboxLimits,
    /// The data folder: sandboxes' files lie below it.
    pub data: PathBuf,
    /// Owns the tasks that work on after a caller has gone.
    pub tasks: Supervisor,
    /// Told of every sandbox that comes up and goes.
    pub companions: Vec<Arc<dyn Companion>>,
}

/// What lives beside each sandbox that somebody asked for, such as its proxy to the outside.
pub trait Companion: Send + Sync + 'static {
    /// A sandbox is about to be shown to its caller. Must not wait; spawn what takes time. `egress` changes while
    /// the sandbox runs, and ends with it.
    fn started(
        &self,
        org: OrgId,
        sandbox: &Arc<dyn Sandbox>,
        egress: tokio::sync::watch::Receiver<EgressPolicy>,
    );

    /// The port of the sandbox's loopback address where this one listens as its proxy to the outside.
    fn egress_port(&self) -> Option<u16> {
        None
    }

    /// What a sandbox may reach for which neither its maker nor its template says anything, and what one of a run may.
    fn usual_egress(&self) -> EgressPolicy {
        EgressPolicy::default()
    }

    /// Added to the environment of its commands, below what the sandbox's own maker asked for.
    fn environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Its processes are gone.
    fn ended(&self, org: OrgId, id: SandboxId);
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
    /// An orchestrator of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let node = node_of(&parts.data);
        let (live, history, recovered) = (Live::default(), History::default(), OnceCell::new());
        Self { inner: Arc::new(Inner { parts, live, history, recovered, node }) }
    }

    /// The provider's name.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        self.inner.parts.provider.name()
    }

    /// What isolates the sandboxes, in a few words.
    #[must_use]
    pub fn isolation(&self) -> String {
        self.inner.parts.provider.isolation()
    }

    /// Opens a sandbox for a run. Its row is durable before the host has anything of it.
    ///
    /// # Errors
    ///
    /// [`Error::Sandbox`](crate::Error::Sandbox) where the provider cannot; the row then says that it failed.
    pub async fn open(&self, org: OrgId, wanted: Wanted) -> Result<Arc<dyn Sandbox>> {
        self.recover().await?;
        let parts = &self.inner.parts;
        let id = SandboxId::from_uuid(parts.ambient.uuid());
        let (provider, now_ms) = (parts.provider.name(), parts.ambient.now_ms());
        let row = store::NewRow { id, run: wanted.run, provider, node: self.node().to_owned(), now_ms };
        parts.store.write(move |tx| Box::pin(store::insert(tx, org, row))).await?;
        let egress = self.usual_egress();
        let has_way_out = egress != EgressPolicy::default();
        let spec = SandboxSpec {
            env: if has_way_out { self.environment().collect() } else { Vec::new() },
            egress_port: self.egress_port().filter(|_| has_way_out),
            workspace_base: wanted.base,
            include: wanted.include,
            binds: wanted.binds,
            limits: parts.limits.clone(),
            ..SandboxSpec::new(id, wanted.state_dir)
        };
        let _held = self.inner.live.hold(id);
        match parts.provider.create(spec).await {
            Ok(sandbox) => {
                let live = self.inner.live.put(id, LiveBox::of_run(org, sandbox.clone()));
                if has_way_out {
                    live.egress.send_replace(egress);
                    self.tell_started(org, &sandbox, &live);
                }
                self.change(org, id, SandboxChange::BecameReady).await?;
                Ok(sandbox)
            }
            Err(error) => {
                self.change(org, id, SandboxChange::StartFailed { error: error.to_string() }).await?;
                Err(error.into())
            }
        }
    }

    /// Stops a run's sandbox and frees what it holds on the host. Closing twice is closing once.
    ///
    /// # Errors
    ///
    /// Where the provider could not stop it, or the change could not be kept.
    pub async fn close(&self, org: OrgId, id: SandboxId, cause: StopCause) -> Result<()> {
        if let Some(live) = self.inner.live.take(id) {
            live.sandbox.stop().await?;
        }
        self.change(org, id, SandboxChange::Stopped { cause }).await.map(drop)
    }

    /// A sandbox for work of our own, which no agent enters, with `adjust` to bind into it what it shall see.
    /// Its folder lies under `root`.
    ///
    /// # Errors
    ///
    /// [`Error::Sandbox`](crate::Error::Sandbox) where the provider cannot make one.
    pub async fn scratch(
        &self,
        root: &std::path::Path,
        adjust: impl FnOnce(&mut SandboxSpec) + Send,
    ) -> Result<Scratch> {
        let parts = &self.inner.parts;
        let id = SandboxId::from_uuid(parts.ambient.uuid());
        let mut spec = SandboxSpec::new(id, root.join(format!("scratch-{id}")));
        spec.limits = parts.limits.clone();
        adjust(&mut spec);
        let folder = spec.state_dir.clone();
        let held = self.inner.live.hold(id);
        Ok(Scratch::new(parts.provider.create(spec).await?, folder, held))
    }

    /// Starts what goes on beside the callers' wishes: deadlines, figures, sweeps. After [`Orchestrator::recover`].
    pub fn look_after(&self) {
        let tasks = &self.inner.parts.tasks;
        tasks.spawn("sandbox deadlines", self.clone().watch_deadlines(tasks.stopping()));
        tasks.spawn("sandbox figures", self.clone().watch_figures(tasks.stopping()));
        tasks.spawn("sandbox sweeps", self.clone().sweep_regularly(tasks.stopping()));
    }

    /// Stops all sandboxes of this process; their rows say so at the next start.
    pub async fn stop_all(&self) {
        for (id, live) in self.inner.live.drain() {
            if let Err(error) = live.sandbox.stop().await {
                tracing::warn!(sandbox.id = %id, error = &error as &dyn std::error::Error, "could not stop a sandbox");
            }
        }
    }

    /// Applies a change and keeps it with its event.
    pub(crate) async fn change(
        &self,
        org: OrgId,
        id: SandboxId,
        change: SandboxChange,
    ) -> Result<store::SandboxRow> {
        let now_ms = self.now_ms();
        self.store().write(move |tx| Box::pin(store::apply(tx, org, id, change, now_ms))).await
    }

    pub(crate) fn store(&self) -> &::store::Store {
        &self.inner.parts.store
    }

    /// The name of this data folder among those that share a database.
    pub(crate) fn node(&self) -> &str {
        &self.inner.node
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.inner.parts.ambient.now_ms()
    }

    /// Does something to its end, also where the caller goes away meanwhile.
    pub(crate) fn finish<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> ::store::BoxFuture<'static, Result<T>> {
        use crate::error::WhileDoing as _;

        let (tell, told) = tokio::sync::oneshot::channel();
        self.inner.parts.tasks.spawn(doing, async move {
            let _caller_has_gone = tell.send(work.await);
        });
        Box::pin(async move { told.await.while_doing(doing)? })
    }
}

/// Data folders are on one machine each and have one owner; where they lie names them among those that share a
/// database.
fn node_of(data: &std::path::Path) -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let whole = std::fs::canonicalize(data).unwrap_or_else(|_| data.to_owned());
    let place = [host.as_encoded_bytes(), b":", whole.as_os_str().as_encoded_bytes()].concat();
    crate::digest::hex(&place)[..16].to_owned()
}
