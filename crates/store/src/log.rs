//! The event log: per stream 1, 2, 3 … without a gap.

use domain::OrgId;
use domain::event::Envelope;

use crate::dialect::{APPEND, APPEND_EVENT, APPEND_HEAD, APPEND_MANY};
use crate::error::StoreError;
use crate::row::Row;
use crate::store::Store;
use crate::tx::Tx;
use crate::value::Value;
use crate::wakeups::stream_topic;

/// One event that shall be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What happened: `turn.answered`.
    pub kind: String,
    /// Its fields, as JSON.
    pub body: String,
}

/// Which part of a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Events after `seq`, the oldest first.
    After {
        /// 0 reads from the start.
        seq: i64,
        /// At most so many.
        limit: u32,
    },
    /// The last events before `seq`, given oldest first all the same.
    Before {
        /// `i64::MAX` reads the end.
        seq: i64,
        /// At most so many.
        limit: u32,
    },
}

/// One event whose fields are left as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// Its position in the stream.
    pub seq: i64,
    /// When it was written, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What happened.
    pub kind: String,
    /// Its fields, as JSON.
    pub body: String,
}

impl Tx {
    /// Writes an event at the end of a stream and wakes those who listen for it. Returns its seq, from 1.
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`].
    #[expect(clippy::too_many_arguments, reason = "called everywhere; these are the event's columns")]
    pub async fn append(
        &mut self,
        org: OrgId,
        stream: &str,
        at_ms: i64,
        kind: &str,
        body: &str,
    ) -> Result<i64, StoreError> {
        let seq = if self.is_local() {
            let seq = self.move_head(org, stream, 1).await?;
            let args = [org.into(), stream.into(), seq.into(), at_ms.into(), kind.into(), body.into()];
            self.execute(APPEND_EVENT, &args).await?;
            seq
        } else {
            let args = [org.into(), stream.into(), at_ms.into(), kind.into(), body.into()];
            self.fetch_one(APPEND, &args, |row| row.int(0)).await?
        };
        self.wake(stream_topic(org, stream));
        Ok(seq)
    }

    /// Writes events at the end of a stream, in order. Returns the seq of the last one (of the stream's last
    /// event when `events` is empty).
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`].
    pub async fn append_many(
        &mut self,
        org: OrgId,
        stream: &str,
        events: &[NewEvent],
    ) -> Result<i64, StoreError> {
        let last = match events {
            [] => return self.head(org, stream).await,
            [event] => return self.append(org, stream, event.at_ms, &event.kind, &event.body).await,
            events if self.is_local() => self.append_each(org, stream, events).await?,
            events => self.append_together(org, stream, events).await?,
        };
        self.wake(stream_topic(org, stream));
        Ok(last)
    }

    async fn append_each(
        &mut self,
        org: OrgId,
        stream: &str,
        events: &[NewEvent],
    ) -> Result<i64, StoreError> {
        let first = self.move_head(org, stream, count(events)?).await?;
        let mut args = [
            org.into(),
            stream.into(),
            Value::Int(None),
            Value::Int(None),
            Value::Text(None),
            Value::Text(None),
        ];
        let mut last = first;
        for (seq, event) in (first..).zip(events) {
            args[2] = seq.into();
            args[3] = event.at_ms.into();
            args[4] = (&event.kind).into();
            args[5] = (&event.body).into();
            self.execute(APPEND_EVENT, &args).await?;
            last = seq;
        }
        Ok(last)
    }

    async fn append_together(
        &mut self,
        org: OrgId,
        stream: &str,
        events: &[NewEvent],
    ) -> Result<i64, StoreError> {
        let given: Vec<_> = events.iter().map(|event| (event.at_ms, &event.kind, &event.body)).collect();
        let given =
            serde_json::to_string(&given).map_err(|error| StoreError::internal("write events", error))?;
        let args = [org.into(), stream.into(), count(events)?.into(), given.into()];
        self.fetch_one(APPEND_MANY, &args, |row| row.int(0)).await
    }

    /// Makes room for `count` events; returns the seq of the first.
    async fn move_head(&mut self, org: OrgId, stream: &str, count: i64) -> Result<i64, StoreError> {
        let args = [org.into(), stream.into(), count.into()];
        self.fetch_one(APPEND_HEAD, &args, |row| row.int(0)).await
    }

    /// The seq of a stream's last event; 0 when it has none.
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`].
    pub async fn head(&mut self, org: OrgId, stream: &str) -> Result<i64, StoreError> {
        let head = self.fetch_optional(HEAD, &[org.into(), stream.into()], |row| row.int(0)).await?;
        Ok(head.unwrap_or(0))
    }

    /// Removes a stream and all its events.
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`].
    pub async fn delete_stream(&mut self, org: OrgId, stream: &str) -> Result<(), StoreError> {
        let args = [org.into(), stream.into()];
        self.execute("delete from events where org_id = $1 and stream = $2", &args).await?;
        self.execute("delete from streams where org_id = $1 and stream = $2", &args).await?;
        self.wake(stream_topic(org, stream));
        Ok(())
    }
}

fn count(events: &[NewEvent]) -> Result<i64, StoreError> {
    i64::try_from(events.len()).map_err(|error| StoreError::internal("count events", error))
}

const HEAD: &str = "select next_seq - 1 from streams where org_id = $1 and stream = $2";

const AFTER: &str = "select seq, at_ms, kind, body from events
    where org_id = $1 and stream = $2 and seq > $3 order by seq limit $4";

const BEFORE: &str = "select seq, at_ms, kind, body from events
    where org_id = $1 and stream = $2 and seq < $3 order by seq desc limit $4";

impl Store {
    /// Reads a part of a stream, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; `Internal` where a body is not JSON.
    pub async fn events(&self, org: OrgId, stream: &str, range: Range) -> Result<Vec<Envelope>, StoreError> {
        self.part(org, stream, range, |row| {
            Ok(Envelope {
                stream: stream.to_owned(),
                seq: row.int(0)?,
                at_ms: row.int(1)?,
                kind: row.text(2)?,
                data: row.json(3)?,
            })
        })
        .await
    }

    /// As [`Store::events`], but leaves the fields as the text they are kept as.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn raw_events(
        &self,
        org: OrgId,
        stream: &str,
        range: Range,
    ) -> Result<Vec<RawEvent>, StoreError> {
        self.part(org, stream, range, |row| {
            Ok(RawEvent { seq: row.int(0)?, at_ms: row.int(1)?, kind: row.text(2)?, body: row.text(3)? })
        })
        .await
    }

    /// The seq of a stream's last event; 0 when it has none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn head(&self, org: OrgId, stream: &str) -> Result<i64, StoreError> {
        let head = self.fetch_optional(HEAD, &[org.into(), stream.into()], |row| row.int(0)).await?;
        Ok(head.unwrap_or(0))
    }

    async fn part<T>(
        &self,
        org: OrgId,
        stream: &str,
        range: Range,
        read: impl FnMut(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let (sql, seq, limit) = match range {
            Range::After { seq, limit } => (AFTER, seq, limit),
            Range::Before { seq, limit } => (BEFORE, seq, limit),
        };
        let args = [org.into(), stream.into(), seq.into(), limit.into()];
        let mut events = self.fetch_all(sql, &args, read).await?;
        if matches!(range, Range::Before { .. }) {
            events.reverse();
        }
        Ok(events)
    }
}
