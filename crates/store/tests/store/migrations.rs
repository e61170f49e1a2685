//! Both databases get the same tables, by steps with equal numbers and names.

use std::collections::BTreeMap;

use runtime::Ambient;
use store::{Store, StoreError};
use testkit::database::TestDatabase;

/// Per table its columns by name (a step of SQLite may have to make a table anew, in another order), each with its type and whether it may be null; types by SQLite's names.
type Tables = BTreeMap<String, Vec<(String, String, bool)>>;

async fn tables(store: &Store) -> Result<Tables, StoreError> {
    let columns = if store.database_name() == "sqlite" {
        "select t.name, c.name, lower(c.type), c.\"notnull\" = 0 from sqlite_master t, pragma_table_info(t.name) c
         where t.type = 'table' and t.name not like 'sqlite%' order by t.name, c.name"
    } else {
        "select cast(table_name as text), cast(column_name as text), cast(data_type as text), is_nullable = 'YES'
         from information_schema.columns where table_schema = current_schema()
         order by cast(table_name as text) collate \"C\", cast(column_name as text) collate \"C\""
    };
    let mut tables = Tables::new();
    let rows = store
        .fetch_all(columns, &[], |row| Ok((row.text(0)?, (row.text(1)?, row.text(2)?, row.flag(3)?))))
        .await?;
    for (table, (column, kind, nullable)) in rows {
        let kind = match kind.as_str() {
            "bigint" => "integer".to_owned(),
            "bytea" => "blob".to_owned(),
            _ => kind,
        };
        if table != "_sqlx_migrations" {
            tables.entry(table).or_default().push((column, kind, nullable));
        }
    }
    Ok(tables)
}

#[tokio::test]
async fn both_databases_get_the_same_tables_and_columns() {
    let sqlite = TestDatabase::sqlite().open(Ambient::system()).await;
    let lite = tables(&sqlite).await.expect("read the tables");
    assert_eq!(lite["streams"].len(), 3);
    let Some(database) = TestDatabase::postgres().await else { return };
    let postgres = database.open(Ambient::system()).await;
    assert_eq!(tables(&postgres).await.expect("read the tables"), lite);
    postgres.close().await;
    database.remove().await;
}

#[tokio::test]
async fn every_table_of_sqlite_is_strict() {
    let database = TestDatabase::sqlite();
    let store = database.open(Ambient::system()).await;
    let loose = store
        .fetch_all(
            "select name from pragma_table_list where schema = 'main' and strict = 0
             and name not like 'sqlite%' and name <> '_sqlx_migrations'",
            &[],
            |row| row.text(0),
        )
        .await
        .expect("read the tables");
    assert_eq!(loose, Vec::<String>::new());
    store.close().await;
}

#[test]
fn steps_have_twins_with_equal_names_and_rising_numbers_and_every_column_has_a_comment() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let files = |database: &str| {
        let mut names: Vec<String> = std::fs::read_dir(folder.join(database))
            .expect("the folder of the steps")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        names.sort_unstable();
        names
    };
    let listed: Vec<String> = store::migrations().iter().map(|twin| format!("{}.sql", twin.name)).collect();
    assert_eq!(files("sqlite"), listed);
    assert_eq!(files("postgres"), listed);
    for twin in store::migrations() {
        assert_eq!(twin.name.split('_').next().and_then(|number| number.parse().ok()), Some(twin.number));
        for text in [twin.sqlite, twin.postgres] {
            let bare: Vec<_> = text
                .lines()
                .filter(|line| line.starts_with("    ") && line.contains("not null") && !line.contains("--"))
                .collect();
            assert_eq!(bare, Vec::<&str>::new(), "columns without a comment in {}", twin.name);
        }
    }
}

/// The bookkeeping as sqlx wrote it: this text and these sums are in data folders and never change.
const BOOKS: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
)";
const SUM_OF_0001: &str =
    "8e882326d48aa0dde686d145b75c801ecc25a50d66f92835fb5ea67a8f0db9dcd5c5514981f0fe1ca76cb842da63c57e";

/// A file that went through the first step only, long ago.
fn old_file(database: &TestDatabase, checksum: &str) {
    let file = rusqlite::Connection::open(database.folder().join("journeyman.db")).expect("make the file");
    file.execute_batch(BOOKS).expect("the bookkeeping");
    file.execute_batch(store::migrations()[0].sqlite).expect("the first step");
    file.execute(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (1, '0001_store', true, unhex(?1), 1234567)",
        [checksum],
    )
    .expect("a line of the bookkeeping");
    file.execute("insert into meta (name, value) values ('epoch', 'of old')", []).expect("a row");
}

#[tokio::test]
async fn a_file_of_an_older_version_gets_the_steps_that_it_lacks() {
    let database = TestDatabase::sqlite();
    old_file(&database, SUM_OF_0001);
    for _ in 0..2 {
        let store = database.open(Ambient::system()).await;
        assert_eq!(store.epoch(), "of old");
        let steps = store
            .fetch_all(
                "select version, description, success, length(checksum) from _sqlx_migrations order by version",
                &[],
                |row| Ok((row.int(0)?, row.text(1)?, row.flag(2)?, row.int(3)?)),
            )
            .await
            .expect("read the bookkeeping");
        let ours: Vec<_> =
            store::migrations().iter().map(|twin| (twin.number, twin.name.to_owned(), true, 48)).collect();
        assert_eq!(steps, ours);
        store.close().await;
    }
}

#[tokio::test]
async fn a_file_that_went_through_other_steps_is_not_touched() {
    let database = TestDatabase::sqlite();
    old_file(&database, &SUM_OF_0001.replace('a', "b"));
    let opened = Store::open(database.config.clone(), Ambient::system(), &runtime::Supervisor::new()).await;
    let error = opened.err().expect("it is refused");
    assert!(matches!(error, StoreError::Internal { doing: "bring the tables up to date", .. }), "{error:?}");

    let database = TestDatabase::sqlite();
    database.open(Ambient::system()).await.close().await;
    let file = rusqlite::Connection::open(database.folder().join("journeyman.db")).expect("open the file");
    file.execute(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, '9999_of_tomorrow', true, x'00', 1)",
        [],
    )
    .expect("a step of a newer version");
    let opened = Store::open(database.config.clone(), Ambient::system(), &runtime::Supervisor::new()).await;
    let error = opened.err().expect("it is refused");
    assert!(matches!(error, StoreError::Internal { .. }), "{error:?}");
}
