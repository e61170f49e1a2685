//! The command line as it is typed: commands, arguments and their help texts. What they do is in
//! [`crate::commands`].

pub(crate) mod boxes;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod setup;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use run::{
    AnswerArgs, ApproveArgs, ArtifactCommand, ContinueArgs, DiffArgs, DoArgs, RefuseArgs, ResumeArgs, RunArg,
    RunCommand, SteerArgs, StopArgs, WatchArgs,
};
use setup::{
    ApiArgs, CompletionArgs, ConnectArgs, DemoArgs, ExplainArgs, ModelCommand, ProjectCommand, RuleCommand,
    TokenCommand, UpArgs,
};

/// A coding agent that works in a sandbox of its own, is watched live, and hands back a branch.
#[derive(Debug, Parser)]
#[command(
    name = "journeyman",
    version,
    about,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Start with `journeyman demo` (no key, no network) or `journeyman do \"…\" --repo .`\n\
                  Exit codes: journeyman help exit-codes       What a code means: journeyman explain CODE"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The data folder [env: JOURNEYMAN_DATA] [default: ~/.local/share/journeyman]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Print JSON on standard output: one object, or one object a line where things stream
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Labelled lines, no colours, no redrawing [env: JOURNEYMAN_PLAIN=1]
    #[arg(long, global = true)]
    pub(crate) plain: bool,
    /// When to colour: auto, always or never [env: NO_COLOR]
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(crate) color: ColorWhen,
    /// Never ask anything, even at a terminal
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// What to log on standard error, as in RUST_LOG [env: JOURNEYMAN_LOG]
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// At a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server: API, web page, workers
    Up(UpArgs),
    /// Play the scripted story in a sample project: no key, no network
    Demo(DemoArgs),
    /// Work on a goal in a repository
    Do(DoArgs),
    /// Follow a run's log; the newest run by default
    Watch(WatchArgs),
    /// List, show and delete runs
    #[command(subcommand)]
    Run(RunCommand),
    /// Tell a run something; the words reach the model before its next turn
    Steer(SteerArgs),
    /// Answer a run's question
    Answer(AnswerArgs),
    /// Allow what a run asks for
    Approve(ApproveArgs),
    /// Refuse what a run asks for
    Refuse(RefuseArgs),
    /// Pause a run; it keeps its place and its files
    Pause(RunArg),
    /// Let a paused or sleeping run go on
    Resume(ResumeArgs),
    /// End a run for good
    Stop(StopArgs),
    /// Ask a finished run for more: same branch, same context
    Continue(ContinueArgs),
    /// Show what a run changed
    Diff(DiffArgs),
    /// Write a run's result into the working tree of its repository
    Apply(RunArg),
    /// List and fetch what runs have kept
    #[command(subcommand)]
    Artifact(ArtifactCommand),
    /// Make and use sandboxes of their own
    #[command(subcommand)]
    Box(sandbox::BoxCommand),
    /// Make, list and revoke API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// List and add projects
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Say what tools may do in a project's runs: allow, ask first, or deny
    #[command(subcommand)]
    Rule(RuleCommand),
    /// Add a model provider (the key comes from standard input or a prompt) and test it
    Connect(ConnectArgs),
    /// List models
    #[command(subcommand)]
    Model(ModelCommand),
    /// What works on this machine, and why not
    Doctor,
    /// Queues, what needs you, storage
    Status,
    /// Print a completion script for a shell
    Completion(CompletionArgs),
    /// What an error or reason code means and what to do
    Explain(ExplainArgs),
    /// Call the API as the local owner
    Api(ApiArgs),
    /// Help on a command, or on `exit-codes`
    Help(HelpArgs),
}

/// What help is wanted on.
#[derive(Debug, Args)]
pub(crate) struct HelpArgs {
    /// A command, or `exit-codes`
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_free_of_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_behind_the_command() -> Result<(), clap::Error> {
        for line in [["journeyman", "--json", "status"], ["journeyman", "status", "--json"]] {
            let cli = Cli::try_parse_from(line)?;
            assert!(cli.global.json && matches!(cli.command, Some(Command::Status)));
        }
        Ok(())
    }
}
