//! Sandboxes that go on from others, over trees of their own, and that stand still.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::contract::{self, Outcome, Subject, shell_within};
use sandbox::{SandboxError, SandboxProvider as _, SandboxSpec};
use world::World;

#[path = "common/world.rs"]
mod world;

const LONG: Duration = Duration::from_secs(60);

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

#[tokio::test]
async fn a_sandbox_goes_on_from_the_states_of_others() -> Outcome {
    let world = World::new()?;
    let base = world.folder.path().join("base");
    fs::create_dir_all(base.join("sub"))?;
    fs::write(base.join("sub/of-base"), "base\n")?;
    let state = |name: &str| world.folder.path().join(name);
    let over = |name: &str, layers: &[&str]| SandboxSpec {
        workspace_base: Some(base.clone()),
        layers: layers.iter().map(|name| state(name)).collect(),
        ..contract::spec(&state(name))
    };
    let first = world.provider.create(over("first", &[])).await?;
    let make = "echo one >a; echo one >b; mkdir d; echo x >d/x; chmod 640 a; echo home >~/file; cd d; export KEPT=yes";
    shell_within(&*first, make, LONG).await?;
    first.stop().await?;
    let second = world.provider.create(over("second", &["first"])).await?;
    let look = "pwd; echo $KEPT; cat ../sub/of-base ../a ~/file; stat -c '%a %U' ../a; rm ../b; rm -r ../d; mkdir ../d; echo two >>../a";
    let (_, text) = shell_within(&*second, look, LONG).await?;
    assert_eq!(text, "/workspace/d\nyes\nbase\none\nhome\n640 user\n");
    second.stop().await?;
    let third = world.provider.create(over("third", &["second", "first"])).await?;
    let (_, text) = shell_within(&*third, "cd /workspace; ls -R | grep .; cat a", LONG).await?;
    assert_eq!(text, ".:\na\nd\nsub\n./d:\n./sub:\nof-base\none\ntwo\n");
    // A twin of the second sees nothing of what the second did.
    let twin = world.provider.create(over("twin", &["first"])).await?;
    let (_, text) = shell_within(&*twin, "cd /workspace; cat a b d/x", LONG).await?;
    assert_eq!(text, "one\none\nx\n");
    Ok(())
}

#[tokio::test]
async fn a_plain_state_becomes_a_layer() -> Outcome {
    let world = World::new()?;
    let first = world.plain().await?;
    first.shell("echo one >a; echo home >~/file").await?;
    first.sandbox.stop().await?;
    let layer = first.state.path().join("state");
    let second = world.sandbox(|spec| spec.layers = vec![layer.clone()]).await?;
    assert_eq!(second.shell("cat a ~/file; echo two >a; rm ~/file; ls ~").await?.1, "one\nhome\n");
    assert_eq!(fs::read_to_string(layer.join("workspace/a"))?, "one\n");
    assert!(layer.join("home/file").exists());
    Ok(())
}

