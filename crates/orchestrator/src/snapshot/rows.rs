//! SQL of the `snapshots` table. Only this module writes that table.

use domain::{OrgId, SandboxId, SnapshotId};
use store::{Row, Store, StoreError, Tx};

use super::{Held, SnapshotView};
use crate::error::{Error, Result};
use crate::store::encode;

/// A snapshot as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotRow {
    pub(crate) org: OrgId,
    pub(crate) id: SnapshotId,
    pub(crate) sandbox: SandboxId,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) held: Held,
    pub(crate) size_bytes: i64,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: Option<i64>,
}

impl SnapshotRow {
    pub(crate) fn view(&self) -> SnapshotView {
        let checksum = self.held.blob.as_deref().and_then(|blob| blob.rsplit('/').next()).map(str::to_owned);
        SnapshotView {
            id: self.id,
            sandbox: self.sandbox,
            name: self.name.clone(),
            kind: self.kind.clone(),
            template: self.held.template.clone(),
            template_version: self.held.template_version,
            size_bytes: u64::try_from(self.size_bytes).unwrap_or(0),
            checksum,
            created_at_ms: self.created_at_ms,
            expires_at_ms: self.expires_at_ms,
        }
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select org_id, id, sandbox_id, name, kind, body, size_bytes, created_at_ms, expires_at_ms
             from snapshots ",
            $rest
        )
    };
}

const ONE: &str = select!("where org_id = $1 and id = $2");
const ALL: &str = select!("where org_id = $1 and ($2 = '' or sandbox_id = $2) order by id desc limit 1000");
const ARCHIVES: &str =
    select!("where org_id = $1 and sandbox_id = $2 and kind = 'archive' order by id desc limit 1000");
const EXPIRED: &str =
    select!("where expires_at_ms is not null and expires_at_ms <= $1 order by expires_at_ms limit $2");

fn read(row: &Row) -> Result<SnapshotRow, StoreError> {
    Ok(SnapshotRow {
        org: row.parse(0)?,
        id: row.parse(1)?,
        sandbox: row.parse(2)?,
        name: row.text(3)?,
        kind: row.text(4)?,
        held: row.json(5)?,
        size_bytes: row.int(6)?,
        created_at_ms: row.int(7)?,
        expires_at_ms: row.opt_int(8)?,
    })
}

pub(crate) async fn find(store: &Store, org: OrgId, id: SnapshotId) -> Result<SnapshotRow> {
    store.fetch_optional(ONE, &[org.into(), id.into()], read).await?.ok_or(Error::SnapshotNotFound(id))
}

pub(crate) async fn list(store: &Store, org: OrgId, of: Option<SandboxId>) -> Result<Vec<SnapshotRow>> {
    let of = of.map(|id| id.to_string()).unwrap_or_default();
    Ok(store.fetch_all(ALL, &[org.into(), of.into()], read).await?)
}

/// The archives of a sandbox, the newest first.
pub(crate) async fn archives(store: &Store, org: OrgId, of: SandboxId) -> Result<Vec<SnapshotRow>> {
    Ok(store.fetch_all(ARCHIVES, &[org.into(), of.into()], read).await?)
}

/// Snapshots of every tenant whose time is up: for the one who looks after the whole store.
pub(crate) async fn expired(store: &Store, now_ms: i64, limit: u32) -> Result<Vec<SnapshotRow>> {
    Ok(store.fetch_all(EXPIRED, &[now_ms.into(), limit.into()], read).await?)
}

/// Whether a sandbox or another snapshot has its files in this archive alone.
pub(crate) async fn is_needed(store: &Store, row: &SnapshotRow) -> Result<bool> {
    let sql =
        "select 1 from sandboxes where org_id = $1 and state not in ('deleted', 'deleting') and wish like $2
        union all select 1 from snapshots where org_id = $1 and kind = 'layers' and body like $2 limit 1";
    let pattern = format!("%\"archive\":\"{}\"%", row.id);
    Ok(store.fetch_optional(sql, &[row.org.into(), pattern.into()], |row| row.int(0)).await?.is_some())
}

/// Whether any tenant's sandbox or snapshot goes on from a layer on the disk. The host's folders belong to no
/// tenant.
pub(crate) async fn is_layer_needed(store: &Store, layer: &str) -> Result<bool> {
    let pattern = format!("%\"{layer}\"%");
    let sql =
        "select 1 from sandboxes where state not in ('deleted', 'deleting', 'archived') and wish like $1
        union all select 1 from snapshots where kind = 'layers' and body like $1 limit 1";
    Ok(store.fetch_optional(sql, &[pattern.into()], |row| row.int(0)).await?.is_some())
}

pub(crate) async fn insert(tx: &mut Tx, row: &SnapshotRow) -> Result<()> {
    tx.execute(
        "insert into snapshots (org_id, id, sandbox_id, name, kind, body, size_bytes, created_at_ms, expires_at_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            row.org.into(),
            row.id.into(),
            row.sandbox.into(),
            (&row.name).into(),
            (&row.kind).into(),
            encode(&row.held)?.into(),
            row.size_bytes.into(),
            row.created_at_ms.into(),
            row.expires_at_ms.into(),
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn delete(tx: &mut Tx, org: OrgId, id: SnapshotId) -> Result<()> {
    tx.execute("delete from snapshots where org_id = $1 and id = $2", &[org.into(), id.into()]).await?;
    Ok(())
}
