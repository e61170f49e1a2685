//! What the models are told at start: keys, addresses, prices. Reading files and the environment is the
//! server's matter.

use std::collections::BTreeMap;
use std::fmt;

use crate::http::HttpConfig;
use crate::price_table::PriceOverride;
use crate::probe::LocalServer;
use crate::scripted::Pace;
use crate::wire::RetryPolicy;

/// The configuration of all models.
#[derive(Debug, Clone, Default)]
pub struct ModelsConfig {
    /// `anthropic/…`: `ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL` (with or without `/v1`).
    pub anthropic: ProviderConfig,
    /// `openai/…` and `openai-chat/…`: `OPENAI_API_KEY`, `OPENAI_BASE_URL` (with or without `/v1`).
    pub openai: ProviderConfig,
    /// `gemini/…`: `GEMINI_API_KEY`, `GEMINI_BASE_URL` (with or without `/v1beta`).
    pub gemini: ProviderConfig,
    /// Servers with a name of their own.
    pub servers: Vec<ServerConfig>,
    /// Prices that go before the table's, by full model name or its beginning.
    pub prices: BTreeMap<String, PriceOverride>,
    /// How to reach the outside.
    pub http: HttpConfig,
    /// How long and how often is tried.
    pub retry: RetryPolicy,
    /// How fast scripts speak.
    pub pace: Pace,
    /// Where servers of this machine are looked for; the usual ports where `None`.
    pub local: Option<Vec<LocalServer>>,
}

/// One provider's key and address.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProviderConfig {
    /// The key.
    pub key: Option<String>,
    /// The address, where not the provider's own.
    pub base_url: Option<String>,
    /// Thinking is switched on with this many tokens, for wires that want to be asked.
    pub thinking_tokens: Option<u32>,
}

/// A server with a name of its own: `<name>/<model>`.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The name before the slash.
    pub name: String,
    /// The wire that it speaks.
    pub wire: WireKind,
    /// Its address.
    pub base_url: String,
    /// Its key, if it wants one.
    pub key: Option<String>,
}

/// The wires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireKind {
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI Responses.
    OpenAi,
    /// OpenAI Chat Completions.
    OpenAiChat,
    /// Gemini.
    Gemini,
}

impl WireKind {
    /// The wire's name; also the provider's before the slash of a model's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::OpenAiChat => "openai-chat",
            Self::Gemini => "gemini",
        }
    }

    /// The wire of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Anthropic, Self::OpenAi, Self::OpenAiChat, Self::Gemini]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderConfig")
            .field("key", &self.key.as_ref().map(|_| "[key]"))
            .field("base_url", &self.base_url)
            .field("thinking_tokens", &self.thinking_tokens)
            .finish()
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("name", &self.name)
            .field("wire", &self.wire)
            .field("base_url", &self.base_url)
            .field("key", &self.key.as_ref().map(|_| "[key]"))
            .finish()
    }
}
