//! What survives a sandbox, and its end.

use super::{Outcome, Subject, eventually, new_id, spec};
use crate::error::SandboxError;
use crate::provider::{SandboxProvider, SandboxSpec};

/// It begins in the shell's directory with its exports, and its output is in a file.
pub async fn a_background_process_runs_where_the_shell_is(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.shell("mkdir -p d/e; cd d/e; export GREETING='good day'").await?;
    let started = subject
        .sandbox
        .background("basename \"$PWD\"; echo \"$GREETING\" >&2; sleep 1007".to_owned())
        .await?;
    assert_eq!((started.number, started.command.contains("sleep 1007")), (1, true));
    eventually(|| async { Ok(subject.read(&started.output_path).await? == "e\ngood day\n") }).await?;
    assert_eq!(subject.sandbox.background_list().await?, [started]);
    let second = subject.sandbox.background("sleep 1008".to_owned()).await?;
    assert_eq!(second.number, 2);
    Ok(())
}

/// The list tells what runs, not what ran; the output stays.
pub async fn background_processes_that_end_leave_the_list(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let short = subject.sandbox.background("echo done".to_owned()).await?;
    let long = subject.sandbox.background("sleep 1009".to_owned()).await?;
    eventually(|| async { Ok(subject.sandbox.background_list().await? == [long.clone()]) }).await?;
    assert_eq!(subject.read(&short.output_path).await?, "done\n");
    subject.sh(&format!("kill -9 {}", long.pid)).await?;
    eventually(|| async { Ok(subject.sandbox.background_list().await?.is_empty()) }).await
}

/// Files, home, directory and exports are there again.
pub async fn a_new_sandbox_on_the_same_state_goes_on(provider: &dyn SandboxProvider) -> Outcome {
    let first = Subject::new(provider).await?;
    first.shell("mkdir 'd 1'; cd 'd 1'; export KEPT='a '\\''b'; echo file >f; echo home >~/h").await?;
    let executable = "printf '#!/bin/sh\\necho runs\\n' >tool; chmod +x tool";
    first.shell(executable).await?;
    first.sandbox.stop().await?;
    let sandbox = provider.create(spec(&first.state.path().join("state"))).await?;
    let second = Subject { sandbox, state: first.state };
    let (end, text) = second.shell("cat f ~/h; echo \"$KEPT\"; ./tool; echo more >>f && rm tool").await?;
    assert_eq!(text, "file\nhome\na 'b\nruns\n");
    assert_eq!((end.exit_code, end.directory.as_str()), (0, "/workspace/d 1"));
    Ok(())
}

/// A new sandbox tells which background processes went with the last.
pub async fn lost_background_processes_are_told(provider: &dyn SandboxProvider) -> Outcome {
    let first = Subject::new(provider).await?;
    assert_eq!(first.sandbox.background_lost().await?, []);
    let ended = first.sandbox.background("true".to_owned()).await?;
    let lost = first.sandbox.background("sleep 1010".to_owned()).await?;
    eventually(|| async { Ok(!first.sandbox.background_list().await?.contains(&ended)) }).await?;
    first.sandbox.stop().await?;
    let sandbox = provider.create(spec(&first.state.path().join("state"))).await?;
    assert_eq!(sandbox.background_list().await?, []);
    let told = sandbox.background_lost().await?;
    assert_eq!(told.iter().map(|lost| &lost.command).collect::<Vec<_>>(), [&lost.command]);
    assert_eq!(sandbox.background("sleep 1011".to_owned()).await?.number, lost.number + 1);
    Ok(())
}

/// What the sandbox writes, changes and removes shows inside, and nowhere else.
pub async fn the_base_of_the_workspace_is_not_changed(provider: &dyn SandboxProvider) -> Outcome {
    let folder = tempfile::tempdir()?;
    let base = folder.path().join("base");
    std::fs::create_dir_all(base.join("sub"))?;
    std::fs::write(base.join("sub/file"), "base\n")?;
    std::fs::write(base.join("gone"), "base\n")?;
    let state = folder.path().join("state");
    let with_base = || SandboxSpec { workspace_base: Some(base.clone()), id: new_id(), ..spec(&state) };
    let sandbox = provider.create(with_base()).await?;
    let subject = Subject { sandbox, state: tempfile::tempdir()? };
    let (end, text) =
        subject.shell("cat sub/file; echo changed >>sub/file; rm gone; echo new >new; ls").await?;
    assert_eq!((end.exit_code, text.as_str()), (0, "base\nnew\nsub\n"));
    subject.sandbox.stop().await?;
    let sandbox = provider.create(with_base()).await?;
    let subject = Subject { sandbox, ..subject };
    assert_eq!(subject.shell("cat sub/file; ls").await?.1, "base\nchanged\nnew\nsub\n");
    assert_eq!(std::fs::read_to_string(base.join("sub/file"))?, "base\n");
    assert!(base.join("gone").exists() && !base.join("new").exists());
    Ok(())
}

/// After the end every request says that the sandbox is gone; a second end is no fault.
pub async fn stopping_twice_is_the_same_as_stopping_once(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.shell("echo kept >file").await?;
    subject.sandbox.stop().await?;
    subject.sandbox.stop().await?;
    match subject.shell("echo hello").await {
        Err(SandboxError::Gone { cause }) => assert_eq!(cause, "it was stopped"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(subject.sandbox.read("file", 0, 10).await, Err(SandboxError::Gone { .. })));
    Ok(())
}

/// `reap` ends what is not kept and leaves what is.
pub async fn what_nobody_keeps_is_reaped(provider: &dyn SandboxProvider) -> Outcome {
    let (kept, dropped) = (Subject::new(provider).await?, Subject::new(provider).await?);
    assert_eq!(provider.reap(vec![kept.sandbox.id()]).await?, [dropped.sandbox.id()]);
    assert_eq!(kept.shell("echo alive").await?.1, "alive\n");
    let gone = || async { Ok(matches!(dropped.shell("true").await, Err(SandboxError::Gone { .. }))) };
    eventually(gone).await?;
    assert_eq!(provider.reap(vec![kept.sandbox.id()]).await?, []);
    Ok(())
}

/// What is asked for is added to the environment, and a proxy is pointed to.
///
/// # Errors
///
/// Those of the provider.
pub async fn the_environment_is_added_to(provider: &dyn SandboxProvider) -> Outcome {
    let state = tempfile::tempdir()?;
    let env = [("GREETING", "two words"), ("LANG", "C"), ("no_proxy", "inside")];
    let sandbox = provider
        .create(SandboxSpec {
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            egress_port: Some(3128),
            ..spec(&state.path().join("state"))
        })
        .await?;
    let subject = Subject { sandbox, state };
    let text = subject.shell("echo $GREETING; env | grep -E '^(LANG|https_proxy|no_proxy)=' | sort").await?.1;
    assert_eq!(text, "two words\nLANG=C\nhttps_proxy=http://127.0.0.1:3128\nno_proxy=inside\n");
    Ok(())
}
