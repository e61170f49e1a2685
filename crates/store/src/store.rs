//! The handle that everything else holds.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use futures_util::future::BoxFuture;
use runtime::{Ambient, Supervisor};

use crate::blobs::Blobs;
use crate::config::{DatabaseConfig, StoreConfig};
use crate::database::Database;
use crate::dialect::{DATABASE_SIZE, Sql};
use crate::error::StoreError;
use crate::housekeeping;
use crate::live::LiveHub;
use crate::postgres::Postgres;
use crate::row::Row;
use crate::sqlite::Sqlite;
use crate::tx::Tx;
use crate::value::Value;
use crate::wakeups::{Listener, Wakeups, stream_topic};

/// One handle over the database, the blobs, the wake-ups and the live hub. Clones are the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    database: Database,
    blobs: Blobs,
    wakeups: Wakeups,
    live: LiveHub,
    ambient: Ambient,
    epoch: RwLock<String>,
}

/// A handle that does not keep the store open.
pub(crate) struct WeakStore(Weak<Inner>);

impl WeakStore {
    /// The store, while somebody else still holds it.
    pub(crate) fn upgrade(&self) -> Option<Store> {
        self.0.upgrade().map(Store)
    }
}

/// How much the store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The database, without its write-ahead log.
    pub database_bytes: u64,
    /// All blobs.
    pub blob_bytes: u64,
}

impl Store {
    /// Opens a store: makes what is missing and brings the tables up to date.
    ///
    /// Of its tasks only the housekeeping is the supervisor's. The store outlives the supervisor's stop, so that other tasks can write their last rows; it ends with
    /// [`Store::close`] or with its last handle.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], [`StoreError::Locked`], [`StoreError::DiskFull`].
    pub async fn open(
        config: StoreConfig,
        ambient: Ambient,
        supervisor: &Supervisor,
    ) -> Result<Self, StoreError> {
        let wakeups = Wakeups::new(ambient.clone());
        let limit = config.write_limit;
        let database = match &config.database {
            DatabaseConfig::Sqlite { path } => {
                Database::Sqlite(Sqlite::open(path, limit, wakeups.clone()).await?)
            }
            DatabaseConfig::Postgres { url, pool } => {
                let opened = Postgres::open(url, *pool, limit, ambient.clone(), wakeups.clone()).await?;
                Database::Postgres(opened)
            }
        };
        let blobs = Blobs::open(&config.blobs, ambient.clone())?;
        let inner = Inner {
            database,
            blobs,
            wakeups,
            live: LiveHub::default(),
            ambient,
            epoch: RwLock::new(String::new()),
        };
        let store = Self(Arc::new(inner));
        let epoch = match store.fetch_optional(EPOCH, &[], |row| row.text(0)).await? {
            Some(epoch) => epoch,
            None => store.write_epoch(EPOCH_FIRST).await?,
        };
        store.set_epoch(epoch);
        supervisor.spawn("store housekeeping", housekeeping::run(store.weak(), supervisor.stopping()));
        Ok(store)
    }

    /// Runs a change in a transaction and returns what it returns, once that is durable. When it returns an
    /// error, panics or takes too long, nothing of it is kept.
    ///
    /// The change awaits nothing but the [`Tx`]. On Postgres a change that loses against another one is run
    /// again, which is why it must be `Clone` (a closure is when all that it captures is).
    ///
    /// # Errors
    ///
    /// What the change returns; [`StoreError::DiskFull`], [`StoreError::TimedOut`], [`StoreError::Unavailable`],
    /// and [`StoreError::Conflict`] where it lost too often.
    pub async fn write<F, T, E>(&self, change: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.0.database.write(change).await
    }

