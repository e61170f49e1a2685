//! `filesystem.Filesystem`: look at files, make, move and remove them, watch folders.

pub(crate) mod entry;
mod messages;
mod watch;
pub(crate) mod watchers;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use sandbox::{FileFault, FileKind, SandboxError};

use crate::app::E2b;
use crate::call::Call;
use crate::connect::code::Result;
use crate::connect::unary::answer;
use crate::connect::{Code, ConnectError};
use crate::process::no_such_method;
use entry::Entry;
use messages::{Empty, EntryResponse, ListRequest, ListResponse, MoveRequest, PathRequest};

/// The deepest list that is made at once.
const DEPTH_MAX: u32 = 1_000;

/// A call of the service.
pub(crate) async fn serve(State(app): State<E2b>, Path(method): Path<String>, request: Request) -> Response {
    match method.as_str() {
        "Stat" => answer(&app, request, stat).await,
        "MakeDir" => answer(&app, request, make_dir).await,
        "Move" => answer(&app, request, rename).await,
        "ListDir" => answer(&app, request, list).await,
        "Remove" => answer(&app, request, remove).await,
        "WatchDir" => watch::stream(&app, request).await,
        "CreateWatcher" => answer(&app, request, watchers::create).await,
        "GetWatcherEvents" => answer(&app, request, watchers::events).await,
        "RemoveWatcher" => answer(&app, request, watchers::remove).await,
        other => no_such_method(other).into_response(),
    }
}

async fn stat(call: Call, input: PathRequest) -> Result<EntryResponse> {
    let path = call.user.resolve(&input.path);
    let info = call.sandbox.stat(&path).await?;
    Ok(EntryResponse { entry: Entry::of(&*call.sandbox, info).await })
}

async fn make_dir(call: Call, input: PathRequest) -> Result<EntryResponse> {
    let path = call.user.resolve(&input.path);
    match call.sandbox.stat(&path).await {
        Ok(info) if info.kind == FileKind::Folder => {
            return Err(ConnectError::new(Code::AlreadyExists, format!("directory already exists: {path}")));
        }
        Ok(_) => {
            return Err(ConnectError::invalid(format!(
                "path already exists but it is not a directory: {path}"
            )));
        }
        Err(SandboxError::File { fault: FileFault::NotFound, .. }) => {}
        Err(error) => return Err(error.into()),
    }
    if !call.sandbox.make_dir(&path).await? {
        return Err(ConnectError::new(Code::AlreadyExists, format!("directory already exists: {path}")));
    }
    let info = call.sandbox.stat(&path).await?;
    Ok(EntryResponse { entry: Entry::of(&*call.sandbox, info).await })
}

async fn rename(call: Call, input: MoveRequest) -> Result<EntryResponse> {
    let (from, to) = (call.user.resolve(&input.source), call.user.resolve(&input.destination));
    let info = call.sandbox.rename(&from, &to).await?;
    Ok(EntryResponse { entry: Entry::of(&*call.sandbox, info).await })
}

async fn list(call: Call, input: ListRequest) -> Result<ListResponse> {
    let path = call.user.resolve(&input.path);
    let depth = input.depth.clamp(1, DEPTH_MAX);
    let found = call.sandbox.list(&path, depth).await?;
    let mut entries = Vec::with_capacity(found.len());
    for info in found {
        entries.push(Entry::of(&*call.sandbox, info).await);
    }
    Ok(ListResponse { entries })
}

async fn remove(call: Call, input: PathRequest) -> Result<Empty> {
    let path = call.user.resolve(&input.path);
    match call.sandbox.remove(&path).await {
        // What is not there need not be removed.
        Ok(()) | Err(SandboxError::File { fault: FileFault::NotFound, .. }) => Ok(Empty {}),
        Err(error) => Err(error.into()),
    }
}
