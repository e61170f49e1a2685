//! What the figures were taken on: without it they mean nothing.

use std::io::Write;
use std::process::Command;
use std::time::Instant;

use crate::figures::{Figure, quantile};
use crate::folder::Folder;

/// The machine, the day and the state of the sources.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// Of the minute before: what others were doing here meanwhile.
    pub(crate) load: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let memory = field("/proc/meminfo", "MemTotal");
        let kib = memory.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        Self {
            date: output("date", &["-u", "+%Y-%m-%d"]),
            commit: output("git", &["rev-parse", "--short", "HEAD"]),
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: kib.div_ceil(1 << 20),
            kernel: output("uname", &["-sr"]),
            load: std::fs::read_to_string("/proc/loadavg")
                .ok()
                .and_then(|text| text.split(' ').next().map(str::to_owned))
                .unwrap_or_default(),
        }
    }
}

/// How long this disk takes to make 4 KiB durable: the floor of everything that is durable.
pub(crate) fn disk() -> Result<Vec<Figure>, String> {
    let folder = Folder::new()?;
    let path = folder.path().join("disk");
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = std::fs::File::create(&path).map_err(wrong)?;
    let mut samples = Vec::new();
    for _ in 0..300 {
        let begin = Instant::now();
        file.write_all(&[7; 4096]).map_err(wrong)?;
        file.sync_data().map_err(wrong)?;
        samples.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(vec![
        Figure::new("disk: 4 KiB made durable, p50", quantile(&samples, 0.5), "ms"),
        Figure::new("disk: 4 KiB made durable, p95", quantile(&samples, 0.95), "ms"),
    ])
}

/// The value of the first line `name : value` of a file of `/proc`.
fn field(path: &str, name: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(crate::folder::root()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