    /// Reads all rows of a statement. Sees every write that has returned.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], and what `read` returns.
    pub async fn fetch_all<T>(
        &self,
        sql: impl Into<Sql>,
        args: &[Value],
        read: impl FnMut(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.0.database.fetch_all(sql.into(), args).await?.iter().map(read).collect()
    }

    /// Reads the first row of a statement, where there is one. Sees every write that has returned.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], and what `read` returns.
    pub async fn fetch_optional<T>(
        &self,
        sql: impl Into<Sql>,
        args: &[Value],
        read: impl FnOnce(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.0.database.fetch_optional(sql.into(), args).await?.as_ref().map(read).transpose()
    }

    /// Reads the first row of a statement. Sees every write that has returned.
    ///
    /// # Errors
    ///
    /// As [`Store::fetch_optional`]; [`StoreError::NotFound`] where there is no row.
    pub async fn fetch_one<T>(
        &self,
        sql: impl Into<Sql>,
        args: &[Value],
        read: impl FnOnce(&Row) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.fetch_optional(sql, args, read).await?.ok_or(StoreError::NotFound { what: "the row" })
    }

    /// The blobs.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// The wake-ups.
    #[must_use]
    pub fn wakeups(&self) -> &Wakeups {
        &self.0.wakeups
    }

    /// Begins to listen for a topic. Listen first, then read, and poll anyway.
    #[must_use]
    pub fn listen(&self, topic: impl Into<String>) -> Listener {
        self.0.wakeups.listen(topic)
    }

    /// Begins to listen for appends to a stream.
    #[must_use]
    pub fn listen_stream(&self, org: domain::OrgId, stream: &str) -> Listener {
        self.listen(stream_topic(org, stream))
    }

    /// The live hub.
    #[must_use]
    pub fn live(&self) -> &LiveHub {
        &self.0.live
    }

    /// The store's time and chance.
    #[must_use]
    pub fn ambient(&self) -> &Ambient {
        &self.0.ambient
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub fn database_name(&self) -> &'static str {
        match self.0.database {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        }
    }

    /// Says which history this is: it changes when a backup is restored, and seqs from before mean nothing then.
    #[must_use]
    pub fn epoch(&self) -> String {
        self.0.epoch.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a new epoch; part of restoring a backup.
    ///
    /// # Errors
    ///
    /// As [`Store::write`].
    pub async fn renew_epoch(&self) -> Result<(), StoreError> {
        let epoch = self.write_epoch(EPOCH_NEW).await?;
        self.set_epoch(epoch);
        Ok(())
    }

    /// How much the store holds. Walks over all blobs.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn sizes(&self) -> Result<Sizes, StoreError> {
        let database_bytes = self.fetch_one(DATABASE_SIZE, &[], |row| row.int(0)).await?;
        let blob_bytes = self.0.blobs.total_bytes(None).await?;
        Ok(Sizes { database_bytes: u64::try_from(database_bytes).unwrap_or(0), blob_bytes })
    }

    /// Ends the store after the writes that wait. Other handles get [`StoreError::Unavailable`] from then on.
    pub async fn close(&self) {
        match &self.0.database {
            Database::Sqlite(sqlite) => sqlite.close().await,
            Database::Postgres(postgres) => postgres.close().await,
        }
    }

    async fn write_epoch(&self, insert: &'static str) -> Result<String, StoreError> {
        let new = self.0.ambient.uuid().simple().to_string();
        self.write(move |tx| {
            Box::pin(async move {
                tx.execute(insert, &[new.into()]).await?;
                tx.fetch_one(EPOCH, &[], |row| row.text(0)).await
            })
        })
        .await
    }

    /// A handle that does not keep the store open.
    fn weak(&self) -> WeakStore {
        WeakStore(Arc::downgrade(&self.0))
    }

    fn set_epoch(&self, epoch: String) {
        *self.0.epoch.write().unwrap_or_else(PoisonError::into_inner) = epoch;
    }
}

const EPOCH: &str = "select value from meta where name = 'epoch'";
const EPOCH_FIRST: &str = "insert into meta (name, value) values ('epoch', $1) on conflict (name) do nothing";
const EPOCH_NEW: &str = "insert into meta (name, value) values ('epoch', $1)
    on conflict (name) do update set value = excluded.value";
