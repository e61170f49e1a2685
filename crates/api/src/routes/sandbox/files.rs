//! `/v1/sandboxes/{sandbox}/files`: a sandbox's files, read, written, listed and removed.

use std::io;

use accounts::access::{ReadSandboxes, WriteSandboxes};
use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use orchestrator::Wake;
use sandbox::{FileInfo, FileKind, UploadOptions};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Path, Query};
use crate::problem::Result;
use crate::routes::sandboxes::sandbox_id;

/// A path inside; relative ones are relative to /workspace.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct At {
    path: String,
    #[serde(default)]
    depth: Option<u32>,
    #[serde(default)]
    mode: Option<String>,
}

/// A file, a folder or a link.
#[derive(Serialize, ToSchema)]
pub(crate) struct FileEntry {
    /// Its last part.
    name: String,
    /// Where it lies, from the root.
    path: String,
    /// What it is.
    kind: EntryKind,
    /// Its size.
    size_bytes: u64,
    /// Its permissions.
    mode: u32,
    /// Whose it is.
    owner: String,
    /// Which group's it is.
    group: String,
    /// When it was last written, in milliseconds since the Unix epoch.
    modified_at_ms: i64,
    /// Where a link leads.
    #[schema(required = true)]
    link_target: Option<String>,
}

/// What an entry is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EntryKind {
    File,
    Folder,
    Link,
    Other,
}

/// What lies in a folder.
#[derive(Serialize, ToSchema)]
pub(crate) struct FolderPage {
    /// By path.
    items: Vec<FileEntry>,
}

/// A file's bytes. A sandbox that rests is not woken by it.
#[utoipa::path(get, path = "/v1/sandboxes/{sandbox}/files", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id."),
        ("path" = String, Query, description = "Relative ones are relative to /workspace.")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
pub(crate) async fn read_sandbox_file(
    State(app): State<App>,
    May(allowed): May<ReadSandboxes>,
    Path(sandbox): Path<String>,
    Query(at): Query<At>,
) -> Result<Response> {
    let sandbox = app.orchestrator.live(allowed.org(), sandbox_id(&sandbox)?, Wake::Never).await?;
    let download = sandbox.download(&at.path, None).await?;
    let length = HeaderValue::from(download.info.size_bytes);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_LENGTH, length),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_ENCODING, HeaderValue::from_static("identity")),
        (header::HeaderName::from_static("x-file-mode"), HeaderValue::from(download.info.mode & 0o7777)),
    ];
    Ok((headers, HttpBody::from_stream(download.bytes)).into_response())
}

/// Writes a whole file from the body, however large, making folders as needed. A reader sees the old file or the
/// new one. A sandbox that rests is woken where it was made so.
#[utoipa::path(put, path = "/v1/sandboxes/{sandbox}/files", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id."),
        ("path" = String, Query, description = "Relative ones are relative to /workspace."),
        ("mode" = Option<String>, Query, description = "Its permissions, octal: `755`.")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = FileEntry)))]
pub(crate) async fn write_sandbox_file(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
    Query(at): Query<At>,
    body: HttpBody,
) -> Result<Json<FileEntry>> {
    let id = sandbox_id(&sandbox)?;
    let mode = at.mode.as_deref().map(|mode| u32::from_str_radix(mode, 8)).transpose();
    let mode = mode.map_err(|_| crate::problem::Problem::invalid("mode is an octal number"))?;
    let sandbox = app.orchestrator.live(allowed.org(), id, Wake::IfAsked).await?;
    app.orchestrator.touch(id);
    let bytes = body.into_data_stream().map(|piece| piece.map_err(io::Error::other)).boxed();
    let options = UploadOptions { mode, ..UploadOptions::default() };
    Ok(Json(sandbox.upload(&at.path, bytes, options).await?.into()))
}

/// Removes a file, a link, or a folder with all that is in it.
#[utoipa::path(delete, path = "/v1/sandboxes/{sandbox}/files", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id."),
        ("path" = String, Query, description = "Relative ones are relative to /workspace.")),
    responses((status = 204, description = "It is removed.")))]
pub(crate) async fn remove_sandbox_file(
    State(app): State<App>,
    May(allowed): May<WriteSandboxes>,
    Path(sandbox): Path<String>,
    Query(at): Query<At>,
) -> Result<StatusCode> {
    let id = sandbox_id(&sandbox)?;
    let sandbox = app.orchestrator.live(allowed.org(), id, Wake::IfAsked).await?;
    app.orchestrator.touch(id);
    sandbox.remove(&at.path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What lies in a folder. A sandbox that rests is not woken by it.
#[utoipa::path(get, path = "/v1/sandboxes/{sandbox}/folder", tag = "sandboxes",
    params(("sandbox" = String, Path, description = "The sandbox's id."),
        ("path" = String, Query, description = "Relative ones are relative to /workspace."),
        ("depth" = Option<u32>, Query, description = "How many levels deep; 1 by default, 0 for the entry itself.")),
    responses((status = 200, body = FolderPage)))]
pub(crate) async fn list_sandbox_folder(
    State(app): State<App>,
    May(allowed): May<ReadSandboxes>,
    Path(sandbox): Path<String>,
    Query(at): Query<At>,
) -> Result<Json<FolderPage>> {
    let sandbox = app.orchestrator.live(allowed.org(), sandbox_id(&sandbox)?, Wake::Never).await?;
    let found = match at.depth.unwrap_or(1) {
        0 => vec![sandbox.stat(&at.path).await?],
        depth => sandbox.list(&at.path, depth).await?,
    };
    Ok(Json(FolderPage { items: found.into_iter().map(Into::into).collect() }))
}

impl From<FileInfo> for FileEntry {
    fn from(info: FileInfo) -> Self {
        let kind = match info.kind {
            FileKind::File => EntryKind::File,
            FileKind::Folder => EntryKind::Folder,
            FileKind::Link => EntryKind::Link,
            FileKind::Other => EntryKind::Other,
        };
        Self {
            name: info.name,
            path: info.path,
            kind,
            size_bytes: info.size_bytes,
            mode: info.mode,
            owner: info.owner,
            group: info.group,
            modified_at_ms: info.modified_at_ms,
            link_target: info.link_target,
        }
    }
}
