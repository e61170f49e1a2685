//! A full disk: nothing that was acknowledged is lost, and the store works again when there is space.

use std::path::Path;
use std::process::Command;

use domain::OrgId;
use runtime::{Ambient, Supervisor};
use store::{BlobsConfig, DatabaseConfig, Range, Store, StoreConfig, StoreError};
use testkit::database::TestDatabase;

const ORG: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(1));

async fn append(store: &Store, stream: &str, bytes: usize) -> Result<i64, StoreError> {
    let (stream, body) = (stream.to_owned(), format!("\"{}\"", "x".repeat(bytes)));
    store.write(move |tx| Box::pin(async move { tx.append(ORG, &stream, 1, "said", &body).await })).await
}

/// Eight writers write until each is refused; returns how many events each was told are durable.
async fn fill(store: &Store) -> Vec<i64> {
    let writers = (0..8).map(|writer| async move {
        let mut last = 0;
        loop {
            match append(store, &format!("run/{writer}"), 10_000).await {
                Ok(seq) => last = seq,
                Err(StoreError::DiskFull) => return last,
                Err(error) => panic!("a full disk is told as {error:?}"),
            }
        }
    });
    futures_util::future::join_all(writers).await
}

async fn expect_exactly(store: &Store, told: &[i64]) {
    for (writer, told) in told.iter().enumerate() {
        let range = Range::After { seq: 0, limit: 100_000 };
        let events = store.raw_events(ORG, &format!("run/{writer}"), range).await.expect("the log reads");
        let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=*told).collect::<Vec<_>>(), "writer {writer}");
    }
    assert!(told.iter().sum::<i64>() > 20, "{told:?}");
}

async fn limit_pages(store: &Store, sql: &'static str) {
    let limited =
        store.write(move |tx| Box::pin(async move { tx.fetch_one(sql, &[], |row| row.int(0)).await }));
    limited.await.expect("the limit is set");
}

#[tokio::test]
async fn a_database_that_may_not_grow_refuses_and_goes_on_when_it_may() {
    let database = TestDatabase::sqlite();
    let store = database.open(Ambient::system()).await;
    limit_pages(&store, "pragma max_page_count = 400").await;
    let told = fill(&store).await;
    expect_exactly(&store, &told).await;

    limit_pages(&store, "pragma max_page_count = 100000").await;
    assert_eq!(append(&store, "run/0", 10_000).await.expect("there is space"), told[0] + 1);
    store.close().await;
}

/// A file system of 6 MiB; `None` where this process may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m", "journeyman-test"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the test's disk stays mounted");
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_acknowledged_and_the_store_goes_on_when_there_is_space() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: this process may not mount; the test above has the part without a disk");
        return;
    };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![7; 1 << 20]).expect("write the ballast");
    let database = DatabaseConfig::Sqlite { path: disk.path().join("journeyman.db") };
    let config = StoreConfig::new(database, BlobsConfig::Folder { path: disk.path().join("blobs") });
    let store = Store::open(config.clone(), Ambient::system(), &Supervisor::new()).await.expect("open it");
    let mut told = fill(&store).await;
    let refused = store.blobs().put(ORG, vec![1; 4 << 20]).await;
    assert!(matches!(refused, Err(StoreError::DiskFull)), "{refused:?}");
    expect_exactly(&store, &told).await;

    std::fs::remove_file(&ballast).expect("make space");
    told[0] += 1;
    assert_eq!(append(&store, "run/0", 10_000).await.expect("there is space"), told[0]);
    store.close().await;
    let again = Store::open(config, Ambient::system(), &Supervisor::new()).await.expect("open it again");
    expect_exactly(&again, &told).await;
    again.close().await;
}
