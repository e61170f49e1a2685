//! SQL of `tokens`.

use domain::{OrgId, TokenId, UserId};
use store::{Row, Store, StoreError, Tx};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRow {
    pub(crate) org: OrgId,
    pub(crate) id: TokenId,
    pub(crate) user: UserId,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) scopes: String,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: Option<i64>,
    pub(crate) last_used_at_ms: Option<i64>,
}

/// A token that still counts, and the name of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveToken {
    pub(crate) token: TokenRow,
    pub(crate) user_name: String,
}

fn read(row: &Row) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        org: row.parse(0)?,
        id: row.parse(1)?,
        user: row.parse(2)?,
        kind: row.text(3)?,
        name: row.text(4)?,
        scopes: row.text(5)?,
        created_at_ms: row.int(6)?,
        expires_at_ms: row.opt_int(7)?,
        last_used_at_ms: row.opt_int(8)?,
    })
}

/// Adds a token.
pub(crate) async fn insert(tx: &mut Tx, token: &TokenRow, hash: &str) -> Result<(), StoreError> {
    tx.execute(
        "insert into tokens (org_id, id, user_id, kind, name, hash, scopes, created_at_ms, expires_at_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            token.org.into(),
            token.id.into(),
            token.user.into(),
            (&token.kind).into(),
            (&token.name).into(),
            hash.into(),
            (&token.scopes).into(),
            token.created_at_ms.into(),
            token.expires_at_ms.into(),
        ],
    )
    .await?;
    Ok(())
}

/// The token with this hash, unless it is revoked. A hash is what finds the tenant, so that there is no
/// `org_id` to ask for. Whether it has expired is for the caller to see.
pub(crate) async fn by_hash(store: &Store, hash: &str) -> Result<Option<LiveToken>, StoreError> {
    store
        .fetch_optional(
            "select t.org_id, t.id, t.user_id, t.kind, t.name, t.scopes, t.created_at_ms, t.expires_at_ms,
                    t.last_used_at_ms, u.name
             from tokens t
             join members m on m.org_id = t.org_id and m.user_id = t.user_id
             join users u on u.id = t.user_id
             where t.hash = $1 and t.revoked_at_ms is null",
            &[hash.into()],
            |row| Ok(LiveToken { token: read(row)?, user_name: row.text(9)? }),
        )
        .await
}

/// The org's tokens that are not revoked, the newest first; tickets and expired logins left out.
pub(crate) async fn list(store: &Store, org: OrgId, now_ms: i64) -> Result<Vec<TokenRow>, StoreError> {
    store
        .fetch_all(
            "select org_id, id, user_id, kind, name, scopes, created_at_ms, expires_at_ms, last_used_at_ms
             from tokens
             where org_id = $1 and revoked_at_ms is null and kind <> 'ticket'
               and (kind <> 'login' or expires_at_ms > $2)
             order by created_at_ms desc, id desc",
            &[org.into(), now_ms.into()],
            read,
        )
        .await
}

/// Revokes a token; returns whether it was there and not yet revoked.
pub(crate) async fn revoke(tx: &mut Tx, org: OrgId, id: TokenId, now_ms: i64) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            "update tokens set revoked_at_ms = $1 where org_id = $2 and id = $3 and revoked_at_ms is null",
            &[now_ms.into(), org.into(), id.into()],
        )
        .await?;
    Ok(changed > 0)
}

/// Revokes the login with this hash.
pub(crate) async fn revoke_login(tx: &mut Tx, hash: &str, now_ms: i64) -> Result<(), StoreError> {
    tx.execute(
        "update tokens set revoked_at_ms = $1 where hash = $2 and kind = 'login' and revoked_at_ms is null",
        &[now_ms.into(), hash.into()],
    )
    .await?;
    Ok(())
}

/// Uses up a ticket; gives whose it was, once.
pub(crate) async fn take_ticket(
    tx: &mut Tx,
    hash: &str,
    now_ms: i64,
) -> Result<Option<TokenRow>, StoreError> {
    tx.fetch_optional(
        "update tokens set revoked_at_ms = $1
         where hash = $2 and kind = 'ticket' and revoked_at_ms is null and expires_at_ms > $1
         returning org_id, id, user_id, kind, name, scopes, created_at_ms, expires_at_ms, last_used_at_ms",
        &[now_ms.into(), hash.into()],
        read,
    )
    .await
}

/// Notes that a token was used.
pub(crate) async fn touch(tx: &mut Tx, org: OrgId, id: TokenId, now_ms: i64) -> Result<(), StoreError> {
    tx.execute(
        "update tokens set last_used_at_ms = $1 where org_id = $2 and id = $3",
        &[now_ms.into(), org.into(), id.into()],
    )
    .await?;
    Ok(())
}

/// Removes tickets and logins that ended before `before_ms`.
pub(crate) async fn sweep(tx: &mut Tx, before_ms: i64) -> Result<(), StoreError> {
    tx.execute(
        "delete from tokens where kind in ('ticket', 'login') and expires_at_ms < $1",
        &[before_ms.into()],
    )
    .await?;
    Ok(())
}
