//! What people do with runs. Runs that a worker owns are reached by commands; runs at rest are changed
//! here, by whoever asks, in one transaction.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use accounts::Accounts;
use accounts::access::{Allowed, ReadRuns, WriteRuns};
use agent::port::Wish;
use domain::event::{RunEvent, RunSpec};
use domain::run::{Reason, RunChange, RunState};
use domain::{OrgId, RunId};
use models::SharedRegistry;
use orchestrator::Orchestrator;
use runtime::Ambient;
use sha2::{Digest, Sha256};
use store::{QueueItem, Range, RawEvent, Store, StoreError, Tx};

use crate::error::{Error, Result, WhileDoing};
use crate::live_runs::LiveRuns;
use crate::record::{self, RunKey};
use crate::repository::{Bases, CacheLimits, Remotes, Source, WayOut, is_url};
use crate::request::{NewRun, RunFilter, RunRef};
use crate::store::{self as rows, RunRow};
use crate::summary::Summary;
use crate::view::{Page, ProjectRef, RunView};
use crate::wanted::WantedRuns;

/// The queue's topic.
pub const QUEUE: &str = "runs";
/// The longest goal or message, in bytes.
const TEXT_MAX_BYTES: usize = 100_000;

/// What runs are made of.
#[derive(Clone)]
pub struct Parts {
    /// Rows, log, queue and blobs.
    pub store: Store,
    /// Time and chance.
    pub ambient: Ambient,
    /// Projects and their rules.
    pub accounts: Accounts,
    /// Who thinks.
    pub models: SharedRegistry,
    /// Where it happens.
    pub orchestrator: Orchestrator,
    /// How repositories by URL are reached; without it there are none.
    pub way_out: Option<Arc<dyn WayOut>>,
    /// The rest.
    pub settings: Settings,
}

/// Settings of runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data folder; `runs`, `bases`, `demo` and `tmp` lie in it.
    pub data: PathBuf,
    /// The user's home, whose git configuration names the author where the repository names none.
    pub home: Option<PathBuf>,
    /// How long finished runs are kept, in days; for ever where `None`.
    pub keep_days: Option<u32>,
    /// How long prepared repositories are kept that no run needs any more.
    pub cache: CacheLimits,
}

/// All runs. Clones share everything.
#[derive(Clone)]
pub struct Runs {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: Parts,
    pub(crate) bases: Bases,
    pub(crate) remotes: Remotes,
    pub(crate) live: LiveRuns,
    pub(crate) wanted: WantedRuns,
}

