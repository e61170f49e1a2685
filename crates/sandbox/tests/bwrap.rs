//! The contract, kept by `bwrap` on machines that have it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use sandbox::contract::{Outcome, Subject, exec};
use sandbox::{BwrapProvider, Exec, LauncherProgram, NativeConfig, SandboxProvider as _};

#[path = "common/probes.rs"]
mod probes;

#[expect(clippy::unwrap_used, reason = "a test without its provider has failed")]
/// A provider with a launcher and a runtime folder of its own.
fn provider() -> BwrapProvider {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("jm-bwrap-{}", std::process::id()));
    BwrapProvider::start(NativeConfig {
        launcher: LauncherProgram::Path(PathBuf::from(env!("CARGO_BIN_EXE_journeyman-launcher"))),
        runtime_dir: folder.join(number.to_string()),
        home: None,
        parked: 1,
    })
    .unwrap()
}

sandbox::contract_tests!(provider(), where BwrapProvider::program().is_some());

#[tokio::test]
async fn hostile_programs_get_nothing() -> Outcome {
    if BwrapProvider::program().is_none() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "canary")?;
    let tcp = std::net::TcpListener::bind("127.0.0.1:0")?;
    let provider = provider();
    let subject = Subject::new(&provider).await?;
    for (name, probe) in probes::PROBES {
        // bubblewrap limits the bytes of a tmpfs and not its files.
        if *name == "temporary files without end" {
            continue;
        }
        let command = Exec {
            argv: ["python3".to_owned(), "-c".to_owned(), probes::program(probe)].to_vec(),
            env: vec![
                ("SECRET".to_owned(), secret.display().to_string()),
                ("PORT".to_owned(), tcp.local_addr()?.port().to_string()),
                ("ABSTRACT".to_owned(), "journeyman-nobody".to_owned()),
            ],
            ..Exec::default()
        };
        let (end, text) = exec(&*subject.sandbox, command).await?;
        assert_eq!((end.exit_code, text.as_str()), (0, ""), "{name}");
    }
    assert!(provider.isolation().contains("bubblewrap"));
    Ok(())
}
