//! Arguments of the commands that start, watch, steer and end runs.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;

use crate::candidates;

/// `journeyman do`
#[derive(Debug, Args)]
pub(crate) struct DoArgs {
    /// What is to be done; `-` reads it from standard input
    #[arg(value_name = "TEXT")]
    pub(crate) goal: String,
    /// The repository to work on: a folder, or a URL
    #[arg(long, short = 'r', value_name = "PATH", default_value = ".")]
    pub(crate) repo: PathBuf,
    /// The model: anthropic/…, openai/…, openai-chat/…, gemini/…, scripted/<file> [env: JOURNEYMAN_MODEL]
    #[arg(long, short = 'm', value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// The command that proves success (found in the repository where left out)
    #[arg(long, value_name = "COMMAND")]
    pub(crate) check: Option<String>,
    /// Write the result into the working tree once the run has succeeded
    #[arg(long)]
    pub(crate) apply: bool,
    /// Take uncommitted changes along
    #[arg(long)]
    pub(crate) dirty: bool,
    /// A host path that the sandbox may read besides its template (may be repeated)
    #[arg(long, value_name = "PATH")]
    pub(crate) include: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// How strictly the loop is guarded: standard or strict
    #[arg(long, value_name = "PROFILE", default_value = "standard", hide_possible_values = true)]
    pub(crate) guards: Guards,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
}

/// Ceilings of a run; those left out come from the configuration.
#[derive(Debug, Default, Args)]
pub(crate) struct LimitArgs {
    /// The most model calls
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_turns: Option<u32>,
    /// The most tool calls
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tool_calls: Option<u32>,
    /// The most money, in dollars; the model's price must be known
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    pub(crate) max_cost: Option<domain::Micros>,
    /// The most tokens, in and out together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_tokens: Option<u64>,
    /// The most working time
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) max_minutes: Option<u64>,
}

/// How strictly the loop is guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Guards {
    /// A repetition needs the same call, result and workspace.
    Standard,
    /// A repetition is the same call; long results are cut hard.
    Strict,
}

/// Whether to stay.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct FollowArgs {
    /// Stay until the run has ended (the default)
    #[arg(long, conflicts_with = "detach")]
    pub(crate) wait: bool,
    /// Return as soon as the run is queued; needs a running server
    #[arg(long)]
    pub(crate) detach: bool,
}

/// A run by its number or id.
#[derive(Debug, Args)]
pub(crate) struct RunArg {
    /// The run's number or id
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(candidates::runs))]
    pub(crate) run: String,
}

/// `journeyman watch`
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The run's number or id; the newest run where left out
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(candidates::runs))]
    pub(crate) run: Option<String>,
    /// Begin after this event
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub(crate) after: i64,
    /// Print what is there and return
    #[arg(long)]
    pub(crate) no_follow: bool,
}

/// `journeyman run`
#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// List runs, newest first
    List(RunListArgs),
    /// Show one run
    Show(RunArg),
    /// Delete a finished run and what it kept
    Delete(RunArg),
}

/// `journeyman run list`
#[derive(Debug, Args)]
pub(crate) struct RunListArgs {
    /// Only runs of this project (slug or id)
    #[arg(long, short = 'p', value_name = "PROJECT", add = ArgValueCandidates::new(candidates::projects))]
    pub(crate) project: Option<String>,
    /// Only runs in this state: queued, running, waiting, succeeded …
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<String>,
    /// The most runs to list
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: u32,
}

/// `journeyman steer`
#[derive(Debug, Args)]
pub(crate) struct SteerArgs {
    /// The run's number or id
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(candidates::runs))]
    pub(crate) run: String,
    /// The words
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
}

/// `journeyman answer`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["text", "option"]))]
pub(crate) struct AnswerArgs {
    /// The run's number or id
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(candidates::runs))]
    pub(crate) run: String,
    /// The answer in words
    #[arg(value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// One of the suggested answers, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) option: Option<u32>,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
}

/// `journeyman approve`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("scope").args(["once", "for_run", "for_project"]))]
pub(crate) struct ApproveArgs {
    /// The run's number or id
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(candidates::runs))]
    pub(crate) run: String,
    /// This call only (the default)
    #[arg(long)]
    pub(crate) once: bool,
    /// The same call again in this run
    #[arg(long = "run")]
    pub(crate) for_run: bool,
    /// The same call in every run of the project
    #[arg(long = "project")]
    pub(crate) for_project: bool,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
}

/// `journeyman refuse`
#[derive(Debug, Args)]
pub(crate) struct RefuseArgs {
    /// The run's number or id
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(candidates::runs))]
    pub(crate) run: String,
    /// Why, for the agent to read
    #[arg(value_name = "WHY")]
    pub(crate) why: String,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
}

/// `journeyman resume`
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The run's number or id
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(candidates::runs))]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
}

/// `journeyman stop`
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// The run's number or id
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(candidates::runs))]
    pub(crate) run: String,
    /// Why
    #[arg(value_name = "WHY")]
    pub(crate) why: Option<String>,
}

/// `journeyman continue`
#[derive(Debug, Args)]
pub(crate) struct ContinueArgs {
    /// The run's number or id
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(candidates::runs))]
    pub(crate) run: String,
    /// What is wanted now
    #[arg(value_name = "TEXT")]
    pub(crate) goal: String,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
}

/// `journeyman diff`
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The run's number or id
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(candidates::runs))]
    pub(crate) run: String,
    /// Only files and line counts
    #[arg(long)]
    pub(crate) stat: bool,
}

/// `journeyman artifact`
#[derive(Debug, Subcommand)]
pub(crate) enum ArtifactCommand {
    /// List what a run has kept
    List(RunArg),
    /// Fetch one artifact
    Get(ArtifactGetArgs),
}

/// `journeyman artifact get`
#[derive(Debug, Args)]
pub(crate) struct ArtifactGetArgs {
    /// The artifact's id
    #[arg(value_name = "ARTIFACT")]
    pub(crate) artifact: String,
    /// Where to write it; standard output where left out or `-`
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Reads `5`, `0.25` or `$1.50`.
fn parse_dollars(text: &str) -> Result<domain::Micros, String> {
    let digits = text.strip_prefix('$').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 6 || !all_digits(whole) || !all_digits(fraction) {
        return Err("expected dollars, such as 5 or 0.25".to_owned());
    }
    let micros = format!("{whole}{fraction:0<6}").parse::<i64>().map_err(|_| "too much money".to_owned())?;
    if micros == 0 { Err("a ceiling of $0 allows no run".to_owned()) } else { Ok(domain::Micros(micros)) }
}

#[cfg(test)]
mod tests {
    use domain::Micros;

    use super::*;

    #[test]
    fn money_is_read_exactly_or_refused() {
        for (text, micros) in [("5", 5_000_000), ("$1.50", 1_500_000), ("0.000001", 1), ("0.25", 250_000)] {
            assert_eq!(parse_dollars(text), Ok(Micros(micros)), "{text}");
        }
        for text in ["", "-1", "1e3", "0", "0.0000001", ".5", "1,5", "99999999999999999999"] {
            assert!(parse_dollars(text).is_err(), "{text}");
        }
    }
}