#[tokio::test]
async fn a_frozen_sandbox_stands_still_and_goes_on() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    if !is_root() {
        assert!(subject.sandbox.freeze().await.is_err());
        return Ok(());
    }
    subject.sandbox.background("while :; do echo x >>ticks; done".to_owned()).await?;
    let ticks = subject.state.path().join("state/workspace/ticks");
    let size = || fs::metadata(&ticks).map_or(0, |metadata| metadata.len());
    let grows = async |from: u64| {
        while size() <= from {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, grows(10)).await?;
    subject.sandbox.freeze().await?;
    subject.sandbox.freeze().await?;
    let before = size();
    assert!(tokio::time::timeout(Duration::from_millis(200), grows(before)).await.is_err());
    subject.sandbox.thaw().await?;
    tokio::time::timeout(LONG, grows(before)).await?;
    assert_eq!(subject.shell("echo here").await?.1, "here\n");
    // One that stands still can be ended.
    subject.sandbox.freeze().await?;
    tokio::time::timeout(LONG, subject.sandbox.stop()).await??;
    match subject.sandbox.thaw().await {
        Err(SandboxError::Gone { .. } | SandboxError::Internal { .. }) => Ok(()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_root_writes_anywhere_is_kept() -> Outcome {
    if !is_root() {
        return Ok(());
    }
    let world = World::new()?;
    let subject = world.sandbox(|spec| spec.writable_root = true).await?;
    let (_, text) = subject.shell("touch /x 2>&1; ls /; id -u; cat /etc/hostname; git --version | cut -c1-3; stat -c '%U %a' / /root").await?;
    assert!(text.contains("denied") && text.contains("workspace\n"), "{text}");
    assert!(text.ends_with("1000\nsandbox\ngit\nroot 755\nroot 755\n"), "{text}");
    subject.sandbox.stop().await?;
    // As root inside would have done.
    let upper = subject.state.path().join("state/root-overlay/upper");
    fs::create_dir(upper.join("made"))?;
    fs::write(upper.join("made/file"), "kept\n")?;
    let again = world
        .provider
        .create(SandboxSpec { writable_root: true, ..contract::spec(&subject.state.path().join("state")) })
        .await?;
    assert_eq!(shell_within(&*again, "cat /made/file", LONG).await?.1, "kept\n");
    Ok(())
}

#[tokio::test]
async fn links_in_a_root_that_was_written_lead_nowhere_on_the_host() -> Outcome {
    if !is_root() {
        return Ok(());
    }
    let world = World::new()?;
    let trap = world.folder.path().join("trap");
    fs::create_dir(&trap)?;
    for name in ["home", "workspace", "run", "dev", "usr", "etc"] {
        let state = world.folder.path().join(format!("state-{name}"));
        let spec = || SandboxSpec { writable_root: true, ..contract::spec(&state) };
        world.provider.create(spec()).await?.stop().await?;
        let place = state.join("root-overlay/upper").join(name);
        let _ = fs::remove_dir_all(&place);
        symlink(&trap, &place)?;
        // Whether it starts or is refused: the host's folder is not touched.
        if let Ok(sandbox) = world.provider.create(spec()).await {
            let _ = shell_within(&*sandbox, "echo x >x; echo x >~/x", LONG).await;
            sandbox.stop().await?;
        }
        assert_eq!(fs::read_dir(&trap)?.count(), 0, "{name}");
    }
    Ok(())
}

/// A small tree: a shell and a few programs of this host with their libraries.
#[expect(clippy::disallowed_methods, reason = "asks this host's linker which libraries its programs need")]
fn small_tree(root: &Path) -> Result<(), Box<dyn std::error::Error>> {
    for program in ["/bin/sh", "/bin/bash", "/usr/bin/id", "/usr/bin/cat", "/usr/bin/ls", "/usr/bin/env"] {
        let output = std::process::Command::new("ldd").arg(program).output()?;
        let text = String::from_utf8(output.stdout)?;
        let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
        for path in libraries.chain([program]) {
            let inside = root.join(path.trim_start_matches('/'));
            fs::create_dir_all(inside.parent().ok_or("no folder")?)?;
            fs::copy(path, inside)?;
        }
    }
    fs::create_dir_all(root.join("etc"))?;
    fs::write(root.join("etc/os-release"), "NAME=small\n")?;
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    fs::create_dir_all(root.join("home/user"))?;
    fs::write(root.join("home/user/welcome"), "welcome\n")?;
    Ok(())
}

#[tokio::test]
async fn a_tree_takes_the_place_of_the_hosts_programs() -> Outcome {
    if !is_root() {
        return Ok(());
    }
    let world = World::new()?;
    let tree = world.folder.path().join("tree");
    small_tree(&tree)?;
    let with_tree = |state: PathBuf| SandboxSpec { rootfs: Some(tree.clone()), ..contract::spec(&state) };
    let state = world.folder.path().join("state");
    let sandbox = world.provider.create(with_tree(state.clone())).await?;
    let subject = Subject { sandbox, state: tempfile::tempdir()? };
    let (_, text) = subject
        .shell("id; cat /etc/os-release ~/welcome /etc/hostname; ls /usr/bin; touch /x; echo new >~/new; echo $HOME")
        .await?;
    assert!(text.starts_with("uid=1000(user) gid=1000(user)"), "{text}");
    assert!(text.contains("NAME=small\nwelcome\nsandbox\ncat\nenv\nid\nls\n"), "{text}");
    subject.sandbox.stop().await?;
    let forked = SandboxSpec { layers: vec![state], ..with_tree(world.folder.path().join("forked")) };
    let forked = world.provider.create(forked).await?;
    assert_eq!(shell_within(&*forked, "cat ~/new ~/welcome", LONG).await?.1, "new\nwelcome\n");
    assert!(
        !tree.join("home/user/new").exists()
            && fs::read_to_string(tree.join("etc/passwd"))?.lines().count() == 1
    );
    Ok(())
}
