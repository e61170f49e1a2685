//! The queue: what waits to be worked on. A claim is a lease with a fence; one that ends without a word is
//! claimable again, with a higher fence.

use domain::OrgId;

use crate::dialect::{CLAIM, CLAIM_FENCE};
use crate::error::StoreError;
use crate::lease::Fence;
use crate::store::Store;
use crate::tx::Tx;

/// The topic of the wake-up that [`Tx::enqueue`] and [`Tx::claim_release`] fire.
#[must_use]
pub fn queue_topic(topic: &str) -> String {
    format!("queue/{topic}")
}

/// What is to be put into the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueItem {
    /// The kind of work: `runs`.
    pub topic: String,
    /// What is to be worked on; there is one item for each.
    pub key: String,
    /// Higher goes first.
    pub priority: i64,
    /// Not before, in milliseconds since the Unix epoch.
    pub run_at_ms: i64,
    /// What the worker needs to know.
    pub payload: String,
}

/// An item that is being worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The item's tenant.
    pub org: OrgId,
    /// The kind of work.
    pub topic: String,
    /// What is worked on.
    pub key: String,
    /// What the worker needs to know.
    pub payload: String,
    /// How often it was claimed since it was enqueued, this claim included.
    pub attempts: i64,
    /// Every write of the worker names it.
    pub fence: Fence,
}

/// How much of a topic an org has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueCount {
    /// The org.
    pub org: OrgId,
    /// Not claimed, whether or not its time has come.
    pub waiting: i64,
    /// Claimed.
    pub running: i64,
}

