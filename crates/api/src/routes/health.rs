//! `/v1/health`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;

/// That the server answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The program's version.
    version: String,
}

/// Whether the server answers. Needs no credential.
#[utoipa::path(get, path = "/v1/health", tag = "server", security(()),
    responses((status = 200, body = Health)))]
pub(crate) async fn health(State(app): State<App>) -> Json<Health> {
    Json(Health { status: "ok", version: app.settings.version.clone() })
}
