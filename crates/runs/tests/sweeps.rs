//! What is removed by itself: prepared repositories that no run needs, and folders without a run.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use runs::{CacheLimits, RunRef, RunView};
use testkit::database::TestDatabase;
use testkit::repository::Repository;
use testkit::world::{World, wish};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[expect(clippy::unwrap_used, reason = "a test without its run cannot go on")]
async fn finished(world: &World, database: &TestDatabase, repository: &Repository) -> RunView {
    let path = database.folder().join("scenario.toml");
    let text = "title = \"test\"\n[[turn]]\ncalls = [{ tool = \"bash\", arguments = { command = \"echo x >> a\" } }]\n[[turn]]\nsay = \"Done.\"\nrepeat = 9\n";
    std::fs::write(&path, text).unwrap();
    let run = world.runs.create(&world.write(), wish(&repository.path(), &path), None).await.unwrap();
    world.reach(&run, &["succeeded"]).await
}

/// The folders of whole bases.
#[expect(clippy::unwrap_used, reason = "a test without its folder cannot go on")]
fn bases(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data.join("bases")).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("base.json").is_file()).collect()
}

/// Lets a base be one that was used last so long ago.
#[expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "files carry the machine's time")]
fn unused_for(base: &Path, time: Duration) {
    let file = std::fs::File::open(base.join("base.json")).unwrap();
    file.set_modified(SystemTime::now() - time).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_repositories_go_when_no_run_needs_them_and_time_has_passed() {
    let database = TestDatabase::sqlite();
    let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
    let repository = Repository::with(&[("a", "1\n")]);
    let first = finished(&world, &database, &repository).await;
    let old = bases(database.folder()).pop().unwrap();
    repository.git(&["commit", "--quiet", "--allow-empty", "-m", "next"]);
    let second = finished(&world, &database, &repository).await;
    for base in bases(database.folder()) {
        unused_for(&base, DAY * 8);
    }
    assert_eq!(world.runs.sweep().await.unwrap().bases, 0, "both are needed");

    world.runs.delete(&world.write(), RunRef::Id(first.id)).await.unwrap();
    unused_for(&old, DAY * 6);
    assert_eq!(world.runs.sweep().await.unwrap().bases, 0, "it was used a few days ago");
    unused_for(&old, DAY * 8);
    assert_eq!(world.runs.sweep().await.unwrap().bases, 1);
    assert!(!old.exists());
    assert_eq!(world.runs.cache_size().await.unwrap().bases, 1);

    world.runs.continue_with(&world.write(), RunRef::Id(second.id), "Once more").await.unwrap();
    world.reach(&second, &["succeeded"]).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_repositories_that_are_too_large_together_go_longest_unused_first() {
    let database = TestDatabase::sqlite();
    let store = database.open(runtime::Ambient::system()).await;
    let limits = CacheLimits { days: 7, bytes: 1_000_000 };
    let world = World::open_keeping(store, database.folder(), limits).await;
    let mut made: Vec<PathBuf> = Vec::new();
    for days in [3, 2, 1] {
        // Packed and checked out, each takes a little less than half of what fits, and they differ.
        let text: String = (0..40_000).map(|line| format!("{days} {line}\n")).collect();
        let repository = Repository::with(&[("a", &text)]);
        let run = finished(&world, &database, &repository).await;
        world.runs.delete(&world.write(), RunRef::Id(run.id)).await.unwrap();
        let base = bases(database.folder()).into_iter().find(|base| !made.contains(base)).unwrap();
        unused_for(&base, DAY * days);
        made.push(base);
    }
    let before = world.runs.cache_size().await.unwrap();
    assert!(before.bytes > limits.bytes && before.bytes < limits.bytes * 2, "{before:?}");
    world.runs.sweep().await.unwrap();
    let after = world.runs.cache_size().await.unwrap();
    assert!(after.bytes <= limits.bytes && after.bases >= 1, "{after:?}");
    assert!(!made[0].exists() && made[2].exists());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_of_runs_that_are_no_more_go_and_others_stay() {
    let database = TestDatabase::sqlite();
    let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
    let run = finished(&world, &database, &Repository::with(&[("a", "1\n")])).await;
    let runs = database.folder().join("runs");
    let orphan = runs.join("run01a1fc66969d7dd79cf3ae8eb2b73c17");
    std::fs::create_dir_all(orphan.join("box/upper/locked")).unwrap();
    std::fs::create_dir_all(runs.join("notes")).unwrap();
    assert_eq!(world.runs.sweep().await.unwrap().folders, 1);
    assert!(!orphan.exists());
    assert!(runs.join("notes").is_dir() && runs.join(run.id.to_string()).is_dir());
    world.close().await;
}
