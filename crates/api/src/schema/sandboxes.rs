//! Sandboxes as the API shows and takes them.

use std::collections::BTreeMap;
use std::time::Duration;

use orchestrator::{CreateSandbox, EgressAccess, EgressPolicy, OnTimeout, Resources, SandboxView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A sandbox.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sandbox {
    /// Its id.
    #[schema(example = "sbx0198c0ffee0070008000000000000001")]
    id: String,
    /// The run that it serves.
    #[schema(required = true)]
    run: Option<String>,
    /// For people.
    name: String,
    /// Where it stands.
    state: SandboxStateName,
    /// Why it stands there.
    #[schema(required = true)]
    reason: Option<String>,
    /// What it was made from.
    template: String,
    /// Which version of that.
    template_version: u32,
    /// What isolates it: `native` …
    provider: String,
    /// The caller's own names and values.
    metadata: BTreeMap<String, String>,
    /// When it was asked for, in milliseconds since the Unix epoch.
    created_at_ms: i64,
    /// When its processes were last started.
    #[schema(required = true)]
    started_at_ms: Option<i64>,
    /// When its state last changed.
    changed_at_ms: i64,
    /// When its time is up; null while it rests or where it has no end.
    #[schema(required = true)]
    ends_at_ms: Option<i64>,
    /// What happens then.
    on_timeout: TimeoutAction,
    /// Whether use wakes it when it rests.
    auto_resume: bool,
    /// CPU time per second of wall time, in thousandths of a core.
    cpu_millis: u32,
    /// Memory of all processes together.
    memory_bytes: u64,
    /// Disk for what it writes; null where nothing limits it.
    #[schema(required = true)]
    disk_bytes: Option<u64>,
    /// What it may reach.
    egress: Egress,
}

/// The machine names of a sandbox's states.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SandboxStateName {
    /// Being made or made anew.
    Starting,
    /// It can be used.
    Running,
    /// Its processes stand still and keep their memory.
    Paused,
    /// Its processes are being ended.
    Stopping,
    /// It rests: its processes are gone, its files stay, use may wake it.
    Hibernated,
    /// Somebody stopped it: its files stay, and only a resume starts it.
    Stopped,
    /// Its files are in the blobs alone.
    Archived,
    /// It was taken out of use because of what it did.
    Suspended,
    /// It did not come up.
    Failed,
    /// What it holds is being removed.
    Deleting,
    /// Nothing of it is left.
    Deleted,
}

/// What happens when a sandbox's time is up.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimeoutAction {
    /// It is deleted with its files.
    Delete,
    /// It is paused; its files stay.
    Pause,
}

/// What a sandbox may reach beyond itself.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Egress {
    /// How far it reaches.
    access: EgressReach,
    /// Domains (`*.example.org`), addresses or ranges, with `:port` where only that port is meant.
    allow: Vec<String>,
    /// The same, refused whatever is allowed.
    deny: Vec<String>,
}

/// How far a sandbox reaches.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EgressReach {
    /// Nowhere.
    #[default]
    None,
    /// To what `allow` lists.
    Listed,
    /// To every public address that `deny` does not list.
    Public,
}

/// What a sandbox may use; absent is the template's, then the server's own limit.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ResourceLimits {
    /// CPU time per second of wall time, in thousandths of a core.
    cpu_millis: Option<u32>,
    /// Memory of all processes together.
    memory_bytes: Option<u64>,
    /// Disk for what it writes.
    disk_bytes: Option<u64>,
    /// Processes and threads at once.
    processes: Option<u32>,
}

/// A sandbox that is wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NewSandbox {
    /// `host` (the default), a template's name, `name@version`, or the id of a snapshot.
    #[schema(example = "host")]
    template: Option<String>,
    /// For people.
    name: String,
    /// Your own names and values; lists can be filtered by them.
    metadata: BTreeMap<String, String>,
    /// Added to the environment of every command.
    env: BTreeMap<String, String>,
    /// How long it lives from when it is ready: an hour by default, 0 is without end.
    timeout_seconds: Option<u64>,
    /// What happens then; `delete` by default.
    on_timeout: Option<TimeoutAction>,
    /// Whether use wakes it when it rests.
    auto_resume: bool,
    /// What it may reach; what its template says by default.
    egress: Option<Egress>,
    /// What it may use.
    resources: ResourceLimits,
}

