//! Bringing a sandbox's processes up, and putting them down.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::{OrgId, SandboxId};
use sandbox::{Exec, Sandbox, SandboxLimits, SandboxSpec};

use crate::error::Result;
use crate::live::{Due, LiveBox};
use crate::orchestrator::Orchestrator;
use crate::state::SandboxChange;
use crate::store::{self, SandboxRow};
use crate::wish::{EgressPolicy, Resources, Wish};

/// Our own deadlines end a sandbox; the provider's limit is for what we would forget.
const WALL: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// Between two looks whether a start command is ready.
const READY_EVERY: Duration = Duration::from_millis(200);
/// One look takes no longer.
const READY_LOOK: Duration = Duration::from_secs(10);

impl Orchestrator {
    /// The folder on the host that holds a sandbox's files.
    #[must_use]
    pub fn folder_of(&self, id: SandboxId) -> PathBuf {
        self.inner.parts.data.join("boxes").join(id.to_string())
    }

    /// Starts a sandbox whose row says that it is starting. The caller has the turn with it.
    pub(crate) async fn start(&self, mut row: SandboxRow, timeout_ms: Option<i64>) -> Result<SandboxRow> {
        let (org, id) = (row.org, row.id);
        let parts = &self.inner.parts;
        self.finish_sealing(&mut row).await?;
        self.bring_layers(&mut row).await?;
        let held = self.inner.live.hold(id);
        let sandbox = parts.provider.create(self.spec(&row)).await?;
        let live = LiveBox::new(org, sandbox.clone(), row.wish.egress.clone(), row.wish.idle_after_ms);
        let live = self.inner.live.put(id, live);
        drop(held);
        self.tell_started(org, &sandbox, &live);
        self.start_command(&row.wish, &sandbox).await?;
        let now_ms = self.now_ms();
        live.touch(now_ms);
        let ends_at_ms = ends_at(now_ms, timeout_ms.unwrap_or(row.wish.timeout_ms));
        let row = parts
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let mut row = store::apply(tx, org, id, SandboxChange::BecameReady, now_ms).await?;
                    store::set_started(tx, &mut row, now_ms).await?;
                    store::set_end(tx, &mut row, ends_at_ms, now_ms).await?;
                    Ok::<_, crate::Error>(row)
                })
            })
            .await?;
        self.inner.live.set(&live, false, ends_at_ms.map_or(Due::Never, Due::End));
        Ok(row)
    }

    fn spec(&self, row: &SandboxRow) -> SandboxSpec {
        SandboxSpec {
            layers: row.wish.layers.iter().map(|name| self.layer(name)).collect(),
            rootfs: row.wish.root.as_ref().map(|root| self.inner.parts.data.join("templates").join(root)),
            writable_root: true,
            env: self.environment().chain(row.wish.env.clone()).collect(),
            egress_port: self.egress_port(),
            limits: self.limits_of(row.wish.resources),
            ..SandboxSpec::new(row.id, self.folder_of(row.id))
        }
    }

    /// Lets companions begin beside a sandbox.
    pub(crate) fn tell_started(&self, org: OrgId, sandbox: &Arc<dyn Sandbox>, live: &LiveBox) {
        for companion in &self.inner.parts.companions {
            companion.started(org, sandbox, live.egress.subscribe());
        }
    }

    /// What a sandbox may reach where nobody says anything.
    pub(crate) fn usual_egress(&self) -> EgressPolicy {
        let usual = self.inner.parts.companions.iter().map(|companion| companion.usual_egress());
        usual.into_iter().find(|policy| *policy != EgressPolicy::default()).unwrap_or_default()
    }

    /// What companions add to every sandbox's environment.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (String, String)> {
        self.inner.parts.companions.iter().flat_map(|companion| companion.environment())
    }

    /// Where a sandbox finds its way out.
    pub(crate) fn egress_port(&self) -> Option<u16> {
        self.inner.parts.companions.iter().find_map(|companion| companion.egress_port())
    }

    /// What a sandbox may use: what was asked for, else the server's own limits.
    pub(crate) fn limits_of(&self, wanted: Resources) -> SandboxLimits {
        let usual = &self.inner.parts.limits;
        SandboxLimits {
            memory_bytes: wanted.memory_bytes.unwrap_or(usual.memory_bytes),
            cpu_millis: wanted.cpu_millis.unwrap_or(usual.cpu_millis),
            processes: wanted.processes.unwrap_or(usual.processes),
            wall: WALL,
            ..usual.clone()
        }
    }

    async fn start_command(&self, wish: &Wish, sandbox: &Arc<dyn Sandbox>) -> Result<()> {
        if let Some(command) = &wish.start_command {
            sandbox.background(command.clone()).await?;
        }
        let Some(command) = &wish.ready_command else { return Ok(()) };
        let limit = Duration::from_millis(u64::try_from(wish.ready_within_ms).unwrap_or(0));
        let ambient = &self.inner.parts.ambient;
        let ready = async {
            loop {
                let look = Exec {
                    argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), command.clone()],
                    timeout: Some(READY_LOOK),
                    ..Exec::default()
                };
                if sandbox.exec(look, &|_| {}).await?.exit_code == 0 {
                    return Ok(());
                }
                ambient.sleep(READY_EVERY).await;
            }
        };
        let silent = || {
            let cause = format!("its start command was not ready within {} s", limit.as_secs());
            Err(crate::Error::Sandbox(sandbox::SandboxError::Gone { cause }))
        };
        ambient.within(limit, ready).await.unwrap_or_else(silent)
    }

    /// Ends the processes of a sandbox that was taken from the list.
    pub(crate) async fn put_down(&self, id: SandboxId, live: &LiveBox) {
        for companion in &self.inner.parts.companions {
            companion.ended(live.org, id);
        }
        if let Err(error) = live.sandbox.stop().await {
            tracing::warn!(
                sandbox.id = %id,
                error = &error as &dyn std::error::Error,
                "could not stop a sandbox; the next sweep tries again"
            );
        }
    }
}

/// When a time-out from now ends; 0 is never.
pub(crate) fn ends_at(now_ms: i64, timeout_ms: i64) -> Option<i64> {
    (timeout_ms > 0).then(|| now_ms.saturating_add(timeout_ms))
}
