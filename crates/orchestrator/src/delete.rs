//! Deleting: acknowledged once it is written down, done in the background.

use accounts::Allowed;
use accounts::access::WriteSandboxes;
use domain::{OrgId, SandboxId};

use crate::error::{Error, Result, WhileDoing as _};
use crate::orchestrator::Orchestrator;
use crate::state::SandboxChange;
use crate::store;

impl Orchestrator {
    /// Deletes a sandbox with its files; its snapshots stay. Returns once it is written down: from then on there is
    /// no such sandbox for callers, and what it holds is removed in the background, by the next server where this
    /// one dies before. Deleting what is being deleted is not found.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] for a run's sandbox, which goes with its run.
    pub async fn delete(&self, proof: &Allowed<WriteSandboxes>, id: SandboxId) -> Result<()> {
        self.delete_as(proof.org(), id).await
    }

    pub(crate) async fn delete_as(&self, org: OrgId, id: SandboxId) -> Result<()> {
        let row = self.present(org, id).await?;
        if row.run.is_some() {
            return Err(Error::Invalid("a run's sandbox goes with its run".to_owned()));
        }
        self.change(org, id, SandboxChange::DeleteAsked).await?;
        self.clear_away_later(org, id);
        Ok(())
    }

    /// Removes what a deleted sandbox holds, in the background.
    pub(crate) fn clear_away_later(&self, org: OrgId, id: SandboxId) {
        let this = self.clone();
        self.inner.parts.tasks.spawn("sandbox teardown", async move {
            if let Err(error) = this.clear_away(org, id).await {
                tracing::warn!(
                    sandbox.id = %id,
                    error = &error as &dyn std::error::Error,
                    "a deleted sandbox was not cleared away; the next sweep tries again"
                );
            }
        });
    }

    /// Removes what a deleted sandbox holds. Doing it twice is doing it once.
    pub(crate) async fn clear_away(&self, org: OrgId, id: SandboxId) -> Result<()> {
        let _turn = self.inner.live.turn(id).await;
        if let Some(live) = self.inner.live.take(id) {
            self.put_down(id, &live).await;
        }
        self.inner.history.forget(id);
        let folder = self.folder_of(id);
        remove_tree(&folder).await?;
        let now_ms = self.now_ms();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    store::apply(tx, org, id, SandboxChange::Deleted, now_ms).await?;
                    store::free_key(tx, org, id).await
                })
            })
            .await
    }
}

/// Removes a folder with all in it, also what its owner may not write; one that is not there is removed already.
pub(crate) async fn remove_tree(folder: &std::path::Path) -> Result<()> {
    let folder = folder.to_owned();
    let removed = tokio::task::spawn_blocking(move || crate::files::remove_tree(&folder)).await;
    removed.while_doing("wait for a removal")?.while_doing("remove a sandbox's files")
}
