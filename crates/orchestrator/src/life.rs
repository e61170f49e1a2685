//! Pausing, resuming, stopping, and how long a sandbox lives.

use std::time::Duration;

use accounts::Allowed;
use accounts::access::WriteSandboxes;
use domain::{OrgId, SandboxId};

use crate::error::{Error, Result};
use crate::live::{Due, LiveBox};
use crate::orchestrator::Orchestrator;
use crate::start::ends_at;
use crate::state::{SandboxChange, SandboxState, StopCause};
use crate::store::{self, SandboxRow};
use crate::view::SandboxView;
use crate::wish::{EgressPolicy, check_timeout};

/// A pause so long gives the memory back: the processes end, the files stay.
const LONG_PAUSE_MS: i64 = 30 * 60 * 1_000;

impl Orchestrator {
    /// Pauses a sandbox. Its files stay; `state` of the answer says whether its processes do: `paused` keeps them
    /// and their memory, `hibernated` has ended them. A long pause becomes a hibernation by itself. A paused sandbox
    /// has no time-out. Pausing what rests changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::WrongState`], [`Error::Sandbox`].
    pub async fn pause(&self, proof: &Allowed<WriteSandboxes>, id: SandboxId) -> Result<SandboxView> {
        let (this, org) = (self.clone(), proof.org());
        self.finish("pause a sandbox", async move {
            let _turn = this.inner.live.turn(id).await;
            let row = this.present(org, id).await?;
            if row.state.rests() || matches!(row.state, SandboxState::Paused | SandboxState::Archived) {
                return Ok(this.view_of(&row));
            }
            let row = this.rest(&row, StopCause::Asked, Rest::Lightly).await?;
            Ok(this.view_of(&row))
        })
        .await
    }

    /// Lets a sandbox go on, from whatever rest, or connects to one that runs. `timeout` counts from now; that of
    /// one that runs only becomes longer. Processes go on where it was `paused`; else they start anew, with the
    /// template's start command, on the files as they were.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Suspended`], [`Error::Sandbox`].
    pub async fn resume(
        &self,
        proof: &Allowed<WriteSandboxes>,
        id: SandboxId,
        timeout: Option<Duration>,
    ) -> Result<SandboxView> {
        timeout.map_or(Ok(()), check_timeout)?;
        let row = self.wake(proof.org(), id, timeout.map(as_ms)).await?;
        Ok(self.view_of(&row))
    }

    /// Ends a sandbox's processes and keeps its files. Only a resume starts it again. Stopping twice is stopping once.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::WrongState`], [`Error::Sandbox`].
    pub async fn stop(&self, proof: &Allowed<WriteSandboxes>, id: SandboxId) -> Result<SandboxView> {
        let (this, org) = (self.clone(), proof.org());
        self.finish("stop a sandbox", async move {
            let _turn = this.inner.live.turn(id).await;
            let row = this.present(org, id).await?;
            if row.state.is_alive() {
                this.end_processes(org, id, StopCause::Asked).await?;
            }
            let stopped = SandboxChange::Stopped { cause: StopCause::Asked };
            let row = this.change_with_end(org, id, stopped, None).await?;
            Ok(this.view_of(&row))
        })
        .await
    }

    /// Sets how long a running sandbox lives from now: shorter or longer. Zero is without end.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Invalid`], [`Error::Asleep`] where it does not run.
    pub async fn set_timeout(
        &self,
        proof: &Allowed<WriteSandboxes>,
        id: SandboxId,
        timeout: Duration,
    ) -> Result<SandboxView> {
        check_timeout(timeout)?;
        self.lengthen(proof.org(), id, as_ms(timeout), Which::AsAsked).await
    }

