//! The journal of one run, as its owner holds it: every append names the claim, so that a worker which
//! lost its claim can write nothing more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent::port::{Command, Journal, JournalError};
use domain::ArtifactId;
use domain::event::{Artifact, Live, RunEvent};
use futures_util::future::BoxFuture;
use runtime::Ambient;
use store::{Claim, Listener, Store, StoreError};

use crate::record::{self, RunKey};
use crate::store as rows;
use crate::summary::Summary;
use crate::worker::CLAIM_TTL_MS;

/// How long a command may go unseen when its wake-up is lost.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Writes one run's log.
pub(crate) struct RunJournal {
    store: Store,
    ambient: Ambient,
    claim: Claim,
    key: RunKey,
    stream: String,
    changed: Changed,
    summary: tokio::sync::Mutex<Summary>,
    listener: tokio::sync::Mutex<Listener>,
    inbox: Mutex<Inbox>,
    /// Set when a wake-up was seen whose commands are not read yet.
    unread: AtomicBool,
}

/// Is told the summary and the position of the last event when lists of runs should show something new.
pub(crate) type Changed = Box<dyn Fn(&Summary, i64) + Send + Sync>;

/// Commands that are read and not taken.
#[derive(Default)]
struct Inbox {
    waiting: Vec<Command>,
    read_at: Option<Duration>,
}

impl RunJournal {
    /// `changed` is told whenever lists of runs should show something new.
    pub(crate) fn new(store: Store, claim: Claim, key: RunKey, summary: Summary, changed: Changed) -> Self {
        let listener = tokio::sync::Mutex::new(store.listen(key.commands_topic()));
        Self {
            ambient: store.ambient().clone(),
            store,
            claim,
            key,
            stream: key.run.stream(),
            changed,
            summary: tokio::sync::Mutex::new(summary),
            listener,
            inbox: Mutex::default(),
            unread: AtomicBool::new(true),
        }
    }

    /// The run as its log tells it now.
    pub(crate) async fn summary(&self) -> Summary {
        self.summary.lock().await.clone()
    }

    /// Makes sure that the run is still ours, and stays so for long enough to take one step outside.
    pub(crate) async fn hold(&self) -> Result<(), StoreError> {
        let (claim, now_ms) = (self.claim.clone(), self.ambient.now_ms());
        self.store
            .write(move |tx| Box::pin(async move { tx.claim_renew(&claim, CLAIM_TTL_MS, now_ms).await }))
            .await
    }

    /// Appends, takes commands, and ends or keeps the claim, in one step.
    pub(crate) async fn step(
        &self,
        events: Vec<RunEvent>,
        commands: Vec<i64>,
        then: Then,
    ) -> Result<(), StoreError> {
        let mut held = self.summary.lock().await;
        let (claim, key, now_ms) = (self.claim.clone(), self.key, self.ambient.now_ms());
        let (events, taken, before) = (Arc::new(events), commands.clone(), held.clone());
        let written = events.clone();
        let (after, last_seq) = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let mut summary = before;
                    tx.claim_check(&claim).await?;
                    let last_seq = record::append(tx, key, &mut summary, &written, now_ms).await?;
                    for number in taken {
                        rows::delete_command(tx, key.org, key.run, number).await?;
                    }
                    match then {
                        Then::GoOn => {}
                        Then::Finish => tx.claim_finish(&claim, now_ms).await?,
                        Then::Release { run_at_ms } => tx.claim_release(&claim, run_at_ms).await?,
                    }
                    Ok::<_, StoreError>((summary, last_seq))
                })
            })
            .await?;
        *held = after;
        self.inbox().waiting.retain(|command| !commands.contains(&command.number));
        if events.iter().any(ends_live) {
            self.store.live().clear(&self.stream);
        }
        if events.iter().any(record::changes_list) {
            (self.changed)(&held, last_seq);
        }
        Ok(())
    }

    fn inbox(&self) -> std::sync::MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of the claim after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// We keep it.
    GoOn,
    /// The run is at rest.
    Finish,
    /// Somebody may claim it again from this time on.
    Release {
        /// Unix milliseconds.
        run_at_ms: i64,
    },
}

/// Whether what streamed so far is now told by a durable event.
fn ends_live(event: &RunEvent) -> bool {
    matches!(event, RunEvent::TurnAnswered(_) | RunEvent::TurnFailed { .. } | RunEvent::ToolEnded(_))
}

impl Journal for RunJournal {
    fn append(&self, events: Vec<RunEvent>, commands: Vec<i64>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move { self.step(events, commands, Then::GoOn).await.map_err(to_journal_error) })
    }

    fn live(&self, live: Live) {
        #[derive(serde::Deserialize)]
        struct Parts {
            kind: String,
            data: Box<serde_json::value::RawValue>,
        }
        let parts = serde_json::to_string(&live).and_then(|text| serde_json::from_str::<Parts>(&text));
        if let Ok(parts) = parts {
            self.store.live().publish(&self.stream, &parts.kind, Arc::from(parts.data.get()));
        }
    }

    fn keep(
        &self,
        sort: &'static str,
        name: String,
        bytes: Vec<u8>,
    ) -> BoxFuture<'_, Result<Artifact, JournalError>> {
        Box::pin(async move {
            let size_bytes = bytes.len() as u64;
            let media_type = media_type(&name, &bytes).to_owned();
            let blob = self.store.blobs().put(self.key.org, bytes).await.map_err(to_journal_error)?;
            Ok(Artifact {
                id: ArtifactId::from_uuid(self.ambient.uuid()),
                sort: sort.to_owned(),
                name,
                media_type,
                size_bytes,
                blob: blob.as_str().to_owned(),
            })
        })
    }

    fn commands(&self) -> BoxFuture<'_, Result<Vec<Command>, JournalError>> {
        Box::pin(async move {
            let woken = match self.listener.try_lock() {
                Ok(mut listener) => listener.has_changed(),
                Err(_) => true,
            };
            let now = self.ambient.clock.elapsed();
            let stale = self.inbox().read_at.is_none_or(|read_at| now.saturating_sub(read_at) >= LOOK_AGAIN);
            if woken || stale || self.unread.swap(false, Ordering::AcqRel) {
                let waiting = rows::list_commands(&self.store, self.key.org, self.key.run)
                    .await
                    .map_err(to_journal_error)?;
                *self.inbox() = Inbox { waiting, read_at: Some(now) };
            }
            Ok(self.inbox().waiting.clone())
        })
    }

    fn command_came(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.listener.lock().await.changed(LOOK_AGAIN).await;
            self.unread.store(true, Ordering::Release);
        })
    }
}

pub(crate) fn to_journal_error(error: StoreError) -> JournalError {
    match error {
        StoreError::FenceLost { .. } => JournalError::Lost,
        StoreError::DiskFull => JournalError::DiskFull,
        other => JournalError::Internal(Box::new(other)),
    }
}

fn media_type(name: &str, bytes: &[u8]) -> &'static str {
    if name.ends_with(".patch") {
        "text/x-diff; charset=utf-8"
    } else if std::str::from_utf8(bytes).is_ok() {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}
