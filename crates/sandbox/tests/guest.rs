//! The guest under conditions that only a real sandbox has: other users, and limits that are reached.

use futures_util::StreamExt as _;
use sandbox::contract::{Outcome, Subject};
use sandbox::{ProcessEvent, ProcessRef, SandboxError, StartProcess, UploadOptions};
use world::World;

#[path = "common/world.rs"]
mod world;

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// Runs a command line as a user; gives its exit code and all its output.
async fn run_as(
    subject: &Subject,
    user: Option<&str>,
    command: &str,
) -> Result<(i32, String), Box<dyn std::error::Error>> {
    let order = StartProcess {
        argv: ["/bin/sh", "-c", command].map(str::to_owned).to_vec(),
        user: user.map(str::to_owned),
        ..StartProcess::default()
    };
    let process = subject.sandbox.start(order).await?;
    let mut events = subject.sandbox.follow(ProcessRef::Pid(process.pid), true).await?;
    let mut text = String::new();
    while let Some(event) = events.next().await {
        match event? {
            ProcessEvent::Stdout(bytes) | ProcessEvent::Stderr(bytes) | ProcessEvent::Pty(bytes) => {
                text += &String::from_utf8_lossy(&bytes);
            }
            ProcessEvent::Missed { bytes } => panic!("missed {bytes}"),
            ProcessEvent::Ended { exit_code, .. } => return Ok((exit_code, text)),
        }
    }
    Err("no end".into())
}

#[tokio::test]
async fn root_inside_rules_over_files_of_the_sandbox_and_nothing_else() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    if !is_root() {
        assert!(
            matches!(run_as(&subject, Some("root"), "id").await, Err(error) if error.to_string().contains("one user alone"))
        );
        return Ok(());
    }
    subject.sh("umask 077; mkdir own; echo secret >own/f").await?;
    for user in [None, Some("user")] {
        assert_eq!(run_as(&subject, user, "id -u; id -G; echo $HOME").await?.1, "1000\n1000\n/home/user\n");
    }
    let (code, text) = run_as(
        &subject,
        Some("root"),
        "id -u; id -G; echo $USER; cat own/f; echo r >own/r; chown 1000:1000 own/r; stat -c %u own/r; grep CapEff /proc/self/status",
    )
    .await?;
    assert_eq!((code, text.as_str()), (0, "0\n0\nroot\nsecret\n1000\nCapEff:\t00000000000000fb\n"));
    for attempt in [
        "mount -t tmpfs none /tmp",
        "unshare -n true",
        "ip link add dummy0 type dummy",
        "echo x >/usr/bin/x",
        "chown 70000 own/f",
        "mknod device c 1 3",
        "cat /proc/1/environ",
        "echo 1 >/proc/sys/net/ipv4/ip_forward",
        "kill -9 1; kill -0 1 && false",
        "date -s 2000-01-01",
    ] {
        let (code, text) = run_as(&subject, Some("root"), attempt).await?;
        assert_ne!(code, 0, "{attempt}: {text}");
    }
    // The user of commands has got nothing of it.
    assert_eq!(
        run_as(&subject, None, "grep CapEff /proc/self/status").await?.1,
        "CapEff:\t0000000000000000\n"
    );
    assert_ne!(run_as(&subject, None, "chown 0 own/f").await?.0, 0);
    Ok(())
}

#[tokio::test]
async fn an_upload_belongs_to_whom_it_is_for() -> Outcome {
    if !is_root() {
        return Ok(());
    }
    let world = World::new()?;
    let subject = world.plain().await?;
    let bytes = || futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"text"))]).boxed();
    let options =
        UploadOptions { user: Some("root".to_owned()), mode: Some(0o600), ..UploadOptions::default() };
    let info = subject.sandbox.upload("a/f", bytes(), options).await?;
    assert_eq!((info.uid, info.owner.as_str(), info.mode), (0, "root", 0o600));
    // The same connection serves the user of commands afterwards, without root's rights.
    assert!(matches!(subject.sandbox.read("a/f", 0, 9).await, Err(SandboxError::File { .. })));
    let info = subject.sandbox.upload("b", bytes(), UploadOptions::default()).await?;
    assert_eq!((info.uid, info.owner.as_str(), info.mode), (1000, "user", 0o644));
    subject.sandbox.stop().await?;
    drop(subject);
    // What root made leaves nothing in the way of the folder's removal.
    let World { provider, folder } = world;
    drop(provider);
    folder.close()?;
    Ok(())
}

