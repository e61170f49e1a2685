//! One handle over SQLite or Postgres: transactions, the event log, wake-ups, leases, the queue, blobs.
//!
//! This crate knows rows, not rules. Everything that another crate stores goes through [`Store::write`]
//! and is durable when that returns.

pub mod blobs;
pub mod config;
mod database;
mod dialect;
pub mod error;
mod housekeeping;
mod idempotency;
mod lease;
pub mod live;
mod log;
mod migrations;
mod postgres;
pub mod queue;
mod row;
mod sqlite;
mod store;
mod tx;
mod value;
pub mod wakeups;

pub use blobs::{BlobKey, Blobs};
pub use config::{BlobsConfig, DatabaseConfig, StoreConfig};
pub use dialect::Sql;
pub use error::StoreError;
pub use futures_util::future::BoxFuture;
pub use idempotency::Request;
pub use lease::Fence;
pub use live::LiveHub;
pub use log::{NewEvent, Range, RawEvent};
pub use migrations::migrations;
pub use queue::{Claim, QueueCount, QueueItem};
pub use row::Row;
pub use store::{Sizes, Store};
pub use tx::Tx;
pub use value::Value;
pub use wakeups::{Listener, Wakeups, stream_topic};
