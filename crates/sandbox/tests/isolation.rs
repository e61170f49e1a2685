//! What a native sandbox cannot do, see or use up.

use std::error::Error;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use sandbox::contract::{self, Outcome, shell_within};
use sandbox::{
    Exec, LauncherProgram, NativeConfig, SandboxError, SandboxLimits, SandboxProvider as _, SandboxSpec,
};
use world::World;

#[path = "common/world.rs"]
mod world;

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// The ids of this machine's processes whose command line holds `text`.
fn host_processes(text: &str) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(text)
    })
    .collect()
}

/// Waits until no process of this machine has `text` in its command line.
async fn gone_from_host(text: &str) -> Outcome {
    let wait = async {
        while !host_processes(text).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    Ok(tokio::time::timeout(Duration::from_secs(20), wait).await?)
}

#[tokio::test]
async fn there_is_no_network_but_loopback() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let (_, interfaces) = subject.sh("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '").await?;
    assert_eq!(interfaces, "lo\n");
    for address in ["127.0.0.1", "10.0.2.2", "169.254.169.254"] {
        let connect = format!("timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>&1; echo $?");
        let (_, text) = subject.shell(&connect).await?;
        assert!(text.ends_with("1\n") && text.contains("onnect"), "{address}: {text}");
    }
    // Loopback itself works: a sandbox may serve and ask itself.
    let own = "python3 -c 'import socket; s=socket.create_server((\"127.0.0.1\",0)); \
               socket.create_connection(s.getsockname()); print(\"ok\")' 2>&1";
    if subject.sh("command -v python3").await?.0.exit_code == 0 {
        assert_eq!(subject.sh(own).await?.1, "ok\n");
    }
    Ok(())
}

