//! A body that ends when the preview that it passes through does.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::registry::Entry;

/// A server's answer on its way out.
pub(crate) struct Guarded {
    body: Incoming,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    // While it is open the registry must not forget the preview.
    _entry: Arc<Entry>,
}

/// The preview ended while the answer was under way.
#[derive(Debug, thiserror::Error)]
#[error("the preview has ended")]
pub(crate) struct Ended;

impl Guarded {
    pub(crate) fn new(body: Incoming, entry: Arc<Entry>) -> Self {
        Self { body, ended: Box::pin(entry.ended.clone().cancelled_owned()), _entry: entry }
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
        Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
