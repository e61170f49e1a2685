//! One claimed run, from its claim to its next rest.

use std::path::PathBuf;
use std::sync::Arc;

use agent::policy::{Decision, Policy, Rule};
use agent::{History, Loop, Outcome};
use domain::event::{RunEvent, RunSpec, SandboxReady};
use domain::run::{Reason, RunChange, RunState};
use models::Model;
use orchestrator::{Scratch, StopCause, Wanted};
use runtime::CancellationToken;
use sandbox::Sandbox;
use store::{Claim, Range};

use crate::error::{Error, Result, WhileDoing};
use crate::journal::{RunJournal, Then};
use crate::reason::reason_of;
use crate::record::RunKey;
use crate::repository::Base;
use crate::results::GRANT;
use crate::runs::{Runs, announce, find_source};
use crate::store as rows;
use crate::summary::Summary;
use crate::workspace::{BASE_GIT, RunWorkspace};
use crate::{check, view_of};

/// A run that is under way, with all that it works with.
pub(super) struct Ride<'a> {
    pub(super) runs: &'a Runs,
    pub(super) spec: RunSpec,
    pub(super) journal: Arc<RunJournal>,
    pub(super) base: Base,
    pub(super) sandbox: Arc<dyn Sandbox>,
    pub(super) workspace: Arc<RunWorkspace>,
}

/// How many events are read at once when a run's history is rebuilt.
const HISTORY_PAGE: u32 = 2_000;

/// Drives the run that `claim` names. An error means that the claim runs out and somebody tries again.
pub(super) async fn drive(runs: &Runs, claim: &Claim, stop: CancellationToken) -> Result<()> {
    let run = claim.key.parse().while_doing("read a claim")?;
    let key = RunKey { org: claim.org, run };
    let store = &runs.inner.parts.store;
    let Some(row) = rows::find(store, key.org, run).await? else { return finish(runs, claim).await };
    if row.summary.state.is_terminal() || matches!(row.summary.state, RunState::Paused { .. }) {
        return finish(runs, claim).await;
    }
    let spec = row.spec.clone();
    let summary = row.summary.clone();
    let (told, org) = (runs.clone(), key.org);
    let changed = move |summary: &Summary, last_seq: i64| {
        let mut row = row.clone();
        (row.summary, row.last_seq) = (summary.clone(), last_seq);
        row.changed_at_ms = told.inner.parts.ambient.now_ms();
        announce(&told.inner.parts.store, org, &view_of::run_view(row));
    };
    let journal = Arc::new(RunJournal::new(store.clone(), claim.clone(), key, summary, Box::new(changed)));
    match ride(runs, spec, &journal, stop).await {
        Ok(()) => Ok(()),
        // The claim runs out by itself, or is somebody else's already.
        Err(error @ (Error::Lost | Error::DiskFull)) => Err(error),
        Err(error) => fail(&journal, &error).await,
    }
}

async fn finish(runs: &Runs, claim: &Claim) -> Result<()> {
    let (claim, now_ms) = (claim.clone(), runs.inner.parts.ambient.now_ms());
    Ok(runs
        .inner
        .parts
        .store
        .write(move |tx| Box::pin(async move { tx.claim_finish(&claim, now_ms).await }))
        .await?)
}

async fn fail(journal: &RunJournal, error: &Error) -> Result<()> {
    tracing::warn!(error = error as &dyn std::error::Error, "a run failed");
    let state = journal.summary().await.state;
    // A run can fail from any state that a worker may hold it in.
    let state = if state.is_active() { state } else { RunState::Starting };
    let failed = state.apply(RunChange::Failed { reason: reason_of(error) })?;
    Ok(journal.step(vec![RunEvent::State(failed)], Vec::new(), Then::Finish).await?)
}

