//! The table of known models: prices and context windows, by name or by the beginning of a dated name.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use domain::transcript::{Cost, Usage};
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
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    /// What longer prompts cost.
    long: Option<LongPrice>,
    /// Longer prompts cost more, and how much is not certain.
    known_up_to_tokens: Option<u64>,
    /// The price is announced to end then.
    valid_until_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongPrice {
    above_tokens: u64,
    input: i64,
    output: i64,
    cache_read: i64,
    cache_write: i64,
}

/// What calls of one model cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tariff {
    /// Prices of prompts of usual length, where known.
    pub price: Option<Price>,
    /// Prompts above this many tokens cost the other price, or nobody knows how much.
    pub long: Option<(u64, Option<Price>)>,
}

impl Tariff {
    /// What `usage` costs; `None` where that is not known.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Cost {
        let price = match self.long {
            Some((above, price)) if usage.context_tokens() > above => price,
            _ => self.price,
        };
        price.map(|price| price.of(usage))
    }
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
    /// Its prices for prompts of usual length.
    #[must_use]
    pub fn price(&self) -> Price {
        Price {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read.unwrap_or(self.input),
            cache_write: self.cache_write.unwrap_or(self.input),
        }
    }

    /// Its prices at `now_ms`.
    #[must_use]
    pub fn tariff(&self, now_ms: i64) -> Tariff {
        if self.valid_until_ms.is_some_and(|until| now_ms >= until) {
            return Tariff::default();
        }
        let unknown = self.known_up_to_tokens.map(|above| (above, None));
        let long = self.long.map(|long| {
            let LongPrice { above_tokens, input, output, cache_read, cache_write } = long;
            (above_tokens, Some(Price { input, output, cache_read, cache_write }))
        });
        Tariff { price: Some(self.price()), long: long.or(unknown) }
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

/// What is known of the model `name` at `now_ms`: prices and context window.
#[must_use]
pub fn look_up(
    name: &str,
    overrides: &BTreeMap<String, PriceOverride>,
    now_ms: i64,
) -> (Tariff, Option<u64>) {
    // The chat wire reaches the same models at the same prices.
    let listed = name.strip_prefix("openai-chat/").map(|model| format!("openai/{model}"));
    let listed = listed.as_deref().unwrap_or(name);
    let known =
        longest(table().models.iter().filter(|model| names(&model.name, listed)), |model| model.name.len());
    let set = longest(overrides.iter().filter(|(key, _)| names(key, name)), |(key, _)| key.len());
    let tariff = match (set, known) {
        (Some((_, set)), _) => Tariff { price: Some(set.price()), long: None },
        (None, Some(known)) => known.tariff(now_ms),
        (None, None) => Tariff::default(),
    };
    let set_context = set.and_then(|(_, set)| set.context_tokens);
    (tariff, set_context.or_else(|| known.map(|model| model.context_tokens)))
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
