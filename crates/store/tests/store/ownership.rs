//! Leases and the queue: who may work on what, and who may no longer.

use std::time::Duration;

use domain::OrgId;
use runtime::{Ambient, MockClock};
use store::{Claim, Fence, QueueCount, QueueItem, Store, StoreError};
use testkit::database::each_database;

const ORG: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(1));
const OTHER: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(2));
const MANY: u32 = 100;

/// Runs a test with a clock that stands.
async fn each(test: impl AsyncFn(Store, MockClock) -> Result<(), StoreError>) {
    each_database(async |database| {
        let (ambient, clock) = Ambient::mock(database.name().len() as u64);
        let store = database.open(ambient).await;
        let result = test(store.clone(), clock).await;
        store.close().await;
        result
    })
    .await;
}

async fn acquire(store: &Store, holder: &'static str) -> Result<Option<Fence>, StoreError> {
    let now_ms = store.ambient().now_ms();
    store
        .write(move |tx| Box::pin(async move { tx.lease_acquire("run/1", holder, 1000, now_ms).await }))
        .await
}

async fn check(store: &Store, fence: Fence) -> Result<(), StoreError> {
    store.write(move |tx| Box::pin(async move { tx.fence_check("run/1", fence).await })).await
}

#[tokio::test]
async fn a_lease_has_one_owner_and_an_owner_that_was_replaced_cannot_write() {
    each(async |store, clock| {
        assert_eq!(acquire(&store, "a").await?, Some(Fence(1)));
        assert_eq!(acquire(&store, "b").await?, None);
        check(&store, Fence(1)).await?;

        clock.advance(Duration::from_millis(600));
        let now_ms = store.ambient().now_ms();
        store
            .write(move |tx| Box::pin(async move { tx.lease_renew("run/1", Fence(1), 1000, now_ms).await }))
            .await?;
        clock.advance(Duration::from_millis(600));
        assert_eq!(acquire(&store, "b").await?, None, "it was renewed");

        clock.advance(Duration::from_millis(400));
        assert_eq!(acquire(&store, "b").await?, Some(Fence(2)));
        let lost = check(&store, Fence(1)).await;
        assert!(matches!(&lost, Err(StoreError::FenceLost { name }) if name == "run/1"), "{lost:?}");
        let renewed = store
            .write(move |tx| Box::pin(async move { tx.lease_renew("run/1", Fence(1), 1000, now_ms).await }))
            .await;
        assert!(matches!(renewed, Err(StoreError::FenceLost { .. })), "{renewed:?}");
        check(&store, Fence(2)).await
    })
    .await;
}

#[tokio::test]
async fn fences_grow_over_release_and_when_an_owner_comes_back() {
    each(async |store, _clock| {
        assert_eq!(acquire(&store, "a").await?, Some(Fence(1)));
        assert_eq!(acquire(&store, "a").await?, Some(Fence(2)), "a restarted owner replaces itself");
        store.write(|tx| Box::pin(async move { tx.lease_release("run/1", Fence(2)).await })).await?;
        let twice =
            store.write(|tx| Box::pin(async move { tx.lease_release("run/1", Fence(1)).await })).await;
        assert!(matches!(twice, Err(StoreError::FenceLost { .. })), "{twice:?}");
        assert_eq!(acquire(&store, "b").await?, Some(Fence(3)));
        let never = store.write(|tx| Box::pin(async move { tx.fence_check("other", Fence(1)).await })).await;
        assert!(matches!(never, Err(StoreError::FenceLost { .. })), "{never:?}");
        Ok(())
    })
    .await;
}

async fn enqueue(store: &Store, org: OrgId, key: &str, priority: i64) -> Result<bool, StoreError> {
    let now_ms = store.ambient().now_ms();
    let item = QueueItem {
        topic: "runs".to_owned(),
        key: key.to_owned(),
        priority,
        run_at_ms: now_ms,
        payload: format!("do {key}"),
    };
    store.write(move |tx| Box::pin(async move { tx.enqueue(org, &item, now_ms).await })).await
}

async fn claim(store: &Store, holder: &str) -> Result<Option<Claim>, StoreError> {
    store.claim("runs", holder, 1000, MANY).await
}

