//! A sandbox for work of our own, such as reading a repository in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::SandboxId;
use sandbox::Sandbox;

use crate::error::Result;
use crate::live::Held;

/// A sandbox that no agent enters, and its folder.
pub struct Scratch {
    sandbox: Arc<dyn Sandbox>,
    folder: PathBuf,
    _held: Held,
}

impl Scratch {
    pub(crate) fn new(sandbox: Arc<dyn Sandbox>, folder: PathBuf, held: Held) -> Self {
        Self { sandbox, folder, _held: held }
    }

    /// The sandbox.
    #[must_use]
    pub fn sandbox(&self) -> &dyn Sandbox {
        &*self.sandbox
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> SandboxId {
        self.sandbox.id()
    }

    /// What it wrote lies here; stays until [`Scratch::close`].
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the sandbox; its folder stays.
    ///
    /// # Errors
    ///
    /// Where the provider could not stop it.
    pub async fn stop(&self) -> Result<()> {
        Ok(self.sandbox.stop().await?)
    }

    /// Stops the sandbox and removes its folder, unless it was moved away.
    pub async fn close(self) {
        if let Err(error) = self.sandbox.stop().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not stop a scratch sandbox");
        }
        if let Err(error) = tokio::fs::remove_dir_all(&self.folder).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not remove a scratch folder");
        }
    }
}
