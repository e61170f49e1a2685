//! What a run may use, and the guards around its loop.

use serde::{Deserialize, Serialize};

use crate::Micros;

/// Ceilings of one run. `None` means that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunLimits {
    /// The most model calls.
    pub max_turns: u32,
    /// The most tool calls.
    pub max_tool_calls: u32,
    /// The most money, at list prices. A model of unknown price cannot be held to it.
    pub max_cost: Option<Micros>,
    /// The most tokens in and out together.
    pub max_tokens: Option<u64>,
    /// The most time, in seconds of the run's own working (waiting for people not counted).
    pub max_seconds: u64,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            max_turns: 500,
            max_tool_calls: 2_000,
            max_cost: None,
            max_tokens: None,
            max_seconds: 4 * 60 * 60,
        }
    }
}

/// How strictly the loop is guarded; part of an agent's definition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardProfile {
    /// A repetition needs the same tool, arguments, result and workspace; limits of output per tool.
    #[default]
    Standard,
    /// A repetition is the same tool and arguments 3 times in 10 calls; every result above 1,000 tokens
    /// is cut to its first and last 500.
    Strict,
}
