//! The persistent shell.

use std::time::Duration;

use super::{Outcome, Subject, eventually, shell_within};
use crate::provider::{SandboxProvider, ShellCommand, ShellEnd};

/// An end without an incident.
fn quiet(exit_code: i32, directory: &str) -> ShellEnd {
    ShellEnd { exit_code, timed_out: false, restarted: false, directory: directory.to_owned() }
}

/// `cd`, `export`, functions and plain variables survive to the next command.
pub async fn the_shell_keeps_directory_and_exports(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let (end, _) = subject.shell("mkdir -p 'a b' && cd 'a b' && export GREETING='good day' plain=1").await?;
    assert_eq!(end, quiet(0, "/workspace/a b"));
    let (end, text) = subject.shell("basename \"$PWD\"; echo \"$GREETING\"; cat; false").await?;
    assert_eq!((end, text.as_str()), (quiet(1, "/workspace/a b"), "a b\ngood day\n"));
    let (end, _) = subject.shell("cd ..").await?;
    assert_eq!(end, quiet(0, "/workspace"));
    Ok(())
}

/// Several lines, here-documents, faulty syntax, open quotes, nothing at all.
pub async fn the_shell_takes_any_text(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let (end, text) =
        subject.shell("for x in 1 2\ndo\n  echo $x\ndone\ncat <<'END'\n$not \"expanded\"\nEND").await?;
    assert_eq!((end.exit_code, text.as_str()), (0, "1\n2\n$not \"expanded\"\n"));
    let (end, text) = subject.shell("echo é ✓; echo 'a''b'  # remark").await?;
    assert_eq!((end.exit_code, text.as_str()), (0, "é ✓\nab\n"));
    for command in ["if true", "echo \"open", "echo $(", ")", "<<"] {
        let (end, text) = subject.shell(command).await?;
        assert_ne!(end.exit_code, 0, "{command}: {text}");
        assert!(!end.timed_out && !text.is_empty(), "{command}: {text}");
    }
    for command in ["", "   ", "# only a remark", "\n"] {
        let (end, text) = subject.shell(command).await?;
        assert_eq!((end.exit_code, text.as_str()), (0, ""), "{command:?}");
    }
    let (end, text) = subject.shell("echo still here").await?;
    assert_eq!((end, text.as_str()), (quiet(0, "/workspace"), "still here\n"));
    Ok(())
}

/// A megabyte in one here-document.
pub async fn a_long_command_line_works(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let text = "0123456789abcde\n".repeat(1 << 16);
    let (end, _) = subject.shell(&format!("cat >long <<'END'\n{text}END\n")).await?;
    assert_eq!(end.exit_code, 0);
    let read = subject.sandbox.read("long", 0, 2 << 20).await?;
    assert!(read.bytes == text.as_bytes());
    Ok(())
}

/// `exit` and death lose the shell, not the state.
pub async fn the_shell_comes_back_after_exit(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.shell("mkdir here; export KEPT=yes").await?;
    let (end, text) = subject.shell("cd here; export LATE=too; echo before; exit 3").await?;
    let lost = |exit_code| ShellEnd { restarted: true, ..quiet(exit_code, "/workspace/here") };
    assert_eq!((end, text.as_str()), (lost(3), "before\n"));
    let (end, text) = subject.shell("echo $KEPT $LATE").await?;
    assert_eq!((end, text.as_str()), (quiet(0, "/workspace/here"), "yes too\n"));
    let (end, _) = subject.shell("kill -9 $$").await?;
    assert_eq!(end, lost(137));
    let (end, text) = subject.shell("exec echo replaced").await?;
    assert_eq!((end, text.as_str()), (lost(0), "replaced\n"));
    let (end, text) = subject.shell("leave() { exit 4; }; leave").await?;
    assert_eq!((end.exit_code, end.restarted, text.as_str()), (4, true, ""));
    let (end, text) = subject.shell("echo $KEPT").await?;
    assert_eq!((end.restarted, text.as_str()), (false, "yes\n"));
    Ok(())
}

/// `set -e` ends the command that it stands in, not the next one.
pub async fn a_failing_command_under_set_e_keeps_the_state(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let (end, text) = subject.shell("mkdir d; cd d; set -e; echo one; false; echo two").await?;
    assert_eq!((end.exit_code, text.as_str()), (1, "one\n"));
    let (end, text) = subject.shell("false; echo next").await?;
    assert_eq!((end, text.as_str()), (quiet(0, "/workspace/d"), "next\n"));
    let (end, _) = subject.shell("set -euo pipefail; true").await?;
    assert_eq!(end, quiet(0, "/workspace/d"));
    let (_, text) = subject.shell("echo [$unset]; false; echo next").await?;
    assert_eq!(text, "[]\nnext\n");
    Ok(())
}