#[tokio::test]
async fn an_upload_without_end_is_refused_where_the_file_or_the_disk_is_full() -> Outcome {
    let world = World::new()?;
    let subject = world.sandbox(|spec| spec.limits.file_size_bytes = 3 << 20).await?;
    let endless = || {
        let piece = bytes::Bytes::from(vec![7; 64 << 10]);
        futures_util::stream::repeat_with(move || Ok(piece.clone())).boxed()
    };
    let refused = subject.sandbox.upload("file", endless(), UploadOptions::default());
    match tokio::time::timeout(std::time::Duration::from_secs(60), refused).await? {
        Err(SandboxError::File { fault: sandbox::FileFault::TooLarge, .. }) => {}
        other => panic!("{other:?}"),
    }
    // The guest lives, and nothing is left of it.
    assert_eq!(subject.sandbox.list("", 1).await?.len(), 0);
    let small = world.sandbox(|spec| spec.limits.memory_bytes = 64 << 20).await?;
    let refused = small.sandbox.upload("/dev/shm/file", endless(), UploadOptions::default());
    match tokio::time::timeout(std::time::Duration::from_secs(60), refused).await? {
        Err(SandboxError::DiskFull { .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(small.sandbox.list("/dev/shm", 1).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn figures_have_the_limits_of_the_sandbox_and_count_memory_once() -> Outcome {
    if !is_root() {
        return Ok(());
    }
    let world = World::new()?;
    let change = |spec: &mut sandbox::SandboxSpec| {
        spec.limits.memory_bytes = 512 << 20;
        spec.limits.cpu_millis = 1_000;
    };
    let subject = world.sandbox(change).await?;
    // 64 MiB that eight processes share.
    let share = "import os, time
held = b'x' * (64 << 20)
for number in range(7):
    if os.fork() == 0:
        break
time.sleep(1045)";
    let order = StartProcess {
        argv: ["python3", "-c", share].map(str::to_owned).to_vec(),
        ..StartProcess::default()
    };
    subject.sandbox.start(order).await?;
    let all_run = async {
        loop {
            let figures = subject.sandbox.metrics().await?;
            if figures.processes >= 9 {
                return Ok::<_, SandboxError>(figures);
            }
        }
    };
    let figures = tokio::time::timeout(std::time::Duration::from_secs(60), all_run).await??;
    assert_eq!((figures.cpu_count, figures.memory_total_bytes), (1, 512 << 20));
    assert!((64 << 20..256 << 20).contains(&figures.memory_used_bytes), "{figures:?}");
    subject.sh("head -c 50000000 /dev/zero >file; cat file >/dev/null").await?;
    let later = subject.sandbox.metrics().await?;
    assert!(later.memory_cache_bytes >= 40_000_000, "{later:?}");
    assert!(later.cpu_time_us > figures.cpu_time_us && later.cpu_used_percent > 0.0, "{later:?}");
    Ok(())
}

#[tokio::test]
async fn a_sandbox_at_its_limit_of_processes_says_so_and_recovers() -> Outcome {
    if !is_root() {
        return Ok(());
    }
    let world = World::new()?;
    let subject = world.sandbox(|spec| spec.limits.processes = 24).await?;
    let bomb = "import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in range(40):
    try:
        if os.fork() == 0:
            time.sleep(1044)
    except OSError:
        pass
print('full', flush=True)
time.sleep(1044)";
    let order =
        StartProcess { argv: ["python3", "-c", bomb].map(str::to_owned).to_vec(), ..StartProcess::default() };
    let process = subject.sandbox.start(order).await?;
    let bomb = ProcessRef::Pid(process.pid);
    let mut events = subject.sandbox.follow(bomb.clone(), true).await?;
    let begun = tokio::time::timeout(std::time::Duration::from_secs(60), events.next()).await?;
    assert!(matches!(begun, Some(Ok(ProcessEvent::Stdout(_)))), "{begun:?}");
    let full = async {
        let mut watches = Vec::new();
        loop {
            match subject.sandbox.watch_ports().await {
                Ok(watch) => watches.push(watch),
                Err(SandboxError::Busy { message }) => return message,
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    let message = tokio::time::timeout(std::time::Duration::from_secs(60), full).await?;
    assert_eq!(message, "the sandbox is at its limit of processes");
    drop(events);
    let killed = async {
        while subject.sandbox.signal(bomb.clone(), 9).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), killed).await?;
    let recovered = async {
        while !matches!(subject.sh("echo back").await, Ok((_, text)) if text == "back\n") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), recovered).await?;
    Ok(())
}
