//! Commands that move a run: words, answers, pause, resume, stop, follow-ups.

use ::runs::view::{QuestionView, RunView};
use domain::question::{AllowScope, Answer, QuestionKind};
use hyper::Method;
use serde_json::{Value, json};

use super::runs::{find, path, path_of};
use super::start::{follow_on, must_outlive_us};
use crate::cli::run::{
    AnswerArgs, ApproveArgs, ContinueArgs, FollowArgs, RefuseArgs, ResumeArgs, RunArg, SteerArgs, StopArgs,
};
use crate::compose::Role;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::session::{Context, Session};

/// `journeyman steer`
pub(super) async fn steer(context: &Context, args: SteerArgs) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| {
            let run = find(session, &args.run).await?;
            let body = json!({ "text": args.text });
            session.client.call(Method::POST, &format!("{}/messages", path_of(&run)), Some(&body)).await?;
            session.output().either(&json!({ "run": run.number, "id": run.id, "said": args.text }), || {
                format!("run {} gets your words before its next turn", run.number)
            });
            if session.in_process() {
                session.output().next(&format!("journeyman resume {}", run.number));
            } else {
                session.output().next(&format!("journeyman watch {}", run.number));
            }
            Ok(Exit::Ok)
        })
        .await
}

/// `journeyman answer`
pub(super) async fn answer(context: &Context, args: AnswerArgs) -> Result<Exit> {
    give(context, &args.run, args.follow, |question| match (args.text, args.option) {
        (Some(text), _) => Ok(Answer::Text { text }),
        (None, option) => {
            let options = &question.question.options;
            let index = option.and_then(|number| usize::try_from(number).ok()?.checked_sub(1));
            let chosen = index.and_then(|index| options.get(index)).cloned();
            chosen.map(|text| Answer::Text { text }).ok_or_else(|| {
                Failure::new("wrong_answer", format!("the question has {} suggested answers", options.len()))
            })
        }
    })
    .await
}

/// `journeyman approve`
pub(super) async fn approve(context: &Context, args: ApproveArgs) -> Result<Exit> {
    let scope = match (args.for_run, args.for_project) {
        (true, _) => AllowScope::Run,
        (_, true) => AllowScope::Project,
        (false, false) => AllowScope::Once,
    };
    give(context, &args.run, args.follow, |_| Ok(Answer::Allow { scope })).await
}

/// `journeyman refuse`
pub(super) async fn refuse(context: &Context, args: RefuseArgs) -> Result<Exit> {
    give(context, &args.run, args.follow, |_| Ok(Answer::Refuse { reason: args.why })).await
}

/// Answers the run's open question. Where no server goes on with the run, this command does.
async fn give(
    context: &Context,
    run: &str,
    follow: FollowArgs,
    answer: impl FnOnce(&QuestionView) -> Result<Answer>,
) -> Result<Exit> {
    context
        .with(&Role::ALL, async |session| {
            must_outlive_us(session, follow)?;
            let run = find(session, run).await?;
            let question = run
                .question
                .as_ref()
                .ok_or_else(|| Failure::new("no_question", format!("run {} asks nothing", run.number)))?;
            let answer = answer(question)?;
            let path = format!("/v1/questions/{}/answer", question.question.id);
            let body = serde_json::to_value(&answer).unwrap_or_default();
            let given: Value = session.client.post(&path, &body).await?;
            go_on(
                session,
                &run,
                follow,
                &given,
                match question.question.kind {
                    QuestionKind::Approval => "told",
                    QuestionKind::Decision => "answered",
                },
            )
            .await
        })
        .await
}

/// After something that lets a run go on: stays with it where nobody else works on it, or `--wait` asks for it.
async fn go_on(
    session: &mut Session,
    run: &RunView,
    follow: FollowArgs,
    done: &Value,
    word: &str,
) -> Result<Exit> {
    if session.in_process() || follow.wait {
        return follow_on(session, find(session, &run.id.to_string()).await?, run.last_seq).await;
    }
    session.output().either(done, || format!("run {} is {word}", run.number));
    session.output().next(&format!("journeyman watch {}", run.number));
    Ok(Exit::Ok)
}

