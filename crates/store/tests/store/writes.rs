//! Transactions: what is kept, what is not, and who sees it.

use std::time::Duration;

use domain::OrgId;
use runtime::Ambient;
use store::{Range, Request, Store, StoreError};
use testkit::database::{TestDatabase, each, each_database};

const ORG: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(1));
const ALL: Range = Range::After { seq: 0, limit: 1000 };

async fn bodies(store: &Store, stream: &str) -> Result<Vec<String>, StoreError> {
    let events = store.raw_events(ORG, stream, ALL).await?;
    Ok(events.into_iter().map(|event| event.body).collect())
}

#[derive(Clone, Copy)]
enum Ends {
    Well,
    WithAnError,
    InAPanic,
}

async fn append(store: &Store, body: String, ends: Ends) -> Result<i64, StoreError> {
    store
        .write(move |tx| {
            Box::pin(async move {
                let seq = tx.append(ORG, "run/x", 1, "said", &body).await?;
                match ends {
                    Ends::Well => Ok(seq),
                    Ends::WithAnError => Err(StoreError::NotFound { what: "the thing" }),
                    Ends::InAPanic => panic!("a change went wrong, as this test wants"),
                }
            })
        })
        .await
}

#[tokio::test]
async fn a_change_that_fails_takes_only_its_own_work_out_of_a_batch() {
    each(async |store| {
        // All are handed over before the writer runs, so that they share one commit.
        let ends = [Ends::WithAnError, Ends::Well, Ends::WithAnError, Ends::InAPanic, Ends::Well, Ends::Well];
        let writes = ends.iter().enumerate().map(|(n, ends)| append(&store, n.to_string(), *ends));
        let results = futures_util::future::join_all(writes).await;

        let kept: Vec<_> = results.iter().map(Result::is_ok).collect();
        assert_eq!(kept, [false, true, false, false, true, true]);
        assert!(matches!(results[2], Err(StoreError::NotFound { what: "the thing" })), "{:?}", results[2]);
        assert!(matches!(results[3], Err(StoreError::Internal { .. })), "{:?}", results[3]);
        let mut bodies = bodies(&store, "run/x").await?;
        bodies.sort_unstable();
        assert_eq!(bodies, ["1", "4", "5"]);
        assert_eq!(store.head(ORG, "run/x").await?, 3);
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn a_change_that_never_ends_is_cut_and_the_next_one_runs() {
    each_database(async |database| {
        let mut config = database.config.clone();
        config.write_limit = Duration::from_millis(100);
        let store = Store::open(config, Ambient::system(), &runtime::Supervisor::new()).await?;
        let stuck = store.write(|tx| {
            Box::pin(async move {
                tx.append(ORG, "run/x", 1, "said", "\"stuck\"").await?;
                std::future::pending::<Result<(), StoreError>>().await
            })
        });
        let error = stuck.await.unwrap_err();
        assert!(matches!(error, StoreError::TimedOut), "{error:?}");

        assert_eq!(append(&store, "\"next\"".to_owned(), Ends::Well).await?, 1);
        assert_eq!(bodies(&store, "run/x").await?, ["\"next\""]);
        store.close().await;
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn a_change_that_runs_statements_without_end_is_cut_and_others_of_its_batch_are_kept() {
    each_database(async |database| {
        let mut config = database.config.clone();
        config.write_limit = Duration::from_millis(100);
        let store = Store::open(config, Ambient::system(), &runtime::Supervisor::new()).await?;
        let before = append(&store, "1".to_owned(), Ends::Well);
        let busy = store.write(|tx| {
            Box::pin(async move {
                tx.append(ORG, "run/busy", 1, "said", "1").await?;
                loop {
                    tx.execute("update meta set value = 'x' where name = 'none'", &[]).await?;
                }
                #[expect(unreachable_code, reason = "it tells the type")]
                Ok::<(), StoreError>(())
            })
        });
        let (before, busy) = futures_util::future::join(before, busy).await;
        assert!(matches!(busy, Err(StoreError::TimedOut)), "{busy:?}");
        assert_eq!(before?, 1);
        assert_eq!((store.head(ORG, "run/x").await?, store.head(ORG, "run/busy").await?), (1, 0));
        assert_eq!(append(&store, "2".to_owned(), Ends::Well).await?, 2);
        store.close().await;
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn a_long_read_holds_up_neither_its_thread_nor_short_reads() {
    use futures_util::future::{Either, select};

    let database = TestDatabase::sqlite();
    let store = database.open(Ambient::system()).await;
    append(&store, "1".to_owned(), Ends::Well).await.expect("a write");
    let count = "with recursive n(i) as (select 1 union all select i + 1 from n where i < $2)
        select $1, count(*) from n";
    let args = ["counted".into(), 1_000_000_i64.into()];
    let long = std::pin::pin!(store.fetch_one(count, &args, |row| Ok((row.text(0)?, row.int(1)?))));
    let short = std::pin::pin!(store.head(ORG, "run/x"));
    // The long one is asked for first, on the only thread of this test.
    let Either::Right((short, long)) = select(long, short).await else { panic!("the short read waited") };
    assert_eq!(short.expect("a short read"), 1);
    assert_eq!(long.await.expect("a long read"), ("counted".to_owned(), 1_000_000));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_every_write_that_has_returned() {
    each(async |store| {
        for n in 1..=200 {
            let body = n.to_string();
            append(&store, body.clone(), Ends::Well).await?;
            let last = store.raw_events(ORG, "run/x", Range::Before { seq: i64::MAX, limit: 1 }).await?;
            assert_eq!((last[0].seq, &last[0].body), (n, &body));
        }
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_leave_half_a_change() {
    each(async |store| {
        let mut write = Box::pin(append(&store, "1".to_owned(), Ends::Well));
        // One poll hands the change over; then the caller is gone.
        assert!(futures_util::poll!(&mut write).is_pending());
        drop(write);
        let mut listener = store.listen_stream(ORG, "run/x");
        while store.head(ORG, "run/x").await? == 0 {
            listener.changed(Duration::from_millis(20)).await;
        }
        assert_eq!(append(&store, "2".to_owned(), Ends::Well).await?, 2);
        assert_eq!(bodies(&store, "run/x").await?, ["1", "2"]);
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_fails_ends_the_change_even_if_the_closure_goes_on() {
    each(async |store| {
        let insert = "insert into meta (name, value) values ($1, $2)";
        // Others of the same batch are kept.
        let before = append(&store, "1".to_owned(), Ends::Well);
        let after = append(&store, "2".to_owned(), Ends::Well);
        let twice = store.write(move |tx| {
            Box::pin(async move {
                tx.execute(insert, &["color".into(), "red".into()]).await?;
                let again = tx.execute(insert, &["color".into(), "blue".into()]).await;
                assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
                let later = tx.execute("delete from meta where name = 'none'", &[]).await;
                assert!(matches!(later, Err(StoreError::Conflict { .. })), "{later:?}");
                Ok::<_, StoreError>(())
            })
        });
        let (before, twice, after) = futures_util::future::join3(before, twice, after).await;
        assert_eq!((before.is_ok(), after.is_ok()), (true, true));
        assert!(matches!(twice, Err(StoreError::Conflict { .. })), "{twice:?}");
        assert_eq!(store.head(ORG, "run/x").await?, 2);
        let color = store
            .fetch_optional("select value from meta where name = $1", &["color".into()], |row| row.text(0))
            .await?;
        assert_eq!(color, None);
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn values_of_every_sort_read_back_and_changed_rows_are_counted() {
    each(async |store| {
        let (int, flag, text, none) = store
            .write(|tx| {
                Box::pin(async move {
                    let args = ["a".into(), "b".into()];
                    tx.execute("insert into meta (name, value) values ($1, 'x'), ($2, 'y')", &args).await?;
                    let changed = tx.execute("update meta set value = 'z' where name = 'none'", &[]).await?;
                    assert_eq!(changed, 0);
                    let changed = tx.execute("delete from meta where name in ($1, $2)", &args).await?;
                    assert_eq!(changed, 2);
                    let args = [7_i64.into(), true.into(), "ä".into(), Option::<String>::None.into()];
                    tx.fetch_one(
                        "select cast($1 as bigint), $2 = 1, cast($3 as text), cast($4 as text)",
                        &args,
                        |row| Ok((row.int(0)?, row.flag(1)?, row.text(2)?, row.opt_text(3)?)),
                    )
                    .await
                })
            })
            .await?;
        assert_eq!((int, flag, text.as_str(), none), (7, true, "ä", None));
        let bytes = store.fetch_one("select $1", &[vec![0_u8, 255].into()], |row| row.bytes(0)).await?;
        assert_eq!(bytes, [0, 255]);
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn a_request_sent_twice_is_done_once_and_another_one_with_its_key_is_refused() {
    each(async |store| {
        let request = Request {
            org: ORG,
            scope: "POST /v1/runs".to_owned(),
            key: "k1".to_owned(),
            hash: "h1".to_owned(),
        };
        let ask = async |request: Request| {
            store
                .write(move |tx| {
                    Box::pin(async move {
                        if let Some(answer) = tx.idempotent(&request).await? {
                            return Ok(answer);
                        }
                        let seq = tx.append(ORG, "run/x", 1, "said", "1").await?;
                        let answer = format!("made {seq}");
                        tx.idempotent_keep(&request, &answer, 1000).await?;
                        Ok::<_, StoreError>(answer)
                    })
                })
                .await
        };
        let both = futures_util::future::join(ask(request.clone()), ask(request.clone())).await;
        assert_eq!((both.0?.as_str(), both.1?.as_str()), ("made 1", "made 1"));
        assert_eq!(store.head(ORG, "run/x").await?, 1);

        let other = ask(Request { hash: "h2".to_owned(), ..request.clone() }).await;
        assert!(matches!(other, Err(StoreError::Conflict { .. })), "{other:?}");
        let apart = Request { org: OrgId::from_uuid(uuid::Uuid::from_u128(2)), ..request.clone() };
        assert_eq!(ask(apart).await?, "made 2");

        let forgotten = store.write(|tx| Box::pin(async move { tx.idempotent_forget(1001).await })).await?;
        assert_eq!(forgotten, 2);
        assert_eq!(ask(request).await?, "made 3");
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test]
async fn a_closed_store_refuses_and_a_new_one_finds_everything_and_the_same_epoch() {
    each_database(async |database| {
        let store = database.open(Ambient::system()).await;
        append(&store, "1".to_owned(), Ends::Well).await?;
        let epoch = store.epoch();
        assert_eq!(epoch.len(), 32);
        store.close().await;
        let refused = append(&store, "2".to_owned(), Ends::Well).await;
        assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
        assert!(matches!(store.head(ORG, "run/x").await, Err(StoreError::Unavailable)));

        let again = database.open(Ambient::system()).await;
        assert_eq!(again.epoch(), epoch);
        assert_eq!(append(&again, "3".to_owned(), Ends::Well).await?, 2);
        assert_eq!(bodies(&again, "run/x").await?, ["1", "3"]);
        assert!(again.sizes().await?.database_bytes > 0);
        again.renew_epoch().await?;
        assert_ne!(again.epoch(), epoch);
        again.close().await;
        Ok::<_, StoreError>(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_read_before_they_write_do_not_lose_each_other() {
    each(async |store| {
        let insert = "insert into meta (name, value) values ('count', '0')";
        store.write(move |tx| Box::pin(async move { tx.execute(insert, &[]).await })).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let store = store.clone();
            tasks.spawn(async move {
                store
                    .write(|tx| {
                        Box::pin(async move {
                            let sql = "select value from meta where name = 'count'";
                            let count: i64 = tx.fetch_one(sql, &[], |row| row.parse(0)).await?;
                            let args = [(count + 1).to_string().into()];
                            tx.execute("update meta set value = $1 where name = 'count'", &args).await?;
                            Ok::<_, StoreError>(())
                        })
                    })
                    .await
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("a writer does not panic")?;
        }
        let sql = "select value from meta where name = 'count'";
        assert_eq!(store.fetch_one(sql, &[], |row| row.text(0)).await?, "20");
        Ok::<_, StoreError>(())
    })
    .await;
}
