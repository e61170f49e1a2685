//! The worker role: claims queued runs and drives each to its next rest.

mod drive;
mod opening;
mod result;

use std::sync::Arc;
use std::time::Duration;

use runtime::{CancellationToken, Supervisor};
use store::Claim;
use tokio::sync::Semaphore;

use crate::error::Result;
use crate::runs::{QUEUE, Runs};

/// How long a claim holds without being renewed.
pub(crate) const CLAIM_TTL_MS: i64 = 30_000;
/// How often a claim is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// How often the queue is looked at when no wake-up comes.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Settings of the worker role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerConfig {
    /// The most runs at once in this process.
    pub capacity: u32,
    /// The most runs at once of one org, over all processes.
    pub capacity_per_org: u32,
    /// Whether it works on those runs only of which something was asked in this process ([`Runs::want`]).
    pub only_wanted: bool,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self { capacity: 64, capacity_per_org: 64, only_wanted: false }
    }
}

/// The worker role.
pub struct Worker {
    runs: Runs,
    config: WorkerConfig,
    holder: String,
}

impl Worker {
    /// A worker; `run` sets it to work.
    #[must_use]
    pub fn new(runs: Runs, config: WorkerConfig) -> Self {
        let holder = format!("{}-{}", std::process::id(), runs.inner.parts.ambient.uuid().simple());
        Self { runs, config, holder }
    }

    /// Claims and drives runs until `supervisor` stops; runs that are under way are then left so that the next
    /// worker goes on with them.
    pub async fn run(self, supervisor: Supervisor) {
        let stop = supervisor.stopping();
        let slots = Arc::new(Semaphore::new(self.config.capacity as usize));
        let mut listener = self.runs.inner.parts.store.listen(store::queue::queue_topic(QUEUE));
        while !stop.is_cancelled() {
            let slot = tokio::select! {
                slot = slots.clone().acquire_owned() => slot,
                () = stop.cancelled() => break,
            };
            let Ok(slot) = slot else { break };
            match self.claim().await {
                Ok(Some(claim)) => {
                    let runs = self.runs.clone();
                    let stop = stop.clone();
                    supervisor.spawn("run", async move {
                        own(runs, claim, stop).await;
                        drop(slot);
                    });
                }
                Ok(None) => {
                    tokio::select! {
                        _ = listener.changed(LOOK_AGAIN) => {}
                        () = self.runs.inner.wanted.more() => {}
                        () = stop.cancelled() => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "could not look at the queue of runs"
                    );
                    self.runs.inner.parts.ambient.sleep(LOOK_AGAIN).await;
                }
            }
        }
    }

    async fn claim(&self) -> Result<Option<Claim>> {
        let (store, wanted) = (&self.runs.inner.parts.store, &self.runs.inner.wanted);
        if self.config.only_wanted {
            return Ok(wanted.claim(store, &self.holder, CLAIM_TTL_MS).await?);
        }
        Ok(store.claim(QUEUE, &self.holder, CLAIM_TTL_MS, self.config.capacity_per_org).await?)
    }
}

/// Drives a claimed run and keeps the claim alive meanwhile. Where the claim is lost, the run is somebody
/// else's and the work stops.
async fn own(runs: Runs, claim: Claim, stop: CancellationToken) {
    let lost = stop.child_token();
    let drive = drive::drive(&runs, &claim, lost.clone());
    tokio::pin!(drive);
    loop {
        tokio::select! {
            result = &mut drive => {
                if let Err(error) = result {
                    tracing::error!(run.id = claim.key, error = &error as &dyn std::error::Error, "a run could not be driven");
                }
                return;
            }
            () = runs.inner.parts.ambient.sleep(RENEW_EVERY) => {
                if renew(&runs, &claim).await == Renewal::Lost {
                    tracing::warn!(run.id = claim.key, "the claim of a run was lost");
                    lost.cancel();
                }
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Renewal {
    Held,
    Lost,
}

async fn renew(runs: &Runs, claim: &Claim) -> Renewal {
    let (claim, now_ms) = (claim.clone(), runs.inner.parts.ambient.now_ms());
    let renewed = runs
        .inner
        .parts
        .store
        .write(move |tx| Box::pin(async move { tx.claim_renew(&claim, CLAIM_TTL_MS, now_ms).await }))
        .await;
    match renewed {
        Err(store::StoreError::FenceLost { .. }) => Renewal::Lost,
        // Anything else may pass; the claim's time or the next append tells.
        _ => Renewal::Held,
    }
}
