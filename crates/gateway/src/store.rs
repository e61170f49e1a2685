//! SQL of `previews`. Only this module writes that table.

use domain::{OrgId, PreviewId, SandboxId, UserId};
use store::{Row, Store, StoreError, Tx};

/// Everybody who keeps previews in memory listens for it.
pub(crate) const TOPIC: &str = "previews";

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PreviewRow {
    pub(crate) org: OrgId,
    pub(crate) id: PreviewId,
    pub(crate) sandbox: SandboxId,
    /// Every port where `None`.
    pub(crate) port: Option<u16>,
    /// No token is needed where true.
    pub(crate) is_public: bool,
    pub(crate) made_by: UserId,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: Option<i64>,
}

fn read(row: &Row) -> Result<PreviewRow, StoreError> {
    Ok(PreviewRow {
        org: row.parse(0)?,
        id: row.parse(1)?,
        sandbox: row.parse(2)?,
        port: row.opt_int(3)?.and_then(|port| u16::try_from(port).ok()),
        is_public: row.text(4)? == "public",
        made_by: row.parse(5)?,
        created_at_ms: row.int(6)?,
        expires_at_ms: row.opt_int(7)?,
    })
}

/// Adds a preview.
pub(crate) async fn insert(tx: &mut Tx, row: &PreviewRow, hash: Option<&str>) -> Result<(), StoreError> {
    tx.execute(
        "insert into previews (org_id, id, sandbox_id, port, access, hash, made_by, created_at_ms, expires_at_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            row.org.into(),
            row.id.into(),
            row.sandbox.into(),
            row.port.map(i64::from).into(),
            if row.is_public { "public" } else { "link" }.into(),
            hash.map(str::to_owned).into(),
            row.made_by.into(),
            row.created_at_ms.into(),
            row.expires_at_ms.into(),
        ],
    )
    .await?;
    Ok(())
}

/// The preview that this token is for, unless it is revoked. The hash is what finds the tenant. Whether it has
/// expired is for the caller to see.
pub(crate) async fn by_hash(store: &Store, hash: &str) -> Result<Option<PreviewRow>, StoreError> {
    store
        .fetch_optional(
            "select org_id, id, sandbox_id, port, access, made_by, created_at_ms, expires_at_ms
             from previews where hash = $1 and revoked_at_ms is null",
            &[hash.into()],
            read,
        )
        .await
}

/// The public preview of a port. The sandbox's id is what finds the tenant.
pub(crate) async fn public(
    store: &Store,
    sandbox: SandboxId,
    port: u16,
    now_ms: i64,
) -> Result<Option<PreviewRow>, StoreError> {
    store
        .fetch_optional(
            "select org_id, id, sandbox_id, port, access, made_by, created_at_ms, expires_at_ms
             from previews
             where sandbox_id = $1 and access = 'public' and (port is null or port = $2) and revoked_at_ms is null
               and (expires_at_ms is null or expires_at_ms > $3)
             order by created_at_ms desc limit 1",
            &[sandbox.into(), i64::from(port).into(), now_ms.into()],
            read,
        )
        .await
}

/// The previews of a sandbox that count, the newest first.
pub(crate) async fn list(
    store: &Store,
    org: OrgId,
    sandbox: SandboxId,
    now_ms: i64,
) -> Result<Vec<PreviewRow>, StoreError> {
    store
        .fetch_all(
            "select org_id, id, sandbox_id, port, access, made_by, created_at_ms, expires_at_ms
             from previews
             where org_id = $1 and sandbox_id = $2 and revoked_at_ms is null
               and (expires_at_ms is null or expires_at_ms > $3)
             order by created_at_ms desc, id desc",
            &[org.into(), sandbox.into(), now_ms.into()],
            read,
        )
        .await
}

/// Revokes a preview of a sandbox; returns whether it was there and not yet revoked.
pub(crate) async fn revoke(
    tx: &mut Tx,
    org: OrgId,
    (sandbox, id): (SandboxId, PreviewId),
    now_ms: i64,
) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            "update previews set revoked_at_ms = $1
             where org_id = $2 and sandbox_id = $3 and id = $4 and revoked_at_ms is null",
            &[now_ms.into(), org.into(), sandbox.into(), id.into()],
        )
        .await?;
    tx.wake(TOPIC);
    Ok(changed > 0)
}

/// Revokes every preview of a sandbox.
pub(crate) async fn revoke_all(
    tx: &mut Tx,
    org: OrgId,
    sandbox: SandboxId,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "update previews set revoked_at_ms = $1
         where org_id = $2 and sandbox_id = $3 and revoked_at_ms is null",
        &[now_ms.into(), org.into(), sandbox.into()],
    )
    .await?;
    tx.wake(TOPIC);
    Ok(())
}

/// What was revoked since `since_ms`, whoever's it is: the gateway serves every tenant.
pub(crate) async fn revoked_since(store: &Store, since_ms: i64) -> Result<Vec<PreviewId>, StoreError> {
    store
        .fetch_all("select id from previews where revoked_at_ms >= $1", &[since_ms.into()], |row| {
            row.parse(0)
        })
        .await
}

/// Removes what ended before `before_ms`.
pub(crate) async fn sweep(tx: &mut Tx, before_ms: i64) -> Result<(), StoreError> {
    tx.execute("delete from previews where expires_at_ms < $1 or revoked_at_ms < $1", &[before_ms.into()])
        .await?;
    Ok(())
}
