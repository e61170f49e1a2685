//! SQL of `settings`.

use domain::OrgId;
use store::{Store, StoreError, Tx};

/// A setting's value as JSON text.
pub(crate) async fn find(store: &Store, org: OrgId, name: &str) -> Result<Option<String>, StoreError> {
    store
        .fetch_optional(
            "select value from settings where org_id = $1 and name = $2",
            &[org.into(), name.into()],
            |row| row.text(0),
        )
        .await
}

/// All price overrides: `price/<model>` and its value.
pub(crate) async fn prices(store: &Store, org: OrgId) -> Result<Vec<(String, String)>, StoreError> {
    store
        .fetch_all(
            "select name, value from settings where org_id = $1 and name like 'price/%' order by name",
            &[org.into()],
            |row| Ok((row.text(0)?, row.text(1)?)),
        )
        .await
}

/// Puts a value in place of what was there.
pub(crate) async fn put(
    tx: &mut Tx,
    org: OrgId,
    name: &str,
    value: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "insert into settings (org_id, name, value, changed_at_ms) values ($1, $2, $3, $4)
         on conflict (org_id, name) do update
         set value = excluded.value, changed_at_ms = excluded.changed_at_ms",
        &[org.into(), name.into(), value.into(), now_ms.into()],
    )
    .await?;
    Ok(())
}

/// Removes a setting.
pub(crate) async fn delete(tx: &mut Tx, org: OrgId, name: &str) -> Result<(), StoreError> {
    tx.execute("delete from settings where org_id = $1 and name = $2", &[org.into(), name.into()]).await?;
    Ok(())
}
