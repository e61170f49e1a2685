//! Watching a folder: with the events kept until they are asked for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use domain::SandboxId;
use runtime::CancellationToken;

use super::messages::{Empty, EventsResponse, FileEvent, WatchRequest, WatcherRequest, WatcherResponse};
use super::watch::Watched;
use crate::call::Call;
use crate::connect::code::Result;
use crate::connect::{Code, ConnectError};

/// The most watchers of one sandbox.
const WATCHERS_MAX: usize = 100;
/// The most events that wait; the oldest go first.
const EVENTS_MAX: usize = 10_000;

/// All watchers, by their id.
#[derive(Default)]
pub(crate) struct Watchers {
    all: Mutex<HashMap<String, Watcher>>,
}

struct Watcher {
    sandbox: SandboxId,
    events: Arc<Mutex<VecDeque<FileEvent>>>,
    stop: CancellationToken,
}

/// `CreateWatcher`
pub(super) async fn create(call: Call, input: WatchRequest) -> Result<WatcherResponse> {
    let (app, sandbox) = (call.app.clone(), call.id);
    let mut watched = Watched::open(call, input).await?;
    let id = format!("w{}", app.ambient.uuid().simple());
    let events = Arc::new(Mutex::new(VecDeque::new()));
    let stop = app.supervisor.stopping().child_token();
    app.watchers().add(id.clone(), Watcher { sandbox, events: events.clone(), stop: stop.clone() })?;
    let (keeper, gone) = (app.clone(), id.clone());
    app.supervisor.spawn("e2b watcher", async move {
        let keep = async {
            while let Some(Ok(happened)) = watched.next().await {
                let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
                events.extend(happened);
                let over = events.len().saturating_sub(EVENTS_MAX);
                events.drain(..over);
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
    let events = call.app.watchers().events(&input.watcher_id, call.id);
    Ok(EventsResponse { events: events.ok_or_else(|| unknown(&input.watcher_id))? })
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

    fn events(&self, id: &str, sandbox: SandboxId) -> Option<Vec<FileEvent>> {
        let all = self.lock();
        let watcher = all.get(id).filter(|watcher| watcher.sandbox == sandbox)?;
        Some(watcher.events.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect())
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
