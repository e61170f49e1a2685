//! The live hub: what streams while something is under way (words, output) and is never a row.
//!
//! Each stream keeps a bounded ring of the pieces since it was last cleared. A publisher never waits; a reader
//! that is too slow loses the oldest pieces and is told how many.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The most bytes that one stream keeps.
const RING_BYTES: usize = 256 << 10;

/// The most pieces that one stream keeps.
const RING_PIECES: usize = 4096;

/// One piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it is: `live.text`.
    pub kind: Arc<str>,
    /// Its fields, as JSON.
    pub json: Arc<str>,
}

/// What a subscriber is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveItem {
    /// The next piece.
    Piece(Piece),
    /// This many pieces were lost here, because the subscriber was too slow.
    Lagged(u64),
    /// What was told so far is finished and stands in the log; begin anew.
    Cleared,
}

/// The rings of all streams. Clones are the same hub.
#[derive(Clone, Default)]
pub struct LiveHub(Arc<Mutex<Hub>>);

#[derive(Default)]
struct Hub {
    streams: HashMap<String, Ring>,
}

struct Ring {
    /// The number of the first kept piece; numbers grow for ever.
    first: u64,
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// Pieces before this number were cleared, not lost.
    cleared_to: u64,
    /// Fires with every change.
    changed: watch::Sender<()>,
}

impl Default for Ring {
    fn default() -> Self {
        Self { first: 0, pieces: VecDeque::new(), bytes: 0, cleared_to: 0, changed: watch::Sender::new(()) }
    }
}

/// Reads one stream: first what it keeps, then what comes.
pub struct LiveSubscriber {
    hub: LiveHub,
    stream: String,
    next: u64,
    changed: watch::Receiver<()>,
}

impl LiveHub {
    /// Adds a piece to a stream. Never waits.
    pub fn publish(&self, stream: &str, kind: &str, json: Arc<str>) {
        let mut hub = self.lock();
        let ring = hub.ring(stream);
        ring.bytes += json.len();
        ring.pieces.push_back(Piece { kind: Arc::from(kind), json });
        while ring.pieces.len() > RING_PIECES || (ring.bytes > RING_BYTES && ring.pieces.len() > 1) {
            let Some(lost) = ring.pieces.pop_front() else { break };
            ring.bytes -= lost.json.len();
            ring.first += 1;
        }
        ring.changed.send_replace(());
    }

    /// Forgets a stream's pieces: the finished thing is in the log.
    pub fn clear(&self, stream: &str) {
        let mut hub = self.lock();
        let Some(ring) = hub.streams.get_mut(stream) else { return };
        if ring.changed.receiver_count() == 0 {
            hub.streams.remove(stream);
            return;
        }
        if ring.pieces.is_empty() {
            return;
        }
        ring.first += ring.pieces.len() as u64;
        ring.cleared_to = ring.first;
        ring.pieces.clear();
        ring.bytes = 0;
        ring.changed.send_replace(());
    }

    /// Reads a stream from its first kept piece on.
    #[must_use]
    pub fn subscribe(&self, stream: &str) -> LiveSubscriber {
        let mut hub = self.lock();
        let ring = hub.ring(stream);
        let next = ring.first;
        let changed = ring.changed.subscribe();
        LiveSubscriber { hub: self.clone(), stream: stream.to_owned(), next, changed }
    }

    /// How many streams are kept.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.lock().streams.len()
    }

    fn lock(&self) -> MutexGuard<'_, Hub> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    fn ring(&mut self, stream: &str) -> &mut Ring {
        if !self.streams.contains_key(stream) {
            self.streams.insert(stream.to_owned(), Ring::default());
        }
        self.streams.entry(stream.to_owned()).or_default()
    }
}

impl LiveSubscriber {
    /// The next item; waits for it. Safe to drop at any await.
    pub async fn next(&mut self) -> LiveItem {
        loop {
            self.changed.mark_unchanged();
            if let Some(item) = self.try_next() {
                return item;
            }
            if self.changed.changed().await.is_err() {
                // The ring lives as long as it has a subscriber, so this does not come.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The next item, where there is one already.
    pub fn try_next(&mut self) -> Option<LiveItem> {
        let hub = self.hub.lock();
        let ring = hub.streams.get(&self.stream)?;
        if self.next < ring.cleared_to {
            self.next = ring.cleared_to;
            return Some(LiveItem::Cleared);
        }
        if self.next < ring.first {
            let lost = ring.first - self.next;
            self.next = ring.first;
            return Some(LiveItem::Lagged(lost));
        }
        let index = usize::try_from(self.next - ring.first).ok()?;
        let piece = ring.pieces.get(index)?.clone();
        self.next += 1;
        Some(LiveItem::Piece(piece))
    }
}

/// The last subscriber of an empty stream takes the ring along.
impl Drop for LiveSubscriber {
    fn drop(&mut self) {
        let mut hub = self.hub.lock();
        let alone = |ring: &Ring| ring.pieces.is_empty() && ring.changed.receiver_count() <= 1;
        if hub.streams.get(&self.stream).is_some_and(alone) {
            hub.streams.remove(&self.stream);
        }
    }
}
