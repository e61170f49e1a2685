//! Settings: `<data>/config.toml`, the environment over it, flags over both. `docs/CONFIG.md` lists them all.

pub(crate) mod network;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use domain::Micros;
use domain::limits::RunLimits;
use runtime::Env;
use serde::Deserialize;

use crate::error::{Failure, Result};

/// Where the server listens unless told otherwise.
pub(crate) const DEFAULT_PORT: u16 = 4000;

/// The configuration file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where the server listens: `127.0.0.1:4000`.
    pub(crate) listen: Option<SocketAddr>,
    /// Names besides `localhost` and the loopback addresses that the server answers to.
    pub(crate) names: Vec<String>,
    /// The model of `journeyman do` where `--model` names none.
    pub(crate) model: Option<String>,
    /// Rows.
    pub(crate) database: DatabaseConfig,
    /// Large outputs and kept files.
    pub(crate) blobs: BlobsConfig,
    /// Runs at once, and how long they are kept.
    pub(crate) runs: RunsConfig,
    /// Ceilings of `journeyman do` where its arguments name none.
    pub(crate) limits: LimitsConfig,
    /// Sandboxes.
    pub(crate) sandbox: SandboxConfig,
    /// The API for E2B's clients.
    pub(crate) e2b: E2bConfig,
    /// What sandboxes may reach.
    pub(crate) egress: network::EgressConfig,
    /// How servers inside sandboxes are reached.
    pub(crate) gateway: network::GatewayConfig,
    /// Prices that replace or add to the built-in ones, by the model's full name.
    pub(crate) prices: BTreeMap<String, PriceConfig>,
    /// Model servers with a name of their own.
    pub(crate) servers: BTreeMap<String, ServerConfig>,
}

/// `[database]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DatabaseConfig {
    /// `postgres://…`; SQLite in the data folder where left out.
    pub(crate) url: Option<String>,
    /// The most connections to Postgres.
    pub(crate) connections: Option<u32>,
}

/// `[blobs]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BlobsConfig {
    /// A bucket; a folder in the data folder where left out.
    pub(crate) bucket: Option<String>,
    /// The server, where it is not Amazon's.
    pub(crate) endpoint: Option<String>,
    /// The region.
    pub(crate) region: Option<String>,
    /// Put before every key.
    pub(crate) prefix: Option<String>,
}

/// `[runs]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RunsConfig {
    /// The most runs at once.
    pub(crate) at_once: Option<u32>,
    /// Finished runs are deleted after this many days.
    pub(crate) keep_days: Option<u32>,
    /// Prepared repositories that no run needs are removed after this many days without use.
    pub(crate) cache_days: Option<u32>,
    /// What they hold together at most, in MiB.
    pub(crate) cache_mib: Option<u64>,
}

/// `[limits]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsConfig {
    /// The most model calls.
    pub(crate) max_turns: Option<u32>,
    /// The most tool calls.
    pub(crate) max_tool_calls: Option<u32>,
    /// The most money, in dollars.
    pub(crate) max_cost_usd: Option<f64>,
    /// The most tokens.
    pub(crate) max_tokens: Option<u64>,
    /// The most working time, in minutes.
    pub(crate) max_minutes: Option<u64>,
}

/// `[sandbox]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SandboxConfig {
    /// Memory of one sandbox, in MiB.
    pub(crate) memory_mib: Option<u64>,
    /// Processes and threads of one sandbox.
    pub(crate) processes: Option<u32>,
    /// Processor time, in thousandths of a core.
    pub(crate) cpu_millis: Option<u32>,
}

/// `[e2b]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct E2bConfig {
    /// The domain that clients set as `E2B_DOMAIN`: the API is `api.<domain>`, a sandbox `49983-<sandbox>.<domain>`.
    pub(crate) domain: Option<String>,
    /// What the template `base` stands for; `host` where left out.
    pub(crate) base_template: Option<String>,
}

