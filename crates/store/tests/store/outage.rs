//! A Postgres server that drops its connections.

use domain::OrgId;
use runtime::Ambient;
use store::{DatabaseConfig, Range, Store, StoreError};
use testkit::database::TestDatabase;

const ORG: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(1));

async fn append(store: &Store, n: i64) -> Result<i64, StoreError> {
    store.write(move |tx| Box::pin(async move { tx.append(ORG, "run/x", n, "said", "1").await })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_and_reads_go_on_after_the_server_dropped_every_connection() {
    let Some(mut database) = TestDatabase::postgres().await else { return };
    let admin = database.open(Ambient::system()).await;
    if let DatabaseConfig::Postgres { url, .. } = &mut database.config.database {
        url.push_str("&application_name=journeyman_outage");
    }
    let store = database.open(Ambient::system()).await;
    let warm = (0..10).map(|n| append(&store, n));
    for seq in futures_util::future::join_all(warm).await {
        seq.expect("a write");
    }

    let killed = admin
        .fetch_one(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where application_name = 'journeyman_outage'",
            &[],
            |row| row.int(0),
        )
        .await
        .expect("drop the connections");
    assert!(killed > 1, "{killed}");

    let head = store.head(ORG, "run/x").await.expect("a read goes on");
    assert_eq!(head, 10);
    for n in 11..=30 {
        assert_eq!(append(&store, n).await.expect("a write goes on"), n);
    }
    let events = store.raw_events(ORG, "run/x", Range::After { seq: 0, limit: 100 }).await;
    assert_eq!(events.expect("a read").len(), 30);

    let mut listener = store.listen("elsewhere");
    admin
        .write(|tx| {
            Box::pin(async move {
                tx.wake("elsewhere");
                Ok::<_, StoreError>(())
            })
        })
        .await
        .expect("a write");
    // The listener's connection is new as well; waiters are woken by its coming back or by the topic.
    assert!(listener.changed(std::time::Duration::from_secs(20)).await);
    store.close().await;
    admin.close().await;
    database.remove().await;
}
