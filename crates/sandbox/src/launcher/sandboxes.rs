//! The living sandboxes of this launcher: makes them, kills them, frees what they held.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use domain::SandboxId;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};
use sha2::{Digest as _, Sha256};

use super::cgroups::{Cgroups, Group};
use super::child::{self, Start};
use super::ids::{self, Mode, Namespaces, STORAGE, Slots};
use super::order::{Fault, Order};
use super::root::at;
use super::seccomp::{self, Instruction};
use super::{guest_image, sys};
use crate::layout;

/// The most that /tmp and /dev/shm each may hold.
const TEMPORARY_BYTES: u64 = 2 << 30;

/// What all sandboxes share, and which of them live.
pub(super) struct Sandboxes {
    mode: Mode,
    cgroups: Cgroups,
    guest: OwnedFd,
    filter: Vec<Instruction>,
    slots: Slots,
    alive: HashMap<SandboxId, Alive>,
}

/// One living sandbox.
struct Alive {
    pid: i32,
    slot: Option<u32>,
    group: Group,
    folder: PathBuf,
    deadline: Option<Instant>,
    /// Why we killed it, where we did.
    cause: Option<&'static str>,
}

impl Sandboxes {
    /// Prepares what all share.
    pub(super) fn new() -> io::Result<Self> {
        let mode = Mode::of_this_process();
        let cgroups = if mode == Mode::Root { Cgroups::find() } else { Cgroups::default() };
        Ok(Self {
            mode,
            cgroups,
            guest: guest_image::sealed()?,
            filter: seccomp::program(),
            slots: Slots::default(),
            alive: HashMap::new(),
        })
    }

    /// Makes a sandbox; its guest's program runs when this returns.
    pub(super) fn create(&mut self, mut order: Order) -> Result<(), Fault> {
        if self.alive.contains_key(&order.id) {
            return Err(Fault::Other(format!("{} lives already", order.id)));
        }
        order.setup.run_as = child::command_user(self.mode == Mode::Root);
        prepare_state(&order, self.mode)?;
        let folder = order.runtime.join(order.id.to_string());
        let listener = listen(&folder)?;
        let mut alive = Alive {
            pid: 0,
            slot: None,
            group: Group::default(),
            folder,
            deadline: now().checked_add(order.limits.wall),
            cause: None,
        };
        let result = self.start(&order, &listener, &mut alive);
        if result.is_ok() {
            self.alive.insert(order.id, alive);
        } else {
            self.free(&alive);
        }
        result
    }

    fn start(&mut self, order: &Order, listener: &UnixListener, alive: &mut Alive) -> Result<(), Fault> {
        let namespaces = self.namespaces(order, alive)?;
        let label = label_of(&order.runtime);
        alive.group = self
            .cgroups
            .create(&label, &order.id.to_string(), &order.limits)
            .map_err(at("make the control groups"))?;
        let setup = setup_pipe(order)?;
        let (go_reader, go_writer) = pipe2(OFlag::O_CLOEXEC).map_err(at("make a pipe"))?;
        let (fault_reader, fault_writer) = pipe2(OFlag::O_CLOEXEC).map_err(at("make a pipe"))?;
        let with_root = self.mode == Mode::Root;
        let start = Start {
            order,
            namespaces: namespaces.as_ref(),
            owner: alive.slot.map_or(ids::AGENT, ids::base_of),
            root: alive.folder.join("root"),
            temporary_bytes: (order.limits.memory_bytes / 2).clamp(1 << 20, TEMPORARY_BYTES),
            limit_each_process: !self.cgroups.controllers().contains("memory"),
            guest: self.guest.as_fd(),
            listener: listener.as_fd(),
            setup: setup.as_fd(),
            filter: &self.filter,
        };
        let cloned = sys::clone_process(child::clone_flags(with_root)).map_err(|error| Fault::Unsupported {
            missing: format!("new namespaces ({error})"),
            fix: "allow user namespaces: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, \
                  kernel.apparmor_restrict_unprivileged_userns=0"
                .to_owned(),
        })?;
        let Some(pid) = cloned else {
            drop((go_writer, fault_reader));
            child::run(&start, go_reader, fault_writer)
        };
        alive.pid = pid;
        drop((go_reader, fault_writer));
        if with_root {
            alive.group.attach(pid).map_err(at("enter the control groups"))?;
        } else {
            ids::map_single_id(pid).map_err(at("map the user"))?;
        }
        // A child that has ended meanwhile says why below.
        let _ = File::from(go_writer).write_all(b"g");
        wait_for_guest(fault_reader)
    }

