//! Control groups: what all processes of a sandbox together may use, and a sure way to find them all.
//!
//! Version 1, version 2 and the hybrid of both; where nothing may be written there are none, and the provider
//! says so.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::provider::SandboxLimits;

/// The controllers that limits and freezing need.
const WANTED: [&str; 4] = ["memory", "pids", "cpu", FREEZER];

/// A controller of version 1; version 2 always can.
const FREEZER: &str = "freezer";

const ROOT: &str = "journeyman";

/// How long emptied groups may take to be removable: the kernel frees a dead process a little later.
const REMOVE_ATTEMPTS: u32 = 200;

/// The hierarchies that this process may write to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cgroups {
    hierarchies: Vec<Hierarchy>,
}

#[derive(Debug, Clone)]
struct Hierarchy {
    version: Version,
    controllers: BTreeSet<&'static str>,
    /// The group under which ours lie.
    folder: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Cgroups {
    /// Finds the hierarchies and makes our group in each; those that refuse are left out.
    pub(crate) fn find() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut found = Self::default();
        for mount in mounts.lines().filter_map(Mount::parse) {
            let Some(mut hierarchy) = mount.hierarchy(&own) else { continue };
            let had = found.controllers();
            hierarchy.controllers.retain(|controller| !had.contains(controller));
            if !hierarchy.controllers.is_empty() && hierarchy.prepare().is_ok() {
                found.hierarchies.push(hierarchy);
            }
        }
        found
    }

    /// What there is: `memory`, `pids`, `cpu`, `freezer`.
    pub(crate) fn controllers(&self) -> BTreeSet<&'static str> {
        self.hierarchies.iter().flat_map(|hierarchy| hierarchy.controllers.iter().copied()).collect()
    }

    /// Makes the groups of a sandbox to come.
    pub(crate) fn create(&self, label: &str, name: &str) -> io::Result<Group> {
        let mut group = Group::default();
        for hierarchy in &self.hierarchies {
            let owner = hierarchy.folder.join(label);
            make_folder(&owner)?;
            if hierarchy.version == Version::Two {
                hierarchy.delegate(&owner)?;
            }
            let folder = owner.join(name);
            make_folder(&folder)?;
            group.parts.push(Part { hierarchy: hierarchy.clone(), folder });
        }
        Ok(group)
    }

    /// The groups of this owner, by id.
    pub(crate) fn existing(&self, label: &str) -> Vec<(String, Group)> {
        let mut ids = BTreeSet::new();
        for hierarchy in &self.hierarchies {
            let entries = fs::read_dir(hierarchy.folder.join(label)).into_iter().flatten();
            let folders = entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
            ids.extend(folders.filter_map(|entry| entry.file_name().into_string().ok()));
        }
        ids.into_iter()
            .map(|id| {
                let parts = self.hierarchies.iter().map(|hierarchy| Part {
                    hierarchy: hierarchy.clone(),
                    folder: hierarchy.folder.join(label).join(&id),
                });
                let group = Group { parts: parts.filter(|part| part.folder.is_dir()).collect() };
                (id, group)
            })
            .collect()
    }
}

/// The groups of one sandbox.
#[derive(Debug, Default)]
pub(crate) struct Group {
    parts: Vec<Part>,
}

/// The group in one hierarchy.
#[derive(Debug)]
struct Part {
    hierarchy: Hierarchy,
    folder: PathBuf,
}

impl Group {
    /// Puts the calling process in. The first of several writes waits for the kernel's other readers, 7 to 15 ms on
    /// an idle machine with version 1, the rest of them not.
    pub(crate) fn enter(&self) -> io::Result<()> {
        self.folders().try_for_each(|folder| fs::write(folder.join("cgroup.procs"), "0"))
    }

    /// Sets the limits.
    pub(crate) fn limit(&self, limits: &SandboxLimits) -> io::Result<()> {
        self.parts.iter().try_for_each(|part| part.hierarchy.limit(&part.folder, limits))
    }

    /// Gives it the sandbox's name where the kernel can (version 1).
    pub(crate) fn rename(&mut self, name: &str) {
        for part in self.parts.iter_mut().filter(|part| part.hierarchy.version == Version::One) {
            let new = part.folder.with_file_name(name);
            if fs::rename(&part.folder, &new).is_ok() {
                part.folder = new;
            }
        }
    }