async fn ride(runs: &Runs, spec: RunSpec, journal: &Arc<RunJournal>, stop: CancellationToken) -> Result<()> {
    change(journal, &[RunChange::Woken, RunChange::Claimed], Vec::new()).await?;
    let model = runs.inner.parts.models.now().open(&spec.model)?;
    let (base, scratch) = base_of(runs, &spec).await?;
    let first = scratch.is_some();
    let wanted = Wanted {
        run: spec.run,
        state_dir: runs.folder(spec.run).join("box"),
        binds: vec![(runs.inner.bases.tree(&base).join(".git"), PathBuf::from(BASE_GIT))],
        base: Some(runs.inner.bases.tree(&base)),
        include: spec.include.iter().map(PathBuf::from).collect(),
    };
    let sandbox =
        runs.inner.parts.orchestrator.open(spec.org, wanted).await.map_err(|error| match error {
            orchestrator::Error::Sandbox(error) => Error::Sandbox(error),
            other => Error::Internal { doing: "open a sandbox", source: Box::new(other) },
        })?;
    let workspace = Arc::new(RunWorkspace { sandbox: sandbox.clone(), base: base.commit.clone() });
    runs.inner.live.put(spec.run, workspace.clone());
    let ride = Ride { runs, spec, journal: journal.clone(), base, sandbox: sandbox.clone(), workspace };
    let result = ride.go(model, first, stop).await;
    runs.inner.live.remove(ride.spec.run);
    runs.inner
        .parts
        .orchestrator
        .close(ride.spec.org, sandbox.id(), StopCause::RunStopped)
        .await
        .while_doing("close a sandbox")?;
    let (events, commands, then) = result?;
    Ok(journal.step(events, commands, then).await?)
}

/// Applies those of `changes` that the state allows, and appends what comes out with `more`.
async fn change(journal: &RunJournal, changes: &[RunChange], mut more: Vec<RunEvent>) -> Result<()> {
    let before = journal.summary().await.state;
    let mut state = before;
    for change in changes {
        if let Ok(after) = state.clone().apply(change.clone())
            && after != state
        {
            more.push(RunEvent::State(after.clone()));
            state = after;
        }
    }
    if more.is_empty() { Ok(()) } else { Ok(journal.step(more, Vec::new(), Then::GoOn).await?) }
}

/// The base that the run began with; or one for the repository as it is now, with the sandbox that read it.
async fn base_of(runs: &Runs, spec: &RunSpec) -> Result<(Base, Option<Scratch>)> {
    if let Some(base) = runs.base_of(spec.run) {
        return Ok((base, None));
    }
    let source = find_source(&spec.repository).await?;
    let (base, scratch) = runs.inner.bases.prepare(&source, spec.dirty).await?;
    let doing = "remember what a run started from";
    let folder = runs.folder(spec.run);
    tokio::fs::create_dir_all(&folder).await.while_doing(doing)?;
    let text = serde_json::to_vec(&base).while_doing(doing)?;
    tokio::fs::write(folder.join("base.new"), text).await.while_doing(doing)?;
    tokio::fs::rename(folder.join("base.new"), folder.join("base.json")).await.while_doing(doing)?;
    Ok((base, Some(scratch)))
}

impl Runs {
    /// What a run's sandbox and its base are remembered in.
    pub(crate) fn folder(&self, run: domain::RunId) -> PathBuf {
        self.inner.parts.settings.data.join("runs").join(run.to_string())
    }

    /// The base that a run began with.
    pub(crate) fn base_of(&self, run: domain::RunId) -> Option<Base> {
        serde_json::from_slice(&std::fs::read(self.folder(run).join("base.json")).ok()?).ok()
    }
}

/// What follows from the loop's end: events, the commands that they take, and what becomes of the claim.
pub(super) type End = (Vec<RunEvent>, Vec<i64>, Then);

