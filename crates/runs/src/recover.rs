//! After a restart, and from time to time: what dead workers left, and what is older than it is kept.

use std::path::Path;

use domain::RunId;

use crate::error::{Error, Result, WhileDoing};
use crate::repository::CacheSize;
use crate::runs::{Parts, QUEUE, Runs, Settings};
use crate::store as rows;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

impl Runs {
    /// Called once by the only owner of a data folder, before its worker starts: claims of dead processes are
    /// free at once, and half-made files are removed.
    ///
    /// # Errors
    ///
    /// Where the store or the disk refuses.
    pub async fn recover(&self) -> Result<()> {
        let parts = &self.inner.parts;
        parts.store.write(|tx| Box::pin(async move { tx.queue_recover(QUEUE).await })).await?;
        let data = parts.settings.data.clone();
        tokio::task::spawn_blocking(move || sweep_files(&data)).await.while_doing("remove half-made files")?
    }

    /// Deletes finished runs that are older than runs are kept, folders of runs that are no more, and prepared
    /// repositories that no run needs, by age and size.
    ///
    /// # Errors
    ///
    /// Where the store or the disk refuses.
    pub async fn sweep(&self) -> Result<Swept> {
        let runs = self.sweep_runs().await?;
        let folders = self.sweep_folders().await?;
        let Settings { data, cache, .. } = &self.inner.parts.settings;
        let now_ms = self.inner.parts.ambient.now_ms();
        let bases = self.inner.bases.sweep(data.join("runs"), *cache, now_ms).await?;
        Ok(Swept { runs, folders, bases })
    }

    /// What prepared repositories take up. Looks at every file of theirs.
    ///
    /// # Errors
    ///
    /// Only ours.
    pub async fn cache_size(&self) -> Result<CacheSize> {
        let runs = self.clone();
        let size = tokio::task::spawn_blocking(move || runs.inner.bases.size());
        size.await.while_doing("measure prepared repositories")
    }

    async fn sweep_folders(&self) -> Result<u32> {
        let Parts { store, settings, .. } = &self.inner.parts;
        let mut removed = 0;
        let entries = std::fs::read_dir(settings.data.join("runs")).into_iter().flatten().flatten();
        let named = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<RunId>().ok());
        for run in named.collect::<Vec<_>>() {
            // A run has its row before it has a folder.
            if !rows::is_known(store, run).await? {
                self.remove_files(run).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    async fn sweep_runs(&self) -> Result<u32> {
        let Some(days) = self.inner.parts.settings.keep_days else { return Ok(0) };
        let before_ms = self.inner.parts.ambient.now_ms() - i64::from(days) * DAY_MS;
        let mut deleted = 0;
        for (org, run) in rows::finished_before(&self.inner.parts.store, before_ms).await? {
            self.remove(org, run).await?;
            deleted += 1;
        }
        Ok(deleted)
    }
}

/// What a sweep has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Runs that were older than they are kept.
    pub runs: u32,
    /// Folders of runs that were no more.
    pub folders: u32,
    /// Prepared repositories.
    pub bases: u32,
}

/// Whether a folder of prepared repositories is on its way in or out.
pub(crate) fn half_made(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("scratch-"))
}

/// Quarantines and scratch folders belong to deliveries and preparations that died.
fn sweep_files(data: &Path) -> Result<()> {
    for (folder, prefix) in [("tmp", "in-"), ("bases", "scratch-")] {
        let Ok(entries) = std::fs::read_dir(data.join(folder)) else { continue };
        for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        {
            if let Err(source) = remove_tree(&entry.path())
                && source.kind() != std::io::ErrorKind::NotFound
            {
                return Err(Error::Internal { doing: "remove half-made files", source: Box::new(source) });
            }
        }
    }
    Ok(())
}

/// Removes a folder with all that is in it, also where its owner may not write: what an agent has made, and
/// the overlay's own folder, can have any mode. Links are not followed.
pub(crate) fn remove_tree(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            open_up(folder)?;
            std::fs::remove_dir_all(folder)
        }
        result => result,
    }
}

fn open_up(folder: &Path) -> std::io::Result<()> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(())
}
