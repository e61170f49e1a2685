//! The ends of bodies whose answers are whole.
//!
//! An answer is given as soon as it is whole; the few bytes that end its body may come later. Until they are
//! read the connection cannot be used again, so they are read before the next request, when they are there.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};

/// The pieces of a body.
pub(super) type Chunks = BoxStream<'static, reqwest::Result<Bytes>>;

/// Runs that share a model seldom wait for more bodies than these; older ones are closed.
const MOST: usize = 16;

/// Bodies that are not read to their ends.
#[derive(Default)]
pub(super) struct Leftovers(Mutex<Vec<Chunks>>);

impl Leftovers {
    /// Keeps the rest of a body, unless its end is there already.
    pub(super) fn keep(&self, mut chunks: Chunks) {
        if has_ended(&mut chunks) {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            drop(kept.remove(0));
        }
        kept.push(chunks);
    }

    /// Reads the ends that have come, and lets their connections become free.
    pub(super) async fn finish(&self) {
        let had_some = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let before = kept.len();
            kept.retain_mut(|chunks| !has_ended(chunks));
            before > 0
        };
        if had_some {
            tokio::task::yield_now().await;
        }
    }
}

/// Reads what is there, without waiting; whether that was all.
fn has_ended(chunks: &mut Chunks) -> bool {
    loop {
        match chunks.next().now_or_never() {
            Some(Some(Ok(_))) => {}
            Some(Some(Err(_)) | None) => return true,
            None => return false,
        }
    }
}
