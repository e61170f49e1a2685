//! The living sandboxes of this launcher: makes them, kills them, frees what they held.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use domain::SandboxId;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sha2::{Digest as _, Sha256};

use super::cgroups::{Cgroups, Group};
use super::guest_image;
use super::ids::{Mode, Slots};
use super::order::{Fault, Order, Template};
use super::park::{Faults, Park};
use super::seccomp::{self, Instruction};

/// How long after the last create the park is filled again: the first commands come first.
const REFILL_AFTER: Duration = Duration::from_millis(5);

/// What all sandboxes share.
pub(super) struct Shared {
    pub(super) mode: Mode,
    pub(super) cgroups: Cgroups,
    pub(super) guest: OwnedFd,
    pub(super) filter: Vec<Instruction>,
}

/// What all sandboxes share, who waits to become one, and which live.
pub(super) struct Sandboxes {
    shared: Shared,
    slots: Slots,
    park: Park,
    refill_at: Option<Instant>,
    alive: HashMap<SandboxId, Alive>,
}

/// One living sandbox.
struct Alive {
    pid: i32,
    slot: Option<u32>,
    group: Group,
    folder: PathBuf,
    deadline: Option<Instant>,
    /// While its guest has not begun.
    starting: Option<Faults>,
    /// Why we killed it, where we did.
    cause: Option<&'static str>,
}

/// What became of a sandbox.
pub(super) enum Fate {
    NotCreated(Fault),
    Ended(String),
}

impl Sandboxes {
    /// Prepares what all share.
    pub(super) fn new() -> io::Result<Self> {
        let mode = Mode::of_this_process();
        let cgroups = if mode == Mode::Root { Cgroups::find() } else { Cgroups::default() };
        let (guest, filter) = (guest_image::sealed()?, seccomp::program());
        Ok(Self {
            shared: Shared { mode, cgroups, guest, filter },
            slots: Slots::default(),
            park: Park::default(),
            refill_at: None,
            alive: HashMap::new(),
        })
    }

    /// Sets what sandboxes are made of and begins to park children.
    pub(super) fn prepare(&mut self, template: Template) -> Result<(), Fault> {
        self.park.prepare(template, &mut self.slots)?;
        self.refill_at = Some(now());
        Ok(())
    }

    /// Begins a sandbox; [`Sandboxes::starting`] and [`Sandboxes::begun`] tell what becomes of it.
    pub(super) fn create(&mut self, order: &Order) -> Result<(), Fault> {
        if self.alive.contains_key(&order.id) {
            return Err(Fault::Other(format!("{} lives already", order.id)));
        }
        let mut child = self.park.take(&self.shared, &mut self.slots)?;
        if child.order(order).is_err() {
            // It died while it waited; a new one tells why, if it does too.
            child.discard(&mut self.slots);
            child = self.park.take(&self.shared, &mut self.slots)?;
            child.order(order)?;
        }
        let limited = child.group.limit(&order.limits);
        self.refill_at = Some(now() + REFILL_AFTER);
        let alive = Alive {
            pid: child.pid,
            slot: child.slot,
            group: child.group,
            folder: self.park.template().runtime.join(order.id.to_string()),
            deadline: now().checked_add(order.limits.wall),
            starting: Some(child.faults),
            cause: None,
        };
        if let Err(error) = limited {
            self.free(alive);
            return Err(Fault::Other(format!("set the limits: {error}")));
        }
        self.alive.insert(order.id, alive);
        Ok(())
    }

    /// Those whose guest has not begun: what is readable when it has, or has failed.
    pub(super) fn starting(&self) -> Vec<(SandboxId, BorrowedFd<'_>)> {
        let starting = |(id, alive): (&SandboxId, _)| -> Option<(SandboxId, BorrowedFd<'_>)> {
            let alive: &Alive = alive;
            Some((*id, alive.starting.as_ref()?.fd()))
        };
        self.alive.iter().filter_map(starting).collect()
    }

    /// Takes note that a guest has begun; a fault says why it has not, and nothing of the sandbox is left.
    pub(super) fn begun(&mut self, id: SandboxId) -> Option<Result<Vec<PathBuf>, Fault>> {
        let alive = self.alive.get_mut(&id)?;
        if let Err(fault) = alive.starting.take()?.wait() {
            if let Some(alive) = self.alive.remove(&id) {
                self.free(alive);
            }
            return Some(Err(fault));
        }
        alive.group.rename(&id.to_string());
        self.park.works();
        Some(Ok(alive.group.folders().cloned().collect()))
    }