impl Runs {
    /// Puts the parts together. Does nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let bases = Bases::new(parts.settings.data.join("bases"), parts.orchestrator.clone());
        let root = parts.settings.data.join("remotes");
        let remotes = Remotes::new(root, parts.orchestrator.clone(), parts.way_out.clone());
        let (live, wanted) = (LiveRuns::default(), WantedRuns::default());
        Self { inner: Arc::new(Inner { parts, bases, remotes, live, wanted }) }
    }

    /// The live stream on which lists of runs hear of changes: pieces of kind `run.changed` with a
    /// [`RunView`] as JSON. See [`store::LiveHub`].
    #[must_use]
    pub fn changes_stream(org: OrgId) -> String {
        format!("org/{org}/runs")
    }

    /// Asks for a run. It is durable and queued when this returns. The same idempotency key with the same
    /// wish gives the same run.
    ///
    /// # Errors
    ///
    /// - [`Error::Invalid`], [`Error::Repository`], [`Error::NoModel`], [`Error::Model`]: the wish cannot be met.
    /// - [`Error::IdempotencyConflict`]: the key was used for another wish.
    pub async fn create(
        &self,
        allowed: &Allowed<WriteRuns>,
        wish: NewRun,
        idempotency_key: Option<&str>,
    ) -> Result<RunView> {
        let Parts { store, ambient, accounts, models, .. } = &self.inner.parts;
        let org = allowed.org();
        check_text("goal", &wish.goal)?;
        let (path, project) = match (&wish.repository, &wish.project) {
            (Some(named), _) => {
                let path = if is_url(named) {
                    &self.inner.remotes.fetch(org, named).await?.display().to_string()
                } else {
                    named
                };
                let source = find_source(path).await?;
                source.check_has_commit()?;
                let project = accounts.project_for_path(allowed, &source.path).await?;
                (source.path, project)
            }
            (None, Some(name)) => {
                let project = accounts.find_project(allowed, name).await?;
                let source = find_source(&project.path).await?;
                source.check_has_commit()?;
                (source.path, project)
            }
            (None, None) => return Err(invalid("name a repository or a project")),
        };
        let chosen = match wish.model.clone().or_else(|| project.default_model.clone()) {
            Some(model) => model,
            None => accounts.default_model(org).await?.ok_or(Error::NoModel)?,
        };
        let model = models.now().open(&chosen)?;
        self.check_script(&chosen, &path)?;
        let run = RunId::from_uuid(ambient.uuid());
        let spec = RunSpec {
            run,
            org,
            project: project.id,
            number: 0,
            goal: wish.goal.trim().to_owned(),
            by: allowed.by().to_owned(),
            repository: path.display().to_string(),
            model: chosen,
            scripted: model.info().scripted,
            check: wish.check.clone().or(project.check),
            dirty: wish.dirty,
            apply: wish.apply,
            include: wish.include.clone(),
            limits: wish.limits.clone(),
            guards: wish.guards,
            attended: wish.attended,
        };
        let window = i64::try_from(model.info().context_tokens).unwrap_or(i64::MAX);
        let request = idempotency_key.map(|key| idempotency(org, key, &wish));
        let now_ms = ambient.now_ms();
        let id = store.write(move |tx| Box::pin(insert(tx, spec, window, request, now_ms))).await?;
        self.want(id);
        self.view(org, id).await
    }

    /// Lets a worker of this process that works on wanted runs only work on this one. Whatever is asked of a run
    /// here makes it wanted.
    pub fn want(&self, run: RunId) {
        self.inner.wanted.add(run);
    }

    /// One run.
    ///
    /// # Errors
    ///
    /// [`Error::RunNotFound`], [`Error::RunAmbiguous`].
    pub async fn find(&self, allowed: &Allowed<ReadRuns>, run: RunRef) -> Result<RunView> {
        let id = self.resolve(allowed.org(), run).await?;
        self.view(allowed.org(), id).await
    }

    /// Runs, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a filter that does not read.
    pub async fn list(&self, allowed: &Allowed<ReadRuns>, filter: RunFilter) -> Result<Page<RunView>> {
        let org = allowed.org();
        let limit = filter.limit.unwrap_or(50).clamp(1, 200);
        let project = match &filter.project {
            Some(name) => Some(self.inner.parts.accounts.find_project(allowed, name).await?.id),
            None => None,
        };
        let before = filter.before.as_deref().map(read_cursor).transpose()?;
        let store = &self.inner.parts.store;
        let mut found = rows::list(store, org, (project, filter.state), before, limit + 1).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = found.last().filter(|_| more).map(|row| format!("{}-{}", row.created_at_ms, row.spec.run));
        let mut items = Vec::with_capacity(found.len());
        for row in found {
            items.push(self.to_view(row).await?);
        }
        Ok(Page { items, next })
    }

    /// How many runs are in each state (machine names).
    ///
    /// # Errors
    ///
    /// Only ours.
    pub async fn count_states(&self, org: OrgId) -> Result<Vec<(String, i64)>> {
        Ok(rows::count_states(&self.inner.parts.store, org).await?)
    }

    /// Says something to the agent; it reads it before its next model call.
    ///
    /// # Errors
    ///
    /// [`Error::WrongState`] where the run has ended: continue it instead.
    pub async fn say(&self, allowed: &Allowed<WriteRuns>, run: RunRef, text: &str) -> Result<()> {
        check_text("text", text)?;
        let wish = Wish::Say { text: text.trim().to_owned() };
        self.command(allowed, run, move |state| match state {
            state if state.is_terminal() => Err(wrong(state, "steered")),
            _ => Ok(AtRest::Command(wish.clone())),
        })
        .await
    }

    /// Stops a run for now: within a second where it works, interrupting what is under way; at once where it is
    /// at rest.
    ///
    /// # Errors
    ///
    /// [`Error::WrongState`] where the run has ended.
    pub async fn pause(&self, allowed: &Allowed<WriteRuns>, run: RunRef) -> Result<()> {
        let reason = Reason::new("paused", format!("{} paused it.", allowed.by())).with_fix("resume it");
        self.command(allowed, run, move |state| {
            if state.is_active() {
                return Ok(AtRest::Command(Wish::Pause));
            }
            Ok(AtRest::Change {
                change: RunChange::PauseAsked { reason: reason.clone() },
                queue: Queue::Leave,
            })
        })
        .await
    }

    /// Lets a paused or sleeping run go on.
    ///
    /// # Errors
    ///
    /// [`Error::WrongState`] where it is neither.
    pub async fn resume(&self, allowed: &Allowed<WriteRuns>, run: RunRef) -> Result<()> {
        self.command(allowed, run, |_| {
            Ok(AtRest::Change { change: RunChange::ResumeAsked, queue: Queue::Enter })
        })
        .await
    }

    /// Ends a run for good.
    ///
    /// # Errors
    ///
    /// [`Error::WrongState`] where it has ended otherwise already.
    pub async fn stop(&self, allowed: &Allowed<WriteRuns>, run: RunRef, why: Option<String>) -> Result<()> {
        let by = allowed.by().to_owned();
        self.command(allowed, run, move |state| {
            let why = why.clone().unwrap_or_default();
            if state.is_active() {
                return Ok(AtRest::Command(Wish::Cancel { reason: why }));
            }
            let text =
                if why.is_empty() { format!("Stopped by {by}.") } else { format!("Stopped by {by}: {why}.") };
            let reason = Reason::new("stopped_by_person", text).with_fix("continue it with a follow-up");
            Ok(AtRest::Change { change: RunChange::CancelAsked { reason }, queue: Queue::Leave })
        })
        .await
    }

    /// Asks a finished run for more, on the same branch and with its context.
    ///
    /// # Errors
    ///
    /// [`Error::WrongState`] where it has not ended: steer it instead.
    pub async fn continue_with(&self, allowed: &Allowed<WriteRuns>, run: RunRef, goal: &str) -> Result<()> {
        check_text("goal", goal)?;
        let event = RunEvent::Continued { goal: goal.trim().to_owned(), by: allowed.by().to_owned() };
        self.command(allowed, run, move |_| {
            Ok(AtRest::Follow { event: event.clone(), change: RunChange::Continued })
        })
        .await
    }

    /// A part of a run's log, and the position of its last event.
    ///
    /// # Errors
    ///
    /// [`Error::RunNotFound`].
    pub async fn events(
        &self,
        allowed: &Allowed<ReadRuns>,
        run: RunRef,
        range: Range,
    ) -> Result<(Vec<RawEvent>, i64)> {
        let (org, store) = (allowed.org(), &self.inner.parts.store);
        let stream = self.resolve(org, run).await?.stream();
        let events = store.raw_events(org, &stream, range).await?;
        Ok((events, store.head(org, &stream).await?))
    }

    /// Turns a run's name into its id.
    ///
    /// # Errors
    ///
    /// [`Error::RunNotFound`], [`Error::RunAmbiguous`].
    pub async fn resolve(&self, org: OrgId, run: RunRef) -> Result<RunId> {
        let store = &self.inner.parts.store;
        match run {
            RunRef::Id(id) => {
                let found = rows::find(store, org, id).await?;
                found.map(|_| id).ok_or_else(|| Error::RunNotFound(id.to_string()))
            }
            RunRef::Number(number) => match rows::find_numbered(store, org, number).await?[..] {
                [] => Err(Error::RunNotFound(number.to_string())),
                [id] => Ok(id),
                _ => Err(Error::RunAmbiguous(number)),
            },
        }
    }

    pub(crate) async fn view(&self, org: OrgId, run: RunId) -> Result<RunView> {
        let row = self.row(org, run).await?;
        self.to_view(row).await
    }

    pub(crate) async fn row(&self, org: OrgId, run: RunId) -> Result<RunRow> {
        let found = rows::find(&self.inner.parts.store, org, run).await?;
        found.ok_or_else(|| Error::RunNotFound(run.to_string()))
    }

    async fn to_view(&self, row: RunRow) -> Result<RunView> {
        let queued = matches!(row.summary.state, RunState::Queued);
        let (org, run) = (row.spec.org, row.spec.run);
        let mut view = crate::view_of::run_view(row);
        if queued {
            let position = self.inner.parts.store.queue_position(org, QUEUE, &run.to_string()).await;
            view.queue_position = position?.and_then(|position| u32::try_from(position).ok());
        }
        Ok(view)
    }

    /// Decides by the run's state, with its row held, what a wish does, and does it.
    pub(crate) async fn command(
        &self,
        allowed: &Allowed<WriteRuns>,
        run: RunRef,
        decide: impl Fn(&RunState) -> Result<AtRest> + Clone + Send + 'static,
    ) -> Result<()> {
        let Parts { store, ambient, .. } = &self.inner.parts;
        let (org, by, now_ms) = (allowed.org(), allowed.by().to_owned(), ambient.now_ms());
        let key = RunKey { org, run: self.resolve(org, run).await? };
        self.want(key.run);
        store
            .write(move |tx| {
                Box::pin(async move {
                    let row = rows::lock(tx, org, key.run)
                        .await?
                        .ok_or_else(|| Error::RunNotFound(key.run.to_string()))?;
                    let what = decide(&row.summary.state)?;
                    carry_out(tx, key, row.summary, what, (&by, now_ms)).await
                })
            })
            .await?;
        let view = self.view(org, key.run).await?;
        self.announce(org, &view);
        Ok(())
    }

    /// Tells lists of runs.
    pub(crate) fn announce(&self, org: OrgId, view: &RunView) {
        announce(&self.inner.parts.store, org, view);
    }

    /// Built-in stories play on their own sample projects only, never on a user's repository.
    fn check_script(&self, model: &str, path: &Path) -> Result<()> {
        let Some(story) = model.strip_prefix("scripted/") else { return Ok(()) };
        let of_file = story.contains('/') || story.ends_with(".toml");
        if of_file || path.starts_with(crate::demo::root(&self.inner.parts.settings.data)) {
            return Ok(());
        }
        Err(Error::Invalid {
            message: format!(
                "{model} is a script and plays on its own sample project only; run `journeyman demo`"
            ),
        })
    }
}