impl Tx {
    /// Puts an item into the queue. Returns false, and changes nothing, when its key is in the queue already
    /// (waiting or claimed); a finished key may be put in again.
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`].
    pub async fn enqueue(&mut self, org: OrgId, item: &QueueItem, now_ms: i64) -> Result<bool, StoreError> {
        let args = [
            org.into(),
            (&item.topic).into(),
            (&item.key).into(),
            item.priority.into(),
            item.run_at_ms.into(),
            (&item.payload).into(),
            now_ms.into(),
        ];
        let changed = self
            .execute(
                "insert into queue as q (org_id, topic, key, priority, run_at_ms, attempts, leased_by,
                    lease_until_ms, fence, payload, created_at_ms, done_at_ms)
                 values ($1, $2, $3, $4, $5, 0, null, 0, 0, $6, $7, null)
                 on conflict (org_id, topic, key) do update set priority = $4, run_at_ms = $5, attempts = 0,
                    leased_by = null, lease_until_ms = 0, payload = $6, created_at_ms = $7, done_at_ms = null
                 where q.done_at_ms is not null",
                &args,
            )
            .await?;
        self.wake(queue_topic(&item.topic));
        Ok(changed > 0)
    }

    /// Takes an item out of the queue, claimed or not. Returns whether it was there.
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`].
    pub async fn dequeue(
        &mut self,
        org: OrgId,
        topic: &str,
        key: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let args = [org.into(), topic.into(), key.into(), now_ms.into()];
        // The fence grows, so that a worker that has claimed the item notices.
        let changed = self
            .execute(
                "update queue set done_at_ms = $4, leased_by = null, lease_until_ms = 0, fence = fence + 1
                 where org_id = $1 and topic = $2 and key = $3 and done_at_ms is null",
                &args,
            )
            .await?;
        self.wake(queue_topic(topic));
        Ok(changed > 0)
    }

    /// Keeps a claim for `ttl_ms` from now.
    ///
    /// # Errors
    ///
    /// [`StoreError::FenceLost`] where somebody else has claimed the item or it left the queue.
    pub async fn claim_renew(&mut self, claim: &Claim, ttl_ms: i64, now_ms: i64) -> Result<(), StoreError> {
        let args = [
            claim.org.into(),
            (&claim.topic).into(),
            (&claim.key).into(),
            claim.fence.0.into(),
            (now_ms + ttl_ms).into(),
        ];
        let changed = self
            .execute(
                "update queue set lease_until_ms = $5 where org_id = $1 and topic = $2 and key = $3
                 and fence = $4 and done_at_ms is null and leased_by is not null",
                &args,
            )
            .await?;
        held(claim, changed)
    }

    /// Takes a claimed item out of the queue: the work is done.
    ///
    /// # Errors
    ///
    /// [`StoreError::FenceLost`] where somebody else has claimed the item or it left the queue.
    pub async fn claim_finish(&mut self, claim: &Claim, now_ms: i64) -> Result<(), StoreError> {
        let args = [
            claim.org.into(),
            (&claim.topic).into(),
            (&claim.key).into(),
            claim.fence.0.into(),
            now_ms.into(),
        ];
        let changed = self
            .execute(
                "update queue set done_at_ms = $5, leased_by = null, lease_until_ms = 0
                 where org_id = $1 and topic = $2 and key = $3 and fence = $4 and done_at_ms is null",
                &args,
            )
            .await?;
        // There is room for another one.
        self.wake(queue_topic(&claim.topic));
        held(claim, changed)
    }

    /// Gives a claimed item back; it may be claimed again from `run_at_ms` on.
    ///
    /// # Errors
    ///
    /// [`StoreError::FenceLost`] where somebody else has claimed the item or it left the queue.
    pub async fn claim_release(&mut self, claim: &Claim, run_at_ms: i64) -> Result<(), StoreError> {
        let args = [
            claim.org.into(),
            (&claim.topic).into(),
            (&claim.key).into(),
            claim.fence.0.into(),
            run_at_ms.into(),
        ];
        let changed = self
            .execute(
                "update queue set run_at_ms = $5, leased_by = null, lease_until_ms = 0
                 where org_id = $1 and topic = $2 and key = $3 and fence = $4 and done_at_ms is null",
                &args,
            )
            .await?;
        self.wake(queue_topic(&claim.topic));
        held(claim, changed)
    }

    /// Makes sure that the claim still stands; nobody can take the item until this transaction ends.
    ///
    /// # Errors
    ///
    /// [`StoreError::FenceLost`] where somebody else has claimed the item or it left the queue.
    pub async fn claim_check(&mut self, claim: &Claim) -> Result<(), StoreError> {
        let args = [claim.org.into(), (&claim.topic).into(), (&claim.key).into()];
        let now = self.fetch_optional(CLAIM_FENCE, &args, |row| row.int(0)).await?;
        held(claim, u64::from(now == Some(claim.fence.0)))
    }

    /// Frees every claim of a topic, whoever holds it. For the only process on a database, at its start: all
    /// holders are dead. Fences stay, so that a holder which is alive after all can write nothing.
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`].
    pub async fn queue_recover(&mut self, topic: &str) -> Result<u64, StoreError> {
        let freed = self
            .execute(
                "update queue set leased_by = null, lease_until_ms = 0, fence = fence + 1
                 where topic = $1 and done_at_ms is null and leased_by is not null",
                &[topic.into()],
            )
            .await?;
        self.wake(queue_topic(topic));
        Ok(freed)
    }

    /// Forgets items that were finished before `before_ms`. A key that is put in again after that starts at
    /// fence 1, so keep them longer than any claim lives.
    pub(crate) async fn queue_forget(&mut self, before_ms: i64) -> Result<u64, StoreError> {
        self.execute("delete from queue where done_at_ms < $1", &[before_ms.into()]).await
    }
}

impl Store {
    /// Claims the next item of `topic` for `ttl_ms`: the highest priority first, then the earliest. Items of an
    /// org that has `most_per_org` claims already are passed over. `None` when there is nothing to do.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], [`StoreError::DiskFull`].
    pub async fn claim(
        &self,
        topic: &str,
        holder: &str,
        ttl_ms: i64,
        most_per_org: u32,
    ) -> Result<Option<Claim>, StoreError> {
        let now_ms = self.ambient().now_ms();
        let args = [topic.into(), now_ms.into()];
        // Looking costs no write, and mostly there is nothing.
        let some = "select 1 from queue where topic = $1 and done_at_ms is null and run_at_ms <= $2
            and lease_until_ms <= $2 limit 1";
        if self.fetch_optional(some, &args, |_| Ok(())).await?.is_none() {
            return Ok(None);
        }
        let (topic, holder) = (topic.to_owned(), holder.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let args = [
                    (&topic).into(),
                    now_ms.into(),
                    most_per_org.into(),
                    holder.into(),
                    (now_ms + ttl_ms).into(),
                ];
                tx.fetch_optional(CLAIM, &args, |row| {
                    Ok(Claim {
                        org: row.parse(0)?,
                        topic,
                        key: row.text(1)?,
                        payload: row.text(2)?,
                        attempts: row.int(3)?,
                        fence: Fence(row.int(4)?),
                    })
                })
                .await
            })
        })
        .await
    }

    /// The place of a waiting item among all that wait, from 1; `None` when it does not wait.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn queue_position(
        &self,
        org: OrgId,
        topic: &str,
        key: &str,
    ) -> Result<Option<i64>, StoreError> {
        let args = [org.into(), topic.into(), key.into(), self.ambient().now_ms().into()];
        self.fetch_optional(
            "select 1 + (select count(*) from queue o
                where o.topic = $2 and o.done_at_ms is null and o.lease_until_ms <= $4
                  and (o.priority > q.priority or (o.priority = q.priority
                    and (o.run_at_ms, o.created_at_ms, o.key) < (q.run_at_ms, q.created_at_ms, q.key))))
             from queue q where q.org_id = $1 and q.topic = $2 and q.key = $3
                and q.done_at_ms is null and q.lease_until_ms <= $4",
            &args,
            |row| row.int(0),
        )
        .await
    }

    /// How many items of a topic each org has.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn queue_counts(&self, topic: &str) -> Result<Vec<QueueCount>, StoreError> {
        let args = [topic.into(), self.ambient().now_ms().into()];
        self.fetch_all(
            "select org_id, sum(case when lease_until_ms <= $2 then 1 else 0 end),
                sum(case when lease_until_ms > $2 then 1 else 0 end)
             from queue where topic = $1 and done_at_ms is null group by org_id order by org_id",
            &args,
            |row| Ok(QueueCount { org: row.parse(0)?, waiting: row.int(1)?, running: row.int(2)? }),
        )
        .await
    }

    /// When the next item of a topic that cannot be claimed yet may be: its time comes or its claim ends.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn queue_next_ms(&self, topic: &str) -> Result<Option<i64>, StoreError> {
        let args = [topic.into(), self.ambient().now_ms().into()];
        self.fetch_one(
            "select min(case when lease_until_ms > run_at_ms then lease_until_ms else run_at_ms end)
             from queue where topic = $1 and done_at_ms is null and (run_at_ms > $2 or lease_until_ms > $2)",
            &args,
            |row| row.opt_int(0),
        )
        .await
    }
}

fn held(claim: &Claim, changed: u64) -> Result<(), StoreError> {
    if changed == 0 {
        return Err(StoreError::FenceLost { name: format!("{}/{}", claim.topic, claim.key) });
    }
    Ok(())
}
