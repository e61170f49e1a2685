//! Ports and figures of a sandbox.

use serde::{Deserialize, Serialize};

/// A TCP port of the sandbox that began or ceased to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortEvent {
    /// Its number.
    pub port: u16,
    /// Whether something listens now.
    pub open: bool,
}

/// What a sandbox uses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// When this was measured.
    pub at_ms: i64,
    /// The processors that it may use.
    pub cpu_count: u32,
    /// Their use since the measurement before, in percent of one processor.
    pub cpu_used_percent: f64,
    /// The processor time of all its processes since it began.
    pub cpu_time_us: u64,
    /// Memory of its processes.
    pub memory_used_bytes: u64,
    /// The most that it may use.
    pub memory_total_bytes: u64,
    /// Memory that holds files and can be freed.
    pub memory_cache_bytes: u64,
    /// What its disk holds.
    pub disk_used_bytes: u64,
    /// What its disk can hold.
    pub disk_total_bytes: u64,
    /// Its processes.
    pub processes: u32,
}
