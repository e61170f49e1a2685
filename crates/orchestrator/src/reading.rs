//! Looking at sandboxes. Nothing here wakes one.

use accounts::Allowed;
use accounts::access::ReadSandboxes;
use domain::SandboxId;

use crate::error::{Error, Result};
use crate::orchestrator::Orchestrator;
use crate::state::SandboxState;
use crate::store::{self, SandboxRow};
use crate::view::{Page, SandboxFilter, SandboxView};

/// The most on one page.
const PAGE_MAX: u32 = 200;
/// On one page where nothing else was asked for.
const PAGE: u32 = 50;
/// Rows that are looked at together.
const ROWS: u32 = 200;

impl Orchestrator {
    /// One sandbox.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also for one that was deleted.
    pub async fn get(&self, proof: &Allowed<ReadSandboxes>, id: SandboxId) -> Result<SandboxView> {
        let row = self.present(proof.org(), id).await?;
        Ok(self.view_of(&row))
    }

    /// Sandboxes, the newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a state or cursor that is none.
    pub async fn list(
        &self,
        proof: &Allowed<ReadSandboxes>,
        filter: SandboxFilter,
    ) -> Result<Page<SandboxView>> {
        if let Some(unknown) = filter.states.iter().find(|name| !SandboxState::NAMES.contains(&name.as_str()))
        {
            return Err(Error::Invalid(format!("{unknown:?} is no state of a sandbox")));
        }
        let mut before = match &filter.cursor {
            None => "sby".to_owned(), // behind every id
            Some(cursor) => {
                let id: SandboxId =
                    cursor.parse().map_err(|_| Error::Invalid("the cursor is none of ours".to_owned()))?;
                id.to_string()
            }
        };
        let limit = if filter.limit == 0 { PAGE } else { filter.limit.min(PAGE_MAX) } as usize;
        let with_deleted = filter.states.iter().any(|name| name == "deleted" || name == "deleting");
        let mut items: Vec<SandboxView> = Vec::new();
        loop {
            let rows = store::page(self.store(), proof.org(), &before, with_deleted, ROWS).await?;
            let Some(last) = rows.last() else { return Ok(Page { items, next: None }) };
            before = last.id.to_string();
            for row in &rows {
                let view = self.view_of(row);
                if !filter.fits(&view, &row.state) {
                    continue;
                }
                if items.len() == limit {
                    let next = items.last().map(|view| view.id.to_string());
                    return Ok(Page { items, next });
                }
                items.push(view);
            }
        }
    }

    /// A row as callers see it.
    pub(crate) fn view_of(&self, row: &SandboxRow) -> SandboxView {
        let limits = self.limits_of(row.wish.resources);
        SandboxView {
            id: row.id,
            run: row.run,
            name: row.name.clone(),
            state: row.state.name().to_owned(),
            reason: row.state.reason(),
            template: row.template.clone(),
            template_version: row.template_version,
            provider: row.provider.clone(),
            metadata: row.metadata.clone(),
            created_at_ms: row.created_at_ms,
            started_at_ms: row.started_at_ms,
            changed_at_ms: row.changed_at_ms,
            ends_at_ms: row.ends_at_ms,
            on_timeout: row.wish.on_timeout,
            auto_resume: row.wish.auto_resume,
            cpu_millis: limits.cpu_millis,
            memory_bytes: limits.memory_bytes,
            disk_bytes: row.wish.resources.disk_bytes,
            egress: row.wish.egress.clone(),
        }
    }
}
