//! Writing a result into the working tree, as git itself would have checked it out.

use std::path::{Path, PathBuf};

use runs::{NewRun, RunRef, RunView};
use testkit::database::TestDatabase;
use testkit::repository::Repository;
use testkit::world::{World, wish};

/// A scenario that runs one command and is done.
#[expect(clippy::unwrap_used, reason = "a test without its scenario cannot go on")]
fn scenario(folder: &Path, command: &str) -> PathBuf {
    let path = folder.join("scenario.toml");
    let text = format!(
        "title = \"test\"\n[[turn]]\ncalls = [{{ tool = \"bash\", arguments = {{ command = {command:?} }} }}]\n\
         [[turn]]\nsay = \"Done.\"\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// A run of `command` that has succeeded.
#[expect(clippy::unwrap_used, reason = "a test without its run cannot go on")]
async fn delivered(
    world: &World,
    database: &TestDatabase,
    repository: &Repository,
    command: &str,
) -> RunView {
    let wish: NewRun = wish(&repository.path(), &scenario(database.folder(), command));
    let run = world.runs.create(&world.write(), wish, None).await.unwrap();
    world.reach(&run, &["succeeded"]).await
}

async fn open(database: &TestDatabase) -> World {
    World::open(database.open(runtime::Ambient::system()).await, database.folder()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn line_ends_and_ids_of_the_working_tree_are_applied_as_git_checks_them_out() {
    let database = TestDatabase::sqlite();
    let world = open(&database).await;
    let repository = Repository::with(&[
        (".gitattributes", "*.bat text eol=crlf\n*.sh text=auto\n*.c ident\nraw.bat -text\n"),
        ("run.bat", "one\ntwo\n"),
        ("raw.bat", "one\n"),
        ("main.c", "// $Id$\nint x;\n"),
        ("plain", "one\n"),
    ]);
    for file in ["run.bat", "main.c"] {
        std::fs::remove_file(repository.path().join(file)).unwrap();
        repository.git(&["checkout", "--quiet", "--", file]);
    }
    assert_eq!(repository.read("run.bat"), "one\r\ntwo\r\n", "git converts line ends here");
    assert!(repository.read("main.c").starts_with("// $Id: "), "git expands ids here");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");

    let command = "for f in run.bat raw.bat plain; do echo three >> $f; done; printf 'int y;\\n' >> main.c; printf 'a\\nb\\n' > new.bat";
    let run = delivered(&world, &database, &repository, command).await;
    world.runs.apply(&world.write(), RunRef::Id(run.id)).await.unwrap();

    let branch = run.branch.unwrap();
    let applied: Vec<String> =
        ["run.bat", "raw.bat", "main.c", "plain", "new.bat"].map(|file| repository.read(file)).to_vec();
    repository.git(&["checkout", "--quiet", "--force", &branch]);
    for file in ["run.bat", "raw.bat", "main.c", "plain", "new.bat"] {
        std::fs::remove_file(repository.path().join(file)).unwrap();
    }
    repository.git(&["checkout", "--quiet", "--", "."]);
    let checked_out: Vec<String> =
        ["run.bat", "raw.bat", "main.c", "plain", "new.bat"].map(|file| repository.read(file)).to_vec();
    assert_eq!(applied, checked_out);
    assert_eq!(applied[0].matches("\r\n").count(), 3);

    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("run.bat", "mine\r\n");
    let refused = world.runs.apply(&world.write(), RunRef::Id(run.id)).await;
    assert!(
        matches!(&refused, Err(runs::Error::WouldOverwrite { paths }) if paths == &["run.bat"]),
        "{refused:?}"
    );
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_a_filter_made_is_refused_with_the_filters_name() {
    let database = TestDatabase::sqlite();
    let world = open(&database).await;
    let repository = Repository::with(&[(".gitattributes", "*.big filter=shrink\n"), ("a.big", "small\n")]);
    let run = delivered(&world, &database, &repository, "echo smaller > a.big").await;
    repository.write("a.big", "what the filter made of it\n");
    let refused = world.runs.apply(&world.write(), RunRef::Id(run.id)).await.unwrap_err().to_string();
    assert!(refused.contains("its filter `shrink` is not run here; merge the branch instead"), "{refused}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_becomes_a_file_and_a_file_a_folder() {
    let database = TestDatabase::sqlite();
    let world = open(&database).await;
    let repository =
        Repository::with(&[("was/deep/a", "1\n"), ("was/b", "2\n"), ("file", "3\n"), ("other", "4\n")]);
    std::os::unix::fs::symlink("other", repository.path().join("link")).unwrap();
    repository.git(&["add", "link"]);
    repository.git(&["commit", "--quiet", "-m", "link"]);
    let command = "rm -r was && echo now > was && rm file && mkdir -p file/in && echo x > file/in/it && rm link && mkdir link && echo y > link/z";
    let run = delivered(&world, &database, &repository, command).await;

    repository.write("was/deep/mine", "not in git\n");
    let refused = world.runs.apply(&world.write(), RunRef::Id(run.id)).await;
    assert!(
        matches!(&refused, Err(runs::Error::WouldOverwrite { paths }) if paths == &["was/deep/mine"]),
        "{refused:?}"
    );
    assert_eq!((repository.read("was/b").as_str(), repository.read("file").as_str()), ("2\n", "3\n"));

    std::fs::remove_file(repository.path().join("was/deep/mine")).unwrap();
    std::fs::create_dir_all(repository.path().join("was/empty/folder")).unwrap();
    for _ in 0..2 {
        world.runs.apply(&world.write(), RunRef::Id(run.id)).await.unwrap();
        repository.git(&["add", "--all"]);
        assert_eq!(repository.git(&["diff", "--cached", "--stat", run.branch.as_deref().unwrap()]), "");
    }
    assert_eq!(repository.read("was"), "now\n");
    assert_eq!(repository.read("link/z"), "y\n");
    world.close().await;
}
