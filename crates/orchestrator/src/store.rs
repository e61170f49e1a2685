//! SQL of the `sandboxes` table. Only this module writes that table.

use std::collections::BTreeMap;

use domain::{OrgId, RunId, SandboxId};
use serde::Serialize;
use store::{Row, StoreError, Tx};

use crate::error::{Error, Result};
use crate::state::{SandboxChange, SandboxState, StopCause};
use crate::wish::Wish;

/// A run's sandbox, before the host has anything of it.
#[derive(Clone)]
pub(crate) struct NewRow {
    pub(crate) id: SandboxId,
    pub(crate) run: RunId,
    pub(crate) provider: &'static str,
    pub(crate) node: String,
    pub(crate) now_ms: i64,
}

/// A sandbox as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct SandboxRow {
    pub(crate) org: OrgId,
    pub(crate) id: SandboxId,
    pub(crate) run: Option<RunId>,
    pub(crate) key: Option<String>,
    pub(crate) request_hash: Option<String>,
    pub(crate) name: String,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) template: String,
    pub(crate) template_version: u32,
    pub(crate) wish: Wish,
    pub(crate) provider: String,
    pub(crate) node: String,
    pub(crate) state: SandboxState,
    pub(crate) started_at_ms: Option<i64>,
    pub(crate) ends_at_ms: Option<i64>,
    pub(crate) active_at_ms: Option<i64>,
    pub(crate) created_at_ms: i64,
    pub(crate) changed_at_ms: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select org_id, id, run_id, key, request_hash, name, metadata, template, template_version, wish,
                provider, state_body, started_at_ms, ends_at_ms, active_at_ms, created_at_ms, changed_at_ms,
                node
             from sandboxes ",
            $rest
        )
    };
}

const ONE: &str = select!("where org_id = $1 and id = $2");
const BY_KEY: &str = select!("where org_id = $1 and key = $2");
const NEWEST: &str = select!(
    "where org_id = $1 and id < $2 and ($3 = 1 or state not in ('deleted', 'deleting'))
     order by id desc limit $4"
);
const IN_STATE: &str =
    select!("where node in ('', $1) and state = $2 and changed_at_ms <= $3 order by changed_at_ms limit $4");

const OVERDUE: &str = select!(
    "where node in ('', $1) and state = 'running' and ends_at_ms is not null and ends_at_ms <= $2
     order by ends_at_ms limit $3"
);

pub(crate) fn read(row: &Row) -> Result<SandboxRow, StoreError> {
    Ok(SandboxRow {
        org: row.parse(0)?,
        id: row.parse(1)?,
        run: row.opt_parse(2)?,
        key: row.opt_text(3)?,
        request_hash: row.opt_text(4)?,
        name: row.text(5)?,
        metadata: row.json(6)?,
        template: row.text(7)?,
        template_version: u32::try_from(row.int(8)?).unwrap_or(0),
        wish: row.json(9)?,
        provider: row.text(10)?,
        state: row.json(11)?,
        started_at_ms: row.opt_int(12)?,
        ends_at_ms: row.opt_int(13)?,
        active_at_ms: row.opt_int(14)?,
        created_at_ms: row.int(15)?,
        changed_at_ms: row.int(16)?,
        node: row.text(17)?,
    })
}

/// One sandbox.
pub(crate) async fn find(store: &store::Store, org: OrgId, id: SandboxId) -> Result<SandboxRow> {
    store.fetch_optional(ONE, &[org.into(), id.into()], read).await?.ok_or(Error::NotFound(id))
}

/// The newest before `before`.
pub(crate) async fn page(
    store: &store::Store,
    org: OrgId,
    before: &str,
    with_deleted: bool,
    limit: u32,
) -> Result<Vec<SandboxRow>> {
    let args = [org.into(), before.into(), with_deleted.into(), limit.into()];
    Ok(store.fetch_all(NEWEST, &args, read).await?)
}

/// Sandboxes of every tenant that have been in a state since before `until_ms`: for the one who looks after the
/// whole host, which belongs to no tenant.
pub(crate) async fn in_state(
    store: &store::Store,
    node: &str,
    state: &'static str,
    until_ms: i64,
    limit: u32,
) -> Result<Vec<SandboxRow>> {
    let args = [node.into(), state.into(), until_ms.into(), limit.into()];
    Ok(store.fetch_all(IN_STATE, &args, read).await?)
}

/// The row of a run's sandbox.
pub(crate) async fn insert(tx: &mut Tx, org: OrgId, row: NewRow) -> Result<()> {
    tx.execute(
        "insert into sandboxes (org_id, id, run_id, provider, state, state_body, created_at_ms, changed_at_ms, node)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            org.into(),
            row.id.into(),
            row.run.into(),
            row.provider.into(),
            SandboxState::Starting.name().into(),
            encode(&SandboxState::Starting)?.into(),
            row.now_ms.into(),
            row.now_ms.into(),
            row.node.into(),
        ],
    )
    .await?;
    Ok(())
}

/// What became of a wish for a new row.
pub(crate) enum Inserted {
    /// It is new.
    New,
    /// The key made this one before.
    Before(SandboxId),
}

/// The row of a sandbox that somebody asked for, unless its key made one before.
pub(crate) async fn insert_once(tx: &mut Tx, row: &SandboxRow) -> Result<Inserted> {
    if let Some(key) = &row.key {
        let found = tx.fetch_optional(BY_KEY, &[row.org.into(), key.into()], read).await?;
        match found {
            Some(found) if found.request_hash != row.request_hash => return Err(Error::KeyConflict),
            Some(found) => return Ok(Inserted::Before(found.id)),
            None => {}
        }
    }
    tx.execute(
        "insert into sandboxes (org_id, id, key, request_hash, name, metadata, template, template_version, wish,
            provider, state, state_body, created_at_ms, changed_at_ms, node)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14)",
        &[
            row.org.into(),
            row.id.into(),
            row.key.clone().into(),
            row.request_hash.clone().into(),
            (&row.name).into(),
            encode(&row.metadata)?.into(),
            (&row.template).into(),
            row.template_version.into(),
            encode(&row.wish)?.into(),
            (&row.provider).into(),
            row.state.name().into(),
            encode(&row.state)?.into(),
            row.created_at_ms.into(),
            (&row.node).into(),
        ],
    )
    .await?;
    Ok(Inserted::New)
}

