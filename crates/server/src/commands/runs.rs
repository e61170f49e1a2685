//! `watch`, and listing, showing and deleting runs.

use ::runs::view::{Page, RunView};
use hyper::Method;
use serde_json::{Value, json};

use crate::cli::run::{RunArg, RunCommand, RunListArgs, WatchArgs};
use crate::client::encode;
use crate::compose::Role;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::follow::{self, LinesTo, Manner, outcome};
use crate::render::text::{clean, columns, count, shorten, tokens};
use crate::render::{self};
use crate::session::{Context, Session};

/// `journeyman watch`
pub(super) async fn watch(context: &Context, args: WatchArgs) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| {
            let run = match &args.run {
                Some(run) => find(session, run).await?,
                None => newest(session).await?,
            };
            super::start::introduce(session, &run);
            let alone = session.in_process();
            let manner = Manner {
                after: args.after,
                lines: LinesTo::Out,
                stay: !alone,
                only_past: args.no_follow || alone,
                pause_on_interrupt: false,
                awaits_change: false,
                answer_as_recommended: false,
            };
            let followed = Box::pin(follow::follow(session, run, manner)).await?;
            if let Some(failure) = followed.lost {
                return Err(failure.fix(format!("journeyman resume {}", followed.run.number)));
            }
            if args.no_follow {
                return Ok(Exit::Ok);
            }
            if alone && !follow::is_over(&followed.run) {
                session.output().say("no server is running, so nobody works on this run");
            }
            Ok(outcome::report(&followed, session.output(), session.ends_with_a_command()))
        })
        .await
}

/// `journeyman run`
pub(super) async fn run(context: &Context, command: RunCommand) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| match command {
            RunCommand::List(args) => list(session, &args).await,
            RunCommand::Show(RunArg { run }) => show(session, &run).await,
            RunCommand::Delete(RunArg { run }) => delete(session, &run).await,
        })
        .await
}

/// The run with this number or id. Of several with one number it is the one whose repository we stand in.
pub(super) async fn find(session: &Session, run: &str) -> Result<RunView> {
    match session.client.get(&format!("/v1/runs/{}", encode(run))).await {
        Err(failure) if failure.code == "run_ambiguous" => nearest(session, run, failure).await,
        found => found,
    }
}

/// The API's path of a run.
pub(super) async fn path(session: &Session, run: &str) -> Result<String> {
    Ok(path_of(&find(session, run).await?))
}

/// The API's path of a run that is known.
pub(super) fn path_of(run: &RunView) -> String {
    format!("/v1/runs/{}", run.id)
}

async fn nearest(session: &Session, run: &str, failure: Failure) -> Result<RunView> {
    let page: Page<RunView> = session.client.get("/v1/runs?limit=200").await?;
    let mut alike: Vec<RunView> =
        page.items.into_iter().filter(|item| item.number.to_string() == run).collect();
    let here = std::env::current_dir().ok().and_then(|here| here.canonicalize().ok()).unwrap_or_default();
    if let Some(index) = alike.iter().position(|item| here.starts_with(&item.repository)) {
        return Ok(alike.swap_remove(index));
    }
    let names = alike.iter().map(|item| format!("{}  {}", item.id, clean(&item.project.slug)));
    Err(failure.fix(format!(
        "stand in its repository, or name it by its id:\n        {}",
        names.collect::<Vec<_>>().join("\n        ")
    )))
}

async fn newest(session: &Session) -> Result<RunView> {
    let page: Page<RunView> = session.client.get("/v1/runs?limit=1").await?;
    page.items.into_iter().next().ok_or_else(|| Failure::new("no_runs", "there are no runs yet"))
}

async fn list(session: &Session, args: &RunListArgs) -> Result<Exit> {
    let mut query = format!("/v1/runs?limit={}", args.limit);
    for (name, value) in [("project", &args.project), ("state", &args.state)] {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", encode(value)));
        }
    }
    let page: Value = session.client.get(&query).await?;
    session.output().json(&page);
    if session.output().json {
        return Ok(Exit::Ok);
    }
    let page: Page<RunView> =
        serde_json::from_value(page).map_err(|error| Failure::internal("read the list of runs", &error))?;
    let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
    if rows.is_empty() {
        session.output().say("no runs");
        session.output().next("journeyman do \"…\" --repo .");
    } else {
        session.output().data(&columns(&rows));
        let waiting = page.items.iter().find(|run| run.state == "waiting");
        let (verb, run) = waiting.map_or(("show", &page.items[0]), |run| ("watch", run));
        let verb = if verb == "show" { "run show" } else { verb };
        session.output().next(&format!("journeyman {verb} {}", run.number));
    }
    Ok(Exit::Ok)
}

fn row(run: &RunView) -> Vec<String> {
    let cost = run.cost_micros.map_or_else(|| "-".to_owned(), |cost| cost.to_string());
    let goal = shorten(&clean(&run.goal.replace('\n', " ")), 60);
    vec![
        run.number.to_string(),
        run.word.clone(),
        run.project.slug.clone(),
        count(u64::from(run.turns), "turn"),
        cost,
        goal,
    ]
}

async fn show(session: &Session, run: &str) -> Result<Exit> {
    let value: Value = session.client.get(&path(session, run).await?).await?;
    session.output().json(&value);
    if session.output().json {
        return Ok(Exit::Ok);
    }
    let run: RunView =
        serde_json::from_value(value).map_err(|error| Failure::internal("read the run", &error))?;
    for line in details(&run) {
        session.output().data(&clean(&line));
    }
    let next = if follow::is_over(&run) { "diff" } else { "watch" };
    session.output().next(&format!("journeyman {next} {}", run.number));
    Ok(Exit::Ok)
}

fn details(run: &RunView) -> Vec<String> {
    let mut lines = vec![
        format!("run {}  {}  {}", run.number, run.word, run.id),
        format!("goal     {}", run.goal),
        format!("project  {}  {}", run.project.slug, run.repository),
        format!("model    {}{}", run.model, if run.scripted { " (scripted)" } else { "" }),
    ];
    let cost = run.cost_micros.map_or_else(|| "cost not known".to_owned(), |cost| cost.to_string());
    lines.push(format!(
        "used     {}, {}, {} tokens, {cost}",
        count(u64::from(run.turns), "turn"),
        count(u64::from(run.tool_calls), "call"),
        tokens(run.usage.total())
    ));
    if let Some(reason) = &run.reason {
        lines.push(format!("reason   {}  [{}]", reason.text, reason.code));
        lines.extend(reason.fix.iter().map(|fix| format!("fix      {fix}")));
    }
    if let Some(question) = &run.question {
        lines.push(format!("asks     {}", question.question.text));
    }
    if let Some(branch) = &run.branch {
        lines.push(format!("branch   {branch}   {}", render::files_summary(&run.files)));
    }
    lines.extend(run.check.iter().map(|check| format!("check    {check}")));
    lines
}

async fn delete(session: &Session, run: &str) -> Result<Exit> {
    session.client.call(Method::DELETE, &path(session, run).await?, None).await?;
    session.output().either(&json!({ "deleted": run }), || format!("run {run} is deleted"));
    Ok(Exit::Ok)
}
