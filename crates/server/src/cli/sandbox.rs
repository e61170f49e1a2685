//! Arguments of `journeyman box`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `journeyman box`
#[derive(Debug, Subcommand)]
pub(crate) enum BoxCommand {
    /// Make a sandbox and print its id
    Create(CreateArgs),
    /// List sandboxes; those of runs while they live
    List(ListArgs),
    /// Show one sandbox
    Show(BoxArg),
    /// Run a command in a sandbox; its exit code is passed on
    Exec(ExecArgs),
    /// Open a terminal in a sandbox
    Shell(ShellArgs),
    /// Copy a file or folder between this machine and a sandbox
    Cp(CpArgs),
    /// Show what happened to a sandbox
    Logs(LogsArgs),
    /// Pause a sandbox; its files stay
    Pause(BoxArg),
    /// Let a sandbox go on from whatever rest
    Resume(ResumeArgs),
    /// End a sandbox's processes and keep its files
    Stop(BoxArg),
    /// Keep a sandbox's files as they are now; its processes start anew
    Snapshot(SnapshotArgs),
    /// List snapshots
    Snapshots(SnapshotsArgs),
    /// Make sandboxes that go on from a sandbox's files; the processes of all start anew
    Fork(ForkArgs),
    /// Put a sandbox's files into the blobs and free this machine's disk
    Archive(BoxArg),
    /// Bring an archived sandbox's files back; it rests until it is resumed
    Restore(BoxArg),
    /// Delete a sandbox with its files, or a snapshot
    Rm(RmArgs),
    /// What comes in and what goes out.
    #[command(flatten)]
    Edge(super::boxes::BoxCommand),
}

/// One sandbox.
#[derive(Debug, Args)]
pub(crate) struct BoxArg {
    /// The sandbox's id
    #[arg(value_name = "SANDBOX")]
    pub(crate) sandbox: String,
}

/// `journeyman box create`
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// `host`, a template, `TEMPLATE@VERSION`, or a snapshot's id
    #[arg(long, value_name = "TEMPLATE", default_value = "host")]
    pub(crate) template: String,
    /// A name for people
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) name: String,
    /// A name and a value of yours (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) metadata: Vec<(String, String)>,
    /// A variable for every command (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) env: Vec<(String, String)>,
    /// How long it lives, in seconds; 0 is without end [default: 3600]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
    /// What happens then
    #[arg(long, value_name = "WHAT", default_value = "delete")]
    pub(crate) on_timeout: OnTimeoutArg,
    /// Wake it by use when it rests
    #[arg(long)]
    pub(crate) auto_resume: bool,
    /// Memory of all its processes
    #[arg(long, value_name = "MIB")]
    pub(crate) memory_mib: Option<u64>,
    /// CPU in thousandths of a core
    #[arg(long, value_name = "MILLIS")]
    pub(crate) cpu_millis: Option<u32>,
    /// Asking again with this key gives the same sandbox
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

/// What happens when the time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnTimeoutArg {
    /// It is deleted with its files.
    Delete,
    /// It is paused.
    Pause,
}

impl OnTimeoutArg {
    /// As the API names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Pause => "pause",
        }
    }
}

/// `journeyman box list`
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those in these states, separated by commas
    #[arg(long, value_name = "STATES")]
    pub(crate) state: Option<String>,
    /// Only those with this name and value (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) metadata: Vec<(String, String)>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: u32,
}

/// `journeyman box exec`
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// The sandbox's id
    #[arg(value_name = "SANDBOX")]
    pub(crate) sandbox: String,
    /// The directory [default: /workspace]
    #[arg(long, value_name = "DIR", default_value = "")]
    pub(crate) cwd: String,
    /// A variable for the command (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) env: Vec<(String, String)>,
    /// Stop it after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
    /// Give it this command's standard input, at most 16 MiB
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// The program and its arguments
    #[arg(value_name = "COMMAND", last = true, required = true)]
    pub(crate) argv: Vec<String>,
}

/// `journeyman box shell`
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// The sandbox's id
    #[arg(value_name = "SANDBOX")]
    pub(crate) sandbox: String,
    /// A command line instead of a shell
    #[arg(long, short = 'c', value_name = "COMMAND")]
    pub(crate) command: Option<String>,
    /// Who works inside: `user` or `root`
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
}

/// `journeyman box cp`
#[derive(Debug, Args)]
pub(crate) struct CpArgs {
    /// A path, or SANDBOX:PATH
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// A path, or SANDBOX:PATH
    #[arg(value_name = "TO")]
    pub(crate) to: String,
}

/// `journeyman box logs`
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The sandbox's id
    #[arg(value_name = "SANDBOX")]
    pub(crate) sandbox: String,
    /// Only events after this position
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub(crate) after: i64,
}

/// `journeyman box resume`
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The sandbox's id
    #[arg(value_name = "SANDBOX")]
    pub(crate) sandbox: String,
    /// How long it lives from now, in seconds [default: as long as it was given last]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}

/// `journeyman box snapshot`
#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    /// The sandbox's id
    #[arg(value_name = "SANDBOX")]
    pub(crate) sandbox: String,
    /// A name for people
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) name: String,
}

/// `journeyman box snapshots`
#[derive(Debug, Args)]
pub(crate) struct SnapshotsArgs {
    /// Only those of this sandbox
    #[arg(value_name = "SANDBOX")]
    pub(crate) sandbox: Option<String>,
}

/// `journeyman box fork`
#[derive(Debug, Args)]
pub(crate) struct ForkArgs {
    /// The sandbox's id
    #[arg(value_name = "SANDBOX")]
    pub(crate) sandbox: String,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) count: u32,
}

/// `journeyman box rm`
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Ids of sandboxes and snapshots
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,
}

/// One side of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Side {
    /// On this machine.
    Here(PathBuf),
    /// In a sandbox.
    Inside(String, String),
}

impl Side {
    /// `sbx…:PATH` is in a sandbox.
    pub(crate) fn of(text: &str) -> Self {
        match text.split_once(':') {
            Some((id, path)) if id.starts_with("sbx") && !id.contains('/') => {
                Self::Inside(id.to_owned(), if path.is_empty() { ".".to_owned() } else { path.to_owned() })
            }
            _ => Self::Here(PathBuf::from(text)),
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give NAME=VALUE".to_owned()),
    }
}