    /// Makes a child that waits, where it is time for that and nobody waits for us.
    pub(super) fn refill(&mut self) {
        let is_time = self.refill_at.is_some_and(|at| at <= now());
        if !is_time || self.alive.values().any(|alive| alive.starting.is_some()) {
            return;
        }
        self.refill_at = None;
        if self.park.has_room() {
            self.park.add(&self.shared, &mut self.slots);
            self.refill_at = self.park.has_room().then(|| now() + REFILL_AFTER);
        }
    }

    /// How long nothing is to be done.
    pub(super) fn idle_for(&mut self) -> Option<Duration> {
        let waits = self.alive.values().any(|alive| alive.starting.is_some());
        let refill = self.refill_at.filter(|_| !waits).map(|at| at.saturating_duration_since(now()));
        [self.kill_overdue(), refill].into_iter().flatten().min()
    }

    /// Stops all processes of a sandbox where they are, or lets them go on.
    pub(super) fn hold(&self, id: SandboxId, frozen: bool) -> Result<(), String> {
        let alive = self.alive.get(&id).ok_or("it is gone")?;
        alive.group.hold(frozen).map_err(|error| error.to_string())
    }

    /// Kills a sandbox; [`Sandboxes::ended`] tells when it is gone. `false` where it does not live.
    pub(super) fn kill(&mut self, id: SandboxId, cause: &'static str) -> bool {
        let Some(alive) = self.alive.get_mut(&id) else { return false };
        alive.cause.get_or_insert(cause);
        kill_first(alive.pid);
        // What is frozen cannot die.
        let _ = alive.group.thaw();
        true
    }

    /// Frees what the sandbox whose process 1 was `pid` held; says which it was and what became of it.
    pub(super) fn ended(&mut self, pid: i32, status: &str) -> Option<(SandboxId, Fate)> {
        if self.park.ended(pid, &mut self.slots) {
            return None;
        }
        let id = self.alive.iter().find(|(_, alive)| alive.pid == pid).map(|(id, _)| *id)?;
        let mut alive = self.alive.remove(&id)?;
        // It has been waited for: the number may already be another process.
        alive.pid = 0;
        let cause = match alive.cause {
            Some(cause) => cause.to_owned(),
            None if alive.group.killed_for_memory() > 0 => "it ran out of memory".to_owned(),
            None => format!("its first process {status}"),
        };
        let told = alive.starting.as_mut().map(Faults::wait);
        self.free(alive);
        let fate = match told {
            Some(Err(fault)) => Fate::NotCreated(fault),
            Some(Ok(())) => Fate::NotCreated(Fault::Other(cause)),
            None => Fate::Ended(cause),
        };
        Some((id, fate))
    }

    /// Kills those whose time is over; says when to look again.
    fn kill_overdue(&mut self) -> Option<Duration> {
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
        let of_living = self.alive.values().flat_map(|alive| alive.group.names());
        let ours: BTreeSet<String> = self.park.group_names().chain(of_living).collect();
        let mut removed = BTreeSet::new();
        for (name, group) in self.shared.cgroups.existing(&label_of(runtime)) {
            let id: Option<SandboxId> = name.parse().ok();
            if !ours.contains(&name) && !id.as_ref().is_some_and(stays) {
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

    /// Ends all that wait. The owner's folder stays, empty: the next owner of the same data may be about to use it.
    pub(super) fn end(&mut self) {
        self.park.drain(&mut self.slots);
    }

    fn free(&mut self, alive: Alive) {
        if alive.pid > 0 {
            let _ = kill(Pid::from_raw(alive.pid), Signal::SIGKILL);
            let _ = nix::sys::wait::waitpid(Pid::from_raw(alive.pid), None);
        }
        alive.group.remove();
        if let Some(slot) = alive.slot {
            self.slots.give_back(slot);
        }
        let _ = fs::remove_dir_all(&alive.folder);
    }
}

/// Kills process 1 of a sandbox. Where bubblewrap stands above it, that ends once it has; the kernel has then killed
/// the others.
fn kill_first(pid: i32) {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let below = children.split_whitespace().filter_map(|child| child.parse().ok());
    let is_bwrap = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path.ends_with("bwrap"));
    let targets: Vec<i32> = if is_bwrap { below.collect() } else { Vec::new() };
    for target in if targets.is_empty() { vec![pid] } else { targets } {
        let _ = kill(Pid::from_raw(target), Signal::SIGKILL);
    }
}

/// The name under which an owner's control groups lie: each runtime folder has one of its own.
pub(super) fn label_of(runtime: &Path) -> String {
    let digest = Sha256::digest(runtime.as_os_str().as_encoded_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[expect(clippy::disallowed_methods, reason = "the launcher has no runtime; it ends what outlives its time")]
fn now() -> Instant {
    Instant::now()
}