    /// Stops all its processes where they are, or lets them go on.
    pub(crate) fn hold(&self, frozen: bool) -> io::Result<()> {
        let part = self.parts.iter().find(|part| part.hierarchy.controllers.contains(FREEZER));
        let part = part.ok_or_else(|| io::Error::other("this host has no control group that freezes"))?;
        let folder = &part.folder;
        let (file, value, told, sign) = match (part.hierarchy.version, frozen) {
            (Version::One, true) => ("freezer.state", "FROZEN", "freezer.state", "FROZEN"),
            (Version::One, false) => ("freezer.state", "THAWED", "freezer.state", "THAWED"),
            (Version::Two, true) => ("cgroup.freeze", "1", "cgroup.events", "frozen 1"),
            (Version::Two, false) => ("cgroup.freeze", "0", "cgroup.events", "frozen 0"),
        };
        for attempt in 0..REMOVE_ATTEMPTS {
            // Version 1 may find a process that cannot stop yet: asking again is how it goes on.
            fs::write(folder.join(file), value)?;
            if fs::read_to_string(folder.join(told))?.lines().any(|line| line == sign) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_micros(50 + u64::from(attempt) * 20));
        }
        Err(io::Error::other("a process does not stop"))
    }

    /// Lets its processes go on, without waiting until they do.
    pub(crate) fn thaw(&self) -> io::Result<()> {
        let part = self.parts.iter().find(|part| part.hierarchy.controllers.contains(FREEZER));
        part.map_or(Ok(()), |part| match part.hierarchy.version {
            Version::One => fs::write(part.folder.join("freezer.state"), "THAWED"),
            Version::Two => fs::write(part.folder.join("cgroup.freeze"), "0"),
        })
    }

    /// The names of its folders.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.folders().filter_map(|folder| Some(folder.file_name()?.to_str()?.to_owned()))
    }

    /// Where it lies.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.parts.iter().map(|part| &part.folder)
    }

    /// The processes in it, as the host numbers them.
    pub(crate) fn processes(&self) -> BTreeSet<i32> {
        let lists = self.folders().filter_map(|folder| fs::read_to_string(folder.join("cgroup.procs")).ok());
        lists
            .flat_map(|list| list.lines().filter_map(|line| line.parse().ok()).collect::<Vec<i32>>())
            .collect()
    }

    /// How many processes the kernel has killed for want of memory.
    pub(crate) fn killed_for_memory(&self) -> u64 {
        let files = ["memory.events", "memory.oom_control"];
        let paths = self.folders().flat_map(|folder| files.map(|file| folder.join(file)));
        let texts = paths.filter_map(|path| fs::read_to_string(path).ok());
        texts
            .flat_map(|text| {
                let counts =
                    text.lines().filter_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
                counts.collect::<Vec<u64>>()
            })
            .sum()
    }

    /// Kills what is left in it and removes it.
    pub(crate) fn remove(&self) {
        // What is frozen cannot die.
        let _ = self.thaw();
        for attempt in 0..REMOVE_ATTEMPTS {
            for pid in self.processes() {
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(pid),
                    nix::sys::signal::Signal::SIGKILL,
                );
            }
            for folder in self.folders() {
                let _ = fs::remove_dir(folder);
                // The owner's group goes with its last sandbox; while there are others, this is refused.
                let _ = folder.parent().map(fs::remove_dir);
            }
            if !self.folders().any(|folder| folder.exists()) {
                return;
            }
            std::thread::sleep(Duration::from_micros(100 + u64::from(attempt) * 20));
        }
    }
}

impl Hierarchy {
    fn prepare(&self) -> io::Result<()> {
        make_folder(&self.folder)?;
        if self.version == Version::Two {
            self.folder.parent().map_or(Ok(()), |parent| self.delegate(parent))?;
            self.delegate(&self.folder)?;
        }
        // Looks like a folder that can be written, and may still not be one: the attempt tells.
        let probe = self.folder.join(format!("probe-{}", std::process::id()));
        fs::create_dir(&probe)?;
        fs::remove_dir(&probe)
    }

    /// Lets the groups below `folder` have the controllers.
    fn delegate(&self, folder: &Path) -> io::Result<()> {
        let controllers = self.controllers.iter().filter(|name| **name != FREEZER);
        let names: Vec<String> = controllers.map(|name| format!("+{name}")).collect();
        fs::write(folder.join("cgroup.subtree_control"), names.join(" "))
    }

    fn limit(&self, folder: &Path, limits: &SandboxLimits) -> io::Result<()> {
        let set = |controller: &str, file: &str, value: String| {
            if self.controllers.contains(controller) { fs::write(folder.join(file), value) } else { Ok(()) }
        };
        let memory = limits.memory_bytes.to_string();
        let quota = u64::from(limits.cpu_millis.max(10)) * 100;
        set("pids", "pids.max", limits.processes.to_string())?;
        match self.version {
            Version::One => {
                set("memory", "memory.limit_in_bytes", memory.clone())?;
                // Absent where the kernel does not count swap.
                let _ = set("memory", "memory.memsw.limit_in_bytes", memory);
                set("cpu", "cpu.cfs_quota_us", quota.to_string())
            }
            Version::Two => {
                set("memory", "memory.max", memory)?;
                let _ = set("memory", "memory.swap.max", "0".to_owned());
                set("cpu", "cpu.max", format!("{quota} 100000"))
            }
        }
    }
}

/// A line of /proc/self/mountinfo.
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        Some(Self {
            root: before.next()?,
            point: before.next()?,
            kind: after.next()?,
            options: after.nth(1)?,
        })
    }

    fn hierarchy(&self, own: &str) -> Option<Hierarchy> {
        match self.kind {
            "cgroup" => {
                let names: BTreeSet<&str> = self.options.split(',').collect();
                let controllers: BTreeSet<&'static str> =
                    WANTED.into_iter().filter(|name| names.contains(name)).collect();
                let first = controllers.first()?;
                // Below our own group, so that limits of whoever started us hold for sandboxes too.
                let path = own.lines().find_map(|line| {
                    let mut fields = line.splitn(3, ':').skip(1);
                    fields.next()?.split(',').any(|name| name == *first).then_some(())?;
                    fields.next()
                })?;
                let inside = path.strip_prefix(self.root.trim_end_matches('/')).unwrap_or(path);
                let below = Path::new(self.point).join(inside.trim_start_matches('/'));
                let parent = if below.is_dir() { below } else { PathBuf::from(self.point) };
                Some(Hierarchy { version: Version::One, controllers, folder: parent.join(ROOT) })
            }
            "cgroup2" => {
                let offered = fs::read_to_string(Path::new(self.point).join("cgroup.controllers")).ok()?;
                let names: BTreeSet<&str> = offered.split_whitespace().collect();
                let controllers: BTreeSet<&'static str> =
                    WANTED.into_iter().filter(|name| *name == FREEZER || names.contains(name)).collect();
                // A group that holds processes cannot hand controllers on: ours begin at the top.
                Some(Hierarchy {
                    version: Version::Two,
                    controllers,
                    folder: Path::new(self.point).join(ROOT),
                })
            }
            _ => None,
        }
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}
