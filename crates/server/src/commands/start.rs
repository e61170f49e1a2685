//! `do` and `demo`: asking for a run and following it.

use std::path::Path;

use ::runs::view::{Page, RunView};
use domain::event::Attended;
use models::scripted::Pace;
use serde_json::{Map, Value, json};

use super::runs::path_of;
use super::up::read_stdin;
use crate::cli::run::{DoArgs, FollowArgs, Guards, LimitArgs};
use crate::cli::setup::{DemoArgs, UpArgs};
use crate::compose::Role;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::follow::{self, LinesTo, Manner, outcome};
use crate::session::{Context, Session};

/// `journeyman do`
pub(super) async fn work(context: &Context, args: DoArgs) -> Result<Exit> {
    let goal = if args.goal == "-" { read_stdin()? } else { args.goal.clone() };
    context
        .with(&Role::ALL, async |session| {
            must_outlive_us(session, args.follow)?;
            let attended = attended(session);
            let body = request(&args, &goal, attended, context)?;
            let run = match create(session, &body).await {
                Ok(run) => run,
                Err(failure) => return Err(about_key(session, &args, failure).await),
            };
            follow_new(session, run, args.follow).await
        })
        .await
}

/// Asks for the run, again where the owner was about to end.
async fn create(session: &mut Session, body: &Value) -> Result<RunView> {
    let key = session.client.new_key();
    loop {
        match session.client.post_once("/v1/runs", body, &key).await {
            Err(failure) if failure.code == follow::OWNER_GONE && session.take_over().await? => {}
            asked => return asked,
        }
    }
}

/// Whether somebody can be asked: a server's page, or a terminal.
fn attended(session: &Session) -> Attended {
    let somebody = session.output().may_ask || !session.ends_with_a_command();
    if somebody { Attended::Yes } else { Attended::No }
}

/// A run that is left alone needs somebody who works on it.
pub(super) fn must_outlive_us(session: &Session, follow: FollowArgs) -> Result<()> {
    if follow.detach && session.ends_with_a_command() {
        return Err(Failure::new("server_needed", "--detach needs a server that goes on with the run"));
    }
    Ok(())
}

/// Says which run it is, and follows it unless it was asked to be left alone.
pub(super) async fn follow_new(session: &mut Session, run: RunView, follow: FollowArgs) -> Result<Exit> {
    let output = session.output();
    if follow.detach {
        output.either(&serde_json::to_value(&run).unwrap_or_default(), || {
            format!("run {}  {}", run.number, run.word)
        });
        output.next(&format!("journeyman watch {}", run.number));
        return Ok(Exit::Ok);
    }
    introduce(session, &run);
    follow_as(session, run, ACCOMPANY).await
}

/// Follows a run of which something was asked after event `after`.
pub(super) async fn follow_on(session: &mut Session, run: RunView, after: i64) -> Result<Exit> {
    follow_as(session, run, Manner { after, awaits_change: true, ..ACCOMPANY }).await
}

/// How a command stays with the run that it was asked to see through.
const ACCOMPANY: Manner = Manner {
    after: 0,
    lines: LinesTo::Err,
    stay: false,
    only_past: false,
    pause_on_interrupt: true,
    awaits_change: false,
    answer_as_recommended: false,
};

async fn follow_as(session: &mut Session, run: RunView, manner: Manner) -> Result<Exit> {
    let (mut run, mut manner, mut refused) = (run, manner, Vec::new());
    loop {
        let mut followed = Box::pin(follow::follow(session, run, manner)).await?;
        refused.append(&mut followed.refused);
        let Some(failure) = followed.lost.take() else {
            followed.refused = refused;
            tell_of_others(session, &followed.run).await;
            return Ok(outcome::report_work(&followed, session.output(), session.ends_with_a_command()));
        };
        if !session.take_over().await? {
            return Err(failure);
        }
        session.work_on(followed.run.id);
        run = session.client.get(&path_of(&followed.run)).await?;
        manner = Manner { after: followed.seen, awaits_change: false, ..manner };
    }
}

/// We work on what was asked of us; who follows this command is told what else waits for a worker.
async fn tell_of_others(session: &Session, ours: &RunView) {
    if !session.in_process() || session.output().json {
        return;
    }
    // What cannot be told now is in `journeyman run list`.
    let Ok(page) = session.client.get::<Page<RunView>>("/v1/runs?limit=50").await else { return };
    let at_work =
        |run: &&RunView| matches!(run.state.as_str(), "queued" | "starting" | "running" | "sleeping");
    for run in page.items.iter().filter(at_work).filter(|run| run.id != ours.id) {
        let (number, project) = (run.number, crate::render::text::clean(&run.project.slug));
        session.output().say(&format!("run {number} of {project} waits; it goes on with a server (journeyman up), or by: journeyman resume {number}"));
    }
}

