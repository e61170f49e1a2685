//! What the sandbox uses, as far as it can be seen from inside: the owner, who sees the control groups, knows some
//! of it better.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::{Agent, lock, now, processes};
use crate::protocol::{Failure, Metrics};

/// The processor time at the last look.
#[derive(Default)]
pub(super) struct LastFigures(Mutex<Option<(Instant, u64)>>);

/// Adds up all processes.
pub(super) fn metrics(agent: &Agent) -> Result<Metrics, Failure> {
    let used = processes::used();
    let now = now();
    let mut last = lock(&agent.figures.0);
    let cpu_used_percent = last.map_or(0.0, |(then, before)| {
        let passed = now.saturating_duration_since(then).as_secs_f64();
        let spent = std::time::Duration::from_micros(used.cpu_time_us.saturating_sub(before)).as_secs_f64();
        if passed > 0.0 { spent / passed * 100.0 } else { 0.0 }
    });
    *last = Some((now, used.cpu_time_us));
    drop(last);
    let disk = nix::sys::statvfs::statvfs(Path::new(&agent.setup.workspace)).map_err(|error| {
        Failure::Internal { message: format!("could not look at the disk: {}", io::Error::from(error)) }
    })?;
    let memory = Memory::read();
    Ok(Metrics {
        at_ms: unix_ms(),
        cpu_count: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
        cpu_used_percent,
        cpu_time_us: used.cpu_time_us,
        memory_used_bytes: used.memory_bytes,
        memory_total_bytes: memory.total_bytes,
        memory_cache_bytes: memory.cache_bytes,
        disk_used_bytes: disk.blocks().saturating_sub(disk.blocks_free()) * disk.fragment_size(),
        disk_total_bytes: disk.blocks() * disk.fragment_size(),
        processes: used.processes,
    })
}

/// The machine's memory.
#[derive(Default)]
struct Memory {
    total_bytes: u64,
    cache_bytes: u64,
}

impl Memory {
    fn read() -> Self {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let mut memory = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let (Some(name), Some(kib)) =
                (words.next(), words.next().and_then(|kib| kib.parse::<u64>().ok()))
            else {
                continue;
            };
            match name {
                "MemTotal:" => memory.total_bytes = kib << 10,
                "Cached:" => memory.cache_bytes = kib << 10,
                _ => {}
            }
        }
        memory
    }
}

#[expect(clippy::disallowed_methods, reason = "the guest has no runtime; figures bear their time")]
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
