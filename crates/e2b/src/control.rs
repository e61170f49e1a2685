//! The control plane: sandboxes by API key, in both generations of its routes.

mod body;
mod create;
mod life;
mod list;
mod metrics;
mod network;
mod other;
mod ports;
mod snapshots;
mod view;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, delete, get, post, put};

use crate::app::E2b;

/// The largest body.
const BODY_MAX_BYTES: usize = 1 << 20;

/// All routes. What E2B has and we have not is named, so that it is told from a mistake.
pub(crate) fn routes() -> Router<E2b> {
    Router::new()
        .route("/sandboxes", get(list::running).post(create::first))
        .route("/v2/sandboxes", get(list::page).post(create::second))
        .route("/sandboxes/metrics", get(metrics::of_many))
        .route("/sandboxes/{sandbox}", get(life::info).delete(life::kill))
        .route("/sandboxes/{sandbox}/connect", post(life::connect))
        .route("/v2/sandboxes/{sandbox}/connect", post(life::connect))
        .route("/sandboxes/{sandbox}/pause", post(life::pause))
        .route("/sandboxes/{sandbox}/resume", post(life::resume))
        .route("/sandboxes/{sandbox}/timeout", post(life::set_timeout))
        .route("/sandboxes/{sandbox}/refreshes", post(life::refresh))
        .route("/sandboxes/{sandbox}/metrics", get(metrics::of_one))
        .route("/sandboxes/{sandbox}/network", put(network::replace))
        .route("/sandboxes/{sandbox}/snapshots", post(snapshots::create))
        .route("/sandboxes/{sandbox}/fork", post(snapshots::fork))
        .route("/sandboxes/{sandbox}/logs", get(other::logs))
        .route("/v2/sandboxes/{sandbox}/logs", get(other::logs))
        .route("/snapshots", get(snapshots::list))
        .route("/templates", get(other::templates).post(other::no_builds))
        .route("/v2/templates", get(other::templates).post(other::no_builds))
        .route("/v3/templates", post(other::no_builds))
        .route("/templates/aliases/{alias}", get(other::alias))
        .route("/templates/tags", any(other::no_tags))
        .route(
            "/templates/{template}",
            delete(snapshots::remove).get(other::template).patch(other::no_builds),
        )
        .route("/v2/templates/{template}", any(other::no_builds))
        .route("/templates/{template}/{*rest}", any(other::no_builds))
        .route("/v2/templates/{template}/{*rest}", any(other::no_builds))
        .route("/teams", get(other::teams))
        .route("/volumes", any(other::no_volumes))
        .route("/volumes/{*rest}", any(other::no_volumes))
        .route("/secrets", any(other::no_secrets))
        .route("/secrets/{*rest}", any(other::no_secrets))
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
}