/// Tells lists of runs about one.
pub(crate) fn announce(store: &Store, org: OrgId, view: &RunView) {
    // A view is plain data and always encodes.
    if let Ok(text) = serde_json::to_string(view) {
        store.live().publish(&Runs::changes_stream(org), "run.changed", Arc::from(text));
    }
}

/// What a wish does to a run.
#[derive(Debug, Clone)]
pub(crate) enum AtRest {
    /// Its owner is told (or will be, when somebody claims it).
    Command(Wish),
    /// Nobody owns it: its state changes at once.
    Change { change: RunChange, queue: Queue },
    /// An event that changes no state; nothing where a worker owns the run.
    Note { event: RunEvent },
    /// As a change, after another event, and into the queue.
    Follow { event: RunEvent, change: RunChange },
}

/// What a change does to the run's place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    Enter,
    Leave,
}

async fn carry_out(
    tx: &mut Tx,
    key: RunKey,
    mut summary: Summary,
    what: AtRest,
    (by, now_ms): (&str, i64),
) -> Result<()> {
    let (mut events, change, queue) = match what {
        AtRest::Command(wish) => {
            rows::insert_command(tx, (key.org, key.run), by, &wish, now_ms).await?;
            tx.wake(key.commands_topic());
            return Ok(());
        }
        AtRest::Note { event } => {
            if !summary.state.is_active() {
                record::append(tx, key, &mut summary, &[event], now_ms).await?;
            }
            return Ok(());
        }
        AtRest::Change { change, queue } => (Vec::new(), change, queue),
        AtRest::Follow { event, change } => (vec![event], change, Queue::Enter),
    };
    let after = summary.state.clone().apply(change)?;
    if after == summary.state {
        return Ok(());
    }
    events.push(RunEvent::State(after));
    record::append(tx, key, &mut summary, &events, now_ms).await?;
    let name = key.run.to_string();
    // Leaving bumps the fence, so that a worker which claimed the run in this moment notices.
    tx.dequeue(key.org, QUEUE, &name, now_ms).await?;
    if queue == Queue::Enter {
        tx.enqueue(key.org, &queue_item(name, now_ms), now_ms).await?;
    }
    Ok(())
}

