//! Processes that go on by themselves, and terminals.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::{LONG, Outcome, Subject, eventually};
use crate::error::SandboxError;
use crate::provider::{Process, ProcessEvent, ProcessRef, PtySize, SandboxProvider, StartProcess, Told};

fn shell(command: &str) -> StartProcess {
    StartProcess { argv: ["/bin/sh", "-c", command].map(str::to_owned).to_vec(), ..StartProcess::default() }
}

fn by_pid(process: &Process) -> ProcessRef {
    ProcessRef::Pid(process.pid)
}

/// What a process wrote, as text, and its end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    stdout: String,
    stderr: String,
    pty: String,
    missed: u64,
    ended: Option<(i32, Option<i32>)>,
}

/// Reads until the end, or until `enough`.
async fn read_until(
    events: &mut Told<ProcessEvent>,
    enough: impl Fn(&Heard) -> bool,
) -> Result<Heard, Box<dyn std::error::Error>> {
    let mut told = Heard::default();
    while told.ended.is_none() && !enough(&told) {
        let next = tokio::time::timeout(LONG, events.next()).await;
        let next = next.map_err(|_| format!("nothing comes after {:.2000}", format!("{told:?}")))?;
        let Some(event) = next else { break };
        match event? {
            ProcessEvent::Stdout(bytes) => told.stdout += &String::from_utf8_lossy(&bytes),
            ProcessEvent::Stderr(bytes) => told.stderr += &String::from_utf8_lossy(&bytes),
            ProcessEvent::Pty(bytes) => told.pty += &String::from_utf8_lossy(&bytes),
            ProcessEvent::Missed { bytes } => told.missed += bytes,
            ProcessEvent::Ended { exit_code, signal, .. } => told.ended = Some((exit_code, signal)),
        }
    }
    Ok(told)
}

async fn read_all(subject: &Subject, process: &Process) -> Result<Heard, Box<dyn std::error::Error>> {
    let mut events = subject.sandbox.follow(by_pid(process), true).await?;
    read_until(&mut events, |_| false).await
}

/// Output of both streams and the end come to whoever follows, at whatever time, as often as asked.
pub async fn a_started_process_is_followed_by_any_number(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.sh("mkdir -p d; mkfifo d/go").await?;
    let order = StartProcess {
        directory: "d".to_owned(),
        env: vec![("GREETING".to_owned(), "good day".to_owned())],
        tag: Some("greeter".to_owned()),
        ..shell("echo $GREETING; echo oops >&2; read x <go; basename $PWD; exit 3")
    };
    let process = subject.sandbox.start(order.clone()).await?;
    assert_eq!((process.tag.as_deref(), process.pty, process.env), (Some("greeter"), false, order.env));
    assert_eq!(process.argv, order.argv);
    assert_eq!(process.directory, "/workspace/d");
    assert_eq!(subject.sandbox.processes().await?.len(), 1);
    let mut first = subject.sandbox.follow(ProcessRef::Tag("greeter".to_owned()), true).await?;
    let begun = read_until(&mut first, |told| !told.stdout.is_empty() && !told.stderr.is_empty()).await?;
    assert_eq!((begun.stdout.as_str(), begun.stderr.as_str()), ("good day\n", "oops\n"));
    let mut second = subject.sandbox.follow(ProcessRef::Pid(process.pid), false).await?;
    subject.sh("echo >d/go").await?;
    let rest = Heard { stdout: "d\n".to_owned(), ended: Some((3, None)), ..Heard::default() };
    assert_eq!(read_until(&mut first, |_| false).await?, rest);
    assert_eq!(read_until(&mut second, |_| false).await?, rest);
    let whole = Heard {
        stdout: "good day\nd\n".to_owned(),
        stderr: "oops\n".to_owned(),
        ended: Some((3, None)),
        ..Heard::default()
    };
    let mut late = subject.sandbox.follow(ProcessRef::Tag("greeter".to_owned()), true).await?;
    assert_eq!(read_until(&mut late, |_| false).await?, whole);
    assert!(subject.sandbox.processes().await?.is_empty());
    Ok(())
}

