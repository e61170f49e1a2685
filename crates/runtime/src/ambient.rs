//! Time and chance in one cheap handle.

use std::sync::Arc;
use std::time::Duration;

use crate::{Clock, MockClock, Random, SeededRandom, SystemClock, SystemRandom};

/// The clock and the source of randomness that a part works with.
#[derive(Clone)]
pub struct Ambient {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub random: Arc<dyn Random>,
}

impl Ambient {
    /// The machine's own clock and randomness.
    #[must_use]
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) }
    }

    /// A clock that stands until it is told to move, and numbers that follow from `seed`.
    #[must_use]
    pub fn mock(seed: u64) -> (Self, MockClock) {
        let clock = MockClock::new();
        (Self { clock: Arc::new(clock.clone()), random: Arc::new(SeededRandom::new(seed)) }, clock)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Waits for `duration` of this clock.
    pub async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }

    /// Waits for `future` at most `limit` of this clock; `None` when the time is up first.
    pub async fn within<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = self.clock.sleep(limit) => None,
        }
    }

    /// A new UUIDv7: time first, so that ids sort by their making.
    #[must_use]
    pub fn uuid(&self) -> uuid::Uuid {
        let mut bytes = [0; 10];
        self.random.fill(&mut bytes);
        let millis = u64::try_from(self.now_ms()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}
