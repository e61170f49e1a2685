//! Leases: who may act for a name, and until when. Each change of owner raises the fence, and every write of an
//! owner names its fence, so that an owner that was thought dead cannot write any more.

use crate::dialect::FENCE;
use crate::error::StoreError;
use crate::tx::Tx;

/// The number of an ownership; a later owner of the same name has a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(pub i64);

impl Tx {
    /// Takes a name for `ttl_ms`, when nobody holds it, its lease has ended, or `holder` holds it already (then the
    /// earlier fence is lost). `None` when somebody else holds it.
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`].
    pub async fn lease_acquire(
        &mut self,
        name: &str,
        holder: &str,
        ttl_ms: i64,
        now_ms: i64,
    ) -> Result<Option<Fence>, StoreError> {
        let args = [name.into(), holder.into(), (now_ms + ttl_ms).into(), now_ms.into()];
        self.fetch_optional(
            "insert into leases as l (name, holder, fence, until_ms) values ($1, $2, 1, $3)
             on conflict (name) do update set holder = $2, fence = l.fence + 1, until_ms = $3
             where l.until_ms <= $4 or l.holder = $2
             returning fence",
            &args,
            |row| row.int(0).map(Fence),
        )
        .await
    }

    /// Holds a name for `ttl_ms` from now.
    ///
    /// # Errors
    ///
    /// [`StoreError::FenceLost`] where there is a newer owner. A lease that has ended and was not taken is renewed.
    pub async fn lease_renew(
        &mut self,
        name: &str,
        fence: Fence,
        ttl_ms: i64,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let args = [name.into(), fence.0.into(), (now_ms + ttl_ms).into()];
        let changed = self
            .execute("update leases set until_ms = $3 where name = $1 and fence = $2 and holder <> ''", &args)
            .await?;
        if changed == 0 { Err(lost(name)) } else { Ok(()) }
    }

    /// Gives a name up. The row stays, so that the next fence is higher.
    ///
    /// # Errors
    ///
    /// [`StoreError::FenceLost`] where there is a newer owner.
    pub async fn lease_release(&mut self, name: &str, fence: Fence) -> Result<(), StoreError> {
        let args = [name.into(), fence.0.into()];
        let changed = self
            .execute("update leases set holder = '', until_ms = 0 where name = $1 and fence = $2", &args)
            .await?;
        if changed == 0 { Err(lost(name)) } else { Ok(()) }
    }

    /// Makes sure that nobody has taken the name since; nobody can until this transaction ends.
    ///
    /// # Errors
    ///
    /// [`StoreError::FenceLost`] where there is a newer owner.
    pub async fn fence_check(&mut self, name: &str, fence: Fence) -> Result<(), StoreError> {
        let now = self.fetch_optional(FENCE, &[name.into()], |row| row.int(0)).await?;
        if now == Some(fence.0) { Ok(()) } else { Err(lost(name)) }
    }
}

fn lost(name: &str) -> StoreError {
    StoreError::FenceLost { name: name.to_owned() }
}