impl Ride<'_> {
    async fn go(&self, model: Arc<dyn Model>, first: bool, stop: CancellationToken) -> Result<End> {
        let mut events = vec![RunEvent::SandboxReady(self.ready().await?)];
        if first {
            events.extend(self.base.notices().into_iter().map(RunEvent::Notice));
        }
        let check = self.check().await;
        if first && check.is_none() {
            let text = "No check command is known, so nobody but the agent checks the result.";
            let fix = "give one with --check, or name it in AGENTS.md: Check command: `…`";
            events.push(RunEvent::Notice(Reason::new("no_check", text).with_fix(fix)));
        }
        change(&self.journal, &[RunChange::Ready], events).await?;
        let history = History::replay(self.events().await?.into_iter());
        let settings = agent::Settings {
            limits: self.spec.limits.clone(),
            guards: self.spec.guards,
            attended: self.spec.attended,
            check,
            context_window: None,
            policy: self.policy().await?,
        };
        let parts = agent::Parts {
            model,
            sandbox: self.sandbox.clone(),
            workspace: self.workspace.clone(),
            journal: self.journal.clone(),
            ambient: self.runs.inner.parts.ambient.clone(),
            settings,
        };
        let outcome = Loop::new(parts, history).run(stop).await.map_err(|error| match error {
            agent::port::JournalError::Lost => Error::Lost,
            agent::port::JournalError::DiskFull => Error::DiskFull,
            agent::port::JournalError::Internal(source) => Error::Internal { doing: "keep a step", source },
        })?;
        self.end(outcome).await
    }

    async fn ready(&self) -> Result<SandboxReady> {
        let orchestrator = &self.runs.inner.parts.orchestrator;
        let lost = self.sandbox.background_lost().await?;
        Ok(SandboxReady {
            sandbox: self.sandbox.id(),
            provider: orchestrator.provider().to_owned(),
            isolation: orchestrator.isolation(),
            base_commit: self.base.commit.clone(),
            base_branch: self.base.branch.clone(),
            branch: domain::name::branch(self.spec.number, &self.spec.goal),
            lost_processes: lost.into_iter().map(|process| process.command).collect(),
        })
    }

    async fn check(&self) -> Option<String> {
        if self.spec.check.is_some() {
            return self.spec.check.clone();
        }
        let read = self.sandbox.read("AGENTS.md", 0, 64 << 10).await.ok()?;
        check::named_in(&String::from_utf8_lossy(&read.bytes))
    }

    async fn policy(&self) -> Result<Policy> {
        let mut policy = Policy::default();
        for rule in self.runs.inner.parts.accounts.rules(self.spec.org, self.spec.project).await? {
            if rule.tool == GRANT {
                policy.grants.push(rule.target);
                continue;
            }
            let decision = match rule.effect {
                accounts::rules::RuleEffect::Allow => Decision::Allow,
                accounts::rules::RuleEffect::Ask => Decision::Ask,
                accounts::rules::RuleEffect::Refuse => Decision::Deny,
            };
            policy.rules.push(Rule { tool: rule.tool, target: rule.target, decision });
        }
        Ok(policy)
    }

    /// The run's log so far; kinds of a later version are skipped.
    async fn events(&self) -> Result<Vec<RunEvent>> {
        let (store, stream) = (&self.runs.inner.parts.store, self.spec.run.stream());
        let (mut events, mut seq) = (Vec::new(), 0);
        loop {
            let page =
                store.events(self.spec.org, &stream, Range::After { seq, limit: HISTORY_PAGE }).await?;
            let Some(last) = page.last() else { return Ok(events) };
            seq = last.seq;
            for envelope in page {
                events
                    .extend(RunEvent::decode(&envelope.kind, envelope.data).while_doing("read a run's log")?);
            }
        }
    }

    async fn end(&self, outcome: Outcome) -> Result<End> {
        let now_ms = self.runs.inner.parts.ambient.now_ms();
        let state = self.journal.summary().await.state;
        let (mut events, change, commands) = match outcome {
            Outcome::Done { evidence, summary } => {
                let events = self.deliver(&evidence, &summary).await?;
                (events, RunChange::Succeeded { evidence }, Vec::new())
            }
            Outcome::Failed { reason } => (self.keep_patch().await, RunChange::Failed { reason }, Vec::new()),
            Outcome::BudgetExceeded { reason } => {
                (self.keep_patch().await, RunChange::BudgetExceeded { reason }, Vec::new())
            }
            Outcome::Cancelled { reason, commands } => {
                (self.keep_patch().await, RunChange::CancelAsked { reason }, commands)
            }
            Outcome::Paused { reason, commands } => {
                (self.keep_patch().await, RunChange::PauseAsked { reason }, commands)
            }
            Outcome::Sleeping { until_ms, reason } => {
                let asleep = RunEvent::State(state.apply(RunChange::Slept { until_ms, reason })?);
                return Ok((vec![asleep], Vec::new(), Then::Release { run_at_ms: until_ms }));
            }
            Outcome::Stopped => return Ok((Vec::new(), Vec::new(), Then::Release { run_at_ms: now_ms })),
        };
        events.push(RunEvent::State(state.apply(change)?));
        Ok((events, commands, Then::Finish))
    }
}
