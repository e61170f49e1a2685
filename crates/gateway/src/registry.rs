//! The previews that are in use, in memory: so that a request costs no look into the database, and so that what is open
//! ends when its preview does.
//!
//! A revocation of this process counts at once; one of another process is heard of, and looked for twice a second. When
//! that look does not work for a second, nothing in memory counts any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::PreviewId;
use runtime::{Ambient, CancellationToken};
use store::Store;

use crate::store::{self as rows, PreviewRow};

/// How often revocations are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A look that is older is none.
const STALE_AFTER: Duration = Duration::from_millis(1_000);
/// Clocks of several servers differ; a revocation is found by its writer's time.
const CLOCK_SKEW_MS: i64 = 5 * 60 * 1_000;
/// The most entries; beyond that those are dropped that nothing open hangs on.
const MOST_ENTRIES: usize = 10_000;

/// A preview that counted when it was looked up.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) row: PreviewRow,
    /// Cancelled when it counts no more.
    pub(crate) ended: CancellationToken,
}

impl Entry {
    fn new(row: PreviewRow) -> Self {
        Self { row, ended: CancellationToken::new() }
    }

    pub(crate) fn has_expired(&self, now_ms: i64) -> bool {
        self.row.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= now_ms)
    }
}

/// By the hash of the token, or by sandbox and port where none is needed.
#[derive(Default)]
pub(crate) struct Registry(Mutex<State>);

#[derive(Default)]
struct State {
    entries: HashMap<String, Arc<Entry>>,
    revocations: u64,
    looked_at: Option<Duration>,
}

impl Registry {
    /// The entry, where what is in memory counts.
    pub(crate) fn get(&self, key: &str, ambient: &Ambient) -> Option<Arc<Entry>> {
        let state = self.lock();
        let looked_at = state.looked_at?;
        let is_fresh = ambient.clock.elapsed().saturating_sub(looked_at) <= STALE_AFTER;
        let entry = state.entries.get(key).filter(|entry| is_fresh && !entry.ended.is_cancelled())?;
        (!entry.has_expired(ambient.now_ms())).then(|| entry.clone())
    }

    /// How many revocations there were; taken before a look into the database.
    pub(crate) fn revocations(&self) -> u64 {
        self.lock().revocations
    }

    /// Keeps a row. Where something was revoked since `revocations` was taken, it may be this one: `None`, look again.
    pub(crate) fn put(&self, key: String, row: PreviewRow, revocations: u64) -> Option<Arc<Entry>> {
        let mut state = self.lock();
        if state.revocations != revocations {
            return None;
        }
        if state.entries.len() >= MOST_ENTRIES {
            state.entries.retain(|_, entry| Arc::strong_count(entry) > 1);
        }
        let known =
            state.entries.get(&key).filter(|known| known.row.id == row.id && !known.ended.is_cancelled());
        let entry = known.cloned().unwrap_or_else(|| Arc::new(Entry::new(row)));
        state.entries.insert(key, entry.clone());
        Some(entry)
    }

    /// Ends what hangs on these previews.
    pub(crate) fn revoke(&self, is_revoked: impl Fn(&PreviewRow) -> bool) {
        let mut state = self.lock();
        state.revocations += 1;
        state.entries.retain(|_, entry| {
            if is_revoked(&entry.row) {
                entry.ended.cancel();
            }
            !entry.ended.is_cancelled()
        });
    }

    fn expire(&self, now_ms: i64) {
        self.lock().entries.retain(|_, entry| {
            if entry.has_expired(now_ms) {
                entry.ended.cancel();
            }
            !entry.ended.is_cancelled()
        });
    }

    fn looked(&self, at: Duration) {
        self.lock().looked_at = Some(at);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows revocations and ends what has expired, until `stop`.
pub(crate) async fn follow(registry: Arc<Registry>, store: Store, stop: CancellationToken) {
    let mut listener = store.listen(rows::TOPIC);
    let ambient = store.ambient().clone();
    let mut since_ms = ambient.now_ms() - CLOCK_SKEW_MS;
    loop {
        let (started, started_ms) = (ambient.clock.elapsed(), ambient.now_ms());
        match rows::revoked_since(&store, since_ms).await {
            Ok(revoked) => {
                if !revoked.is_empty() {
                    let revoked: std::collections::HashSet<PreviewId> = revoked.into_iter().collect();
                    registry.revoke(|row| revoked.contains(&row.id));
                }
                registry.looked(started);
                since_ms = started_ms - CLOCK_SKEW_MS;
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "revoked previews could not be looked for"
                );
            }
        }
        registry.expire(ambient.now_ms());
        if stop.run_until_cancelled(listener.changed(LOOK_EVERY)).await.is_none() {
            return;
        }
    }
}
