//! Wake-ups are never lost, and what streams live never makes anybody wait.

use std::sync::Arc;
use std::time::Duration;

use domain::OrgId;
use runtime::Ambient;
use store::live::{LiveItem, Piece};
use store::{LiveHub, Range, Store, StoreError};
use testkit::database::{each, each_database};

const ORG: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(1));

/// Longer than any test should wait.
const LONG: Duration = Duration::from_secs(20);

async fn append(store: &Store, n: i64) -> Result<i64, StoreError> {
    store.write(move |tx| Box::pin(async move { tx.append(ORG, "run/x", n, "said", "1").await })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_listens_first_misses_nothing() {
    each(async |store| {
        let writer = store.clone();
        let mut listener = store.listen_stream(ORG, "run/x");
        let writing = tokio::spawn(async move {
            for n in 0..300 {
                append(&writer, n).await?;
            }
            Ok::<_, StoreError>(())
        });
        let mut seen = 0;
        while seen < 300 {
            let range = Range::After { seq: seen, limit: 100 };
            let events = store.raw_events(ORG, "run/x", range).await?;
            seen = events.last().map_or(seen, |event| event.seq);
            if events.is_empty() {
                assert!(listener.changed(LONG).await, "a wake-up was lost after {seen}");
            }
        }
        writing.await.expect("the writer does not panic")
    })
    .await;
}

#[tokio::test]
async fn a_wake_up_comes_after_the_commit_and_not_for_what_was_rolled_back() {
    each(async |store| {
        let mut kept = store.listen("kept");
        let mut dropped = store.listen("dropped");
        let result: Result<(), StoreError> = store
            .write(|tx| {
                Box::pin(async move {
                    tx.wake("dropped");
                    Err(StoreError::NotFound { what: "the thing" })
                })
            })
            .await;
        assert!(result.is_err());
        store
            .write(|tx| {
                Box::pin(async move {
                    tx.append(ORG, "run/x", 1, "said", "1").await?;
                    tx.wake("kept");
                    Ok::<_, StoreError>(())
                })
            })
            .await?;
        assert!(kept.changed(LONG).await);
        assert!(!kept.has_changed(), "it fired once");
        assert!(!dropped.has_changed());
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn topics_nobody_listens_for_are_forgotten() {
    each(async |store| {
        let before = store.wakeups().topics();
        let (first, second) = (store.listen("a"), store.listen("a"));
        let third = store.listen("b");
        assert_eq!(store.wakeups().topics(), before + 2);
        drop(first);
        assert_eq!(store.wakeups().topics(), before + 2);
        drop((second, third));
        assert_eq!(store.wakeups().topics(), before);
        append(&store, 1).await?;
        assert_eq!(store.wakeups().topics(), before);
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_another_process_is_woken_too() {
    each_database(async |database| {
        // Two stores on one Postgres share nothing but the server, as two processes do.
        if database.name() == "sqlite" {
            return Ok(());
        }
        let (one, two) = (database.open(Ambient::system()).await, database.open(Ambient::system()).await);
        let mut listener = two.listen_stream(ORG, "run/x");
        append(&one, 1).await?;
        assert!(listener.changed(LONG).await);
        assert_eq!(two.head(ORG, "run/x").await?, 1);
        one.close().await;
        two.close().await;
        Ok::<_, StoreError>(())
    })
    .await;
}

fn piece(json: &str) -> LiveItem {
    LiveItem::Piece(Piece { kind: Arc::from("live.text"), json: Arc::from(json) })
}

#[tokio::test]
async fn a_late_reader_of_a_live_stream_gets_what_came_since_the_last_clear() {
    let hub = LiveHub::default();
    let say = |json: &str| hub.publish("run/x", "live.text", Arc::from(json));
    say("0");
    hub.clear("run/x");
    say("1");
    say("2");
    let mut late = hub.subscribe("run/x");
    assert_eq!((late.next().await, late.next().await), (piece("1"), piece("2")));
    assert_eq!(late.try_next(), None);

    say("3");
    hub.clear("run/x");
    say("4");
    assert_eq!((late.next().await, late.next().await), (LiveItem::Cleared, piece("4")));
    assert_eq!(hub.subscribe("run/other").try_next(), None);
    hub.clear("run/x");
    drop(late);
    assert_eq!(hub.streams(), 0);
}

#[tokio::test]
async fn a_slow_reader_loses_the_oldest_pieces_and_is_told_how_many() {
    let hub = LiveHub::default();
    let mut slow = hub.subscribe("run/x");
    for n in 0..5000 {
        hub.publish("run/x", "live.text", Arc::from(n.to_string()));
    }
    assert_eq!(slow.next().await, LiveItem::Lagged(5000 - 4096));
    assert_eq!(slow.next().await, piece("904"));
    let big: Arc<str> = Arc::from("x".repeat(200 << 10));
    hub.publish("run/y", "live.text", Arc::clone(&big));
    hub.publish("run/y", "live.text", Arc::clone(&big));
    let mut reader = hub.subscribe("run/y");
    assert_eq!(reader.next().await, piece(&big), "the bytes of a stream are bounded too");
    assert_eq!(reader.try_next(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_reader_that_waits_is_woken_and_gets_all_in_order() {
    let hub = LiveHub::default();
    let mut reader = hub.subscribe("run/x");
    let publisher = hub.clone();
    let publishing = tokio::spawn(async move {
        for n in 0..2000 {
            publisher.publish("run/x", "live.text", Arc::from(n.to_string()));
            tokio::task::yield_now().await;
        }
    });
    for n in 0..2000 {
        assert_eq!(reader.next().await, piece(&n.to_string()));
    }
    publishing.await.expect("the publisher does not panic");
}
