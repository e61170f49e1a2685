//! A stream of the log as readers get it: what is written, in order and without a gap, then what comes,
//! with the live pieces in between. Listens first, then reads, and polls anyway.
//!
//! A feed holds at most one page of events and waits for its reader; it never queues.

use std::collections::VecDeque;
use std::time::Duration;

use domain::OrgId;
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Serialize;
use serde_json::value::RawValue;
use store::live::{LiveItem, LiveSubscriber, Piece};
use store::{Listener, Range, RawEvent, Store, StoreError};

/// How many events are held at once.
const PAGE: u32 = 100;
/// How long a lost wake-up can go unnoticed.
const POLL: Duration = Duration::from_secs(5);

/// One thing that a reader is told.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// An event.
    Event(RawEvent),
    /// Everything up to here has been told.
    CaughtUp {
        /// The seq of the stream's last event.
        head: i64,
    },
    /// A live piece.
    Live(Piece),
    /// The stream was removed; this is the end.
    Gone,
    /// The store does not answer; this is the end, and the reader comes again.
    Failed,
}

/// Where a feed begins.
pub(crate) struct Start {
    pub(crate) store: Store,
    pub(crate) org: OrgId,
    pub(crate) stream: String,
    pub(crate) after: i64,
}

/// The feed.
pub(crate) fn feed(start: Start) -> impl Stream<Item = Told> + Send {
    let listener = start.store.listen_stream(start.org, &start.stream);
    let live = start.store.live().subscribe(&start.stream);
    let state = Feed {
        store: start.store,
        org: start.org,
        stream: start.stream,
        after: start.after,
        listener,
        live,
        page: VecDeque::new(),
        may_have_more: true,
        told_caught_up: false,
        ended: false,
    };
    unfold(state, |mut feed| async move { feed.next().await.map(|told| (told, feed)) })
}

struct Feed {
    store: Store,
    org: OrgId,
    stream: String,
    after: i64,
    listener: Listener,
    live: LiveSubscriber,
    page: VecDeque<RawEvent>,
    may_have_more: bool,
    told_caught_up: bool,
    ended: bool,
}

impl Feed {
    async fn next(&mut self) -> Option<Told> {
        while !self.ended {
            if let Some(event) = self.page.pop_front() {
                self.after = event.seq;
                return Some(Told::Event(event));
            }
            if self.may_have_more {
                if let Some(told) = self.read().await {
                    return Some(told);
                }
                continue;
            }
            if !self.told_caught_up {
                self.told_caught_up = true;
                return Some(Told::CaughtUp { head: self.after });
            }
            if let Some(piece) = self.wait().await {
                return Some(Told::Live(piece));
            }
        }
        None
    }

    /// Reads the next page. Tells something only where it is the end.
    async fn read(&mut self) -> Option<Told> {
        let range = Range::After { seq: self.after, limit: PAGE };
        match self.store.raw_events(self.org, &self.stream, range).await {
            Ok(events) => {
                self.may_have_more = !events.is_empty();
                self.page = events.into();
            }
            Err(error) => return Some(self.fail(&error)),
        }
        if self.may_have_more || self.after == 0 {
            return None;
        }
        match self.store.head(self.org, &self.stream).await {
            Ok(0) => Some(self.end(Told::Gone)),
            Ok(_) => None,
            Err(error) => Some(self.fail(&error)),
        }
    }

    fn fail(&mut self, error: &StoreError) -> Told {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            "a stream ends, because the store does not answer"
        );
        self.end(Told::Failed)
    }

    fn end(&mut self, last: Told) -> Told {
        self.ended = true;
        last
    }

    /// Waits for a live piece, or until there may be more events.
    async fn wait(&mut self) -> Option<Piece> {
        tokio::select! {
            biased;
            _fired = self.listener.changed(POLL) => {
                self.may_have_more = true;
                None
            }
            item = self.live.next() => match item {
                LiveItem::Piece(piece) => Some(piece),
                // What was lost or finished stands in the log.
                LiveItem::Lagged(_) | LiveItem::Cleared => None,
            }
        }
    }
}

/// An event as JSON, with its fields as they are stored.
pub(crate) fn envelope(stream: &str, event: &RawEvent) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Envelope<'a> {
        stream: &'a str,
        seq: i64,
        at_ms: i64,
        kind: &'a str,
        data: &'a RawValue,
    }
    let data: &RawValue = serde_json::from_str(&event.body)?;
    serde_json::to_string(&Envelope { stream, seq: event.seq, at_ms: event.at_ms, kind: &event.kind, data })
}
