//! What no committed file may hold: traces of a broken merge, promises instead of code, and the host
//! of whatever registry the author's machine happened to use.

use super::Source;

#[cfg(test)]
mod tests;

/// Every line that must not be there.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<String> {
    let told = source.text.lines().enumerate().filter_map(|(index, line)| {
        let wrong = wrong_line(&source.path, line)?;
        Some(format!("{}:{}: {wrong}", source.path, index + 1))
    });
    told.collect()
}

fn wrong_line(path: &str, line: &str) -> Option<&'static str> {
    let is_merge = ["<<<<<<<", ">>>>>>>"].iter().any(|mark| {
        line.strip_prefix(mark).is_some_and(|rest| rest.starts_with(' ')) && !is_documentation(path)
    });
    if is_merge {
        return Some("a merge was not finished");
    }
    let is_code = [".rs", ".ts", ".tsx", ".js", ".mjs"].iter().any(|ending| path.ends_with(ending));
    // Written in pieces, so that this file passes its own rule.
    let is_comment = line.trim_start().starts_with("//");
    let is_promise =
        line.contains(concat!("to", "do!(")) && !is_comment || line.contains(concat!("FIX", "ME"));
    if is_code && is_promise {
        return Some("unfinished code is not committed");
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let trimmed = line.trim_start();
    let names_host = match name {
        "package-lock.json" => trimmed.starts_with("\"resolved\": \"http"),
        "Cargo.lock" => {
            trimmed.starts_with("source = ") && !trimmed.contains("github.com/rust-lang/crates.io-index")
        }
        ".npmrc" => trimmed.contains("registry="),
        "config.toml" => {
            path.starts_with(".cargo/") && (trimmed.starts_with("[source") || trimmed.starts_with("[registr"))
        }
        _ => false,
    };
    names_host.then_some("names the registry that a package came from; take it out")
}

fn is_documentation(path: &str) -> bool {
    path.ends_with(".md")
}
