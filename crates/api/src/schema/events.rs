//! The shapes of the log and of the WebSocket's messages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One event as it is stored and sent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Envelope {
    /// The stream.
    #[schema(example = "run/run019aa1b2c3d4e5f60718293a4b5c6d7e")]
    stream: String,
    /// Position in the stream: 1, 2, 3 … without a gap.
    seq: i64,
    /// When it was written, in milliseconds since the Unix epoch.
    at_ms: i64,
    /// What happened.
    #[schema(example = "turn.answered")]
    kind: String,
    /// The event's own fields.
    data: serde_json::Value,
}

/// A part of a run's log.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct EventPage {
    /// The events, the oldest first.
    items: Vec<Envelope>,
    /// The position of the log's last event.
    head: i64,
}

/// What a client of the WebSocket sends: one of the three.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct ClientMessage {
    /// Follow a stream.
    pub(crate) subscribe: Option<Subscribe>,
    /// Follow it no longer.
    pub(crate) unsubscribe: Option<Unsubscribe>,
    /// Is answered by `pong` with the same number.
    pub(crate) ping: Option<i64>,
}

/// Which stream to follow, and from where.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Subscribe {
    /// `run/<id>`, or `org` for changed runs.
    pub(crate) stream: String,
    /// The last position that the client has; 0 for none.
    #[serde(default)]
    pub(crate) after: i64,
    /// The epoch that `after` belongs to, as `caught_up` told it.
    #[serde(default)]
    pub(crate) epoch: Option<String>,
}

/// Which stream to follow no longer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Unsubscribe {
    /// As it was subscribed.
    pub(crate) stream: String,
}