/// Applies a change to a sandbox. One that nobody made for its own sake has no events: its run's log tells.
///
/// Returns the row as it is now; it is unchanged where the change had come to pass already.
pub(crate) async fn apply(
    tx: &mut Tx,
    org: OrgId,
    id: SandboxId,
    change: SandboxChange,
    now_ms: i64,
) -> Result<SandboxRow> {
    let mut row = tx.fetch_optional(ONE, &[org.into(), id.into()], read).await?.ok_or(Error::NotFound(id))?;
    let after = row.state.clone().apply(change)?;
    if after == row.state {
        return Ok(row);
    }
    tx.execute(
        "update sandboxes set state = $1, state_body = $2, changed_at_ms = $3 where org_id = $4 and id = $5",
        &[after.name().into(), encode(&after)?.into(), now_ms.into(), org.into(), id.into()],
    )
    .await?;
    if row.run.is_none() {
        tx.append(org, &id.stream(), now_ms, "sandbox.state", &encode(&after)?).await?;
    }
    row.state = after;
    row.changed_at_ms = now_ms;
    Ok(row)
}

/// Sets when a sandbox's time is up, and tells of it.
pub(crate) async fn set_end(
    tx: &mut Tx,
    row: &mut SandboxRow,
    ends_at_ms: Option<i64>,
    now_ms: i64,
) -> Result<()> {
    if row.ends_at_ms == ends_at_ms {
        return Ok(());
    }
    row.ends_at_ms = ends_at_ms;
    tx.execute(
        "update sandboxes set ends_at_ms = $1 where org_id = $2 and id = $3",
        &[ends_at_ms.into(), row.org.into(), row.id.into()],
    )
    .await?;
    #[derive(Serialize)]
    struct Ends {
        ends_at_ms: Option<i64>,
    }
    let body = encode(&Ends { ends_at_ms })?;
    tx.append(row.org, &row.id.stream(), now_ms, "sandbox.ends", &body).await?;
    Ok(())
}

/// Keeps when the processes were started.
pub(crate) async fn set_started(tx: &mut Tx, row: &mut SandboxRow, now_ms: i64) -> Result<()> {
    row.started_at_ms = Some(now_ms);
    row.active_at_ms = Some(now_ms);
    tx.execute(
        "update sandboxes set started_at_ms = $1, active_at_ms = $1 where org_id = $2 and id = $3",
        &[now_ms.into(), row.org.into(), row.id.into()],
    )
    .await?;
    Ok(())
}

/// Keeps how a sandbox is made again.
pub(crate) async fn set_wish(tx: &mut Tx, row: &SandboxRow) -> Result<()> {
    tx.execute(
        "update sandboxes set wish = $1 where org_id = $2 and id = $3",
        &[encode(&row.wish)?.into(), row.org.into(), row.id.into()],
    )
    .await?;
    Ok(())
}

/// Frees the key of a sandbox that is gone, so that it can make another.
pub(crate) async fn free_key(tx: &mut Tx, org: OrgId, id: SandboxId) -> Result<()> {
    let args = [org.into(), id.into()];
    tx.execute(
        "update sandboxes set key = null, request_hash = null, ends_at_ms = null where org_id = $1 and id = $2",
        &args,
    )
    .await?;
    Ok(())
}

/// Every run's sandbox that was alive belongs to a dead owner. This runs once, by the owner of the whole data
/// folder, before it makes any sandbox; so it names no tenant.
pub(crate) async fn lose_runs(tx: &mut Tx, node: String, now_ms: i64) -> Result<()> {
    let lost = SandboxState::Stopped { cause: StopCause::Lost };
    tx.execute(
        "update sandboxes set state = $1, state_body = $2, changed_at_ms = $3
         where node in ('', $4) and state in ('starting', 'running') and run_id is not null",
        &[lost.name().into(), encode(&lost)?.into(), now_ms.into(), node.into()],
    )
    .await?;
    Ok(())
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::Store(StoreError::internal("encode what is kept of a sandbox", error)))
}

/// The tenant whose row owns what a sandbox has on this host. The host belongs to no tenant.
pub(crate) async fn org_of(store: &store::Store, id: SandboxId) -> Result<Option<OrgId>> {
    let sql = "select org_id from sandboxes where id = $1 and state <> 'deleted'";
    Ok(store.fetch_optional(sql, &[id.into()], |row| row.parse(0)).await?)
}

/// Running sandboxes of every tenant whose time is up: for the one who looks after the whole host.
pub(crate) async fn overdue(
    store: &store::Store,
    node: &str,
    now_ms: i64,
    limit: u32,
) -> Result<Vec<SandboxRow>> {
    Ok(store.fetch_all(OVERDUE, &[node.into(), now_ms.into(), limit.into()], read).await?)
}

/// Removes the row and the log of a sandbox of which nothing else is left.
pub(crate) async fn forget(tx: &mut Tx, org: OrgId, id: SandboxId) -> Result<()> {
    tx.delete_stream(org, &id.stream()).await?;
    let args = [org.into(), id.into()];
    tx.execute("delete from sandboxes where org_id = $1 and id = $2 and state = 'deleted'", &args).await?;
    Ok(())
}
