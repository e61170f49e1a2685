//! Every route of `/v1`: one short file for each resource.

mod artifacts;
mod demo;
mod events;
mod health;
mod login;
mod me;
mod model_settings;
mod models;
mod previews;
mod projects;
mod questions;
mod results;
mod rules;
mod run_commands;
mod run_events;
mod runs;
mod sandbox;
mod sandboxes;
mod snapshots;
mod status;
mod stream;
mod tokens;
mod ws;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::app::App;

/// The largest body of a command: what is given on standard input is in it.
const EXEC_MAX_BYTES: usize = 32 << 20;

/// Routes whose POSTs may be repeated with an idempotency key.
pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(me::me))
        .routes(routes!(status::status))
        .routes(routes!(status::doctor))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(projects::list_projects, projects::add_project))
        .routes(routes!(projects::show_project))
        .routes(routes!(rules::list_rules, rules::add_rule))
        .routes(routes!(rules::delete_rule))
        .routes(routes!(models::list_models))
        .routes(routes!(model_settings::set_default_model))
        .routes(routes!(model_settings::set_provider_key, model_settings::delete_provider_key))
        .routes(routes!(demo::start_demo))
        .routes(routes!(runs::show_run, runs::delete_run))
        .routes(routes!(run_commands::say))
        .routes(routes!(run_commands::pause))
        .routes(routes!(run_commands::resume))
        .routes(routes!(run_commands::stop))
        .routes(routes!(run_commands::continue_run))
        .routes(routes!(questions::list_questions))
        .routes(routes!(questions::answer_question))
        .routes(routes!(run_events::read_events))
        .routes(routes!(results::show_diff))
        .routes(routes!(results::apply_result))
        .routes(routes!(artifacts::list_artifacts))
        .routes(routes!(artifacts::download_artifact))
        .routes(routes!(sandboxes::show_sandbox, sandboxes::delete_sandbox))
        .routes(routes!(sandboxes::pause_sandbox))
        .routes(routes!(sandboxes::resume_sandbox))
        .routes(routes!(sandboxes::stop_sandbox))
        .routes(routes!(snapshots::snapshot_sandbox))
        .routes(routes!(snapshots::fork_sandbox))
        .routes(routes!(snapshots::archive_sandbox))
        .routes(routes!(snapshots::restore_sandbox))
        .routes(routes!(snapshots::list_snapshots))
        .routes(routes!(snapshots::delete_snapshot))
        .routes(routes!(sandboxes::set_sandbox_timeout))
        .routes(routes!(sandboxes::keep_sandbox_alive))
        .routes(routes!(sandboxes::set_sandbox_egress))
        .routes(routes!(sandboxes::sandbox_metrics))
        .routes(routes!(previews::revoke_preview))
        .routes(routes!(sandbox::events::read_sandbox_events))
        .routes(routes!(sandbox::files::list_sandbox_folder))
        .routes(routes!(events::follow_events))
        .routes(routes!(ws::open_socket))
}

/// Routes that keep their idempotency key themselves, or whose answers are secrets and are kept nowhere.
pub(crate) fn unrepeatable() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login::log_in))
        .routes(routes!(login::log_out))
        .routes(routes!(tokens::list_tokens, tokens::create_token))
        .routes(routes!(tokens::create_ticket))
        .routes(routes!(models::test_model))
        .routes(routes!(runs::list_runs, runs::create_run))
        .routes(routes!(sandboxes::list_sandboxes, sandboxes::create_sandbox))
        .routes(routes!(previews::list_previews, previews::create_preview))
        .routes(routes!(sandbox::exec::exec_in_sandbox).layer(DefaultBodyLimit::max(EXEC_MAX_BYTES)))
        .routes(
            routes!(
                sandbox::files::read_sandbox_file,
                sandbox::files::write_sandbox_file,
                sandbox::files::remove_sandbox_file
            )
            .layer(DefaultBodyLimit::disable()),
        )
        .routes(routes!(sandbox::terminal::open_sandbox_terminal))
}
