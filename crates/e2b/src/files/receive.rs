//! Files on their way in: one as the body itself, or any number as parts of a form.

use std::collections::BTreeMap;
use std::io;

use axum::Json;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::header;
use futures_util::{StreamExt as _, stream};
use sandbox::UploadOptions;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{Query, about, metadata};
use crate::access::Operation;
use crate::app::E2b;
use crate::call::Call;
use crate::connect::unary;
use crate::filesystem::entry::ATTRIBUTE;
use crate::problem::{Problem, Result};

/// The most files of one form.
const FILES_MAX: usize = 1_000;
/// How many pieces of a part wait for the sandbox.
const PIECES_MAX: usize = 8;

/// A file that was written.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    name: String,
    path: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

/// `POST /files`
pub(super) async fn upload(State(app): State<E2b>, request: Request) -> Result<Json<Vec<Written>>> {
    let query = Query::of(request.uri())?;
    let call = query.open(&app, request.headers(), request.uri(), Operation::Write).await?;
    let metadata = metadata::of(request.headers())?;
    if unary::is(request.headers(), "multipart/form-data") {
        return form(&call, &query, metadata, request).await.map(Json);
    }
    if query.path.is_empty() {
        return Err(Problem::bad("the query names no path"));
    }
    if !unary::is(request.headers(), "application/octet-stream") && has_type(&request) {
        return Err(Problem::bad("send a file as multipart/form-data or as application/octet-stream"));
    }
    let bytes = request.into_body().into_data_stream().map(|piece| piece.map_err(io::Error::other));
    let path = call.user.resolve(&query.path);
    let written = write(&call, &path, bytes.boxed(), metadata).await?;
    Ok(Json(vec![written]))
}

fn has_type(request: &Request) -> bool {
    request.headers().contains_key(header::CONTENT_TYPE)
}

async fn form(
    call: &Call,
    query: &Query,
    metadata: BTreeMap<String, String>,
    request: Request,
) -> Result<Vec<Written>> {
    let broken = |error: String| Problem::bad(format!("the form cannot be read: {error}"));
    let mut parts = Multipart::from_request(request, &()).await.map_err(|error| broken(error.body_text()))?;
    let mut written: Vec<Written> = Vec::new();
    while let Some(mut part) = parts.next_field().await.map_err(|error| broken(error.body_text()))? {
        if part.name() != Some("file") {
            continue;
        }
        if written.len() >= FILES_MAX {
            return Err(Problem::bad(format!("a form has at most {FILES_MAX} files")));
        }
        let named = if query.path.is_empty() { part.file_name().unwrap_or_default() } else { &query.path };
        if named.is_empty() {
            return Err(Problem::bad("neither the query nor the part names a path"));
        }
        let path = call.user.resolve(named);
        if written.iter().any(|earlier| earlier.path == path) {
            return Err(Problem::bad(format!("the form has two files for {path}")));
        }
        let (pieces, received) = mpsc::channel(PIECES_MAX);
        let feed = async move {
            loop {
                let piece = part.chunk().await.map_err(io::Error::other);
                let last = !matches!(piece, Ok(Some(_)));
                if let Some(piece) = piece.transpose()
                    && pieces.send(piece).await.is_err()
                {
                    break;
                }
                if last {
                    break;
                }
            }
        };
        let bytes = ReceiverStream::new(received).boxed();
        let (outcome, ()) = tokio::join!(write(call, &path, bytes, metadata.clone()), feed);
        written.push(outcome?);
    }
    if written.is_empty() {
        return Err(Problem::bad("the form has no part called file"));
    }
    Ok(written)
}

/// Whose hand writes: E2B's agent puts files anywhere, whoever the user is. So where the user may not write, the
/// sandbox's root does.
async fn writer(call: &Call, path: &str) -> String {
    let user = &call.user;
    let mut at = path;
    // The file itself, or else the nearest folder that is there.
    let found = loop {
        match call.sandbox.stat(at).await {
            Ok(info) => break Some(info),
            Err(_) => match at.rsplit_once('/') {
                Some(("", _)) => at = "/",
                Some((folder, _)) => at = folder,
                None => break None,
            },
        }
        if at == "/" {
            break call.sandbox.stat(at).await.ok();
        }
    };
    let may = found.is_none_or(|info| {
        let bits = [(info.owner == user.name, 0o200), (info.group == user.name, 0o020), (true, 0o002)];
        bits.iter().any(|(is_one, bit)| *is_one && info.mode & bit != 0)
    });
    if may { user.name.clone() } else { "root".to_owned() }
}

async fn write(
    call: &Call,
    path: &str,
    bytes: stream::BoxStream<'static, io::Result<bytes::Bytes>>,
    metadata: BTreeMap<String, String>,
) -> Result<Written> {
    let attributes =
        metadata.iter().map(|(key, value)| (format!("{ATTRIBUTE}{key}"), value.clone())).collect();
    let options = UploadOptions { user: Some(writer(call, path).await), mode: None, attributes };
    let info = call.sandbox.upload(path, bytes, options).await.map_err(|error| about(path, error))?;
    Ok(Written { name: info.name, path: info.path, kind: "file", metadata })
}
