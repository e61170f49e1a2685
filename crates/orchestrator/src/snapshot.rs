//! Snapshots and forks. A sandbox's own files are sealed into a read-only layer by a rename; it and its forks go on
//! above that layer, so that nothing is copied. What runs in it starts anew: no memory is kept on this machine.

pub(crate) mod rows;

use std::path::PathBuf;
use std::time::Duration;

use accounts::Allowed;
use accounts::access::{ReadSandboxes, WriteSandboxes};
use domain::{OrgId, SandboxId, SnapshotId};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, WhileDoing as _};
use crate::orchestrator::Orchestrator;
use crate::state::{SandboxChange, SandboxState, StopCause};
use crate::store::{self, SandboxRow};
use crate::view::{Page, SandboxView};
use crate::wish::{OnTimeout, Wish, check_timeout};
pub(crate) use rows::SnapshotRow;

/// The most forks at once.
const FORKS_MAX: u32 = 20;
/// The most layers of one sandbox; the kernel takes 500.
const LAYERS_MAX: usize = 200;

/// A snapshot as callers see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SnapshotView {
    /// Its id; sandboxes are made from it by naming it as their template.
    pub id: SnapshotId,
    /// Whose files it holds.
    pub sandbox: SandboxId,
    /// For people.
    pub name: String,
    /// `layers` on this machine's disk, or `archive` in the blobs.
    pub kind: String,
    /// The template below it.
    pub template: String,
    /// Which version of that.
    pub template_version: u32,
    /// What an archive takes; 0 for layers, which share what they hold.
    pub size_bytes: u64,
    /// The SHA-256 of an archive, in hex.
    pub checksum: Option<String>,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// When it may be removed; `None` where never.
    pub expires_at_ms: Option<i64>,
}

/// What a fork shall be.
#[derive(Debug, Clone)]
pub struct ForkSandbox {
    /// How many.
    pub count: u32,
    /// How long they live from when they are ready; as long as the source was given where `None`.
    pub timeout: Option<Duration>,
    /// What happens then; as with the source where `None`.
    pub on_timeout: Option<OnTimeout>,
}

impl Default for ForkSandbox {
    fn default() -> Self {
        Self { count: 1, timeout: None, on_timeout: None }
    }
}

/// What a snapshot holds, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Held {
    pub(crate) template: String,
    pub(crate) template_version: u32,
    pub(crate) wish: Wish,
    /// The blob of an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) blob: Option<String>,
}

impl Orchestrator {
    /// Keeps a sandbox's files as they are now. Where it runs, its processes are ended and started anew (with the
    /// template's start command); what was not on disk is lost.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Suspended`], [`Error::Invalid`] for a run's sandbox or a name that is too long.
    pub async fn snapshot(
        &self,
        proof: &Allowed<WriteSandboxes>,
        id: SandboxId,
        name: String,
    ) -> Result<SnapshotView> {
        if name.len() > 200 {
            return Err(Error::Invalid("a name has at most 200 bytes".to_owned()));
        }
        let (this, org) = (self.clone(), proof.org());
        self.finish("make a snapshot", async move {
            let _turn = this.inner.live.turn(id).await;
            let sealed = this.seal(org, id).await?;
            let kept = this.keep_layers(&sealed.row, name).await;
            let (kept, _) = tokio::join!(async { kept }, this.go_on(sealed));
            Ok(kept?.view())
        })
        .await
    }

