//! Idempotency keys: a request that is sent twice is answered twice and done once.

use domain::OrgId;

use crate::error::StoreError;
use crate::tx::Tx;

/// A request that carries an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The tenant.
    pub org: OrgId,
    /// The kind of request: `POST /v1/runs`.
    pub scope: String,
    /// The caller's key.
    pub key: String,
    /// A hash of what is asked for.
    pub hash: String,
}

impl Tx {
    /// The answer that this request was given before; `None` when it is new.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] where the key was used for another request.
    pub async fn idempotent(&mut self, request: &Request) -> Result<Option<String>, StoreError> {
        let args = [request.org.into(), (&request.scope).into(), (&request.key).into()];
        let found = self
            .fetch_optional(
                "select request_hash, response from idempotency
                 where org_id = $1 and scope = $2 and key = $3",
                &args,
                |row| Ok((row.text(0)?, row.text(1)?)),
            )
            .await?;
        match found {
            Some((hash, _)) if hash != request.hash => {
                Err(StoreError::Conflict { what: "the request of this idempotency key" })
            }
            found => Ok(found.map(|(_, response)| response)),
        }
    }

    /// Keeps the answer to a request, in the transaction that does what it asks.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] where the key has an answer already.
    pub async fn idempotent_keep(
        &mut self,
        request: &Request,
        response: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let args = [
            request.org.into(),
            (&request.scope).into(),
            (&request.key).into(),
            (&request.hash).into(),
            response.into(),
            now_ms.into(),
        ];
        self.execute(
            "insert into idempotency (org_id, scope, key, request_hash, response, created_at_ms)
             values ($1, $2, $3, $4, $5, $6)",
            &args,
        )
        .await
        .map(|_| ())
    }

    /// Forgets answers that were given before `before_ms`. Returns how many.
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`].
    pub async fn idempotent_forget(&mut self, before_ms: i64) -> Result<u64, StoreError> {
        self.execute("delete from idempotency where created_at_ms < $1", &[before_ms.into()]).await
    }
}