/// What stood behind the command that took too long is not run; older background children live on.
pub async fn a_command_whose_time_is_up_goes_no_further(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.shell("sleep 1003 & echo $! >older; mkdir d; cd d; export KEPT=yes").await?;
    // A process's start is known to a hundredth of a second; the next command must begin in another one.
    let (_, text) = subject.shell("sleep 0.05; cat ../older").await?;
    assert!(text.trim().parse::<u32>().is_ok(), "{text}");
    let command = "echo begun; sleep 1004; echo not reached; touch /workspace/reached; sleep 1005";
    let (end, text) = shell_within(&*subject.sandbox, command, Duration::from_millis(200)).await?;
    assert!(end.timed_out && text.starts_with("begun\n") && !text.contains("not reached"), "{end:?} {text}");
    let (end, text) =
        subject.shell("echo $KEPT; ls /workspace; kill -0 $(cat ../older) && echo lives").await?;
    assert_eq!((end, text.as_str()), (quiet(0, "/workspace/d"), "yes\nd\nolder\nlives\n"));
    Ok(())
}

/// A shell that does not listen is killed and another one takes its place.
pub async fn a_shell_that_loops_by_itself_is_replaced(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.shell("mkdir d; cd d").await?;
    for command in ["while :; do :; done", "trap '' USR1 TERM INT; while :; do :; done", "read x </dev/zero"]
    {
        let (end, _) = shell_within(&*subject.sandbox, command, Duration::from_millis(100)).await?;
        assert!(end.timed_out && end.restarted, "{command}: {end:?}");
        let (end, text) = subject.shell("echo here").await?;
        assert_eq!((end, text.as_str()), (quiet(0, "/workspace/d"), "here\n"), "{command}");
    }
    Ok(())
}

/// A child that keeps standard output open does not hold the command; what it writes later is not lost.
pub async fn a_background_child_does_not_delay_the_end(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let (end, text) = subject.shell("mkfifo go; (read x <go; echo later) & echo now").await?;
    assert_eq!((end.exit_code, text.as_str()), (0, "now\n"));
    let (_, text) = subject.shell("echo >go; wait; echo after").await?;
    assert!(text.contains("later\n") && text.ends_with("after\n"), "{text}");
    // One that writes without end fills no pipe and no memory.
    let (end, text) =
        subject.shell("mkfifo seen; yes | tee -p seen & head -c 2 <seen >/dev/null; kill -9 $!").await?;
    assert_eq!(end.exit_code, 0);
    assert!(text.starts_with("y\n"), "{text:.300}");
    Ok(())
}

/// Two at once run one after the other, whole.
pub async fn commands_of_the_shell_wait_for_each_other(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let command = "for x in 1 2 3; do echo $x >>log; sleep 0.01; done";
    let (first, second) = tokio::join!(subject.shell(command), subject.shell(command));
    assert_eq!((first?.0.exit_code, second?.0.exit_code), (0, 0));
    assert_eq!(subject.read("log").await?, "1\n2\n3\n1\n2\n3\n");
    Ok(())
}

/// Whoever stops waiting for a command ends it; the shell goes on where it was.
pub async fn a_command_whose_caller_leaves_is_stopped(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.shell("mkdir d; cd d").await?;
    let command = ShellCommand {
        command: "sleep 1006 & echo $! >pid; wait; touch reached".to_owned(),
        timeout: Duration::from_secs(600),
    };
    let running = subject.sandbox.shell(command, &|_| {});
    let has_begun =
        eventually(|| async { Ok(subject.read("d/pid").await.is_ok_and(|pid| pid.ends_with('\n'))) });
    tokio::select! {
        end = running => panic!("{end:?}"),
        begun = has_begun => begun?,
    }
    eventually(|| async { Ok(subject.sh("kill -0 $(cat d/pid) 2>/dev/null").await?.0.exit_code != 0) })
        .await?;
    let (end, text) = subject.shell("ls").await?;
    assert_eq!((end, text.as_str()), (quiet(0, "/workspace/d"), "pid\n"));
    Ok(())
}
