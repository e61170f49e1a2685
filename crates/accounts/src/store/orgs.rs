//! SQL of `orgs`, `users` and `members`.

use domain::{OrgId, UserId};
use store::{Store, StoreError, Tx};

/// An org's owner, with the names of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) org: OrgId,
    pub(crate) user: UserId,
    pub(crate) name: String,
}

/// A new org and who owns it.
#[derive(Debug, Clone)]
pub(crate) struct NewOrg {
    pub(crate) owner: Owner,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) now_ms: i64,
}

/// The first owner of the org with this slug.
pub(crate) async fn owner_of(store: &Store, slug: &str) -> Result<Option<Owner>, StoreError> {
    store
        .fetch_optional(
            "select o.id, u.id, u.name from orgs o
             join members m on m.org_id = o.id and m.role = 'owner'
             join users u on u.id = m.user_id
             where o.slug = $1 order by m.created_at_ms, u.id limit 1",
            &[slug.into()],
            |row| Ok(Owner { org: row.parse(0)?, user: row.parse(1)?, name: row.text(2)? }),
        )
        .await
}

/// Makes the org and its owner; returns whether it did. An org with this slug is left as it is.
pub(crate) async fn insert(tx: &mut Tx, new: &NewOrg) -> Result<bool, StoreError> {
    let Owner { org, user, name } = &new.owner;
    let made = tx
        .execute(
            "insert into orgs (id, slug, name, created_at_ms) values ($1, $2, $3, $4)
             on conflict (slug) do nothing",
            &[(*org).into(), (&new.slug).into(), (&new.name).into(), new.now_ms.into()],
        )
        .await?;
    if made == 0 {
        return Ok(false);
    }
    tx.execute(
        "insert into users (id, name, created_at_ms) values ($1, $2, $3)",
        &[(*user).into(), name.into(), new.now_ms.into()],
    )
    .await?;
    tx.execute(
        "insert into members (org_id, user_id, role, created_at_ms) values ($1, $2, 'owner', $3)",
        &[(*org).into(), (*user).into(), new.now_ms.into()],
    )
    .await?;
    Ok(true)
}

/// An org's name.
pub(crate) async fn name(store: &Store, org: OrgId) -> Result<Option<String>, StoreError> {
    store.fetch_optional("select name from orgs where id = $1", &[org.into()], |row| row.text(0)).await
}