/// Input is sent in pieces and ended; who leaves does not end the process.
pub async fn a_started_process_takes_input_and_outlives_its_followers(
    provider: &dyn SandboxProvider,
) -> Outcome {
    let subject = Subject::new(provider).await?;
    let sandbox = &subject.sandbox;
    let process = sandbox.start(StartProcess { stdin: true, ..shell("cat; echo end") }).await?;
    let mut events = sandbox.follow(by_pid(&process), true).await?;
    sandbox.send_input(by_pid(&process), b"one\n".to_vec()).await?;
    let told = read_until(&mut events, |told| told.stdout == "one\n").await?;
    assert_eq!(told.ended, None);
    drop(events);
    let large = vec![b'x'; 300_000];
    sandbox.send_input(by_pid(&process), large.clone()).await?;
    sandbox.close_input(by_pid(&process)).await?;
    let told = read_all(&subject, &process).await?;
    assert_eq!((told.ended, told.stdout.len()), (Some((0, None)), 4 + large.len() + 4));
    for error in [
        sandbox.send_input(by_pid(&process), b"late".to_vec()).await.err(),
        sandbox.close_input(by_pid(&process)).await.err(),
    ] {
        assert!(matches!(error, Some(SandboxError::NoProcess { .. })), "{error:?}");
    }
    // Without `stdin` there is nothing to read.
    let process = sandbox.start(shell("cat; echo nothing")).await?;
    assert_eq!(read_all(&subject, &process).await?.stdout, "nothing\n");
    Ok(())
}

/// Signals reach the process and its group; SIGKILL also what has left the group, and what ignores everything else.
pub async fn a_signal_reaches_the_group_and_a_kill_everything(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let sandbox = &subject.sandbox;
    let process =
        sandbox.start(shell("trap 'echo caught; exit 5' TERM; sleep 1040 & echo ready; wait")).await?;
    let mut events = sandbox.follow(by_pid(&process), true).await?;
    read_until(&mut events, |told| told.stdout == "ready\n").await?;
    assert!(sandbox.signal(by_pid(&process), 15).await?);
    let told = read_until(&mut events, |_| false).await?;
    assert_eq!((told.ended, told.stdout.as_str()), (Some((5, None)), "caught\n"));
    assert!(!sandbox.signal(by_pid(&process), 15).await?);

    let stubborn =
        "trap '' TERM HUP INT; (trap '' TERM; exec setsid sleep 1041) & echo $!; while :; do sleep 1; done";
    let process = sandbox.start(shell(stubborn)).await?;
    let mut events = sandbox.follow(by_pid(&process), true).await?;
    let child = read_until(&mut events, |told| told.stdout.ends_with('\n')).await?.stdout;
    assert!(sandbox.signal(by_pid(&process), 15).await?);
    assert!(sandbox.signal(by_pid(&process), 9).await?);
    assert_eq!(read_until(&mut events, |_| false).await?.ended, Some((137, Some(9))));
    let gone =
        format!("kill -0 {0} 2>/dev/null && ! grep -q '^State:.*zombie' /proc/{0}/status", child.trim());
    eventually(|| async { Ok(subject.sh(&gone).await?.0.exit_code != 0) }).await
}

/// What nobody knows is told by name, in every call.
pub async fn an_unknown_process_is_told(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let sandbox = &subject.sandbox;
    let size = PtySize { columns: 80, rows: 24 };
    for process in [ProcessRef::Pid(4_000_000), ProcessRef::Tag("nobody".to_owned())] {
        for error in [
            sandbox.follow(process.clone(), true).await.err(),
            sandbox.send_input(process.clone(), b"x".to_vec()).await.err(),
            sandbox.close_input(process.clone()).await.err(),
            sandbox.signal(process.clone(), 15).await.err(),
            sandbox.resize(process.clone(), size).await.err(),
        ] {
            match error {
                Some(SandboxError::NoProcess { what }) => assert_eq!(what, process.to_string()),
                other => panic!("{other:?}"),
            }
        }
    }
    let plain = sandbox.start(shell("sleep 1042")).await?;
    assert!(matches!(sandbox.resize(by_pid(&plain), size).await, Err(SandboxError::NoProcess { .. })));
    assert!(sandbox.signal(by_pid(&plain), 9_999).await.is_err());
    let missing = StartProcess { argv: vec!["no-such-program".to_owned()], ..StartProcess::default() };
    assert!(matches!(sandbox.start(missing).await, Err(SandboxError::Start { .. })));
    let nobody = StartProcess { user: Some("no-such-user".to_owned()), ..shell("true") };
    assert!(matches!(sandbox.start(nobody).await, Err(SandboxError::Start { .. })));
    let usual = sandbox.start(StartProcess { user: Some("user".to_owned()), ..shell("echo hello") }).await?;
    assert_eq!(read_all(&subject, &usual).await?.stdout, "hello\n");
    Ok(())
}

