use domain::event::{Artifact, Attended, FileChange};
use domain::limits::RunLimits;
use domain::question::{AllowScope, Answer, Question, QuestionKind};
use domain::run::{Evidence, Reason};
use domain::transcript::Usage;
use domain::{ArtifactId, Micros, ProjectId, QuestionId, RunId};
use runs::view;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The real thing's JSON read into its shape and written again must be the same: no field is missing in
/// the shape, none is of another type.
fn holds<Shape: Serialize + DeserializeOwned>(real: &impl Serialize) {
    let real = serde_json::to_value(real).expect("JSON");
    let shape: Shape = serde_json::from_value(real.clone()).expect("the shape reads the real thing");
    let written = serde_json::to_value(shape).expect("JSON");
    assert_eq!(without_nulls(written), without_nulls(real));
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

fn uuid(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

fn question(answer: Option<Answer>) -> view::QuestionView {
    view::QuestionView {
        question: Question {
            id: QuestionId::from_uuid(uuid(1)),
            kind: QuestionKind::Approval,
            text: "May I?".to_owned(),
            detail: Some("git push".to_owned()),
            options: vec!["yes".to_owned()],
            call_id: Some("call_1".to_owned()),
            arguments_hash: Some("ab".to_owned()),
        },
        run: RunId::from_uuid(uuid(2)),
        state: view::QuestionState::Open,
        answer,
        by: Some("mira".to_owned()),
        asked_at_ms: 1,
    }
}

fn run(evidence: Option<Evidence>) -> view::RunView {
    view::RunView {
        id: RunId::from_uuid(uuid(2)),
        number: 1,
        project: view::ProjectRef {
            id: ProjectId::from_uuid(uuid(3)),
            slug: "shop".to_owned(),
            name: "Shop".to_owned(),
        },
        goal: "Fix it".to_owned(),
        by: "mira".to_owned(),
        repository: "/srv/shop".to_owned(),
        model: "scripted/shop".to_owned(),
        scripted: true,
        attended: Attended::No,
        check: Some("sh test.sh".to_owned()),
        dirty: true,
        apply: true,
        state: "budget_exceeded".to_owned(),
        word: "Failed".to_owned(),
        reason: Some(Reason::new("turn_limit", "It took too long.").with_fix("give it more")),
        evidence,
        until_ms: Some(5),
        question: Some(question(None)),
        turns: 1,
        tool_calls: 2,
        usage: Usage { input_tokens: 1, output_tokens: 2, cache_read_tokens: 3, cache_write_tokens: 4 },
        cost_micros: Some(Micros(7)),
        context_tokens: 8,
        context_window: 9,
        limits: RunLimits { max_cost: Some(Micros(1)), max_tokens: Some(2), ..RunLimits::default() },
        branch: Some("journeyman/1-fix-it".to_owned()),
        base_commit: Some("a".to_owned()),
        commit: Some("b".to_owned()),
        applied: true,
        files: vec![FileChange { path: "a".to_owned(), added: Some(1), removed: None }],
        sandbox: Some(view::SandboxView { provider: "native".to_owned(), isolation: "all".to_owned() }),
        queue_position: Some(3),
        created_at_ms: 1,
        started_at_ms: Some(2),
        ended_at_ms: Some(3),
        changed_at_ms: 4,
        last_seq: 5,
    }
}

#[test]
fn runs_and_questions_have_the_shape_that_the_document_tells() {
    let evidence = [
        None,
        Some(Evidence::NoCheck),
        Some(Evidence::CheckPassed { command: "sh test.sh".to_owned() }),
        Some(Evidence::CheckNotRun { command: "npm test".to_owned(), reason: "npm is missing".to_owned() }),
        Some(Evidence::NothingToChange { explanation: "It is right.".to_owned() }),
    ];
    for evidence in evidence {
        holds::<super::runs::RunView>(&run(evidence));
    }
    holds::<super::runs::RunPage>(&view::Page { items: vec![run(None)], next: Some("1-x".to_owned()) });
    let answers = [
        Answer::Allow { scope: AllowScope::Project },
        Answer::Refuse { reason: "no".to_owned() },
        Answer::Text { text: "blue".to_owned() },
    ];
    for answer in answers {
        holds::<super::runs::Answer>(&answer);
        holds::<super::runs::QuestionView>(&question(Some(answer)));
    }
}

#[test]
fn every_state_of_a_run_stands_in_the_document() {
    let names = [
        "queued",
        "starting",
        "running",
        "waiting",
        "sleeping",
        "paused",
        "succeeded",
        "failed",
        "cancelled",
        "budget_exceeded",
    ];
    for name in names {
        holds::<super::runs::RunStateName>(&name);
    }
}

#[test]
fn differences_and_artifacts_have_the_shape_that_the_document_tells() {
    let line = |kind| view::DiffLine { kind, text: "x".to_owned() };
    let file = |status| view::FileDiff {
        path: "a".to_owned(),
        old_path: Some("b".to_owned()),
        status,
        added: Some(1),
        removed: Some(1),
        binary: false,
        too_large: false,
        hunks: vec![view::Hunk {
            header: "fn".to_owned(),
            old_start: 1,
            new_start: 1,
            lines: vec![line(' '), line('+'), line('-')],
        }],
    };
    use view::FileStatus::{Added, Deleted, Modified, Renamed};
    let files = [Added, Deleted, Modified, Renamed].map(file).to_vec();
    holds::<super::results::Diff>(&view::Diff { base: "a".to_owned(), tip: Some("b".to_owned()), files });
    let applied = vec![view::AppliedFile { path: "a".to_owned(), status: Added }];
    holds::<super::results::Applied>(&view::Applied { applied });
    holds::<super::results::Artifact>(&Artifact {
        id: ArtifactId::from_uuid(uuid(4)),
        sort: "log".to_owned(),
        name: "out.txt".to_owned(),
        media_type: "text/plain".to_owned(),
        size_bytes: 3,
        blob: "ab/cd".to_owned(),
    });
}

#[test]
fn a_wish_as_the_document_tells_it_is_understood() {
    let wish = json!({
        "goal": "Fix it", "repository": "/srv/shop", "project": "shop", "model": "a/b", "check": "make test",
        "dirty": true, "apply": true, "include": ["/opt"], "attended": "no",
        "limits": { "max_turns": 5, "max_tool_calls": 6, "max_cost": 7, "max_tokens": 8, "max_seconds": 9 },
        "guards": "strict",
    });
    let shape: super::runs::NewRun = serde_json::from_value(wish.clone()).expect("the shape reads it");
    assert_eq!(serde_json::to_value(shape).expect("JSON"), wish);
    let real: runs::NewRun = serde_json::from_value(wish.clone()).expect("the real thing reads it");
    assert_eq!(serde_json::to_value(real).expect("JSON"), wish);
    let least = json!({ "goal": "Fix it" });
    serde_json::from_value::<runs::NewRun>(least).expect("everything else may be left out");
}