    /// Makes sandboxes that go on from a sandbox's files as they are now. The source goes on too; the processes of
    /// both start anew.
    ///
    /// # Errors
    ///
    /// As [`Orchestrator::snapshot`] and [`Orchestrator::create`].
    pub async fn fork(
        &self,
        proof: &Allowed<WriteSandboxes>,
        id: SandboxId,
        wanted: ForkSandbox,
    ) -> Result<Vec<SandboxView>> {
        wanted.timeout.map_or(Ok(()), check_timeout)?;
        if !(1..=FORKS_MAX).contains(&wanted.count) {
            return Err(Error::Invalid(format!("between 1 and {FORKS_MAX} forks are made at once")));
        }
        let (this, org, by) = (self.clone(), proof.org(), proof.by().to_owned());
        self.finish("fork a sandbox", async move {
            let _turn = this.inner.live.turn(id).await;
            let sealed = this.seal(org, id).await?;
            let forks: Vec<_> = (0..wanted.count)
                .map(|_| this.create_row(this.fork_row(&sealed.row, &wanted), by.clone()))
                .collect();
            let (forks, ()) = tokio::join!(futures_util::future::join_all(forks), this.go_on(sealed));
            forks.into_iter().collect()
        })
        .await
    }

    /// The snapshots of the org, or of one sandbox, the newest first.
    ///
    /// # Errors
    ///
    /// Where the store does not answer.
    pub async fn snapshots(
        &self,
        proof: &Allowed<ReadSandboxes>,
        of: Option<SandboxId>,
    ) -> Result<Page<SnapshotView>> {
        let rows = rows::list(self.store(), proof.org(), of).await?;
        Ok(Page { items: rows.iter().map(SnapshotRow::view).collect(), next: None })
    }

    /// Removes a snapshot. Sandboxes that were made from it keep what they need.
    ///
    /// # Errors
    ///
    /// [`Error::SnapshotNotFound`]; [`Error::Invalid`] where an archived sandbox has its files nowhere else.
    pub async fn delete_snapshot(&self, proof: &Allowed<WriteSandboxes>, id: SnapshotId) -> Result<()> {
        let row = rows::find(self.store(), proof.org(), id).await?;
        if rows::is_needed(self.store(), &row).await? {
            let why = "an archived sandbox has its files in this snapshot alone: delete or resume it first";
            return Err(Error::Invalid(why.to_owned()));
        }
        self.remove_snapshot(&row).await
    }

    pub(crate) async fn remove_snapshot(&self, row: &SnapshotRow) -> Result<()> {
        let (org, id, blob) = (row.org, row.id, row.held.blob.clone());
        self.store().write(move |tx| Box::pin(rows::delete(tx, org, id))).await?;
        if let Some(blob) = blob {
            self.store().blobs().delete(org, &blob.parse()?).await?;
        }
        Ok(())
    }

    /// The folder of a layer.
    pub(crate) fn layer(&self, name: &str) -> PathBuf {
        self.inner.parts.data.join("layers").join(name)
    }

    fn fork_row(&self, source: &SandboxRow, wanted: &ForkSandbox) -> SandboxRow {
        let mut wish = source.wish.clone();
        if let Some(timeout) = wanted.timeout {
            wish.timeout_ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        }
        wish.on_timeout = wanted.on_timeout.unwrap_or(wish.on_timeout);
        let now_ms = self.now_ms();
        SandboxRow {
            id: SandboxId::from_uuid(self.inner.parts.ambient.uuid()),
            key: None,
            request_hash: None,
            wish,
            state: SandboxState::Starting,
            started_at_ms: None,
            ends_at_ms: None,
            active_at_ms: None,
            created_at_ms: now_ms,
            changed_at_ms: now_ms,
            ..source.clone()
        }
    }

