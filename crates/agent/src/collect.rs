//! What streams: a command's output, collected in bounded memory, and everything that watchers see live,
//! in few pieces.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::event::Live;
use runtime::Ambient;
use tokio::sync::Notify;

use crate::port::Journal;

/// The most of a command's output that is kept, in bytes: the first and the last half of it.
pub(crate) const KEPT_MAX_BYTES: usize = 16 << 20;
/// Live pieces come at most this often …
const LIVE_GAP: Duration = Duration::from_millis(50);
/// … or as soon as this much has gathered.
const LIVE_BYTES: usize = 8 << 10;

/// The first and the last part of a stream of bytes.
#[derive(Debug)]
pub(crate) struct Ends {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Ends {
    pub(crate) const fn new(most: usize) -> Self {
        Self { half: most / 2, head: Vec::new(), tail: VecDeque::new(), dropped: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = self.half - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let newest = &rest[rest.len().saturating_sub(self.half)..];
        let excess = (self.tail.len() + newest.len()).saturating_sub(self.half);
        self.dropped += (excess + rest.len() - newest.len()) as u64;
        self.tail.drain(..excess);
        self.tail.extend(newest);
    }

    /// What was kept, with a line between the two parts where bytes between them were dropped, and how many.
    pub(crate) fn take(&mut self) -> (Vec<u8>, u64) {
        let mut bytes = std::mem::take(&mut self.head);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            bytes.extend_from_slice(format!("\n[{dropped} bytes dropped here]\n").as_bytes());
        }
        bytes.extend(std::mem::take(&mut self.tail));
        (bytes, dropped)
    }
}

/// So many full pieces of a command's output may follow each other without a gap; of what comes beyond
/// them only the end is shown.
const LIVE_BURST: u32 = 4;

/// What the pieces of a live stream are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sort {
    Text(u32),
    Thinking(u32),
    Output(String),
}

/// Gathers live pieces and shows them, few and large.
pub(crate) struct LiveStream<'a> {
    journal: &'a dyn Journal,
    ambient: &'a Ambient,
    waiting: Mutex<Waiting>,
    came: Notify,
}

#[derive(Default)]
struct Waiting {
    sort: Option<Sort>,
    bytes: Vec<u8>,
    shown_at: Option<Duration>,
    /// When the last gap was, and how many pieces were shown since.
    burst: (Duration, u32),
    skipped: usize,
}

impl<'a> LiveStream<'a> {
    pub(crate) fn new(journal: &'a dyn Journal, ambient: &'a Ambient) -> Self {
        Self { journal, ambient, waiting: Mutex::default(), came: Notify::new() }
    }

    /// Adds a piece. Never blocks for longer than a copy.
    pub(crate) fn push(&self, sort: &Sort, bytes: &[u8]) {
        let now = self.ambient.clock.elapsed();
        let mut waiting = self.lock();
        if waiting.sort.as_ref() != Some(sort) {
            self.show(&mut waiting, now);
            waiting.sort = Some(sort.clone());
        }
        waiting.bytes.extend_from_slice(bytes);
        waiting.keep_last(2 * LIVE_BYTES);
        if waiting.shown_at.is_none_or(|at| now.saturating_sub(at) >= LIVE_GAP) {
            waiting.burst = (now, 0);
            self.show(&mut waiting, now);
        } else if waiting.bytes.len() < LIVE_BYTES {
            self.came.notify_one();
        } else if waiting.may_burst(now) {
            self.show(&mut waiting, now);
        } else {
            waiting.keep_last(LIVE_BYTES / 2);
            self.came.notify_one();
        }
    }

    /// Shows what waits.
    pub(crate) fn flush(&self) {
        let mut waiting = self.lock();
        self.show(&mut waiting, self.ambient.clock.elapsed());
    }

    /// Shows what waits once its time has come; for ever.
    pub(crate) async fn tick(&self) -> Infallible {
        loop {
            self.came.notified().await;
            self.ambient.sleep(LIVE_GAP).await;
            self.flush();
        }
    }

    fn show(&self, waiting: &mut Waiting, now: Duration) {
        if waiting.bytes.is_empty() {
            return;
        }
        let Some(sort) = &waiting.sort else { return };
        let mut text = take_text(&mut waiting.bytes);
        if waiting.skipped > 0 {
            text = format!("\n[{} bytes are not shown here]\n{text}", std::mem::take(&mut waiting.skipped));
        }
        waiting.shown_at = Some(now);
        self.journal.live(match sort {
            Sort::Text(turn) => Live::Text { turn: *turn, text },
            Sort::Thinking(turn) => Live::Thinking { turn: *turn, text },
            Sort::Output(call_id) => Live::Output { call_id: call_id.clone(), text },
        });
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Whether a full piece may be shown before the next gap. Words of a model always may.
    fn may_burst(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.burst.0) >= LIVE_GAP {
            self.burst = (now, 0);
        }
        self.burst.1 += 1;
        self.burst.1 <= LIVE_BURST || !matches!(self.sort, Some(Sort::Output(_)))
    }

    /// Forgets all but the end of a command's output that waits.
    fn keep_last(&mut self, most: usize) {
        if matches!(self.sort, Some(Sort::Output(_))) && self.bytes.len() > most {
            let excess = self.bytes.len() - most;
            self.bytes.drain(..excess);
            self.skipped += excess;
        }
    }
}

/// Takes the bytes as text, and leaves a character that is not complete yet for the next piece.
fn take_text(bytes: &mut Vec<u8>) -> String {
    let end = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        Ok(_) | Err(_) => bytes.len(),
    };
    let rest = bytes.split_off(end);
    let text = String::from_utf8_lossy(bytes).into_owned();
    *bytes = rest;
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gigabyte_leaves_its_ends_in_bounded_memory() {
        let mut ends = Ends::new(1 << 20);
        let piece = [b'x'; 64 << 10];
        ends.push(b"first\n");
        for _ in 0..(1 << 30) / piece.len() {
            ends.push(&piece);
        }
        ends.push(b"\nlast");
        assert!(ends.head.len() + ends.tail.len() <= 1 << 20);
        let (bytes, dropped) = ends.take();
        assert_eq!(dropped, (1 << 30) + 11 - (1 << 20));
        assert!(bytes.starts_with(b"first\n") && bytes.ends_with(b"\nlast"));
    }

    #[test]
    fn short_output_is_kept_as_it_came_in_whatever_pieces() {
        let mut ends = Ends::new(10);
        for byte in b"0123456789" {
            ends.push(&[*byte]);
        }
        assert_eq!(ends.take(), (b"0123456789".to_vec(), 0));
    }
}
