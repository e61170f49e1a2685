//! Finds models by name and lists those that can be had.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::transcript::{AssistantPart, Message, UserPart};
use runtime::{Ambient, CancellationToken};
use serde_json::json;

use crate::config::{ModelsConfig, ProviderConfig, WireKind};
use crate::error::ModelError;
use crate::failure::Peer;
use crate::http::{HttpClient, http_client};
use crate::model::{Model, ModelInfo, Request, ToolSpec};
use crate::price_table::{self, table};
use crate::probe::{self, FoundServer, LocalServer, usual_servers};
use crate::scripted::{Scenario, ScriptedModel};
use crate::stories;
use crate::wire::{Asking, Shared, WireModel, wire_of};

/// Models whose window is not known are taken to have this one.
const CAUTIOUS_CONTEXT_TOKENS: u64 = 32_768;
/// A tiny question is not waited for longer.
const TEST_LIMIT: Duration = Duration::from_secs(60);

/// Finds models by name.
pub struct Registry {
    config: ModelsConfig,
    ambient: Ambient,
    http: HttpClient,
}

/// What a test of a model's connection showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionTest {
    /// From the question to the whole answer.
    pub latency: Duration,
    /// Whether it called the tool that it was asked to call.
    pub calls_tools: bool,
}

/// Where a model is reached.
struct Place {
    provider: String,
    wire: WireKind,
    base_url: String,
    key: Option<String>,
    thinking_tokens: Option<u32>,
}

impl Registry {
    /// A registry for `config`.
    ///
    /// # Errors
    ///
    /// [`ModelError::NotConfigured`] when the HTTP configuration does not read.
    pub fn new(config: ModelsConfig, ambient: Ambient) -> Result<Self, ModelError> {
        let http = http_client(&config.http)?;
        Ok(Self { config, ambient, http })
    }

    /// The model called `name`: `<provider>/<model>`, `scripted/<story>` or `scripted/<absolute path>`.
    ///
    /// # Errors
    ///
    /// [`ModelError::NotConfigured`] with what is missing and what to do.
    pub fn open(&self, name: &str) -> Result<Arc<dyn Model>, ModelError> {
        let (provider, model) = name.split_once('/').unwrap_or((name, ""));
        if model.is_empty() {
            return Err(self.unknown(name));
        }
        if provider == "scripted" {
            return self.open_script(name, model);
        }
        let place = self.place(provider).ok_or_else(|| self.unknown(name))??;
        let (tariff, context_tokens) = price_table::look_up(name, &self.config.prices, self.ambient.now_ms());
        let context_tokens = context_tokens.unwrap_or_else(|| guessed_context_tokens(&place, model));
        let info = ModelInfo { name: name.to_owned(), scripted: false, context_tokens, price: tariff.price };
        let wire = wire_of(place.wire, model, &place.base_url, place.thinking_tokens);
        let peer = Peer { provider: place.provider, model: model.to_owned(), key: place.key };
        Ok(Arc::new(WireModel::new(
            info,
            peer,
            Asking { wire, tariff, shared: self.shared() },
            &place.base_url,
        )))
    }

    /// The models of our table for which there is a key, and the built-in stories.
    #[must_use]
    pub fn list(&self) -> Vec<ModelInfo> {
        let providers = [
            ("anthropic", &self.config.anthropic),
            ("openai", &self.config.openai),
            ("gemini", &self.config.gemini),
        ];
        let mut models = Vec::new();
        for (provider, config) in providers {
            // With an address of one's own, other models are served than the provider's.
            if config.key.is_none() || config.base_url.is_some() {
                continue;
            }
            let of_provider = |name: &str| name.split_once('/').is_some_and(|(before, _)| before == provider);
            for known in table().models.iter().filter(|known| of_provider(&known.name)) {
                let (tariff, context) =
                    price_table::look_up(&known.name, &self.config.prices, self.ambient.now_ms());
                models.push(ModelInfo {
                    name: known.name.clone(),
                    scripted: false,
                    context_tokens: context.unwrap_or(known.context_tokens),
                    price: tariff.price,
                });
            }
        }
        let stories = stories::names().into_iter().map(|story| format!("scripted/{story}"));
        models.extend(stories.filter_map(|name| Some(self.open(&name).ok()?.info().clone())));
        models
    }

    /// Looks for model servers on this machine; takes 300 ms at most.
    pub async fn probe_local(&self) -> Vec<FoundServer> {
        probe::probe(&self.http, &self.local_servers()).await
    }

    /// Asks the model `name` for one tiny tool call.
    ///
    /// # Errors
    ///
    /// Whatever the model's answer is, and [`ModelError::Unreachable`] after a minute.
    pub async fn test_connection(&self, name: &str) -> Result<ConnectionTest, ModelError> {
        let model = self.open(name)?;
        if model.info().scripted {
            return Ok(ConnectionTest { latency: Duration::ZERO, calls_tools: true });
        }
        let request = tiny_request();
        let before = self.ambient.clock.elapsed();
        let asked = model.ask(&request, &|_| {}, CancellationToken::new());
        let Some(answer) = self.ambient.within(TEST_LIMIT, asked).await else {
            let message = format!("no answer within {} s", TEST_LIMIT.as_secs());
            return Err(ModelError::Unreachable { provider: name.to_owned(), message });
        };
        let latency = self.ambient.clock.elapsed().saturating_sub(before);
        let calls_tools = answer?.parts.iter().any(|part| matches!(part, AssistantPart::ToolCall(_)));
        Ok(ConnectionTest { latency, calls_tools })
    }

