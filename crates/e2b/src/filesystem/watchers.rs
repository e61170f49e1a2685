//! Watching a folder: with the events kept until they are asked for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::SandboxId;
use runtime::CancellationToken;
use tokio::sync::Notify;

use super::messages::{Empty, EventsResponse, FileEvent, WatchRequest, WatcherRequest, WatcherResponse};
use super::watch::Watched;
use crate::call::Call;
use crate::connect::code::Result;
use crate::connect::{Code, ConnectError};

/// The most watchers of one sandbox.
const WATCHERS_MAX: usize = 100;
/// The most events that wait; the oldest go first.
const EVENTS_MAX: usize = 10_000;
/// Clients ask right after they have changed something. What is on its way is waited for until it is so long
/// quiet, and at most so long.
const QUIET: Duration = Duration::from_millis(30);
const WAIT_MAX: Duration = Duration::from_millis(300);

/// All watchers, by their id.
#[derive(Default)]
pub(crate) struct Watchers {
    all: Mutex<HashMap<String, Watcher>>,
}

struct Watcher {
    sandbox: SandboxId,
    kept: Arc<Kept>,
    stop: CancellationToken,
}

/// The events that nobody has asked for yet.
#[derive(Default)]
struct Kept {
    events: Mutex<VecDeque<FileEvent>>,
    came: Notify,
}

impl Kept {
    fn add(&self, happened: Vec<FileEvent>) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.extend(happened);
        let over = events.len().saturating_sub(EVENTS_MAX);
        events.drain(..over);
        self.came.notify_one();
    }

    fn take(&self) -> Vec<FileEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

/// `CreateWatcher`
pub(super) async fn create(call: Call, input: WatchRequest) -> Result<WatcherResponse> {
    let (app, sandbox) = (call.app.clone(), call.id);
    let mut watched = Watched::open(call, input).await?;
    let id = format!("w{}", app.ambient.uuid().simple());
    let kept = Arc::new(Kept::default());
    let stop = app.supervisor.stopping().child_token();
    app.watchers().add(id.clone(), Watcher { sandbox, kept: kept.clone(), stop: stop.clone() })?;
    let (keeper, gone) = (app.clone(), id.clone());
    app.supervisor.spawn("e2b watcher", async move {
        let keep = async {
            while let Some(Ok(happened)) = watched.next().await {
                kept.add(happened);
            }
        };
        let ended = stop.run_until_cancelled(keep).await;
        if ended.is_some() {
            keeper.watchers().take(&gone, sandbox);
        }
    });
    Ok(WatcherResponse { watcher_id: id })
}

/// `GetWatcherEvents`
pub(super) async fn events(call: Call, input: WatcherRequest) -> Result<EventsResponse> {
    let kept = call.app.watchers().kept(&input.watcher_id, call.id);
    let kept = kept.ok_or_else(|| unknown(&input.watcher_id))?;
    let ambient = &call.app.ambient;
    let quiet = async { while ambient.within(QUIET, kept.came.notified()).await.is_some() {} };
    ambient.within(WAIT_MAX, quiet).await;
    Ok(EventsResponse { events: kept.take() })
}

/// `RemoveWatcher`
pub(super) async fn remove(call: Call, input: WatcherRequest) -> Result<Empty> {
    let removed = call.app.watchers().take(&input.watcher_id, call.id);
    removed.then_some(Empty {}).ok_or_else(|| unknown(&input.watcher_id))
}

fn unknown(id: &str) -> ConnectError {
    ConnectError::new(Code::NotFound, format!("watcher with id {id} not found"))
}

impl Watchers {
    fn add(&self, id: String, watcher: Watcher) -> Result<()> {
        let mut all = self.lock();
        if all.values().filter(|other| other.sandbox == watcher.sandbox).count() >= WATCHERS_MAX {
            watcher.stop.cancel();
            let detail = format!("a sandbox has at most {WATCHERS_MAX} watchers; remove some");
            return Err(ConnectError::new(Code::ResourceExhausted, detail));
        }
        all.insert(id, watcher);
        Ok(())
    }

    fn kept(&self, id: &str, sandbox: SandboxId) -> Option<Arc<Kept>> {
        let all = self.lock();
        all.get(id).filter(|watcher| watcher.sandbox == sandbox).map(|watcher| watcher.kept.clone())
    }

    fn take(&self, id: &str, sandbox: SandboxId) -> bool {
        let mut all = self.lock();
        if all.get(id).is_none_or(|watcher| watcher.sandbox != sandbox) {
            return false;
        }
        all.remove(id).inspect(|watcher| watcher.stop.cancel()).is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Watcher>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