#[tokio::test]
async fn files_of_the_host_cannot_be_read() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    let secret = world.folder.path().join("secret");
    std::fs::write(&secret, "canary")?;
    let path = secret.display();
    let attempts = format!(
        "cat {path} /proc/1/root{path} /proc/self/root{path} /proc/1/cwd/../../../..{path}; ln -s {path} link; cat link;
         cat /etc/shadow /etc/gshadow /root/.ssh/* /root/.netrc; ls /work /home /var/lib /etc/ssh /sys /boot /srv"
    );
    let (_, text) = subject.sh(&attempts).await?;
    assert!(!text.contains("canary") && !text.contains("root:"), "{text}");
    let (_, homes) = subject.sh("ls /home; ls -A /var/lib").await?;
    assert_eq!(homes, "user\n");
    let (_, mounts) = subject.sh("cat /proc/self/mounts").await?;
    assert!(!mounts.contains(&world.folder.path().display().to_string()), "{mounts}");
    Ok(())
}

#[tokio::test]
async fn nothing_outside_the_writable_places_can_be_written() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    for path in [
        "/x",
        "/usr/x",
        "/etc/passwd",
        "/etc/x",
        "/opt/x",
        "/dev/x",
        "/run/x",
        "/var/x",
        "/home/x",
        "/proc/sys/kernel/hostname",
    ] {
        let (_, text) = subject.sh(&format!("echo x >{path} || echo refused")).await?;
        assert!(text.contains("refused\n"), "{path}: {text}");
    }
    for path in ["/workspace/x", "/home/user/x", "/tmp/x", "/dev/shm/x", "/var/tmp/x", "/dev/null"] {
        assert_eq!(subject.sh(&format!("echo x >{path}")).await?.1, "", "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn processes_of_the_host_cannot_be_seen() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    let (_, text) =
        subject.sh("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done 2>/dev/null").await?;
    assert!(text.starts_with("journeyman-guest"), "{text}");
    assert!(
        text.lines()
            .all(|line| line.is_empty() || line.starts_with("journeyman-guest") || line.contains("/bin/sh")),
        "{text}"
    );
    let (_, text) = subject
        .sh("kill -9 1; cat /proc/1/environ /proc/1/mem /proc/1/maps; ls -l /proc/1/exe /proc/1/fd")
        .await?;
    assert!(!text.contains("="), "{text}");
    assert_eq!(subject.sh("echo alive").await?.1, "alive\n");
    Ok(())
}

#[tokio::test]
async fn the_environment_and_the_descriptors_are_clean() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    let env = Exec { argv: vec!["/usr/bin/env".to_owned()], ..Exec::default() };
    let (_, text) = contract::exec(&*subject.sandbox, env).await?;
    let names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let expected = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LC_CTYPE",
        "TERM",
        "TMPDIR",
        "PAGER",
        "GIT_PAGER",
        "GIT_TERMINAL_PROMPT",
        "PIP_DISABLE_PIP_VERSION_CHECK",
    ];
    assert!(names.iter().all(|name| expected.contains(name)), "{names:?}");
    let (_, descriptors) = subject.sh("ls /proc/self/fd").await?;
    assert_eq!(descriptors.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    let (_, descriptors) = subject.shell("ls /proc/self/fd | tr '\\n' ' '").await?;
    assert!(
        descriptors.split_whitespace().all(|fd| fd.parse::<u32>().is_ok_and(|fd| fd < 20)),
        "{descriptors}"
    );
    Ok(())
}

#[tokio::test]
async fn there_are_no_powers_and_no_way_to_them() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    let (_, status) =
        subject.sh("grep -E '^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status").await?;
    let values: Vec<&str> = status.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let none = "0000000000000000";
    assert_eq!(values, [none, none, none, none, "1", "2"]);
    assert_eq!(subject.sh("id -u; id -G").await?.1, "1000\n1000\n");
    let (_, text) = subject.sh("cp /usr/bin/id own && chmod u+s own && ./own -u").await?;
    assert_eq!(text, "1000\n");
    for attempt in [
        "unshare -U true",
        "unshare -n true",
        "mount -t tmpfs none /tmp",
        "mount --bind /usr /tmp",
        "chroot / true",
        "mknod device b 7 0",
        "umount /proc/keys",
        "su -c true",
        "nsenter -t 1 -m true",
    ] {
        let (end, text) = subject.sh(&format!("{attempt} </dev/null 2>&1")).await?;
        assert_ne!(end.exit_code, 0, "{attempt}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_fork_bomb_is_limited_and_the_guest_stays() -> Outcome {
    let world = World::new()?;
    let subject = world.sandbox(|spec| spec.limits.processes = 64).await?;
    let bomb = "i=0; while [ $i -lt 200 ]; do sleep 1020 & i=$((i + 1)); done; echo made";
    let (end, text) = subject.sh(bomb).await?;
    assert!(end.exit_code != 0 && !text.contains("made"), "{text}");
    // The guest still answers what needs no new process, and what it kills makes room again.
    assert!(subject.sandbox.read("/proc/loadavg", 0, 100).await?.bytes.len() > 5);
    subject.sandbox.stop().await?;
    gone_from_host("sleep 1020").await
}

#[tokio::test]
async fn too_much_memory_kills_the_command_and_not_the_sandbox() -> Outcome {
    if !is_root() {
        // Without control groups the limit is per process; see docs/SANDBOX.md.
        return Ok(());
    }
    let world = World::new()?;
    let subject = world.sandbox(|spec| spec.limits.memory_bytes = 64 << 20).await?;
    let eater = "head -c 300000000 /dev/zero | tail | wc -c";
    let (_, text) = subject.sh(&format!("set -o pipefail 2>/dev/null; {eater}")).await?;
    assert!(!text.contains("300000000"), "{text}");
    let (end, text) = subject.shell("echo alive").await?;
    assert_eq!((end.exit_code, text.as_str()), (0, "alive\n"));
    // /tmp counts too.
    let (end, _) = subject.sh("head -c 300000000 /dev/zero >/tmp/fill").await?;
    assert_ne!(end.exit_code, 0);
    Ok(())
}

#[tokio::test]
async fn a_file_cannot_grow_beyond_its_limit() -> Outcome {
    let world = World::new()?;
    let subject = world.sandbox(|spec| spec.limits.file_size_bytes = 1 << 20).await?;
    let (end, _) = subject.sh("head -c 2000000 /dev/zero >large").await?;
    assert_ne!(end.exit_code, 0);
    assert_eq!(subject.sh("stat -c %s large").await?.1, "1048576\n");
    assert_ne!(subject.sh("truncate -s 1T sparse").await?.0.exit_code, 0);
    Ok(())
}

#[tokio::test]
async fn daemons_do_not_survive_the_end() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    let daemon = "setsid sh -c 'trap \"\" TERM HUP INT; (sleep 1021 & sleep 1021 &) ' </dev/null >/dev/null 2>&1 & sleep 0.1";
    subject.sh(daemon).await?;
    assert!(!host_processes("sleep 1021").is_empty());
    subject.sandbox.stop().await?;
    assert!(host_processes("sleep 1021").is_empty());
    Ok(())
}

#[tokio::test]
async fn sandboxes_do_not_see_each_other() -> Outcome {
    let world = World::new()?;
    let (one, other) = (world.plain().await?, world.plain().await?);
    one.shell("echo mine >/tmp/file; sleep 1022 & python3 -m http.server 8099 --bind 127.0.0.1 >/dev/null 2>&1 & echo").await?;
    let (_, text) = other
        .shell("ls /tmp; grep -l 1022 /proc/[0-9]*/cmdline; (exec 3<>/dev/tcp/127.0.0.1/8099) 2>&1")
        .await?;
    assert!(!text.contains("file") && !text.contains("cmdline") && text.contains("refused"), "{text}");
    Ok(())
}

