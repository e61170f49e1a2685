//! The event log.

use domain::OrgId;
use runtime::Ambient;
use store::{NewEvent, Range, Store, StoreError};
use testkit::database::{TestDatabase, each};

const ORG: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(1));

async fn append(store: &Store, stream: &'static str, body: String) -> Result<i64, StoreError> {
    store.write(move |tx| Box::pin(async move { tx.append(ORG, stream, 5, "said", &body).await })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_writers_at_once_leave_no_gap() {
    each(async |store| {
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..50 {
            let store = store.clone();
            tasks.spawn(async move {
                for turn in 0..10 {
                    append(&store, "run/x", format!("[{writer},{turn}]")).await?;
                }
                Ok::<_, StoreError>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("a writer does not panic")?;
        }

        let events = store.raw_events(ORG, "run/x", Range::After { seq: 0, limit: 1000 }).await?;
        let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=500).collect::<Vec<_>>());
        let mut bodies: Vec<_> = events.iter().map(|event| event.body.as_str()).collect();
        bodies.sort_unstable();
        bodies.dedup();
        assert_eq!(bodies.len(), 500);
        assert_eq!(store.head(ORG, "run/x").await?, 500);
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn the_write_ahead_log_begins_again_although_the_writes_never_pause() {
    let database = TestDatabase::sqlite();
    let store = database.open(Ambient::system()).await;
    for n in 0..2000 {
        append(&store, "run/x", n.to_string()).await.expect("a write");
    }
    // Three pages or so for each write would be 25 MiB by now.
    let log = std::fs::metadata(database.folder().join("journeyman.db-wal")).expect("the log");
    assert!(log.len() < 12 << 20, "{} bytes", log.len());
    store.close().await;
}

#[tokio::test]
async fn a_stream_is_read_from_both_ends() {
    each(async |store| {
        let events: Vec<_> = (1..=5)
            .map(|n| NewEvent { at_ms: n, kind: "counted".to_owned(), body: format!(r#"{{"n":{n}}}"#) })
            .collect();
        let last = store
            .write(move |tx| Box::pin(async move { tx.append_many(ORG, "run/y", &events).await }))
            .await?;
        assert_eq!(last, 5);

        let first = store.events(ORG, "run/y", Range::After { seq: 1, limit: 2 }).await?;
        assert_eq!(first.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(first[0].data, serde_json::json!({ "n": 2 }));
        assert_eq!(
            (first[0].stream.as_str(), first[0].kind.as_str(), first[0].at_ms),
            ("run/y", "counted", 2)
        );
        let end = store.raw_events(ORG, "run/y", Range::Before { seq: i64::MAX, limit: 2 }).await?;
        assert_eq!(end.iter().map(|event| event.seq).collect::<Vec<_>>(), [4, 5]);
        let before = store.raw_events(ORG, "run/y", Range::Before { seq: 3, limit: 9 }).await?;
        assert_eq!(before.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn events_written_together_follow_those_before_as_they_were_given() {
    each(async |store| {
        let events: Vec<_> =
            [(7, "a\"b", r#"{"text":"ä \\u0000 \\n \""}"#), (5, "c", "[]"), (6, "d", "null")]
                .map(|(at_ms, kind, body)| NewEvent { at_ms, kind: kind.to_owned(), body: body.to_owned() })
                .to_vec();
        append(&store, "run/z", "1".to_owned()).await?;
        let given = events.clone();
        let (last, none, one) = store
            .write(move |tx| {
                let given = given.clone();
                Box::pin(async move {
                    let last = tx.append_many(ORG, "run/z", &given).await?;
                    let none = tx.append_many(ORG, "run/z", &[]).await?;
                    let one = tx.append_many(ORG, "run/z", &given[..1]).await?;
                    Ok::<_, StoreError>((last, none, one))
                })
            })
            .await?;
        assert_eq!((last, none, one), (4, 4, 5));
        let found = store.raw_events(ORG, "run/z", Range::After { seq: 1, limit: 9 }).await?;
        let seqs: Vec<i64> = found.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, [2, 3, 4, 5]);
        let found: Vec<_> = found
            .into_iter()
            .map(|event| NewEvent { at_ms: event.at_ms, kind: event.kind, body: event.body })
            .collect();
        assert_eq!(found, [events[0].clone(), events[1].clone(), events[2].clone(), events[0].clone()]);
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn streams_of_another_org_or_name_are_apart_and_a_deleted_one_begins_anew() {
    each(async |store| {
        let other = OrgId::from_uuid(uuid::Uuid::from_u128(2));
        append(&store, "run/a", "1".to_owned()).await?;
        append(&store, "run/a", "2".to_owned()).await?;
        append(&store, "run/b", "3".to_owned()).await?;
        assert_eq!(store.head(other, "run/a").await?, 0);
        assert_eq!(store.head(ORG, "run/b").await?, 1);

        store.write(|tx| Box::pin(async move { tx.delete_stream(ORG, "run/a").await })).await?;
        assert_eq!(store.head(ORG, "run/a").await?, 0);
        assert_eq!(store.raw_events(ORG, "run/a", Range::After { seq: 0, limit: 9 }).await?, []);
        assert_eq!(store.head(ORG, "run/b").await?, 1);
        assert_eq!(append(&store, "run/a", "4".to_owned()).await?, 1);
        Ok::<_, StoreError>(())
    })
    .await;
}
