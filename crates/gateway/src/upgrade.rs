//! Connections that both sides have agreed to use for something else: bytes are copied as they come, until one side goes or
//! the preview ends.

use std::sync::Arc;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use crate::backends::BackendStream;
use crate::registry::Entry;

/// How much is read at a time, for each direction.
const BUFFER_BYTES: usize = 16 << 10;

/// Copies until one side goes or the preview ends. `begin` came from inside together with the head of its answer.
pub(crate) async fn copy(
    outside: OnUpgrade,
    (mut inside, begin): (Box<dyn BackendStream>, Bytes),
    entry: Arc<Entry>,
) {
    let Ok(outside) = outside.await else { return };
    let mut outside = TokioIo::new(outside);
    let copying = async {
        outside.write_all(&begin).await?;
        tokio::io::copy_bidirectional_with_sizes(&mut outside, &mut inside, BUFFER_BYTES, BUFFER_BYTES).await
    };
    tokio::select! {
        // Either side may go away at any time; that is how these end.
        _ended = copying => {}
        () = entry.ended.cancelled() => {}
    }
}
