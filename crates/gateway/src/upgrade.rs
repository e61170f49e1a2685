//! Connections that both sides have agreed to use for something else: bytes are copied as they come, until one side goes or
//! the preview ends.

use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::registry::Entry;

/// How much is read at a time, for each direction.
const BUFFER_BYTES: usize = 16 << 10;

/// Copies until one side goes or the preview ends.
pub(crate) async fn copy(outside: OnUpgrade, inside: OnUpgrade, entry: Arc<Entry>) {
    let (Ok(outside), Ok(inside)) = tokio::join!(outside, inside) else { return };
    let (mut outside, mut inside) = (TokioIo::new(outside), TokioIo::new(inside));
    let copying =
        tokio::io::copy_bidirectional_with_sizes(&mut outside, &mut inside, BUFFER_BYTES, BUFFER_BYTES);
    tokio::select! {
        // Either side may go away at any time; that is how these end.
        _ended = copying => {}
        () = entry.ended.cancelled() => {}
    }
}
