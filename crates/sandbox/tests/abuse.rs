//! Hostile code inside `native`, and what uses up a limit.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use sandbox::contract::{self, Outcome, Subject};
use sandbox::{Exec, SandboxError, SandboxProvider as _};
use world::World;

#[path = "common/probes.rs"]
mod probes;
#[path = "common/world.rs"]
mod world;

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

async fn python(
    subject: &Subject,
    program: &str,
    env: &[(&str, String)],
) -> Result<(i32, String), SandboxError> {
    let exec = Exec {
        argv: ["python3", "-c", program].map(str::to_owned).to_vec(),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        timeout: Some(Duration::from_secs(120)),
        ..Exec::default()
    };
    let (end, text) = contract::exec(&*subject.sandbox, exec).await?;
    Ok((end.exit_code, text))
}

#[tokio::test]
async fn hostile_programs_get_nothing() -> Outcome {
    let world = World::new()?;
    let secret = world.folder.path().join("secret");
    std::fs::write(&secret, "canary")?;
    let tcp = std::net::TcpListener::bind("127.0.0.1:0")?;
    let name = format!("journeyman-canary-{}", std::process::id());
    let _abstract_listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    let env = [
        ("SECRET", secret.display().to_string()),
        ("PORT", tcp.local_addr()?.port().to_string()),
        ("ABSTRACT", name),
    ];
    let subject = world.plain().await?;
    for (name, probe) in probes::PROBES {
        let (code, text) = python(&subject, &probes::program(probe), &env).await?;
        assert_eq!((code, text.as_str()), (0, ""), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn memory_without_end_costs_the_program_and_not_the_sandbox() -> Outcome {
    let world = World::new()?;
    let subject = world.sandbox(|spec| spec.limits.memory_bytes = 96 << 20).await?;
    let bomb = "import mmap\nkept = []\nfor _ in range(64):\n    m = mmap.mmap(-1, 16 << 20)\n    for o in range(0, 16 << 20, 4096): m[o] = 1\n    kept.append(m)\nprint('took it all')";
    let (code, text) = python(&subject, bomb, &[]).await?;
    assert!(code != 0 && !text.contains("took it all"), "{code} {text}");
    assert_eq!(subject.shell("echo alive").await?.1, "alive\n");
    Ok(())
}

#[tokio::test]
async fn temporary_files_end_at_their_limit() -> Outcome {
    let world = World::new()?;
    let subject = world.sandbox(|spec| spec.limits.memory_bytes = 64 << 20).await?;
    let (_, text) = subject
        .sh("head -c 100000000 /dev/zero >/tmp/fill; stat -c %s /tmp/fill; rm /tmp/fill; echo alive")
        .await?;
    assert!(!text.contains("100000000") && text.ends_with("alive\n"), "{text}");
    Ok(())
}

#[tokio::test]
async fn processor_time_is_shared_out() -> Outcome {
    if !is_root() {
        return Ok(());
    }
    let world = World::new()?;
    if world.provider.isolation().contains("no limit on CPU time") {
        return Ok(());
    }
    let subject = world.sandbox(|spec| spec.limits.cpu_millis = 500).await?;
    let hog = "
import os, time
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        end = time.time() + 2
        while time.time() < end: pass
        os._exit(0)
    children.append(child)
for child in children: os.waitpid(child, 0)
times = os.times()
print(times.children_user + times.children_system)";
    let (_, text) = python(&subject, hog, &[]).await?;
    let used: f64 = text.trim().parse()?;
    // Half a core for two seconds, and a period's slack at both ends.
    assert!(used < 1.5, "{used}");
    Ok(())
}

#[tokio::test]
async fn ranges_of_ids_are_never_shared_between_owners() -> Outcome {
    if !is_root() {
        return Ok(());
    }
    let (one, other) = (World::new()?, World::new()?);
    let (mine, theirs) = (one.plain().await?, other.plain().await?);
    let range = async |subject: &Subject| subject.sh("cat /proc/self/uid_map").await.map(|(_, text)| text);
    let (mine, theirs) = (range(&mine).await?, range(&theirs).await?);
    assert!(mine.trim_end().ends_with("65536"), "{mine}");
    assert_ne!(mine, theirs);
    Ok(())
}