#[tokio::test]
async fn the_time_of_a_sandbox_ends() -> Outcome {
    let world = World::new()?;
    let subject = world.sandbox(|spec| spec.limits.wall = Duration::from_millis(300)).await?;
    match shell_within(&*subject.sandbox, "sleep 1023", Duration::from_secs(60)).await {
        Err(SandboxError::Gone { cause }) => assert_eq!(cause, "its time was up"),
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[tokio::test]
async fn what_is_included_and_bound_is_seen_read_only() -> Outcome {
    let world = World::new()?;
    let shown = world.folder.path().join("shown");
    std::fs::create_dir(&shown)?;
    std::fs::write(shown.join("file"), "text\n")?;
    let bound = shown.clone();
    let subject = world
        .sandbox(|spec| {
            spec.include = vec![shown.clone()];
            spec.binds =
                vec![(bound.clone(), PathBuf::from("/source")), (bound.join("file"), PathBuf::from("/one"))];
        })
        .await?;
    let path = shown.display();
    let (_, text) = subject
        .sh(&format!("cat {path}/file /source/file /one; echo x >/source/file || echo refused"))
        .await?;
    assert!(text.contains("text\ntext\ntext\n") && text.contains("refused\n"), "{text}");
    let missing = world.sandbox(|spec| spec.include = vec![PathBuf::from("/nowhere/at/all")]).await;
    assert!(missing.is_err_and(|error| error.to_string().contains("/nowhere/at/all")));
    Ok(())
}

#[tokio::test]
async fn sandboxes_die_with_their_launcher_and_the_next_one_tidies_up() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    let sandbox = std::sync::Arc::clone(&subject.sandbox);
    subject.shell("sleep 1024 & echo").await?;
    let label = world.provider.isolation();
    assert!(label.contains("kernel is shared"), "{label}");
    let launchers = host_processes("journeyman-launcher __launcher");
    let parents: Vec<i32> = launchers.into_iter().filter(|pid| has_descendant(*pid, "sleep 1024")).collect();
    let [launcher] = parents[..] else { panic!("{parents:?}") };
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(launcher), nix::sys::signal::Signal::SIGKILL)?;
    gone_from_host("sleep 1024").await?;
    match subject.shell("echo hello").await {
        Err(SandboxError::Gone { cause }) => assert_eq!(cause, "the sandbox launcher died"),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.provider.reap(Vec::new()).await?, [sandbox.id()]);
    let again = world.provider.create(contract::spec(&subject.state.path().join("state"))).await?;
    assert_eq!(shell_within(&*again, "echo hello", Duration::from_secs(10)).await?.1, "hello\n");
    Ok(())
}