/// Some sandboxes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SandboxPage {
    /// The sandboxes, the newest first.
    pub(crate) items: Vec<Sandbox>,
    /// Where the next page begins.
    #[schema(required = true)]
    pub(crate) next: Option<String>,
}

/// A time-out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Timeout {
    /// Seconds from now; 0 is without end.
    pub(crate) timeout_seconds: u64,
}

/// A time-out, or the one that was asked for last.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MaybeTimeout {
    /// Seconds from now; 0 is without end.
    pub(crate) timeout_seconds: Option<u64>,
}

/// What a sandbox used at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Figures {
    /// When, in milliseconds since the Unix epoch.
    at_ms: i64,
    /// Cores that it may use.
    cpu_count: f64,
    /// Of these, in per cent.
    cpu_used_percent: f64,
    /// Memory that its processes use.
    memory_used_bytes: u64,
    /// Memory that they may use.
    memory_total_bytes: u64,
    /// Memory that holds files and is given back when it is needed.
    memory_cache_bytes: u64,
    /// Disk that is used.
    disk_used_bytes: u64,
    /// Disk that may be used.
    disk_total_bytes: u64,
    /// Processes and threads.
    processes: u64,
}

/// What a sandbox used, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FiguresPage {
    /// One sample every 10 s while it ran, of the last two hours.
    pub(crate) items: Vec<Figures>,
}

/// The files of a sandbox as they were at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Snapshot {
    /// Its id; name it as a template to make sandboxes from it.
    id: String,
    /// Whose files it holds.
    sandbox: String,
    /// For people.
    name: String,
    /// `layers` on the machine's disk, or `archive` in the blobs.
    kind: String,
    /// The template below it.
    template: String,
    /// Which version of that.
    template_version: u32,
    /// What an archive takes; 0 for layers, which share what they hold.
    size_bytes: u64,
    /// The SHA-256 of an archive.
    #[schema(required = true)]
    checksum: Option<String>,
    /// When it was made, in milliseconds since the Unix epoch.
    created_at_ms: i64,
    /// When it may be removed; null where never.
    #[schema(required = true)]
    expires_at_ms: Option<i64>,
}

/// Some snapshots.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SnapshotPage {
    /// The snapshots, the newest first.
    pub(crate) items: Vec<Snapshot>,
    /// Always null.
    #[schema(required = true)]
    pub(crate) next: Option<String>,
}

/// A snapshot that is wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NewSnapshot {
    /// For people.
    pub(crate) name: String,
}

/// Forks that are wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NewForks {
    /// How many: 1 by default, 20 at most.
    pub(crate) count: Option<u32>,
    /// How long they live; as long as the source was given by default.
    pub(crate) timeout_seconds: Option<u64>,
}

impl From<orchestrator::SnapshotView> for Snapshot {
    fn from(view: orchestrator::SnapshotView) -> Self {
        Self {
            id: view.id.to_string(),
            sandbox: view.sandbox.to_string(),
            name: view.name,
            kind: view.kind,
            template: view.template,
            template_version: view.template_version,
            size_bytes: view.size_bytes,
            checksum: view.checksum,
            created_at_ms: view.created_at_ms,
            expires_at_ms: view.expires_at_ms,
        }
    }
}

impl NewSandbox {
    /// The same as the orchestrator takes it.
    pub(crate) fn with_key(self, key: Option<String>) -> CreateSandbox {
        let usual = CreateSandbox::default();
        CreateSandbox {
            key,
            template: self.template.unwrap_or(usual.template),
            name: self.name,
            metadata: self.metadata,
            env: self.env,
            timeout: self.timeout_seconds.map_or(usual.timeout, Duration::from_secs),
            on_timeout: self.on_timeout.map_or(usual.on_timeout, Into::into),
            auto_resume: self.auto_resume,
            egress: self.egress.map(Into::into),
            resources: self.resources.into(),
        }
    }
}

