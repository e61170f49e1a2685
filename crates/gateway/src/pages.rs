//! What people see where there is no server to show: small pages without any script, light or dark as they have it.
//! Programs get the same as a problem document.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};

use crate::backends::NotThere;
use crate::name::PreviewName;

/// Where the button of a page posts to.
pub(crate) const WAKE_PATH: &str = "/.journeyman/wake";

/// What a page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) title: String,
    pub(crate) text: String,
    /// A command that helps.
    pub(crate) fix: Option<String>,
    /// A button, and where it posts to.
    pub(crate) action: Option<(&'static str, String)>,
    /// It looks again by itself after so many seconds.
    pub(crate) again_after_seconds: Option<u32>,
}

impl Page {
    pub(crate) fn new(status: StatusCode, code: &'static str, title: &str, text: impl Into<String>) -> Self {
        let title = title.to_owned();
        Self { status, code, title, text: text.into(), fix: None, action: None, again_after_seconds: None }
    }

    fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }

    /// The page for a sandbox that does not answer. Below `base` lies the preview; `may_act` where the looker has a link.
    pub(crate) fn not_there(reason: &NotThere, name: PreviewName, base: &str, may_act: bool) -> Self {
        let PreviewName { sandbox, port } = name;
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let action = |label| may_act.then(|| (label, format!("{base}{WAKE_PATH}")));
        match reason {
            NotThere::Starting => Self {
                again_after_seconds: Some(1),
                ..Self::new(unavailable, "sandbox_starting", "Starting", "The sandbox comes up. This page looks again by itself.")
            },
            NotThere::Asleep => Self {
                action: action("Wake it"),
                ..Self::new(unavailable, "sandbox_asleep", "Asleep", "The sandbox rests and costs nothing. Its files are as they were.")
                    .fix(format!("journeyman box resume {sandbox}"))
            },
            NotThere::Expired => Self {
                action: action("Rebuild it"),
                ..Self::new(StatusCode::GONE, "sandbox_expired", "Expired", "The sandbox's time was up. It can be made again from its last snapshot.")
                    .fix(format!("journeyman box restore {sandbox}"))
            },
            NotThere::Gone => {
                Self::new(StatusCode::GONE, "sandbox_gone", "Gone", "This sandbox was deleted.")
            }
            NotThere::NoServer => Self {
                again_after_seconds: Some(2),
                ..Self::new(
                    StatusCode::BAD_GATEWAY,
                    "no_server",
                    &format!("No server on port {port}"),
                    "The sandbox runs, but nothing listens on this port in it. This page looks again by itself.",
                )
                .fix(format!("journeyman box exec {sandbox} -- ss -ltn"))
            },
            NotThere::Failed(why) => Self::new(
                StatusCode::BAD_GATEWAY,
                "server_failed",
                "The server did not answer",
                format!("The connection to port {port} broke off: {why}"),
            ),
        }
    }

    pub(crate) fn no_link() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "preview_link_needed",
            "This preview needs its link",
            "Ask whoever made it for the link; it may also have expired or been revoked.",
        )
        .fix("journeyman box preview SANDBOX PORT")
    }

    pub(crate) fn bad_name() -> Self {
        let text = "A preview's address is <port>-<sandbox>.<domain> or /p/<sandbox>/<port>/.";
        Self::new(StatusCode::NOT_FOUND, "no_such_preview", "No such preview", text)
    }

    /// The page, or a problem document where that is what `asked` wants.
    pub(crate) fn response(&self, asked: &HeaderMap) -> Response<Full<Bytes>> {
        let wants_page = asked
            .get_all(header::ACCEPT)
            .iter()
            .any(|value| value.to_str().is_ok_and(|value| value.contains("text/html")));
        let (kind, body) = match wants_page {
            true => ("text/html; charset=utf-8", self.html()),
            false => ("application/problem+json", self.problem()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let fixed = [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
            ),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(seconds) = self.again_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn problem(&self) -> String {
        let mut fields = vec![
            ("status", self.status.as_u16().to_string()),
            ("code", quoted(self.code)),
            ("title", quoted(&self.title)),
            ("detail", quoted(&self.text)),
        ];
        fields.extend(self.fix.as_ref().map(|fix| ("fix", quoted(fix))));
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    }

    fn html(&self) -> String {
        let again = self.again_after_seconds.map_or_else(String::new, |seconds| {
            format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">")
        });
        let action = self.action.as_ref().map_or_else(String::new, |(label, path)| {
            format!("<form method=\"post\" action=\"{}\"><button>{label}</button></form>", escaped(path))
        });
        let fix = self.fix.as_ref().map_or_else(String::new, |fix| format!("<pre>{}</pre>", escaped(fix)));
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             {again}<title>{title}</title><style>{STYLE}</style><main><h1>{title}</h1><p>{text}</p>{action}{fix}</main></html>",
            title = escaped(&self.title),
            text = escaped(&self.text),
        )
    }
}

/// The colours of the web app.
const STYLE: &str = ":root{color-scheme:light dark;--paper:#f5f3ee;--ink:#1c1f1b;--ink-2:#474b45;--sunken:#ebe8e0;\
    --action:#20261f;--on-action:#faf8f3;--focus:#0b5fb0}\
    @media(prefers-color-scheme:dark){:root{--paper:#141614;--ink:#ebe9e2;--ink-2:#bbbdb3;--sunken:#101210;\
    --action:#e9e7df;--on-action:#171a16;--focus:#7fb8f5}}\
    body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;display:grid;min-height:100vh;\
    place-items:center}main{max-width:34rem;padding:2rem}h1{font-size:1.5rem;margin:0 0 .5rem}p{color:var(--ink-2);margin:0 0 1rem}\
    pre{background:var(--sunken);padding:.5rem .75rem;border-radius:6px;overflow:auto;font-size:.875rem}\
    button{font:inherit;padding:.5rem 1rem;border:0;border-radius:6px;background:var(--action);color:var(--on-action);cursor:pointer}\
    button:focus-visible{outline:2px solid var(--focus);outline-offset:2px}form{margin:0 0 1rem}";

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

/// A JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
