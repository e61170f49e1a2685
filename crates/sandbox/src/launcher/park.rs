//! Children that are made ahead: cloned into their namespaces and control groups, with the template's root built,
//! waiting for an order. Each is used once; none is handed on.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};

use super::cgroups::{Cgroups, Group};
use super::child::{self, Start};
use super::ids::{self, Mode, Slots};
use super::order::{Fault, Order, Template, send};
use super::root::at;
use super::sandboxes::{Shared, label_of};
use super::{bwrap, sys};

/// A child without an order.
pub(super) struct Child {
    pub(super) pid: i32,
    pub(super) slot: Option<u32>,
    pub(super) group: Group,
    orders: File,
    pub(super) faults: Faults,
}

/// Closes when the child has become the guest; before, it may tell why it could not.
pub(super) struct Faults(File);

impl Faults {
    pub(super) fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Waits until the child is the guest, or says why it is not.
    pub(super) fn wait(&mut self) -> Result<(), Fault> {
        let mut text = Vec::new();
        self.0.read_to_end(&mut text).map_err(at("wait for the guest"))?;
        if text.is_empty() {
            return Ok(());
        }
        Err(serde_json::from_slice(&text)
            .unwrap_or_else(|_| Fault::Other("the sandbox died while it began".to_owned())))
    }
}

impl Child {
    /// Hands the order over; the child does it whether it is ready yet or not.
    pub(super) fn order(&mut self, order: &Order) -> Result<(), Fault> {
        send(&mut self.orders, order).map_err(at("hand the order over"))
    }

    /// Ends a child that got no order and frees what it held.
    pub(super) fn discard(self, slots: &mut Slots) {
        let pid = Pid::from_raw(self.pid);
        let _ = kill(pid, Signal::SIGKILL);
        let _ = nix::sys::wait::waitpid(pid, None);
        self.free(slots);
    }

    fn free(self, slots: &mut Slots) {
        self.group.remove();
        if let Some(slot) = self.slot {
            slots.give_back(slot);
        }
    }
}

/// The children that wait, and what they are made of.
#[derive(Default)]
pub(super) struct Park {
    template: Template,
    /// What the template's paths were when the waiting children were made.
    seen: Vec<Option<(u64, u64)>>,
    waiting: VecDeque<Child>,
    /// A child died before it had an order: no more are made ahead until one has become a guest.
    is_broken: bool,
    number: u64,
}

impl Park {
    /// Sets what children are made of.
    pub(super) fn prepare(&mut self, template: Template, slots: &mut Slots) -> Result<(), Fault> {
        self.drain(slots);
        fs::create_dir_all(root_folder(&template)).map_err(at("make the folder of roots"))?;
        if template.bwrap.is_some() {
            bwrap::prepare(&template).map_err(at("prepare for bwrap"))?;
        }
        self.template = template;
        Ok(())
    }

    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    /// A child for an order: one that waits, or a new one.
    pub(super) fn take(&mut self, shared: &Shared, slots: &mut Slots) -> Result<Child, Fault> {
        if !self.waiting.is_empty() && self.seen != look(&self.template) {
            // A file of the template has been replaced: who waits would show the old one.
            self.drain(slots);
        }
        match self.waiting.pop_front() {
            Some(child) => Ok(child),
            None => self.make(shared, slots),
        }
    }

    /// Whether there is room for another that waits.
    pub(super) fn has_room(&self) -> bool {
        !self.is_broken && self.waiting.len() < self.template.parked
    }

    /// Makes one that waits.
    pub(super) fn add(&mut self, shared: &Shared, slots: &mut Slots) {
        let seen = look(&self.template);
        if self.seen != seen {
            self.drain(slots);
            self.seen = seen;
        }
        match self.make(shared, slots) {
            Ok(child) => self.waiting.push_back(child),
            Err(_) => self.is_broken = true,
        }
    }

    /// A guest has begun: making children works.
    pub(super) fn works(&mut self) {
        self.is_broken = false;
    }

