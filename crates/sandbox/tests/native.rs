//! The contract, kept by `native`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use sandbox::{LauncherProgram, NativeConfig, NativeProvider};

#[expect(clippy::unwrap_used, reason = "a test without its provider has failed")]
/// A provider with a launcher and a runtime folder of its own.
fn provider() -> NativeProvider {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("jm-contract-{}", std::process::id()));
    NativeProvider::start(NativeConfig {
        launcher: LauncherProgram::Path(PathBuf::from(env!("CARGO_BIN_EXE_journeyman-launcher"))),
        runtime_dir: folder.join(number.to_string()),
        home: None,
        parked: 1,
    })
    .unwrap()
}

sandbox::contract_tests!(provider());