/// `[prices."openai/…"]`, in dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceConfig {
    /// Input.
    pub(crate) input: f64,
    /// Output.
    pub(crate) output: f64,
    /// Input from the cache; as input where left out.
    pub(crate) cache_read: Option<f64>,
    /// Input written to the cache; as input where left out.
    pub(crate) cache_write: Option<f64>,
    /// The context window, in tokens.
    pub(crate) context_tokens: Option<u64>,
}

/// `[servers.NAME]`: models are named `NAME/<model>`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerConfig {
    /// Its base URL.
    pub(crate) url: String,
    /// `openai-chat` (the default), `openai`, `anthropic` or `gemini`.
    pub(crate) wire: Option<String>,
    /// The variable of the environment that holds its key.
    pub(crate) key_env: Option<String>,
}

impl Config {
    /// Reads the file, if there is one, and lays the environment over it.
    ///
    /// # Errors
    ///
    /// `config_invalid` with the place and what is wrong.
    pub(crate) fn load(file: &Path, env: &Env) -> Result<Self> {
        let mut config = match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(&text, file)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(error) => return Err(invalid(format!("{}: {error}", file.display()))),
        };
        config.overlay(env)?;
        config.check()?;
        Ok(config)
    }

    fn parse(text: &str, file: &Path) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let place = line.map_or_else(String::new, |line| format!(", line {line}"));
            invalid(format!("{}{place}: {}", file.display(), error.message()))
        })
    }

    fn overlay(&mut self, env: &Env) -> Result<()> {
        let text = |name: &str| env.get(name).map(str::to_owned);
        if let Some(listen) = env.get("JOURNEYMAN_LISTEN") {
            self.listen = Some(listen.parse().map_err(|_| {
                invalid(format!("JOURNEYMAN_LISTEN={listen}: expected an address such as 127.0.0.1:4000"))
            })?);
        }
        set(&mut self.model, text("JOURNEYMAN_MODEL"));
        set(&mut self.database.url, text("JOURNEYMAN_DATABASE_URL"));
        set(&mut self.blobs.bucket, text("JOURNEYMAN_S3_BUCKET"));
        set(&mut self.blobs.endpoint, text("JOURNEYMAN_S3_ENDPOINT"));
        set(&mut self.blobs.prefix, text("JOURNEYMAN_S3_PREFIX"));
        if self.blobs.region.is_none() {
            self.blobs.region = text("AWS_REGION").or_else(|| text("AWS_DEFAULT_REGION"));
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let is_postgres = |url: &String| url.starts_with("postgres://") || url.starts_with("postgresql://");
        if !self.database.url.as_ref().is_none_or(is_postgres) {
            return Err(invalid("the database's URL must begin with postgres:// (SQLite needs none)"));
        }
        if self.runs.at_once == Some(0) {
            return Err(invalid("runs.at_once: with 0 nothing would ever run"));
        }
        if let Some(usd) = self.limits.max_cost_usd.filter(|usd| !(*usd > 0.0 && *usd < 1e9)) {
            return Err(invalid(format!("limits.max_cost_usd: {usd} is no ceiling")));
        }
        self.egress.check().map_err(invalid)?;
        self.gateway.check().map_err(invalid)?;
        for (name, server) in &self.servers {
            let wire = server.wire.as_deref().unwrap_or("openai-chat");
            if models::WireKind::named(wire).is_none() {
                return Err(invalid(format!(
                    "servers.{name}.wire: {wire} is none of openai-chat, openai, anthropic, gemini"
                )));
            }
        }
        for (model, price) in &self.prices {
            let parts = [Some(price.input), Some(price.output), price.cache_read, price.cache_write];
            if parts.into_iter().flatten().any(|usd| !(0.0..1e6).contains(&usd)) {
                return Err(invalid(format!("prices.\"{model}\": a price is dollars per million tokens")));
            }
        }
        Ok(())
    }
}

