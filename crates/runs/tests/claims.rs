//! What a worker may still do once its run is another's.

use runs::RunRef;
use testkit::database;
use testkit::repository::Repository;
use testkit::world::{World, wish};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lost_its_claim_while_it_delivers_leaves_the_branch_alone() {
    let database = database::TestDatabase::sqlite();
    let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
    let repository = Repository::with(&[("a", "1\n")]);
    let text = r#"title = "test"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "echo 2 >> a" } }]
[[turn]]
say = "Two."
[[turn]]
calls = [{ tool = "bash", arguments = { command = "echo 3 >> a" } }]
[[turn]]
say = "Three."
"#;
    let path = database.folder().join("scenario.toml");
    std::fs::write(&path, text).unwrap();
    let wish = wish(&repository.path(), &path);
    let run = world.runs.create(&world.write(), wish, None).await.unwrap();
    let first = world.reach(&run, &["succeeded"]).await;
    // A worktree whose HEAD can be read only when we say so: looking whether the branch is checked out there
    // is the last thing before it is moved.
    let head = repository.path().join(".git/worktrees/slow/HEAD");
    std::fs::create_dir_all(head.parent().unwrap()).unwrap();
    nix::unistd::mkfifo(&head, nix::sys::stat::Mode::S_IRWXU).unwrap();
    world.runs.continue_with(&world.write(), RunRef::Id(run.id), "Now three").await.unwrap();
    let opened = tokio::task::spawn_blocking(move || std::fs::File::options().write(true).open(head));
    let writer = opened.await.unwrap().unwrap();

    let key = run.id.to_string();
    let taken = world.store.write(move |tx| {
        Box::pin(async move {
            let stolen = "update queue set fence = fence + 1, leased_by = 'another' where key = $1";
            tx.execute(stolen, &[key.as_str().into()]).await
        })
    });
    assert_eq!(taken.await.unwrap(), 1);
    drop(writer);
    world.close().await;

    let branches =
        repository.git(&["for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/journeyman"]);
    assert_eq!(branches, format!("{} {}", first.branch.unwrap(), first.commit.unwrap()));
}
