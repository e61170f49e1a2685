//! Repositories as they come: each is worked on, or refused with the reason.

use std::path::Path;

use testkit::program::{Ended, Program};
use testkit::repository::{Repository, git_in};

use super::common::{JOURNEYMAN, WRITES_A_FILE};

/// Runs the scenario that adds `f.txt` on the repository at `path`.
fn work_on(path: &Path, more: &[&str]) -> Ended {
    let program = Program::new(JOURNEYMAN);
    let model = program.script("writes", WRITES_A_FILE);
    let path = path.to_string_lossy();
    let mut arguments = vec!["do", "w", "--repo", &path, "--model", &model, "--json"];
    arguments.extend(more);
    program.run(&arguments)
}

fn branch_of(ended: &Ended) -> String {
    ended.last_json()["branch"].as_str().unwrap_or_default().to_owned()
}

fn notices(ended: &Ended) -> Vec<String> {
    let notices = ended.json_lines().into_iter().filter(|line| line["kind"] == "notice");
    notices.filter_map(|line| line["data"]["code"].as_str().map(str::to_owned)).collect()
}

#[test]
fn uncommitted_changes_are_left_out_and_said_so_or_taken_along() {
    let repository = Repository::with(&[("a.txt", "one\n")]);
    repository.write("a.txt", "two\n");
    let without = work_on(&repository.path(), &[]).with_code(0);
    assert!(notices(&without).contains(&"uncommitted_changes".to_owned()));
    assert_eq!(repository.git(&["show", &format!("{}:a.txt", branch_of(&without))]), "one");
    let with = work_on(&repository.path(), &["--dirty"]).with_code(0);
    assert_eq!(repository.git(&["show", &format!("{}:a.txt", branch_of(&with))]), "two");
    assert_eq!(repository.read("a.txt"), "two\n", "the working tree stays as it was");
}

#[test]
fn repositories_inside_the_working_tree_are_left_out_of_uncommitted_changes_and_named() {
    let repository = Repository::with(&[("a.txt", "one\n"), (".gitignore", "ignored/\n")]);
    repository.write("new file.txt", "new\n");
    for folder in ["no commit", "deep/with one", "ignored/one"] {
        repository.write(&format!("{folder}/inside.txt"), "theirs\n");
        git_in(&repository.path().join(folder), &["init", "--quiet"]);
    }
    let one = repository.path().join("deep/with one");
    git_in(&one, &["add", "--all"]);
    git_in(&one, &["-c", "user.name=x", "-c", "user.email=x@y", "commit", "--quiet", "-m", "one"]);
    let ended = work_on(&repository.path(), &["--dirty"]).with_code(0);
    let files = repository.git(&["ls-tree", "-r", "--name-only", &branch_of(&ended)]);
    assert_eq!(files, ".gitignore\na.txt\nf.txt\nnew file.txt");
    let told: Vec<_> =
        ended.json_lines().into_iter().filter(|line| line["data"]["code"] == "nested_repository").collect();
    let text = told.first().map(|line| line["data"]["text"].as_str().unwrap_or_default().to_owned());
    let text = text.expect("a notice");
    assert!(text.contains("no commit") && text.contains("deep/with one"), "{text}");
    assert!(!text.contains("ignored"), "{text}");
}

#[test]
fn a_detached_head_a_worktree_and_a_shallow_clone_are_worked_on() {
    let repository = Repository::with(&[("a.txt", "one\n")]);
    repository.write("a.txt", "two\n");
    repository.git(&["commit", "--quiet", "--all", "-m", "two"]);
    let place = tempfile::tempdir().expect("a folder");
    let url = format!("file://{}", repository.path().display());
    git_in(place.path(), &["clone", "--quiet", "--depth", "1", &url, "shallow"]);
    repository.git(&[
        "worktree",
        "add",
        "--quiet",
        &place.path().join("tree").to_string_lossy(),
        "-b",
        "side",
    ]);
    repository.git(&["checkout", "--quiet", "--detach", "HEAD~1"]);
    for path in [repository.path(), place.path().join("tree"), place.path().join("shallow")] {
        let ended = work_on(&path, &["--apply"]).with_code(0);
        let shown = git_in(&path, &["show", &format!("{}:f.txt", branch_of(&ended))]);
        assert_eq!(shown, "x", "{}", path.display());
        assert!(path.join("f.txt").is_file(), "{}", path.display());
    }
    assert_eq!(repository.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "HEAD", "still detached");
}

#[test]
fn a_bare_repository_gets_its_branch_but_nothing_can_be_applied() {
    let repository = Repository::with(&[("a.txt", "one\n")]);
    let place = tempfile::tempdir().expect("a folder");
    let bare = place.path().join("bare.git");
    git_in(place.path(), &["clone", "--quiet", "--bare", &repository.path().to_string_lossy(), "bare.git"]);
    let ended = work_on(&bare, &[]).with_code(0);
    assert_eq!(git_in(&bare, &["show", &format!("{}:f.txt", branch_of(&ended))]), "x");
}

#[test]
fn hooks_never_run_and_links_out_are_not_followed() {
    use std::os::unix::fs::PermissionsExt;

    let repository = Repository::with(&[("a.txt", "one\n")]);
    let marker = tempfile::tempdir().expect("a folder");
    let outside = marker.path().join("outside.txt");
    std::fs::write(&outside, "theirs\n").expect("write");
    std::os::unix::fs::symlink(&outside, repository.path().join("f.txt")).expect("a link");
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "-m", "a link"]);
    for hook in ["reference-transaction", "post-checkout", "pre-commit", "post-commit", "post-index-change"] {
        let path = repository.path().join(".git/hooks").join(hook);
        std::fs::write(&path, format!("#!/bin/sh\ntouch {}/{hook}\n", marker.path().display()))
            .expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    }
    let ended = work_on(&repository.path(), &["--apply"]);
    assert!([0, 3].contains(&ended.code), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(&outside).expect("read"), "theirs\n", "nothing outside was written");
    let left: Vec<String> = std::fs::read_dir(marker.path())
        .expect("the folder")
        .filter_map(|entry| entry.ok().map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect();
    assert_eq!(left, ["outside.txt"], "no hook ran");
}

#[test]
fn submodules_and_pointers_of_git_lfs_are_told_of() {
    let (inner, repository) =
        (Repository::with(&[("i.txt", "inner\n")]), Repository::with(&[("a.txt", "one\n")]));
    let inner = inner.path();
    let url = inner.to_string_lossy();
    repository.git(&["-c", "protocol.file.allow=always", "submodule", "add", "--quiet", &url, "inner"]);
    repository.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
    repository.write(
        "big.bin",
        &format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n"),
    );
    repository.git(&["-c", "filter.lfs.clean=cat", "-c", "filter.lfs.required=false", "add", "--all"]);
    repository.git(&["commit", "--quiet", "-m", "both"]);
    let ended = work_on(&repository.path(), &[]).with_code(0);
    let told = notices(&ended);
    for code in ["submodules_empty", "lfs_pointers"] {
        assert!(told.contains(&code.to_owned()), "{code} in {told:?}");
    }
}