/// A terminal has a size, which can change; what is typed is answered, and Ctrl-C interrupts.
pub async fn a_terminal_is_one(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let sandbox = &subject.sandbox;
    let order = StartProcess {
        argv: ["/bin/bash", "--norc", "--noprofile"].map(str::to_owned).to_vec(),
        env: vec![("PS1".to_owned(), "$ ".to_owned())],
        pty: Some(PtySize { columns: 91, rows: 37 }),
        tag: Some("terminal".to_owned()),
        ..StartProcess::default()
    };
    let process = sandbox.start(order).await?;
    assert!(process.pty);
    let mut events = sandbox.follow(by_pid(&process), true).await?;
    let typed = |text: &str| sandbox.send_input(by_pid(&process), text.as_bytes().to_vec());
    typed("stty size; tty; echo $TERM\n").await?;
    let told = read_until(&mut events, |told| told.pty.contains("xterm-256color\r\n")).await?;
    assert!(told.pty.contains("37 91\r\n") && told.pty.contains("/dev/pts/"), "{told:?}");
    sandbox.resize(by_pid(&process), PtySize { columns: 120, rows: 40 }).await?;
    typed("stty size\n").await?;
    read_until(&mut events, |told| told.pty.contains("40 120\r\n")).await?;
    typed("sleep 1043\n").await?;
    read_until(&mut events, |told| told.pty.contains("sleep 1043")).await?;
    // While the program does not have the terminal yet, the shell takes the letter itself: it is typed until it works.
    let back = async {
        loop {
            typed("\x03").await?;
            typed("echo back$((40+2))\n").await?;
            let answer = read_until(&mut events, |told| told.pty.contains("back42\r\n"));
            if let Ok(told) = tokio::time::timeout(Duration::from_millis(300), answer).await {
                return told;
            }
        }
    };
    tokio::time::timeout(LONG, back).await??;
    // Before the shell reads from its terminal, the letter that ends the input means nothing to it.
    let ended = async {
        loop {
            let _ = sandbox.close_input(by_pid(&process)).await;
            let end = read_until(&mut events, |_| false);
            if let Ok(told) = tokio::time::timeout(Duration::from_millis(300), end).await {
                return told;
            }
        }
    };
    assert!(tokio::time::timeout(LONG, ended).await??.ended.is_some());
    Ok(())
}

/// Who does not read holds the process for a while only; what is lost is told, and the end still comes.
pub async fn a_slow_follower_misses_output_and_is_told(provider: &dyn SandboxProvider) -> Outcome {
    const BYTES: u64 = 30_000_000;
    let subject = Subject::new(provider).await?;
    let sandbox = &subject.sandbox;
    let process = sandbox
        .start(shell(&format!("mkfifo go; read x <go; head -c {BYTES} /dev/zero; touch done")))
        .await?;
    let mut slow = sandbox.follow(by_pid(&process), true).await?;
    let mut quick = sandbox.follow(by_pid(&process), true).await?;
    eventually(|| async { Ok(subject.sh("test -p go").await?.0.exit_code == 0) }).await?;
    subject.sh("echo >go").await?;
    let count = async {
        let (mut bytes, mut missed) = (0_u64, 0);
        loop {
            match quick.next().await.ok_or("no end")?? {
                ProcessEvent::Stdout(piece) => bytes += piece.len() as u64,
                ProcessEvent::Missed { bytes } => missed += bytes,
                ProcessEvent::Ended { exit_code, .. } => {
                    break Ok::<_, Box<dyn std::error::Error>>((bytes, missed, exit_code));
                }
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(tokio::time::timeout(LONG, count).await??, (BYTES, 0, 0));
    let told = read_until(&mut slow, |_| false).await?;
    assert!(told.missed > 0, "nothing was missed");
    assert_eq!((told.missed + told.stdout.len() as u64, told.ended), (BYTES, Some((0, None))));
    Ok(())
}

/// A child that keeps the output open does not delay the end, and lives on.
pub async fn a_child_that_stays_does_not_delay_the_end(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.sh("mkfifo go").await?;
    // More than a pipe holds: it could not go on if nobody read it.
    let command = "(read x <go; yes | head -c 1000000; touch lived) & echo now";
    let process = subject.sandbox.start(shell(command)).await?;
    let told = tokio::time::timeout(LONG, read_all(&subject, &process)).await??;
    assert_eq!((told.stdout.as_str(), told.ended), ("now\n", Some((0, None))));
    subject.sh("echo >go").await?;
    eventually(|| async { Ok(subject.sandbox.stat("lived").await.is_ok()) }).await
}
