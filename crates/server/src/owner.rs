//! Owning a data folder: the parts, the socket, the roles; from the lock until everything is put down.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use models::scripted::Pace;
use runs::{Worker, WorkerConfig};
use runtime::{Env, Supervisor};

use crate::compose::{self, Parts, Role, http};
use crate::error::{Failure, Result};
use crate::folder::lock::{Owner, OwnerLock};
use crate::folder::socket;
use crate::session::Context;

/// Stopping takes no longer, whatever hangs.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Streams and requests that still run are given this part of it.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);
/// How often old runs are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);
/// The first time, when a start is long over.
const FIRST_SWEEP_AFTER: Duration = Duration::from_secs(60);

/// What the owner shall do.
#[derive(Debug)]
pub(crate) struct OwnerSpec {
    /// Its roles.
    pub(crate) roles: Vec<Role>,
    /// A port for browsers and tokens.
    pub(crate) listener: Option<TcpListener>,
    /// Whether it ends with the command that it was started for.
    pub(crate) in_process: bool,
    /// How fast scripts speak.
    pub(crate) pace: Pace,
}

/// A folder that this process owns and serves.
pub(crate) struct Owned {
    lock: OwnerLock,
    socket: PathBuf,
    url: Option<String>,
    tasks: Supervisor,
    parts: Parts,
}

impl Owned {
    /// Puts the parts together and begins to serve.
    ///
    /// # Errors
    ///
    /// Where something that is needed cannot be had; the lock is then free again.
    pub(crate) async fn start(context: &Context, mut lock: OwnerLock, spec: OwnerSpec) -> Result<Self> {
        let tasks = Supervisor::new();
        let parts = compose::compose(context, spec.pace, &tasks).await?;
        let (unix, socket) = socket::listen(&context.folder, &context.env)?;
        let address = spec.listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let url = address.map(|address| format!("http://{address}"));
        let gateway = match address {
            Some(address) => Some(compose::gateway::start(context, &parts, address, &tasks)?),
            None => None,
        };
        let port = address.map_or(0, |address| address.port());
        let router = http::router(context, &parts, &tasks, (port, gateway));
        if let Some(listener) = spec.listener {
            http::serve_port(router.clone(), listener, &tasks)?;
        }
        http::serve_socket(router, &parts, unix, &tasks)?;
        start_roles(context, &parts, (&spec.roles, spec.in_process), &tasks);
        lock.announce(&Owner {
            pid: std::process::id(),
            socket: socket.clone(),
            url: url.clone(),
            in_process: spec.in_process,
        })?;
        Ok(Self { lock, socket, url, tasks, parts })
    }

    /// Where commands reach it.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Works on a run of which nothing new was asked here.
    pub(crate) fn work_on(&self, run: domain::RunId) {
        self.parts.runs.want(run);
    }

    /// Where browsers reach it.
    pub(crate) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// A link to `url` that signs one browser in, once.
    ///
    /// # Errors
    ///
    /// Where the ticket cannot be kept.
    pub(crate) async fn ticket_url(&self, url: &str) -> Result<String> {
        let fail = |error: accounts::Error| Failure::internal("make the link for the browser", &error);
        let allowed = self.parts.owner.allow().map_err(fail)?;
        let ticket = self.parts.accounts.create_ticket(&allowed).await.map_err(fail)?;
        Ok(format!("{url}/welcome#t={}", ticket.secret.expose()))
    }

    /// Puts everything down within 5 s. Runs that are under way are left so that the next owner goes on.
    pub(crate) async fn stop(self) {
        if !self.tasks.stop(DRAIN_LIMIT).await {
            tracing::info!("some connections were still open");
        }
        let put_down = async {
            self.parts.orchestrator.stop_all().await;
            self.parts.store.close().await;
        };
        if tokio::time::timeout(STOP_LIMIT.saturating_sub(DRAIN_LIMIT), put_down).await.is_err() {
            tracing::warn!("stopping took too long; the next start clears up");
        }
        socket::remove(&self.socket);
        drop(self.lock);
    }
}

/// What a dead owner left is put in order before a worker starts. With Postgres other processes may be at
/// work on runs, and their claims end by themselves; the sandboxes of this data folder are ours alone.
async fn recover(parts: &Parts) -> Result<()> {
    let runs =
        async { if parts.store.database_name() == "sqlite" { parts.runs.recover().await } else { Ok(()) } };
    let (sandboxes, runs) = tokio::join!(parts.orchestrator.recover(), runs);
    sandboxes.map_err(|error| Failure::internal("clear up after the last server", &error))?;
    runs.map_err(|error| Failure::internal("clear up after the last server", &error))
}

/// The roles that work begin once all is in order; requests are answered meanwhile.
async fn work(parts: Parts, roles: Vec<Role>, config: WorkerConfig, tasks: Supervisor) {
    if let Err(failure) = recover(&parts).await {
        tracing::error!(error = %failure, "nothing can be worked on, so the server ends");
        tasks.stopping().cancel();
        return;
    }
    if roles.contains(&Role::Orchestrator) {
        parts.orchestrator.look_after();
    }
    if roles.contains(&Role::Worker) {
        Worker::new(parts.runs, config).run(tasks).await;
    }
}

fn start_roles(context: &Context, parts: &Parts, (roles, in_process): (&[Role], bool), tasks: &Supervisor) {
    if roles.contains(&Role::Worker) || roles.contains(&Role::Orchestrator) {
        let capacity = http::capacity(&context.config);
        let config = WorkerConfig { capacity, capacity_per_org: capacity, only_wanted: in_process };
        tasks.spawn("worker", work(parts.clone(), roles.to_vec(), config, tasks.clone()));
    }
    if roles.contains(&Role::Scheduler) {
        let (runs, ambient, stop) = (parts.runs.clone(), context.ambient.clone(), tasks.stopping());
        let previews = parts.previews.clone();
        tasks.spawn("scheduler", async move {
            let mut wait = FIRST_SWEEP_AFTER;
            while ambient.within(wait, stop.cancelled()).await.is_none() {
                wait = SWEEP_EVERY;
                match runs.sweep().await {
                    Ok(swept) => tracing::debug!(?swept, "swept"),
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "a sweep failed");
                    }
                }
                if let Err(error) = previews.sweep().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "old previews were not removed");
                }
            }
        });
    }
}

/// Opens `url` in the browser of this machine's user.
///
/// # Errors
///
/// Where there is no program for that.
#[expect(clippy::disallowed_methods, reason = "the user's browser is no work of an agent and has no sandbox")]
pub(crate) fn open_in_browser(env: &Env, url: &str) -> std::io::Result<()> {
    use std::process::{Command, Stdio};

    let program = env.get("BROWSER").unwrap_or("xdg-open");
    let mut command = Command::new(program);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}
