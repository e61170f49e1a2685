//! What is looked after on a schedule. Each part may run twice, at once, or on several nodes: it changes only what
//! it still finds as it was.

use std::time::Duration;

use runtime::CancellationToken;

use crate::error::{Error, Result, WhileDoing as _};
use crate::life::Rest;
use crate::orchestrator::Orchestrator;
use crate::snapshot::rows;
use crate::state::{SandboxState, StopCause};
use crate::store;

/// Between two sweeps of this host.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Rows that are looked at together.
const ROWS: u32 = 500;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sandboxes of the host that nobody owned.
    pub orphans: u64,
    /// Folders that nobody owned.
    pub folders: u64,
    /// Deletions that had been left undone.
    pub deletions: u64,
    /// Sandboxes whose time was up.
    pub expired: u64,
    /// Sandboxes that were put to rest because nobody used them.
    pub idle: u64,
    /// Sandboxes that rested for long and were put into the blobs.
    pub archived: u64,
    /// Snapshots whose time was up.
    pub snapshots: u64,
    /// Layers that nothing went on from.
    pub layers: u64,
    /// Rows and logs of sandboxes that were deleted long ago.
    pub forgotten: u64,
}

/// A rest so long frees this machine's disk.
const ARCHIVE_AFTER_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// The row and the log of a deleted sandbox stay so long.
const FORGET_AFTER_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// What is younger may be in the making.
const LAYER_AGE_MS: i64 = 10 * 60 * 1_000;

impl Orchestrator {
    /// Sweeps until `stop`.
    pub async fn sweep_regularly(self, stop: CancellationToken) {
        let ambient = self.inner.parts.ambient.clone();
        while ambient.within(SWEEP_EVERY, stop.cancelled()).await.is_none() {
            match self.sweep().await {
                Ok(swept) if swept == Swept::default() => {}
                Ok(swept) => tracing::info!(?swept, "sandboxes were swept"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a sweep of the sandboxes was not finished; the next one goes on"
                ),
            }
        }
    }

    /// Looks after everything once.
    ///
    /// # Errors
    ///
    /// The first that came up; every part has been tried all the same.
    pub async fn sweep(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        let mut first = None;
        let mut note = |error: Error| first = first.take().or(Some(error));
        match self.reap_orphans().await {
            Ok(ids) => swept.orphans = ids.len() as u64,
            Err(error) => note(error),
        }
        for (count, done) in [
            (&mut swept.folders, self.remove_stray_folders().await),
            (&mut swept.deletions, self.finish_deletions().await),
            (&mut swept.expired, self.end_overdue().await),
            (&mut swept.idle, self.rest_idle().await),
            (&mut swept.archived, self.archive_long_idle().await),
            (&mut swept.snapshots, self.expire_snapshots().await),
            (&mut swept.layers, self.remove_stray_layers().await),
            (&mut swept.forgotten, self.forget_deleted().await),
        ] {
            match done {
                Ok(done) => *count = done,
                Err(error) => note(error),
            }
        }
        first.map_or(Ok(swept), Err)
    }

    /// Ends sandboxes whose time was up while nobody watched.
    async fn end_overdue(&self) -> Result<u64> {
        let rows = store::overdue(self.store(), self.node(), self.now_ms(), ROWS).await?;
        let count = rows.len() as u64;
        for row in rows {
            self.fall_due(row.org, row.id).await?;
        }
        Ok(count)
    }

    /// Pauses sandboxes that nobody has used for as long as their template says.
    async fn rest_idle(&self) -> Result<u64> {
        let mut count = 0;
        for (id, live) in self.living() {
            let Some(idle_after_ms) = live.idle_after_ms.filter(|_| !live.is_paused()) else { continue };
            let is_idle = || self.now_ms() - live.active_at_ms() >= idle_after_ms;
            if !is_idle() {
                continue;
            }
            let _turn = self.inner.live.turn(id).await;
            let row = store::find(self.store(), live.org, id).await?;
            // Somebody may have used it while we waited for the turn.
            if is_idle() && matches!(row.state, SandboxState::Running) {
                self.rest(&row, StopCause::Idle, Rest::Lightly).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Puts sandboxes into the blobs that have rested for long.
    async fn archive_long_idle(&self) -> Result<u64> {
        let until_ms = self.now_ms() - ARCHIVE_AFTER_MS;
        let mut count = 0;
        for state in ["hibernated", "stopped"] {
            for row in store::in_state(self.store(), self.node(), state, until_ms, ROWS).await? {
                if row.run.is_some() {
                    continue;
                }
                let _turn = self.inner.live.turn(row.id).await;
                let now = self.present(row.org, row.id).await?;
                if now.state.rests() && now.changed_at_ms <= until_ms {
                    self.archive_now(row.org, row.id).await?;
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    /// Removes snapshots whose time is up, unless a sandbox has its files there alone.
    async fn expire_snapshots(&self) -> Result<u64> {
        let mut count = 0;
        for row in rows::expired(self.store(), self.now_ms(), ROWS).await? {
            if !rows::is_needed(self.store(), &row).await? {
                self.remove_snapshot(&row).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Removes layers that nothing goes on from, and what an archive that was not read to its end left.
    async fn remove_stray_layers(&self) -> Result<u64> {
        use std::os::unix::fs::MetadataExt as _;

        let root = self.layer("");
        let mut entries = match tokio::fs::read_dir(&root).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            entries => entries.while_doing("list the layers")?,
        };
        let mut count = 0;
        while let Some(entry) = entries.next_entry().await.while_doing("list the layers")? {
            let about = entry.metadata().await.while_doing("look at a layer")?;
            // The disk's clock is the machine's own.
            let machine_ms = runtime::Ambient::system().now_ms();
            if machine_ms - about.ctime() * 1_000 < LAYER_AGE_MS {
                continue;
            }
            if let Some(name) = entry.file_name().to_str() {
                count += u64::from(self.remove_unused_layer(name).await?);
            }
        }
        Ok(count)
    }

    /// Forgets sandboxes that were deleted long ago, with their logs.
    async fn forget_deleted(&self) -> Result<u64> {
        let until_ms = self.now_ms() - FORGET_AFTER_MS;
        let rows = store::in_state(self.store(), self.node(), "deleted", until_ms, ROWS).await?;
        let count = rows.len() as u64;
        for row in rows {
            self.store()
                .write(move |tx| Box::pin(async move { store::forget(tx, row.org, row.id).await }))
                .await?;
        }
        Ok(count)
    }
}
