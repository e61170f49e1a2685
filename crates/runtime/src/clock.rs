//! Clocks: the machine's, and one for tests that moves when it is told to.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use tokio::sync::watch;

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch. May jump; never use it to measure.
    fn now_ms(&self) -> i64;

    /// Time since some fixed moment; never goes back. For measuring.
    fn elapsed(&self) -> Duration;

    /// Waits.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now_ms(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn elapsed(&self) -> Duration {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock for tests: it starts at 2026-01-01T00:00:00Z and moves only by [`MockClock::advance`].
/// Clones are the same clock.
#[derive(Debug, Clone)]
pub struct MockClock(Arc<Mock>);

#[derive(Debug)]
struct Mock {
    state: Mutex<MockState>,
    sleepers: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct MockState {
    elapsed: Duration,
    next_key: u64,
    waiting: Vec<(u64, Duration, Option<Waker>)>,
}

/// 2026-01-01T00:00:00Z in milliseconds since the Unix epoch.
const MOCK_START_MS: i64 = 1_767_225_600_000;

impl MockClock {
    /// A clock at its start.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mock { state: Mutex::default(), sleepers: watch::Sender::new(0) }))
    }

    /// Moves the clock and wakes those whose time has come.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.elapsed += by;
        let now = state.elapsed;
        for (_, until, waker) in &mut state.waiting {
            if *until <= now
                && let Some(waker) = waker.take()
            {
                waker.wake();
            }
        }
    }

    /// Waits until at least `count` tasks sleep on this clock, so that a test can move it without a race.
    pub async fn wait_for_sleepers(&self, count: usize) {
        let mut sleepers = self.0.sleepers.subscribe();
        // The sender lives in self, so the channel cannot close.
        let _ = sleepers.wait_for(|now| *now >= count).await;
    }

    /// How long until the earliest sleeper wakes.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        let state = self.lock();
        state.waiting.iter().map(|(_, until, _)| until.saturating_sub(state.elapsed)).min()
    }

    fn lock(&self) -> MutexGuard<'_, MockState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MockClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MockClock {
    fn now_ms(&self) -> i64 {
        MOCK_START_MS + i64::try_from(self.lock().elapsed.as_millis()).unwrap_or(i64::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        let (key, until) = {
            let mut state = clock.lock();
            let key = state.next_key;
            state.next_key += 1;
            let until = state.elapsed + duration;
            state.waiting.push((key, until, None));
            clock.0.sleepers.send_replace(state.waiting.len());
            (key, until)
        };
        let guard = Sleeper { clock, key };
        Box::pin(async move {
            poll_fn(|cx| {
                let mut state = guard.clock.lock();
                if state.elapsed >= until {
                    return Poll::Ready(());
                }
                if let Some(entry) = state.waiting.iter_mut().find(|(key, ..)| *key == guard.key) {
                    entry.2 = Some(cx.waker().clone());
                }
                Poll::Pending
            })
            .await;
        })
    }
}

/// Takes a sleeper off the list when its future ends or is dropped.
struct Sleeper {
    clock: MockClock,
    key: u64,
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let mut state = self.clock.lock();
        state.waiting.retain(|(key, ..)| *key != self.key);
        self.clock.0.sleepers.send_replace(state.waiting.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mock_sleep_ends_when_the_clock_has_moved_far_enough() {
        let clock = MockClock::new();
        let sleep = clock.sleep(Duration::from_secs(60));
        let task = sleep;
        let mover = async {
            clock.wait_for_sleepers(1).await;
            assert_eq!(clock.next_wake(), Some(Duration::from_secs(60)));
            clock.advance(Duration::from_secs(59));
            clock.advance(Duration::from_secs(1));
        };
        tokio::join!(task, mover);
        assert_eq!(clock.now_ms(), MOCK_START_MS + 60_000);
        assert_eq!(clock.next_wake(), None);
    }
}
