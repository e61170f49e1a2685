//! What passes between the loop and a model, free of any provider's wire format.

use serde::{Deserialize, Serialize};

use crate::Micros;

/// One message of a conversation with a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// What we say to the model.
    User {
        /// Text, images and tool results, in order.
        parts: Vec<UserPart>,
    },
    /// What the model said.
    Assistant {
        /// Its parts, in the order in which it said them.
        parts: Vec<AssistantPart>,
    },
}

/// A part of what we say to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UserPart {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A picture.
    Image {
        /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
        media_type: String,
        /// The picture's bytes as base64.
        base64: String,
    },
    /// What a tool call gave.
    ToolResult {
        /// The call that it answers.
        call_id: String,
        /// The tool's name (one wire matches results by name).
        tool: String,
        /// The text for the model.
        output: String,
        /// Whether the call went wrong.
        is_error: bool,
    },
}

/// A part of a model's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AssistantPart {
    /// Words.
    Text {
        /// The words.
        text: String,
        /// What the provider wants back beside the words (Gemini's thought signatures).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replay: Option<Replay>,
    },
    /// Thinking that the provider showed.
    Thinking {
        /// The readable part; may be empty where the provider hides it.
        text: String,
        /// What the provider wants back, unchanged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replay: Option<Replay>,
    },
    /// A tool to be called.
    ToolCall(ToolCall),
}

/// A provider's own item (a signature, an encrypted reasoning block), kept as it came and sent back only
/// to the wire that it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// The wire that the item belongs to: `anthropic`, `openai`, `openai-chat`, `gemini`.
    pub wire: String,
    /// The item.
    pub item: serde_json::Value,
}

/// A model's wish to use a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Unique within the run; made by us where a provider gives none.
    pub id: String,
    /// The tool's name.
    pub tool: String,
    /// The arguments. Where the model's JSON did not parse this is a JSON string with the text as it came,
    /// and the loop answers the call with an error.
    pub arguments: serde_json::Value,
    /// What the provider wants back beside the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was done.
    EndTurn,
    /// It wants tools to be called.
    ToolUse,
    /// Its answer reached the output limit.
    MaxTokens,
    /// It or its provider's filter refused.
    Refusal,
}

/// What a model call used. The four parts do not overlap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Input tokens that no cache was involved in.
    pub input_tokens: u64,
    /// Output tokens, thinking included.
    pub output_tokens: u64,
    /// Input tokens that were read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Input tokens that were written to the provider's cache.
    pub cache_write_tokens: u64,
}

impl Usage {
    /// All tokens together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens
    }

    /// Tokens that stood in the context: all of the input.
    #[must_use]
    pub const fn context_tokens(&self) -> u64 {
        self.input_tokens + self.cache_read_tokens + self.cache_write_tokens
    }

    /// The sum of two.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens + other.input_tokens,
            output_tokens: self.output_tokens + other.output_tokens,
            cache_read_tokens: self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens: self.cache_write_tokens + other.cache_write_tokens,
        }
    }
}

/// A cost, or that the price is not known. Never confuse the latter with nothing.
pub type Cost = Option<Micros>;
