//! Whether and when a failed call is tried again.

use std::time::Duration;

use runtime::{Backoff, Random};

use crate::failure::{Again, Failure};

/// How long and how often is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// For overload, rate limits and cut streams.
    pub backoff: Backoff,
    /// How many tries there are where nobody answers at the address.
    pub connect_tries: u32,
    /// A provider that asks for a longer wait is not waited for.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    /// Ten tries over about two minutes; five where nobody answers; five minutes at the provider's wish.
    fn default() -> Self {
        let backoff =
            Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30), tries: 10 };
        Self { backoff, connect_tries: 5, longest_wait: Duration::from_secs(300) }
    }
}

impl RetryPolicy {
    /// The wait before the next try, or `None` when there is none.
    pub(super) fn wait_after(&self, failed: u32, failure: &Failure, random: &dyn Random) -> Option<Duration> {
        let step = self.backoff.wait_after(failed, random)?;
        match failure.again {
            Again::Never => None,
            Again::Once => (failed < 2).then_some(step),
            Again::Connect => (failed < self.connect_tries).then_some(step),
            Again::Later(None) => Some(step),
            Again::Later(Some(asked_ms)) => {
                let asked = Duration::from_millis(asked_ms);
                // A little later than asked, so that many runs do not come back in one moment.
                let spread = step.mul_f64(random.fraction() * 0.25);
                (asked <= self.longest_wait).then(|| asked + spread)
            }
        }
    }
}
