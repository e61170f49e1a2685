//! How long to wait before the next try.

use std::time::Duration;

use crate::Random;

/// Exponential backoff with a cap and full jitter (each wait is drawn from half of the step to all of it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// No wait is longer.
    pub longest: Duration,
    /// How many tries there are in all, the first included.
    pub tries: u32,
}

impl Backoff {
    /// The wait after `failed` failed tries (from 1), or `None` when there is no further try.
    #[must_use]
    pub fn wait_after(&self, failed: u32, random: &dyn Random) -> Option<Duration> {
        if failed >= self.tries {
            return None;
        }
        let doubled = self.first.saturating_mul(1_u32 << failed.saturating_sub(1).min(20));
        let step = doubled.min(self.longest);
        Some(step.mul_f64(0.5 + random.fraction() / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRandom;

    #[test]
    fn waits_double_up_to_the_cap_and_end_with_the_tries() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(5), tries: 5 };
        let random = SeededRandom::new(1);
        for (failed, step) in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0)] {
            let wait = backoff.wait_after(failed, &random).unwrap_or_default().as_secs_f64();
            assert!(wait >= step / 2.0 && wait <= step, "{failed}: {wait}");
        }
        assert_eq!(backoff.wait_after(5, &random), None);
    }
}
