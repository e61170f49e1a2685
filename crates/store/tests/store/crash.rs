//! A process that is killed in the middle of its writes loses nothing that it was told is durable.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use domain::OrgId;
use runtime::{Ambient, Env, Supervisor};
use store::{BlobsConfig, DatabaseConfig, Range, Store, StoreConfig, StoreError};

const ORG: OrgId = OrgId::from_uuid(uuid::Uuid::from_u128(1));
const FOLDER: &str = "STORE_CRASH_FOLDER";
const WRITERS: usize = 8;

async fn open(folder: &Path) -> Store {
    let database = DatabaseConfig::Sqlite { path: folder.join("journeyman.db") };
    let config = StoreConfig::new(database, BlobsConfig::Folder { path: folder.join("blobs") });
    Store::open(config, Ambient::system(), &Supervisor::new()).await.expect("open the store")
}

/// What is killed: it says each event once that is durable. Not a test by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the test below"]
async fn child_that_writes_until_it_is_killed() {
    let folder = Env::of_process().path(FOLDER).expect("started by the test below");
    let store = open(&folder).await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        tasks.spawn(async move {
            for n in 1_u64.. {
                let stream = format!("run/{writer}");
                let seq = store
                    .write(move |tx| {
                        Box::pin(async move {
                            // Two events in one transaction: both or none.
                            tx.append(ORG, &stream, 1, "first", &n.to_string()).await?;
                            tx.append(ORG, &stream, 1, "second", &n.to_string()).await
                        })
                    })
                    .await?;
                println!("durable {writer} {seq}");
            }
            Ok::<_, StoreError>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("a writer does not panic").expect("a writer goes on");
    }
}

#[tokio::test]
async fn kill_9_in_the_middle_of_writes_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let mut told = [0_i64; WRITERS];
    // Each round kills a process that found what the one before had left.
    for lines in [50, 400, 7] {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "--nocapture", "crash::child_that_writes_until_it_is_killed"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the child");
        let mut output = BufReader::new(child.stdout.take().expect("the child's output")).lines();
        let mut note = |line: &str| {
            let mut words = line.split_whitespace().skip_while(|word| *word != "durable").skip(1);
            let writer = words.next().and_then(|word| word.parse::<usize>().ok());
            let seq = words.next().and_then(|word| word.parse::<i64>().ok());
            let (Some(writer), Some(seq)) = (writer, seq) else { return false };
            told[writer] = told[writer].max(seq);
            true
        };
        let mut seen = 0;
        while seen < lines {
            let line = output.next().expect("the child goes on").expect("its output reads");
            seen += usize::from(note(&line));
        }
        child.kill().expect("kill the child");
        child.wait().expect("the child has ended");
        // What it had said before it died counts as well; the last line may be cut.
        let rest: Vec<String> = output.map_while(Result::ok).collect();
        for line in rest.iter().rev().skip(1) {
            note(line);
        }
    }

    let store = open(folder.path()).await;
    for (writer, told) in told.into_iter().enumerate() {
        let stream = format!("run/{writer}");
        let range = Range::After { seq: 0, limit: 1_000_000 };
        let events = store.raw_events(ORG, &stream, range).await.expect("the log reads");
        let found = i64::try_from(events.len()).expect("a count");
        assert!(found >= told, "writer {writer} was told {told} and left {found}");
        assert_eq!(found % 2, 0, "half a transaction was kept");
        for (index, event) in events.iter().enumerate() {
            assert_eq!(event.seq, i64::try_from(index).expect("an index") + 1);
            assert_eq!(event.kind, if index % 2 == 0 { "first" } else { "second" });
        }
    }
    assert!(told.iter().sum::<i64>() > 800, "{told:?}");
    store.close().await;
}
