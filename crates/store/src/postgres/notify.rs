//! Wake-ups between processes that share a Postgres database: `notify` out, `listen` in.
//!
//! A wake-up that is lost costs a waiter one poll, so they are sent after the commit and without waiting.

use std::time::Duration;

use runtime::{Ambient, CancellationToken, Supervisor};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::mpsc;

use crate::error::{StoreError, from_sqlx};
use crate::wakeups::Wakeups;

/// Topics that may wait to be sent; beyond that they are dropped.
const WAITING: usize = 4096;

/// Between two tries to connect anew; meanwhile waiters poll.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The longest payload that Postgres takes is 8,000 bytes.
const LONGEST: usize = 7_900;

/// Sends topics to other processes.
pub(super) struct Notifier(mpsc::Sender<Vec<String>>);

impl Notifier {
    /// Starts sending and receiving.
    pub(super) async fn start(
        tasks: &Supervisor,
        pool: PgPool,
        wakeups: Wakeups,
        ambient: Ambient,
    ) -> Result<Self, StoreError> {
        let doing = "listen for wake-ups";
        let schema: String = sqlx::query_scalar("select coalesce(current_schema(), 'public')")
            .fetch_one(&pool)
            .await
            .map_err(|error| from_sqlx(doing, error))?;
        // Each process tells itself from others, so that it is not woken twice.
        let origin = ambient.uuid().simple().to_string();
        let channel = format!("journeyman_{schema}");
        let listener = listen(&pool, &channel).await.map_err(|error| from_sqlx(doing, error))?;

        let (sender, receiver) = mpsc::channel(WAITING);
        let stop = tasks.stopping();
        let ears = Ears { pool: pool.clone(), channel: channel.clone(), origin: origin.clone(), wakeups };
        tasks.spawn("store listener", ears.receive(listener, stop.clone()));
        tasks.spawn("store notifier", send(pool, channel, origin, receiver, stop));
        Ok(Self(sender))
    }

    /// Wakes listeners in other processes, soon.
    pub(super) fn tell(&self, topics: Vec<String>) {
        if !topics.is_empty() && self.0.try_send(topics).is_err() {
            tracing::debug!("wake-ups for other processes were dropped; they poll");
        }
    }
}

async fn send(
    pool: PgPool,
    channel: String,
    origin: String,
    mut topics: mpsc::Receiver<Vec<String>>,
    stop: CancellationToken,
) {
    let mut waiting = Vec::new();
    loop {
        let count = tokio::select! {
            () = stop.cancelled() => return,
            count = topics.recv_many(&mut waiting, WAITING) => count,
        };
        if count == 0 {
            return;
        }
        let mut all: Vec<String> = waiting.drain(..).flatten().collect();
        all.sort_unstable();
        all.dedup();
        let lines: Vec<String> = all
            .into_iter()
            .filter(|topic| topic.len() < LONGEST - origin.len())
            .map(|topic| format!("{origin} {topic}"))
            .collect();
        let sent = sqlx::query("select pg_notify($1, line) from unnest($2::text[]) as line")
            .bind(&channel)
            .bind(lines)
            .execute(&pool)
            .await;
        if let Err(error) = sent {
            tracing::debug!(error = %error, "wake-ups for other processes were not sent; they poll");
        }
    }
}

async fn listen(pool: &PgPool, channel: &str) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.ignore_pool_close_event(true);
    listener.listen(channel).await?;
    Ok(listener)
}

/// Hears what other processes tell.
struct Ears {
    pool: PgPool,
    channel: String,
    origin: String,
    wakeups: Wakeups,
}

impl Ears {
    async fn receive(self, mut listener: PgListener, stop: CancellationToken) {
        // Ends at the stop, and with it the connection.
        let _ = stop
            .run_until_cancelled(async {
                loop {
                    self.hear(&mut listener).await;
                    listener = self.listen_again().await;
                }
            })
            .await;
    }

    /// Passes wake-ups on until the connection is lost.
    async fn hear(&self, listener: &mut PgListener) {
        loop {
            match listener.try_recv().await {
                Ok(Some(message)) => match message.payload().split_once(' ') {
                    Some((from, topic)) if from != self.origin => self.wakeups.fire(topic),
                    _ => {}
                },
                // The connection was lost and is new.
                Ok(None) => self.wakeups.fire_all(),
                Err(error) => {
                    tracing::warn!(error = %error, "wake-ups from other processes cannot be heard");
                    return;
                }
            }
        }
    }

    /// Connects anew. Anything may have happened meanwhile, so everybody is woken.
    async fn listen_again(&self) -> PgListener {
        loop {
            if let Ok(listener) = listen(&self.pool, &self.channel).await {
                self.wakeups.fire_all();
                return listener;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}
