use domain::transcript::ToolCall;
use serde_json::json;

use super::*;

fn envelope(event: &RunEvent) -> Envelope {
    let (kind, data) = event.encode().expect("events are JSON");
    Envelope {
        stream: "run/x".to_owned(),
        seq: 1,
        at_ms: 65_000,
        kind,
        data: serde_json::from_str(&data).expect("JSON"),
    }
}

fn started(command: &str) -> RunEvent {
    RunEvent::ToolStarted {
        turn: 1,
        call: ToolCall {
            id: "c1".to_owned(),
            tool: "bash".to_owned(),
            arguments: json!({"command": command}),
            replay: None,
        },
        label: ToolLabel { verb: "Ran".to_owned(), target: command.to_owned() },
    }
}

fn ended(outcome: ToolOutcome) -> RunEvent {
    RunEvent::ToolEnded(ToolEnded {
        call_id: "c1".to_owned(),
        tool: "bash".to_owned(),
        outcome,
        output: String::new(),
        summary: "1 of 6 failed".to_owned(),
        artifact: None,
        duration_ms: 6_400,
        shell_directory: None,
    })
}

#[test]
fn a_call_is_one_line_with_what_it_was_for_and_how_it_went() {
    let mut renderer = Renderer::new(482, 0);
    assert!(renderer.lines(&envelope(&started("sh test.sh\nmore"))).is_empty());
    let lines = renderer.lines(&envelope(&ended(ToolOutcome::Failed)));
    assert_eq!(lines.len(), 1);
    assert_eq!(
        renderer.pretty(&lines[0], false),
        format!("   1:05  ran        {:<44}  1 of 6 failed   6.4 s", "sh test.sh …")
    );
    assert_eq!(plain(&lines[0]), "ran: sh test.sh …. result: 1 of 6 failed   6.4 s.");
}

#[test]
fn a_question_names_the_command_that_answers_it() {
    let question = Question {
        id: domain::QuestionId::from_uuid(uuid::Uuid::nil()),
        kind: domain::question::QuestionKind::Decision,
        text: "Which one?".to_owned(),
        detail: None,
        options: vec!["left".to_owned(), "right\x1b[2J".to_owned()],
        call_id: None,
        arguments_hash: None,
    };
    let mut renderer = Renderer::new(7, 0);
    let lines = renderer.lines(&envelope(&RunEvent::QuestionAsked(question)));
    assert_eq!(
        (lines[0].verb.as_str(), lines[0].result.as_str()),
        ("NEEDS YOU", "journeyman answer 7 \"…\"")
    );
    assert_eq!(lines[2].text, "2  right[2J");
}

#[test]
fn unknown_kinds_are_passed_over() {
    let mut later = envelope(&RunEvent::Narration { text: "x".to_owned() });
    later.kind = "narration.v9".to_owned();
    assert!(Renderer::new(1, 0).lines(&later).is_empty());
}
