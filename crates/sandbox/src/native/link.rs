//! The server's end of the launcher: starts it, sends orders, and hears what became of each sandbox.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::SandboxId;
use tokio::sync::{oneshot, watch};

use super::{LauncherProgram, NativeConfig};
use crate::error::{FileFault, SandboxError, WhileDoing as _};
use crate::launcher::{Command, Fault, Notice, Order, ROLE, Template, receive, send};

/// How long the launcher may take for an order; far beyond what it needs on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running launcher.
#[derive(Debug)]
pub(super) struct Link {
    control: Mutex<UnixStream>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Why there is no launcher any more.
    dead: Option<String>,
    creating: HashMap<SandboxId, oneshot::Sender<Result<Vec<PathBuf>, Fault>>>,
    alive: HashMap<SandboxId, watch::Sender<Option<String>>>,
    holding: HashMap<SandboxId, Vec<oneshot::Sender<Result<(), String>>>>,
    reaping: Vec<oneshot::Sender<Vec<SandboxId>>>,
}

/// Tells when and why a sandbox ended.
#[derive(Debug, Clone)]
pub(super) struct End(watch::Receiver<Option<String>>);

impl End {
    /// Why it ended, where it has.
    pub(super) fn cause(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Waits for the end, at most so long.
    pub(super) async fn wait(&self, limit: Duration) -> Option<String> {
        let mut receiver = self.0.clone();
        let ended = tokio::time::timeout(limit, receiver.wait_for(Option::is_some)).await;
        ended.ok()?.ok()?.clone()
    }
}

impl Link {
    /// Starts a launcher and a thread that listens to it.
    pub(super) fn start(config: &NativeConfig, template: &Template) -> Result<Arc<Self>, SandboxError> {
        make_runtime_dir(&config.runtime_dir).while_doing("make the runtime folder")?;
        let (ours, theirs) = UnixStream::pair().while_doing("make the launcher's socket")?;
        let reader = ours.try_clone().while_doing("make the launcher's socket")?;
        let shared = Arc::new(Mutex::new(Shared::default()));
        let heard = Arc::clone(&shared);
        let program = config.launcher.clone();
        std::thread::Builder::new()
            .name("sandbox-launcher".to_owned())
            .spawn(move || match start_launcher(&program, theirs) {
                // Whoever starts us has better to do than to wait for another program.
                Ok(child) => listen(reader, child, &heard),
                Err(error) => close(&heard, &format!("the sandbox launcher could not be started ({error})")),
            })
            .while_doing("listen to the sandbox launcher")?;
        let link = Arc::new(Self { control: Mutex::new(ours), shared });
        link.send(&Command::Prepare(Box::new(template.clone())))?;
        Ok(link)
    }

    /// Whether the launcher runs.
    pub(super) fn is_alive(&self) -> bool {
        self.lock().dead.is_none()
    }

    fn dead(&self) -> SandboxError {
        let cause = self.lock().dead.clone();
        SandboxError::Gone { cause: cause.unwrap_or_else(|| "the sandbox launcher died".to_owned()) }
    }

    /// Makes a sandbox; gives its control groups, where there are any.
    pub(super) async fn create(&self, order: Order) -> Result<(End, Vec<PathBuf>), SandboxError> {
        let id = order.id;
        let (created, answer) = oneshot::channel();
        let (ended, end) = watch::channel(None);
        {
            let mut shared = self.lock();
            shared.creating.insert(id, created);
            shared.alive.insert(id, ended);
        }
        self.send(&Command::Create(Box::new(order)))?;
        // Who stops waiting leaves no sandbox behind that nobody knows.
        let guard = StopUnlessKept { link: self, id, kept: false };
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        match answer {
            Ok(Ok(Ok(groups))) => {
                guard.keep();
                Ok((End(end), groups))
            }
            Ok(Ok(Err(fault))) => Err(error_of(fault)),
            Ok(Err(_)) => Err(self.dead()),
            Err(_) => Err(SandboxError::Gone { cause: "the sandbox launcher does not answer".to_owned() }),
        }
    }

    /// Ends a sandbox; one that has ended already is fine.
    pub(super) async fn stop(&self, id: SandboxId, end: &End) -> Result<(), SandboxError> {
        if end.cause().is_some() || !self.is_alive() {
            return Ok(());
        }
        self.send(&Command::Stop(id))?;
        match end.wait(PATIENCE).await {
            Some(_) => Ok(()),
            None if !self.is_alive() => Ok(()),
            None => Err(SandboxError::Internal {
                doing: "stop a sandbox",
                source: "the launcher does not answer".into(),
            }),
        }
    }

    /// Stops all processes of a sandbox where they are, or lets them go on.
    pub(super) async fn hold(&self, id: SandboxId, frozen: bool) -> Result<(), SandboxError> {
        let (held, answer) = oneshot::channel();
        self.lock().holding.entry(id).or_default().push(held);
        self.send(&Command::Hold { id, frozen })?;
        let answer = tokio::time::timeout(PATIENCE, answer).await.while_doing("freeze a sandbox")?;
        answer.map_err(|_| self.dead())?.while_doing("freeze a sandbox")
    }

