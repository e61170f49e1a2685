//! The provider `native`: namespaces, a filter of system calls and control groups of this host's kernel.
//!
//! The launcher (see [`crate::launcher`]) makes and ends the sandboxes; this side orders them and speaks with
//! their guests.

mod figures;
mod link;
mod probe;
mod template;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::SandboxId;
use futures_util::future::BoxFuture;
use guest::protocol::Setup;
use sha2::{Digest as _, Sha256};

use crate::client::{Client, OutputSink};
use crate::error::SandboxError;
use crate::forward::explained;
use crate::launcher::{Cgroups, Mode, Order, SOCKET};
use crate::layout;
use crate::provider::{
    Background, Exec, ExecEnd, FileRead, FileWritten, Glob, GlobFound, Grep, GrepFound, Metrics, Sandbox,
    SandboxProvider, SandboxSpec, ShellCommand, ShellEnd, Told,
};
use figures::Figures;
use link::{End, Link};
pub use probe::{Probe, probe};
use template::HostTemplate;

type Answer<'a, T> = BoxFuture<'a, Result<T, SandboxError>>;

/// How long the launcher may take to tell why a sandbox whose guest does not answer has ended.
const CAUSE_WAIT: Duration = Duration::from_millis(500);

/// How long a new guest may take to answer, on however loaded a machine.
const HELLO_WAIT: Duration = Duration::from_secs(30);

/// How the launcher is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LauncherProgram {
    /// This program again; its `main` calls [`crate::launcher::main_if_launcher`] first.
    ThisProgram,
    /// Another program that does the same.
    Path(PathBuf),
}

/// The settings of [`NativeProvider`].
#[derive(Debug, Clone)]
pub struct NativeConfig {
    /// How the launcher is started.
    pub launcher: LauncherProgram,
    /// The folder for sockets of living sandboxes: of this owner alone, and short, as a socket's path ends at
    /// 108 bytes. Its name labels everything that the sandboxes hold on the host.
    pub runtime_dir: PathBuf,
    /// The home of the person whose toolchains and package caches sandboxes see.
    pub home: Option<PathBuf>,
    /// How many sandboxes are made ahead, for creates that come at a sudden; each costs the kernel about 0.5 MiB.
    pub parked: usize,
}

impl NativeConfig {
    /// How many sandboxes are made ahead unless told otherwise.
    pub const PARKED: usize = 2;

    /// The settings for the owner of `data_dir`: one runtime folder per data folder.
    #[must_use]
    pub fn for_data_dir(data_dir: &Path, home: Option<PathBuf>) -> Self {
        let uid = nix::unistd::Uid::effective();
        let parent = if uid.is_root() { PathBuf::from("/run") } else { user_runtime_dir(uid.as_raw()) };
        let whole = std::fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
        let digest = Sha256::digest(whole.as_os_str().as_encoded_bytes());
        let label: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self {
            launcher: LauncherProgram::ThisProgram,
            runtime_dir: parent.join(format!("journeyman-{uid}")).join(label),
            home,
            parked: Self::PARKED,
        }
    }
}

/// `/run/user/<uid>` where there is one, else `/tmp`.
fn user_runtime_dir(uid: u32) -> PathBuf {
    let usual = PathBuf::from(format!("/run/user/{uid}"));
    if usual.is_dir() { usual } else { std::env::temp_dir() }
}

/// Makes sandboxes of this host's kernel.
#[derive(Debug)]
pub struct NativeProvider {
    config: NativeConfig,
    template: HostTemplate,
    isolation: String,
    link: Mutex<Option<Arc<Link>>>,
}

impl NativeProvider {
    /// Starts the launcher, without waiting for it.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Unsupported`] on a machine that is not x86-64, and [`SandboxError::Internal`] where the
    /// launcher cannot be started.
    pub fn start(config: NativeConfig) -> Result<Self, SandboxError> {
        Self::start_with(config, None)
    }

