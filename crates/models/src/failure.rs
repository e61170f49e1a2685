//! What a provider's error means: which [`ModelError`] it is and whether another try can help.

use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::error::ModelError;

/// A failed try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What the caller is told when no try is left.
    pub(crate) error: ModelError,
    /// Whether to try again.
    pub(crate) again: Again,
}

/// Whether another try can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// No.
    Never,
    /// One more at most: the provider's models sometimes stumble.
    Once,
    /// Yes, some: nobody answers at that address.
    Connect,
    /// Yes, after this many milliseconds where the provider said so.
    Later(Option<u64>),
}

impl Failure {
    /// A failure that another try cannot help.
    pub(crate) const fn never(error: ModelError) -> Self {
        Self { error, again: Again::Never }
    }
}

/// Who answered, for the words of errors.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The provider's name.
    pub(crate) provider: String,
    /// The model's name at the provider.
    pub(crate) model: String,
    /// The key, which no error may show.
    pub(crate) key: Option<String>,
}

/// Provider's words are cut here.
const QUOTE_LIMIT: usize = 500;

impl Peer {
    /// The provider's words as an error may show them.
    pub(crate) fn quote(&self, words: &str) -> String {
        let mut words = words.trim().replace(|c: char| c.is_control() && c != '\n', " ");
        if let Some(key) = self.key.as_ref().filter(|key| key.len() >= 4) {
            words = words.replace(key.as_str(), "[key]");
        }
        match words.char_indices().nth(QUOTE_LIMIT) {
            Some((end, _)) => format!("{}…", &words[..end]),
            None => words,
        }
    }

    /// An answer that is not what the wire promises.
    pub(crate) fn bad_answer(&self, what: &str) -> Failure {
        let error = ModelError::BadAnswer { provider: self.provider.clone(), message: self.quote(what) };
        Failure::never(error)
    }

    /// An answer that is no answer, which another try may better.
    pub(crate) fn stumble(&self, what: &str) -> Failure {
        Failure { again: Again::Once, ..self.bad_answer(what) }
    }

    /// A stream that ended before its answer did.
    pub(crate) fn cut(&self, what: &str) -> Failure {
        let error = ModelError::Unreachable { provider: self.provider.clone(), message: self.quote(what) };
        Failure { error, again: Again::Later(None) }
    }

    /// No connection.
    pub(crate) fn unreachable(&self, what: &str) -> Failure {
        Failure { again: Again::Connect, ..self.cut(what) }
    }

    /// An HTTP answer that is an error.
    pub(crate) fn status(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
        let text = String::from_utf8_lossy(body);
        let json = serde_json::from_str::<Value>(&text).ok();
        let Some(report) = json.as_ref().and_then(Report::read) else {
            return self.without_report(status, headers, &text);
        };
        self.classify(Some(status), &report, retry_after_ms(headers).or(report.retry_after_ms))
    }

    /// An error inside a stream that had begun well.
    pub(crate) fn event(&self, event: &Value) -> Failure {
        match Report::read(event) {
            Some(report) => self.classify(report.status, &report, report.retry_after_ms),
            None => self.bad_answer(&format!("an error without words: {event}")),
        }
    }

    fn without_report(&self, status: u16, headers: &HeaderMap, text: &str) -> Failure {
        let said = format!("HTTP {status}: {}", plain_words(text));
        let report = Report { message: said.clone(), ..Report::default() };
        match status {
            401 | 403 | 408 | 429 | 500.. => self.classify(Some(status), &report, retry_after_ms(headers)),
            _ => self.bad_answer(&format!("{said} (is the base URL right?)")),
        }
    }

    fn classify(&self, status: Option<u16>, report: &Report, after_ms: Option<u64>) -> Failure {
        let provider = self.provider.clone();
        let model = self.model.clone();
        let message = self.quote(&report.message);
        match report.meaning(status) {
            Meaning::Auth => Failure::never(ModelError::Auth { provider, message }),
            Meaning::NoSuchModel => Failure::never(ModelError::NoSuchModel { provider, model, message }),
            Meaning::NoTools => Failure::never(ModelError::NoTools { model, message }),
            Meaning::ContextOverflow => Failure::never(ModelError::ContextOverflow { model, message }),
            Meaning::Refused => Failure::never(ModelError::Refused { provider, message }),
            Meaning::RateLimited => Failure {
                error: ModelError::RateLimited { provider, message, retry_after_ms: after_ms },
                again: Again::Later(after_ms),
            },
            Meaning::Overloaded => {
                Failure { error: ModelError::Overloaded { provider, message }, again: Again::Later(after_ms) }
            }
        }
    }
}

/// What a provider reports, whatever its format.
#[derive(Debug, Default)]
struct Report {
    message: String,
    /// Its names for the error: type, code, status, reasons, joined and in lower case.
    names: String,
    status: Option<u16>,
    retry_after_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Auth,
    NoSuchModel,
    NoTools,
    ContextOverflow,
    RateLimited,
    Overloaded,
    Refused,
}

