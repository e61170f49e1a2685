//! Model servers on this machine: Ollama, llama.cpp, LM Studio, vLLM.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::http::HttpClient;

/// Where one is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalServer {
    /// The name before the slash: `ollama`.
    pub name: String,
    /// Its address without path: `http://127.0.0.1:11434`.
    pub base_url: String,
}

/// One that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundServer {
    /// Where it was found.
    pub server: LocalServer,
    /// The models that it offers, without the server's name.
    pub models: Vec<String>,
}

/// No server of this machine needs longer to list its models.
const PROBE_LIMIT: Duration = Duration::from_millis(300);
/// A list of models is not longer.
const LIST_LIMIT_BYTES: usize = 4 << 20;

/// The usual servers at their usual ports.
#[must_use]
pub fn usual_servers() -> Vec<LocalServer> {
    [("ollama", 11434), ("llama.cpp", 8080), ("lm-studio", 1234), ("vllm", 8000)]
        .map(|(name, port)| LocalServer { name: name.into(), base_url: format!("http://127.0.0.1:{port}") })
        .into()
}

/// Asks all at once; those that do not answer in time or talk about something else are left out.
pub(crate) async fn probe(http: &HttpClient, servers: &[LocalServer]) -> Vec<FoundServer> {
    let asked = servers.iter().map(|server| async move {
        let models = tokio::time::timeout(PROBE_LIMIT, models_of(http, server)).await.ok()??;
        Some(FoundServer { server: server.clone(), models })
    });
    join_all(asked).await.into_iter().flatten().collect()
}

async fn models_of(http: &HttpClient, server: &LocalServer) -> Option<Vec<String>> {
    let is_ollama = server.name == "ollama";
    let path = if is_ollama { "/api/tags" } else { "/v1/models" };
    let url = format!("{}{path}", server.base_url.trim_end_matches('/'));
    let mut response = http.for_url(&url).ok()?.get(&url).send().await.ok()?;
    if !response.status().is_success() {
        return None;
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > LIST_LIMIT_BYTES {
            return None;
        }
    }
    let list: Value = serde_json::from_slice(&body).ok()?;
    let (field, name) = if is_ollama { ("models", "name") } else { ("data", "id") };
    let models = list[field].as_array()?.iter().filter_map(|model| model[name].as_str());
    Some(models.map(str::to_owned).collect())
}
