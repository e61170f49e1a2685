//! SQL of the `sandboxes` table. Only this module writes that table.

use domain::{OrgId, RunId, SandboxId};
use store::{StoreError, Tx};

use crate::error::{Error, Result};
use crate::state::{SandboxChange, SandboxState, StopCause};

pub(crate) struct NewRow {
    pub(crate) id: SandboxId,
    pub(crate) run: RunId,
    pub(crate) provider: &'static str,
    pub(crate) now_ms: i64,
}

pub(crate) async fn insert(tx: &mut Tx, org: OrgId, row: NewRow) -> Result<()> {
    tx.execute(
        "insert into sandboxes (org_id, id, run_id, provider, state, state_body, created_at_ms, changed_at_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            org.into(),
            row.id.into(),
            row.run.into(),
            row.provider.into(),
            SandboxState::Starting.name().into(),
            encode(&SandboxState::Starting)?.into(),
            row.now_ms.into(),
            row.now_ms.into(),
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn apply(
    tx: &mut Tx,
    org: OrgId,
    id: SandboxId,
    change: SandboxChange,
    now_ms: i64,
) -> Result<()> {
    let before: SandboxState = tx
        .fetch_optional(
            "select state_body from sandboxes where org_id = $1 and id = $2",
            &[org.into(), id.into()],
            |row| row.json(0),
        )
        .await?
        .ok_or(Error::NotFound(id))?;
    let after = before.clone().apply(change)?;
    if after == before {
        return Ok(());
    }
    tx.execute(
        "update sandboxes set state = $1, state_body = $2, changed_at_ms = $3 where org_id = $4 and id = $5",
        &[after.name().into(), encode(&after)?.into(), now_ms.into(), org.into(), id.into()],
    )
    .await?;
    Ok(())
}

/// Every sandbox that was alive belongs to a dead owner. This runs once, by the owner of the whole data
/// folder, before it serves any tenant; so it is the one statement without a tenant.
pub(crate) async fn lose_all(tx: &mut Tx, now_ms: i64) -> Result<()> {
    let lost = SandboxState::Stopped { cause: StopCause::Lost };
    tx.execute(
        "update sandboxes set state = $1, state_body = $2, changed_at_ms = $3 where state in ('starting', 'running')",
        &[lost.name().into(), encode(&lost)?.into(), now_ms.into()],
    )
    .await?;
    Ok(())
}

fn encode(state: &SandboxState) -> Result<String> {
    serde_json::to_string(state)
        .map_err(|error| Error::Store(StoreError::internal("encode a sandbox state", error)))
}
