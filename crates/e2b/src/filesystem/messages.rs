//! The service's messages, in protobuf's JSON form.

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use crate::connect::proto::default;
pub(crate) use crate::process::Empty;

/// A call that is about one path.
#[derive(Debug, Deserialize)]
pub(super) struct PathRequest {
    #[serde(default, deserialize_with = "default")]
    pub(super) path: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct MoveRequest {
    #[serde(default, deserialize_with = "default")]
    pub(super) source: String,
    #[serde(default, deserialize_with = "default")]
    pub(super) destination: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListRequest {
    #[serde(default, deserialize_with = "default")]
    pub(super) path: String,
    #[serde(default, deserialize_with = "default")]
    pub(super) depth: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct EntryResponse {
    pub(super) entry: Entry,
}

#[derive(Debug, Serialize)]
pub(super) struct ListResponse {
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WatchRequest {
    #[serde(default, deserialize_with = "default")]
    pub(super) path: String,
    #[serde(default, deserialize_with = "default")]
    pub(super) recursive: bool,
    #[serde(default, rename = "includeEntry", alias = "include_entry", deserialize_with = "default")]
    pub(super) include_entry: bool,
}

/// Something that happened to a file.
#[derive(Debug, Clone, Serialize)]
pub(super) struct FileEvent {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: EventType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entry: Option<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum EventType {
    #[serde(rename = "EVENT_TYPE_CREATE")]
    Create,
    #[serde(rename = "EVENT_TYPE_WRITE")]
    Write,
    #[serde(rename = "EVENT_TYPE_REMOVE")]
    Remove,
    #[serde(rename = "EVENT_TYPE_RENAME")]
    Rename,
    #[serde(rename = "EVENT_TYPE_CHMOD")]
    Chmod,
}

/// What a stream of events tells.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Told {
    Start {},
    Filesystem(Box<FileEvent>),
    KeepAlive {},
}

#[derive(Debug, Deserialize)]
pub(super) struct WatcherRequest {
    #[serde(default, rename = "watcherId", alias = "watcher_id", deserialize_with = "default")]
    pub(super) watcher_id: String,
}

#[derive(Debug, Serialize)]
pub(super) struct WatcherResponse {
    #[serde(rename = "watcherId")]
    pub(super) watcher_id: String,
}

#[derive(Debug, Serialize)]
pub(super) struct EventsResponse {
    pub(super) events: Vec<FileEvent>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_field_are_read() -> serde_json::Result<()> {
        for text in [r#"{"path":"a","includeEntry":true}"#, r#"{"path":"a","include_entry":true}"#] {
            let request: WatchRequest = serde_json::from_str(text)?;
            assert!(request.include_entry && !request.recursive);
        }
        let start = serde_json::to_string(&Told::Start {})?;
        let event = FileEvent { name: "a/ä".to_owned(), kind: EventType::Write, entry: None };
        let event = serde_json::to_string(&Told::Filesystem(Box::new(event)))?;
        assert_eq!(start, r#"{"start":{}}"#);
        assert_eq!(event, r#"{"filesystem":{"name":"a/ä","type":"EVENT_TYPE_WRITE"}}"#);
        Ok(())
    }
}
