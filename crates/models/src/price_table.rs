//! The table of known models: prices and context windows, by name or by the beginning of a dated name.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::price::Price;

/// The table that the program was built with.
const TABLE: &str = include_str!("../prices.toml");

/// Prices that an admin sets, in microdollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceOverride {
    /// Input that no cache was involved in.
    pub input: i64,
    /// Output, thinking included.
    pub output: i64,
    /// Input read from the cache; as `input` where absent.
    pub cache_read: Option<i64>,
    /// Input written to the cache; as `input` where absent.
    pub cache_write: Option<i64>,
    /// The context window, where it is to be another one.
    pub context_tokens: Option<u64>,
}

/// A known model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownModel {
    /// `anthropic/claude-sonnet-4-5`; dated names begin with it.
    pub name: String,
    /// The context window.
    pub context_tokens: u64,
    input: i64,
    output: i64,
    #[serde(default)]
    cache_read: Option<i64>,
    #[serde(default)]
    cache_write: Option<i64>,
}

/// The table of known models.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    /// Counts up with each change.
    pub version: u32,
    /// When the prices were looked up.
    pub date: String,
    /// Where.
    pub source: String,
    /// The models.
    #[serde(rename = "model")]
    pub models: Vec<KnownModel>,
}

impl KnownModel {
    /// Its prices.
    #[must_use]
    pub fn price(&self) -> Price {
        Price {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read.unwrap_or(self.input),
            cache_write: self.cache_write.unwrap_or(self.input),
        }
    }
}

impl PriceOverride {
    /// The prices.
    #[must_use]
    pub fn price(&self) -> Price {
        Price {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read.unwrap_or(self.input),
            cache_write: self.cache_write.unwrap_or(self.input),
        }
    }
}

/// The table; empty only if the file that was built in does not read, which a test rules out.
pub fn table() -> &'static PriceTable {
    static READ: OnceLock<PriceTable> = OnceLock::new();
    READ.get_or_init(|| {
        toml::from_str(TABLE).unwrap_or_else(|error| {
            tracing::error!(%error, "the price table does not read");
            PriceTable { version: 0, date: String::new(), source: String::new(), models: Vec::new() }
        })
    })
}

/// What is known of the model `name`: price and context window.
#[must_use]
pub fn look_up(name: &str, overrides: &BTreeMap<String, PriceOverride>) -> (Option<Price>, Option<u64>) {
    // The chat wire reaches the same models at the same prices.
    let listed = name.strip_prefix("openai-chat/").map(|model| format!("openai/{model}"));
    let listed = listed.as_deref().unwrap_or(name);
    let known =
        longest(table().models.iter().filter(|model| names(&model.name, listed)), |model| model.name.len());
    let set = longest(overrides.iter().filter(|(key, _)| names(key, name)), |(key, _)| key.len());
    let price = set.map(|(_, set)| set.price()).or_else(|| known.map(KnownModel::price));
    let context =
        set.and_then(|(_, set)| set.context_tokens).or_else(|| known.map(|model| model.context_tokens));
    (price, context)
}

fn longest<T>(found: impl Iterator<Item = T>, length: impl Fn(&T) -> usize) -> Option<T> {
    found.max_by_key(|item| length(item))
}

/// Whether `listed` names `name`: exactly, with a date or version behind it, or, ending in `*`, as its beginning.
fn names(listed: &str, name: &str) -> bool {
    if let Some(beginning) = listed.strip_suffix('*') {
        return name.starts_with(beginning);
    }
    let Some(rest) = name.strip_prefix(listed) else { return false };
    rest.is_empty() || rest == "-latest" || is_date(rest)
}

/// `-20250929`, `-2025-08-07`, `@20250929`, `-001`, `-preview-05-20`.
fn is_date(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix(['-', '@']) else { return false };
    let rest = rest.strip_prefix("preview").map_or(rest, |rest| rest.trim_start_matches('-'));
    rest.chars().all(|c| c.is_ascii_digit() || c == '-') && rest.len() != 1 && rest.len() != 2
}

#[cfg(test)]
mod tests;