    /// Forgets a child that has ended while it waited. `false` where it did not wait.
    pub(super) fn ended(&mut self, pid: i32, slots: &mut Slots) -> bool {
        let Some(place) = self.waiting.iter().position(|child| child.pid == pid) else { return false };
        if let Some(child) = self.waiting.remove(place) {
            child.free(slots);
        }
        self.is_broken = true;
        true
    }

    /// The names of the control groups of those that wait.
    pub(super) fn group_names(&self) -> impl Iterator<Item = String> {
        self.waiting.iter().flat_map(|child| child.group.names())
    }

    /// Ends all that wait.
    pub(super) fn drain(&mut self, slots: &mut Slots) {
        for child in std::mem::take(&mut self.waiting) {
            child.discard(slots);
        }
    }

    fn make(&mut self, shared: &Shared, slots: &mut Slots) -> Result<Child, Fault> {
        self.number += 1;
        let name = format!("parked-{}-{}", std::process::id(), self.number);
        let with_root = shared.mode == Mode::Root && self.template.bwrap.is_none();
        let slot = match with_root {
            true => Some(slots.take().ok_or_else(|| Fault::Other("all ranges of ids are taken".to_owned()))?),
            false => None,
        };
        let group = group(&shared.cgroups, &self.template, &name);
        let made = group.and_then(|group| Ok((clone(&self.template, shared, slot, &group)?, group)));
        match made {
            Ok(((pid, orders, faults), group)) => Ok(Child { pid, slot, group, orders, faults }),
            Err(fault) => {
                if let Some(slot) = slot {
                    slots.give_back(slot);
                }
                Err(fault)
            }
        }
    }
}

fn group(cgroups: &Cgroups, template: &Template, name: &str) -> Result<Group, Fault> {
    cgroups.create(&label_of(&template.runtime), name).map_err(at("make the control groups"))
}

/// Clones the child; gives its number, where it takes orders, and where it tells faults.
fn clone(
    template: &Template,
    shared: &Shared,
    slot: Option<u32>,
    group: &Group,
) -> Result<(i32, File, Faults), Fault> {
    let namespaces = slot.map(ids::namespaces).transpose().map_err(at("make a user namespace"))?;
    let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(at("make a pipe"));
    let ((orders_reader, orders), (faults, faults_writer)) = (pipe()?, pipe()?);
    let start = Start {
        template,
        namespaces: namespaces.as_ref(),
        owner: slot.map_or(ids::AGENT, ids::base_of),
        root: &root_folder(template),
        group,
        limit_each_process: !shared.cgroups.controllers().contains("memory"),
        guest: shared.guest.as_fd(),
        filter: &shared.filter,
    };
    // Without root, a clone that nobody may look into could not be given its id.
    prctl::set_dumpable(slot.is_none()).map_err(at("begin a clone"))?;
    let flags = if template.bwrap.is_some() { 0 } else { child::clone_flags(slot.is_some()) };
    let cloned = sys::clone_process(flags);
    if !matches!(cloned, Ok(None)) {
        prctl::set_dumpable(false).map_err(at("end a clone"))?;
    }
    let cloned = cloned.map_err(|error| Fault::Unsupported {
        missing: format!("new namespaces ({error})"),
        fix: "allow user namespaces: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, \
              kernel.apparmor_restrict_unprivileged_userns=0"
            .to_owned(),
    })?;
    let Some(pid) = cloned else { child::run(&start, orders_reader, faults_writer) };
    let mut orders = File::from(orders);
    if slot.is_none() && template.bwrap.is_none() {
        ids::map_single_id(pid).map_err(at("map the user"))?;
        orders.write_all(b"g").map_err(at("begin"))?;
    }
    Ok((pid, orders, Faults(File::from(faults))))
}

/// The folder that every root covers while it is built; each child has mounts of its own.
fn root_folder(template: &Template) -> PathBuf {
    template.runtime.join("root")
}

/// What lies at the template's paths now.
fn look(template: &Template) -> Vec<Option<(u64, u64)>> {
    let identity = |path: &PathBuf| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    template.shown.iter().map(|(host, _)| identity(host)).collect()
}
