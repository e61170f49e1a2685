//! What a dead owner left behind: its processes are ended, its sandboxes rest, its deletions are done.

use domain::SandboxId;

use crate::delete::remove_tree;
use crate::error::{Result, WhileDoing as _};
use crate::orchestrator::Orchestrator;
use crate::state::{SandboxChange, SandboxState, StopCause};
use crate::store;

/// Rows that are looked at together.
const ROWS: u32 = 500;
/// States of sandboxes that had processes.
const ALIVE: [&str; 4] = ["starting", "running", "paused", "stopping"];

impl Orchestrator {
    /// Called by the owner of the data folder: removes what a dead owner left on the host, says in the rows that
    /// those sandboxes are lost (those that serve no run rest, with their files), and goes on with deletions.
    /// Happens once; what makes sandboxes waits for it. Returns the sandboxes whose processes were removed.
    ///
    /// # Errors
    ///
    /// Where the host or the store refuses.
    pub async fn recover(&self) -> Result<Vec<SandboxId>> {
        let mut reaped = Vec::new();
        self.inner
            .recovered
            .get_or_try_init(async || {
                reaped = self.recover_once().await?;
                Ok::<_, crate::Error>(())
            })
            .await?;
        Ok(reaped)
    }

    async fn recover_once(&self) -> Result<Vec<SandboxId>> {
        let reaped = self.inner.parts.provider.reap(Vec::new()).await?;
        let now_ms = self.now_ms();
        let node = self.node().to_owned();
        self.store().write(move |tx| Box::pin(store::lose_runs(tx, node, now_ms))).await?;
        for state in ALIVE {
            self.lose(state).await?;
        }
        self.finish_deletions().await?;
        Ok(reaped)
    }

    async fn lose(&self, state: &'static str) -> Result<()> {
        loop {
            let rows = store::in_state(self.store(), self.node(), state, i64::MAX, ROWS).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                let change = match row.state {
                    // Somebody had asked for the stop.
                    SandboxState::Stopping { cause: StopCause::Asked } => {
                        SandboxChange::Stopped { cause: StopCause::Asked }
                    }
                    _ if row.run.is_some() => SandboxChange::Stopped { cause: StopCause::Lost },
                    _ => SandboxChange::Hibernated { cause: StopCause::Lost },
                };
                if row.run.is_some() {
                    self.change(row.org, row.id, change).await?;
                } else {
                    self.change_with_end(row.org, row.id, change, None).await?;
                }
            }
        }
    }

    /// Goes on with deletions that were written down and not done.
    pub(crate) async fn finish_deletions(&self) -> Result<u64> {
        let rows = store::in_state(self.store(), self.node(), "deleting", i64::MAX, ROWS).await?;
        let count = rows.len() as u64;
        for row in rows {
            self.clear_away(row.org, row.id).await?;
        }
        Ok(count)
    }

    /// Removes folders of sandboxes that no row owns. Returns how many.
    pub(crate) async fn remove_stray_folders(&self) -> Result<u64> {
        let root = self.inner.parts.data.join("boxes");
        let mut entries = match tokio::fs::read_dir(&root).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            entries => entries.while_doing("list the sandboxes' folders")?,
        };
        let mut removed = 0;
        while let Some(entry) = entries.next_entry().await.while_doing("list the sandboxes' folders")? {
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse::<SandboxId>().ok()) else { continue };
            if store::org_of(self.store(), id).await?.is_none() {
                tracing::info!(sandbox.id = %id, "removing the folder of a sandbox that nobody owns");
                remove_tree(&entry.path()).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Ends what runs on the host though no live sandbox of this process says so. Returns what it ended.
    pub(crate) async fn reap_orphans(&self) -> Result<Vec<SandboxId>> {
        Ok(self.inner.parts.provider.reap(self.inner.live.held()).await?)
    }
}
