//! The runs that somebody asked something of in this process. A worker that serves one command only, such as
//! `journeyman do` without a server, works on these and leaves other unfinished runs alone.

use std::sync::{Mutex, PoisonError};

use domain::RunId;
use store::queue::Claim;
use store::{Fence, Store, StoreError};
use tokio::sync::Notify;

use crate::runs::QUEUE;

/// The runs that were asked for here, oldest first.
#[derive(Default)]
pub(crate) struct WantedRuns {
    runs: Mutex<Vec<RunId>>,
    more: Notify,
}

impl WantedRuns {
    pub(crate) fn add(&self, run: RunId) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if !runs.contains(&run) {
            runs.push(run);
            self.more.notify_one();
        }
    }

    /// Returns when there may be one more.
    pub(crate) async fn more(&self) {
        self.more.notified().await;
    }

    /// Claims the first of them that waits for a worker. How many an org may have at work does not count: a
    /// person sits in front of it.
    pub(crate) async fn claim(
        &self,
        store: &Store,
        holder: &str,
        ttl_ms: i64,
    ) -> Result<Option<Claim>, StoreError> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for run in runs {
            if let Some(claim) = claim_one(store, run, holder, ttl_ms).await? {
                return Ok(Some(claim));
            }
        }
        Ok(None)
    }
}

/// As [`Store::claim`] for one item.
async fn claim_one(
    store: &Store,
    run: RunId,
    holder: &str,
    ttl_ms: i64,
) -> Result<Option<Claim>, StoreError> {
    let (now_ms, holder) = (store.ambient().now_ms(), holder.to_owned());
    let waits = "select 1 from queue where topic = $1 and key = $2 and done_at_ms is null and run_at_ms <= $3
        and lease_until_ms <= $3";
    let args = [QUEUE.into(), run.into(), now_ms.into()];
    if store.fetch_optional(waits, &args, |_| Ok(())).await?.is_none() {
        return Ok(None);
    }
    store
        .write(move |tx| {
            Box::pin(async move {
                let args = [QUEUE.into(), run.into(), now_ms.into(), holder.into(), (now_ms + ttl_ms).into()];
                tx.fetch_optional(
                    "update queue set leased_by = $4, lease_until_ms = $5, fence = fence + 1,
                        attempts = attempts + 1
                     where topic = $1 and key = $2 and done_at_ms is null and run_at_ms <= $3
                        and lease_until_ms <= $3
                     returning org_id, key, payload, attempts, fence",
                    &args,
                    |row| {
                        Ok(Claim {
                            org: row.parse(0)?,
                            topic: QUEUE.to_owned(),
                            key: row.text(1)?,
                            payload: row.text(2)?,
                            attempts: row.int(3)?,
                            fence: Fence(row.int(4)?),
                        })
                    },
                )
                .await
            })
        })
        .await
}
