//! Credentials that were checked a moment ago, so that a request costs no look into the database.
//!
//! What this process revokes leaves at once. What another process revokes leaves within
//! [`KEPT_FOR_MS`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::TokenId;

use crate::access::Caller;
use crate::tokens::TokenKind;

/// How long an entry counts.
pub(crate) const KEPT_FOR_MS: i64 = 10_000;
/// The most entries; beyond that the cache starts anew.
const MOST_ENTRIES: usize = 4_096;

/// A credential that was valid when it was looked up.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) token: TokenId,
    pub(crate) kind: TokenKind,
    pub(crate) caller: Caller,
    pub(crate) expires_at_ms: Option<i64>,
    pub(crate) last_used_at_ms: Option<i64>,
    pub(crate) looked_up_at_ms: i64,
}

/// By the hash of the credential.
#[derive(Default)]
pub(crate) struct Cache(Mutex<State>);

#[derive(Default)]
struct State {
    revocations: u64,
    known: HashMap<String, Known>,
}

impl Cache {
    /// The entry, unless it is too old.
    pub(crate) fn get(&self, hash: &str, now_ms: i64) -> Option<Known> {
        let state = self.lock();
        let known = state.known.get(hash)?;
        let age_ms = now_ms - known.looked_up_at_ms;
        (0..KEPT_FOR_MS).contains(&age_ms).then(|| known.clone())
    }

    /// How many revocations there were; taken before a look into the database.
    pub(crate) fn revocations(&self) -> u64 {
        self.lock().revocations
    }

    /// Keeps an entry, unless something was revoked since `revocations` was taken: it may be this one.
    pub(crate) fn put(&self, hash: String, known: Known, revocations: u64) {
        let mut state = self.lock();
        if state.revocations != revocations {
            return;
        }
        if state.known.len() >= MOST_ENTRIES {
            state.known.clear();
        }
        state.known.insert(hash, known);
    }

    /// Notes when the credential was last used.
    pub(crate) fn touch(&self, hash: &str, now_ms: i64) {
        if let Some(known) = self.lock().known.get_mut(hash) {
            known.last_used_at_ms = Some(now_ms);
        }
    }

    /// Forgets everything, after something was revoked.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.revocations += 1;
        state.known.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
