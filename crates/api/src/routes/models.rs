//! `/v1/models`

use std::collections::BTreeMap;

use accounts::access::{ManageModels, ReadRuns};
use axum::Json;
use axum::extract::State;
use models::{ModelError, ModelInfo, Registry};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::May;
use crate::extract::Body;
use crate::problem::Result;

/// Which models there are, and where their keys come from.
#[derive(Serialize, ToSchema)]
pub(crate) struct Models {
    /// The model for runs that name none.
    #[schema(required = true)]
    default: Option<String>,
    /// The models that are known by name. Others of the same providers work too.
    items: Vec<ModelView>,
    /// Model servers found on the server's machine.
    local: Vec<LocalServer>,
    /// The providers' keys.
    keys: Vec<ProviderKey>,
}

/// A model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelView {
    /// Its full name.
    #[schema(example = "anthropic/claude-sonnet-4-5")]
    name: String,
    /// Whether it is a script.
    scripted: bool,
    /// Whether a run can use it now.
    available: bool,
    /// Its window in tokens.
    context_tokens: u64,
    /// What it costs; null when that is not known.
    #[schema(required = true)]
    price: Option<PriceView>,
    /// Why a run cannot use it.
    #[schema(required = true)]
    why_not: Option<String>,
}

/// Prices in microdollars per million tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriceView {
    input: i64,
    output: i64,
    cache_read: i64,
    cache_write: i64,
}

/// A model server on the server's machine.
#[derive(Serialize, ToSchema)]
pub(crate) struct LocalServer {
    /// `ollama`, `llama.cpp`, `lm-studio`, `vllm`.
    server: String,
    /// Its address.
    url: String,
    /// Its models, without the server's name.
    models: Vec<String>,
}

/// Where a provider's key comes from.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderKey {
    /// The provider.
    provider: String,
    /// From where.
    source: KeySource,
    /// Its address, where it is not the usual one.
    #[schema(required = true)]
    base_url: Option<String>,
}

/// Where a key comes from. A stored one goes before one in the environment.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeySource {
    Environment,
    Stored,
    None,
}

/// A model to be asked one tiny question.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelToTest {
    /// Its full name.
    name: String,
}

/// How the question went.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelTest {
    /// Whether it answered.
    ok: bool,
    /// From the question to the whole answer.
    latency_ms: u64,
    /// Whether it called the tool that it was asked to call.
    tools: bool,
    /// Why it did not answer, in the provider's words.
    #[schema(required = true)]
    error: Option<String>,
}

/// Providers that everybody has heard of.
const USUAL: [&str; 3] = ["anthropic", "openai", "gemini"];

/// Which models there are, and where their keys come from.
#[utoipa::path(get, path = "/v1/models", tag = "models", responses((status = 200, body = Models)))]
pub(crate) async fn list_models(State(app): State<App>, May(allowed): May<ReadRuns>) -> Result<Json<Models>> {
    let registry = app.models.now();
    let local = registry.probe_local().await.into_iter().map(|found| LocalServer {
        server: found.server.name,
        url: found.server.base_url,
        models: found.models,
    });
    Ok(Json(Models {
        default: app.accounts.default_model(allowed.org()).await?,
        items: items(&registry),
        local: local.collect(),
        keys: keys(&app, allowed.org()).await?,
    }))
}

/// Asks a model for one tiny tool call. Costs next to nothing, takes a minute at most.
#[utoipa::path(post, path = "/v1/models/test", tag = "models", request_body = ModelToTest,
    responses((status = 200, body = ModelTest)))]
pub(crate) async fn test_model(
    State(app): State<App>,
    _allowed: May<ManageModels>,
    Body(asked): Body<ModelToTest>,
) -> Json<ModelTest> {
    let tested = app.models.now().test_connection(&asked.name).await;
    Json(match tested {
        Ok(test) => ModelTest {
            ok: true,
            latency_ms: u64::try_from(test.latency.as_millis()).unwrap_or(u64::MAX),
            tools: test.calls_tools,
            error: None,
        },
        Err(error) => ModelTest { ok: false, latency_ms: 0, tools: false, error: Some(error.to_string()) },
    })
}

fn items(registry: &Registry) -> Vec<ModelView> {
    let mut items: Vec<ModelView> = registry.list().iter().map(|info| shown(info, None)).collect();
    for known in &models::price_table::table().models {
        if items.iter().any(|item| item.name == known.name) {
            continue;
        }
        items.push(match registry.open(&known.name) {
            Ok(model) => shown(model.info(), None),
            Err(error) => {
                let info = ModelInfo {
                    name: known.name.clone(),
                    scripted: false,
                    context_tokens: known.context_tokens,
                    price: Some(known.price()),
                };
                shown(&info, Some(why_not(&error)))
            }
        });
    }
    items
}

fn why_not(error: &ModelError) -> String {
    match error {
        ModelError::NotConfigured { message, fix } => format!("{message}: {fix}"),
        other => other.to_string(),
    }
}

fn shown(info: &ModelInfo, why_not: Option<String>) -> ModelView {
    ModelView {
        name: info.name.clone(),
        scripted: info.scripted,
        available: why_not.is_none(),
        context_tokens: info.context_tokens,
        price: info.price.map(|price| PriceView {
            input: price.input,
            output: price.output,
            cache_read: price.cache_read,
            cache_write: price.cache_write,
        }),
        why_not,
    }
}

async fn keys(app: &App, org: domain::OrgId) -> Result<Vec<ProviderKey>> {
    let mut keys: BTreeMap<String, (KeySource, Option<String>)> =
        USUAL.map(|provider| (provider.to_owned(), (KeySource::None, None))).into();
    for found in &app.settings.environment_keys {
        keys.insert(found.provider.clone(), (KeySource::Environment, found.base_url.clone()));
    }
    for found in app.accounts.keyed_providers(org).await? {
        keys.insert(found.provider, (KeySource::Stored, found.base_url));
    }
    let shown =
        keys.into_iter().map(|(provider, (source, base_url))| ProviderKey { provider, source, base_url });
    Ok(shown.collect())
}
