//! Redaction of whole texts: what is known to be secret, and what looks like it.
//!
//! For texts that come in pieces see [`RedactStream`](crate::RedactStream).

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use regex::{Captures, Regex};

use crate::Secret;

/// What stands in a secret's place.
pub const MARK: &str = "[redacted]";

/// Values shorter than this are not looked for: they would tear holes into ordinary text.
const SHORTEST_VALUE_BYTES: usize = 6;

/// Shapes that are secret as a whole.
const WHOLE: &str = r"(?x)
      -----BEGIN\ [A-Z0-9\ ]*PRIVATE\ KEY-----(?s:.*?)(?:-----END\ [A-Z0-9\ ]*PRIVATE\ KEY-----|\z)
    | \b (?:
        sk-[A-Za-z0-9_\-]{20,}
      | gsk_[A-Za-z0-9]{20,}
      | AIza[A-Za-z0-9_\-]{35}
      | hf_[A-Za-z0-9]{30,}
      | (?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}
      | gh[pousr]_[A-Za-z0-9]{36,}
      | github_pat_[A-Za-z0-9_]{22,}
      | glpat-[A-Za-z0-9_\-]{20,}
      | xox[abeprs]-[A-Za-z0-9\-]{10,}
      | jm_[A-Za-z0-9_\-]{43,}
      | e2b_[0-9a-f]{40}
      | (?:AKIA|ASIA)[0-9A-Z]{16}
    )";

/// Shapes whose beginning (`keep`) says what they are and stays.
const LABELLED: &str = r#"(?xi)
    (?P<keep>
        \b(?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:bearer|basic|token)\s+
      | \bbearer\s+
      | \bx-api-key["']?\s*[:=]\s*["']?
      | \baws_?secret_?access_?key["']?\s*[:=]\s*["']?
      | ://[^/\s:@"']*:
    )
    (?P<secret>[A-Za-z0-9._~+/=\-%!$&*]{8,})
    (?P<after>@?)"#;

/// The beginning of a labelled secret at the end of a text: what follows may be the secret.
const LABEL_AT_END: &str = r#"(?xi)
    (?:
        \b(?:proxy-)?authorization["']?\s*[:=]?\s*["']?(?:bearer|basic|token)?
      | \b(?:bearer|x-api-key|aws_?secret_?access_?key)["']?\s*[:=]?\s*["']?
    )\s*\z"#;

/// The marker that begins a private key.
const PEM_BEGIN: &str = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----";
/// The marker that ends a private key.
const PEM_END: &str = r"-----END [A-Z0-9 ]*PRIVATE KEY-----";

static SHAPES: LazyLock<Option<Shapes>> = LazyLock::new(|| Shapes::compile().ok());

/// The compiled shapes; made once.
pub(crate) struct Shapes {
    whole: Regex,
    labelled: Regex,
    pub(crate) label_at_end: Regex,
    pub(crate) pem_begin: Regex,
    pub(crate) pem_end: Regex,
}

impl Shapes {
    fn compile() -> Result<Self, regex::Error> {
        Ok(Self {
            whole: Regex::new(WHOLE)?,
            labelled: Regex::new(LABELLED)?,
            label_at_end: Regex::new(LABEL_AT_END)?,
            pem_begin: Regex::new(PEM_BEGIN)?,
            pem_end: Regex::new(PEM_END)?,
        })
    }

    /// The shapes. They are constants that a test compiles, so that they are always there.
    pub(crate) fn get() -> Option<&'static Self> {
        SHAPES.as_ref()
    }
}

/// Takes secrets out of texts, by value and by shape. Clones share the values.
#[derive(Clone, Default)]
pub struct Redactor {
    values: Arc<[Secret]>,
}

impl Redactor {
    /// Knows `values` besides the shapes. Very short values are left out.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = Secret>) -> Self {
        let mut kept: Vec<Secret> =
            values.into_iter().filter(|value| value.expose().len() >= SHORTEST_VALUE_BYTES).collect();
        kept.sort_by_key(|value| std::cmp::Reverse(value.expose().len()));
        Self { values: kept.into() }
    }

    /// The text without its secrets.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for value in &*self.values {
            if text.contains(value.expose()) {
                text = Cow::Owned(text.replace(value.expose(), MARK));
            }
        }
        let Some(shapes) = Shapes::get() else { return Cow::Borrowed(MARK) };
        text = replace(&shapes.labelled, text, redact_labelled);
        replace(&shapes.whole, text, redact_whole)
    }

    /// The values, longest first.
    pub(crate) fn values(&self) -> &[Secret] {
        &self.values
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} values)", self.values.len())
    }
}

fn replace<'a>(shape: &Regex, text: Cow<'a, str>, with: fn(&Captures<'_>) -> String) -> Cow<'a, str> {
    match shape.replace_all(&text, with) {
        Cow::Owned(replaced) if replaced != *text => Cow::Owned(replaced),
        Cow::Owned(_) | Cow::Borrowed(_) => text,
    }
}

/// Keys have digits; `sk-loading-container-wrapper` is a class name.
fn redact_whole(found: &Captures<'_>) -> String {
    let found = &found[0];
    let is_key = found.starts_with("-----") || found.bytes().any(|byte| byte.is_ascii_digit());
    if is_key { MARK.to_owned() } else { found.to_owned() }
}

/// A password in an address must end with `@`; everything else must not.
fn redact_labelled(found: &Captures<'_>) -> String {
    let (keep, after) = (&found["keep"], &found["after"]);
    let is_address = keep.starts_with("://");
    if is_address != (after == "@") {
        return found[0].to_owned();
    }
    format!("{keep}{MARK}{after}")
}

#[cfg(test)]
mod tests;
