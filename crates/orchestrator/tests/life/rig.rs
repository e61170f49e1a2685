//! An orchestrator over the fake provider, whose clock stands until it is moved.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use accounts::access::{Allowed, ReadSandboxes, WriteSandboxes};
use accounts::{Accounts, Caller};
use domain::SandboxId;
use orchestrator::{CreateSandbox, Error, Orchestrator, Parts, SandboxView};
use runtime::{Ambient, MockClock, Supervisor};
use sandbox::fake::FakeProvider;
use sandbox::{Exec, Output, Sandbox, SandboxLimits};
use store::{Range, Store};
use testkit::database::{TestDatabase, each_database};

/// What a test returns.
pub(crate) type Tested = Result<(), Error>;

/// A server's worth of sandboxes.
pub(crate) struct Rig {
    pub(crate) sandboxes: Orchestrator,
    pub(crate) provider: Arc<FakeProvider>,
    pub(crate) store: Store,
    pub(crate) clock: MockClock,
    pub(crate) data: PathBuf,
    pub(crate) owner: Caller,
    pub(crate) stranger: Caller,
    pub(crate) tasks: Supervisor,
}

/// Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `test` with a rig on each database.
pub(crate) async fn each_rig(test: impl AsyncFn(&Rig) -> Tested) {
    each_database(async |database| {
        let rig = Rig::open(database).await;
        let result = test(&rig).await;
        rig.close().await;
        result
    })
    .await;
}

impl Rig {
    pub(crate) async fn open(database: &TestDatabase) -> Self {
        let (ambient, clock) = Ambient::mock(7);
        let store = database.open(ambient.clone()).await;
        let data = database.folder().to_owned();
        let key = secrets::MasterKey::load_or_create(&data, &*ambient.random).expect("a master key");
        let accounts = Accounts::new(store.clone(), key, ambient.clone());
        let owner = accounts.ensure_local_owner("mira").await.expect("the local owner");
        let stranger = accounts.ensure_owner("other", "Other", "noa").await.expect("another owner");
        let (provider, tasks) = (Arc::new(FakeProvider::new()), Supervisor::new());
        let sandboxes = Orchestrator::new(Parts {
            provider: provider.clone(),
            store: store.clone(),
            ambient,
            limits: SandboxLimits::default(),
            data: data.clone(),
            tasks: tasks.clone(),
            companions: Vec::new(),
        });
        sandboxes.recover().await.expect("recover");
        Self { sandboxes, provider, store, clock, data, owner, stranger, tasks }
    }

    pub(crate) async fn close(self) {
        self.tasks.stop(PATIENCE).await;
        self.sandboxes.stop_all().await;
        self.store.close().await;
    }

    pub(crate) fn write(&self) -> Allowed<WriteSandboxes> {
        self.owner.allow().expect("the owner may")
    }

    pub(crate) fn read(&self) -> Allowed<ReadSandboxes> {
        self.owner.allow().expect("the owner may")
    }

    pub(crate) async fn create(&self) -> Result<SandboxView, Error> {
        self.sandboxes.create(&self.write(), CreateSandbox::default()).await
    }

    /// The state's machine name.
    pub(crate) async fn state(&self, id: SandboxId) -> Result<String, Error> {
        Ok(self.sandboxes.get(&self.read(), id).await?.state)
    }

    /// Waits until a sandbox is in a state; `deleted` is that its folder has gone too.
    pub(crate) async fn reach(&self, id: SandboxId, wanted: &str) {
        let mut news = self.store.listen_stream(self.owner.org(), &id.stream());
        let reached = async {
            loop {
                let last = self.events(id).await.into_iter().rfind(|(kind, _)| kind == "sandbox.state");
                if last.is_some_and(|(_, state)| state["state"] == wanted) {
                    return;
                }
                news.changed(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("the state is reached");
    }

    /// A sandbox's events: kind and fields.
    pub(crate) async fn events(&self, id: SandboxId) -> Vec<(String, serde_json::Value)> {
        let range = Range::After { seq: 0, limit: 1_000 };
        let events = self.store.events(self.owner.org(), &id.stream(), range).await.expect("the events");
        events.into_iter().map(|event| (event.kind, event.data)).collect()
    }
}

/// The output of a command line.
pub(crate) async fn run(sandbox: &Arc<dyn Sandbox>, command: &str) -> Result<String, Error> {
    let out = std::sync::Mutex::new(Vec::new());
    let sink = |piece: Output<'_>| match piece {
        Output::Stdout(bytes) | Output::Stderr(bytes) => {
            out.lock().expect("a lock").extend_from_slice(bytes);
        }
    };
    let argv = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
    sandbox.exec(Exec { argv, ..Exec::default() }, &sink).await?;
    Ok(String::from_utf8_lossy(&out.into_inner().expect("a lock")).into_owned())
}