async fn finish(store: &Store, claim: Claim) -> Result<(), StoreError> {
    let now_ms = store.ambient().now_ms();
    store.write(move |tx| Box::pin(async move { tx.claim_finish(&claim, now_ms).await })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_claimers_get_each_item_once() {
    each(async |store, _clock| {
        for n in 0..30 {
            enqueue(&store, ORG, &format!("k{n}"), 0).await?;
        }
        let mut tasks = tokio::task::JoinSet::new();
        for claimer in 0..8 {
            let store = store.clone();
            tasks.spawn(async move {
                let mut mine = Vec::new();
                while let Some(claim) = claim(&store, &format!("w{claimer}")).await? {
                    mine.push(claim.key);
                }
                Ok::<_, StoreError>(mine)
            });
        }
        let mut keys = Vec::new();
        while let Some(mine) = tasks.join_next().await {
            keys.extend(mine.expect("a claimer does not panic")?);
        }
        keys.sort_unstable();
        let mut wanted: Vec<_> = (0..30).map(|n| format!("k{n}")).collect();
        wanted.sort_unstable();
        assert_eq!(keys, wanted);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_queue_goes_by_priority_then_age_and_tells_positions() {
    each(async |store, clock| {
        for (key, priority) in [("old", 0), ("new", 0), ("urgent", 5)] {
            assert!(enqueue(&store, ORG, key, priority).await?);
            clock.advance(Duration::from_millis(1));
        }
        assert!(!enqueue(&store, ORG, "old", 9).await?, "a key is in the queue once");
        assert_eq!(store.queue_position(ORG, "runs", "new").await?, Some(3));
        assert_eq!(store.queue_position(ORG, "runs", "urgent").await?, Some(1));
        assert_eq!(store.queue_position(OTHER, "runs", "new").await?, None);

        let first = claim(&store, "w").await?.expect("an item waits");
        assert_eq!((first.key.as_str(), first.payload.as_str(), first.attempts), ("urgent", "do urgent", 1));
        assert_eq!(store.queue_position(ORG, "runs", "urgent").await?, None);
        assert_eq!(store.queue_position(ORG, "runs", "new").await?, Some(2));
        assert_eq!(store.queue_counts("runs").await?, [QueueCount { org: ORG, waiting: 2, running: 1 }]);
        let next = claim(&store, "w").await?.map(|claim| claim.key);
        assert_eq!(next.as_deref(), Some("old"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_ended_goes_to_another_worker_and_the_first_one_cannot_write() {
    each(async |store, clock| {
        enqueue(&store, ORG, "k", 0).await?;
        let first = claim(&store, "a").await?.expect("an item waits");
        assert_eq!(claim(&store, "b").await?, None);
        let until = store.queue_next_ms("runs").await?;
        assert_eq!(until, Some(store.ambient().now_ms() + 1000));

        clock.advance(Duration::from_millis(900));
        let (renewing, now_ms) = (first.clone(), store.ambient().now_ms());
        store.write(move |tx| Box::pin(async move { tx.claim_renew(&renewing, 1000, now_ms).await })).await?;
        clock.advance(Duration::from_millis(900));
        assert_eq!(claim(&store, "b").await?, None, "it was renewed");

        clock.advance(Duration::from_millis(100));
        let second = claim(&store, "b").await?.expect("the claim has ended");
        assert!(second.fence > first.fence);
        assert_eq!(second.attempts, 2);
        for lost in [
            {
                let first = first.clone();
                store.write(move |tx| Box::pin(async move { tx.claim_check(&first).await })).await
            },
            {
                let first = first.clone();
                store.write(move |tx| Box::pin(async move { tx.claim_renew(&first, 9, 9).await })).await
            },
            finish(&store, first.clone()).await,
        ] {
            assert!(matches!(lost, Err(StoreError::FenceLost { .. })), "{lost:?}");
        }
        let checked = second.clone();
        store.write(move |tx| Box::pin(async move { tx.claim_check(&checked).await })).await?;
        finish(&store, second).await
    })
    .await;
}

#[tokio::test]
async fn a_finished_item_may_be_enqueued_again_and_its_fence_still_grows() {
    each(async |store, _clock| {
        enqueue(&store, ORG, "k", 0).await?;
        let first = claim(&store, "a").await?.expect("an item waits");
        finish(&store, first.clone()).await?;
        assert_eq!(claim(&store, "a").await?, None);
        assert!(enqueue(&store, ORG, "k", 0).await?);
        let second = claim(&store, "a").await?.expect("it waits again");
        assert_eq!(second.attempts, 1);
        assert!(second.fence > first.fence);
        let lost = finish(&store, first).await;
        assert!(matches!(lost, Err(StoreError::FenceLost { .. })), "{lost:?}");

        let dropped =
            store.write(|tx| Box::pin(async move { tx.dequeue(ORG, "runs", "k", 5).await })).await?;
        assert!(dropped);
        let lost = finish(&store, second).await;
        assert!(matches!(lost, Err(StoreError::FenceLost { .. })), "{lost:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_item_given_back_waits_for_its_time() {
    each(async |store, clock| {
        enqueue(&store, ORG, "k", 0).await?;
        let first = claim(&store, "a").await?.expect("an item waits");
        let later = store.ambient().now_ms() + 5000;
        store.write(move |tx| Box::pin(async move { tx.claim_release(&first, later).await })).await?;
        assert_eq!(claim(&store, "a").await?, None);
        assert_eq!(store.queue_next_ms("runs").await?, Some(later));
        clock.advance(Duration::from_secs(5));
        assert_eq!(claim(&store, "a").await?.map(|claim| claim.attempts), Some(2));
        assert_eq!(store.queue_next_ms("runs").await?, Some(later + 1000));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_org_with_its_share_of_claims_lets_others_go_first() {
    each(async |store, clock| {
        for key in ["a1", "a2", "a3"] {
            enqueue(&store, ORG, key, 0).await?;
        }
        clock.advance(Duration::from_millis(1));
        enqueue(&store, OTHER, "b1", 0).await?;
        let mut claimed = Vec::new();
        while let Some(claim) = store.claim("runs", "w", 1000, 2).await? {
            claimed.push(claim.key);
        }
        assert_eq!(claimed, ["a1", "a2", "b1"]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_left_the_queue_is_forgotten_after_a_week_and_what_waits_is_not() {
    each(async |store, clock| {
        enqueue(&store, ORG, "done", 1).await?;
        enqueue(&store, ORG, "waits", 0).await?;
        let done = claim(&store, "a").await?.expect("an item waits");
        finish(&store, done).await?;
        clock.advance(Duration::from_secs(6 * 24 * 60 * 60));
        assert_eq!(store.tidy().await?, 0);
        clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
        assert_eq!(store.tidy().await?, 1);
        assert_eq!(store.queue_position(ORG, "runs", "waits").await?, Some(1));
        assert!(enqueue(&store, ORG, "done", 0).await?);
        Ok(())
    })
    .await;
}
