//! `/v1/sandboxes/{sandbox}/previews`: who may look at a port of a sandbox from outside.

use accounts::access::{ReadSandboxes, WriteSandboxes};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::PreviewId;
use gateway::{Access, Form, NewPreview, Preview, PreviewName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Body, Path};
use crate::problem::{Problem, Result};
use crate::routes::sandboxes::sandbox_id;

/// How long a link counts where nothing else is asked for.
const LIFE_SECONDS: u64 = 24 * 60 * 60;

/// A preview that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedPreview {
    /// The port inside; every port where absent, which only `public` allows.
    #[serde(default)]
    #[schema(example = 3000)]
    port: Option<u16>,
    /// `link` (the default): whoever has the link; `public`: everybody who knows the sandbox's id.
    #[serde(default)]
    access: Option<WantedAccess>,
    /// How long it counts; a day where absent.
    #[serde(default)]
    expires_in_seconds: Option<u64>,
}

/// Who may look.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WantedAccess {
    Link,
    Public,
}

/// A preview.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewView {
    /// Its id.
    id: String,
    /// The sandbox.
    sandbox: String,
    /// The port inside; every port where null.
    #[schema(required = true)]
    port: Option<u16>,
    /// `link` or `public`.
    access: &'static str,
    /// When it was made, in milliseconds since the Unix epoch.
    created_at_ms: i64,
    /// When it ends.
    #[schema(required = true)]
    expires_at_ms: Option<i64>,
    /// Its address, with its token where it has one; told once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// The same by path, for where names below `localhost` do not resolve.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_url: Option<String>,
}

/// Previews.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewPage {
    /// Those that count, the newest first.
    items: Vec<PreviewView>,
    /// Always null: there is one page.
    #[schema(required = true)]
    next: Option<String>,
}

/// Makes a preview: a link to a port of a sandbox. The link is told this once. Making one wakes nothing.
#[utoipa::path(post, path = "/v1/sandboxes/{sandbox}/previews", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    request_body = WantedPreview, responses((status = 201, body = PreviewView)))]
pub(crate) async fn create_preview(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
    Body(wanted): Body<WantedPreview>,
) -> Result<(StatusCode, Json<PreviewView>)> {
    let sandbox = sandbox_id(&sandbox)?;
    if app.orchestrator.org_of(sandbox).await? != allowed.org() {
        return Err(orchestrator::Error::NotFound(sandbox).into());
    }
    let gateway = app.gateway.as_ref().ok_or_else(|| {
        let detail = "this process has no gateway, so nobody could look";
        Problem::new(StatusCode::CONFLICT, "no_gateway", detail).with_fix("journeyman up")
    })?;
    let access = match wanted.access.unwrap_or(WantedAccess::Link) {
        WantedAccess::Link if wanted.port.is_none() => {
            return Err(Problem::invalid("a link is for one port"));
        }
        WantedAccess::Link => Access::Link,
        WantedAccess::Public => Access::Public,
    };
    let life_ms = wanted.expires_in_seconds.unwrap_or(LIFE_SECONDS).saturating_mul(1_000);
    let life_ms = Some(i64::try_from(life_ms).unwrap_or(i64::MAX));
    let new = NewPreview { sandbox, port: wanted.port, access, life_ms };
    let made = app.previews.create(&allowed, new).await?;
    let token = made.token.as_ref().map(|token| token.expose());
    let name = wanted.port.map(|port| PreviewName { sandbox, port });
    let view = PreviewView {
        url: name.map(|name| gateway.url(name, Form::Host, token)),
        path_url: name.map(|name| gateway.url(name, Form::Path, token)),
        ..view(&made.preview)
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// The previews of a sandbox, without their links.
#[utoipa::path(get, path = "/v1/sandboxes/{sandbox}/previews", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id.")),
    responses((status = 200, body = PreviewPage)))]
pub(crate) async fn list_previews(
    State(app): State<App>,
    May(allowed): May<ReadSandboxes>,
    Path(sandbox): Path<String>,
) -> Result<Json<PreviewPage>> {
    let sandbox = app.orchestrator.get(&allowed, sandbox_id(&sandbox)?).await?.id;
    let listed = app.previews.list(&allowed, sandbox).await?;
    Ok(Json(PreviewPage { items: listed.iter().map(view).collect(), next: None }))
}

/// Revokes a preview. What is open through it ends within a second.
#[utoipa::path(delete, path = "/v1/sandboxes/{sandbox}/previews/{preview}", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id."),
        ("preview" = String, Path, description = "The preview's id.")),
    responses((status = 204, description = "It counts no more.")))]
pub(crate) async fn revoke_preview(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path((sandbox, preview)): Path<(String, String)>,
) -> Result<StatusCode> {
    let id: PreviewId = preview.parse().map_err(|_| not_found(&preview))?;
    app.previews.revoke(&allowed, sandbox_id(&sandbox)?, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn not_found(preview: &str) -> Problem {
    let detail = format!("there is no preview {preview}");
    Problem::new(StatusCode::NOT_FOUND, "preview_not_found", detail)
}

fn view(preview: &Preview) -> PreviewView {
    PreviewView {
        id: preview.id.to_string(),
        sandbox: preview.sandbox.to_string(),
        port: preview.port,
        access: match preview.access {
            Access::Link => "link",
            Access::Public => "public",
        },
        created_at_ms: preview.created_at_ms,
        expires_at_ms: preview.expires_at_ms,
        url: None,
        path_url: None,
    }
}
