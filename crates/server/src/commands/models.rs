//! `connect` and `model`: keys, local servers, defaults, tests.

use hyper::Method;
use serde_json::{Value, json};

use super::setup::word;
use super::up::{read_secret, read_stdin};
use crate::cli::setup::{ConnectArgs, ModelArg, ModelCommand};
use crate::client::encode;
use crate::compose::Role;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::render::text::{clean, columns, tokens};
use crate::session::{Context, Session};

/// Providers, and the variable that holds the key of each. `openai-chat` shares OpenAI's.
const KEYS: &[(&str, &str)] =
    &[("anthropic", "ANTHROPIC_API_KEY"), ("openai", "OPENAI_API_KEY"), ("gemini", "GEMINI_API_KEY")];

/// Servers of this machine, which need no key: what people type, and what their models are named by.
const LOCAL: &[(&str, &str)] = &[
    ("ollama", "ollama"),
    ("llamacpp", "llama.cpp"),
    ("llama.cpp", "llama.cpp"),
    ("lmstudio", "lm-studio"),
    ("lm-studio", "lm-studio"),
    ("vllm", "vllm"),
];

/// The provider as its key is stored, and the variable that holds its key.
pub(super) fn key_variable(provider: &str) -> Option<(&'static str, &'static str)> {
    let provider = if provider == "openai-chat" { "openai" } else { provider };
    KEYS.iter().find(|(name, _)| *name == provider).copied()
}

/// Whether the owner has a key of the provider, wherever from.
pub(super) async fn owner_has_key(session: &Session, provider: &str) -> bool {
    let Ok(models) = session.client.get::<Value>("/v1/models").await else { return true };
    let keys = models["keys"].as_array().cloned().unwrap_or_default();
    keys.iter().any(|key| key["provider"] == provider && key["source"] != "none")
}

/// `journeyman connect`
pub(super) async fn connect(context: &Context, args: ConnectArgs) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| {
            let Some(name) = &args.provider else { return offer(session).await };
            let (provider, base_url) = match target(name)? {
                Target::Local(server) => return connect_local(session, server, args.model.as_deref()).await,
                Target::Provider(provider) => (provider, args.base_url.clone()),
                Target::Server { name, url } => (name, Some(url)),
            };
            let address = format!("/v1/models/keys/{provider}");
            if args.forget {
                session.client.call(Method::DELETE, &address, None).await?;
                let text = || format!("the key of {provider} is forgotten");
                session.output().either(&json!({ "forgotten": provider }), text);
                return Ok(Exit::Ok);
            }
            let key = if args.no_key { "none".to_owned() } else { key_of(session, &provider)? };
            session
                .client
                .call(Method::PUT, &address, Some(&json!({ "key": key, "base_url": base_url })))
                .await?;
            let folder = session.context.folder.root().display();
            session.output().say(&format!("the key of {provider} is sealed in {folder}"));
            after_connect(session, &provider, args.model.as_deref()).await
        })
        .await
}

/// What a name or URL on the command line means.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// One of the providers.
    Provider(String),
    /// A server of this machine.
    Local(&'static str),
    /// An OpenAI-compatible server elsewhere; its models are named by `name`.
    Server { name: String, url: String },
}

fn target(text: &str) -> Result<Target> {
    if let Some((_, rest)) = text.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme)) {
        let host = rest.split('/').next().unwrap_or_default();
        return Ok(Target::Server { name: domain::name::slug(host), url: text.to_owned() });
    }
    if let Some((_, server)) = LOCAL.iter().find(|(name, _)| *name == text) {
        return Ok(Target::Local(server));
    }
    match key_variable(text) {
        Some((provider, _)) => Ok(Target::Provider(provider.to_owned())),
        None => Err(Failure::new("bad_input", format!("there is no provider {text}"))
            .fix("anthropic, openai, gemini, ollama, llamacpp, lmstudio, vllm, or the URL of a server")),
    }
}

/// A server of this machine needs no key: its model is tested and made the default.
async fn connect_local(session: &Session, server: &str, model: Option<&str>) -> Result<Exit> {
    let models: Value = session.client.get("/v1/models").await?;
    let found = models["local"].as_array().into_iter().flatten().find(|found| found["server"] == server);
    let Some(found) = found else {
        return Err(Failure::new(
            "local_server_missing",
            format!("{server} does not answer on this machine"),
        ));
    };
    let first = || found["models"].as_array()?.first()?.as_str().map(str::to_owned);
    let model = model.map(str::to_owned).or_else(first);
    after_connect(session, server, model.as_deref()).await
}

/// The key: typed without echo, or from standard input; never from an argument.
fn key_of(session: &Session, provider: &str) -> Result<String> {
    let key =
        if session.output().may_ask { read_secret(&format!("key of {provider}: "))? } else { read_stdin()? };
    let key = key.trim().to_owned();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(Failure::new("input_needed", format!("no key of {provider} was given"))
            .fix(format!("printenv KEY | journeyman connect {provider}")));
    }
    Ok(key)
}

