//! Where rows and blobs lie.

use std::path::PathBuf;
use std::time::Duration;

/// Where a store keeps what it is given.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Rows.
    pub database: DatabaseConfig,
    /// Bytes.
    pub blobs: BlobsConfig,
    /// The longest that one write may take; it is cut and rolled back then. Default 10 s.
    pub write_limit: Duration,
}

impl StoreConfig {
    /// A store with the default limits.
    #[must_use]
    pub fn new(database: DatabaseConfig, blobs: BlobsConfig) -> Self {
        Self { database, blobs, write_limit: Duration::from_secs(10) }
    }
}

/// Where rows lie.
#[derive(Clone)]
pub enum DatabaseConfig {
    /// One file (and its `-wal` and `-shm` beside it), made when it is not there.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// A Postgres server.
    Postgres {
        /// `postgres://user:password@host:port/database?options[search_path]=schema`
        url: String,
        /// The most connections that this process opens.
        pool: u32,
    },
}

/// The URL may hold a password and is left out.
impl std::fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite { path } => f.debug_struct("Sqlite").field("path", path).finish(),
            Self::Postgres { pool, .. } => {
                f.debug_struct("Postgres").field("pool", pool).finish_non_exhaustive()
            }
        }
    }
}

/// Where bytes lie.
#[derive(Debug, Clone)]
pub enum BlobsConfig {
    /// A folder, made when it is not there.
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// A bucket with the protocol of S3. Needs the cargo feature `s3`.
    S3(S3Config),
}

/// A bucket.
#[derive(Clone)]
pub struct S3Config {
    /// The bucket's name.
    pub bucket: String,
    /// The server, where it is not Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// Put before every key; may be empty.
    pub prefix: String,
    /// The access key's id; `None` takes what the machine's role gives.
    pub access_key_id: Option<String>,
    /// The access key's secret.
    pub secret_access_key: Option<String>,
}

/// Without the credentials.
impl std::fmt::Debug for S3Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Config")
            .field("bucket", &self.bucket)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