impl RunsConfig {
    /// How long prepared repositories are kept that no run needs.
    pub(crate) fn cache(&self) -> runs::CacheLimits {
        let default = runs::CacheLimits::default();
        runs::CacheLimits {
            days: self.cache_days.unwrap_or(default.days),
            bytes: self.cache_mib.map_or(default.bytes, |mib| mib.saturating_mul(1 << 20)),
        }
    }
}

impl LimitsConfig {
    /// The ceilings of a run that names none.
    pub(crate) fn run_limits(&self) -> RunLimits {
        let default = RunLimits::default();
        RunLimits {
            max_turns: self.max_turns.unwrap_or(default.max_turns),
            max_tool_calls: self.max_tool_calls.unwrap_or(default.max_tool_calls),
            max_cost: self.max_cost_usd.map(micros),
            max_tokens: self.max_tokens,
            max_seconds: self.max_minutes.map_or(default.max_seconds, |minutes| minutes.saturating_mul(60)),
        }
    }
}

/// Dollars as microdollars.
#[expect(clippy::cast_possible_truncation, reason = "checked to be below a billion dollars")]
pub(crate) fn micros(usd: f64) -> Micros {
    Micros((usd * 1e6).round() as i64)
}

fn set(setting: &mut Option<String>, value: Option<String>) {
    if value.is_some() {
        *setting = value;
    }
}

fn invalid(text: impl Into<String>) -> Failure {
    Failure::new("config_invalid", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, env: &[(&str, &str)]) -> Result<Config> {
        let file =
            tempfile::NamedTempFile::new().map_err(|error| Failure::internal("make a file", &error))?;
        std::fs::write(file.path(), text).map_err(|error| Failure::internal("write a file", &error))?;
        Config::load(file.path(), &Env::of(env))
    }

    #[test]
    fn the_environment_goes_over_the_file() -> Result<()> {
        let config = read(
            "model = \"openai/a\"\nlisten = \"127.0.0.1:5000\"\n[limits]\nmax_turns = 7\nmax_cost_usd = 0.5\n",
            &[("JOURNEYMAN_MODEL", "openai/b"), ("JOURNEYMAN_DATABASE_URL", "postgres://x/y")],
        )?;
        assert_eq!(config.model.as_deref(), Some("openai/b"));
        assert_eq!(config.listen.map(|address| address.port()), Some(5000));
        assert_eq!(config.database.url.as_deref(), Some("postgres://x/y"));
        let limits = config.limits.run_limits();
        assert_eq!((limits.max_turns, limits.max_cost), (7, Some(Micros(500_000))));
        Ok(())
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let unknown = read("names = []\n\nmodle = \"x\"\n", &[]).expect_err("a misspelt setting");
        assert_eq!(unknown.code, "config_invalid");
        assert!(unknown.text.contains("line 3") && unknown.text.contains("modle"), "{}", unknown.text);
        for (text, env, word) in [
            ("[runs]\nat_once = 0", vec![], "at_once"),
            ("[limits]\nmax_cost_usd = -1.0", vec![], "max_cost_usd"),
            ("[prices.\"a/b\"]\ninput = -1\noutput = 1", vec![], "a/b"),
            ("", vec![("JOURNEYMAN_LISTEN", "here")], "JOURNEYMAN_LISTEN"),
            ("", vec![("JOURNEYMAN_DATABASE_URL", "mysql://x")], "postgres://"),
        ] {
            let failure = read(text, &env).expect_err(text);
            assert!(failure.text.contains(word), "{text}: {}", failure.text);
        }
    }

    #[test]
    fn the_documented_file_reads_with_its_examples_and_without() -> Result<()> {
        let page = include_str!("../../../docs/CONFIG.md");
        let file = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
        let defaults = read(file, &[])?.limits.run_limits();
        assert_eq!(defaults, RunLimits::default(), "the documented defaults are the real ones");
        let with_examples: Vec<&str> =
            file.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
        let config = read(&with_examples.join("\n"), &[])?;
        assert!(
            config.listen.is_some() && config.runs.keep_days.is_some() && config.servers.contains_key("gpu")
        );
        Ok(())
    }
}
