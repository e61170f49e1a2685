//! What a shell offers where a run or a project is named. Asks the API; says nothing where that does not work.

use std::ffi::OsStr;

use clap_complete::CompletionCandidate;
use runtime::Env;
use serde_json::Value;

use crate::cli::Global;
use crate::compose::Role;
use crate::session::Context;

/// The newest runs, by their numbers.
pub(crate) fn runs() -> Vec<CompletionCandidate> {
    let items = ask("/v1/runs?limit=50");
    // A number that several projects have names none of their runs.
    let is_alone = |run: &Value| items.iter().filter(|other| other["number"] == run["number"]).count() == 1;
    let named = items.iter().filter_map(|run| {
        let name = if is_alone(run) { run["number"].to_string() } else { run["id"].as_str()?.to_owned() };
        Some(candidate(&name, &format!("{}: {}", word(run, "word"), word(run, "goal"))))
    });
    named.collect()
}

/// The projects, by their slugs.
pub(crate) fn projects() -> Vec<CompletionCandidate> {
    let items = ask("/v1/projects");
    items.iter().map(|project| candidate(&word(project, "slug"), &word(project, "path"))).collect()
}

fn candidate(name: &str, about: &str) -> CompletionCandidate {
    let about: String = about.chars().take(60).collect();
    CompletionCandidate::new(OsStr::new(name)).help(Some(about.into()))
}

fn word(item: &Value, name: &str) -> String {
    crate::render::text::clean(item[name].as_str().unwrap_or_default())
}

/// The items of a list of the API; none where there is no data folder yet, or no answer.
fn ask(path: &str) -> Vec<Value> {
    let asked = || {
        let context = Context::new(&Global::default(), Env::of_process()).ok()?;
        if !context.folder.root().is_dir() {
            return None;
        }
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().ok()?;
        let list = runtime.block_on(async {
            let session = context.session(&[Role::Api]).await.ok()?;
            let list: Option<Value> = session.client.get(path).await.ok();
            session.close().await;
            list
        });
        runtime.shutdown_background();
        list?["items"].as_array().cloned()
    };
    asked().unwrap_or_default()
}
