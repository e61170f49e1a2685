//! What happens to live sandboxes by itself: their time is up, or their pause was long.

use std::time::Duration;

use domain::SandboxId;
use runtime::CancellationToken;

use crate::error::{Error, Result};
use crate::life::Rest;
use crate::live::Due;
use crate::orchestrator::Orchestrator;
use crate::state::{SandboxState, StopCause};
use crate::wish::OnTimeout;

/// Looked at anew at least so often, whatever the clock does.
const LOOK_EVERY: Duration = Duration::from_secs(60);

impl Orchestrator {
    /// Watches over the deadlines of live sandboxes until `stop`.
    pub async fn watch_deadlines(self, stop: CancellationToken) {
        let ambient = self.inner.parts.ambient.clone();
        while !stop.is_cancelled() {
            let sooner = self.inner.live.sooner.notified();
            let now_ms = ambient.now_ms();
            let mut next = LOOK_EVERY;
            for (id, live) in self.living() {
                let Some(at_ms) = live.due().at_ms() else { continue };
                if at_ms > now_ms {
                    let wait = Duration::from_millis(u64::try_from(at_ms - now_ms).unwrap_or(0));
                    next = next.min(wait);
                    continue;
                }
                // Not again until this one is done or has failed.
                live.set(live.is_paused(), Due::Never);
                let this = self.clone();
                self.inner.parts.tasks.spawn("sandbox deadline", async move {
                    if let Err(error) = this.fall_due(live.org, id).await {
                        tracing::warn!(
                            sandbox.id = %id,
                            error = &error as &dyn std::error::Error,
                            "a sandbox whose time was up stays for now; the next sweep tries again"
                        );
                    }
                });
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sooner => {}
                () = ambient.sleep(next) => {}
            }
        }
    }

    /// Does what is due with one sandbox, if it still is.
    pub(crate) async fn fall_due(&self, org: domain::OrgId, id: SandboxId) -> Result<()> {
        let turn = self.inner.live.turn(id).await;
        let row = match self.present(org, id).await {
            Err(Error::NotFound(_)) => return Ok(()),
            row => row?,
        };
        let is_up = row.ends_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms());
        match (&row.state, row.wish.on_timeout) {
            (SandboxState::Running, OnTimeout::Pause) if is_up => {
                self.rest(&row, StopCause::TimedOut, Rest::Lightly).await.map(drop)
            }
            (SandboxState::Running, OnTimeout::Delete) if is_up => {
                drop(turn);
                match self.delete_as(org, id).await {
                    Err(Error::NotFound(_)) => Ok(()),
                    done => done,
                }
            }
            (SandboxState::Running, _) => {
                // It was given more time meanwhile.
                if let Some(live) = self.inner.live.get(id) {
                    self.inner.live.set(&live, false, row.ends_at_ms.map_or(Due::Never, Due::End));
                }
                Ok(())
            }
            (SandboxState::Paused, _) => self.rest(&row, StopCause::Idle, Rest::Deeply).await.map(drop),
            _ => Ok(()),
        }
    }
}
