//! Everything that runs need, put together as the server does it: a database, the native sandbox, scripted
//! models, one local owner.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use accounts::access::{Allowed, AnswerQuestions, ReadRuns, WriteRuns};
use accounts::{Accounts, Caller};
use domain::event::{Attended, RunEvent};
use domain::limits::{GuardProfile, RunLimits};
use models::{ModelsConfig, Registry, SharedRegistry};
use orchestrator::Orchestrator;
use runs::{CacheLimits, NewRun, RunRef, RunView, Runs, Worker, WorkerConfig};
use runtime::{Ambient, Supervisor};
use sandbox::{LauncherProgram, NativeConfig, NativeProvider, SandboxLimits};
use store::{Range, Store};

/// A data folder with an owner at work on it.
pub struct World {
    /// The store.
    pub store: Store,
    /// All runs.
    pub runs: Runs,
    /// Users, tokens, projects.
    pub accounts: Accounts,
    /// The local owner.
    pub owner: Caller,
    /// The models.
    pub models: SharedRegistry,
    /// The sandboxes.
    pub orchestrator: Orchestrator,
    supervisor: Supervisor,
}

/// The longest wait of a test for something that should come at once; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

impl World {
    /// Opens a world on `store` with its files under `data`, recovers what an earlier one left, and sets a
    /// worker to work.
    ///
    /// # Panics
    ///
    /// When a part cannot be had.
    pub async fn open(store: Store, data: &Path) -> Self {
        Self::open_keeping(store, data, CacheLimits::default()).await
    }

    /// As [`World::open`], with other limits for prepared repositories.
    ///
    /// # Panics
    ///
    /// When a part cannot be had.
    #[expect(clippy::expect_used, reason = "a test without its world cannot go on")]
    pub async fn open_keeping(store: Store, data: &Path, cache: CacheLimits) -> Self {
        let ambient = Ambient::system();
        let config = NativeConfig {
            launcher: LauncherProgram::Path(launcher()),
            ..NativeConfig::for_data_dir(data, None)
        };
        let provider = NativeProvider::start(config).expect("the native sandbox");
        let supervisor = Supervisor::new();
        let orchestrator = Orchestrator::new(orchestrator::Parts {
            provider: Arc::new(provider),
            store: store.clone(),
            ambient: ambient.clone(),
            limits: SandboxLimits::default(),
            data: data.to_owned(),
            tasks: supervisor.clone(),
            companions: Vec::new(),
        });
        let key = secrets::MasterKey::load_or_create(data, &*ambient.random).expect("a master key");
        let accounts = Accounts::new(store.clone(), key, ambient.clone());
        let owner = accounts.ensure_local_owner("mira").await.expect("the local owner");
        let registry = Registry::new(
            ModelsConfig { pace: models::scripted::Pace::Fast, ..ModelsConfig::default() },
            ambient.clone(),
        );
        let models = SharedRegistry::new(registry.expect("the models"));
        let runs = Runs::new(runs::Parts {
            store: store.clone(),
            ambient,
            accounts: accounts.clone(),
            models: models.clone(),
            orchestrator: orchestrator.clone(),
            way_out: None,
            settings: runs::Settings { data: data.to_owned(), home: None, keep_days: None, cache },
        });
        orchestrator.recover().await.expect("recover the sandboxes");
        runs.recover().await.expect("recover the runs");
        supervisor
            .spawn("worker", Worker::new(runs.clone(), WorkerConfig::default()).run(supervisor.clone()));
        Self { store, runs, accounts, owner, models, orchestrator, supervisor }
    }

    /// Stops the worker as a shutdown does; runs that are under way can be taken up by the next world.
    pub async fn close(self) {
        self.supervisor.stop(Duration::from_secs(20)).await;
        self.orchestrator.stop_all().await;
    }

    /// The owner's permission to change runs.
    ///
    /// # Panics
    ///
    /// Never: the owner may do everything.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the owner may do everything")]
    pub fn write(&self) -> Allowed<WriteRuns> {
        self.owner.allow().expect("the owner may write runs")
    }

    /// The owner's permission to read runs.
    ///
    /// # Panics
    ///
    /// Never: the owner may do everything.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the owner may do everything")]
    pub fn read(&self) -> Allowed<ReadRuns> {
        self.owner.allow().expect("the owner may read runs")
    }

    /// The owner's permission to answer.
    ///
    /// # Panics
    ///
    /// Never: the owner may do everything.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the owner may do everything")]
    pub fn answer(&self) -> Allowed<AnswerQuestions> {
        self.owner.allow().expect("the owner may answer")
    }

    /// Waits until `run` is in one of `states` (machine names).
    ///
    /// # Panics
    ///
    /// When that does not come to pass.
    #[expect(clippy::expect_used, reason = "a test whose run is lost cannot go on")]
    pub async fn reach(&self, run: &RunView, states: &[&str]) -> RunView {
        let mut news = self.store.listen_stream(self.owner.org(), &run.id.stream());
        for _ in 0..PATIENCE.as_millis() / 250 {
            let now = self.runs.find(&self.read(), RunRef::Id(run.id)).await.expect("the run");
            if states.contains(&now.state.as_str()) {
                return now;
            }
            let over = ["succeeded", "failed", "cancelled", "budget_exceeded"].contains(&now.state.as_str());
            assert!(
                !over || now.last_seq <= run.last_seq,
                "{} instead of {states:?}: {:?}",
                now.state,
                now.reason
            );
            news.changed(Duration::from_millis(250)).await;
        }
        panic!("run {} did not become {states:?}", run.number);
    }

    /// Waits until the run's log has an event that `wanted` likes.
    ///
    /// # Panics
    ///
    /// When that does not come to pass.
    pub async fn until(&self, run: &RunView, wanted: impl Fn(&RunEvent) -> bool) {
        let mut news = self.store.listen_stream(self.owner.org(), &run.id.stream());
        for _ in 0..PATIENCE.as_millis() / 250 {
            if self.log(run).await.iter().any(&wanted) {
                return;
            }
            news.changed(Duration::from_millis(250)).await;
        }
        panic!("run {} did not come that far: {:?}", run.number, self.log(run).await.last());
    }

    /// The run's whole log.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    #[expect(clippy::expect_used, reason = "a test whose run is lost cannot go on")]
    pub async fn log(&self, run: &RunView) -> Vec<RunEvent> {
        let range = Range::After { seq: 0, limit: 10_000 };
        let events = self.store.events(self.owner.org(), &run.id.stream(), range).await.expect("the log");
        events
            .into_iter()
            .filter_map(|envelope| RunEvent::decode(&envelope.kind, envelope.data).expect("an event"))
            .collect()
    }
}

/// A wish for a run of a scenario file on a repository, with nobody to ask.
#[must_use]
pub fn wish(repository: &Path, scenario: &Path) -> NewRun {
    NewRun {
        goal: "Do what the scenario says".to_owned(),
        repository: Some(repository.display().to_string()),
        project: None,
        model: Some(format!("scripted/{}", scenario.display())),
        check: None,
        dirty: false,
        apply: false,
        include: Vec::new(),
        attended: Attended::No,
        limits: RunLimits::default(),
        guards: GuardProfile::default(),
    }
}

/// The launcher beside the test programs.
#[expect(clippy::expect_used, reason = "a test without its launcher cannot go on")]
fn launcher() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let path = test.ancestors().nth(2).expect("the target folder").join("journeyman-launcher");
    assert!(path.is_file(), "{} is missing: cargo build -p sandbox --bins", path.display());
    path
}
