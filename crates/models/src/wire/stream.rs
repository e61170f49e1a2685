//! A stream being read, from bytes to events to the wire's reader.

use serde_json::Value;

use super::{Flow, Reader, Sink};
use crate::failure::{Failure, Peer};
use crate::sse::{Decoder, Event, SseError};

/// A stream being read.
pub(super) struct Reading {
    decoder: Decoder,
    pub(super) reader: Box<dyn Reader>,
    pub(super) flow: Flow,
}

impl Reading {
    pub(super) fn new(reader: Box<dyn Reader>) -> Self {
        Self { decoder: Decoder::default(), reader, flow: Flow::More }
    }

    /// Takes a chunk; whether it held an event.
    pub(super) fn feed(&mut self, chunk: &[u8], sink: &Sink<'_>) -> Result<bool, Failure> {
        let Self { decoder, reader, flow } = self;
        let mut seen = false;
        decoder
            .feed(chunk, |event| {
                seen = true;
                if *flow == Flow::More {
                    *flow = take(&mut **reader, event, sink).map_err(Stop::Failed)?;
                }
                Ok(())
            })
            .map_err(|stop: Stop| stop.into_failure(sink.peer))?;
        Ok(seen)
    }

    /// Takes the end; whether there was one more event.
    pub(super) fn end(&mut self, sink: &Sink<'_>) -> Result<bool, Failure> {
        let last = self.decoder.finish().map_err(|error| sink.peer.bad_answer(&error.to_string()))?;
        let Some(event) = last else { return Ok(false) };
        // The last event of a cut stream may be half of one.
        if serde_json::from_str::<Value>(&event.data).is_ok() || event.data == END_MARK {
            self.flow = take(&mut *self.reader, &event, sink)?;
        }
        Ok(true)
    }
}

/// Why decoding stopped.
enum Stop {
    Failed(Failure),
    Sse(SseError),
}

impl From<SseError> for Stop {
    fn from(error: SseError) -> Self {
        Self::Sse(error)
    }
}

impl Stop {
    fn into_failure(self, peer: &Peer) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Sse(error) => peer.bad_answer(&error.to_string()),
        }
    }
}

/// What two of the wires end a stream with.
const END_MARK: &str = "[DONE]";

fn take(reader: &mut dyn Reader, event: &Event, sink: &Sink<'_>) -> Result<Flow, Failure> {
    if event.data == END_MARK {
        return Ok(Flow::Done);
    }
    if event.data.trim().is_empty() {
        return Ok(Flow::More);
    }
    let json = serde_json::from_str::<Value>(&event.data).map_err(|error| {
        sink.peer.bad_answer(&format!("an event that is not JSON ({error}): {}", event.data))
    })?;
    reader.event(&json, &event.name, sink)
}
