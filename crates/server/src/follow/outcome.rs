//! What following a run came to: the result for people and programs, and the exit code.

use runs::view::RunView;
use serde_json::{Value, json};

use super::{Followed, is_over};
use crate::exit::Exit;
use crate::output::Output;
use crate::render::{self, text};

/// Tells what a command that saw a run through came to. As [`report`], and a result that should have been
/// written to the working tree and was not is a conflict.
pub(crate) fn report_work(followed: &Followed, output: &Output, ends_here: bool) -> Exit {
    let (run, exit) = (&followed.run, report(followed, output, ends_here));
    let not_applied = run.apply && !run.applied && run.branch.is_some();
    if exit == Exit::Ok && is_over(run) && not_applied { Exit::Conflict } else { exit }
}

/// Tells how the run ended or where it stands, and gives the exit code. `ends_here` says that nobody works on
/// the run once this command has returned.
pub(crate) fn report(followed: &Followed, output: &Output, ends_here: bool) -> Exit {
    let run = &followed.run;
    let exit = exit_of(run, followed.interrupted);
    output.json(&result(followed));
    if !output.json {
        for line in summary(run) {
            output.data(&line);
        }
        for refused in &followed.refused {
            let text = text::clean(refused["text"].as_str().unwrap_or_default());
            match refused["tool"].as_str() {
                Some(tool) => output.say(&format!("refused: {tool}: {text}")),
                None => output.say(&format!("answered by policy: {text}")),
            }
        }
        if let Some(next) = next_command(run, ends_here) {
            output.next(&next);
        }
    }
    exit
}

/// The last line of `--json`: kind `done` where the run has ended, else `left`.
fn result(followed: &Followed) -> Value {
    let run = &followed.run;
    json!({
        "kind": if is_over(run) { "done" } else { "left" },
        "run": run.number, "id": run.id, "state": run.state, "word": run.word, "reason": run.reason,
        "evidence": run.evidence, "question": run.question, "until_ms": run.until_ms,
        "branch": run.branch, "base_commit": run.base_commit, "commit": run.commit,
        "files": run.files, "applied": run.applied, "cost_micros": run.cost_micros, "usage": run.usage,
        "turns": run.turns, "tool_calls": run.tool_calls, "refused": followed.refused,
    })
}

/// Branch, commit and files.
fn summary(run: &RunView) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(branch) = &run.branch {
        let commit = run.commit.as_deref().map_or("", |commit| commit.get(..10).unwrap_or(commit));
        let applied = if run.applied { "   written to the working tree" } else { "" };
        lines.push(format!("branch  {branch}  {commit}   {}{applied}", render::files_summary(&run.files)));
    }
    if is_over(run) {
        let cost = match (run.scripted, run.cost_micros) {
            (true, _) => "scripted".to_owned(),
            (false, Some(cost)) => cost.to_string(),
            (false, None) => "cost not known".to_owned(),
        };
        let spent = text::tokens(run.usage.total());
        let turns = text::count(u64::from(run.turns), "turn");
        lines.push(format!("run {}  {}  {turns}  {spent} tokens  {cost}", run.number, run.word));
    }
    lines
}

fn next_command(run: &RunView, ends_here: bool) -> Option<String> {
    let number = run.number;
    let open = |on: &str| format!("journeyman {on} {number}");
    match run.state.as_str() {
        "succeeded" if run.branch.is_none() || run.applied => None,
        "succeeded" => Some(open("diff").clone() + &format!("      journeyman apply {number}")),
        "waiting" => match run.question.as_ref().map(|question| question.question.kind) {
            Some(domain::question::QuestionKind::Decision) => Some(format!("{} \"…\"", open("answer"))),
            _ => Some(open("approve")),
        },
        "paused" => Some(open("resume")),
        "sleeping" if ends_here => Some(open("resume")),
        "failed" | "budget_exceeded" | "cancelled" => Some(format!("{} \"…\"", open("continue"))),
        _ if ends_here => Some(open("resume")),
        _ => Some(open("watch")),
    }
}

fn exit_of(run: &RunView, interrupted: bool) -> Exit {
    match run.state.as_str() {
        "succeeded" => Exit::Ok,
        "failed" | "cancelled" => Exit::RunFailed,
        "budget_exceeded" => Exit::Limit,
        _ if interrupted => Exit::Interrupted,
        "waiting" | "paused" => Exit::NeedsYou,
        "sleeping" => Exit::Limit,
        _ => Exit::Ok,
    }
}
