//! Forgets what nobody can ask for any more: old answers to idempotency keys, items that left the queue long ago.

use std::time::Duration;

use runtime::CancellationToken;

use crate::error::StoreError;
use crate::store::{Store, WeakStore};

/// Between two rounds.
const PERIOD: Duration = Duration::from_secs(60 * 60);

/// A request may be repeated for a day.
const ANSWERS_MS: i64 = 24 * 60 * 60 * 1000;

/// No claim lives for a week, so that a fence may begin anew.
const DONE_MS: i64 = 7 * 24 * 60 * 60 * 1000;

impl Store {
    /// Forgets answers to idempotency keys after a day, and what left the queue after a week. Runs by itself
    /// every hour. Returns how many rows it removed.
    ///
    /// # Errors
    ///
    /// As [`Store::write`].
    pub async fn tidy(&self) -> Result<u64, StoreError> {
        let now_ms = self.ambient().now_ms();
        self.write(move |tx| {
            Box::pin(async move {
                let answers = tx.idempotent_forget(now_ms - ANSWERS_MS).await?;
                let done = tx.queue_forget(now_ms - DONE_MS).await?;
                Ok(answers + done)
            })
        })
        .await
    }
}

/// Tidies until the stop or until nobody holds the store.
pub(crate) async fn run(store: WeakStore, stop: CancellationToken) {
    // Not the store's own clock: a test that moves that clock does not count this sleeper.
    while stop.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
        let Some(store) = store.upgrade() else { return };
        if let Err(error) = store.tidy().await {
            tracing::warn!(error = %error, "the housekeeping was put off");
        }
    }
}
