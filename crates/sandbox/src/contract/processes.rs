//! Programs that run to their end.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{LONG, Outcome, Subject, eventually, exec};
use crate::error::SandboxError;
use crate::provider::{Exec, ExecEnd, Output, SandboxProvider};

fn program(argv: &[&str]) -> Exec {
    Exec {
        argv: argv.iter().map(|text| (*text).to_owned()).collect(),
        timeout: Some(LONG),
        ..Exec::default()
    }
}

/// A code is the code; a signal is 128 and its number.
pub async fn a_program_ends_with_its_exit_code(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    for (command, expected) in [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
    {
        let (end, _) = subject.sh(command).await?;
        assert_eq!(end, ExecEnd { exit_code: expected, timed_out: false }, "{command}");
    }
    Ok(())
}

/// Directory, variables and standard input are the caller's; the rest of the environment is the sandbox's.
pub async fn a_program_gets_directory_environment_and_input(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.sh("mkdir -p sub/folder").await?;
    let mut command = program(&["/bin/sh", "-c", "basename \"$PWD\"; echo \"$GREETING\"; cat; cat"]);
    command.directory = "sub/folder".to_owned();
    command.env = vec![("GREETING".to_owned(), "good day".to_owned())];
    command.stdin = b"from outside\n".to_vec();
    let (end, text) = exec(&*subject.sandbox, command).await?;
    assert_eq!((end.exit_code, text.as_str()), (0, "folder\ngood day\nfrom outside\n"));
    let (_, text) = subject.sh("basename \"$PWD\"; cat; id -u >/dev/null && echo ok").await?;
    assert_eq!(text, "workspace\nok\n");
    Ok(())
}

/// A missing program, a file that is none and a missing directory cannot start, and say which it was.
pub async fn a_program_that_is_not_there_cannot_start(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.write("text", "hello").await?;
    let mut nowhere = program(&["/bin/true"]);
    nowhere.directory = "/nowhere".to_owned();
    for (command, expected) in [
        (program(&["no-such-program"]), "no such file or directory"),
        (program(&["/workspace/text"]), "permission denied"),
        (program(&[]), "no program is named"),
        (nowhere, "the directory /nowhere does not exist"),
    ] {
        match exec(&*subject.sandbox, command).await {
            Err(SandboxError::Start { message, .. }) => assert_eq!(message, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    Ok(())
}

/// The program and what it started die; what it wrote before is not lost.
pub async fn a_program_whose_time_is_up_is_killed(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let mut command =
        program(&["/bin/sh", "-c", "echo begun; sleep 1001 & echo $! >pid; wait; echo not reached"]);
    command.timeout = Some(Duration::from_millis(200));
    let (end, text) = exec(&*subject.sandbox, command).await?;
    assert_eq!((end.timed_out, end.exit_code, text.as_str()), (true, 137, "begun\n"));
    eventually(|| async { Ok(!lives(&subject).await?) }).await
}

/// Input and output flow at the same time, in whatever pieces.
pub async fn large_input_to_a_program_that_answers_does_not_hang(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let input: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
    let output = Mutex::new(Vec::new());
    let mut command = program(&["/bin/cat"]);
    command.stdin.clone_from(&input);
    let collect = |piece: Output<'_>| {
        if let Output::Stdout(bytes) = piece {
            output.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        }
    };
    subject.sandbox.exec(command, &collect).await?;
    assert!(output.into_inner().unwrap_or_default() == input);
    // A program that reads nothing ends all the same.
    let mut deaf = program(&["/bin/true"]);
    deaf.stdin = input;
    assert_eq!(exec(&*subject.sandbox, deaf).await?.0.exit_code, 0);
    Ok(())
}

/// Every byte value, in the stream that it was written to, from programs and from the shell.
pub async fn output_comes_whole_and_in_its_stream(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let all: Vec<u8> = (0..=255).collect();
    subject.sandbox.write("bytes", all.clone()).await?;
    let streams = Mutex::new((Vec::new(), Vec::new()));
    let collect = |piece: Output<'_>| {
        let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
        match piece {
            Output::Stdout(bytes) => streams.0.extend_from_slice(bytes),
            Output::Stderr(bytes) => streams.1.extend_from_slice(bytes),
        }
    };
    subject.sandbox.exec(program(&["/bin/sh", "-c", "cat bytes; echo oops >&2"]), &collect).await?;
    let command = crate::ShellCommand { command: "cat bytes; echo again >&2".to_owned(), timeout: LONG };
    subject.sandbox.shell(command, &collect).await?;
    let (stdout, stderr) = streams.into_inner().unwrap_or_default();
    assert_eq!(stdout, [all.clone(), all].concat());
    assert_eq!(stderr, b"oops\nagain\n");
    Ok(())
}

/// 200 MB pass through bounded buffers, from a program and from the shell.
pub async fn huge_output_takes_no_memory(provider: &dyn SandboxProvider) -> Outcome {
    const BYTES: u64 = 200_000_000;
    let subject = Subject::new(provider).await?;
    let (count, most) = (AtomicU64::new(0), AtomicU64::new(0));
    let before = resident_bytes();
    let measure = |piece: Output<'_>| {
        let (Output::Stdout(bytes) | Output::Stderr(bytes)) = piece;
        let total = count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if total % 64 == 0 {
            most.fetch_max(resident_bytes(), Ordering::Relaxed);
        }
    };
    subject.sandbox.exec(program(&["/usr/bin/head", "-c", "200000000", "/dev/zero"]), &measure).await?;
    assert_eq!(count.swap(0, Ordering::Relaxed), BYTES);
    let command = crate::ShellCommand { command: "head -c 200000000 /dev/zero".to_owned(), timeout: LONG };
    subject.sandbox.shell(command, &measure).await?;
    assert_eq!(count.load(Ordering::Relaxed), BYTES);
    let grown = most.load(Ordering::Relaxed).saturating_sub(before);
    assert!(grown < 100 << 20, "grew by {grown} bytes");
    Ok(())
}

/// Whoever stops waiting for a program ends it.
pub async fn a_program_dies_with_its_caller(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let command = program(&["/bin/sh", "-c", "echo $$ >pid; exec sleep 1002"]);
    let running = subject.sandbox.exec(command, &|_| {});
    let has_begun =
        eventually(|| async { Ok(subject.read("pid").await.is_ok_and(|pid| pid.ends_with('\n'))) });
    tokio::select! {
        end = running => panic!("{end:?}"),
        begun = has_begun => begun?,
    }
    eventually(|| async { Ok(!lives(&subject).await?) }).await
}

/// Whether the process whose id is in the file `pid` lives; one that nobody has waited for yet does not.
async fn lives(subject: &Subject) -> Result<bool, SandboxError> {
    let command = "kill -0 $(cat pid) 2>/dev/null && ! grep -q '^State:.*zombie' /proc/$(cat pid)/status";
    Ok(subject.sh(command).await?.0.exit_code == 0)
}

/// The memory that this process really has, in bytes.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}