fn queue_item(key: String, run_at_ms: i64) -> QueueItem {
    QueueItem { topic: QUEUE.to_owned(), key, priority: 0, run_at_ms, payload: String::new() }
}

async fn insert(
    tx: &mut Tx,
    mut spec: RunSpec,
    context_window: i64,
    request: Option<store::Request>,
    now_ms: i64,
) -> Result<RunId, StoreError> {
    if let Some(request) = &request
        && let Some(kept) = tx.idempotent(request).await?
    {
        return kept
            .parse()
            .map_err(|error: domain::id::ParseIdError| StoreError::internal("read a kept answer", error));
    }
    spec.number = accounts::projects::next_run_number(tx, spec.org, spec.project)
        .await
        .map_err(|error| StoreError::internal("number a run", error))?;
    let key = RunKey { org: spec.org, run: spec.run };
    let project = spec.project;
    let mut row = RunRow {
        spec,
        summary: Summary::new(),
        context_window,
        last_seq: 0,
        created_at_ms: now_ms,
        changed_at_ms: now_ms,
        project: ProjectRef { id: project, slug: String::new(), name: String::new() },
    };
    rows::insert(tx, &row).await?;
    let events = [RunEvent::Created(Box::new(row.spec.clone())), RunEvent::State(RunState::Queued)];
    record::append(tx, key, &mut row.summary, &events, now_ms).await?;
    tx.enqueue(key.org, &queue_item(key.run.to_string(), now_ms), now_ms).await?;
    if let Some(request) = &request {
        tx.idempotent_keep(request, &key.run.to_string(), now_ms).await?;
    }
    Ok(key.run)
}

