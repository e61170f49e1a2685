//! The sample projects that built-in stories play on.

use std::path::{Path, PathBuf};

use accounts::access::{Allowed, WriteRuns};
use domain::event::Attended;
use domain::limits::{GuardProfile, RunLimits};

use crate::error::{Result, WhileDoing};
use crate::host_git;
use crate::request::NewRun;
use crate::runs::{Runs, invalid};
use crate::view::RunView;

/// The story that the demo plays.
pub const STORY: &str = "shop";

/// Where sample projects lie.
pub(crate) fn root(data: &Path) -> PathBuf {
    data.canonicalize().unwrap_or_else(|_| data.to_owned()).join("demo")
}

impl Runs {
    /// Makes a fresh sample project and starts the demo's story on it.
    ///
    /// # Errors
    ///
    /// Where the project cannot be written or the run cannot be made.
    pub async fn demo(&self, allowed: &Allowed<WriteRuns>, attended: Attended) -> Result<RunView> {
        let root = root(&self.inner.parts.settings.data);
        let folder = tokio::task::spawn_blocking(move || make_project(&root))
            .await
            .while_doing("make the sample project")??;
        let goal = models::stories::goal(STORY).ok_or_else(|| invalid("there is no such story"))?;
        let wish = NewRun {
            goal,
            repository: Some(folder.display().to_string()),
            project: None,
            model: Some(format!("scripted/{STORY}")),
            check: None,
            dirty: false,
            apply: false,
            include: Vec::new(),
            attended,
            limits: RunLimits::default(),
            guards: GuardProfile::default(),
        };
        self.create(allowed, wish, None).await
    }
}

/// Writes the project into a folder of its own and commits it. The repository is ours, so git runs here.
fn make_project(root: &Path) -> Result<PathBuf> {
    let doing = "make the sample project";
    let files = models::stories::project(STORY).ok_or_else(|| invalid("there is no such story"))?;
    std::fs::create_dir_all(root).while_doing(doing)?;
    let mut number = 1;
    let folder = loop {
        let name = if number == 1 { "coupon-shop".to_owned() } else { format!("coupon-shop-{number}") };
        match std::fs::create_dir(root.join(&name)) {
            Ok(()) => break root.join(name),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 10_000 => number += 1,
            Err(source) => return Err(crate::Error::Internal { doing, source: Box::new(source) }),
        }
    };
    for (path, text, executable) in files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).while_doing(doing)?;
        }
        std::fs::write(&path, text).while_doing(doing)?;
        if *executable {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).while_doing(doing)?;
        }
    }
    host_git::make_repository(&folder, "The shop as it is, with a coupon that gets lost")?;
    Ok(folder)
}