    fn namespaces(&mut self, order: &Order, alive: &mut Alive) -> Result<Option<Namespaces>, Fault> {
        if self.mode == Mode::User {
            return Ok(None);
        }
        let slot = self.slots.take().ok_or_else(|| Fault::Other("all ranges of ids are taken".to_owned()))?;
        alive.slot = Some(slot);
        ids::namespaces(slot, order.workspace_base.as_deref()).map(Some).map_err(at("make a user namespace"))
    }

    /// Kills a sandbox; [`Sandboxes::ended`] tells when it is gone. `false` where it does not live.
    pub(super) fn kill(&mut self, id: SandboxId, cause: &'static str) -> bool {
        let Some(alive) = self.alive.get_mut(&id) else { return false };
        alive.cause.get_or_insert(cause);
        let _ = kill(Pid::from_raw(alive.pid), Signal::SIGKILL);
        true
    }

    /// Frees what the sandbox whose process 1 was `pid` held; says which it was and why it ended.
    pub(super) fn ended(&mut self, pid: i32, status: &str) -> Option<(SandboxId, String)> {
        let id = self.alive.iter().find(|(_, alive)| alive.pid == pid).map(|(id, _)| *id)?;
        let mut alive = self.alive.remove(&id)?;
        // It has been waited for: the number may already be another process.
        alive.pid = 0;
        let cause = match alive.cause {
            Some(cause) => cause.to_owned(),
            None if alive.group.killed_for_memory() > 0 => "it ran out of memory".to_owned(),
            None => format!("its first process {status}"),
        };
        self.free(&alive);
        Some((id, cause))
    }

    /// Kills those whose time is over; says when to look again.
    pub(super) fn kill_overdue(&mut self) -> Option<Duration> {
        let now = now();
        let overdue = |alive: &Alive| alive.cause.is_none() && alive.deadline.is_some_and(|end| end <= now);
        let ids: Vec<SandboxId> =
            self.alive.iter().filter(|(_, alive)| overdue(alive)).map(|(id, _)| *id).collect();
        for id in ids {
            self.kill(id, "its time was up");
        }
        let waiting = self.alive.values().filter(|alive| alive.cause.is_none());
        waiting.filter_map(|alive| alive.deadline).min().map(|end| end.saturating_duration_since(now))
    }

    /// Which live.
    pub(super) fn alive(&self) -> Vec<SandboxId> {
        self.alive.keys().copied().collect()
    }

    /// Removes what dead launchers of the same owner left; says which sandboxes that were.
    pub(super) fn remove_leftovers(&self, runtime: &Path, keep: &[SandboxId]) -> Vec<SandboxId> {
        let stays = |id: &SandboxId| keep.contains(id) || self.alive.contains_key(id);
        let mut removed = std::collections::BTreeSet::new();
        for (name, group) in self.cgroups.existing(&label_of(runtime)) {
            let id: Option<SandboxId> = name.parse().ok();
            if !id.as_ref().is_some_and(stays) {
                group.remove();
                removed.extend(id);
            }
        }
        for entry in fs::read_dir(runtime).into_iter().flatten().filter_map(Result::ok) {
            let id = entry.file_name().to_str().and_then(|name| name.parse::<SandboxId>().ok());
            if let Some(id) = id.filter(|id| !stays(id)) {
                let _ = fs::remove_dir_all(entry.path());
                removed.insert(id);
            }
        }
        removed.into_iter().collect()
    }

