//! Brings the tables of a file up to date. The bookkeeping table is the one that sqlx keeps, which is what made
//! files before; on Postgres it still does.

use rusqlite::{Connection, params};
use sha2::{Digest, Sha384};

use crate::error::{StoreError, from_sqlite};
use crate::migrations::{Twin, migrations};

const DOING: &str = "bring the tables up to date";

const BOOKS: &str = "create table if not exists _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
)";

/// Runs the steps that were not run yet: all of them are kept, or none.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let ours = |error| from_sqlite(DOING, error);
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(ours)?;
    transaction.execute_batch(BOOKS).map_err(ours)?;
    let done = steps_done(&transaction).map_err(ours)?;
    check(&done)?;
    for twin in migrations().iter().filter(|twin| done.iter().all(|step| step.number != twin.number)) {
        transaction.execute_batch(twin.sqlite).map_err(ours)?;
        transaction
            .execute(
                "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (?1, ?2, true, ?3, -1)",
                params![twin.number, twin.name, checksum(twin)],
            )
            .map_err(ours)?;
    }
    transaction.commit().map_err(ours)
}

/// A step that this file has gone through.
struct Done {
    number: i64,
    checksum: Vec<u8>,
    whole: bool,
}

fn steps_done(connection: &Connection) -> rusqlite::Result<Vec<Done>> {
    let mut select =
        connection.prepare("select version, checksum, success from _sqlx_migrations order by version")?;
    let read =
        |row: &rusqlite::Row<'_>| Ok(Done { number: row.get(0)?, checksum: row.get(1)?, whole: row.get(2)? });
    select.query_map([], read)?.collect()
}

/// A file that went through other steps than ours is not touched: a newer version made it, or a step was changed.
fn check(done: &[Done]) -> Result<(), StoreError> {
    for step in done {
        let number = step.number;
        let twin = migrations().iter().find(|twin| twin.number == number);
        let wrong = match twin {
            None => "is of a newer version of this program",
            Some(_) if !step.whole => "was not run to its end",
            Some(twin) if checksum(twin) != step.checksum => "was another one when it was run",
            Some(_) => continue,
        };
        return Err(StoreError::internal(DOING, format!("step {number} {wrong}")));
    }
    Ok(())
}

fn checksum(twin: &Twin) -> Vec<u8> {
    Sha384::digest(twin.sqlite).to_vec()
}
