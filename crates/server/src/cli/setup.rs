//! Arguments of the commands that set things up and look after them.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;

use crate::candidates;

/// `journeyman up`
#[derive(Debug, Default, Args)]
pub(crate) struct UpArgs {
    /// Where to listen [env: JOURNEYMAN_LISTEN] [default: 127.0.0.1:4000, or the next free port]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Open the web page in the browser
    #[arg(long)]
    pub(crate) open: bool,
    /// What this process does: api, worker, orchestrator, scheduler [default: all]
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    pub(crate) roles: Vec<crate::compose::Role>,
}

/// `journeyman demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Play the story to its end without a person, print the branch, and return
    #[arg(long)]
    pub(crate) once: bool,
    /// Do not play at reading speed
    #[arg(long)]
    pub(crate) fast: bool,
    /// Where to listen [default: 127.0.0.1:4000, or the next free port]
    #[arg(long, value_name = "ADDR", conflicts_with = "once")]
    pub(crate) listen: Option<SocketAddr>,
    /// Open the web page in the browser
    #[arg(long, conflicts_with = "once")]
    pub(crate) open: bool,
}

/// `journeyman token`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is shown this once
    Create(TokenCreateArgs),
    /// List tokens
    List,
    /// Revoke a token
    Revoke(TokenArg),
}

/// `journeyman token create`
#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    /// What the token is for [default: its kind]
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// What it is for: `token` for programs of yours, `e2b` for E2B's SDKs
    #[arg(long, value_name = "KIND", default_value = "token")]
    pub(crate) kind: TokenKindArg,
    /// What it may do (may be repeated); everything where left out
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,
    /// When it ends
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) expires_in_days: Option<u32>,
}

/// What sort of token is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenKindArg {
    /// For the API and the CLI.
    Token,
    /// An API key for E2B's SDKs.
    E2b,
}

impl TokenKindArg {
    /// The name in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::E2b => "e2b",
        }
    }
}

/// A token by its id.
#[derive(Debug, Args)]
pub(crate) struct TokenArg {
    /// The token's id
    #[arg(value_name = "TOKEN")]
    pub(crate) token: String,
}

/// `journeyman project`
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// List projects
    List,
    /// Add a repository as a project
    Add(ProjectAddArgs),
}

/// `journeyman project add`
#[derive(Debug, Args)]
pub(crate) struct ProjectAddArgs {
    /// The repository
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) path: PathBuf,
    /// What to call it; the folder's name where left out
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// `journeyman rule`
#[derive(Debug, Subcommand)]
pub(crate) enum RuleCommand {
    /// List a project's rules; the strictest that fits a call counts
    List(RuleListArgs),
    /// Make a rule, or change what the one for the same tool and target does
    Add(RuleAddArgs),
    /// Remove a rule
    Remove(RuleRemoveArgs),
}

/// Whose rules.
#[derive(Debug, Args)]
pub(crate) struct RuleListArgs {
    /// The project's slug or id; that of the repository you stand in where left out
    #[arg(long, value_name = "PROJECT", add = ArgValueCandidates::new(candidates::projects))]
    pub(crate) project: Option<String>,
}

/// `journeyman rule add`
#[derive(Debug, Args)]
pub(crate) struct RuleAddArgs {
    /// What happens to such a call
    #[arg(value_name = "EFFECT")]
    pub(crate) effect: EffectArg,
    /// The tool: bash, write_file …; `*` stands for any text, `?` for one letter
    #[arg(value_name = "TOOL")]
    pub(crate) tool: String,
    /// What it is used on, as a whole: a command line (`git push*`), a path (`secrets/*`)
    #[arg(value_name = "TARGET", default_value = "*")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) of: RuleListArgs,
}

/// `journeyman rule remove`
#[derive(Debug, Args)]
pub(crate) struct RuleRemoveArgs {
    /// The rule's id
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,
    #[command(flatten)]
    pub(crate) of: RuleListArgs,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EffectArg {
    /// It runs.
    Allow,
    /// A person is asked first.
    Ask,
    /// It does not run.
    Deny,
}

impl EffectArg {
    /// The name in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// `journeyman connect`
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// anthropic, openai, gemini, a server of this machine (ollama, llamacpp, lmstudio, vllm), or the URL of an
    /// OpenAI-compatible server
    #[arg(value_name = "PROVIDER|URL")]
    pub(crate) provider: Option<String>,
    /// The API's base URL, where it is not the provider's own
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Make this model of the provider the default, and test it
    #[arg(long, short = 'm', value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The server needs no key
    #[arg(long)]
    pub(crate) no_key: bool,
    /// Forget the provider's stored key
    #[arg(long, conflicts_with_all = ["model", "base_url", "no_key"])]
    pub(crate) forget: bool,
}

/// `journeyman model`
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List models, keys and local servers
    List,
    /// Make a model the default
    Use(ModelArg),
    /// Ask a model one small question: does it answer, and can it call tools?
    Test(ModelArg),
}

/// A model by its name.
#[derive(Debug, Args)]
pub(crate) struct ModelArg {
    /// anthropic/…, openai/…, openai-chat/…, gemini/…
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
}

/// `journeyman completion`
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// `journeyman explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code; all codes are listed where left out
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

/// `journeyman api`
#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// GET, POST, PUT, DELETE
    #[arg(value_name = "METHOD")]
    pub(crate) method: String,
    /// The path: /v1/runs
    #[arg(value_name = "PATH")]
    pub(crate) path: String,
    /// The body as JSON; `-` reads it from standard input
    #[arg(long, short = 'd', value_name = "JSON")]
    pub(crate) body: Option<String>,
}
