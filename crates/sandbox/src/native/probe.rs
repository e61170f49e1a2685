//! What this host has of what isolation needs, for `journeyman doctor`. A real sandbox is made and asked, as
//! whatever is only looked up may still be refused.

use std::path::Path;
use std::time::Duration;

use domain::SandboxId;

use super::{NativeConfig, NativeProvider, describe};
use crate::error::SandboxError;
use crate::launcher::{Cgroups, Mode};
use crate::native::template::HostTemplate;
use crate::provider::{Exec, Output, Sandbox, SandboxLimits, SandboxProvider as _, SandboxSpec};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What was looked at, in a few words.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do where it is not.
    pub fix: Option<String>,
}

impl Probe {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, ok: true, detail: detail.into(), fix: None }
    }

    fn bad(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, ok: false, detail: detail.into(), fix: Some(fix.into()) }
    }
}

/// Looks at everything; `scratch` is a folder for the state of the sandboxes that are made for it, on the disk
/// where real ones will be.
pub async fn probe(config: &NativeConfig, scratch: &Path) -> Vec<Probe> {
    let mut probes = vec![mode()];
    probes.extend(limits());
    probes.extend(live(config, scratch).await);
    probes.push(Probe::good(
        "disk use",
        "not limited but for the size of each file; a data folder on a file system of its own limits all together",
    ));
    probes.push(template(config));
    probes
}

fn mode() -> Probe {
    match Mode::of_this_process() {
        Mode::Root => Probe::good("user namespaces", "65,536 ids of its own for each sandbox (root)"),
        Mode::User => {
            let allowed = std::fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
            let restricted = [
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
                "/proc/sys/kernel/unprivileged_userns_clone",
            ]
            .map(|path| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned());
            if allowed.trim() == "0" || restricted[0] == "1" || restricted[1] == "0" {
                return Probe::bad(
                    "user namespaces",
                    "this user may not make them",
                    "sysctl user.max_user_namespaces=10000 kernel.apparmor_restrict_unprivileged_userns=0 \
                     kernel.unprivileged_userns_clone=1",
                );
            }
            Probe::good("user namespaces", "one id for each sandbox: this user's (not root)")
        }
    }
}

/// The control groups, one by one.
fn limits() -> Vec<Probe> {
    let controllers = match Mode::of_this_process() {
        Mode::Root => Cgroups::find().controllers(),
        Mode::User => Default::default(),
    };
    [
        ("memory", "limit on memory", "each process has a limit of its own, their sum has none"),
        ("pids", "limit on processes", "only the limit on this user's processes"),
        ("cpu", "limit on CPU time", "none"),
        ("freezer", "limit on running at all (freeze)", "a sandbox cannot be paused with its processes"),
    ]
    .into_iter()
    .map(|(controller, name, instead)| {
        if controllers.contains(controller) {
            Probe::good(name, format!("control group `{controller}`"))
        } else {
            Probe::bad(name, instead, "run the server as root on a host whose control groups can be written")
        }
    })
    .collect()
}

/// Makes a sandbox and asks it.
async fn live(config: &NativeConfig, scratch: &Path) -> Vec<Probe> {
    const NAME: &str = "native sandbox";
    let made = async {
        let provider = NativeProvider::start(config.clone())?;
        let base = scratch.join("base");
        std::fs::create_dir_all(&base).map_err(|source| SandboxError::Internal {
            doing: "make a folder for the probe",
            source: source.into(),
        })?;
        let spec = SandboxSpec {
            workspace_base: Some(base),
            limits: SandboxLimits { wall: Duration::from_secs(60), ..SandboxLimits::default() },
            ..SandboxSpec::new(probe_id(), scratch.join("state"))
        };
        let sandbox = provider.create(spec).await?;
        Ok::<_, SandboxError>((provider, sandbox))
    };
    let (provider, sandbox) = match made.await {
        Ok(made) => made,
        Err(SandboxError::Unsupported { missing, fix }) => return vec![Probe::bad(NAME, missing, fix)],
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            let detail = format!("{error}{}", source.unwrap_or_default());
            return vec![Probe::bad(NAME, detail, "see docs/SANDBOX.md, \"What it needs\"")];
        }
    };
    let mut probes = vec![Probe::good(NAME, describe())];
    probes.push(
        check(&*sandbox, "overlay for /workspace", "echo x >/workspace/x && echo works", "works").await,
    );
    probes.push(
        check(&*sandbox, "own processes", "test $(ls -d /proc/[0-9]* | wc -l) -lt 8 && echo own", "own")
            .await,
    );
    probes.push(
        check(&*sandbox, "no network", "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' \\n'", "lo").await,
    );
    let filter = "grep -E '^(NoNewPrivs|Seccomp|CapEff):' /proc/self/status | tr -d '\\n\\t '";
    let expected = "CapEff:0000000000000000NoNewPrivs:1Seccomp:2";
    probes.push(check(&*sandbox, "system call filter", filter, expected).await);
    for (name, program) in [("git in the sandbox", "git"), ("bash in the sandbox", "bash")] {
        probes.push(
            check(&*sandbox, name, &format!("{program} --version >/dev/null && echo there"), "there").await,
        );
    }
    if sandbox.stop().await.is_err() {
        probes.push(Probe::bad(NAME, "it does not stop", "look for stuck processes (state D) on this host"));
    }
    drop(provider);
    probes
}

async fn check(sandbox: &dyn Sandbox, name: &'static str, command: &str, expected: &str) -> Probe {
    let text = std::sync::Mutex::new(Vec::new());
    let exec = Exec {
        argv: ["/bin/sh", "-c", command].map(str::to_owned).to_vec(),
        timeout: Some(Duration::from_secs(20)),
        ..Exec::default()
    };
    let collect = |piece: Output<'_>| {
        let (Output::Stdout(bytes) | Output::Stderr(bytes)) = piece;
        text.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(bytes);
    };
    let result = sandbox.exec(exec, &collect).await;
    let bytes = text.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let found = String::from_utf8_lossy(&bytes).trim().to_owned();
    match result {
        Ok(_) if found == expected => Probe::good(name, found),
        Ok(_) => Probe::bad(name, found, "see docs/SANDBOX.md, \"What it needs\""),
        Err(error) => Probe::bad(name, error.to_string(), "see docs/SANDBOX.md, \"What it needs\""),
    }
}

/// What a sandbox would see of this machine.
fn template(config: &NativeConfig) -> Probe {
    let template = HostTemplate::of_host(config.home.as_deref());
    let paths = template.root.shown.iter().map(|(_, inside)| inside.display().to_string());
    let outside_etc: Vec<String> = paths.filter(|path| !path.starts_with("/etc/")).collect();
    let settings = template.root.shown.len() - outside_etc.len();
    Probe::good("shown to sandboxes", format!("{} and {settings} settings of /etc", outside_etc.join(" ")))
}

/// An id that no run has: ids of runs carry the time.
fn probe_id() -> SandboxId {
    SandboxId::from_uuid(uuid::Uuid::from_u128(u128::from(std::process::id())))
}