async fn after_connect(session: &Session, provider: &str, model: Option<&str>) -> Result<Exit> {
    let Some(model) = model else {
        session.output().json(&json!({ "connected": provider }));
        session.output().next(&format!("journeyman model test {provider}/<name>"));
        return Ok(Exit::Ok);
    };
    let name = if model.starts_with(&format!("{provider}/")) {
        model.to_owned()
    } else {
        format!("{provider}/{model}")
    };
    let exit = test(session, &name).await?;
    if exit == Exit::Ok {
        session.client.call(Method::PUT, "/v1/models/default", Some(&json!({ "name": name }))).await?;
        session.output().say(&format!("{name} is the default now"));
        session.output().next("journeyman do \"…\" --repo .");
    }
    Ok(exit)
}

/// What could be connected: found keys and servers are offered, never silently used.
async fn offer(session: &Session) -> Result<Exit> {
    let models: Value = session.client.get("/v1/models").await?;
    session.output().either(&models, || {
        let mut lines = key_lines(&models);
        lines.extend(local_lines(&models));
        lines.join("\n")
    });
    session
        .output()
        .next("journeyman connect anthropic      (asks for the key, or reads it from standard input)");
    Ok(Exit::Ok)
}

fn key_lines(models: &Value) -> Vec<String> {
    let keys = models["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    keys.iter()
        .map(|key| format!("key       {:<12} {}", word(key, "provider"), word(key, "source")))
        .collect()
}

/// What was found on this machine and is offered.
pub(super) fn found_lines(models: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if models["default"].is_null() {
        lines.push("No model is chosen yet; the demo needs none.".to_owned());
        let keys = models["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
        for key in keys.iter().filter(|key| key["source"] == "environment") {
            let provider = word(key, "provider");
            lines.push(format!("Found a key of {provider} in the environment. To use it:  journeyman model use {provider}/<name>"));
        }
    }
    for server in models["local"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let (name, url) = (word(server, "server"), word(server, "url"));
        lines.push(format!("Found {name} at {url}. To use it:  journeyman connect {name}"));
    }
    lines
}

fn local_lines(models: &Value) -> Vec<String> {
    let local = models["local"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |server: &Value| {
        format!(
            "local     {:<12} {}   {}",
            word(server, "server"),
            word(server, "url"),
            word(server, "models")
        )
    };
    local.iter().map(line).collect()
}

/// `journeyman model`
pub(super) async fn model(context: &Context, command: ModelCommand) -> Result<Exit> {
    context
        .with(&[Role::Api], async |session| match command {
            ModelCommand::List => list(session).await,
            ModelCommand::Test(ModelArg { model }) => test(session, &model).await,
            ModelCommand::Use(ModelArg { model }) => {
                session
                    .client
                    .call(Method::PUT, "/v1/models/default", Some(&json!({ "name": model })))
                    .await?;
                session
                    .output()
                    .either(&json!({ "default": model }), || format!("{model} is the default now"));
                Ok(Exit::Ok)
            }
        })
        .await
}

async fn list(session: &Session) -> Result<Exit> {
    let models: Value = session.client.get("/v1/models").await?;
    session.output().either(&models, || {
        let items = models["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let rows: Vec<Vec<String>> = items.iter().map(|item| row(item, &models["default"])).collect();
        let mut lines = vec![columns(&rows)];
        lines.extend(local_lines(&models));
        lines.extend(key_lines(&models));
        lines.join("\n")
    });
    session.output().next("journeyman connect");
    Ok(Exit::Ok)
}

fn row(item: &Value, default: &Value) -> Vec<String> {
    let window = item["context_tokens"].as_u64().map_or_else(|| "-".to_owned(), tokens);
    let price = match (item["price"]["input"].as_i64(), item["price"]["output"].as_i64()) {
        (Some(input), Some(output)) => {
            format!("{} / {} per million", domain::Micros(input), domain::Micros(output))
        }
        _ => "price not known".to_owned(),
    };
    let usable = if item["available"].as_bool().unwrap_or(false) {
        if &item["name"] == default { "default".to_owned() } else { "usable".to_owned() }
    } else {
        word(item, "why_not")
    };
    vec![word(item, "name"), window, price, usable]
}

async fn test(session: &Session, name: &str) -> Result<Exit> {
    let tested: Value = session.client.post("/v1/models/test", &json!({ "name": name })).await?;
    let ok = tested["ok"].as_bool().unwrap_or(false);
    session.output().either(&tested, || {
        if ok {
            let tools = if tested["tools"].as_bool().unwrap_or(false) {
                "can call tools"
            } else {
                "cannot call tools"
            };
            format!("{name} answers in {} ms and {tools}", tested["latency_ms"])
        } else {
            format!("{name} does not work: {}", clean(&word(&tested, "error")))
        }
    });
    if !ok {
        session
            .output()
            .next(&format!("journeyman connect {}", encode(name.split('/').next().unwrap_or_default())));
    }
    Ok(if ok { Exit::Ok } else { Exit::RunFailed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_local_servers_and_urls_are_told_apart() -> Result<()> {
        assert_eq!(target("openai-chat")?, Target::Provider("openai".to_owned()));
        assert_eq!(target("llamacpp")?, Target::Local("llama.cpp"));
        let url = "http://gpu.example:8000/v1";
        assert_eq!(target(url)?, Target::Server { name: "gpu-example-8000".to_owned(), url: url.to_owned() });
        assert_eq!(target("nobody").map_err(|failure| failure.code), Err("bad_input".to_owned()));
        Ok(())
    }
}
