//! Models: keys from the environment and from the store, addresses, prices and proxies, as one configuration.

use std::collections::BTreeMap;

use accounts::Accounts;
use domain::OrgId;
use models::price_table::PriceOverride;
use models::scripted::Pace;
use models::{HttpConfig, ModelError, ModelsConfig, ProviderConfig, Registry, ServerConfig, WireKind};
use runtime::{Ambient, Env};
use serde_json::Value;

use crate::config::{Config, PriceConfig, micros};
use crate::error::{Failure, Result, chain};

/// What the models' configuration is made from, so that it can be made again when a key or a price changes.
#[derive(Clone)]
pub(crate) struct ModelSource {
    pub(crate) env: Env,
    pub(crate) config: Config,
    pub(crate) pace: Pace,
    pub(crate) accounts: Accounts,
    pub(crate) org: OrgId,
    pub(crate) ambient: Ambient,
}

impl ModelSource {
    /// A registry of what is known now.
    ///
    /// # Errors
    ///
    /// Where stored keys do not open or the configuration contradicts itself.
    pub(crate) async fn registry(&self) -> Result<Registry> {
        let mut config = from_env(&self.env, &self.config, self.pace);
        self.add_stored_keys(&mut config).await?;
        self.add_stored_prices(&mut config).await?;
        Registry::new(config, self.ambient.clone()).map_err(about)
    }

    async fn add_stored_keys(&self, config: &mut ModelsConfig) -> Result<()> {
        let fail = |error: accounts::Error| Failure::internal("read the stored provider keys", &error);
        for keyed in self.accounts.keyed_providers(self.org).await.map_err(fail)? {
            let Some((key, base_url)) =
                self.accounts.provider_key(self.org, &keyed.provider).await.map_err(fail)?
            else {
                continue;
            };
            let key = Some(key.expose().to_owned());
            let place = match keyed.provider.as_str() {
                "anthropic" => &mut config.anthropic,
                "openai" => &mut config.openai,
                "gemini" => &mut config.gemini,
                _ => {
                    config.servers.extend(base_url.map(|base_url| ServerConfig {
                        name: keyed.provider.clone(),
                        wire: WireKind::OpenAiChat,
                        base_url,
                        key,
                    }));
                    continue;
                }
            };
            // A key of the environment was given to this process on purpose and goes before a stored one.
            if place.key.is_none() {
                place.key = key;
                place.base_url = place.base_url.take().or(base_url);
            }
        }
        Ok(())
    }

    async fn add_stored_prices(&self, config: &mut ModelsConfig) -> Result<()> {
        let stored: BTreeMap<String, Value> = self
            .accounts
            .price_overrides(self.org)
            .await
            .map_err(|error| Failure::internal("read the stored prices", &error))?;
        for (model, price) in stored {
            match serde_json::from_value::<PriceOverride>(price) {
                Ok(price) => {
                    config.prices.insert(model, price);
                }
                Err(error) => tracing::warn!(model, %error, "a stored price does not read"),
            }
        }
        Ok(())
    }
}

/// What environment and file say.
fn from_env(env: &Env, config: &Config, pace: Pace) -> ModelsConfig {
    let text = |name: &str| env.get(name).map(str::to_owned);
    let provider =
        |key: &str, url: &str| ProviderConfig { key: text(key), base_url: text(url), thinking_tokens: None };
    let either = |upper: &str, lower: &str| text(upper).or_else(|| text(lower));
    let mut gemini = provider("GEMINI_API_KEY", "GEMINI_BASE_URL");
    gemini.key = gemini.key.or_else(|| text("GOOGLE_API_KEY"));
    let servers = config.servers.iter().map(|(name, server)| ServerConfig {
        name: name.clone(),
        wire: server.wire.as_deref().and_then(WireKind::named).unwrap_or(WireKind::OpenAiChat),
        base_url: server.url.clone(),
        key: server.key_env.as_deref().and_then(text),
    });
    ModelsConfig {
        anthropic: provider("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
        openai: provider("OPENAI_API_KEY", "OPENAI_BASE_URL"),
        gemini,
        servers: servers.collect(),
        prices: config.prices.iter().map(|(model, price)| (model.clone(), price_of(price))).collect(),
        http: HttpConfig {
            // Upper case is not read for plain HTTP by many programs, because CGI sets it; nobody runs us so.
            http_proxy: either("HTTP_PROXY", "http_proxy").or_else(|| either("ALL_PROXY", "all_proxy")),
            https_proxy: either("HTTPS_PROXY", "https_proxy").or_else(|| either("ALL_PROXY", "all_proxy")),
            no_proxy: either("NO_PROXY", "no_proxy"),
            ca_file: env.path("SSL_CERT_FILE"),
        },
        retry: models::RetryPolicy::default(),
        pace,
        local: None,
    }
}

fn price_of(price: &PriceConfig) -> PriceOverride {
    let per_million = |usd: f64| micros(usd).0;
    PriceOverride {
        input: per_million(price.input),
        output: per_million(price.output),
        cache_read: price.cache_read.map(per_million),
        cache_write: price.cache_write.map(per_million),
        context_tokens: price.context_tokens,
    }
}

fn about(error: ModelError) -> Failure {
    match error {
        ModelError::NotConfigured { message, fix } => Failure::new("config_invalid", message).fix(fix),
        other => Failure::new("internal", chain(&other)),
    }
}
