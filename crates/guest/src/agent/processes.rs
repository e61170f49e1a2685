//! Finds and kills the descendants of a process by walking `/proc`.

use std::collections::{HashMap, HashSet};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Kills what `root` and its children started at or after `since` (hundredths of a second since boot), again
/// and again, as a process may fork while we look; `root` itself stays.
pub(super) fn kill_descendants(root: i32, since: u64) {
    for _ in 0..32 {
        let found = descendants(root, since);
        if found.is_empty() {
            return;
        }
        for pid in found {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

fn descendants(root: i32, since: u64) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<(i32, u64)>> = HashMap::new();
    for process in all() {
        children.entry(process.parent).or_default().push((process.pid, process.started));
    }
    let (mut found, mut seen, mut open) = (Vec::new(), HashSet::from([root]), vec![root]);
    while let Some(parent) = open.pop() {
        for &(pid, started) in children.get(&parent).into_iter().flatten() {
            if seen.insert(pid) {
                open.push(pid);
                if started >= since {
                    found.push(pid);
                }
            }
        }
    }
    found
}

/// What all processes use together.
#[derive(Default)]
pub(super) struct Used {
    /// Processor time, of ended ones too.
    pub(super) cpu_time_us: u64,
    /// Memory that is theirs; what several share counts for each.
    pub(super) memory_bytes: u64,
    /// Their number, this one too.
    pub(super) processes: u32,
}

/// Adds up what all processes that can be seen use.
pub(super) fn used() -> Used {
    let mut used = Used::default();
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096);
    let page = u64::try_from(page).unwrap_or(4096);
    for process in all() {
        used.processes += 1;
        // A tick is a hundredth of a second on every Linux.
        used.cpu_time_us += process.ticks * 10_000;
        used.memory_bytes += process.pages * page;
    }
    used
}

struct Process {
    pid: i32,
    parent: i32,
    started: u64,
    /// Processor time of it and of its children that were waited for.
    ticks: u64,
    pages: u64,
}

fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .collect()
}

/// Reads `/proc/<pid>/stat`; zombies are left out, since nothing can be done about them here.
fn read(pid: i32) -> Option<Process> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may itself hold brackets and spaces: what follows the last one is regular.
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 2;
    let text = std::str::from_utf8(stat.get(after_name..)?).ok()?;
    let fields: Vec<&str> = text.split(' ').collect();
    if *fields.first()? == "Z" {
        return None;
    }
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        started: number(19)?,
        ticks,
        pages: number(21)?,
    })
}
