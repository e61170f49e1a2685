//! A run's sandbox on its way. The repository is cloned and the sandbox made while the model reads the goal; the
//! first tool call waits for it.

use std::path::PathBuf;
use std::sync::Arc;

use agent::Instructions;
use agent::port::{Place, Workspace};
use domain::event::{FileChange, RunEvent, RunSpec, SandboxReady};
use domain::run::Reason;
use futures_util::future::BoxFuture;
use orchestrator::Wanted;
use sandbox::{Sandbox, SandboxError};
use serde::{Deserialize, Serialize};
use tokio::sync::SetOnce;

use super::drive::Ride;
use crate::error::{Error, Result, WhileDoing};
use crate::journal::Then;
use crate::repository::base::Says;
use crate::repository::{Base, Look};
use crate::runs::Runs;
use crate::workspace::{BASE_GIT, RunWorkspace};

/// What the repository tells a run that begins. It stays as it was, whatever the agent does to the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Brief {
    /// The command that proves success.
    #[serde(default)]
    pub(crate) check: Option<String>,
    /// The file that it was found in; `None` where somebody gave it to us.
    #[serde(default)]
    pub(crate) check_found_in: Option<String>,
    /// The repository's instructions for agents.
    #[serde(default)]
    pub(crate) instructions: Option<Instructions>,
}

impl Brief {
    /// What is wanted of a run, and what the repository says.
    pub(crate) fn of(spec: &RunSpec, says: &Says) -> Self {
        let instructions = says.instructions.clone();
        match (&spec.check, &says.check) {
            (None, Some(found)) => Self {
                check: Some(found.command.clone()),
                check_found_in: Some(found.place.to_owned()),
                instructions,
            },
            (given, _) => Self { check: given.clone(), check_found_in: None, instructions },
        }
    }

    /// What a person should know about the check; nothing where somebody gave it.
    pub(crate) fn about_check(&self) -> Option<Reason> {
        let (code, text) = match (&self.check, &self.check_found_in) {
            (None, _) => (
                "no_check",
                "No check command is known, so nobody but the agent checks the result.".to_owned(),
            ),
            (Some(command), Some(place)) if place != "AGENTS.md" => {
                ("check_found", format!("The check is `{command}`, found in {place}."))
            }
            _ => return None,
        };
        let fix = "give one with --check, or name it in AGENTS.md: Check command: `…`";
        Some(Reason::new(code, text).with_fix(fix))
    }
}

/// What a run works on from its first sandbox to its last; kept in its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Begun {
    #[serde(flatten)]
    pub(crate) base: Base,
    #[serde(flatten)]
    pub(crate) brief: Brief,
}

/// What a sandbox is opened on.
pub(super) enum Ground {
    /// The base that the run began with.
    Base(Base),
    /// A repository that was looked at.
    Look(Box<Look>),
}

/// The sandbox and what it stands on.
pub(super) struct Opened {
    pub(super) base: Base,
    pub(super) sandbox: Arc<dyn Sandbox>,
    pub(super) workspace: Arc<RunWorkspace>,
}

/// The sandbox that is on its way.
#[derive(Default)]
pub(super) struct Ahead(SetOnce<Opened>);

impl Ahead {
    /// The sandbox, where it is there.
    pub(super) fn get(&self) -> Option<&Opened> {
        self.0.get()
    }

    /// Waits for the sandbox; for ever where it cannot be opened.
    pub(super) async fn opened(&self) -> &Opened {
        self.0.wait().await
    }
}

impl Place for Ahead {
    fn sandbox(&self) -> BoxFuture<'_, Arc<dyn Sandbox>> {
        Box::pin(async { self.opened().await.sandbox.clone() })
    }
}

impl Workspace for Ahead {
    fn changes(&self) -> BoxFuture<'_, Result<Vec<FileChange>, SandboxError>> {
        Box::pin(async { self.opened().await.workspace.changes().await })
    }
}

impl Ride<'_> {
    /// Opens the run's sandbox and says so in the log.
    pub(super) async fn open(&self, ground: Ground) -> Result<()> {
        let (base, scratch) = match ground {
            Ground::Base(base) => (base, None),
            Ground::Look(look) => {
                let _kept = self.runs.inner.bases.hold().await;
                let (base, scratch) = self.runs.inner.bases.make(*look).await?;
                let begun = Begun { base, brief: self.brief.clone() };
                self.runs.remember(self.spec.run, &begun).await?;
                (begun.base, Some(scratch))
            }
        };
        let sandbox = self.open_on(&base).await?;
        let mut events = vec![RunEvent::SandboxReady(self.ready(&base, &*sandbox).await?)];
        if scratch.is_some() {
            events.extend(base.notices().into_iter().map(RunEvent::Notice));
        }
        let workspace = Arc::new(RunWorkspace { sandbox: sandbox.clone(), base: base.commit.clone() });
        self.runs.inner.live.put(self.spec.run, workspace.clone());
        // Nobody else sets it.
        let _ = self.ahead.0.set(Opened { base, sandbox, workspace });
        self.journal.step(events, Vec::new(), Then::GoOn).await?;
        if let Some(scratch) = scratch {
            scratch.close().await;
        }
        Ok(())
    }

    async fn open_on(&self, base: &Base) -> Result<Arc<dyn Sandbox>> {
        let tree = self.runs.inner.bases.tree(base);
        let wanted = Wanted {
            run: self.spec.run,
            state_dir: self.runs.folder(self.spec.run).join("box"),
            binds: vec![(tree.join(".git"), PathBuf::from(BASE_GIT))],
            base: Some(tree),
            include: self.spec.include.iter().map(PathBuf::from).collect(),
        };
        let opened = self.runs.inner.parts.orchestrator.open(self.spec.org, wanted).await;
        opened.map_err(|error| match error {
            orchestrator::Error::Sandbox(error) => Error::Sandbox(error),
            other => Error::Internal { doing: "open a sandbox", source: Box::new(other) },
        })
    }

    async fn ready(&self, base: &Base, sandbox: &dyn Sandbox) -> Result<SandboxReady> {
        let orchestrator = &self.runs.inner.parts.orchestrator;
        let lost = sandbox.background_lost().await?;
        Ok(SandboxReady {
            sandbox: sandbox.id(),
            provider: orchestrator.provider().to_owned(),
            isolation: orchestrator.isolation(),
            base_commit: base.commit.clone(),
            base_branch: base.branch.clone(),
            branch: domain::name::branch(self.spec.number, &self.spec.goal),
            lost_processes: lost.into_iter().map(|process| process.command).collect(),
        })
    }
}

impl Runs {
    /// What a run's sandbox and its base are remembered in.
    pub(crate) fn folder(&self, run: domain::RunId) -> PathBuf {
        self.inner.parts.settings.data.join("runs").join(run.to_string())
    }

    /// What a run began with; `None` where it has not got that far.
    pub(crate) fn begun(&self, run: domain::RunId) -> Option<Begun> {
        serde_json::from_slice(&std::fs::read(self.folder(run).join("base.json")).ok()?).ok()
    }

    async fn remember(&self, run: domain::RunId, begun: &Begun) -> Result<()> {
        let doing = "remember what a run started from";
        let folder = self.folder(run);
        let text = serde_json::to_vec(begun).while_doing(doing)?;
        tokio::fs::create_dir_all(&folder).await.while_doing(doing)?;
        tokio::fs::write(folder.join("base.new"), text).await.while_doing(doing)?;
        tokio::fs::rename(folder.join("base.new"), folder.join("base.json")).await.while_doing(doing)?;
        Ok(())
    }
}
