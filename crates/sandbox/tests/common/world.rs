//! A provider for tests that look at `native` from outside.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use sandbox::contract::{self, Subject};
use sandbox::{LauncherProgram, NativeConfig, NativeProvider, SandboxProvider as _, SandboxSpec};
use tempfile::TempDir;

/// A provider with a launcher and a runtime folder of its own.
pub(crate) struct World {
    pub(crate) provider: NativeProvider,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        Self::with_launcher(PathBuf::from(env!("CARGO_BIN_EXE_journeyman-launcher")))
    }

    pub(crate) fn with_launcher(launcher: PathBuf) -> Result<Self, Box<dyn Error>> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir()?;
        let label = format!("isolation-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let provider = NativeProvider::start(NativeConfig {
            launcher: LauncherProgram::Path(launcher),
            runtime_dir: folder.path().join(label),
            home: None,
            parked: 1,
        })?;
        Ok(Self { provider, folder })
    }

    pub(crate) async fn sandbox(
        &self,
        change: impl FnOnce(&mut SandboxSpec),
    ) -> Result<Subject, Box<dyn Error>> {
        let state = tempfile::tempdir()?;
        let mut spec = contract::spec(&state.path().join("state"));
        change(&mut spec);
        Ok(Subject { sandbox: self.provider.create(spec).await?, state })
    }

    pub(crate) async fn plain(&self) -> Result<Subject, Box<dyn Error>> {
        self.sandbox(|_| {}).await
    }
}
