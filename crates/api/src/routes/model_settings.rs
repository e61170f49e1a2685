//! `/v1/models/default`, `/v1/models/keys/{provider}`

use accounts::access::ManageModels;
use axum::extract::State;
use axum::http::StatusCode;
use secrets::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Body, Path};
use crate::problem::{Problem, Result};

/// The model for runs that name none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DefaultModel {
    /// Its full name.
    name: String,
}

/// A provider's key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// The key; it is sealed at once and never told again.
    #[schema(value_type = String)]
    key: Secret,
    /// The provider's address, where it is not the usual one.
    #[serde(default)]
    base_url: Option<String>,
}

/// Chooses the model for runs that name none.
#[utoipa::path(put, path = "/v1/models/default", tag = "models", request_body = DefaultModel,
    responses((status = 204, description = "It is chosen.")))]
pub(crate) async fn set_default_model(
    State(app): State<App>,
    May(allowed): May<ManageModels>,
    Body(chosen): Body<DefaultModel>,
) -> Result<StatusCode> {
    app.models.now().open(&chosen.name)?;
    app.accounts.set_default_model(&allowed, &chosen.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Keeps a provider's key, sealed.
#[utoipa::path(put, path = "/v1/models/keys/{provider}", tag = "models", request_body = NewKey,
    params(("provider" = String, Path, description = "`anthropic`, `openai`, `gemini` …")),
    responses((status = 204, description = "It is kept.")))]
pub(crate) async fn set_provider_key(
    State(app): State<App>,
    May(allowed): May<ManageModels>,
    Path(provider): Path<String>,
    Body(new): Body<NewKey>,
) -> Result<StatusCode> {
    app.accounts.set_provider_key(&allowed, &provider, new.key, new.base_url).await?;
    (app.hooks.models_changed)(allowed.org()).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets a provider's stored key.
#[utoipa::path(delete, path = "/v1/models/keys/{provider}", tag = "models",
    params(("provider" = String, Path, description = "`anthropic`, `openai`, `gemini` …")),
    responses((status = 204, description = "It is forgotten.")))]
pub(crate) async fn delete_provider_key(
    State(app): State<App>,
    May(allowed): May<ManageModels>,
    Path(provider): Path<String>,
) -> Result<StatusCode> {
    if !app.accounts.delete_provider_key(&allowed, &provider).await? {
        let detail = format!("there is no stored key for {provider}");
        return Err(Problem::new(StatusCode::NOT_FOUND, "key_not_found", detail));
    }
    (app.hooks.models_changed)(allowed.org()).await;
    Ok(StatusCode::NO_CONTENT)
}
