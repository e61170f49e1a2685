//! The event log by itself, on SQLite: what many writers get through, and how fast a long page opens.

use std::time::Instant;

use domain::OrgId;
use runtime::{Ambient, Supervisor};
use store::{BlobsConfig, DatabaseConfig, NewEvent, Range, Store, StoreConfig, StoreError};

use crate::figures::{Figure, median, quantile};
use crate::folder::Folder;

use super::Plan;

const ORG: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(1));
const WRITERS: u32 = 50;
const EVENTS_OF_EACH: u32 = 400;
const PAGE: u32 = 10_000;

/// Each writer has a run's stream of its own and waits for each event to be durable.
pub(super) fn measure(plan: &Plan) -> Result<Vec<Figure>, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start tokio: {error}"))?;
    let folder = Folder::new()?;
    runtime.block_on(all(plan.runs, &folder)).map_err(|error| format!("the store: {error}"))
}

async fn all(runs: u32, folder: &Folder) -> Result<Vec<Figure>, StoreError> {
    let config = StoreConfig::new(
        DatabaseConfig::Sqlite { path: folder.path().join("journeyman.sqlite") },
        BlobsConfig::Folder { path: folder.path().join("blobs") },
    );
    let store = Store::open(config, Ambient::system(), &Supervisor::new()).await?;

    let (mut rates, mut waits) = (Vec::new(), Vec::new());
    for run in 0..runs {
        let begin = Instant::now();
        waits.extend(write_at_once(&store, run).await?);
        rates.push(f64::from(WRITERS * EVENTS_OF_EACH) / begin.elapsed().as_secs_f64());
    }
    let page = page_ms(&store, runs).await?;
    store.close().await;
    Ok(vec![
        Figure::new("log: durable events from 50 writers", median(&rates), "1/s").at_least(5_000.0),
        Figure::new("log: one event until it is durable, p50", quantile(&waits, 0.5), "ms"),
        Figure::new("log: one event until it is durable, p95", quantile(&waits, 0.95), "ms"),
        Figure::new("log: a page of 10,000 events", page, "ms").at_most(1_000.0),
    ])
}

/// Returns how long each event took.
async fn write_at_once(store: &Store, run: u32) -> Result<Vec<f64>, StoreError> {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (store, stream) = (store.clone(), format!("run/{run}-{writer}"));
        writers.spawn(async move {
            let mut waits = Vec::new();
            for number in 0..EVENTS_OF_EACH {
                let begin = Instant::now();
                let (stream, body) = (stream.clone(), body(number));
                store
                    .write(move |tx| {
                        Box::pin(async move { tx.append(ORG, &stream, 1, "tool.ended", &body).await })
                    })
                    .await?;
                waits.push(begin.elapsed().as_secs_f64() * 1e3);
            }
            Ok::<_, StoreError>(waits)
        });
    }
    let mut all = Vec::new();
    for waits in writers.join_all().await {
        all.extend(waits?);
    }
    Ok(all)
}

/// The middle of several openings of one long stream.
async fn page_ms(store: &Store, runs: u32) -> Result<f64, StoreError> {
    let event = |number| NewEvent { at_ms: 1, kind: "tool.ended".to_owned(), body: body(number) };
    let events: Vec<NewEvent> = (0..PAGE).map(event).collect();
    store.write(move |tx| Box::pin(async move { tx.append_many(ORG, "run/long", &events).await })).await?;
    let mut times = Vec::new();
    for _ in 0..runs {
        let begin = Instant::now();
        let page = store.events(ORG, "run/long", Range::After { seq: 0, limit: PAGE }).await?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        debug_assert_eq!(page.len(), PAGE as usize);
    }
    Ok(median(&times))
}

/// As large as the event of a small tool call.
fn body(number: u32) -> String {
    let output = "round\\n".repeat(40);
    format!(
        "{{\"turn\":{number},\"call\":\"call_bench_{number:04}\",\"duration_ms\":3,\"outcome\":{{\"ok\":true,\"text\":\"{output}\"}}}}"
    )
}
