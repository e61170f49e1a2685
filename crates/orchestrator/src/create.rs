//! Making sandboxes that somebody asked for: once for each key, owned in the database first.

use accounts::Allowed;
use accounts::access::WriteSandboxes;
use domain::{OrgId, SandboxId};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::orchestrator::Orchestrator;
use crate::state::{SandboxChange, SandboxState};
use crate::store::{self, Inserted, SandboxRow};
use crate::template::Template;
use crate::view::SandboxView;
use crate::wish::{CreateSandbox, EgressPolicy, Wish};

/// How long a start command may take to be ready where the template does not say.
const READY_WITHIN_MS: i64 = 60_000;

impl Orchestrator {
    /// Makes a sandbox and returns it running. With a key, asking again (also at the same time) gives the sandbox
    /// that the first one made; once that is deleted, its key makes another.
    ///
    /// Goes on to its end where the caller goes away meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], [`Error::TemplateNotFound`], [`Error::KeyConflict`] where the key asked for something
    /// else before, [`Error::Sandbox`] where the provider cannot; the row then says that it failed.
    pub async fn create(
        &self,
        proof: &Allowed<WriteSandboxes>,
        wanted: CreateSandbox,
    ) -> Result<SandboxView> {
        wanted.check()?;
        self.recover().await?;
        let org = proof.org();
        let template = self.template(org, &wanted.template).await?;
        let row = self.new_row(org, wanted, &template);
        let (this, by) = (self.clone(), proof.by().to_owned());
        self.finish("make a sandbox", async move { this.create_row(row, by).await }).await
    }

    fn new_row(&self, org: OrgId, wanted: CreateSandbox, template: &Template) -> SandboxRow {
        let spec = &template.spec;
        let request_hash = wanted.key.as_ref().map(|_| wanted.hash());
        let mut wish = match &template.held {
            Some(held) => held.wish.clone(),
            None => self.wish_of(template),
        };
        wish.env.extend(wanted.env);
        wish.timeout_ms = i64::try_from(wanted.timeout.as_millis()).unwrap_or(i64::MAX);
        wish.on_timeout = wanted.on_timeout;
        wish.auto_resume = wanted.auto_resume || spec.auto_resume;
        wish.egress = wanted.egress.unwrap_or(wish.egress);
        wish.resources = wanted.resources.or(wish.resources);
        let now_ms = self.now_ms();
        SandboxRow {
            org,
            id: SandboxId::from_uuid(self.inner.parts.ambient.uuid()),
            run: None,
            key: wanted.key,
            request_hash,
            name: wanted.name,
            metadata: wanted.metadata,
            template: template.name.clone(),
            template_version: template.version,
            wish,
            provider: self.provider().to_owned(),
            node: self.node().to_owned(),
            state: SandboxState::Starting,
            started_at_ms: None,
            ends_at_ms: None,
            active_at_ms: None,
            created_at_ms: now_ms,
            changed_at_ms: now_ms,
        }
    }

    /// Keeps the row, then starts the sandbox.
    pub(crate) async fn create_row(&self, row: SandboxRow, by: String) -> Result<SandboxView> {
        let (org, id) = (row.org, row.id);
        // Taken before anybody can find the row: who asks with the same key waits for the start.
        let turn = self.inner.live.turn(id).await;
        match self.insert(row.clone(), by).await? {
            Inserted::New => {
                let row = self.start_or_fail(row, None).await?;
                Ok(self.view_of(&row))
            }
            Inserted::Before(before) => {
                drop(turn);
                drop(self.inner.live.turn(before).await);
                let row = store::find(self.store(), org, before).await?;
                if let SandboxState::Failed { error } = &row.state {
                    return Err(Error::Sandbox(sandbox::SandboxError::Gone { cause: error.clone() }));
                }
                Ok(self.view_of(&row))
            }
        }
    }

    async fn insert(&self, row: SandboxRow, by: String) -> Result<Inserted> {
        let again = row.clone();
        let first = self.insert_once(row, by.clone()).await;
        match first {
            // On Postgres somebody with the same key was quicker, and is found now.
            Err(Error::Store(::store::StoreError::Conflict { .. })) if again.key.is_some() => {
                self.insert_once(again, by).await
            }
            first => first,
        }
    }

    async fn insert_once(&self, row: SandboxRow, by: String) -> Result<Inserted> {
        #[derive(Serialize)]
        struct Created<'a> {
            template: &'a str,
            template_version: u32,
            name: &'a str,
            by: &'a str,
        }
        let body = store::encode(&Created {
            template: &row.template,
            template_version: row.template_version,
            name: &row.name,
            by: &by,
        })?;
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let inserted = store::insert_once(tx, &row).await?;
                    if matches!(inserted, Inserted::New) {
                        let stream = row.id.stream();
                        tx.append(row.org, &stream, row.created_at_ms, "sandbox.created", &body).await?;
                    }
                    Ok(inserted)
                })
            })
            .await
    }

    /// Starts a sandbox whose row says that it is starting; where that fails, the row says so too.
    pub(crate) async fn start_or_fail(&self, row: SandboxRow, timeout_ms: Option<i64>) -> Result<SandboxRow> {
        let (org, id) = (row.org, row.id);
        match self.start(row, timeout_ms).await {
            Ok(row) => Ok(row),
            Err(error) => {
                if let Some(live) = self.inner.live.take(id) {
                    self.put_down(id, &live).await;
                }
                let failed = SandboxChange::StartFailed { error: crate::error::chain(&error) };
                match self.change(org, id, failed).await {
                    // It was deleted or suspended while it started; that stands.
                    Ok(_) | Err(Error::WrongState(_)) => {}
                    Err(kept) => tracing::error!(
                        sandbox.id = %id,
                        error = &kept as &dyn std::error::Error,
                        "that a sandbox did not start could not be kept"
                    ),
                }
                Err(error)
            }
        }
    }

    fn wish_of(&self, template: &Template) -> Wish {
        let spec = &template.spec;
        Wish {
            env: spec.env.clone(),
            egress: match &spec.egress {
                silent if *silent == EgressPolicy::default() => self.usual_egress(),
                said => said.clone(),
            },
            resources: spec.resources,
            root: template.root.clone(),
            start_command: spec.start_command.clone(),
            ready_command: spec.ready_command.clone(),
            ready_within_ms: spec
                .ready_within_seconds
                .map_or(READY_WITHIN_MS, |seconds| i64::from(seconds) * 1_000),
            idle_after_ms: spec.idle_after_seconds.map(|seconds| i64::from(seconds) * 1_000),
            ..Wish::default()
        }
    }
}