    /// The same, with a bubblewrap that makes the sandboxes.
    pub(crate) fn start_with(config: NativeConfig, bwrap: Option<PathBuf>) -> Result<Self, SandboxError> {
        if !cfg!(target_arch = "x86_64") {
            return Err(SandboxError::Unsupported {
                missing: format!("a filter of system calls for {}", std::env::consts::ARCH),
                fix: "run Journeyman on an x86-64 machine".to_owned(),
            });
        }
        let mut template = HostTemplate::of_host(config.home.as_deref());
        template.root.runtime.clone_from(&config.runtime_dir);
        template.root.parked = config.parked;
        template.root.bwrap = bwrap;
        let link = Link::start(&config, &template.root)?;
        Ok(Self { template, isolation: describe(), link: Mutex::new(Some(link)), config })
    }

    /// The launcher; a new one where the last has died.
    fn link(&self) -> Result<Arc<Link>, SandboxError> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = link.as_ref().filter(|link| link.is_alive()) {
            return Ok(Arc::clone(link));
        }
        let new = Link::start(&self.config, &self.template.root)?;
        *link = Some(Arc::clone(&new));
        Ok(new)
    }

    fn order(&self, spec: SandboxSpec) -> Order {
        let environment = spec.environment(&self.template.environment);
        let template = &self.template.root.shown;
        let already =
            |path: &Path| template.iter().any(|(host, inside)| host == inside && path.starts_with(inside));
        let included = spec.include.into_iter().filter(|path| !already(path));
        let included = included.map(|path| (path.clone(), path));
        Order {
            id: spec.id,
            state: spec.state_dir,
            workspace_base: spec.workspace_base,
            layers: spec.layers,
            rootfs: spec.rootfs,
            writable_root: spec.writable_root,
            shown: included.chain(spec.binds).collect(),
            limits: spec.limits,
            setup: Setup {
                workspace: layout::WORKSPACE.to_owned(),
                state: layout::GUEST.to_owned(),
                run_as: None,
                environment,
            },
        }
    }
}

/// What isolates, for people.
fn describe() -> String {
    let limits = if Mode::of_this_process() == Mode::Root {
        Cgroups::find().controllers()
    } else {
        Default::default()
    };
    let mut text =
        "Linux namespaces, a system call filter and no network; the kernel is shared with this machine; \
                    disk use is not limited"
            .to_owned();
    for (controller, missing) in [
        ("memory", "no limit on total memory (each process has one on its own data)"),
        ("cpu", "no limit on CPU time"),
        ("pids", "no limit on processes but the user's"),
    ] {
        if !limits.contains(controller) {
            text.push_str("; ");
            text.push_str(missing);
        }
    }
    text
}

impl SandboxProvider for NativeProvider {
    fn name(&self) -> &'static str {
        "native"
    }

    fn isolation(&self) -> String {
        self.isolation.clone()
    }

    fn create(&self, spec: SandboxSpec) -> Answer<'_, Arc<dyn Sandbox>> {
        Box::pin(async move {
            let id = spec.id;
            let link = self.link()?;
            let limits = spec.limits.clone();
            let (end, groups) = link.create(self.order(spec)).await?;
            let socket = self.config.runtime_dir.join(id.to_string()).join(SOCKET);
            let figures = Figures::new(groups, limits);
            let sandbox = NativeSandbox { id, client: Client::new(&socket), link, end, figures };
            let hello = tokio::time::timeout(HELLO_WAIT, sandbox.client.hello()).await;
            let silent = || Err(SandboxError::Gone { cause: "its guest does not answer".to_owned() });
            hello.unwrap_or_else(|_| silent()).map_err(|error| sandbox.explain_now(error))?;
            Ok(Arc::new(sandbox) as Arc<dyn Sandbox>)
        })
    }

    fn reap(&self, keep: Vec<SandboxId>) -> Answer<'_, Vec<SandboxId>> {
        Box::pin(async move { self.link()?.reap(self.config.runtime_dir.clone(), keep).await })
    }
}

