//! The tables, made step by step. Each step has a twin for each database, with the same number and name.
//!
//! A step that has been released never changes; a new one gets the next number and a line here.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

macro_rules! twins {
    ($($number:literal $name:literal;)*) => {
        &[$(Twin {
            number: $number,
            name: $name,
            sqlite: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $name, ".sql")),
        }),*]
    };
}

/// One step, for both databases.
#[derive(Debug, Clone, Copy)]
pub struct Twin {
    /// Its number; steps run in this order.
    pub number: i64,
    /// Its name, which is its file's name.
    pub name: &'static str,
    /// What SQLite is given.
    pub sqlite: &'static str,
    /// What Postgres is given.
    pub postgres: &'static str,
}

const TWINS: &[Twin] = twins! {
    1 "0001_store";
    10 "0010_accounts";
    11 "0011_projects";
    12 "0012_provider_keys";
    20 "0020_runs";
    30 "0030_sandboxes";
    31 "0031_sandbox_life";
    35 "0035_previews";
};

/// Every step, in order.
#[must_use]
pub fn migrations() -> &'static [Twin] {
    TWINS
}

/// What brings a Postgres database up to date. `sqlite/migrate.rs` is its like for SQLite.
pub(crate) fn postgres_migrator() -> Migrator {
    let steps = TWINS.iter().map(|twin| {
        let name = Cow::Borrowed(twin.name);
        Migration::new(twin.number, name, MigrationType::Simple, twin.postgres.into_sql_str(), false)
    });
    Migrator::with_migrations(steps.collect())
}
