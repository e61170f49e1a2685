//! The store's one error type. It names what a caller can act on; the rest is `Internal`.

use std::sync::Arc;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No space is left. Nothing of this write was kept; it may be tried again when there is space.
    #[error("the disk that holds the database is full")]
    DiskFull,

    /// The disk took a write and broke it, or cannot be read. Nothing of this write was kept.
    #[error("the disk that holds the database does not work")]
    DiskBroken,

    /// Another process holds the database. Nothing was changed.
    #[error("the database is locked by another process")]
    Locked,

    /// A row is there already, or somebody else changed what this write read.
    #[error("somebody else changed {what} at the same time")]
    Conflict {
        /// What collided.
        what: &'static str,
    },

    /// A newer owner has taken over; the caller must stop acting for the name.
    #[error("{name} has a newer owner")]
    FenceLost {
        /// The lease or queue key.
        name: String,
    },

    /// There is no such row or blob.
    #[error("{what} does not exist")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },

    /// The database cannot be reached or the store is closed.
    #[error("the database cannot be reached")]
    Unavailable,

    /// The write took longer than allowed and was rolled back.
    #[error("the write took too long and was rolled back")]
    TimedOut,

    /// Anything else; the cause is for the log.
    #[error("could not {doing}")]
    Internal {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// An error without a variant of its own.
    pub fn internal(
        doing: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Internal { doing, source: Arc::from(source.into()) }
    }
}

/// The class of an error code that both databases give.
enum Code {
    Full,
    Broken,
    Busy,
    Taken,
    Serialization,
    Gone,
    Other,
}

/// Primary result codes of SQLite (the low byte of the extended code).
fn sqlite_code(extended: i32) -> Code {
    match (extended & 0xff, extended >> 8) {
        // SQLITE_FULL, which is also what no space left on the device becomes.
        // And SQLITE_IOERR_SHMSIZE: no space for the index of the write-ahead log.
        (13, _) | (10, 19) => Code::Full,
        // SQLITE_IOERR
        (10, _) => Code::Broken,
        (5 | 6, _) => Code::Busy,
        // SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE, _ROWID
        (19, 6 | 8 | 10) => Code::Taken,
        _ => Code::Other,
    }
}

fn postgres_code(code: &str) -> Code {
    match code {
        "53100" => Code::Full,
        "58030" => Code::Broken,
        "23505" => Code::Taken,
        "40001" | "40P01" => Code::Serialization,
        "55P03" => Code::Busy,
        "57P01" | "57P02" | "57P03" | "53300" => Code::Gone,
        _ => Code::Other,
    }
}

fn code_of(error: &dyn sqlx::error::DatabaseError) -> Code {
    error.code().map_or(Code::Other, |code| postgres_code(&code))
}

/// Whether the same transaction may succeed when it is run again.
pub(crate) fn is_serialization(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(inner) if matches!(code_of(inner.as_ref()), Code::Serialization))
}

/// What an error of SQLite means for a caller.
pub(crate) fn from_sqlite(doing: &'static str, error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error().map_or(Code::Other, |inner| sqlite_code(inner.extended_code));
    from_code(doing, &code, error)
}

/// What an error of Postgres or of the way to it means for a caller.
pub(crate) fn from_sqlx(doing: &'static str, error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(inner) => {
            let code = code_of(inner.as_ref());
            from_code(doing, &code, error)
        }
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_) => {
            tracing::warn!(error = %error, store.doing = doing, "the database cannot be reached");
            StoreError::Unavailable
        }
        sqlx::Error::RowNotFound => StoreError::NotFound { what: "the row" },
        _ => StoreError::internal(doing, error),
    }
}

fn from_code(
    doing: &'static str,
    code: &Code,
    error: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    match code {
        Code::Full => StoreError::DiskFull,
        Code::Broken => StoreError::DiskBroken,
        Code::Busy => StoreError::Locked,
        Code::Taken => StoreError::Conflict { what: "a row with this key" },
        Code::Serialization => StoreError::Conflict { what: "the same rows" },
        Code::Gone => StoreError::Unavailable,
        Code::Other => StoreError::internal(doing, error),
    }
}