impl From<SandboxView> for Sandbox {
    fn from(view: SandboxView) -> Self {
        Self {
            id: view.id.to_string(),
            run: view.run.map(|run| run.to_string()),
            name: view.name,
            state: state_named(&view.state),
            reason: view.reason,
            template: view.template,
            template_version: view.template_version,
            provider: view.provider,
            metadata: view.metadata,
            created_at_ms: view.created_at_ms,
            started_at_ms: view.started_at_ms,
            changed_at_ms: view.changed_at_ms,
            ends_at_ms: view.ends_at_ms,
            on_timeout: view.on_timeout.into(),
            auto_resume: view.auto_resume,
            cpu_millis: view.cpu_millis,
            memory_bytes: view.memory_bytes,
            disk_bytes: view.disk_bytes,
            egress: view.egress.into(),
        }
    }
}

/// A test holds it against all names.
fn state_named(name: &str) -> SandboxStateName {
    use SandboxStateName as S;
    match name {
        "starting" => S::Starting,
        "running" => S::Running,
        "paused" => S::Paused,
        "stopping" => S::Stopping,
        "hibernated" => S::Hibernated,
        "stopped" => S::Stopped,
        "archived" => S::Archived,
        "suspended" => S::Suspended,
        "failed" => S::Failed,
        "deleting" => S::Deleting,
        _ => S::Deleted,
    }
}

impl From<OnTimeout> for TimeoutAction {
    fn from(action: OnTimeout) -> Self {
        match action {
            OnTimeout::Delete => Self::Delete,
            OnTimeout::Pause => Self::Pause,
        }
    }
}

impl From<TimeoutAction> for OnTimeout {
    fn from(action: TimeoutAction) -> Self {
        match action {
            TimeoutAction::Delete => Self::Delete,
            TimeoutAction::Pause => Self::Pause,
        }
    }
}

impl From<EgressPolicy> for Egress {
    fn from(policy: EgressPolicy) -> Self {
        let access = match policy.access {
            EgressAccess::None => EgressReach::None,
            EgressAccess::Listed => EgressReach::Listed,
            EgressAccess::Public => EgressReach::Public,
        };
        Self { access, allow: policy.allow, deny: policy.deny }
    }
}

impl From<Egress> for EgressPolicy {
    fn from(policy: Egress) -> Self {
        let access = match policy.access {
            EgressReach::None => EgressAccess::None,
            EgressReach::Listed => EgressAccess::Listed,
            EgressReach::Public => EgressAccess::Public,
        };
        Self { access, allow: policy.allow, deny: policy.deny }
    }
}

impl From<ResourceLimits> for Resources {
    fn from(limits: ResourceLimits) -> Self {
        let ResourceLimits { cpu_millis, memory_bytes, disk_bytes, processes } = limits;
        Self { cpu_millis, memory_bytes, disk_bytes, processes }
    }
}

impl From<Resources> for ResourceLimits {
    fn from(limits: Resources) -> Self {
        let Resources { cpu_millis, memory_bytes, disk_bytes, processes } = limits;
        Self { cpu_millis, memory_bytes, disk_bytes, processes }
    }
}

impl From<sandbox::Metrics> for Figures {
    fn from(of: sandbox::Metrics) -> Self {
        Self {
            at_ms: of.at_ms,
            cpu_count: of.cpu_count.into(),
            cpu_used_percent: of.cpu_used_percent,
            memory_used_bytes: of.memory_used_bytes,
            memory_total_bytes: of.memory_total_bytes,
            memory_cache_bytes: of.memory_cache_bytes,
            disk_used_bytes: of.disk_used_bytes,
            disk_total_bytes: of.disk_total_bytes,
            processes: of.processes.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_sandbox_stands_in_the_document() -> Result<(), serde_json::Error> {
        for name in orchestrator::SandboxState::NAMES {
            assert_eq!(serde_json::to_value(state_named(name))?, name);
        }
        Ok(())
    }
}
