//! What a caller wants of a sandbox, checked at the border.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How long a sandbox lives where nothing else was asked for.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60 * 60);
/// The longest time-out that can be asked for at once; it may be extended again and again.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The most metadata or environment entries, and their size.
const ENTRIES_MAX: usize = 100;
const ENTRY_MAX_BYTES: usize = 32 << 10;

/// A sandbox that is wanted.
#[derive(Debug, Clone)]
pub struct CreateSandbox {
    /// Asking twice with one key is asking once.
    pub key: Option<String>,
    /// `host`, a template's name, `name@version`, or the id of a snapshot.
    pub template: String,
    /// For people.
    pub name: String,
    /// The caller's own names and values.
    pub metadata: BTreeMap<String, String>,
    /// Added to the environment of every command.
    pub env: BTreeMap<String, String>,
    /// How long it lives from when it is ready.
    pub timeout: Duration,
    /// What happens then.
    pub on_timeout: OnTimeout,
    /// Whether use wakes it when it rests.
    pub auto_resume: bool,
    /// What it may reach; the template's policy where `None`.
    pub egress: Option<EgressPolicy>,
    /// What it may use; the template's, then the server's, where absent.
    pub resources: Resources,
}

impl Default for CreateSandbox {
    fn default() -> Self {
        Self {
            key: None,
            template: "host".to_owned(),
            name: String::new(),
            metadata: BTreeMap::new(),
            env: BTreeMap::new(),
            timeout: TIMEOUT_DEFAULT,
            on_timeout: OnTimeout::default(),
            auto_resume: false,
            egress: None,
            resources: Resources::default(),
        }
    }
}

/// What happens when a sandbox's time is up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// It is deleted with its files.
    #[default]
    Delete,
    /// It is paused; its files stay.
    Pause,
}

/// What a sandbox may use; absent is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resources {
    /// CPU time per second of wall time, in thousandths of a core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u32>,
    /// Memory of all processes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Disk for what it writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// Processes and threads at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

impl Resources {
    /// These, and `others` where these say nothing.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            cpu_millis: self.cpu_millis.or(others.cpu_millis),
            memory_bytes: self.memory_bytes.or(others.memory_bytes),
            disk_bytes: self.disk_bytes.or(others.disk_bytes),
            processes: self.processes.or(others.processes),
        }
    }
}

/// What a sandbox may reach beyond itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EgressPolicy {
    /// How far it reaches.
    pub access: EgressAccess,
    /// Domains (`*.example.org`), addresses or ranges, with `:port` where only that port is meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// The same, refused whatever is allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// How far a sandbox reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EgressAccess {
    /// Nowhere.
    #[default]
    None,
    /// To what `allow` lists.
    Listed,
    /// To every public address that `deny` does not list.
    Public,
}

/// How a sandbox is made again after a rest; kept in its row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    /// Added to the environment of every command.
    pub(crate) env: BTreeMap<String, String>,
    /// The last time-out that was asked for.
    pub(crate) timeout_ms: i64,
    /// What happens when the time is up.
    pub(crate) on_timeout: OnTimeout,
    /// Whether use wakes it.
    pub(crate) auto_resume: bool,
    /// What it may reach.
    pub(crate) egress: EgressPolicy,
    /// What it may use.
    pub(crate) resources: Resources,
    /// The read-only layers below its own files, the newest first; each a folder below the data folder's layers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<String>,
    /// The layer that its own files are becoming.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sealing: Option<String>,
    /// The template's file tree below the data folder's templates; `None` where it is the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) root: Option<String>,
    /// Started with the sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start_command: Option<String>,
    /// Says by its exit code 0 that the start command is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready_command: Option<String>,
    /// How long that may take.
    pub(crate) ready_within_ms: i64,
    /// Paused after so long without use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle_after_ms: Option<i64>,
    /// The archive that holds its layers while they are not on this machine's disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) archive: Option<domain::SnapshotId>,
}

impl CreateSandbox {
    /// Refuses what cannot be meant.
    pub(crate) fn check(&self) -> Result<()> {
        check_timeout(self.timeout)?;
        if self.name.len() > 200 || self.name.chars().any(char::is_control) {
            return Err(Error::Invalid("a name has at most 200 bytes and no control characters".to_owned()));
        }
        if self.key.as_ref().is_some_and(|key| key.is_empty() || key.len() > 200) {
            return Err(Error::Invalid("a key has 1 to 200 bytes".to_owned()));
        }
        check_entries("metadata", &self.metadata)?;
        check_entries("env", &self.env)?;
        check_env(&self.env)?;
        check_resources(self.resources)
    }

    /// What is the same in two requests that mean the same.
    pub(crate) fn hash(&self) -> String {
        let egress = serde_json::to_string(&self.egress).unwrap_or_default();
        let resources = serde_json::to_string(&self.resources).unwrap_or_default();
        let parts = (&self.template, &self.name, &self.metadata, &self.env);
        let more = (self.timeout.as_millis(), self.on_timeout, self.auto_resume, egress, resources);
        crate::digest::hex(format!("{parts:?} {more:?}").as_bytes())
    }
}

/// Refuses a time-out that is too short or too long.
pub(crate) fn check_timeout(timeout: Duration) -> Result<()> {
    if timeout > TIMEOUT_MAX {
        return Err(Error::Invalid("a time-out is at most 30 days; extend it when it comes near".to_owned()));
    }
    Ok(())
}

pub(crate) fn check_env(env: &BTreeMap<String, String>) -> Result<()> {
    match env
        .iter()
        .find(|(name, value)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0'))
    {
        Some((name, _)) => Err(Error::Invalid(format!("{name:?} cannot be an environment variable"))),
        None => Ok(()),
    }
}

pub(crate) fn check_resources(resources: Resources) -> Result<()> {
    let Resources { cpu_millis, memory_bytes, disk_bytes, processes } = resources;
    let fits = cpu_millis.is_none_or(|millis| (10..=1_024_000).contains(&millis))
        && memory_bytes.is_none_or(|bytes| bytes >= 16 << 20)
        && disk_bytes.is_none_or(|bytes| bytes >= 1 << 20)
        && processes.is_none_or(|count| count >= 8);
    if fits {
        Ok(())
    } else {
        let least = "a sandbox has at least 10 thousandths of a core, 16 MiB of memory, 1 MiB of disk and 8 processes";
        Err(Error::Invalid(least.to_owned()))
    }
}

fn check_entries(what: &str, entries: &BTreeMap<String, String>) -> Result<()> {
    let bytes: usize = entries.iter().map(|(name, value)| name.len() + value.len()).sum();
    if entries.len() > ENTRIES_MAX || bytes > ENTRY_MAX_BYTES {
        return Err(Error::Invalid(format!("{what} has at most 100 entries and 32 KiB")));
    }
    Ok(())
}
