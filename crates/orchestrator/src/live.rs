//! The sandboxes of this process, by id; and whose turn it is with each.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use domain::{OrgId, SandboxId};
use sandbox::Sandbox;
use tokio::sync::{Notify, OwnedMutexGuard, watch};

use crate::error::{Error, Result};
use crate::orchestrator::Orchestrator;
use crate::state::SandboxState;
use crate::store;
use crate::wish::EgressPolicy;

/// Whether a use may wake a sandbox that rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// It only looks.
    Never,
    /// Where the sandbox was made so that use wakes it.
    IfAsked,
    /// Always.
    Always,
}

/// What happens to a live sandbox by itself, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Its time is up at this moment.
    End(i64),
    /// It stands still since long: its processes end at this moment.
    Rest(i64),
    /// Nothing.
    Never,
}

impl Due {
    pub(crate) const fn at_ms(self) -> Option<i64> {
        match self {
            Self::End(at_ms) | Self::Rest(at_ms) => Some(at_ms),
            Self::Never => None,
        }
    }
}

/// A sandbox that has processes.
pub(crate) struct LiveBox {
    pub(crate) org: OrgId,
    pub(crate) sandbox: Arc<dyn Sandbox>,
    /// Whether it serves a run, whose worker looks after it.
    pub(crate) of_run: bool,
    /// Paused after so long without use.
    pub(crate) idle_after_ms: Option<i64>,
    pub(crate) egress: watch::Sender<EgressPolicy>,
    active_at_ms: AtomicI64,
    now: Mutex<Now>,
}

struct Now {
    paused: bool,
    due: Due,
}

impl LiveBox {
    pub(crate) fn of_run(org: OrgId, sandbox: Arc<dyn Sandbox>) -> Self {
        let egress = EgressPolicy::default();
        Self { of_run: true, ..Self::new(org, sandbox, egress, None) }
    }

    pub(crate) fn new(
        org: OrgId,
        sandbox: Arc<dyn Sandbox>,
        egress: EgressPolicy,
        idle_after_ms: Option<i64>,
    ) -> Self {
        Self {
            org,
            sandbox,
            of_run: false,
            idle_after_ms,
            egress: watch::Sender::new(egress),
            active_at_ms: AtomicI64::new(0),
            now: Mutex::new(Now { paused: false, due: Due::Never }),
        }
    }

    pub(crate) fn touch(&self, now_ms: i64) {
        self.active_at_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    pub(crate) fn active_at_ms(&self) -> i64 {
        self.active_at_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.now().paused
    }

    pub(crate) fn due(&self) -> Due {
        self.now().due
    }

    /// Says how it stands; the caller wakes the deadlines.
    pub(crate) fn set(&self, paused: bool, due: Due) {
        *self.now() = Now { paused, due };
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Live {
    boxes: Mutex<HashMap<SandboxId, Arc<LiveBox>>>,
    turns: Mutex<HashMap<SandboxId, Weak<tokio::sync::Mutex<()>>>>,
    held: Arc<Mutex<HashSet<SandboxId>>>,
    /// Told when a deadline may have come nearer.
    pub(crate) sooner: Notify,
}

impl Live {
    pub(crate) fn get(&self, id: SandboxId) -> Option<Arc<LiveBox>> {
        self.lock().get(&id).cloned()
    }

    pub(crate) fn put(&self, id: SandboxId, live: LiveBox) -> Arc<LiveBox> {
        let live = Arc::new(live);
        self.lock().insert(id, live.clone());
        live
    }

    pub(crate) fn take(&self, id: SandboxId) -> Option<Arc<LiveBox>> {
        self.lock().remove(&id)
    }

    pub(crate) fn drain(&self) -> Vec<(SandboxId, Arc<LiveBox>)> {
        self.lock().drain().collect()
    }

    pub(crate) fn all(&self) -> Vec<(SandboxId, Arc<LiveBox>)> {
        self.lock().iter().map(|(id, live)| (*id, live.clone())).collect()
    }

    pub(crate) fn set(&self, live: &LiveBox, paused: bool, due: Due) {
        live.set(paused, due);
        self.sooner.notify_one();
    }

    /// The turn with one sandbox: what changes its life happens one after the other.
    pub(crate) async fn turn(&self, id: SandboxId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() > 64 && turns.len() > 2 * self.lock().len() {
                turns.retain(|_, turn| turn.strong_count() > 0);
            }
            match turns.get(&id).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    let turn = Arc::new(tokio::sync::Mutex::new(()));
                    turns.insert(id, Arc::downgrade(&turn));
                    turn
                }
            }
        };
        turn.lock_owned().await
    }

