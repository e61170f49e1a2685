//! Wake-ups: they carry no data and only shorten a wait. Subscribe first, then read, and poll anyway.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use domain::OrgId;
use runtime::Ambient;
use tokio::sync::watch;

/// The topic that is woken by every append to `stream`.
#[must_use]
pub fn stream_topic(org: OrgId, stream: &str) -> String {
    format!("stream/{org}/{stream}")
}

/// Who waits for which topic, in this process.
#[derive(Clone)]
pub struct Wakeups {
    topics: Arc<Mutex<Topics>>,
    ambient: Ambient,
}

/// A topic lives as long as a listener of it.
#[derive(Default)]
struct Topics(HashMap<String, Weak<Topic>>);

struct Topic {
    name: String,
    fired: watch::Sender<u64>,
    home: Weak<Mutex<Topics>>,
}

/// Waits for one topic.
pub struct Listener {
    seen: watch::Receiver<u64>,
    ambient: Ambient,
    // Keeps the topic known.
    _topic: Arc<Topic>,
}

impl Wakeups {
    pub(crate) fn new(ambient: Ambient) -> Self {
        Self { topics: Arc::default(), ambient }
    }

    /// Begins to listen: whatever fires from here on is noticed by [`Listener::changed`].
    #[must_use]
    pub fn listen(&self, topic: impl Into<String>) -> Listener {
        let name = topic.into();
        let mut topics = lock(&self.topics);
        let known = topics.0.get(&name).and_then(Weak::upgrade);
        let topic = known.unwrap_or_else(|| {
            let home = Arc::downgrade(&self.topics);
            let topic = Arc::new(Topic { name: name.clone(), fired: watch::Sender::new(0), home });
            topics.0.insert(name, Arc::downgrade(&topic));
            topic
        });
        Listener { seen: topic.fired.subscribe(), ambient: self.ambient.clone(), _topic: topic }
    }

    /// Wakes the topic's listeners in this process. Writers use [`crate::Tx::wake`].
    pub fn fire(&self, topic: &str) {
        let known = lock(&self.topics).0.get(topic).and_then(Weak::upgrade);
        if let Some(topic) = known {
            topic.fired.send_modify(|count| *count += 1);
        }
    }

    /// Wakes everybody.
    pub(crate) fn fire_all(&self) {
        let all: Vec<_> = lock(&self.topics).0.values().filter_map(Weak::upgrade).collect();
        for topic in all {
            topic.fired.send_modify(|count| *count += 1);
        }
    }

    /// How many topics somebody listens for.
    #[must_use]
    pub fn topics(&self) -> usize {
        lock(&self.topics).0.len()
    }
}

impl Listener {
    /// Waits until the topic fires, at most `limit`; returns whether it has. A topic that fired since the last
    /// call (or since the start) returns at once.
    pub async fn changed(&mut self, limit: Duration) -> bool {
        // The sender lives as long as this listener, so an error cannot come.
        matches!(self.ambient.within(limit, self.seen.changed()).await, Some(Ok(())))
    }

    /// Whether the topic has fired since the last look (or since the start). Does not wait: a timer, even one
    /// of no time at all, ends with the next millisecond.
    pub fn has_changed(&mut self) -> bool {
        // As above, an error cannot come.
        let fired = self.seen.has_changed().unwrap_or(false);
        if fired {
            self.seen.mark_unchanged();
        }
        fired
    }
}

/// The last listener is gone: forget the topic.
impl Drop for Topic {
    fn drop(&mut self) {
        let Some(home) = self.home.upgrade() else { return };
        let mut topics = lock(&home);
        // A new topic of this name may have been made meanwhile.
        if topics.0.get(&self.name).is_some_and(|topic| topic.strong_count() == 0) {
            topics.0.remove(&self.name);
        }
    }
}

fn lock(topics: &Mutex<Topics>) -> MutexGuard<'_, Topics> {
    topics.lock().unwrap_or_else(PoisonError::into_inner)
}
