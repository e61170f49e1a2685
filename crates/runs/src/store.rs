//! SQL of the tables `runs`, `questions`, `commands` and `artifacts`. Only this module writes them.

use agent::port::Wish;
use domain::event::{Artifact, RunSpec};
use domain::question::{Answer, Question};
use domain::{ArtifactId, OrgId, ProjectId, QuestionId, RunId};
use serde::Serialize;
use store::{Row, Store, StoreError, Tx, Value};

use crate::error::Result;
use crate::summary::Summary;
use crate::view::{ProjectRef, QuestionState, QuestionView};

/// A run's row.
#[derive(Debug, Clone)]
pub(crate) struct RunRow {
    pub(crate) spec: RunSpec,
    pub(crate) summary: Summary,
    pub(crate) context_window: i64,
    pub(crate) last_seq: i64,
    pub(crate) created_at_ms: i64,
    pub(crate) changed_at_ms: i64,
    pub(crate) project: ProjectRef,
}

/// Every statement that reads runs begins with this; the project's names are `accounts`' and only read here.
macro_rules! select_runs {
    ($rest:literal) => {
        concat!(
            "select r.spec, r.summary, r.context_window, r.last_seq, r.created_at_ms, r.changed_at_ms,
                    r.project_id, coalesce(p.slug, ''), coalesce(p.name, '')
             from runs r left join projects p on p.org_id = r.org_id and p.id = r.project_id ",
            $rest
        )
    };
}

fn read_run(row: &Row) -> Result<RunRow, StoreError> {
    Ok(RunRow {
        spec: row.json(0)?,
        summary: row.json(1)?,
        context_window: row.int(2)?,
        last_seq: row.int(3)?,
        created_at_ms: row.int(4)?,
        changed_at_ms: row.int(5)?,
        project: ProjectRef { id: row.parse(6)?, slug: row.text(7)?, name: row.text(8)? },
    })
}

