//! What the providers' refusals become. None is tried again.

use models::ModelError;
use serde_json::json;

use crate::server::{Reply, Server};
use crate::{KEY, MODELS, ask, hello};

/// The name of the error's variant.
fn kind(error: &ModelError) -> &'static str {
    match error {
        ModelError::NotConfigured { .. } => "not configured",
        ModelError::Auth { .. } => "auth",
        ModelError::NoSuchModel { .. } => "no such model",
        ModelError::NoTools { .. } => "no tools",
        ModelError::ContextOverflow { .. } => "overflow",
        ModelError::RateLimited { .. } => "rate limited",
        ModelError::Overloaded { .. } => "overloaded",
        ModelError::Unreachable { .. } => "unreachable",
        ModelError::Refused { .. } => "refused",
        ModelError::BadAnswer { .. } => "bad answer",
        ModelError::OffScript { .. } => "off script",
        ModelError::Cancelled => "cancelled",
    }
}

fn anthropic(kind: &str, message: &str) -> String {
    json!({"type": "error", "error": {"type": kind, "message": message}}).to_string()
}

fn openai(message: &str, kind: &str, code: Option<&str>) -> String {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}}).to_string()
}

fn gemini(code: u16, status: &str, message: &str) -> String {
    json!({"error": {"code": code, "message": message, "status": status}}).to_string()
}

#[tokio::test]
async fn each_refusal_has_its_kind() {
    let invalid_key = json!({"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}});
    let cases = [
        (MODELS[0], 401, anthropic("authentication_error", "invalid x-api-key"), "auth"),
        (MODELS[0], 403, anthropic("permission_error", "not allowed"), "auth"),
        (MODELS[0], 404, anthropic("not_found_error", "model: claude-9"), "no such model"),
        (MODELS[0], 400, anthropic("invalid_request_error", "prompt is too long: 212345 tokens > 200000 maximum"), "overflow"),
        (MODELS[0], 400, anthropic("invalid_request_error", "input length and `max_tokens` exceed context limit: 199000 + 32000 > 200000"), "overflow"),
        (MODELS[0], 413, anthropic("request_too_large", "Request exceeds the maximum size"), "overflow"),
        (MODELS[0], 400, anthropic("invalid_request_error", "Your credit balance is too low"), "refused"),
        (MODELS[1], 401, openai("Incorrect API key provided", "invalid_request_error", Some("invalid_api_key")), "auth"),
        (MODELS[1], 404, openai("The model 'x' does not exist", "invalid_request_error", Some("model_not_found")), "no such model"),
        (MODELS[1], 400, openai("Your input exceeds the context window of this model.", "invalid_request_error", Some("context_length_exceeded")), "overflow"),
        (MODELS[1], 429, openai("You exceeded your current quota", "insufficient_quota", Some("insufficient_quota")), "refused"),
        (MODELS[1], 400, openai("Unknown parameter: 'x'", "invalid_request_error", None), "refused"),
        (MODELS[2], 400, openai("This model's maximum context length is 8192 tokens.", "BadRequestError", None), "overflow"),
        (MODELS[2], 400, r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error"}}"#.into(), "overflow"),
        (MODELS[2], 404, r#"{"error":"model \"llama9\" not found, try pulling it first"}"#.into(), "no such model"),
        (MODELS[2], 400, r#"{"error":"registry.ollama.ai/library/gemma:2b does not support tools"}"#.into(), "no tools"),
        (MODELS[2], 400, openai("\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set", "BadRequestError", None), "no tools"),
        (MODELS[2], 404, openai("No endpoints found that support tool use.", "", None), "no tools"),
        (MODELS[2], 402, openai("Insufficient credits", "", None), "refused"),
        (MODELS[3], 400, invalid_key.to_string(), "auth"),
        (MODELS[3], 403, gemini(403, "PERMISSION_DENIED", "denied"), "auth"),
        (MODELS[3], 404, gemini(404, "NOT_FOUND", "models/gemini-9 is not found"), "no such model"),
        (MODELS[3], 400, gemini(400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."), "overflow"),
        (MODELS[3], 400, gemini(400, "INVALID_ARGUMENT", "Function calling is not enabled for models/gemma"), "no tools"),
        (MODELS[3], 400, gemini(400, "INVALID_ARGUMENT", "Bad schema"), "refused"),
        (MODELS[0], 404, "<html><body>404 page not found</body></html>".into(), "bad answer"),
        (MODELS[0], 302, String::new(), "bad answer"),
        (MODELS[0], 401, String::new(), "auth"),
    ];
    for (model, status, body, wanted) in cases {
        let server = Server::start([Reply::status(status, &body)]).await;
        let error = ask(&server, model, &hello()).await.answer.unwrap_err();
        assert_eq!(kind(&error), wanted, "{model} {status} {body}: {error:?}");
        assert_eq!(server.asked().len(), 1, "{model} {status} {body}");
    }
}

#[tokio::test]
async fn an_error_quotes_the_provider_but_never_the_key_and_never_at_length() {
    for model in MODELS {
        let words = format!("The key {KEY} is bad. {}", "Really. ".repeat(200));
        let server =
            Server::start([Reply::status(401, &json!({"error": {"message": words}}).to_string())]).await;
        let error = ask(&server, model, &hello()).await.answer.unwrap_err();
        let ModelError::Auth { message, .. } = &error else { panic!("{error:?}") };
        assert!(message.starts_with("The key [key] is bad. Really."), "{message}");
        assert!(message.ends_with('…') && message.chars().count() == 501, "{message}");
        assert!(!format!("{error:?}{error}").contains(KEY));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let elsewhere = Server::start([]).await;
    let server = Server::start([Reply::status(307, "").with_header("location", &elsewhere.url())]).await;
    let error = ask(&server, MODELS[1], &hello()).await.answer.unwrap_err();
    assert_eq!(kind(&error), "bad answer");
    assert!(elsewhere.asked().is_empty());
}
