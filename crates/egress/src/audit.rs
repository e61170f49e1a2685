//! What was refused, for the audit log. An agent in a loop must not flood it: of the same refusal one event a
//! minute is told, and of all refusals of a sandbox at most sixty; what was left out is counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{OrgId, SandboxId};
use runtime::Ambient;

use crate::refusal::Refusal;

/// A sandbox and its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SandboxRef {
    /// The tenant.
    pub org: OrgId,
    /// The sandbox.
    pub id: SandboxId,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Whose sandbox.
    pub who: SandboxRef,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Why.
    pub refusal: Refusal,
    /// How many refusals were left out since the event before.
    pub left_out: u64,
}

/// Takes refusals into the audit log.
pub trait Audit: Send + Sync + 'static {
    /// Called for each refusal, less those that were left out. Must not block.
    fn refused(&self, refused: Refused);
}

const WINDOW: Duration = Duration::from_secs(60);
const MOST_IN_WINDOW: usize = 60;

/// The audit of one sandbox.
pub(crate) struct Auditor {
    audit: Arc<dyn Audit>,
    ambient: Ambient,
    who: SandboxRef,
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    told: HashMap<String, Duration>,
    left_out: u64,
}

impl Auditor {
    pub(crate) fn new(audit: Arc<dyn Audit>, ambient: Ambient, who: SandboxRef) -> Self {
        Self { audit, ambient, who, window: Mutex::default() }
    }

    pub(crate) fn refused(&self, refusal: &Refusal) {
        if !refusal.is_decision() {
            return;
        }
        let now = self.ambient.clock.elapsed();
        let left_out = {
            let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
            window.told.retain(|_, told_at| now.saturating_sub(*told_at) < WINDOW);
            let key = refusal.to_string();
            if window.told.len() >= MOST_IN_WINDOW || window.told.contains_key(&key) {
                window.left_out += 1;
                return;
            }
            window.told.insert(key, now);
            std::mem::take(&mut window.left_out)
        };
        let at_ms = self.ambient.now_ms();
        self.audit.refused(Refused { who: self.who, at_ms, refusal: refusal.clone(), left_out });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<Refused>>);

    impl Audit for Kept {
        fn refused(&self, refused: Refused) {
            self.0.lock().expect("kept").push(refused);
        }
    }

    #[test]
    fn a_flood_of_refusals_is_told_once_a_minute_with_its_count() {
        let (ambient, clock) = Ambient::mock(1);
        let kept = Arc::new(Kept::default());
        let id = uuid::Uuid::from_u128(1);
        let who = SandboxRef { org: OrgId::from_uuid(id), id: SandboxId::from_uuid(id) };
        let auditor = Auditor::new(kept.clone(), ambient, who);
        let refusal = |port| Refusal::NotListed { host: "a.example".parse().expect("a host"), port };
        (0..1000).for_each(|_| auditor.refused(&refusal(1)));
        (2..1000).for_each(|port| auditor.refused(&refusal(port)));
        assert_eq!(kept.0.lock().expect("kept").len(), MOST_IN_WINDOW);
        clock.advance(WINDOW);
        auditor.refused(&refusal(1));
        let told = kept.0.lock().expect("kept");
        let last = told.last().expect("a refusal");
        let left_out: u64 = told.iter().map(|refused| refused.left_out).sum();
        assert_eq!((told.len(), &last.refusal), (MOST_IN_WINDOW + 1, &refusal(1)));
        assert_eq!(u64::try_from(told.len()).expect("a count") + left_out, 1000 + 998 + 1);
    }

    #[test]
    fn what_the_outside_did_is_no_refusal_of_ours() {
        let kept = Arc::new(Kept::default());
        let id = uuid::Uuid::from_u128(1);
        let who = SandboxRef { org: OrgId::from_uuid(id), id: SandboxId::from_uuid(id) };
        let auditor = Auditor::new(kept.clone(), Ambient::mock(1).0, who);
        auditor.refused(&Refusal::TimedOut { host: "a.example".parse().expect("a host"), port: 1 });
        assert!(kept.0.lock().expect("kept").is_empty());
    }
}