    /// Keeps a running sandbox alive for at least `timeout` from now; never shortens its life.
    ///
    /// # Errors
    ///
    /// As [`Orchestrator::set_timeout`].
    pub async fn extend(
        &self,
        proof: &Allowed<WriteSandboxes>,
        id: SandboxId,
        timeout: Duration,
    ) -> Result<SandboxView> {
        check_timeout(timeout)?;
        self.lengthen(proof.org(), id, as_ms(timeout), Which::Later).await
    }

    /// Changes what a sandbox may reach, at once where it runs.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn set_egress(
        &self,
        proof: &Allowed<WriteSandboxes>,
        id: SandboxId,
        policy: EgressPolicy,
    ) -> Result<SandboxView> {
        let _turn = self.inner.live.turn(id).await;
        let mut row = self.present(proof.org(), id).await?;
        row.wish.egress = policy;
        let (kept, now_ms) = (row.clone(), self.now_ms());
        let body = store::encode(&kept.wish.egress)?;
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    store::set_wish(tx, &kept).await?;
                    tx.append(kept.org, &kept.id.stream(), now_ms, "sandbox.egress", &body).await?;
                    Ok::<_, Error>(())
                })
            })
            .await?;
        if let Some(live) = self.inner.live.get(id) {
            live.egress.send_replace(row.wish.egress.clone());
        }
        Ok(self.view_of(&row))
    }

    async fn lengthen(
        &self,
        org: OrgId,
        id: SandboxId,
        timeout_ms: i64,
        which: Which,
    ) -> Result<SandboxView> {
        let _turn = self.inner.live.turn(id).await;
        let row = self.present(org, id).await?;
        if row.run.is_some() || !matches!(row.state, SandboxState::Running) {
            return Err(Error::Asleep { id, state: row.state.name() });
        }
        let row = self.keep_end(row, timeout_ms, which).await?;
        Ok(self.view_of(&row))
    }

    /// Sets the end of a running sandbox. The caller has the turn.
    async fn keep_end(&self, mut row: SandboxRow, timeout_ms: i64, which: Which) -> Result<SandboxRow> {
        let now_ms = self.now_ms();
        let wanted = ends_at(now_ms, timeout_ms);
        let ends_at_ms = match (which, row.ends_at_ms, wanted) {
            (Which::Later, Some(before), Some(wanted)) => Some(before.max(wanted)),
            (Which::Later, None, _) => None,
            (Which::Later | Which::AsAsked, _, wanted) => wanted,
        };
        row = self
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    store::set_end(tx, &mut row, ends_at_ms, now_ms).await?;
                    Ok::<_, Error>(row)
                })
            })
            .await?;
        if let Some(live) = self.inner.live.get(row.id) {
            live.touch(now_ms);
            self.inner.live.set(&live, live.is_paused(), ends_at_ms.map_or(Due::Never, Due::End));
        }
        Ok(row)
    }

    /// Makes a sandbox run, from whatever rest.
    pub(crate) async fn wake(
        &self,
        org: OrgId,
        id: SandboxId,
        timeout_ms: Option<i64>,
    ) -> Result<SandboxRow> {
        let this = self.clone();
        self.finish("resume a sandbox", async move {
            this.recover().await?;
            let _turn = this.inner.live.turn(id).await;
            let row = this.present(org, id).await?;
            let live = this.inner.live.get(id);
            match (&row.state, live) {
                (SandboxState::Suspended { reason }, _) => {
                    Err(Error::Suspended { id, reason: reason.clone() })
                }
                (SandboxState::Running, Some(_)) => match timeout_ms {
                    Some(timeout_ms) if row.run.is_none() => {
                        this.keep_end(row, timeout_ms, Which::Later).await
                    }
                    _ => Ok(row),
                },
                _ if row.run.is_some() => Err(Error::Asleep { id, state: row.state.name() }),
                (SandboxState::Paused, Some(live)) => this.thaw(row, &live, timeout_ms).await,
                (state, _) => {
                    if state.is_alive() {
                        // Its processes are gone without our doing.
                        this.end(&row, StopCause::Died).await?;
                    }
                    let row = this.change(org, id, SandboxChange::StartBegan).await?;
                    this.start_or_fail(row, timeout_ms).await
                }
            }
        })
        .await
    }

    async fn thaw(&self, row: SandboxRow, live: &LiveBox, timeout_ms: Option<i64>) -> Result<SandboxRow> {
        live.sandbox.thaw().await?;
        let now_ms = self.now_ms();
        let ends_at_ms = ends_at(now_ms, timeout_ms.unwrap_or(row.wish.timeout_ms));
        let (org, id) = (row.org, row.id);
        let row = self.change_with_end(org, id, SandboxChange::Thawed, ends_at_ms).await?;
        live.touch(now_ms);
        self.inner.live.set(live, false, ends_at_ms.map_or(Due::Never, Due::End));
        Ok(row)
    }

    /// Puts a running sandbox to rest. The caller has the turn.
    pub(crate) async fn rest(&self, row: &SandboxRow, cause: StopCause, rest: Rest) -> Result<SandboxRow> {
        let live = self.inner.live.get(row.id).filter(|_| matches!(row.state, SandboxState::Running));
        let (Some(live), Rest::Lightly) = (live, rest) else { return self.end(row, cause).await };
        match live.sandbox.freeze().await {
            Ok(()) => {}
            Err(sandbox::SandboxError::NotOffered { .. }) => return self.end(row, cause).await,
            Err(error) => return Err(error.into()),
        }
        match self.change_with_end(row.org, row.id, SandboxChange::Froze, None).await {
            Ok(row) => {
                let rest_at_ms = self.now_ms().saturating_add(LONG_PAUSE_MS);
                self.inner.live.set(&live, true, Due::Rest(rest_at_ms));
                Ok(row)
            }
            Err(error) => {
                live.sandbox.thaw().await?;
                Err(error)
            }
        }
    }

    /// Ends the processes of a sandbox, which then rests with its files. The caller has the turn.
    pub(crate) async fn end(&self, row: &SandboxRow, cause: StopCause) -> Result<SandboxRow> {
        self.end_processes(row.org, row.id, cause).await?;
        self.change_with_end(row.org, row.id, SandboxChange::Hibernated { cause }, None).await
    }

    /// Keeps a change and when the time is up then.
    pub(crate) async fn change_with_end(
        &self,
        org: OrgId,
        id: SandboxId,
        change: SandboxChange,
        ends_at_ms: Option<i64>,
    ) -> Result<SandboxRow> {
        let now_ms = self.now_ms();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let mut row = store::apply(tx, org, id, change, now_ms).await?;
                    store::set_end(tx, &mut row, ends_at_ms, now_ms).await?;
                    Ok(row)
                })
            })
            .await
    }

    /// Ends the processes; says before that it is going to. The caller has the turn.
    pub(crate) async fn end_processes(&self, org: OrgId, id: SandboxId, cause: StopCause) -> Result<()> {
        self.change(org, id, SandboxChange::StopBegan { cause }).await?;
        if let Some(live) = self.inner.live.take(id) {
            self.put_down(id, &live).await;
        }
        Ok(())
    }

    /// The row of a sandbox that was not deleted.
    pub(crate) async fn present(&self, org: OrgId, id: SandboxId) -> Result<SandboxRow> {
        let row = store::find(self.store(), org, id).await?;
        if row.state.is_gone() { Err(Error::NotFound(id)) } else { Ok(row) }
    }

    /// What is alive and who holds it.
    pub(crate) fn living(&self) -> Vec<(SandboxId, std::sync::Arc<LiveBox>)> {
        self.inner.live.all()
    }
}

/// How a sandbox rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Its processes stand still, where its provider can do that.
    Lightly,
    /// Its processes end.
    Deeply,
}

/// Which end counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// The one that is asked for.
    AsAsked,
    /// The later one.
    Later,
}

fn as_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
