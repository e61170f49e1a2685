//! Accounts on a database of their own, with a clock that moves when told to.

use accounts::{Accounts, Caller};
use runtime::{Ambient, MockClock};
use secrets::MasterKey;
use store::Store;
use testkit::database::{TestDatabase, each_database};

/// What a test of accounts returns.
pub(crate) type Tested = Result<(), Box<dyn std::error::Error>>;

/// Accounts and what they stand on.
pub(crate) struct World {
    pub(crate) accounts: Accounts,
    pub(crate) store: Store,
    pub(crate) clock: MockClock,
    pub(crate) owner: Caller,
}

impl World {
    /// A world on `database`.
    pub(crate) async fn on(database: &TestDatabase) -> Result<Self, Box<dyn std::error::Error>> {
        let (ambient, clock) = Ambient::mock(7);
        let store = database.open(ambient.clone()).await;
        let key = MasterKey::load_or_create(database.folder(), &*ambient.random)?;
        let accounts = Accounts::new(store.clone(), key, ambient);
        let owner = accounts.ensure_local_owner("mira").await?;
        Ok(Self { accounts, store, clock, owner })
    }

    /// The owner of another organisation.
    pub(crate) async fn stranger(&self) -> accounts::Result<Caller> {
        self.accounts.ensure_owner("other", "Other", "noa").await
    }
}

/// Runs `test` in a world on each database.
pub(crate) async fn each_world(test: impl AsyncFn(&World) -> Tested) {
    each_database(async |database| {
        let world = World::on(database).await?;
        let result = test(&world).await;
        world.store.close().await;
        result
    })
    .await;
}
