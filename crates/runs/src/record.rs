//! Appends events to a run's log and brings its rows along, in one transaction.

use domain::event::RunEvent;
use domain::question::{AllowScope, Answer};
use domain::{OrgId, RunId};
use store::{NewEvent, StoreError, Tx};

use crate::store as rows;
use crate::summary::Summary;

/// Names one run of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunKey {
    pub(crate) org: OrgId,
    pub(crate) run: RunId,
}

impl RunKey {
    /// The topic that is woken when a command comes.
    pub(crate) fn commands_topic(&self) -> String {
        format!("commands/{}/{}", self.org, self.run)
    }
}

/// Appends `events`, folds them into `summary`, and keeps the rows that follow from them. Returns the
/// position of the last event.
pub(crate) async fn append(
    tx: &mut Tx,
    key: RunKey,
    summary: &mut Summary,
    events: &[RunEvent],
    now_ms: i64,
) -> Result<i64, StoreError> {
    let mut written = Vec::with_capacity(events.len());
    for event in events {
        let (kind, body) = event.encode().map_err(|error| StoreError::internal("encode an event", error))?;
        written.push(NewEvent { at_ms: now_ms, kind, body });
        summary.take(event, now_ms);
        keep_rows(tx, key, event, now_ms).await?;
    }
    let last_seq = tx.append_many(key.org, &key.run.stream(), &written).await?;
    rows::update(tx, (key.org, key.run), summary, last_seq, now_ms).await?;
    Ok(last_seq)
}

async fn keep_rows(tx: &mut Tx, key: RunKey, event: &RunEvent, now_ms: i64) -> Result<(), StoreError> {
    let ids = (key.org, key.run);
    match event {
        RunEvent::QuestionAsked(question) => rows::insert_question(tx, ids, question, now_ms).await,
        RunEvent::QuestionAnswered { question, answer, by } => {
            // A person's answer is there already; a policy's is written here.
            rows::answer_question(tx, key.org, *question, (answer, by), now_ms).await.map(|_| ())
        }
        RunEvent::ToolEnded(ended) => match &ended.artifact {
            Some(artifact) => rows::insert_artifact(tx, ids, artifact, now_ms).await,
            None => Ok(()),
        },
        RunEvent::ArtifactKept(artifact) => rows::insert_artifact(tx, ids, artifact, now_ms).await,
        RunEvent::State(state) if state.is_terminal() => {
            // A wish that came too late for this goal must not hit a follow-up.
            rows::delete_commands(tx, key.org, key.run).await?;
            rows::void_questions(tx, key.org, key.run).await
        }
        RunEvent::Created(_)
        | RunEvent::State(_)
        | RunEvent::Continued { .. }
        | RunEvent::SandboxReady(_)
        | RunEvent::ContextOpened { .. }
        | RunEvent::TurnAsked { .. }
        | RunEvent::TurnAnswered(_)
        | RunEvent::TurnFailed { .. }
        | RunEvent::ToolStarted { .. }
        | RunEvent::Narration { .. }
        | RunEvent::TasksUpdated { .. }
        | RunEvent::MessageSaid { .. }
        | RunEvent::ContextCompacted { .. }
        | RunEvent::FilesChanged { .. }
        | RunEvent::CheckRan { .. }
        | RunEvent::Delivered(_)
        | RunEvent::Notice(_) => Ok(()),
    }
}

/// Whether people who look at a list of runs want to know of this event.
pub(crate) fn changes_list(event: &RunEvent) -> bool {
    matches!(
        event,
        RunEvent::State(_)
            | RunEvent::TurnAnswered(_)
            | RunEvent::QuestionAsked(_)
            | RunEvent::QuestionAnswered { .. }
            | RunEvent::FilesChanged { .. }
            | RunEvent::Delivered(_)
    )
}

/// Whether an answer holds for the whole project.
pub(crate) fn is_for_project(answer: &Answer) -> bool {
    matches!(answer, Answer::Allow { scope: AllowScope::Project })
}