    fn free(&mut self, alive: &Alive) {
        if alive.pid > 0 {
            let _ = kill(Pid::from_raw(alive.pid), Signal::SIGKILL);
            let _ = nix::sys::wait::waitpid(Pid::from_raw(alive.pid), None);
        }
        alive.group.remove();
        if let Some(slot) = alive.slot {
            self.slots.give_back(slot);
        }
        let _ = fs::remove_dir_all(&alive.folder);
        if self.alive.is_empty() {
            // Nothing is left of an owner that has nothing; a folder that still holds something stays.
            let _ = alive.folder.parent().map(fs::remove_dir);
        }
    }
}

/// Makes the folders of the state that are missing, owned as the sandbox will see them.
fn prepare_state(order: &Order, mode: Mode) -> Result<(), Fault> {
    let fault = |path: &Path, error: &io::Error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Fault::DiskFull { path: path.to_owned() }
        }
        _ => Fault::Path { path: path.to_owned(), message: error.to_string() },
    };
    let state = &order.state;
    fs::create_dir_all(state).map_err(|error| fault(state, &error))?;
    // Others on this host have no business in it; the sandbox reaches it by descriptor.
    fs::set_permissions(state, fs::Permissions::from_mode(0o700)).map_err(|error| fault(state, &error))?;
    let mut folders = vec![state.join(layout::HOME_STATE), state.join(layout::GUEST_STATE)];
    if order.workspace_base.is_some() {
        let overlay = state.join(layout::OVERLAY_STATE);
        folders.extend([overlay.clone(), overlay.join("upper"), overlay.join("work")]);
    } else {
        folders.push(state.join(layout::WORKSPACE_STATE));
    }
    for folder in folders {
        match fs::DirBuilder::new().mode(0o755).create(&folder) {
            Ok(()) if mode == Mode::Root => {
                let owner = Some(STORAGE + ids::AGENT);
                std::os::unix::fs::chown(&folder, owner, owner).map_err(|error| fault(&folder, &error))?;
            }
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(fault(&folder, &error)),
        }
    }
    Ok(())
}

/// Makes the sandbox's folder on the host with the guest's socket in it.
fn listen(folder: &Path) -> Result<UnixListener, Fault> {
    let make = || {
        let _ = fs::remove_dir_all(folder);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join("root"))?;
        UnixListener::bind(folder.join(super::SOCKET))
    };
    make().map_err(at("make the sandbox's socket"))
}

/// A pipe that holds the guest's setup.
fn setup_pipe(order: &Order) -> Result<OwnedFd, Fault> {
    let json = serde_json::to_vec(&order.setup).map_err(at("encode the guest's setup"))?;
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(at("make a pipe"))?;
    File::from(writer).write_all(&json).map_err(at("hand the guest's setup over"))?;
    let flags = nix::fcntl::FcntlArg::F_SETFL(OFlag::empty());
    nix::fcntl::fcntl(&reader, flags).map_err(at("hand the guest's setup over"))?;
    Ok(reader)
}

/// Waits until the guest's program has begun, or says why it has not.
fn wait_for_guest(faults: OwnedFd) -> Result<(), Fault> {
    let mut text = Vec::new();
    File::from(faults).read_to_end(&mut text).map_err(at("wait for the guest"))?;
    if text.is_empty() {
        return Ok(());
    }
    Err(serde_json::from_slice(&text)
        .unwrap_or_else(|_| Fault::Other("the sandbox died while it began".to_owned())))
}

/// The name under which an owner's control groups lie: each runtime folder has one of its own.
fn label_of(runtime: &Path) -> String {
    let digest = Sha256::digest(runtime.as_os_str().as_encoded_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[expect(clippy::disallowed_methods, reason = "the launcher has no runtime; it ends what outlives its time")]
fn now() -> Instant {
    Instant::now()
}