/// Whether a process below `root` has `text` in its command line.
fn has_descendant(root: i32, text: &str) -> bool {
    let parent = |pid: i32| -> Option<i32> {
        let mut stat = String::new();
        std::fs::File::open(format!("/proc/{pid}/stat")).ok()?.read_to_string(&mut stat).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    host_processes(text).into_iter().any(|pid| {
        std::iter::successors(Some(pid), |pid| parent(*pid).filter(|parent| *parent > 1))
            .any(|pid| pid == root)
    })
}

#[tokio::test]
async fn fifty_sandboxes_at_once_all_begin_and_end() -> Outcome {
    let world = World::new()?;
    let one = async || -> Result<String, Box<dyn Error>> {
        let subject = world
            .sandbox(|spec| spec.limits = SandboxLimits { processes: 64, ..SandboxLimits::default() })
            .await?;
        let text = subject.shell("echo hello").await?.1;
        subject.sandbox.stop().await?;
        Ok(text)
    };
    let all = futures_util::future::join_all((0..50).map(|_| one())).await;
    for text in all {
        assert_eq!(text?, "hello\n");
    }
    Ok(())
}

#[tokio::test]
async fn the_probe_finds_nothing_amiss_here_and_names_what_is() -> Outcome {
    let world = World::new()?;
    let config = |launcher| NativeConfig {
        launcher: LauncherProgram::Path(launcher),
        runtime_dir: world.folder.path().join("probe"),
        home: None,
        parked: 1,
    };
    let good = config(PathBuf::from(env!("CARGO_BIN_EXE_journeyman-launcher")));
    let probes = sandbox::probe(&good, &world.folder.path().join("good")).await;
    let names: Vec<&str> = probes.iter().map(|probe| probe.name).collect();
    for name in
        ["native sandbox", "overlay for /workspace", "no network", "system call filter", "git in the sandbox"]
    {
        assert!(names.contains(&name), "{names:?}");
    }
    let amiss: Vec<_> =
        probes.iter().filter(|probe| !probe.ok && !probe.name.starts_with("limit on")).collect();
    assert!(amiss.is_empty(), "{amiss:?}");
    let probes = sandbox::probe(&config(PathBuf::from("/bin/false")), &world.folder.path().join("bad")).await;
    let bad = probes.iter().find(|probe| probe.name == "native sandbox");
    assert!(bad.is_some_and(|probe| !probe.ok && probe.fix.is_some()), "{probes:?}");
    Ok(())
}

#[tokio::test]
async fn folders_of_the_base_can_be_moved_and_stay_moved() -> Outcome {
    let world = World::new()?;
    let base = world.folder.path().join("base");
    std::fs::create_dir_all(base.join("old/deep"))?;
    std::fs::write(base.join("old/deep/file"), "text\n")?;
    let state = world.folder.path().join("state");
    let over_base = || SandboxSpec { workspace_base: Some(base.clone()), ..contract::spec(&state) };
    let sandbox = world.provider.create(over_base()).await?;
    let rename = if is_root() { "perl -e 'rename(\"old\", \"new\") or die $!'" } else { "mv old new" };
    let (end, text) = shell_within(&*sandbox, rename, Duration::from_secs(60)).await?;
    assert_eq!((end.exit_code, text.as_str()), (0, ""));
    sandbox.stop().await?;
    let sandbox = world.provider.create(over_base()).await?;
    let (_, text) =
        shell_within(&*sandbox, "ls; cat new/deep/file; stat -c %U new/deep", Duration::from_secs(60))
            .await?;
    assert_eq!(text, "new\ntext\nuser\n");
    assert!(base.join("old/deep/file").exists());
    Ok(())
}

#[tokio::test]
async fn a_prepared_workspace_becomes_the_base_of_others() -> Outcome {
    let world = World::new()?;
    let prepared = world.folder.path().join("prepared");
    let first = world.provider.create(contract::spec(&prepared)).await?;
    shell_within(
        &*first,
        "mkdir sub; echo text >sub/file; chmod 700 sub; chmod 600 sub/file",
        Duration::from_secs(60),
    )
    .await?;
    first.stop().await?;
    let base = sandbox::workspace_folder(&prepared);
    let second = world.sandbox(|spec| spec.workspace_base = Some(base.clone())).await?;
    let third = world.sandbox(|spec| spec.workspace_base = Some(base.clone())).await?;
    let (_, text) =
        second.shell("stat -c '%U %a' . sub sub/file; echo more >>sub/file; cat sub/file").await?;
    assert_eq!(text, "user 755\nuser 700\nuser 600\ntext\nmore\n");
    assert_eq!(third.shell("cat sub/file").await?.1, "text\n");
    Ok(())
}

#[tokio::test]
async fn orphans_are_waited_for() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    subject.sh("for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.01 &) ; done; sleep 0.05").await?;
    let look = async {
        while subject.sh("grep -l '^State:.*zombie' /proc/[0-9]*/status").await?.1.contains("/proc/") {}
        Ok::<(), SandboxError>(())
    };
    Ok(tokio::time::timeout(Duration::from_secs(20), look).await??)
}

#[tokio::test]
async fn toolchains_and_their_environment_work() -> Outcome {
    let world = World::new()?;
    let subject = world.plain().await?;
    let (_, text) = subject.shell("git init -q repo && cd repo && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one && git log --format=%s").await?;
    assert_eq!(text, "one\n");
    let (_, text) = subject.shell("printf 'a\\n' | sort | sed s/a/b/ | awk '{print $1}'; mktemp -d | cut -c1-5; date +%Y >/dev/null && getent passwd user | cut -d: -f3").await?;
    assert_eq!(text, "b\n/tmp/\n1000\n");
    Ok(())
}

#[tokio::test]
async fn each_start_has_a_boot_id_of_its_own() -> Outcome {
    let world = World::new()?;
    let command = "cat /proc/sys/kernel/random/boot_id; echo x 2>/dev/null >/proc/sys/kernel/random/boot_id || echo refused";
    let (_, first) = world.plain().await?.sh(command).await?;
    let (_, second) = world.plain().await?.sh(command).await?;
    let host = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let ids = [&first, &second, &host].map(|text| text.lines().next().unwrap_or_default().to_owned());
    assert!(ids.iter().all(|id| id.len() == 36), "{ids:?}");
    assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2], "{ids:?}");
    assert!(first.ends_with("refused\n") && second.ends_with("refused\n"), "{first} {second}");
    Ok(())
}
