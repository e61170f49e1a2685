//! What the provider and its launcher say to each other: JSON behind a 4-byte length, over one socket.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use domain::SandboxId;
use guest::protocol::Setup;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::provider::SandboxLimits;

/// The longest message.
const MAX_BYTES: u32 = 4 << 20;

/// To the launcher.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// What every sandbox is made of; the first command.
    Prepare(Box<Template>),
    /// Make a sandbox.
    Create(Box<Order>),
    /// Kill one; the answer is [`Notice::Ended`], also where there is none.
    Stop(SandboxId),
    /// Stop all its processes where they are, or let them go on; the answer is [`Notice::Held`].
    Hold {
        /// Which.
        id: SandboxId,
        /// Whether they stop.
        frozen: bool,
    },
    /// Kill and remove what carries the label of this runtime folder, but for these.
    Reap {
        /// The folder of this owner's sandboxes.
        runtime: PathBuf,
        /// What stays.
        keep: Vec<SandboxId>,
    },
}

/// From the launcher.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// The guest's program runs and its socket listens; these are its control groups.
    Created(SandboxId, Vec<PathBuf>),
    /// There is no such sandbox, and nothing of it is left.
    NotCreated(SandboxId, Fault),
    /// What became of [`Command::Hold`]; a text says why it could not be done.
    Held(SandboxId, Result<(), String>),
    /// The sandbox is gone and its resources are free.
    Ended(SandboxId, String),
    /// What [`Command::Reap`] removed.
    Reaped(Vec<SandboxId>),
}

/// Why there is no sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// This host lacks something.
    Unsupported {
        /// What.
        missing: String,
        /// How to mend it.
        fix: String,
    },
    /// The disk is full.
    DiskFull {
        /// A path on it.
        path: PathBuf,
    },
    /// A path that was asked for cannot be shown.
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// Anything else, with the step that did not work.
    Other(String),
}

/// What all sandboxes of an owner are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Template {
    /// The folder of this owner's sandboxes; each gets one of its own in it.
    pub(crate) runtime: PathBuf,
    /// The bubblewrap that makes the sandboxes; otherwise we do.
    pub(crate) bwrap: Option<PathBuf>,
    /// How many children wait ready for an order.
    pub(crate) parked: usize,
    /// What is seen of the host, read-only: (host, inside).
    pub(crate) shown: Vec<(PathBuf, PathBuf)>,
    /// Paths inside that are covered by an empty file.
    pub(crate) hidden: Vec<PathBuf>,
    /// Symbolic links: (inside, target).
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
    /// Small files: (inside, content).
    pub(crate) files: Vec<(PathBuf, String)>,
}

/// A sandbox to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Its id.
    pub(crate) id: SandboxId,
    /// What survives it.
    pub(crate) state: PathBuf,
    /// A read-only tree under /workspace.
    pub(crate) workspace_base: Option<PathBuf>,
    /// States of earlier sandboxes that this one goes on from, the newest first.
    pub(crate) layers: Vec<PathBuf>,
    /// A tree instead of the host's programs.
    pub(crate) rootfs: Option<PathBuf>,
    /// Whether the sandbox's root may write outside the usual places.
    pub(crate) writable_root: bool,
    /// What is seen of the host besides the template, read-only: (host, inside).
    pub(crate) shown: Vec<(PathBuf, PathBuf)>,
    /// What it may use.
    pub(crate) limits: SandboxLimits,
    /// How its guest is set up.
    pub(crate) setup: Setup,
}

/// Writes a message.
pub(crate) fn send<T: Serialize>(mut writer: impl Write, message: &T) -> io::Result<()> {
    let json = serde_json::to_vec(message)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    writer.write_all(&[&length.to_le_bytes(), json.as_slice()].concat())
}

/// Reads a message; `None` where the other side has closed between two messages.
pub(crate) fn receive<T: DeserializeOwned>(mut reader: impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match reader.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let length = u32::from_le_bytes(length);
    if length > MAX_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut json = vec![0; length as usize];
    reader.read_exact(&mut json)?;
    Ok(Some(serde_json::from_slice(&json)?))
}