/// How the providers word that a conversation is too long.
const OVERFLOW_WORDS: [&str; 12] = [
    "prompt is too long",
    "exceed context limit",
    "exceeds the context window",
    "maximum context length",
    "context length exceeded",
    "context_length_exceeded",
    "exceed_context_size",
    "exceeds the available context size",
    "exceeds the maximum number of tokens",
    "context window",
    "context the overflows",
    "longer than the model's context",
];

/// How the providers word that a model cannot call tools.
const NO_TOOLS_WORDS: [&str; 6] = [
    "does not support tools",
    "does not support function",
    "support tool use",
    "tool-call-parser",
    "tools is not supported",
    "function calling is not enabled",
];

impl Report {
    /// Finds the error in any of the providers' formats.
    fn read(json: &Value) -> Option<Self> {
        let json = json.as_array().and_then(|list| list.first()).unwrap_or(json);
        let error = match json.get("error").or_else(|| json.pointer("/response/error")) {
            Some(Value::Null) | None => json,
            Some(error) => error,
        };
        let words = error.as_str().or_else(|| error["message"].as_str()).or_else(|| json["detail"].as_str());
        let message = words.map(str::to_owned).or_else(|| {
            ["type", "code", "status"].iter().find_map(|name| error[name].as_str().map(str::to_owned))
        })?;
        let details = error["details"].as_array().map(Vec::as_slice).unwrap_or_default();
        let reasons = details.iter().filter_map(|detail| detail["reason"].as_str());
        let names = ["type", "code", "status"].iter().filter_map(|name| error[name].as_str());
        let names = names.chain(reasons).collect::<Vec<_>>().join(" ").to_lowercase();
        let status = error["code"].as_u64().and_then(|code| u16::try_from(code).ok());
        let retry_after_ms = details.iter().find_map(|detail| seconds_ms(detail["retryDelay"].as_str()?));
        Some(Self { message, names, status: status.filter(|code| *code >= 400), retry_after_ms })
    }

    fn meaning(&self, status: Option<u16>) -> Meaning {
        let words = self.message.to_lowercase();
        let named = |names: &[&str]| names.iter().any(|name| self.names.contains(name));
        let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        if status != Some(429) && (says(&OVERFLOW_WORDS) || named(&["context_length", "exceed_context"])) {
            return Meaning::ContextOverflow;
        }
        if says(&NO_TOOLS_WORDS) {
            return Meaning::NoTools;
        }
        if named(&["insufficient_quota", "billing"]) {
            return Meaning::Refused;
        }
        if named(&["api_key_invalid", "authentication_error", "invalid_api_key", "permission_error"]) {
            return Meaning::Auth;
        }
        if named(&["rate_limit", "resource_exhausted"]) {
            return Meaning::RateLimited;
        }
        if named(&["overloaded", "server_error", "api_error", "unavailable", "timeout_error"]) {
            return Meaning::Overloaded;
        }
        if named(&["model_not_found", "not_found"]) || (says(&["model"]) && says(&["not found", "not exist"]))
        {
            return Meaning::NoSuchModel;
        }
        by_status(status)
    }
}

fn by_status(status: Option<u16>) -> Meaning {
    match status {
        Some(401 | 403) => Meaning::Auth,
        Some(404) => Meaning::NoSuchModel,
        Some(413) => Meaning::ContextOverflow,
        Some(429) => Meaning::RateLimited,
        Some(408 | 500..) => Meaning::Overloaded,
        _ => Meaning::Refused,
    }
}

/// The wait that the headers ask for: `retry-after-ms`, or `retry-after` in seconds.
fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name)?.to_str().ok();
    let exact = text("retry-after-ms").and_then(|text| text.trim().parse::<f64>().ok());
    exact.map(whole).or_else(|| seconds_ms(text("retry-after")?))
}

/// `34`, `0.5` or `34s` as milliseconds.
fn seconds_ms(text: &str) -> Option<u64> {
    let seconds: f64 = text.trim().trim_end_matches('s').parse().ok()?;
    (seconds >= 0.0).then(|| whole(seconds * 1000.0))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range before")]
fn whole(milliseconds: f64) -> u64 {
    milliseconds.clamp(0.0, 1e12).ceil() as u64
}

/// The words of an HTML page, or the text as it is.
fn plain_words(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        return if text.trim().is_empty() { "an empty answer".into() } else { text.into() };
    }
    let mut words = String::new();
    let mut inside_tag = false;
    for c in text.chars().take(20_000) {
        match c {
            '<' => inside_tag = true,
            '>' => {
                inside_tag = false;
                words.push(' ');
            }
            c if !inside_tag => words.push(c),
            _ => {}
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("a web page, not an API answer: {words}")
}
