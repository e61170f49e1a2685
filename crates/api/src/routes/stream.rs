//! What both kinds of stream share: which streams there are, who may follow them, how long a client may
//! stand still.

use std::pin::Pin;
use std::time::Duration;

use accounts::Caller;
use accounts::access::ReadRuns;
use axum::http::StatusCode;
use domain::OrgId;
use futures_util::Stream;
use futures_util::stream::unfold;
use runs::Runs;
use store::Store;
use store::live::{LiveItem, LiveSubscriber};

use crate::app::App;
use crate::feed::{Start, Told, feed};
use crate::problem::{Problem, Result};
use crate::routes::runs::run_ref;
use crate::routes::sandboxes::sandbox_id;

/// How often a quiet stream says that it lives, and its credential is looked at again.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);
/// A client that takes nothing for so long is cut off; it may come again where it was.
pub(crate) const SLOW_LIMIT: Duration = Duration::from_secs(30);
/// The stream of changed runs.
pub(crate) const ORG: &str = "org";

/// What a stream tells.
pub(crate) type Telling = Pin<Box<dyn Stream<Item = Told> + Send>>;

/// A stream that a caller may follow.
pub(crate) struct Followed {
    /// Its name in envelopes.
    pub(crate) name: String,
    /// What it tells.
    pub(crate) telling: Telling,
}

/// Finds the stream, in the caller's organisation, and begins after `after`.
///
/// `run/<id or number>` is a run's log, `sandbox/<id>` a sandbox's, `org` is changed runs as they change.
pub(crate) async fn follow(app: &App, caller: &Caller, stream: &str, after: i64) -> Result<Followed> {
    if let Some(sandbox) = stream.strip_prefix("sandbox/") {
        let id = app.orchestrator.get(&caller.allow()?, sandbox_id(sandbox)?).await?.id;
        return of_log(app, caller, id.stream(), after).await;
    }
    let allowed = caller.allow::<ReadRuns>()?;
    if stream == ORG {
        let telling = changed_runs(&app.store, allowed.org());
        return Ok(Followed { name: ORG.to_owned(), telling: Box::pin(telling) });
    }
    let run = stream.strip_prefix("run/").ok_or_else(|| no_such_stream(stream))?;
    let name = app.runs.resolve(allowed.org(), run_ref(run)?).await?.stream();
    of_log(app, caller, name, after).await
}

/// A stream of the log, which the caller may read.
async fn of_log(app: &App, caller: &Caller, name: String, after: i64) -> Result<Followed> {
    if after < 0 {
        return Err(Problem::invalid("after is 0 or more"));
    }
    if after > app.store.head(caller.org(), &name).await? {
        return Err(epoch_changed());
    }
    let start = Start { store: app.store.clone(), org: caller.org(), stream: name.clone(), after };
    Ok(Followed { name, telling: Box::pin(feed(start)) })
}

/// Positions that the client holds mean nothing here: the data was restored from a backup.
pub(crate) fn epoch_changed() -> Problem {
    let detail = "the server's data was restored since; positions from before mean nothing now";
    Problem::new(StatusCode::GONE, "epoch_changed", detail).with_fix("read the run anew and follow it from 0")
}

fn no_such_stream(stream: &str) -> Problem {
    let detail = format!("there is no stream {stream:?}");
    Problem::new(StatusCode::NOT_FOUND, "no_such_stream", detail).with_fix("follow run/<id> or sandbox/<id>")
}

/// Changed runs from now on; what changed before is not told.
fn changed_runs(store: &Store, org: OrgId) -> impl Stream<Item = Told> + Send + use<> {
    let mut live = store.live().subscribe(&Runs::changes_stream(org));
    while live.try_next().is_some() {}
    unfold(live, |mut live: LiveSubscriber| async move {
        loop {
            match live.next().await {
                LiveItem::Piece(piece) => return Some((Told::Live(piece), live)),
                // A list reads itself anew now and then; nothing else can be told here.
                LiveItem::Lagged(_) | LiveItem::Cleared => {}
            }
        }
    })
}
