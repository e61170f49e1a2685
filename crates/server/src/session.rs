//! A command's way to the API: through the process that owns the data folder, or, where none does, by owning
//! the folder itself for as long as the command needs.

use std::time::Duration;

use models::scripted::Pace;
use runtime::{Ambient, Backoff, Env, Supervisor};

use crate::cli::Global;
use crate::client::Client;
use crate::compose::Role;
use crate::config::Config;
use crate::error::{Failure, Result};
use crate::folder::DataFolder;
use crate::folder::lock::{self, Owner, Ownership};
use crate::output::Output;
use crate::owner::{Owned, OwnerSpec};

/// An owner that starts is given this long until it answers.
const OWNER_STARTS_WITHIN: Duration = Duration::from_secs(15);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// A command that owns the folder is not started again under its clients.
const SHORT_PATIENCE: Backoff =
    Backoff { first: Duration::from_millis(50), longest: Duration::from_millis(100), tries: 3 };

/// What every command is given.
#[derive(Clone)]
pub(crate) struct Context {
    /// How to speak.
    pub(crate) output: Output,
    /// The environment.
    pub(crate) env: Env,
    /// The data folder; it may not be there yet.
    pub(crate) folder: DataFolder,
    /// The settings.
    pub(crate) config: Config,
    /// Time and chance.
    pub(crate) ambient: Ambient,
    /// The command's own tasks.
    pub(crate) tasks: Supervisor,
    /// How fast scripts speak where this process owns the folder.
    pub(crate) pace: Pace,
}

impl Context {
    /// Reads flags, environment and configuration.
    ///
    /// # Errors
    ///
    /// Where the data folder or the configuration cannot be used.
    pub(crate) fn new(global: &Global, env: Env) -> Result<Self> {
        let output = Output::of(global, &env);
        let folder = DataFolder::locate(global.data.as_deref(), &env)?;
        let config = Config::load(&folder.config(), &env)?;
        let (ambient, tasks) = (Ambient::system(), Supervisor::new());
        Ok(Self { output, env, folder, config, ambient, tasks, pace: Pace::AsWritten })
    }

    /// Reaches the owner, or becomes it with `roles` where there is none.
    ///
    /// # Errors
    ///
    /// Where neither works.
    pub(crate) async fn session(&self, roles: &[Role]) -> Result<Session> {
        let mut context = self.clone();
        context.folder = context.folder.make()?;
        let asked_at = context.ambient.clock.elapsed();
        loop {
            match lock::take(&context.folder)? {
                Ownership::Ours(lock) => {
                    let spec = OwnerSpec {
                        roles: roles.to_vec(),
                        listener: None,
                        in_process: true,
                        pace: self.pace,
                    };
                    let owner = Owned::start(&context, lock, spec).await?;
                    let client = context.client(owner.socket());
                    return Ok(Session { client, context, owner: OwnedBy::Us(Box::new(owner)) });
                }
                Ownership::Theirs(Some(owner)) => {
                    let mut client = context.client(&owner.socket);
                    if owner.in_process {
                        client.patience = SHORT_PATIENCE;
                    }
                    if client.answers().await {
                        return Ok(Session { client, context, owner: OwnedBy::Other(owner) });
                    }
                }
                Ownership::Theirs(None) => {}
            }
            if context.ambient.clock.elapsed().saturating_sub(asked_at) > OWNER_STARTS_WITHIN {
                return Err(Failure::new(
                    "server_unreachable",
                    "the owner of the data folder does not answer",
                )
                .why(format!("{} is locked", context.folder.lock().display())));
            }
            context.ambient.sleep(LOOK_AGAIN_AFTER).await;
        }
    }

    fn client(&self, socket: &std::path::Path) -> Client {
        Client::new(socket.to_owned(), self.tasks.clone(), self.ambient.clone())
    }
}

/// A command's connection.
pub(crate) struct Session {
    /// The API.
    pub(crate) client: Client,
    /// What the command was given.
    pub(crate) context: Context,
    owner: OwnedBy,
}

enum OwnedBy {
    Us(Box<Owned>),
    Other(Owner),
}

impl Session {
    /// Whether this process does the work, so that it stops when the command returns.
    pub(crate) const fn in_process(&self) -> bool {
        matches!(self.owner, OwnedBy::Us(_))
    }

    /// Whether the work stops with some command's end: ours, or another `do` that owns the folder.
    pub(crate) const fn ends_with_a_command(&self) -> bool {
        match &self.owner {
            OwnedBy::Us(_) => true,
            OwnedBy::Other(owner) => owner.in_process,
        }
    }

    /// The other process that owns the folder.
    pub(crate) const fn other(&self) -> Option<&Owner> {
        match &self.owner {
            OwnedBy::Us(_) => None,
            OwnedBy::Other(owner) => Some(owner),
        }
    }

    /// After the owner has gone: where it was a command that ended with its own run, reaches whoever owns the
    /// folder now, or becomes the owner, so that our run goes on. Returns whether it did.
    ///
    /// # Errors
    ///
    /// Where that does not work either.
    pub(crate) async fn take_over(&mut self) -> Result<bool> {
        if !matches!(&self.owner, OwnedBy::Other(owner) if owner.in_process) {
            return Ok(false);
        }
        tracing::info!("the command that owned the data folder has ended");
        *self = self.context.session(&Role::ALL).await?;
        Ok(true)
    }

    /// Goes on with a run that has lost its owner, where this process does the work.
    pub(crate) fn work_on(&self, run: domain::RunId) {
        if let OwnedBy::Us(owner) = &self.owner {
            owner.work_on(run);
        }
    }

    /// How the command speaks.
    pub(crate) const fn output(&self) -> &Output {
        &self.context.output
    }

    /// Lets go: what this process owned is stopped so that runs can go on later.
    pub(crate) async fn close(self) {
        if let OwnedBy::Us(owner) = self.owner {
            owner.stop().await;
        }
    }
}
