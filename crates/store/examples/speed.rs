//! Measures the log by hand: `cargo run --release -p store --example speed -- <folder or postgres URL>`.

use std::time::Duration;

use domain::OrgId;
use nix::sys::time::TimeValLike;
use runtime::{Ambient, Supervisor};
use store::{BlobsConfig, Claim, DatabaseConfig, NewEvent, QueueItem, Range, Store, StoreConfig, StoreError};

const ORG: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(1));
const WRITERS: i64 = 50;
const EVENTS: i64 = 1000;
const BODY: &str = r#"{"turn":7,"call":{"id":"call_123456","name":"bash","arguments":{"command":"echo hello"}},"label":{"verb":"Ran","target":"echo hello"}}"#;

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "what is measured runs as a task, as in the server")]
async fn main() -> Result<(), StoreError> {
    let place = std::env::args().nth(1).unwrap_or_else(|| "speed-of-store".to_owned());
    let clock = Ambient::system().clock;
    open(&place).await?.close().await;
    let start = clock.elapsed();
    let store = open(&place).await?;
    say(&format!("open: {:?}", clock.elapsed() - start));

    let alone = store.clone();
    let lone = tokio::spawn(async move {
        lone_appends(&alone, "warm-up", 20).await?;
        lone_appends(&alone, "run/lone", 1000).await
    });
    let lone = lone.await.map_err(|error| StoreError::internal("write", error))??;
    report("lone append, median and 95th of 1000", &lone);
    report("fsync alone, median and 95th of 200", &syncs(&place, &store));

    rounds(&store, 1, 1000).await?;
    rounds(&store, WRITERS, 100).await?;

    let start = clock.elapsed();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        tasks.spawn(async move { burst(&store, format!("run/{writer}")).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| StoreError::internal("write", error))??;
    }
    let seconds = (clock.elapsed() - start).as_secs_f64();
    let rate = 50_000.0 / seconds;
    say(&format!("{WRITERS} writers, {EVENTS} events each, every one durable: {rate:.0} events/s"));

    for _ in 0..9 {
        burst_together(&store, "run/0").await?;
    }
    for _ in 0..3 {
        let start = clock.elapsed();
        let page = store.raw_events(ORG, "run/0", Range::After { seq: 0, limit: 10_000 }).await?;
        say(&format!("a page of {} raw events: {:?}", page.len(), clock.elapsed() - start));
    }
    let start = clock.elapsed();
    let page = store.events(ORG, "run/0", Range::After { seq: 0, limit: 10_000 }).await?;
    say(&format!("a page of {} parsed events: {:?}", page.len(), clock.elapsed() - start));
    let mut reads = Vec::new();
    for _ in 0..1000 {
        let start = clock.elapsed();
        store.head(ORG, "run/0").await?;
        reads.push(clock.elapsed() - start);
    }
    report("one read, median and 95th of 1000", &reads);
    store.close().await;
    Ok(())
}

async fn open(place: &str) -> Result<Store, StoreError> {
    let folder =
        std::path::PathBuf::from(if place.starts_with("postgres") { "speed-of-store" } else { place });
    std::fs::create_dir_all(&folder).map_err(|error| StoreError::internal("make the folder", error))?;
    let database = if place.starts_with("postgres") {
        DatabaseConfig::Postgres { url: place.to_owned(), pool: 20 }
    } else {
        DatabaseConfig::Sqlite { path: folder.join("journeyman.db") }
    };
    let config = StoreConfig::new(database, BlobsConfig::Folder { path: folder.join("blobs") });
    Store::open(config, Ambient::system(), &Supervisor::new()).await
}

async fn append(store: &Store, stream: &str) -> Result<i64, StoreError> {
    let stream = stream.to_owned();
    store
        .write(move |tx| Box::pin(async move { tx.append(ORG, &stream, 1, "tool.started", BODY).await }))
        .await
}

