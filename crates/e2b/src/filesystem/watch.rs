//! Watching a folder: as a stream of events.

use axum::extract::Request;
use axum::response::Response;
use futures_util::StreamExt as _;
use sandbox::{FileEvent as Happened, FileEventKind, FileKind, Told as Following};

use super::entry::Entry;
use super::messages::{EventType, FileEvent, Told, WatchRequest};
use crate::app::E2b;
use crate::call::{Call, Refused};
use crate::connect::code::Result;
use crate::connect::stream::{self, Out};
use crate::connect::{Code, ConnectError, unary};

/// A folder that is watched.
pub(super) struct Watched {
    folder: Folder,
    events: Following<Happened>,
}

/// Which folder, and what is told of it.
struct Folder {
    call: Call,
    path: String,
    include_entry: bool,
}

/// `WatchDir`
pub(super) async fn stream(app: &E2b, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if !stream::is_stream(&head) {
        return unary::unsupported(stream::TYPE);
    }
    let opened = async {
        let call = Call::of(app, &head).await?;
        let limit = unary::timeout(&head)?.filter(|limit| !limit.is_zero());
        let watched = Watched::open(call, stream::read_one(body).await?).await?;
        Ok::<_, Refused>((watched, limit, stream::keep_alive(&head.headers)))
    };
    let (mut watched, limit, keep_alive) = match opened.await {
        Ok(opened) => opened,
        Err(refused) => return stream::refused(refused),
    };
    let (out, response) = Out::open();
    let ambient = app.ambient.clone();
    let stop = app.supervisor.stopping();
    app.supervisor.spawn("e2b watch", async move {
        let told = async {
            tokio::select! {
                outcome = watched.tell(&out, keep_alive) => outcome,
                () = stop.cancelled() => Err(ConnectError::stopping()),
            }
        };
        let outcome = match limit {
            Some(limit) => ambient.within(limit, told).await.unwrap_or_else(|| Err(ConnectError::deadline())),
            None => told.await,
        };
        out.end(outcome).await;
    });
    response
}

impl Watched {
    /// Watches a folder from now on.
    pub(super) async fn open(call: Call, input: WatchRequest) -> Result<Self> {
        let path = call.user.resolve(&input.path);
        let info = call.sandbox.stat(&path).await?;
        let entry = Entry::of(&*call.sandbox, info).await;
        if entry.kind != super::entry::FileType::Directory {
            return Err(ConnectError::invalid(format!("path {path} is not a directory")));
        }
        let events = call.sandbox.watch(&path, input.recursive).await?;
        Ok(Self { folder: Folder { call, path, include_entry: input.include_entry }, events })
    }

    /// What happened next, in the clients' words; `None` when there will be nothing more.
    pub(super) async fn next(&mut self) -> Option<Result<Vec<FileEvent>>> {
        match self.events.next().await? {
            Ok(happened) => Some(self.folder.told(happened).await),
            Err(error) => Some(Err(error.into())),
        }
    }

    async fn tell(&mut self, out: &Out, keep_alive: std::time::Duration) -> Result<()> {
        let ambient = self.folder.call.app.ambient.clone();
        let mut present = out.send(&Told::Start {}).await.is_ok();
        while present {
            let events = tokio::select! {
                events = self.next() => events,
                () = ambient.sleep(keep_alive) => {
                    present = out.send(&Told::KeepAlive {}).await.is_ok();
                    continue;
                }
                () = out.left() => return Ok(()),
            };
            for event in events.ok_or_else(ConnectError::gone)?? {
                present &= out.send(&Told::Filesystem(Box::new(event))).await.is_ok();
            }
        }
        Ok(())
    }
}

impl Folder {
    async fn told(&self, happened: Happened) -> Result<Vec<FileEvent>> {
        use EventType as E;
        let kinds: &[EventType] = match happened.kind {
            FileEventKind::Written => &[E::Write],
            FileEventKind::Removed => &[E::Remove],
            FileEventKind::Renamed => &[E::Rename],
            FileEventKind::ModeChanged => &[E::Chmod],
            FileEventKind::Created if self.is_file(&happened.path).await => &[E::Create, E::Chmod, E::Write],
            FileEventKind::Created => &[E::Create],
            FileEventKind::Missed => {
                return Err(ConnectError::new(
                    Code::DataLoss,
                    "more happened than could be kept; list the folder",
                ));
            }
        };
        let entry = if self.include_entry { self.entry(&happened.path).await } else { None };
        let event =
            |kind: &EventType| FileEvent { name: happened.path.clone(), kind: *kind, entry: entry.clone() };
        Ok(kinds.iter().map(event).collect())
    }

    /// A file comes into a folder whole: uploads and editors write it aside and move it. E2B's agent makes it in
    /// its place, gives it to its user and writes it, and clients look for each of these.
    async fn is_file(&self, name: &str) -> bool {
        let info = self.call.sandbox.stat(&self.below(name)).await;
        info.is_ok_and(|info| info.kind == FileKind::File && info.size_bytes > 0)
    }

    async fn entry(&self, name: &str) -> Option<Entry> {
        let info = self.call.sandbox.stat(&self.below(name)).await.ok()?;
        Some(Entry::of(&*self.call.sandbox, info).await)
    }

    fn below(&self, name: &str) -> String {
        if name.is_empty() {
            self.path.clone()
        } else {
            format!("{}/{name}", self.path.trim_end_matches('/'))
        }
    }
}
