//! What sandboxes are made from: `host`, which is built in, and what the org has added, by name and version.

use std::collections::BTreeMap;

use domain::OrgId;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::orchestrator::Orchestrator;
use crate::wish::{EgressPolicy, Resources};

/// The built-in template's name: this machine's programs, read-only.
pub const HOST: &str = "host";

/// What a template says besides its file tree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemplateSpec {
    /// One sentence for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The environment of every command.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// A command line that is started with the sandbox and goes on in the background.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_command: Option<String>,
    /// A command line that is repeated until it exits with 0; the sandbox counts as ready then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_command: Option<String>,
    /// How long that may take, in seconds; 60 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_within_seconds: Option<u32>,
    /// What a sandbox may use.
    pub resources: Resources,
    /// What a sandbox may reach.
    pub egress: EgressPolicy,
    /// Paused after so many seconds without use; never where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_after_seconds: Option<u32>,
    /// Whether use wakes a sandbox that rests.
    #[serde(default)]
    pub auto_resume: bool,
    /// Ports that a preview would show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
}

/// One version of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// What it says.
    #[serde(flatten)]
    pub spec: TemplateSpec,
    /// The folder of its file tree, below the data folder's templates; `None` where it is the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// A digest of what its file tree was made from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// The size of its file tree.
    pub size_bytes: u64,
    /// Who added it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// When it was added, in milliseconds since the Unix epoch; 0 for what is built in.
    pub created_at_ms: i64,
    /// What a snapshot holds, where it is one.
    #[serde(skip)]
    pub(crate) held: Option<crate::snapshot::Held>,
}

impl Template {
    fn host() -> Self {
        let description = "This machine's programs and toolchains, read-only; no home, no credentials.";
        Self {
            name: HOST.to_owned(),
            version: 1,
            spec: TemplateSpec { description: description.to_owned(), ..TemplateSpec::default() },
            root: None,
            digest: String::new(),
            size_bytes: 0,
            created_by: String::new(),
            created_at_ms: 0,
            held: None,
        }
    }
}

impl Orchestrator {
    /// The template that `name` or `name@version` names; the newest version where it names none.
    pub(crate) async fn template(&self, org: OrgId, wanted: &str) -> Result<Template> {
        if matches!(wanted, HOST | "host@1" | "") {
            return Ok(Template::host());
        }
        if let Ok(snapshot) = wanted.parse::<domain::SnapshotId>() {
            let held = crate::snapshot::rows::find(self.store(), org, snapshot).await?.held;
            let (name, version) = (held.template.clone(), held.template_version);
            return Ok(Template { name, version, held: Some(held), ..Template::host() });
        }
        Err(Error::TemplateNotFound(wanted.to_owned()))
    }
}