/// Rounds of an agent: two writes each, as a run's journal makes them. Tells the time and the CPU of one.
async fn rounds(store: &Store, writers: i64, count: i64) -> Result<(), StoreError> {
    let mut claims = Vec::new();
    let name = store.ambient().uuid();
    for writer in 0..writers {
        let item = QueueItem {
            topic: format!("speed {name}"),
            key: format!("run/{writer}"),
            priority: 0,
            run_at_ms: 0,
            payload: String::new(),
        };
        let topic = item.topic.clone();
        store.write(move |tx| Box::pin(async move { tx.enqueue(ORG, &item, 0).await })).await?;
        let claimed = store.claim(&topic, "speed", 10_000_000, u32::MAX).await?;
        claims.push(claimed.ok_or(StoreError::NotFound { what: "the item" })?);
    }
    let clock = store.ambient().clock.clone();
    let (start, used) = (clock.elapsed(), cpu());
    let mut tasks = tokio::task::JoinSet::new();
    for claim in claims {
        let store = store.clone();
        tasks.spawn(async move {
            let clock = store.ambient().clock.clone();
            let mut times = Vec::new();
            for _ in 0..count {
                let start = clock.elapsed();
                step(&store, &claim, 3).await?;
                step(&store, &claim, 3).await?;
                times.push(clock.elapsed() - start);
            }
            Ok::<_, StoreError>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done.map_err(|error| StoreError::internal("write", error))??);
    }
    let (wall, used) = (clock.elapsed() - start, cpu().saturating_sub(used));
    let each = |whole: Duration| whole / u32::try_from(writers * count).unwrap_or(1);
    report(&format!("{writers} at once: a round of two writes of three events, median and 95th"), &times);
    say(&format!("  a round of all: {:?} of the clock, {:?} of the CPU", each(wall), each(used)));
    Ok(())
}

/// One write of a run's journal: the claim, the events, the run's row.
async fn step(store: &Store, claim: &Claim, count: usize) -> Result<i64, StoreError> {
    let claim = claim.clone();
    let event = NewEvent { at_ms: 1, kind: "tool.started".to_owned(), body: BODY.to_owned() };
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.claim_check(&claim).await?;
                let last = tx.append_many(ORG, &claim.key, &vec![event; count]).await?;
                let row = [(&claim.key).into(), format!("{last} {BODY}{BODY}{BODY}{BODY}").into()];
                tx.execute(
                    "insert into meta (name, value) values ($1, $2)
                     on conflict (name) do update set value = excluded.value",
                    &row,
                )
                .await?;
                Ok(last)
            })
        })
        .await
}

/// What this process has used of the CPU.
fn cpu() -> Duration {
    let Ok(used) = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let parts = [used.user_time(), used.system_time()];
    parts.iter().map(|time| Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0))).sum()
}

async fn burst(store: &Store, stream: String) -> Result<(), StoreError> {
    for _ in 0..EVENTS {
        append(store, &stream).await?;
    }
    Ok(())
}

async fn burst_together(store: &Store, stream: &'static str) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            Box::pin(async move {
                for _ in 0..EVENTS {
                    tx.append(ORG, stream, 1, "tool.started", BODY).await?;
                }
                Ok(())
            })
        })
        .await
}

async fn lone_appends(store: &Store, stream: &str, count: usize) -> Result<Vec<Duration>, StoreError> {
    let clock = store.ambient().clock.clone();
    let mut times = Vec::new();
    for _ in 0..count {
        let start = clock.elapsed();
        append(store, stream).await?;
        times.push(clock.elapsed() - start);
    }
    Ok(times)
}

/// What the disk itself takes for 4 KiB and a sync.
fn syncs(place: &str, store: &Store) -> Vec<Duration> {
    use std::io::Write;
    let folder = if place.starts_with("postgres") { "speed-of-store" } else { place };
    let Ok(mut file) = std::fs::File::create(std::path::Path::new(folder).join("sync")) else {
        return Vec::new();
    };
    let clock = &store.ambient().clock;
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = clock.elapsed();
        if file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).is_err() {
            break;
        }
        times.push(clock.elapsed() - start);
    }
    times
}

fn report(what: &str, times: &[Duration]) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    say(&format!("{what}: {:?}, {:?}", at(50), at(95)));
}

#[expect(clippy::print_stdout, reason = "the figures are this program's answer")]
fn say(line: &str) {
    println!("{line}");
}
