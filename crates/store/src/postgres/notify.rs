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
        let mut listener = PgListener::connect_with(&pool).await.map_err(|error| from_sqlx(doing, error))?;
        listener.ignore_pool_close_event(true);
        listener.listen(&channel).await.map_err(|error| from_sqlx(doing, error))?;

        let (sender, receiver) = mpsc::channel(WAITING);
        let stop = tasks.stopping();
        tasks.spawn("store listener", receive(listener, origin.clone(), wakeups, stop.clone()));
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

async fn receive(mut listener: PgListener, origin: String, wakeups: Wakeups, stop: CancellationToken) {
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = listener.try_recv() => received,
        };
        match received {
            Ok(Some(message)) => match message.payload().split_once(' ') {
                Some((from, topic)) if from != origin => wakeups.fire(topic),
                _ => {}
            },
            // The connection was lost and is new: anything may have happened meanwhile.
            Ok(None) => wakeups.fire_all(),
            Err(error) => {
                tracing::warn!(error = %error, "wake-ups from other processes cannot be heard; polling");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        }
    }
}
