//! A database for each test: SQLite always, Postgres when `TEST_POSTGRES_URL` names a server.
//!
//! Each test gets a file, or a schema, of its own. With `CI=true` a missing server is an error and not a skip.

use std::fmt::Debug;

use runtime::{Ambient, Env, Supervisor};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use store::{BlobsConfig, DatabaseConfig, Store, StoreConfig};
use tempfile::TempDir;

/// A place for one test's rows and blobs. Stores opened on it one after another, or at once, see the same.
pub struct TestDatabase {
    /// How a store on it is opened.
    pub config: StoreConfig,
    folder: TempDir,
    schema: Option<Schema>,
}

/// A schema of a Postgres server.
struct Schema {
    server: String,
    name: String,
}

/// Runs `test` with a fresh store on each database.
///
/// # Panics
///
/// When the test returns an error, or a database cannot be had.
pub async fn each<E: Debug>(test: impl AsyncFn(Store) -> Result<(), E>) {
    each_database(async |database| {
        let store = database.open(Ambient::system()).await;
        let result = test(store.clone()).await;
        store.close().await;
        result
    })
    .await;
}

/// Runs `test` with each database; it opens its own stores, with its own clock.
///
/// # Panics
///
/// When the test returns an error, or a database cannot be had.
pub async fn each_database<E: Debug>(test: impl AsyncFn(&TestDatabase) -> Result<(), E>) {
    for database in [Some(TestDatabase::sqlite()), TestDatabase::postgres().await].into_iter().flatten() {
        if let Err(error) = test(&database).await {
            panic!("on {}: {error:?}", database.name());
        }
        database.remove().await;
    }
}

impl TestDatabase {
    /// A fresh SQLite database.
    ///
    /// # Panics
    ///
    /// When no folder can be made.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its database cannot go on")]
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let database = DatabaseConfig::Sqlite { path: folder.path().join("journeyman.db") };
        Self { config: config(database, &folder), folder, schema: None }
    }

    /// A fresh schema of the Postgres server that `TEST_POSTGRES_URL` names; `None` where it names none.
    ///
    /// # Panics
    ///
    /// When the server does not answer, or none is named and `CI` is `true`.
    #[expect(clippy::expect_used, reason = "a test without its database cannot go on")]
    pub async fn postgres() -> Option<Self> {
        let env = Env::of_process();
        let Some(server) = env.get("TEST_POSTGRES_URL") else {
            assert!(env.get("CI") != Some("true"), "TEST_POSTGRES_URL must name a server in CI");
            return None;
        };
        let name = format!("test_{}", Ambient::system().uuid().simple());
        run(server, format!("create schema {name}")).await;
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options[search_path]={name}");
        let folder = tempfile::tempdir().expect("a folder for the test");
        let config = config(DatabaseConfig::Postgres { url, pool: 20 }, &folder);
        Some(Self { config, folder, schema: Some(Schema { server: server.to_owned(), name }) })
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.schema.is_some() { "postgres" } else { "sqlite" }
    }

    /// The test's own folder.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Opens a store on it.
    ///
    /// # Panics
    ///
    /// When that does not succeed.
    #[expect(clippy::expect_used, reason = "a test without its database cannot go on")]
    pub async fn open(&self, ambient: Ambient) -> Store {
        Store::open(self.config.clone(), ambient, &Supervisor::new()).await.expect("open the test's store")
    }

    /// Removes it. A test that fails leaves it for a look.
    pub async fn remove(self) {
        if let Some(schema) = self.schema {
            run(&schema.server, format!("drop schema {} cascade", schema.name)).await;
        }
    }
}

fn config(database: DatabaseConfig, folder: &TempDir) -> StoreConfig {
    StoreConfig::new(database, BlobsConfig::Folder { path: folder.path().join("blobs") })
}

#[expect(clippy::expect_used, reason = "a test without its database cannot go on")]
async fn run(server: &str, statement: String) {
    let mut connection = PgConnection::connect(server).await.expect("connect to TEST_POSTGRES_URL");
    // The names in it are ours.
    connection.execute(AssertSqlSafe(statement)).await.expect("prepare the test's schema");
    connection.close().await.expect("close the connection");
}
