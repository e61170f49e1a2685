//! The provider `bwrap`: bubblewrap makes the sandbox, with our filter of system calls and our guest as process 1.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::SandboxId;

use crate::error::SandboxError;
use crate::native::{NativeConfig, NativeProvider};
use crate::provider::{Answer, Sandbox, SandboxProvider, SandboxSpec};

/// Where distributions put it.
const PLACES: [&str; 3] = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"];

/// Makes sandboxes with bubblewrap.
#[derive(Debug)]
pub struct BwrapProvider {
    native: NativeProvider,
}

impl BwrapProvider {
    /// Where bubblewrap is on this machine.
    #[must_use]
    pub fn program() -> Option<PathBuf> {
        PLACES.iter().map(PathBuf::from).find(|path| path.is_file())
    }

    /// Starts the launcher, without waiting for it.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Unsupported`] where there is no bubblewrap.
    pub fn start(config: NativeConfig) -> Result<Self, SandboxError> {
        let program = Self::program().ok_or_else(|| SandboxError::Unsupported {
            missing: "bubblewrap".to_owned(),
            fix: "install it (apt-get install bubblewrap) or use the provider `native`".to_owned(),
        })?;
        Ok(Self { native: NativeProvider::start_with(config, Some(program))? })
    }
}

impl SandboxProvider for BwrapProvider {
    fn name(&self) -> &'static str {
        "bwrap"
    }

    fn isolation(&self) -> String {
        let mut text =
            "bubblewrap's namespaces, a system call filter and no network; the kernel is shared with this \
                        machine; disk use is not limited"
                .to_owned();
        if !nix::unistd::Uid::effective().is_root() {
            text.push_str("; no limit on total memory and none on CPU time");
        }
        if !Path::new("/usr/bin/prlimit").exists() {
            text.push_str("; no limit on processes");
        }
        text
    }

    fn create(&self, spec: SandboxSpec) -> Answer<'_, Arc<dyn Sandbox>> {
        Box::pin(async move {
            self.native.create(spec).await.map_err(|error| match error {
                // It ended before its guest answered.
                SandboxError::Gone { cause } if cause.contains("first process ended") => {
                    SandboxError::Unsupported {
                        missing: format!("what bubblewrap needs ({cause})"),
                        fix: "try `bwrap --unshare-all --ro-bind / / true`; user namespaces must be allowed"
                            .to_owned(),
                    }
                }
                error => error,
            })
        })
    }

    fn reap(&self, keep: Vec<SandboxId>) -> Answer<'_, Vec<SandboxId>> {
        self.native.reap(keep)
    }
}
