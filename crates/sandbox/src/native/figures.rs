//! What a sandbox uses, as the host's control groups count it; the guest sees its processes alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::provider::{Metrics, SandboxLimits};

/// The control groups of one sandbox, and its limits.
pub(super) struct Figures {
    groups: Vec<PathBuf>,
    limits: SandboxLimits,
    /// When processor time was counted last, and how much it was.
    last: Mutex<Option<(i64, u64)>>,
}

/// Memory as a control group counts it.
struct Memory {
    total_bytes: u64,
    cache_bytes: u64,
}

impl Figures {
    pub(super) fn new(groups: Vec<PathBuf>, limits: SandboxLimits) -> Self {
        Self { groups, limits, last: Mutex::default() }
    }

    /// Puts what the host knows better in the place of what the guest counted.
    pub(super) fn complete(&self, mut metrics: Metrics) -> Metrics {
        let cores = self.limits.cpu_millis.div_ceil(1_000).max(1);
        metrics.cpu_count = metrics.cpu_count.min(cores);
        metrics.memory_total_bytes = metrics.memory_total_bytes.min(self.limits.memory_bytes);
        // The guest sees the whole machine's.
        metrics.memory_cache_bytes = 0;
        if let Some(memory) = self.groups.iter().find_map(|group| memory(group)) {
            metrics.memory_cache_bytes = memory.cache_bytes;
            metrics.memory_used_bytes = memory.total_bytes.saturating_sub(memory.cache_bytes);
        }
        metrics.memory_used_bytes = metrics.memory_used_bytes.min(metrics.memory_total_bytes);
        if let Some(cpu_time_us) = self.groups.iter().find_map(|group| cpu_time_us(group)) {
            metrics.cpu_time_us = cpu_time_us;
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((then_ms, before_us)) = last.replace((metrics.at_ms, cpu_time_us)) {
                let passed_ms = u32::try_from(metrics.at_ms.saturating_sub(then_ms)).unwrap_or(0);
                let spent_us = u32::try_from(cpu_time_us.saturating_sub(before_us)).unwrap_or(u32::MAX);
                if passed_ms > 0 {
                    metrics.cpu_used_percent = f64::from(spent_us) / f64::from(passed_ms) / 10.0;
                }
            }
        }
        metrics
    }
}

/// Memory, in version 2 or 1.
fn memory(group: &Path) -> Option<Memory> {
    let total_bytes =
        number(&group.join("memory.current")).or_else(|| number(&group.join("memory.usage_in_bytes")))?;
    let stat = fs::read_to_string(group.join("memory.stat")).ok()?;
    let value = |name: &str| {
        stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<u64>().ok())
    };
    // Files that can be dropped; those on a tmpfs, which cannot, are counted apart.
    let cached = ["active_file", "inactive_file"]
        .map(|name| value(&format!("total_{name}")).or_else(|| value(name)).unwrap_or(0));
    Some(Memory { total_bytes, cache_bytes: cached.iter().sum() })
}

/// Processor time, in version 2 or 1.
fn cpu_time_us(group: &Path) -> Option<u64> {
    if let Some(nanoseconds) = number(&group.join("cpuacct.usage")) {
        return Some(nanoseconds / 1_000);
    }
    let stat = fs::read_to_string(group.join("cpu.stat")).ok()?;
    stat.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok())
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}