    /// The client that all models share.
    #[must_use]
    pub fn http(&self) -> &HttpClient {
        &self.http
    }

    fn shared(&self) -> Shared {
        Shared { http: self.http.clone(), ambient: self.ambient.clone(), retry: self.config.retry }
    }

    fn local_servers(&self) -> Vec<LocalServer> {
        self.config.local.clone().unwrap_or_else(usual_servers)
    }

    fn open_script(&self, name: &str, story: &str) -> Result<Arc<dyn Model>, ModelError> {
        let is_path = story.contains('/')
            || Path::new(story).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        let text = if is_path {
            std::fs::read_to_string(story).map_err(|error| ModelError::NotConfigured {
                message: format!("the scenario {story} cannot be read: {error}"),
                fix: "give the path of a scenario file (docs/SCENARIOS.md), or a story: scripted/shop".into(),
            })?
        } else {
            stories::scenario(story).map(str::to_owned).ok_or_else(|| ModelError::NotConfigured {
                message: format!("there is no story {story}"),
                fix: format!("the stories are: {}", stories::names().join(", ")),
            })?
        };
        let scenario = Scenario::parse(&text, story)?;
        let clock = Arc::clone(&self.ambient.clock);
        Ok(Arc::new(ScriptedModel::new(name, scenario, self.config.pace, clock)))
    }

    /// Where `provider` is reached; `None` when there is none of that name.
    fn place(&self, provider: &str) -> Option<Result<Place, ModelError>> {
        if let Some(server) = self.config.servers.iter().find(|server| server.name == provider) {
            return Some(Ok(Place {
                provider: provider.to_owned(),
                wire: server.wire,
                base_url: server.base_url.clone(),
                key: server.key.clone(),
                thinking_tokens: None,
            }));
        }
        if let Some(wire) = WireKind::named(provider) {
            return Some(self.own_place(wire));
        }
        let local = self.local_servers().into_iter().find(|server| server.name == provider)?;
        Some(Ok(Place {
            provider: provider.to_owned(),
            wire: WireKind::OpenAiChat,
            base_url: local.base_url,
            key: None,
            thinking_tokens: None,
        }))
    }

    fn own_place(&self, wire: WireKind) -> Result<Place, ModelError> {
        let (config, variable, address): (&ProviderConfig, _, _) = match wire {
            WireKind::Anthropic => (&self.config.anthropic, "ANTHROPIC_API_KEY", "https://api.anthropic.com"),
            WireKind::OpenAi | WireKind::OpenAiChat => {
                (&self.config.openai, "OPENAI_API_KEY", "https://api.openai.com/v1")
            }
            WireKind::Gemini => {
                (&self.config.gemini, "GEMINI_API_KEY", "https://generativelanguage.googleapis.com")
            }
        };
        let key = config.key.clone().filter(|key| !key.trim().is_empty()).map(|key| key.trim().to_owned());
        let needs_key = wire != WireKind::OpenAiChat || config.base_url.is_none();
        if key.is_none() && needs_key {
            let connect = if wire == WireKind::OpenAiChat { "openai" } else { wire.name() };
            return Err(ModelError::NotConfigured {
                message: format!("there is no key for {}", wire.name()),
                fix: format!("run journeyman connect {connect}, or set {variable}"),
            });
        }
        let base_url = config.base_url.clone().filter(|url| !url.is_empty());
        Ok(Place {
            provider: wire.name().to_owned(),
            wire,
            base_url: base_url.unwrap_or_else(|| address.to_owned()),
            key,
            thinking_tokens: config.thinking_tokens,
        })
    }

    fn unknown(&self, name: &str) -> ModelError {
        let mut known: Vec<String> =
            ["anthropic", "openai", "openai-chat", "gemini", "scripted"].map(str::to_owned).into();
        known.extend(self.config.servers.iter().map(|server| server.name.clone()));
        known.extend(self.local_servers().into_iter().map(|server| server.name));
        known.dedup();
        ModelError::NotConfigured {
            message: format!("{name} does not name a model"),
            fix: format!("write <provider>/<model>; the providers are {}", known.join(", ")),
        }
    }
}

/// The window of a model that the table does not know.
fn guessed_context_tokens(place: &Place, model: &str) -> u64 {
    match place.wire {
        WireKind::Anthropic => 200_000,
        WireKind::Gemini if model.starts_with("gemini") => 1_000_000,
        WireKind::OpenAi => 128_000,
        WireKind::OpenAiChat | WireKind::Gemini => CAUTIOUS_CONTEXT_TOKENS,
    }
}

fn tiny_request() -> Request {
    let tool = ToolSpec {
        name: "say_hello".into(),
        description: "Says hello.".into(),
        parameters: json!({
            "type": "object",
            "properties": { "name": { "type": "string", "description": "Whom to greet." } },
            "required": ["name"]
        }),
    };
    let text = "Call the tool say_hello with the name World. Say nothing else.".into();
    Request {
        system: "You test a connection.".into(),
        tools: Arc::new([tool]),
        messages: vec![Arc::new(Message::User { parts: vec![UserPart::Text { text }] })],
        max_output_tokens: Some(2_048),
        cache_key: "connection-test".into(),
    }
}