/// One sandbox of this provider.
struct NativeSandbox {
    id: SandboxId,
    client: Client,
    link: Arc<Link>,
    end: End,
    figures: Figures,
}

impl NativeSandbox {
    /// Puts the launcher's reason into an error that says only that the guest is silent.
    async fn explain<T>(&self, result: Result<T, SandboxError>) -> Result<T, SandboxError> {
        match result {
            Err(error) => Err(explain(&self.end, error).await),
            result => result,
        }
    }

    fn explain_stream<T: Send + 'static>(&self, told: Told<T>) -> Told<T> {
        let end = self.end.clone();
        explained(told, move |error| {
            let end = end.clone();
            async move { explain(&end, error).await }
        })
    }

    fn explain_now(&self, error: SandboxError) -> SandboxError {
        match (error, self.end.cause()) {
            (SandboxError::Gone { .. }, Some(cause)) => SandboxError::Gone { cause },
            (error, _) => error,
        }
    }
}

async fn explain(end: &End, error: SandboxError) -> SandboxError {
    match error {
        SandboxError::Gone { .. } => match end.wait(CAUSE_WAIT).await {
            Some(cause) => SandboxError::Gone { cause },
            None => error,
        },
        error => error,
    }
}

impl Drop for NativeSandbox {
    fn drop(&mut self) {
        // Nobody can reach it any more.
        self.link.abandon(self.id, &self.end);
    }
}

impl Sandbox for NativeSandbox {
    fn id(&self) -> SandboxId {
        self.id
    }

    crate::forward::forward_to_guest!();

    fn metrics(&self) -> Answer<'_, Metrics> {
        Box::pin(async move {
            let metrics = self.explain(self.client.metrics().await).await?;
            Ok(self.figures.complete(metrics))
        })
    }

    fn exec<'a>(&'a self, command: Exec, output: OutputSink<'a>) -> Answer<'a, ExecEnd> {
        Box::pin(async move { self.explain(self.client.exec(command, output).await).await })
    }

    fn shell<'a>(&'a self, command: ShellCommand, output: OutputSink<'a>) -> Answer<'a, ShellEnd> {
        Box::pin(async move { self.explain(self.client.shell(command, output).await).await })
    }

    fn background(&self, command: String) -> Answer<'_, Background> {
        Box::pin(async move { self.explain(self.client.background(command).await).await })
    }

    fn background_list(&self) -> Answer<'_, Vec<Background>> {
        Box::pin(async move { self.explain(self.client.background_list().await).await })
    }

    fn background_lost(&self) -> Answer<'_, Vec<Background>> {
        Box::pin(async move { self.explain(self.client.background_lost().await).await })
    }

    fn read<'a>(&'a self, path: &'a str, offset: u64, max_bytes: u64) -> Answer<'a, FileRead> {
        Box::pin(async move { self.explain(self.client.read(path, offset, max_bytes).await).await })
    }

    fn write<'a>(&'a self, path: &'a str, bytes: Vec<u8>) -> Answer<'a, FileWritten> {
        Box::pin(async move { self.explain(self.client.write(path, &bytes).await).await })
    }

    fn grep(&self, query: Grep) -> Answer<'_, GrepFound> {
        Box::pin(async move { self.explain(self.client.grep(query).await).await })
    }

    fn glob(&self, query: Glob) -> Answer<'_, GlobFound> {
        Box::pin(async move { self.explain(self.client.glob(query).await).await })
    }

    fn freeze(&self) -> Answer<'_, ()> {
        Box::pin(async move { self.explain(self.link.hold(self.id, true).await).await })
    }

    fn thaw(&self) -> Answer<'_, ()> {
        Box::pin(async move { self.explain(self.link.hold(self.id, false).await).await })
    }

    fn stop(&self) -> Answer<'_, ()> {
        Box::pin(async move { self.link.stop(self.id, &self.end).await })
    }
}