/// `journeyman pause`
pub(super) async fn pause(context: &Context, args: RunArg) -> Result<Exit> {
    put_to_rest(context, &args.run, Rest { verb: "pause", body: json!({}), state: "paused" }).await
}

/// `journeyman stop`
pub(super) async fn stop(context: &Context, args: StopArgs) -> Result<Exit> {
    put_to_rest(
        context,
        &args.run,
        Rest { verb: "stop", body: json!({ "reason": args.why }), state: "cancelled" },
    )
    .await
}

/// How a run is put to rest.
struct Rest {
    verb: &'static str,
    body: Value,
    state: &'static str,
}

/// Asks for a run's rest. A run whose owner was lost has nobody to hear of it but us.
async fn put_to_rest(context: &Context, run: &str, rest: Rest) -> Result<Exit> {
    let session = context.session(&[Role::Api]).await?;
    let asked = change(&session, run, rest.verb, &rest.body).await;
    let orphaned = session.in_process() && asked.as_ref().is_ok_and(|run| run.state != rest.state);
    session.close().await;
    let mut run = asked?;
    if orphaned {
        let session = context.session(&Role::ALL).await?;
        session.work_on(run.id);
        let settled = settle(&session, run, rest.state).await;
        session.close().await;
        run = settled?;
    }
    let view = serde_json::to_value(&run).unwrap_or_default();
    context.output.either(&view, || {
        if run.state == rest.state {
            format!("run {} is {}", run.number, run.word.to_lowercase())
        } else {
            format!("run {} hears of it within a second; what is under way is interrupted", run.number)
        }
    });
    let next = if rest.verb == "pause" { "resume" } else { "run show" };
    context.output.next(&format!("journeyman {next} {}", run.number));
    Ok(Exit::Ok)
}

/// Waits until the run has come to rest.
async fn settle(session: &Session, run: RunView, state: &str) -> Result<RunView> {
    let mut events = session.client.events(run.id.stream(), run.last_seq);
    let mut run = run;
    while run.state != state && !crate::follow::is_over(&run) {
        events.next().await?;
        run = find(session, &run.id.to_string()).await?;
    }
    Ok(run)
}

/// `journeyman resume`
pub(super) async fn resume(context: &Context, args: ResumeArgs) -> Result<Exit> {
    context
        .with(&Role::ALL, async |session| {
            must_outlive_us(session, args.follow)?;
            let before = find(session, &args.run).await?;
            let run = match before.state.as_str() {
                // Its owner was lost; a server has it already.
                "queued" | "starting" | "running" => {
                    session.work_on(before.id);
                    if !session.in_process() && session.ends_with_a_command() {
                        // The command that owns the folder hears that the run is wanted; there is no more to it.
                        let _refused = change(session, &args.run, "resume", &json!({})).await;
                    }
                    before.clone()
                }
                _ => change(session, &args.run, "resume", &json!({})).await?,
            };
            let view = serde_json::to_value(&run).unwrap_or_default();
            go_on(session, &before, args.follow, &view, "going on").await
        })
        .await
}

/// `journeyman continue`
pub(super) async fn continue_run(context: &Context, args: ContinueArgs) -> Result<Exit> {
    context
        .with(&Role::ALL, async |session| {
            must_outlive_us(session, args.follow)?;
            let before = find(session, &args.run).await?;
            let run = change(session, &args.run, "continue", &json!({ "goal": args.goal })).await?;
            if args.follow.detach {
                let view = serde_json::to_value(&run).unwrap_or_default();
                return go_on(session, &before, args.follow, &view, "going on").await;
            }
            follow_on(session, run, before.last_seq).await
        })
        .await
}

async fn change(session: &Session, run: &str, verb: &str, body: &Value) -> Result<RunView> {
    session.client.post(&format!("{}/{verb}", path(session, run).await?), body).await
}
