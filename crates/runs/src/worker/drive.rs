//! One claimed run, from its claim to its next rest.

use std::pin::pin;
use std::sync::Arc;

use agent::policy::{Decision, Policy, Rule};
use agent::{History, Loop, Outcome};
use domain::event::{RunEvent, RunSpec};
use domain::run::{RunChange, RunState};
use futures_util::future::{Either, select};
use models::Model;
use orchestrator::StopCause;
use runtime::CancellationToken;
use store::{Claim, Range};

use super::opening::{Ahead, Brief, Ground};
use crate::error::{Error, Result, WhileDoing};
use crate::journal::{RunJournal, Then};
use crate::reason::reason_of;
use crate::record::RunKey;
use crate::results::GRANT;
use crate::runs::{Runs, announce, find_source};
use crate::store as rows;
use crate::summary::Summary;
use crate::view_of;

/// A run that is under way, with all that it works with.
pub(super) struct Ride<'a> {
    pub(super) runs: &'a Runs,
    pub(super) spec: RunSpec,
    pub(super) journal: Arc<RunJournal>,
    pub(super) brief: Brief,
    pub(super) ahead: Arc<Ahead>,
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
        Err(error @ (Error::Lost | Error::DiskFull | Error::DiskBroken)) => Err(error),
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
    let begun = runs.begun(spec.run);
    let first = begun.is_none();
    let (brief, ground) = match begun {
        Some(begun) => (begun.brief, Ground::Base(begun.base)),
        None => {
            let look = runs.inner.bases.look(find_source(&spec.repository).await?, spec.dirty).await?;
            (Brief::of(&spec, &look.says), Ground::Look(Box::new(look)))
        }
    };
    let ride = Ride { runs, spec, journal: journal.clone(), brief, ahead: Arc::default() };
    let halt = stop.child_token();
    let opening = ride.open(ground);
    let result = if first {
        Box::pin(both(opening, ride.go(model, first, halt.clone()), &halt)).await
    } else {
        // What was lost with the last sandbox is told before the model is asked again.
        match opening.await {
            Ok(()) => ride.go(model, first, halt).await,
            Err(error) => Err(error),
        }
    };
    let result = match result {
        Ok(outcome) => ride.end(outcome).await,
        Err(error) => Err(error),
    };
    if let Some(opened) = ride.ahead.get() {
        runs.inner.live.remove(ride.spec.run);
        let (org, sandbox) = (ride.spec.org, opened.sandbox.id());
        let closed = runs.inner.parts.orchestrator.close(org, sandbox, StopCause::RunStopped).await;
        closed.while_doing("close a sandbox")?;
    }
    let (events, commands, then) = result?;
    Ok(journal.step(events, commands, then).await?)
}

/// Runs the loop while its sandbox is being opened. Where that fails, the loop is stopped, and the failure is
/// what counts.
async fn both(
    opening: impl Future<Output = Result<()>>,
    looping: impl Future<Output = Result<Outcome>>,
    halt: &CancellationToken,
) -> Result<Outcome> {
    let (opening, looping) = (pin!(opening), pin!(looping));
    match select(opening, looping).await {
        Either::Left((Ok(()), looping)) => looping.await,
        Either::Left((Err(error), looping)) => {
            halt.cancel();
            // Nothing is lost with how it ended: it had no place to do anything.
            let _ = looping.await;
            Err(error)
        }
        Either::Right((outcome, opening)) => opening.await.and(outcome),
    }
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

/// What follows from the loop's end: events, the commands that they take, and what becomes of the claim.
pub(super) type End = (Vec<RunEvent>, Vec<i64>, Then);

impl Ride<'_> {
    async fn go(&self, model: Arc<dyn Model>, first: bool, stop: CancellationToken) -> Result<Outcome> {
        let mut events = Vec::new();
        if first {
            events.extend(self.brief.about_check().map(RunEvent::Notice));
        }
        change(&self.journal, &[RunChange::Ready], events).await?;
        let history = History::replay(self.events().await?.into_iter());
        let settings = agent::Settings {
            limits: self.spec.limits.clone(),
            guards: self.spec.guards,
            attended: self.spec.attended,
            check: self.brief.check.clone(),
            check_is_found: self.brief.check_found_in.is_some(),
            context_window: None,
            policy: self.policy().await?,
            instructions: self.brief.instructions.clone(),
        };
        let parts = agent::Parts {
            model,
            place: self.ahead.clone(),
            workspace: self.ahead.clone(),
            journal: self.journal.clone(),
            ambient: self.runs.inner.parts.ambient.clone(),
            settings,
        };
        Loop::new(parts, history).run(stop).await.map_err(|error| match error {
            agent::port::JournalError::Lost => Error::Lost,
            agent::port::JournalError::DiskFull => Error::DiskFull,
            agent::port::JournalError::Internal(source) => Error::Internal { doing: "keep a step", source },
        })
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
                let events = self.deliver(self.ahead.opened().await, &evidence, &summary).await?;
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
