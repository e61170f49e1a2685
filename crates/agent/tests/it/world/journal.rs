//! A journal in memory that can lose its owner after any number of events.

use std::sync::{Mutex, MutexGuard};

use agent::port::{Command, Journal, JournalError, Wish};
use domain::ArtifactId;
use domain::event::{Artifact, Live, RunEvent};
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct MemoryJournal {
    kept: Mutex<Kept>,
    came: Notify,
    grew: Notify,
}

#[derive(Default)]
struct Kept {
    events: Vec<RunEvent>,
    appends: usize,
    live: Vec<Live>,
    artifacts: Vec<Vec<u8>>,
    commands: Vec<Command>,
    next_command: i64,
    dies_after: Option<usize>,
}

impl MemoryJournal {
    pub(crate) fn push(&self, events: Vec<RunEvent>) {
        self.lock().events.extend(events);
    }

    pub(crate) fn events(&self) -> Vec<RunEvent> {
        self.lock().events.clone()
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        self.events().iter().map(|event| event.encode().unwrap().0).collect()
    }

    pub(crate) fn appends(&self) -> usize {
        self.lock().appends
    }

    pub(crate) fn live(&self) -> Vec<Live> {
        self.lock().live.clone()
    }

    pub(crate) fn artifacts(&self) -> Vec<Vec<u8>> {
        self.lock().artifacts.clone()
    }

    pub(crate) fn waiting_commands(&self) -> Vec<Command> {
        self.lock().commands.clone()
    }

    /// The log takes this many events in all and then belongs to somebody else.
    pub(crate) fn dies_after(&self, events: Option<usize>) {
        self.lock().dies_after = events;
    }

    /// A person's wish.
    pub(crate) fn wish(&self, wish: Wish) -> i64 {
        let number = self.wish_unheard(wish);
        self.came.notify_one();
        number
    }

    /// A person's wish whose wake-up is lost.
    pub(crate) fn wish_unheard(&self, wish: Wish) -> i64 {
        let mut kept = self.lock();
        kept.next_command += 1;
        let number = kept.next_command;
        kept.commands.push(Command { number, by: "ada".to_owned(), wish });
        number
    }

    /// Takes commands off the list, as the caller of the loop does with those of an outcome.
    pub(crate) fn forget(&self, commands: &[i64]) {
        self.lock().commands.retain(|command| !commands.contains(&command.number));
    }

    /// Waits until the log holds an event like this.
    pub(crate) async fn until(&self, is: impl Fn(&RunEvent) -> bool) -> RunEvent {
        loop {
            let grew = self.grew.notified();
            if let Some(event) = self.events().into_iter().rev().find(|event| is(event)) {
                return event;
            }
            grew.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }
}

impl Journal for MemoryJournal {
    fn append(&self, events: Vec<RunEvent>, commands: Vec<i64>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move {
            // A real append waits for the disk, so others get their turn.
            tokio::task::yield_now().await;
            let mut kept = self.lock();
            kept.appends += 1;
            for event in events {
                if kept.dies_after.is_some_and(|most| kept.events.len() >= most) {
                    return Err(JournalError::Lost);
                }
                kept.events.push(event);
            }
            kept.commands.retain(|command| !commands.contains(&command.number));
            drop(kept);
            self.grew.notify_waiters();
            Ok(())
        })
    }

    fn live(&self, live: Live) {
        self.lock().live.push(live);
    }

    fn keep(
        &self,
        sort: &'static str,
        name: String,
        bytes: Vec<u8>,
    ) -> BoxFuture<'_, Result<Artifact, JournalError>> {
        let mut kept = self.lock();
        let number = kept.artifacts.len() as u128;
        let artifact = Artifact {
            id: ArtifactId::from_uuid(uuid::Uuid::from_u128(number)),
            sort: sort.to_owned(),
            name,
            media_type: "text/plain".to_owned(),
            size_bytes: bytes.len() as u64,
            blob: format!("blob/{number}"),
        };
        kept.artifacts.push(bytes);
        Box::pin(async move { Ok(artifact) })
    }

    fn commands(&self) -> BoxFuture<'_, Result<Vec<Command>, JournalError>> {
        let commands = self.lock().commands.clone();
        Box::pin(async move { Ok(commands) })
    }

    fn command_came(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.came.notified())
    }
}
