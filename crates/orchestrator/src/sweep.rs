//! What is looked after on a schedule. Each part may run twice, at once, or on several nodes: it changes only what
//! it still finds as it was.

use std::time::Duration;

use runtime::CancellationToken;

use crate::error::{Error, Result};
use crate::life::Rest;
use crate::orchestrator::Orchestrator;
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
}

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
}