pub(crate) async fn insert(tx: &mut Tx, row: &RunRow) -> Result<(), StoreError> {
    let spec = &row.spec;
    tx.execute(
        "insert into runs (org_id, id, project_id, number, state, spec, summary, context_window, last_seq,
                           created_at_ms, changed_at_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &[
            spec.org.into(),
            spec.run.into(),
            spec.project.into(),
            spec.number.into(),
            row.summary.state.name().into(),
            encode(spec)?.into(),
            encode(&row.summary)?.into(),
            row.context_window.into(),
            row.last_seq.into(),
            row.created_at_ms.into(),
            row.changed_at_ms.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what the events up to `last_seq` have made of the run.
pub(crate) async fn update(
    tx: &mut Tx,
    (org, run): (OrgId, RunId),
    summary: &Summary,
    last_seq: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    let changed = tx
        .execute(
            "update runs set state = $1, summary = $2, last_seq = $3, changed_at_ms = $4
             where org_id = $5 and id = $6",
            &[
                summary.state.name().into(),
                encode(summary)?.into(),
                last_seq.into(),
                now_ms.into(),
                org.into(),
                run.into(),
            ],
        )
        .await?;
    if changed == 0 { Err(StoreError::NotFound { what: "the run" }) } else { Ok(()) }
}

/// The run's row, in a transaction that will change it.
pub(crate) async fn lock(tx: &mut Tx, org: OrgId, run: RunId) -> Result<Option<RunRow>, StoreError> {
    let sql = store::Sql {
        sqlite: select_runs!("where r.org_id = $1 and r.id = $2"),
        postgres: select_runs!("where r.org_id = $1 and r.id = $2 for update of r"),
    };
    tx.fetch_optional(sql, &[org.into(), run.into()], read_run).await
}

pub(crate) async fn find(store: &Store, org: OrgId, run: RunId) -> Result<Option<RunRow>, StoreError> {
    store
        .fetch_optional(
            select_runs!("where r.org_id = $1 and r.id = $2"),
            &[org.into(), run.into()],
            read_run,
        )
        .await
}

/// At most two runs with this number, of whichever project.
pub(crate) async fn find_numbered(store: &Store, org: OrgId, number: i64) -> Result<Vec<RunId>, StoreError> {
    store
        .fetch_all(
            "select id from runs where org_id = $1 and number = $2 limit 2",
            &[org.into(), number.into()],
            |row| row.parse(0),
        )
        .await
}

/// Newest first. `before` is the creation time and id of the last run of the page before.
pub(crate) async fn list(
    store: &Store,
    org: OrgId,
    (project, state): (Option<ProjectId>, Option<String>),
    before: Option<(i64, String)>,
    limit: u32,
) -> Result<Vec<RunRow>, StoreError> {
    let (before_ms, before_id) = before.unwrap_or((i64::MAX, String::new()));
    let (project, state) =
        (project.map(|project| project.to_string()).unwrap_or_default(), state.unwrap_or_default());
    let args: [Value; 6] =
        [org.into(), project.into(), state.into(), before_ms.into(), before_id.into(), limit.into()];
    store
        .fetch_all(
            select_runs!(
                "where r.org_id = $1 and ($2 = '' or r.project_id = $2) and ($3 = '' or r.state = $3)
                   and (r.created_at_ms < $4 or (r.created_at_ms = $4 and r.id < $5))
                 order by r.created_at_ms desc, r.id desc limit $6"
            ),
            &args,
            read_run,
        )
        .await
}

/// How many runs are in each state.
pub(crate) async fn count_states(store: &Store, org: OrgId) -> Result<Vec<(String, i64)>, StoreError> {
    store
        .fetch_all(
            "select state, count(*) from runs where org_id = $1 group by state",
            &[org.into()],
            |row| Ok((row.text(0)?, row.int(1)?)),
        )
        .await
}

/// Finished runs that last changed before `before_ms`, of all tenants: retention is the operator's.
pub(crate) async fn finished_before(
    store: &Store,
    before_ms: i64,
) -> Result<Vec<(OrgId, RunId)>, StoreError> {
    store
        .fetch_all(
            "select org_id, id from runs
             where state in ('succeeded', 'failed', 'cancelled', 'budget_exceeded') and changed_at_ms < $1
             order by changed_at_ms limit 100",
            &[before_ms.into()],
            |row| Ok((row.parse(0)?, row.parse(1)?)),
        )
        .await
}

/// Whether any org has this run: its folder on the disk is not told apart by orgs.
pub(crate) async fn is_known(store: &Store, run: RunId) -> Result<bool, StoreError> {
    let found = store.fetch_optional("select 1 from runs where id = $1", &[run.into()], |_| Ok(())).await?;
    Ok(found.is_some())
}

/// Removes the run's rows; its events and blobs are removed by the caller.
pub(crate) async fn delete(tx: &mut Tx, org: OrgId, run: RunId) -> Result<(), StoreError> {
    for sql in [
        "delete from commands where org_id = $1 and run_id = $2",
        "delete from questions where org_id = $1 and run_id = $2",
        "delete from artifacts where org_id = $1 and run_id = $2",
        "delete from runs where org_id = $1 and id = $2",
    ] {
        tx.execute(sql, &[org.into(), run.into()]).await?;
    }
    Ok(())
}

pub(crate) async fn insert_question(
    tx: &mut Tx,
    (org, run): (OrgId, RunId),
    question: &Question,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "insert into questions (org_id, id, run_id, state, body, asked_at_ms) values ($1, $2, $3, 'open', $4, $5)",
        &[org.into(), question.id.into(), run.into(), encode(question)?.into(), now_ms.into()],
    )
    .await?;
    Ok(())
}

/// Records the answer to an open question; false where it is not open any more.
pub(crate) async fn answer_question(
    tx: &mut Tx,
    org: OrgId,
    question: QuestionId,
    (answer, by): (&Answer, &str),
    now_ms: i64,
) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            "update questions set state = 'answered', answer = $1, answered_by = $2, answered_at_ms = $3
             where org_id = $4 and id = $5 and state = 'open'",
            &[encode(answer)?.into(), by.into(), now_ms.into(), org.into(), question.into()],
        )
        .await?;
    Ok(changed == 1)
}

/// Closes what a finished run had asked.
pub(crate) async fn void_questions(tx: &mut Tx, org: OrgId, run: RunId) -> Result<(), StoreError> {
    tx.execute(
        "update questions set state = 'void' where org_id = $1 and run_id = $2 and state = 'open'",
        &[org.into(), run.into()],
    )
    .await?;
    Ok(())
}

