//! What models cost.

use domain::Micros;
use domain::transcript::Usage;
use serde::{Deserialize, Serialize};

/// Prices of one model, in microdollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Input that no cache was involved in.
    pub input: i64,
    /// Output, thinking included.
    pub output: i64,
    /// Input read from the cache.
    pub cache_read: i64,
    /// Input written to the cache.
    pub cache_write: i64,
}

impl Price {
    /// What `usage` costs, each part rounded up to a microdollar.
    #[must_use]
    pub fn of(&self, usage: &Usage) -> Micros {
        Micros::of_tokens(usage.input_tokens, self.input)
            .plus(Micros::of_tokens(usage.output_tokens, self.output))
            .plus(Micros::of_tokens(usage.cache_read_tokens, self.cache_read))
            .plus(Micros::of_tokens(usage.cache_write_tokens, self.cache_write))
    }
}