    /// Ends a sandbox without waiting for it.
    pub(super) fn abandon(&self, id: SandboxId, end: &End) {
        if end.cause().is_none() && self.is_alive() {
            let _ = self.send(&Command::Stop(id));
        }
    }

    /// Removes what is not among `keep`.
    pub(super) async fn reap(
        &self,
        runtime: PathBuf,
        keep: Vec<SandboxId>,
    ) -> Result<Vec<SandboxId>, SandboxError> {
        let (reaped, answer) = oneshot::channel();
        self.lock().reaping.push(reaped);
        self.send(&Command::Reap { runtime, keep })?;
        let answer = tokio::time::timeout(PATIENCE, answer).await.while_doing("reap sandboxes")?;
        answer.while_doing("reap sandboxes")
    }

    fn send(&self, command: &Command) -> Result<(), SandboxError> {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        send(&*control, command)
            .map_err(|error| SandboxError::Gone { cause: format!("the sandbox launcher died ({error})") })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The listening thread holds a copy of the socket, which would keep the launcher alive.
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = control.shutdown(std::net::Shutdown::Write);
    }
}

struct StopUnlessKept<'a> {
    link: &'a Link,
    id: SandboxId,
    kept: bool,
}

impl StopUnlessKept<'_> {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for StopUnlessKept<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = self.link.send(&Command::Stop(self.id));
        }
    }
}

/// Hears the launcher until it ends.
fn listen(control: UnixStream, mut child: Child, shared: &Mutex<Shared>) {
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    while let Ok(Some(notice)) = receive(&control) {
        let mut shared = lock();
        match notice {
            Notice::Created(id, groups) => answer(shared.creating.remove(&id), Ok(groups)),
            Notice::NotCreated(id, fault) => {
                shared.alive.remove(&id);
                answer(shared.creating.remove(&id), Err(fault));
            }
            Notice::Ended(id, cause) => {
                shared.holding.remove(&id);
                if let Some(end) = shared.alive.remove(&id) {
                    end.send_replace(Some(cause));
                }
            }
            Notice::Held(id, result) => {
                let waiting = shared.holding.get_mut(&id).filter(|waiting| !waiting.is_empty());
                answer(waiting.map(|waiting| waiting.remove(0)), result);
            }
            Notice::Reaped(ids) => {
                if !shared.reaping.is_empty() {
                    answer(Some(shared.reaping.remove(0)), ids);
                }
            }
        }
    }
    // Its sandboxes die with it: the kernel sees to that.
    let _ = child.wait();
    close(shared, "the sandbox launcher died");
}

/// Tells everybody that there is no launcher.
fn close(shared: &Mutex<Shared>, cause: &str) {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    shared.dead = Some(cause.to_owned());
    shared.creating.clear();
    shared.reaping.clear();
    shared.holding.clear();
    for (_, end) in shared.alive.drain() {
        end.send_replace(Some(cause.to_owned()));
    }
}

/// Tells who asked; one who does not wait any more does not mind.
fn answer<T>(asker: Option<oneshot::Sender<T>>, value: T) {
    if let Some(asker) = asker {
        let _ = asker.send(value);
    }
}

/// The folder is ours alone: whoever could write to it, or to the one above, could put another socket in a
/// sandbox's place.
fn make_runtime_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let us = nix::unistd::Uid::effective().as_raw();
    let metadata = std::fs::symlink_metadata(path)?;
    let above = path.parent().map(std::fs::symlink_metadata).transpose()?;
    let above_is_safe = above.is_none_or(|above| {
        // In /tmp, which is everybody's, nobody can rename what is ours.
        let (owner, mode) = (above.uid(), above.permissions().mode());
        above.is_dir() && (owner == us || owner == 0) && (mode & 0o022 == 0 || mode & 0o1000 != 0)
    });
    if !metadata.is_dir() || metadata.uid() != us || !above_is_safe {
        return Err(io::Error::other(format!(
            "{} or the folder above it is not safe from others",
            path.display()
        )));
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

#[expect(clippy::disallowed_methods, reason = "starting the launcher is this crate's business")]
fn start_launcher(program: &LauncherProgram, control: UnixStream) -> io::Result<Child> {
    let path = match program {
        LauncherProgram::ThisProgram => PathBuf::from("/proc/self/exe"),
        LauncherProgram::Path(path) => path.clone(),
    };
    Program::new(path)
        .arg(ROLE)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(control)))
        .stdout(Stdio::null())
        .spawn()
}

fn error_of(fault: Fault) -> SandboxError {
    match fault {
        Fault::Unsupported { missing, fix } => SandboxError::Unsupported { missing, fix },
        Fault::DiskFull { path } => SandboxError::DiskFull { path: path.display().to_string() },
        Fault::Path { path, message } => {
            SandboxError::File { path: path.display().to_string(), message, fault: FileFault::Other }
        }
        Fault::Other(text) => SandboxError::Internal { doing: "make a sandbox", source: text.into() },
    }
}