fn idempotency(org: OrgId, key: &str, wish: &NewRun) -> store::Request {
    let text = serde_json::to_string(wish).unwrap_or_default();
    let hash = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    store::Request { org, scope: "runs.create".to_owned(), key: key.to_owned(), hash }
}

/// Looks for the repository; reads files, so off the workers' threads.
pub(crate) async fn find_source(path: &str) -> Result<Source> {
    let path = PathBuf::from(path);
    if !path.is_absolute() {
        return Err(invalid("the repository's path must be absolute"));
    }
    tokio::task::spawn_blocking(move || Source::find(&path)).await.while_doing("look for the repository")?
}

fn check_text(field: &str, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(invalid(&format!("{field} is empty")));
    }
    if text.len() > TEXT_MAX_BYTES {
        return Err(invalid(&format!("{field} is longer than {TEXT_MAX_BYTES} bytes")));
    }
    Ok(())
}

fn read_cursor(text: &str) -> Result<(i64, String)> {
    let parts = text.split_once('-').and_then(|(ms, id)| Some((ms.parse().ok()?, id.to_owned())));
    parts.ok_or_else(|| invalid("before is not a cursor of this list"))
}

pub(crate) fn invalid(message: &str) -> Error {
    Error::Invalid { message: message.to_owned() }
}

fn wrong(state: &RunState, change: &'static str) -> Error {
    Error::WrongState(domain::run::InvalidTransition { state: state.name(), change })
}

pub(crate) fn from_store(error: StoreError) -> Error {
    match error {
        StoreError::DiskFull => Error::DiskFull,
        StoreError::DiskBroken => Error::DiskBroken,
        StoreError::FenceLost { .. } => Error::Lost,
        StoreError::Conflict { what: "the request of this idempotency key" } => Error::IdempotencyConflict,
        other => Error::Internal { doing: "reach the store", source: Box::new(other) },
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        from_store(error)
    }
}
