//! What sandboxes use: sampled while they run, kept for a while, read without waking anything.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use accounts::Allowed;
use accounts::access::ReadSandboxes;
use domain::SandboxId;
use runtime::CancellationToken;
use sandbox::SandboxError;
use sandbox::provider::Metrics;

use crate::error::Result;
use crate::orchestrator::Orchestrator;
use crate::state::StopCause;

/// Between two samples.
const SAMPLE_EVERY: Duration = Duration::from_secs(10);
/// Samples that are kept of one sandbox: two hours.
const KEPT: usize = 720;

/// The samples of all sandboxes of this process.
#[derive(Default)]
pub(crate) struct History(Mutex<HashMap<SandboxId, VecDeque<Metrics>>>);

impl History {
    fn add(&self, id: SandboxId, sample: Metrics) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = all.entry(id).or_default();
        if of_one.len() == KEPT {
            of_one.pop_front();
        }
        of_one.push_back(sample);
    }

    fn between(&self, id: SandboxId, from_ms: i64, to_ms: i64) -> Vec<Metrics> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = all.get(&id).into_iter().flatten();
        samples.filter(|sample| (from_ms..=to_ms).contains(&sample.at_ms)).cloned().collect()
    }

    pub(crate) fn forget(&self, id: SandboxId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

impl Orchestrator {
    /// What a sandbox used between two moments, the oldest sample first: one every 10 s while it runs, of the last
    /// two hours, and one of just now where it runs now.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound).
    pub async fn metrics(
        &self,
        proof: &Allowed<ReadSandboxes>,
        id: SandboxId,
        between_ms: std::ops::RangeInclusive<i64>,
    ) -> Result<Vec<Metrics>> {
        self.present(proof.org(), id).await?;
        self.sample(id).await;
        Ok(self.inner.history.between(id, *between_ms.start(), *between_ms.end()))
    }

    /// Samples live sandboxes until `stop`; those whose processes turn out to be gone are put to rest.
    pub async fn watch_figures(self, stop: CancellationToken) {
        let ambient = self.inner.parts.ambient.clone();
        while ambient.within(SAMPLE_EVERY, stop.cancelled()).await.is_none() {
            for (id, live) in self.living() {
                if live.of_run || stop.is_cancelled() {
                    continue;
                }
                if self.sample(id).await.is_some_and(|gone| gone) {
                    self.note_death(live.org, id).await;
                }
            }
        }
    }

    /// Takes a sample; says whether the sandbox is gone, where that is known.
    async fn sample(&self, id: SandboxId) -> Option<bool> {
        // What stands still answers nothing.
        let live = self.inner.live.get(id).filter(|live| !live.is_paused())?;
        match live.sandbox.metrics().await {
            Ok(sample) => {
                self.inner.history.add(id, sample);
                Some(false)
            }
            Err(SandboxError::Gone { .. }) => Some(true),
            Err(_) => None,
        }
    }

    /// Keeps that a sandbox has died by itself.
    async fn note_death(&self, org: domain::OrgId, id: SandboxId) {
        let _turn = self.inner.live.turn(id).await;
        if self.inner.live.get(id).is_none_or(|live| live.is_paused()) {
            return;
        }
        let kept = async {
            let row = self.present(org, id).await?;
            self.end(&row, StopCause::Died).await
        };
        if let Err(error) = kept.await {
            tracing::warn!(
                sandbox.id = %id,
                error = &error as &dyn std::error::Error,
                "that a sandbox died could not be kept; the next look tries again"
            );
        }
    }
}