/// The line above a run's log.
pub(super) fn introduce(session: &Session, run: &RunView) {
    let scripted = if run.scripted { " (scripted)" } else { "" };
    let limit = run.limits.max_cost.map_or_else(String::new, |cost| format!("   at most {cost}"));
    let attended = match run.attended {
        Attended::Yes => "",
        Attended::No => "   nobody to ask: policy decides",
    };
    session.output().say(&crate::render::text::clean(&format!(
        "run {}  {}  {}{scripted}{limit}{attended}",
        run.number, run.project.slug, run.model
    )));
}

fn request(args: &DoArgs, goal: &str, attended: Attended, context: &Context) -> Result<Value> {
    let mut limits = serde_json::to_value(context.config.limits.run_limits()).unwrap_or_default();
    if let (Value::Object(all), Value::Object(named)) = (&mut limits, limit_fields(&args.limits)) {
        all.extend(named);
    }
    let include = args.include.iter().map(|path| absolute(path)).collect::<Result<Vec<_>>>()?;
    let guards = match args.guards {
        Guards::Standard => "standard",
        Guards::Strict => "strict",
    };
    Ok(json!({
        "goal": goal, "repository": repository(&args.repo)?,
        "model": args.model.as_deref().or(context.config.model.as_deref()).map(script_path),
        "check": args.check, "dirty": args.dirty, "apply": args.apply, "include": include,
        "attended": attended, "limits": limits, "guards": guards,
    }))
}

fn limit_fields(args: &LimitArgs) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    put("max_turns", args.max_turns.map(Value::from));
    put("max_tool_calls", args.max_tool_calls.map(Value::from));
    put("max_cost", args.max_cost.map(|cost| cost.0.into()));
    put("max_tokens", args.max_tokens.map(Value::from));
    put("max_seconds", args.max_minutes.map(|minutes| (minutes * 60).into()));
    Value::Object(fields)
}

/// A scenario's file is named from here; the owner may stand elsewhere.
fn script_path(model: &str) -> String {
    let Some(file) = model.strip_prefix("scripted/") else { return model.to_owned() };
    let path = Path::new(file);
    if !path.is_file() {
        return model.to_owned();
    }
    std::path::absolute(path).map_or_else(|_| model.to_owned(), |path| format!("scripted/{}", path.display()))
}

/// A URL as it is, or a path as the owner can find it.
fn repository(named: &Path) -> Result<String> {
    match named.to_str().filter(|text| text.starts_with("https://") || text.starts_with("http://")) {
        Some(url) => Ok(url.to_owned()),
        None => absolute(named),
    }
}

/// A path as the owner can find it.
pub(super) fn absolute(path: &Path) -> Result<String> {
    let unusable = |why: String| Failure::new("bad_input", format!("{}: {why}", path.display()));
    let whole = path.canonicalize().map_err(|error| unusable(error.to_string()))?;
    whole.into_os_string().into_string().map_err(|_| unusable("the path is not UTF-8".to_owned()))
}

/// A key that only we have is no help to the process that owns the folder; say so.
async fn about_key(session: &Session, args: &DoArgs, failure: Failure) -> Failure {
    let Some(other) = session.other() else { return failure };
    let Some(model) = args.model.as_deref().or(session.context.config.model.as_deref()) else {
        return failure;
    };
    let provider = model.split('/').next().unwrap_or_default();
    let Some((provider, variable)) = super::models::key_variable(provider) else { return failure };
    if session.context.env.get(variable).is_none() || super::models::owner_has_key(session, provider).await {
        return failure;
    }
    Failure::new(
        "key_not_with_owner",
        format!("{variable} is set here, but not with the server (process {})", other.pid),
    )
    .fix(format!(
        "printenv {variable} | journeyman connect {provider}, or restart the server with {variable} set"
    ))
}

/// `journeyman demo`
pub(super) async fn demo(context: &Context, args: DemoArgs) -> Result<Exit> {
    if !args.once {
        let up = UpArgs { listen: args.listen, open: args.open, roles: Vec::new() };
        return super::up::serve(context, up, Some(args.fast)).await;
    }
    let mut context = context.clone();
    context.pace = if args.fast { Pace::Fast } else { Pace::AsWritten };
    context
        .with(&Role::ALL, async |session| {
            let run: RunView = session.client.post("/v1/demo", &json!({})).await?;
            introduce(session, &run);
            follow_as(session, run, Manner { answer_as_recommended: true, ..ACCOMPANY }).await
        })
        .await
}