    /// Makes a layer of the sandbox's own files. The caller has the turn, and lets the sandbox go on afterwards.
    pub(crate) async fn seal(&self, org: OrgId, id: SandboxId) -> Result<Sealed> {
        let mut row = self.present(org, id).await?;
        match &row.state {
            _ if row.run.is_some() => {
                return Err(Error::Invalid("a run's sandbox is no template for others".to_owned()));
            }
            SandboxState::Suspended { reason } => {
                return Err(Error::Suspended { id, reason: reason.clone() });
            }
            SandboxState::Archived => return Ok(Sealed { row, was_running: false }),
            _ => {}
        }
        if row.wish.layers.len() >= LAYERS_MAX {
            return Err(Error::Invalid(format!(
                "a sandbox is snapshotted or forked at most {LAYERS_MAX} times"
            )));
        }
        let was_running = matches!(row.state, SandboxState::Running | SandboxState::Paused);
        let ends_at_ms = row.ends_at_ms;
        if row.state.is_alive() {
            row = self.end(&row, StopCause::Asked).await?;
        }
        row.ends_at_ms = ends_at_ms;
        self.finish_sealing(&mut row).await?;
        if self.folder_of(id).exists() {
            // Written down first: a server that dies in between is understood by the next one.
            row.wish.sealing = Some(SnapshotId::from_uuid(self.inner.parts.ambient.uuid()).to_string());
            self.keep_wish(&row).await?;
            self.finish_sealing(&mut row).await?;
        }
        Ok(Sealed { row, was_running })
    }

    /// Does what a sealing that was written down wants.
    pub(crate) async fn finish_sealing(&self, row: &mut SandboxRow) -> Result<()> {
        let Some(name) = row.wish.sealing.clone() else { return Ok(()) };
        let (from, to) = (self.folder_of(row.id), self.layer(&name));
        let moved = tokio::task::spawn_blocking(move || {
            if !to.exists() && from.exists() {
                std::fs::create_dir_all(to.parent().unwrap_or(&to))?;
                std::fs::rename(&from, &to)?;
            }
            Ok::<_, std::io::Error>(to.exists())
        });
        let is_there = moved.await.while_doing("wait for a rename")?.while_doing("seal a sandbox's files")?;
        if is_there {
            row.wish.layers.insert(0, name);
        }
        row.wish.sealing = None;
        self.keep_wish(row).await
    }

    /// Starts a sandbox that ran before it was sealed; it keeps its end.
    async fn go_on(&self, sealed: Sealed) {
        if !sealed.was_running {
            return;
        }
        let (org, id, ends_at_ms) = (sealed.row.org, sealed.row.id, sealed.row.ends_at_ms);
        let left_ms = ends_at_ms.map_or(0, |at_ms| (at_ms - self.now_ms()).max(1));
        let started = async {
            let row = self.change(org, id, SandboxChange::StartBegan).await?;
            self.start_or_fail(row, Some(left_ms)).await
        };
        if let Err(error) = started.await {
            tracing::warn!(
                sandbox.id = %id,
                error = &error as &dyn std::error::Error,
                "a sandbox did not come up again after its files were sealed"
            );
        }
    }

    async fn keep_layers(&self, row: &SandboxRow, name: String) -> Result<SnapshotRow> {
        let snapshot = SnapshotRow {
            org: row.org,
            id: SnapshotId::from_uuid(self.inner.parts.ambient.uuid()),
            sandbox: row.id,
            name,
            kind: "layers".to_owned(),
            held: Held {
                template: row.template.clone(),
                template_version: row.template_version,
                wish: row.wish.clone(),
                blob: None,
            },
            size_bytes: 0,
            created_at_ms: self.now_ms(),
            expires_at_ms: None,
        };
        self.keep_snapshot(snapshot).await
    }

    pub(crate) async fn keep_snapshot(&self, row: SnapshotRow) -> Result<SnapshotRow> {
        let kept = row.clone();
        let body = store::encode(&row.view())?;
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    rows::insert(tx, &kept).await?;
                    let stream = kept.sandbox.stream();
                    tx.append(kept.org, &stream, kept.created_at_ms, "sandbox.snapshot", &body).await?;
                    Ok::<_, Error>(())
                })
            })
            .await?;
        Ok(row)
    }

    pub(crate) async fn keep_wish(&self, row: &SandboxRow) -> Result<()> {
        let row = row.clone();
        self.store().write(move |tx| Box::pin(async move { store::set_wish(tx, &row).await })).await
    }
}

/// A sandbox that rests, whose files are in its layers.
pub(crate) struct Sealed {
    pub(crate) row: SandboxRow,
    pub(crate) was_running: bool,
}
