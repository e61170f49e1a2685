//! Turns a run's row into what is shown of it.

use domain::run::RunState;

use crate::store::RunRow;
use crate::view::{QuestionState, QuestionView, RunView, SandboxView};

/// The view of a row; the place in the queue is the caller's to add.
pub(crate) fn run_view(row: RunRow) -> RunView {
    let RunRow { spec, summary, project, .. } = row;
    let state = summary.state;
    let question = summary.question.map(|question| QuestionView {
        question,
        run: spec.run,
        state: QuestionState::Open,
        answer: None,
        by: None,
        asked_at_ms: summary.asked_at_ms,
    });
    let delivery = summary.delivery;
    RunView {
        id: spec.run,
        number: spec.number,
        project,
        goal: spec.goal,
        by: spec.by,
        repository: spec.repository,
        model: spec.model,
        scripted: spec.scripted,
        attended: spec.attended,
        check: spec.check,
        dirty: spec.dirty,
        apply: spec.apply,
        state: state.name().to_owned(),
        word: state.word().to_owned(),
        reason: state.reason().cloned(),
        evidence: if let RunState::Succeeded { evidence } = &state { Some(evidence.clone()) } else { None },
        until_ms: if let RunState::Sleeping { until_ms, .. } = &state { Some(*until_ms) } else { None },
        question,
        turns: summary.turns,
        tool_calls: summary.tool_calls,
        usage: summary.usage,
        cost_micros: (!summary.price_unknown).then_some(summary.cost),
        context_tokens: summary.context_tokens,
        context_window: u64::try_from(row.context_window).unwrap_or(0),
        limits: spec.limits,
        branch: delivery.as_ref().map(|delivery| delivery.branch.clone()).filter(|branch| !branch.is_empty()),
        base_commit: summary.sandbox.as_ref().map(|ready| ready.base_commit.clone()),
        commit: delivery.as_ref().map(|delivery| delivery.commit.clone()),
        applied: delivery.is_some_and(|delivery| delivery.applied),
        files: summary.files,
        sandbox: summary
            .sandbox
            .map(|ready| SandboxView { provider: ready.provider, isolation: ready.isolation }),
        queue_position: None,
        created_at_ms: row.created_at_ms,
        started_at_ms: summary.started_at_ms,
        ended_at_ms: summary.ended_at_ms,
        changed_at_ms: row.changed_at_ms,
        last_seq: row.last_seq,
    }
}