macro_rules! select_questions {
    ($rest:literal) => {
        concat!("select body, run_id, state, answer, answered_by, asked_at_ms from questions ", $rest)
    };
}

fn read_question(row: &Row) -> Result<QuestionView, StoreError> {
    let state = match row.str(2)? {
        "open" => QuestionState::Open,
        "answered" => QuestionState::Answered,
        _ => QuestionState::Void,
    };
    let answer = row.opt_text(3)?.map(|text| decode(&text)).transpose()?;
    Ok(QuestionView {
        question: row.json(0)?,
        run: row.parse(1)?,
        state,
        answer,
        by: row.opt_text(4)?,
        asked_at_ms: row.int(5)?,
    })
}

pub(crate) async fn find_question(
    store: &Store,
    org: OrgId,
    id: QuestionId,
) -> Result<Option<QuestionView>, StoreError> {
    let args = [org.into(), id.into()];
    store.fetch_optional(select_questions!("where org_id = $1 and id = $2"), &args, read_question).await
}

pub(crate) async fn list_questions(
    store: &Store,
    org: OrgId,
    run: RunId,
) -> Result<Vec<QuestionView>, StoreError> {
    let args = [org.into(), run.into()];
    store
        .fetch_all(
            select_questions!("where org_id = $1 and run_id = $2 order by asked_at_ms, id"),
            &args,
            read_question,
        )
        .await
}

/// Puts a command at the end of the run's list. Its number is a time, so that no number comes twice although
/// taken commands are deleted.
pub(crate) async fn insert_command(
    tx: &mut Tx,
    (org, run): (OrgId, RunId),
    by: &str,
    wish: &Wish,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "insert into commands (org_id, run_id, number, said_by, wish, created_at_ms)
         select $1, $2, case when coalesce(max(number), 0) >= $5 then max(number) + 1 else $5 end, $3, $4, $5
         from commands where org_id = $1 and run_id = $2",
        &[org.into(), run.into(), by.into(), encode(wish)?.into(), now_ms.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn list_commands(
    store: &Store,
    org: OrgId,
    run: RunId,
) -> Result<Vec<agent::port::Command>, StoreError> {
    store
        .fetch_all(
            "select number, said_by, wish from commands where org_id = $1 and run_id = $2 order by number",
            &[org.into(), run.into()],
            |row| Ok(agent::port::Command { number: row.int(0)?, by: row.text(1)?, wish: row.json(2)? }),
        )
        .await
}

pub(crate) async fn delete_command(
    tx: &mut Tx,
    org: OrgId,
    run: RunId,
    number: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "delete from commands where org_id = $1 and run_id = $2 and number = $3",
        &[org.into(), run.into(), number.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn delete_commands(tx: &mut Tx, org: OrgId, run: RunId) -> Result<(), StoreError> {
    let sql = "delete from commands where org_id = $1 and run_id = $2";
    tx.execute(sql, &[org.into(), run.into()]).await.map(|_| ())
}

pub(crate) async fn insert_artifact(
    tx: &mut Tx,
    (org, run): (OrgId, RunId),
    artifact: &Artifact,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "insert into artifacts (org_id, id, run_id, body, created_at_ms) values ($1, $2, $3, $4, $5)",
        &[org.into(), artifact.id.into(), run.into(), encode(artifact)?.into(), now_ms.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn find_artifact(
    store: &Store,
    org: OrgId,
    id: ArtifactId,
) -> Result<Option<Artifact>, StoreError> {
    store
        .fetch_optional(
            "select body from artifacts where org_id = $1 and id = $2",
            &[org.into(), id.into()],
            |row| row.json(0),
        )
        .await
}

pub(crate) async fn list_artifacts(
    store: &Store,
    org: OrgId,
    run: RunId,
) -> Result<Vec<Artifact>, StoreError> {
    store
        .fetch_all(
            "select body from artifacts where org_id = $1 and run_id = $2 order by created_at_ms, id",
            &[org.into(), run.into()],
            |row| row.json(0),
        )
        .await
}

fn encode(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::internal("encode a row", error))
}

fn decode<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::internal("decode a row", error))
}
