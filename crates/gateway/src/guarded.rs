//! A body that ends when the preview that it passes through does, and drives the connection that it comes from.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::backends::Place;
use crate::outbound::{Line, Pool};
use crate::registry::Entry;

/// A server's answer on its way out.
pub(crate) struct Guarded {
    body: Incoming,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    line: Option<Source>,
    // While it is open the registry must not forget the preview.
    _entry: Arc<Entry>,
}

/// Where an answer comes from.
pub(crate) struct Source {
    pub(crate) pool: Arc<Pool>,
    pub(crate) place: Place,
    pub(crate) line: Line,
}

/// The preview ended while the answer was under way.
#[derive(Debug, thiserror::Error)]
#[error("the preview has ended")]
pub(crate) struct Ended;

impl Guarded {
    pub(crate) fn new(body: Incoming, entry: Arc<Entry>, source: Source) -> Self {
        let ended = Box::pin(entry.ended.clone().cancelled_owned());
        let mut guarded = Self { body, ended, line: Some(source), _entry: entry };
        guarded.release_at_end();
        guarded
    }

    /// Gives the connection back for the next request as soon as the answer is complete.
    fn release_at_end(&mut self) {
        if self.body.is_end_stream()
            && let Some(source) = self.line.take()
        {
            source.pool.put(source.place, source.line);
        }
    }
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Box::new(Ended))));
        }
        // Only asking for more makes the connection read on, so that it has its turn before and after.
        for _ in 0..2 {
            if let Some(source) = &mut self.line {
                source.line.drive(cx);
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => {}
                Poll::Ready(frame) => {
                    self.release_at_end();
                    return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
                }
            }
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