    /// Says that the host may have something of this sandbox though it is not in the list.
    pub(crate) fn hold(&self, id: SandboxId) -> Held {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        Held { id, all: self.held.clone() }
    }

    /// Every sandbox that the host may have by our doing.
    pub(crate) fn held(&self) -> Vec<SandboxId> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock().keys().chain(held.iter()).copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SandboxId, Arc<LiveBox>>> {
        self.boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a sandbox from being taken for an orphan.
pub(crate) struct Held {
    id: SandboxId,
    all: Arc<Mutex<HashSet<SandboxId>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Orchestrator {
    /// A sandbox to work with, for those who carry its bytes. The caller has shown that the org's things are
    /// theirs to use. Where the sandbox runs, this reads no row.
    ///
    /// # Errors
    ///
    /// [`Error::Asleep`] where it rests and `wake` does not wake it, [`Error::Suspended`], [`Error::NotFound`], and
    /// what [`Orchestrator::resume`] gives.
    pub async fn live(&self, org: OrgId, id: SandboxId, wake: Wake) -> Result<Arc<dyn Sandbox>> {
        if let Some(live) = self.inner.live.get(id)
            && live.org == org
            && !live.is_paused()
        {
            return Ok(live.sandbox.clone());
        }
        let row = store::find(self.store(), org, id).await?;
        match &row.state {
            state if state.is_gone() => return Err(Error::NotFound(id)),
            SandboxState::Suspended { reason } => {
                return Err(Error::Suspended { id, reason: reason.clone() });
            }
            _ => {}
        }
        let may_wake = match wake {
            Wake::Never => matches!(row.state, SandboxState::Starting | SandboxState::Running),
            // What somebody stopped stays so until somebody resumes it.
            Wake::IfAsked => row.wish.auto_resume && !matches!(row.state, SandboxState::Stopped { .. }),
            Wake::Always => true,
        };
        let starting = matches!(row.state, SandboxState::Starting | SandboxState::Running);
        if !may_wake && !starting {
            return Err(Error::Asleep { id, state: row.state.name() });
        }
        if starting {
            // It comes up, or is just going: whoever has the turn decides.
            drop(self.inner.live.turn(id).await);
        } else {
            self.wake(org, id, None).await?;
        }
        match self.inner.live.get(id).filter(|live| live.org == org && !live.is_paused()) {
            Some(live) => Ok(live.sandbox.clone()),
            None => {
                let state = store::find(self.store(), org, id).await?.state;
                Err(Error::Asleep { id, state: state.name() })
            }
        }
    }

    /// The org that a living or resting sandbox belongs to, for those who were shown a capability that names the
    /// sandbox itself (the token of one sandbox, of one preview), and who have checked it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn org_of(&self, id: SandboxId) -> Result<OrgId> {
        if let Some(live) = self.inner.live.get(id) {
            return Ok(live.org);
        }
        store::org_of(self.store(), id).await?.ok_or(Error::NotFound(id))
    }

    /// The ids of the sandboxes that this process holds.
    #[must_use]
    pub fn live_ids(&self) -> Vec<SandboxId> {
        self.inner.live.all().into_iter().map(|(id, _)| id).collect()
    }

    /// Says that somebody used a sandbox just now, so that it does not count as idle. Cheap.
    pub fn touch(&self, id: SandboxId) {
        if let Some(live) = self.inner.live.get(id) {
            live.touch(self.now_ms());
        }
    }
}
