//! A sandbox's files in the blobs: a checksummed tar of its layers. Made of what rests, read back into layers.

mod pack;
mod unpack;

use std::io;

use accounts::Allowed;
use accounts::access::WriteSandboxes;
use domain::{OrgId, SandboxId, SnapshotId};
use futures_util::TryStreamExt as _;
use tokio::sync::mpsc;

use crate::error::{Error, Result, WhileDoing as _};
use crate::orchestrator::Orchestrator;
use crate::snapshot::{Held, SnapshotRow, rows};
use crate::state::{SandboxChange, SandboxState};
use crate::store::SandboxRow;
use crate::view::SandboxView;
use crate::wish::Wish;
pub use unpack::UnpackLimits;

/// Archives of one sandbox that are kept; older ones go.
const KEPT: usize = 3;
/// How long an archive that no sandbox needs is kept.
const KEPT_FOR_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// Pieces on their way between disk and blobs.
const PIECES: usize = 8;

impl Orchestrator {
    /// Puts a sandbox's files into the blobs and frees this machine's disk. Its processes are ended first. Archiving
    /// what is archived changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Suspended`], [`Error::Store`] where the blobs do not take it; the sandbox then
    /// rests as it was.
    pub async fn archive(&self, proof: &Allowed<WriteSandboxes>, id: SandboxId) -> Result<SandboxView> {
        let (this, org) = (self.clone(), proof.org());
        self.finish("archive a sandbox", async move {
            let _turn = this.inner.live.turn(id).await;
            let row = this.archive_now(org, id).await?;
            Ok(this.view_of(&row))
        })
        .await
    }

    /// Brings an archived sandbox's files back to this machine's disk, where it then rests. A resume does the same
    /// and starts it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::WrongState`]; [`Error::Internal`] where the archive is damaged.
    pub async fn restore(&self, proof: &Allowed<WriteSandboxes>, id: SandboxId) -> Result<SandboxView> {
        let (this, org) = (self.clone(), proof.org());
        self.finish("restore a sandbox", async move {
            let _turn = this.inner.live.turn(id).await;
            let mut row = this.present(org, id).await?;
            if matches!(row.state, SandboxState::Archived) {
                this.bring_layers(&mut row).await?;
                let change = SandboxChange::Restored;
                row = this.change(org, id, change).await?;
            }
            Ok(this.view_of(&row))
        })
        .await
    }

    /// The caller has the turn.
    pub(crate) async fn archive_now(&self, org: OrgId, id: SandboxId) -> Result<SandboxRow> {
        let sealed = self.seal(org, id).await?;
        let mut row = sealed.row;
        if matches!(row.state, SandboxState::Archived) {
            return Ok(row);
        }
        let snapshot = self.keep_archive(&row).await?;
        row.wish.archive = Some(snapshot.id);
        self.keep_wish(&row).await?;
        let row = self.change(org, id, SandboxChange::Archived).await?;
        for layer in &row.wish.layers {
            self.remove_unused_layer(layer).await?;
        }
        for old in rows::archives(self.store(), org, id).await?.into_iter().skip(KEPT) {
            if !rows::is_needed(self.store(), &old).await? {
                self.remove_snapshot(&old).await?;
            }
        }
        Ok(row)
    }

    async fn keep_archive(&self, row: &SandboxRow) -> Result<SnapshotRow> {
        let id = SnapshotId::from_uuid(self.inner.parts.ambient.uuid());
        let folders: Vec<_> = row.wish.layers.iter().map(|name| (name.clone(), self.layer(name))).collect();
        let (send, mut pieces) = mpsc::channel(PIECES);
        let packing = tokio::task::spawn_blocking(move || pack::pack(&folders, send));
        let mut blob = self.store().blobs().writer(row.org).await?;
        while let Some(piece) = pieces.recv().await {
            blob.write(&piece).await?;
        }
        packing.await.while_doing("wait for an archive")?.while_doing("read a sandbox's files")?;
        let size_bytes = i64::try_from(blob.size_bytes()).unwrap_or(i64::MAX);
        let blob = blob.finish().await?;
        let now_ms = self.now_ms();
        self.keep_snapshot(SnapshotRow {
            org: row.org,
            id,
            sandbox: row.id,
            name: String::new(),
            kind: "archive".to_owned(),
            held: Held {
                template: row.template.clone(),
                template_version: row.template_version,
                wish: Wish { archive: Some(id), ..row.wish.clone() },
                blob: Some(blob.to_string()),
            },
            size_bytes,
            created_at_ms: now_ms,
            expires_at_ms: Some(now_ms.saturating_add(KEPT_FOR_MS)),
        })
        .await
    }

    /// Sees to it that all layers of a sandbox are on this machine's disk. The caller has the turn.
    pub(crate) async fn bring_layers(&self, row: &mut SandboxRow) -> Result<()> {
        let missing: Vec<String> =
            row.wish.layers.iter().filter(|name| !self.layer(name).is_dir()).cloned().collect();
        let Some(archive) = row.wish.archive else {
            return match missing.first() {
                None => Ok(()),
                Some(name) => Err(Error::Internal {
                    doing: "find a sandbox's files",
                    source: format!("the layer {name} is gone").into(),
                }),
            };
        };
        if !missing.is_empty() {
            let snapshot = rows::find(self.store(), row.org, archive).await?;
            self.unpack(&snapshot, missing).await?;
        }
        row.wish.archive = None;
        self.keep_wish(row).await
    }

    async fn unpack(&self, snapshot: &SnapshotRow, missing: Vec<String>) -> Result<()> {
        let blob = snapshot.held.blob.as_deref().unwrap_or_default();
        let key: ::store::BlobKey = blob.parse()?;
        let checksum = snapshot.view().checksum.unwrap_or_default();
        let mut bytes = self.store().blobs().read(snapshot.org, &key, None).await?;
        let (send, pieces) = mpsc::channel(PIECES);
        // Beside the layers, so that a whole one is moved in by a rename.
        let fresh = self.layer(&format!("new-{}", self.inner.parts.ambient.uuid().simple()));
        let layers = self.inner.parts.data.join("layers");
        let unpacking = tokio::task::spawn_blocking(move || {
            let unpacked =
                unpack::unpack(pieces, &fresh, &checksum, UnpackLimits::default()).and_then(|()| {
                    missing.iter().try_for_each(|name| {
                        match std::fs::rename(fresh.join(name), layers.join(name)) {
                            // Somebody else has brought it meanwhile.
                            Err(_) if layers.join(name).is_dir() => Ok(()),
                            moved => moved,
                        }
                    })
                });
            let removed = crate::files::remove_tree(&fresh);
            unpacked.and(removed)
        });
        while let Some(piece) = bytes.try_next().await? {
            if send.send(Ok::<_, io::Error>(piece)).await.is_err() {
                break;
            }
        }
        drop(send);
        unpacking.await.while_doing("wait for an archive")?.while_doing("read an archive back")
    }

    /// Removes a layer that nothing goes on from.
    pub(crate) async fn remove_unused_layer(&self, name: &str) -> Result<bool> {
        let folder = self.layer(name);
        if !folder.is_dir() || rows::is_layer_needed(self.store(), name).await? {
            return Ok(false);
        }
        crate::delete::remove_tree(&folder).await?;
        Ok(true)
    }
}
