//! Bases that no run needs any more: kept for a time, since the next run on the same commit starts faster, then
//! removed by age and size.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;
use serde::Serialize;

use super::base::{Bases, META};
use crate::error::{Result, WhileDoing};
use crate::recover::{half_made, remove_tree};

/// How long bases are kept that no run needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CacheLimits {
    /// Removed when they were not used for so many days.
    pub days: u32,
    /// Together they hold at most so many bytes; the longest unused go first.
    pub bytes: u64,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { days: 7, bytes: 5 << 30 }
    }
}

/// What prepared repositories take up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CacheSize {
    /// How many there are.
    pub bases: u64,
    /// Their files' content.
    pub bytes: u64,
}

/// However full it is, one that was just used stays.
const IDLE_AT_LEAST: Duration = Duration::from_secs(60 * 60);

/// A base that may go.
struct Idle {
    folder: PathBuf,
    bytes: u64,
    idle_for: Duration,
}

impl Bases {
    /// Keeps bases from being removed until the guard is dropped: a run that starts has chosen one and does not
    /// name it in its folder yet.
    pub(crate) async fn hold(&self) -> tokio::sync::OwnedRwLockReadGuard<()> {
        self.starting.clone().read_owned().await
    }

    /// Removes bases that no folder below `runs` names, by `limits`. Returns how many.
    ///
    /// # Errors
    ///
    /// Where the disk refuses.
    pub async fn sweep(&self, runs: PathBuf, limits: CacheLimits, now_ms: i64) -> Result<u32> {
        let doing = "look for prepared repositories that nobody needs";
        let root = self.root.clone();
        let idle = tokio::task::spawn_blocking(move || idle(&root, now_ms)).await.while_doing(doing)?;
        if idle.is_empty() {
            return Ok(0);
        }
        let none_starts = self.starting.clone().write_owned().await;
        let root = self.root.clone();
        let gone = tokio::task::spawn_blocking(move || {
            let gone = move_away(&root, idle, &needed(&runs), limits);
            drop(none_starts);
            for folder in &gone {
                remove_tree(folder)?;
            }
            Ok(gone.len())
        });
        let removed: std::io::Result<usize> = gone.await.while_doing(doing)?;
        Ok(u32::try_from(removed.while_doing("remove a prepared repository")?).unwrap_or(u32::MAX))
    }

    /// What all bases take up.
    pub(crate) fn size(&self) -> CacheSize {
        let mut size = CacheSize::default();
        for folder in folders(&self.root) {
            size.bases += 1;
            size.bytes += content(&folder);
        }
        size
    }
}

/// Notes that a base is used now.
pub(super) fn touch(folder: &Path) {
    // A base whose time cannot be set is swept earlier and made again.
    if let Ok(meta) = std::fs::File::open(folder.join(META)) {
        let _ = futimens(&meta, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW);
    }
}

/// The whole bases, which are those with a description.
fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.join(META).is_file() && !half_made(path)).collect()
}

fn idle(root: &Path, now_ms: i64) -> Vec<Idle> {
    let now = Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    let mut found = Vec::new();
    for folder in folders(root) {
        let used_at = std::fs::metadata(folder.join(META)).and_then(|meta| meta.modified());
        let used_at = used_at.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let idle_for = now.saturating_sub(used_at);
        if idle_for >= IDLE_AT_LEAST {
            found.push(Idle { bytes: content(&folder), folder, idle_for });
        }
    }
    found.sort_by_key(|idle| idle.idle_for);
    found
}

/// The names of the bases that the folders of runs name.
fn needed(runs: &Path) -> HashSet<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        folder: String,
    }
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        serde_json::from_slice::<Named>(&std::fs::read(entry.path().join("base.json")).ok()?).ok()
    });
    named.map(|named| named.folder).collect()
}

/// Gives those that go a name under which they are removed at the next start at the latest.
fn move_away(root: &Path, idle: Vec<Idle>, needed: &HashSet<String>, limits: CacheLimits) -> Vec<PathBuf> {
    let oldest = Duration::from_secs(u64::from(limits.days) * 24 * 60 * 60);
    let (mut kept, mut gone) = (0_u64, Vec::new());
    // The longest unused come last, and go when there is no room.
    for base in idle {
        let Some(name) = base.folder.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            continue;
        };
        if needed.contains(&name) {
            continue;
        }
        let goes = name.starts_with("dirty-") || base.idle_for >= oldest || kept + base.bytes > limits.bytes;
        if !goes {
            kept += base.bytes;
            continue;
        }
        let away = root.join(format!("scratch-gone-{name}"));
        match std::fs::rename(&base.folder, &away) {
            Ok(()) => gone.push(away),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a prepared repository stays")
            }
        }
    }
    gone
}

/// How much the files below a folder hold; links are not followed.
fn content(folder: &Path) -> u64 {
    let (mut bytes, mut waiting) = (0, vec![folder.to_owned()]);
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => waiting.push(entry.path()),
                Ok(meta) => bytes += meta.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}
