//! The output of a process: its last megabyte is kept, for those who come late.
//!
//! Its one rule: a full log waits for a follower that is behind, but never longer than [`PATIENCE`]; who has not
//! made room by then misses output, and is told how much.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::agent::children::Outcome;
use crate::agent::{lock, now, sys};

/// How much of a process's output is kept.
const KEPT_BYTES: u64 = 1 << 20;

/// How long a full log waits for a follower.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that one piece holds.
const PIECE_BYTES: usize = 64 << 10;

/// What is kept, and who reads it.
#[derive(Default)]
pub(super) struct Log {
    state: Mutex<State>,
    /// A follower has moved on or left.
    moved: Condvar,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Piece>,
    /// Where the next byte will be, in bytes since the process began.
    end: u64,
    outcome: Option<Outcome>,
    followers: HashMap<u64, Place>,
    last_follower: u64,
}

struct Piece {
    at: u64,
    kind: u8,
    bytes: Vec<u8>,
}

/// Where a follower is.
struct Place {
    at: u64,
    /// It took too long: nothing waits for it until it has caught up.
    late: bool,
    wake: Arc<OwnedFd>,
}

/// What there is next for a follower.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Output of this kind.
    Output(u8, Vec<u8>),
    /// So much is not kept any more.
    Missed(u64),
    /// Nothing yet.
    Nothing,
    /// The process has ended, and all is read.
    Ended(Outcome),
}

/// One who reads the log; leaves when dropped.
pub(super) struct Follower<'a> {
    log: &'a Log,
    number: u64,
    wake: Arc<OwnedFd>,
}

impl Log {
    /// Adds output, once there is room or patience is at an end.
    pub(super) fn add(&self, kind: u8, bytes: &[u8]) {
        let mut state = lock(&self.state);
        let deadline = now() + PATIENCE;
        let needed = (state.end + bytes.len() as u64).saturating_sub(KEPT_BYTES);
        while state.followers.values().any(|place| !place.late && place.at < needed) {
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                for place in state.followers.values_mut().filter(|place| place.at < needed) {
                    place.late = true;
                }
                break;
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.wake_those_at_the_end();
        state.add(kind, bytes);
    }

    /// Says how the process ended; nothing is added any more.
    pub(super) fn finish(&self, outcome: Outcome) {
        let mut state = lock(&self.state);
        state.wake_those_at_the_end();
        state.outcome = Some(outcome);
    }

    /// How the process ended, where it has.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        lock(&self.state).outcome
    }

    /// How much is kept.
    pub(super) fn kept_bytes(&self) -> u64 {
        let state = lock(&self.state);
        state.end - state.start()
    }

    /// Whether somebody reads.
    pub(super) fn is_followed(&self) -> bool {
        !lock(&self.state).followers.is_empty()
    }

    /// Begins to read: with the first output of the process, or with what comes now.
    pub(super) fn follow(&self, replay: bool) -> io::Result<Follower<'_>> {
        let wake = Arc::new(sys::event()?);
        let mut state = lock(&self.state);
        state.last_follower += 1;
        let number = state.last_follower;
        let at = if replay { 0 } else { state.end };
        // What is not kept any more is missed at once; that is no reason to hold the process.
        let place = Place { at, late: at < state.start(), wake: Arc::clone(&wake) };
        state.followers.insert(number, place);
        Ok(Follower { log: self, number, wake })
    }
}

impl State {
    /// Where the first piece begins.
    fn start(&self) -> u64 {
        self.pieces.front().map_or(self.end, |piece| piece.at)
    }

    fn add(&mut self, kind: u8, bytes: &[u8]) {
        let at = self.end;
        self.end += bytes.len() as u64;
        match self.pieces.back_mut() {
            // Many small pieces would cost more than what they hold.
            Some(last) if last.kind == kind && last.bytes.len() + bytes.len() <= PIECE_BYTES => {
                last.bytes.extend_from_slice(bytes);
            }
            _ => self.pieces.push_back(Piece { at, kind, bytes: bytes.to_vec() }),
        }
        // A piece goes only as a whole, so that what is within bounds is never lost with what is not.
        let bound = self.end.saturating_sub(KEPT_BYTES);
        while self.pieces.get(1).is_some_and(|second| second.at <= bound) {
            self.pieces.pop_front();
        }
    }

    fn wake_those_at_the_end(&self) {
        for place in self.followers.values().filter(|place| place.at >= self.end) {
            sys::raise(place.wake.as_fd());
        }
    }

    /// What follows `at`, and where that ends.
    fn next(&self, at: u64) -> (Next, u64) {
        if at < self.start() {
            return (Next::Missed(self.start() - at), self.start());
        }
        if at >= self.end {
            return (self.outcome.map_or(Next::Nothing, Next::Ended), at);
        }
        let index = self.pieces.partition_point(|piece| piece.at <= at).saturating_sub(1);
        let Some(piece) = self.pieces.get(index) else { return (Next::Nothing, at) };
        let skipped = usize::try_from(at - piece.at).unwrap_or(usize::MAX);
        let bytes = piece.bytes.get(skipped..).unwrap_or_default().to_vec();
        let end = at + bytes.len() as u64;
        (Next::Output(piece.kind, bytes), end)
    }
}

impl Follower<'_> {
    /// What comes next.
    pub(super) fn next(&self) -> Next {
        let mut state = lock(&self.log.state);
        let Some(at) = state.followers.get(&self.number).map(|place| place.at) else { return Next::Nothing };
        let (next, at) = state.next(at);
        let end = state.end;
        if let Some(place) = state.followers.get_mut(&self.number) {
            place.at = at;
            place.late &= at < end;
        }
        drop(state);
        self.log.moved.notify_all();
        next
    }

    /// Becomes readable when there is something after [`Next::Nothing`]; [`Follower::rest`] undoes it.
    pub(super) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Takes notice of a wake-up.
    pub(super) fn rest(&self) {
        sys::lower(self.wake.as_fd());
    }
}

impl Drop for Follower<'_> {
    fn drop(&mut self) {
        lock(&self.log.state).followers.remove(&self.number);
        self.log.moved.notify_all();
    }
}

#[cfg(test)]
mod tests;
