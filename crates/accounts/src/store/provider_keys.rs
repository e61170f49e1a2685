//! SQL of `provider_keys`.

use domain::OrgId;
use store::{Store, StoreError, Tx};

/// A sealed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedKey {
    pub(crate) version: i64,
    pub(crate) sealed: String,
    pub(crate) base_url: Option<String>,
}

/// The key of a provider.
pub(crate) async fn find(store: &Store, org: OrgId, provider: &str) -> Result<Option<SealedKey>, StoreError> {
    store
        .fetch_optional(
            "select version, sealed, base_url from provider_keys where org_id = $1 and provider = $2",
            &[org.into(), provider.into()],
            |row| Ok(SealedKey { version: row.int(0)?, sealed: row.text(1)?, base_url: row.opt_text(2)? }),
        )
        .await
}

/// Which providers have a key, with their addresses.
pub(crate) async fn list(store: &Store, org: OrgId) -> Result<Vec<(String, Option<String>)>, StoreError> {
    store
        .fetch_all(
            "select provider, base_url from provider_keys where org_id = $1 order by provider",
            &[org.into()],
            |row| Ok((row.text(0)?, row.opt_text(1)?)),
        )
        .await
}

/// Puts a key in place of what was there.
pub(crate) async fn put(
    tx: &mut Tx,
    org: OrgId,
    provider: &str,
    key: &SealedKey,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "insert into provider_keys (org_id, provider, version, sealed, base_url, changed_at_ms)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (org_id, provider) do update set version = excluded.version,
             sealed = excluded.sealed, base_url = excluded.base_url, changed_at_ms = excluded.changed_at_ms",
        &[
            org.into(),
            provider.into(),
            key.version.into(),
            (&key.sealed).into(),
            key.base_url.clone().into(),
            now_ms.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Removes a key; returns whether there was one.
pub(crate) async fn delete(tx: &mut Tx, org: OrgId, provider: &str) -> Result<bool, StoreError> {
    let deleted = tx
        .execute(
            "delete from provider_keys where org_id = $1 and provider = $2",
            &[org.into(), provider.into()],
        )
        .await?;
    Ok(deleted > 0)
}
