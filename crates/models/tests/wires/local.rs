//! Servers of this machine, the list of models, the test of a connection, proxies.

use std::time::Duration;

use models::probe::{FoundServer, LocalServer};
use models::{HttpConfig, ModelsConfig, ProviderConfig, Registry};
use runtime::Ambient;

use crate::canned::{two_calls, words};
use crate::server::{End, Reply, Server};
use crate::{MODELS, ask_model, config, hello, open, wire};

fn local(name: &str, server: &Server) -> LocalServer {
    LocalServer { name: name.into(), base_url: server.url() }
}

fn registry(config: ModelsConfig) -> Registry {
    Registry::new(config, Ambient::system()).unwrap()
}

#[tokio::test]
async fn servers_of_this_machine_are_found_with_their_models() {
    let ollama =
        Server::start([Reply::status(200, r#"{"models":[{"name":"llama3:8b"},{"name":"qwen3"}]}"#)]).await;
    let studio = Server::start([Reply::status(200, r#"{"data":[{"id":"gemma"}],"object":"list"}"#)]).await;
    let other = Server::start([Reply::status(200, "<html>my router</html>")]).await;
    let silent = Server::start([Reply::stream("").ending(End::Hang)]).await;
    let gone = Server::start([]).await;
    let places = vec![
        local("ollama", &ollama),
        local("lm-studio", &studio),
        local("vllm", &other),
        local("llama.cpp", &silent),
        local("gone", &gone),
    ];
    drop(gone);
    let found =
        registry(ModelsConfig { local: Some(places.clone()), ..ModelsConfig::default() }).probe_local().await;
    let wanted = [(0, vec!["llama3:8b", "qwen3"]), (1, vec!["gemma"])].map(|(place, models): (usize, _)| {
        FoundServer { server: places[place].clone(), models: models.into_iter().map(str::to_owned).collect() }
    });
    assert_eq!(found, wanted);
    assert_eq!(ollama.asked()[0].path, "/api/tags");
    assert_eq!(studio.asked()[0].path, "/v1/models");
}

#[tokio::test]
async fn a_model_of_a_server_of_this_machine_can_be_asked() {
    let server = Server::start([Reply::stream(&words("openai-chat", "hi"))]).await;
    let (ambient, clock) = Ambient::mock(1);
    let config = ModelsConfig { local: Some(vec![local("ollama", &server)]), ..ModelsConfig::default() };
    let model = Registry::new(config, ambient).unwrap().open("ollama/llama3:8b").unwrap();
    let answer = ask_model(&*model, &clock, &hello()).await.answer.unwrap();
    assert_eq!(answer.cost, None);
    assert_eq!(server.bodies()[0]["model"], "llama3:8b");
}

#[test]
fn the_list_has_the_models_of_providers_with_a_key_and_the_stories() {
    let names = |config| registry(config).list().into_iter().map(|model| model.name).collect::<Vec<_>>();
    assert_eq!(names(ModelsConfig::default()), ["scripted/shop"]);
    let key = ProviderConfig { key: Some("k".into()), ..ProviderConfig::default() };
    let listed = names(ModelsConfig { anthropic: key, ..ModelsConfig::default() });
    assert!(listed.contains(&MODELS[0].to_owned()) && listed.contains(&"scripted/shop".to_owned()));
    assert!(!listed.iter().any(|name| name.starts_with("openai/")));
}

#[tokio::test]
async fn testing_a_connection_tells_whether_tools_are_called() {
    for model in MODELS {
        for (stream, calls_tools) in
            [(two_calls(wire(model), r#"{"command":"x"}"#), true), (words(wire(model), "hi"), false)]
        {
            let server = Server::start([Reply::stream(&stream)]).await;
            let test = registry(config(&server)).test_connection(model).await.unwrap();
            assert_eq!(test.calls_tools, calls_tools, "{model}");
            assert!(test.latency < Duration::from_secs(10));
        }
    }
}

#[tokio::test]
async fn a_proxy_is_used_but_not_for_this_machine_or_for_hosts_that_are_named() {
    let proxy = Server::start([Reply::stream(&words("openai-chat", "by proxy"))]).await;
    let target = "http://model.invalid/v1";
    let http = |no_proxy: Option<&str>| HttpConfig {
        http_proxy: Some(proxy.url()),
        no_proxy: no_proxy.map(str::to_owned),
        ..HttpConfig::default()
    };
    let opened = |http, base_url: &str| {
        let openai = ProviderConfig { base_url: Some(base_url.into()), ..ProviderConfig::default() };
        let (ambient, clock) = Ambient::mock(1);
        let config = ModelsConfig { openai, http, ..ModelsConfig::default() };
        (Registry::new(config, ambient).unwrap().open("openai-chat/m").unwrap(), clock)
    };
    let (model, clock) = opened(http(None), target);
    assert_eq!(ask_model(&*model, &clock, &hello()).await.text(), "by proxy");
    assert_eq!(proxy.asked()[0].path, "http://model.invalid/v1/chat/completions");

    let (model, clock) = opened(http(Some("model.invalid")), target);
    assert!(ask_model(&*model, &clock, &hello()).await.answer.is_err());
    let here = Server::start([Reply::stream(&words("openai-chat", "directly"))]).await;
    let (model, clock) = opened(http(None), &here.url());
    assert_eq!(ask_model(&*model, &clock, &hello()).await.text(), "directly");
    assert_eq!(proxy.asked().len(), 1);
}

#[tokio::test]
async fn a_server_with_a_certificate_of_ones_own_authority_is_trusted_when_that_is_configured() {
    let server = Server::start_secure([Reply::stream(&words("openai-chat", "in private"))]).await;
    let ca_file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wires/tls/authority.pem");
    for (ca_file, trusted) in [(None, false), (Some(ca_file.into()), true)] {
        let http = HttpConfig { ca_file, ..HttpConfig::default() };
        let openai = ProviderConfig { base_url: Some(server.url()), ..ProviderConfig::default() };
        let (ambient, clock) = Ambient::mock(1);
        let config = ModelsConfig { openai, http, ..ModelsConfig::default() };
        let model = Registry::new(config, ambient).unwrap().open("openai-chat/m").unwrap();
        let heard = ask_model(&*model, &clock, &hello()).await;
        assert_eq!(heard.text().ends_with("in private"), trusted);
        if let Err(error) = heard.answer {
            assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
            assert!(heard.waits.is_empty(), "another try cannot help");
        }
    }
}

#[test]
fn a_bad_proxy_or_certificate_file_says_which() {
    let refused = |http| {
        let client = models::http_client(&http)?;
        client.for_url("https://example.com").map(|_| ())
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    for ca_file in [file, folder.path().join("missing.pem")] {
        let error =
            refused(HttpConfig { ca_file: Some(ca_file.clone()), ..HttpConfig::default() }).unwrap_err();
        assert!(error.to_string().contains(ca_file.to_str().unwrap()), "{error}");
    }
    let error = refused(HttpConfig { https_proxy: Some("not an address".into()), ..HttpConfig::default() })
        .unwrap_err();
    assert!(error.to_string().contains("not an address"), "{error}");
}

#[test]
fn a_client_for_plain_addresses_is_there_at_once() {
    // Reading the machine's certificates would take longer than the whole start may.
    let clock = runtime::SystemClock;
    let server_config = ModelsConfig::default();
    let before = runtime::Clock::elapsed(&clock);
    let client = registry(server_config).http().for_url("http://127.0.0.1:1").is_ok();
    let took = runtime::Clock::elapsed(&clock) - before;
    assert!(client && took < Duration::from_millis(20), "{took:?}");
}

#[tokio::test]
async fn a_model_keeps_no_conversation_alive() {
    let server = Server::start(std::iter::repeat_n(Reply::stream(&words("openai-chat", "hi")), 2)).await;
    let (model, clock) = open(&server, MODELS[2]);
    let request = hello();
    let before = std::sync::Arc::strong_count(&request.messages[0]);
    ask_model(&*model, &clock, &request).await.answer.unwrap();
    assert_eq!(std::sync::Arc::strong_count(&request.messages[0]), before);
}
