//! From a goal to a branch, through the real sandbox, with scripted models, on both databases.

use std::path::{Path, PathBuf};

use domain::event::RunEvent;
use domain::question::Answer;
use runs::{NewRun, RunRef};
use testkit::database;
use testkit::repository::{Repository, git_in};
use testkit::world::{World, wish};

type Fallible = Result<(), Box<dyn std::error::Error>>;

#[expect(clippy::unwrap_used, reason = "a test without its scenario cannot go on")]
fn scenario(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("scenario.toml");
    std::fs::write(&path, format!("title = \"test\"\n{text}")).unwrap();
    path
}

const EDIT: &str = r#"
[[turn]]
say = "I change the greeting."
calls = [
    { tool = "edit_file", arguments = { path = "greet.sh", old_string = "Hello", new_string = "Good day" } },
    { tool = "write_file", arguments = { path = "docs/new file.md", content = "About greetings\n" } },
    { tool = "bash", arguments = { command = "sh greet.sh" } },
]
[[turn]]
say = "The greeting is polite now."
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_arrives_as_a_branch_with_the_runs_id_and_the_working_tree_stays() {
    database::each_database(async |database| -> Fallible {
        let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
        let repository = Repository::with(&[("greet.sh", "echo Hello\n"), ("gone.txt", "x\n")]);
        let mut wish = wish(&repository.path(), &scenario(database.folder(), EDIT));
        wish.check = Some("sh greet.sh | grep -q 'Good day'".to_owned());

        let run = world.runs.create(&world.write(), wish, None).await?;
        let done = world.reach(&run, &["succeeded"]).await;

        let branch = done.branch.clone().unwrap();
        assert_eq!(branch, "journeyman/1-do-what-the-scenario-says");
        assert_eq!(repository.git(&["show", &format!("{branch}:greet.sh")]), "echo Good day");
        assert_eq!(repository.git(&["show", &format!("{branch}:docs/new file.md")]), "About greetings");
        let commit = repository.git(&["log", "-1", "--format=%an <%ae>%n%B", &branch]);
        assert_eq!(
            commit,
            format!(
                "Mira <mira@example.test>\nDo what the scenario says\n\nThe greeting is polite now.\n\nJourneyman-Run: {}",
                run.id
            )
        );
        assert_eq!(repository.git(&["rev-list", "--count", &format!("main..{branch}")]), "1");
        assert_eq!(repository.git(&["status", "--porcelain"]), "");
        assert_eq!(repository.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
        assert_eq!(repository.read("greet.sh"), "echo Hello\n");
        repository.git(&["fsck", "--strict"]);

        let diff = world.runs.diff(&world.read(), RunRef::Number(1)).await?;
        let paths: Vec<&str> = diff.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["docs/new file.md", "greet.sh"]);

        let applied = world.runs.apply(&world.write(), RunRef::Id(run.id)).await?;
        assert_eq!(applied.applied.len(), 2);
        assert_eq!(repository.read("greet.sh"), "echo Good day\n");
        assert_eq!(repository.read("docs/new file.md"), "About greetings\n");
        repository.git(&["add", "--all"]);
        assert_eq!(repository.git(&["diff", "--cached", "--stat", &branch]), "");
        world.close().await;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_adds_to_the_same_branch() {
    database::each_database(async |database| -> Fallible {
        let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
        let repository = Repository::with(&[("a", "1\n")]);
        let text = r#"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "echo 2 >> a" } }]
[[turn]]
say = "Two."
[[turn]]
expect = "three"
calls = [{ tool = "bash", arguments = { command = "echo 3 >> a; cat a" } }]
[[turn]]
say = "Three."
"#;
        let wish = NewRun { apply: true, ..wish(&repository.path(), &scenario(database.folder(), text)) };
        let run = world.runs.create(&world.write(), wish, None).await?;
        let first = world.reach(&run, &["succeeded"]).await;
        assert_eq!(repository.read("a"), "1\n2\n");

        world.runs.continue_with(&world.write(), RunRef::Id(run.id), "Now three, please").await?;
        let second = world.reach(&first, &["succeeded"]).await;

        assert_eq!(first.branch, second.branch);
        let branch = second.branch.clone().unwrap();
        assert_eq!(repository.git(&["rev-list", "--count", &format!("main..{branch}")]), "2");
        assert_eq!(repository.git(&["rev-parse", &format!("{branch}~1")]), first.commit.unwrap());
        assert_eq!(repository.git(&["log", "-1", "--format=%s", &branch]), "Now three, please");
        assert_eq!(repository.git(&["show", &format!("{}:a", second.branch.unwrap())]), "1\n2\n3");
        assert_eq!(repository.read("a"), "1\n2\n3\n");
        world.close().await;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uncommitted_work_is_not_overwritten_and_a_moved_base_is_no_harm() {
    let database = database::TestDatabase::sqlite();
    let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
    let repository = Repository::with(&[("greet.sh", "echo Hello\n"), ("other", "x\n")]);
    let wish = wish(&repository.path(), &scenario(database.folder(), EDIT));
    let run = world.runs.create(&world.write(), wish, None).await.unwrap();
    world.reach(&run, &["succeeded"]).await;

    repository.write("greet.sh", "echo Hello, you\n");
    let refused = world.runs.apply(&world.write(), RunRef::Id(run.id)).await;
    assert!(
        matches!(&refused, Err(runs::Error::WouldOverwrite { paths }) if paths == &["greet.sh"]),
        "{refused:?}"
    );
    assert_eq!(
        repository.read("docs/new file.md"),
        "",
        "nothing may be written when something stands in the way"
    );

    repository.git(&["checkout", "--quiet", "greet.sh"]);
    repository.write("other", "moved on\n");
    repository.git(&["commit", "--quiet", "-am", "meanwhile"]);
    world.runs.apply(&world.write(), RunRef::Id(run.id)).await.unwrap();
    assert_eq!(
        (repository.read("greet.sh").as_str(), repository.read("other").as_str()),
        ("echo Good day\n", "moved on\n")
    );
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_by_the_first_of_two_people() {
    database::each_database(async |database| -> Fallible {
        let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
        let repository = Repository::with(&[("a", "1\n")]);
        let text = r#"
[[turn]]
calls = [{ tool = "ask_user", arguments = { question = "Which colour?", options = ["blue", "red"] } }]
[[turn]]
capture = { colour = "(blue|red|green)" }
calls = [{ tool = "write_file", arguments = { path = "colour", content = "{{colour}}\n" } }]
[[turn]]
say = "Painted."
"#;
        let wish = NewRun {
            attended: domain::event::Attended::Yes,
            ..wish(&repository.path(), &scenario(database.folder(), text))
        };
        let run = world.runs.create(&world.write(), wish, None).await?;
        let waiting = world.reach(&run, &["waiting"]).await;
        let question = waiting.question.unwrap().question;
        assert_eq!(
            (question.text.as_str(), question.options),
            ("Which colour?", vec!["blue".to_owned(), "red".to_owned()])
        );

        let (allowed, say) = (world.answer(), |text: &str| Answer::Text { text: text.to_owned() });
        let (one, two) = tokio::join!(
            world.runs.answer(&allowed, question.id, say("green")),
            world.runs.answer(&allowed, question.id, say("green")),
        );
        let errors: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
        assert!(matches!(&errors[..], [runs::Error::QuestionAnswered { .. }]), "{errors:?}");

        let done = world.reach(&run, &["succeeded"]).await;
        assert_eq!(repository.git(&["show", &format!("{}:colour", done.branch.unwrap())]), "green");
        world.close().await;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_where_a_stopped_server_left_it() {
    database::each_database(async |database| -> Fallible {
        let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
        let repository = Repository::with(&[("a", "1\n")]);
        let text = r#"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "cd /tmp && export COLOUR=blue && echo once >> /workspace/a" } }]
[[turn]]
calls = [{ tool = "ask_user", arguments = { question = "Go on?" } }]
[[turn]]
calls = [{ tool = "bash", arguments = { command = "echo $COLOUR $PWD >> /workspace/a" } }]
[[turn]]
say = "Done."
"#;
        let wish = NewRun {
            attended: domain::event::Attended::Yes,
            ..wish(&repository.path(), &scenario(database.folder(), text))
        };
        let run = world.runs.create(&world.write(), wish, None).await?;
        let waiting = world.reach(&run, &["waiting"]).await;
        let question = waiting.question.clone().unwrap().question.id;
        world.close().await;

        let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
        world.runs.answer(&world.answer(), question, Answer::Text { text: "yes".to_owned() }).await?;
        let done = world.reach(&run, &["succeeded"]).await;
        assert_eq!(repository.git(&["show", &format!("{}:a", done.branch.unwrap())]), "1\nonce\nblue /tmp");
        let asked = world.log(&run).await.iter().filter(|event| matches!(event, RunEvent::QuestionAsked(_))).count();
        assert_eq!(asked, 1);
        world.close().await;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_resume_stop_and_delete() {
    database::each_database(async |database| -> Fallible {
        let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
        let repository = Repository::with(&[("a", "1\n")]);
        let text = "[[turn]]\ncalls = [{ tool = \"bash\", arguments = { command = \"echo 2 > a\" } }]\n[[turn]]\ncalls = [{ tool = \"bash\", arguments = { command = \"sleep 600\" } }]\n[[turn]]\nsay = \"Done.\"\n";
        let run = world.runs.create(&world.write(), wish(&repository.path(), &scenario(database.folder(), text)), None).await?;
        let number = RunRef::Number(run.number);
        world.until(&run, |event| matches!(event, RunEvent::ToolStarted { turn: 2, .. })).await;

        world.runs.pause(&world.write(), number).await?;
        let paused = world.reach(&run, &["paused"]).await;
        assert_eq!(paused.reason.map(|reason| reason.code).as_deref(), Some("paused"));
        assert_eq!(world.runs.diff(&world.read(), number).await?.files.len(), 1);

        world.runs.resume(&world.write(), number).await?;
        world.reach(&run, &["running"]).await;
        assert!(matches!(world.runs.delete(&world.write(), number).await, Err(runs::Error::WrongState(_))));
        world.runs.stop(&world.write(), number, Some("enough".to_owned())).await?;
        let stopped = world.reach(&run, &["cancelled", "succeeded"]).await;
        assert!(world.runs.pause(&world.write(), number).await.is_err());
        assert!(["cancelled", "succeeded"].contains(&stopped.state.as_str()));

        world.runs.delete(&world.write(), number).await?;
        assert!(matches!(world.runs.find(&world.read(), number).await, Err(runs::Error::RunNotFound(_))));
        world.close().await;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_wish_with_the_same_key_is_one_run() {
    database::each_database(async |database| -> Fallible {
        let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
        let repository = Repository::with(&[("a", "1\n")]);
        let text = "[[turn]]\nsay = \"Nothing to do.\"\n";
        let wish = wish(&repository.path(), &scenario(database.folder(), text));
        let allowed = world.write();
        let (one, two) = tokio::join!(
            world.runs.create(&allowed, wish.clone(), Some("k")),
            world.runs.create(&allowed, wish.clone(), Some("k")),
        );
        assert_eq!(one?.id, two?.id);
        let other = NewRun { goal: "another".to_owned(), ..wish };
        let refused = world.runs.create(&allowed, other, Some("k")).await;
        assert!(matches!(refused, Err(runs::Error::IdempotencyConflict)), "{refused:?}");
        assert_eq!(world.runs.list(&world.read(), runs::RunFilter::default()).await?.items.len(), 1);
        world.close().await;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_arrives_whatever_the_agent_does_to_its_git_folder() {
    let database = database::TestDatabase::sqlite();
    let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
    let cases = [
        ("rm -rf .git", 1),
        (
            "rm -rf .git && git init -q && git add -A && git -c user.name=x -c user.email=x@y commit -qm new",
            1,
        ),
        (
            "git checkout -q -b other && git commit -qam mine && git checkout -q -b third && echo 2 >> b && git add -A && git commit -qm two",
            2,
        ),
        ("git commit -qam mine && git commit -q --amend -m again", 1),
        ("git commit --amend -q -m root", 1),
        (
            "git config filter.x.clean 'echo gone' && echo '* filter=x' > .gitattributes && echo '*' > .git/info/exclude",
            1,
        ),
        (
            "git checkout -q -b side && git commit -qam side && git checkout -q main && echo 3 > c && git add -A && git commit -qm c && git merge -q --no-edit side",
            1,
        ),
        ("printf broken > .git/index; printf broken > .git/HEAD", 1),
        ("touch .git/index.lock; git config core.bare true", 1),
        ("mkdir sub && cd sub && git init -q", 1),
        ("echo secret > s && chmod 000 s", 1),
        ("git -c user.name=x -c user.email=x@y commit -qam old --date '@0 +0000'", 1),
    ];
    for (command, commits) in cases {
        let repository = Repository::with(&[("a", "1\n")]);
        let text = format!(
            "[[turn]]\ncalls = [{{ tool = \"bash\", arguments = {{ command = {:?} }} }}]\n[[turn]]\nsay = \"Done.\"\n",
            format!("echo changed > a; {command}")
        );
        let wish = wish(&repository.path(), &scenario(database.folder(), &text));
        let run = world.runs.create(&world.write(), wish, None).await.unwrap();
        let done = world.reach(&run, &["succeeded"]).await;
        let branch = done.branch.unwrap_or_default();
        assert_eq!(repository.git(&["show", &format!("{branch}:a")]), "changed", "{command}");
        assert_eq!(
            repository.git(&["rev-list", "--count", &format!("main..{branch}")]),
            commits.to_string(),
            "{command}"
        );
        let untold = repository.git(&[
            "log",
            "--format=%(trailers:key=Journeyman-Run,valueonly)",
            &format!("main..{branch}"),
        ]);
        assert!(
            untold.lines().filter(|line| !line.is_empty()).all(|line| line == run.id.to_string()),
            "{command}: {untold}"
        );
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_same_length_at_once_after_the_clone_is_seen() {
    let database = database::TestDatabase::sqlite();
    let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
    let text = "[[turn]]\ncalls = [{ tool = \"bash\", arguments = { command = \"echo 2 > a\" } }]\n[[turn]]\nsay = \"Done.\"\n";
    for _ in 0..5 {
        let repository = Repository::with(&[("a", "1\n")]);
        let wish = wish(&repository.path(), &scenario(database.folder(), text));
        let run = world.runs.create(&world.write(), wish, None).await.unwrap();
        let done = world.reach(&run, &["succeeded"]).await;
        assert_eq!(repository.git(&["show", &format!("{}:a", done.branch.unwrap())]), "2");
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_inside_the_working_copy_arrives_as_files() {
    let database = database::TestDatabase::sqlite();
    let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
    let repository = Repository::with(&[("a", "1\n")]);
    let text = r#"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "mkdir 'my sub' && cd 'my sub' && git init -q && echo c > f && ln -s f l && git add . && git -c user.name=x -c user.email=x@y commit -qm sub" } }]
[[turn]]
say = "Done."
"#;
    let wish = wish(&repository.path(), &scenario(database.folder(), text));
    let run = world.runs.create(&world.write(), wish, None).await.unwrap();
    let done = world.reach(&run, &["succeeded"]).await;
    let branch = done.branch.unwrap();
    let files = repository.git(&["ls-tree", "-r", "--format=%(objectmode) %(path)", &branch]);
    assert_eq!(files, "100644 a\n100644 my sub/f\n120000 my sub/l");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_leaves_a_branch_alone_that_is_checked_out_and_can_take_everything_back() {
    let database = database::TestDatabase::sqlite();
    let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
    let repository = Repository::with(&[("a", "1\n")]);
    let text = r#"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "echo 2 >> a" } }]
[[turn]]
say = "Two."
[[turn]]
calls = [{ tool = "bash", arguments = { command = "git checkout -q HEAD -- a" } }]
[[turn]]
say = "Back."
"#;
    let wish = NewRun { apply: true, ..wish(&repository.path(), &scenario(database.folder(), text)) };
    let run = world.runs.create(&world.write(), wish, None).await.unwrap();
    let first = world.reach(&run, &["succeeded"]).await;
    let first_branch = first.branch.clone().unwrap();
    // Applied, thrown away, applied again.
    repository.git(&["checkout", "--quiet", "."]);
    world.runs.apply(&world.write(), RunRef::Id(run.id)).await.unwrap();
    assert_eq!(repository.read("a"), "1\n2\n");
    repository.git(&["checkout", "--quiet", "--force", &first_branch]);

    world.runs.continue_with(&world.write(), RunRef::Id(run.id), "Take it back").await.unwrap();
    let second = world.reach(&first, &["succeeded"]).await;

    let second_branch = second.branch.unwrap();
    assert_eq!(second_branch, format!("{first_branch}-2"));
    assert_eq!(repository.git(&["rev-parse", &first_branch]), first.commit.unwrap());
    assert_eq!(repository.git(&["show", &format!("{second_branch}:a")]), "1");
    assert_eq!(repository.read("a"), "1\n", "the follow-up was to be applied as well");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktree_a_shallow_clone_and_a_detached_head_are_worked_on() {
    let database = database::TestDatabase::sqlite();
    let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
    let main = Repository::with(&[("greet.sh", "echo Hello\n")]);
    main.write("b", "b\n");
    main.git(&["add", "b"]);
    main.git(&["commit", "--quiet", "-m", "second"]);
    let more = tempfile::tempdir().unwrap();
    let (tree, shallow, bare) =
        (more.path().join("tree"), more.path().join("shallow"), more.path().join("bare"));
    main.git(&["worktree", "add", "--quiet", "--detach", tree.to_str().unwrap()]);
    let url = format!("file://{}", main.path().display());
    main.git(&["clone", "--quiet", "--depth=1", &url, shallow.to_str().unwrap()]);
    main.git(&["clone", "--quiet", "--bare", &url, bare.to_str().unwrap()]);
    for folder in [tree, shallow, bare] {
        let run = world
            .runs
            .create(&world.write(), wish(&folder, &scenario(database.folder(), EDIT)), None)
            .await
            .unwrap();
        let done = world.reach(&run, &["succeeded"]).await;
        assert_eq!(
            git_in(&folder, &["show", &format!("{}:greet.sh", done.branch.unwrap())]),
            "echo Good day",
            "{folder:?}"
        );
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_cannot_be_cloned_fails_the_run_though_the_model_was_asked_already() {
    database::each_database(async |database| -> Fallible {
        let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
        let repository = Repository::with(&[("greet.sh", "echo Hello\n")]);
        let blob = repository.git(&["rev-parse", "HEAD:greet.sh"]);
        let object = repository.path().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
        std::fs::remove_file(object)?;

        let wish = wish(&repository.path(), &scenario(database.folder(), EDIT));
        let run = world.runs.create(&world.write(), wish, None).await?;
        let failed = world.reach(&run, &["failed"]).await;

        assert_eq!(failed.reason.map(|reason| reason.code).as_deref(), Some("repository_unreadable"));
        world.close().await;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_instructions_of_the_commit_reach_the_model_through_links_and_not_those_beside_it() {
    database::each_database(async |database| -> Fallible {
        let world = World::open(database.open(runtime::Ambient::system()).await, database.folder()).await;
        let repository =
            Repository::with(&[("greet.sh", "echo Hello\n"), ("docs/rules.md", "Speak softly.\n")]);
        std::os::unix::fs::symlink("docs/rules.md", repository.path().join("AGENTS.md"))?;
        repository.git(&["add", "--all"]);
        repository.git(&["commit", "--quiet", "--message", "rules"]);
        std::fs::write(repository.path().join("docs/rules.md"), "Shout.\n")?;

        let told = async |dirty: bool| -> Result<String, Box<dyn std::error::Error>> {
            let mut wish = wish(&repository.path(), &scenario(database.folder(), EDIT));
            wish.dirty = dirty;
            let run = world.runs.create(&world.write(), wish, None).await?;
            world.reach(&run, &["succeeded"]).await;
            let prompt = world.log(&run).await.into_iter().find_map(|event| match event {
                RunEvent::ContextOpened { system, .. } => Some(system),
                _ => None,
            });
            Ok(prompt.unwrap_or_default())
        };
        let committed = told(false).await?;
        assert!(committed.contains("Speak softly.") && !committed.contains("Shout."), "{committed}");
        let dirty = told(true).await?;
        assert!(dirty.contains("Shout."), "{dirty}");
        world.close().await;
        Ok(())
    })
    .await;
}
