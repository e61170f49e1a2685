//! Keeps narration fit for people who do not program: no stack traces, no inner paths, nothing that has
//! the shape of a secret. It works word by word and knows shapes, not secrets; the sandbox holds none.

/// What known keys begin with.
const KEY_PREFIXES: [&str; 14] = [
    "sk-",
    "sk_live_",
    "pk_live_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xox",
    "AKIA",
    "AIza",
    "eyJ",
];
/// A word this long without a break, of letters and digits alone, is taken for a key.
const KEY_LENGTH: usize = 32;

/// The text as people may read it.
pub(crate) fn narration(text: &str) -> String {
    let mut private_key = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let marker = line.contains("-----BEGIN") || line.contains("-----END");
        if marker {
            private_key = line.contains("-----BEGIN") && !line.contains("-----END");
        }
        if marker || private_key || is_trace(line.trim_start()) {
            continue;
        }
        lines.push(line.split(' ').map(word).collect::<Vec<_>>().join(" "));
    }
    lines.join("\n").trim().to_owned()
}

fn is_trace(line: &str) -> bool {
    line.starts_with("Traceback (most recent call last)")
        || line.starts_with("stack backtrace:")
        || line.starts_with("thread '")
        || (line.starts_with("File \"") && line.contains(", line "))
        || (line.starts_with("at ") && line.contains('(') && line.contains(':') && line.ends_with(')'))
        || (line.starts_with("at ") && line.contains(".rs:"))
}

fn word(word: &str) -> String {
    let core =
        word.trim_matches(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '/' | '_' | '-'));
    let value = core.rsplit(['=', ':']).next().unwrap_or(core);
    if is_secret(value) {
        return word.replace(value, "[hidden]");
    }
    if let Some(inside) = core.strip_prefix("/workspace/") {
        return word.replace(core, inside);
    }
    if core.starts_with('/') && core.matches('/').count() >= 2 && !core.starts_with("//") {
        let name = core.rsplit('/').find(|part| !part.is_empty()).unwrap_or("a file");
        return word.replace(core, name);
    }
    word.to_owned()
}

fn is_secret(value: &str) -> bool {
    let known = KEY_PREFIXES.iter().any(|prefix| value.starts_with(prefix)) && value.len() >= 16;
    let long = value.len() >= KEY_LENGTH
        && value.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '_' | '='))
        && value.chars().any(|letter| letter.is_ascii_digit())
        && value.chars().any(|letter| letter.is_ascii_alphabetic());
    known || long
}

#[cfg(test)]
mod tests {
    use super::narration;

    #[test]
    fn narration_keeps_words_and_loses_traces_paths_and_secrets() {
        let text = "I fixed the cart in /workspace/lib/cart.sh (see /home/u/.cache/x/log.txt).\n\
                    Traceback (most recent call last):\n  File \"/a/b.py\", line 3, in f\n\
                    at run (/srv/app/index.js:3:1)\n\
                    The key was API_KEY=sk-abcdefghijklmnopqrst, and 0123456789abcdef0123456789abcdef.\n\
                    -----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\nAll is well: 5/6 and/or either.";
        assert_eq!(
            narration(text),
            "I fixed the cart in lib/cart.sh (see log.txt).\n\
             The key was API_KEY=[hidden], and [hidden].\n\
             All is well: 5/6 and/or either."
        );
    }
}
