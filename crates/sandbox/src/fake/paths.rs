//! Paths and errors as the sandbox that the fake stands for would give them.

use futures_util::StreamExt as _;

use crate::error::SandboxError;
use crate::provider::Told;

/// The fake ends only when it is stopped.
pub(super) fn gone<T>(result: Result<T, SandboxError>) -> Result<T, SandboxError> {
    match result {
        Err(SandboxError::Gone { .. }) => Err(SandboxError::Gone { cause: "it was stopped".to_owned() }),
        result => result,
    }
}

/// The same for a stream.
pub(super) fn told_gone<T: Send + 'static>(told: Told<T>) -> Told<T> {
    told.map(gone).boxed()
}

/// Names the path as the caller knows it.
pub(super) fn name_path(error: SandboxError, path: &str) -> SandboxError {
    match error {
        SandboxError::File { message, fault, .. } => {
            SandboxError::File { path: path.to_owned(), message, fault }
        }
        error => error,
    }
}

/// Replaces a path where it is a whole path or the start of one.
pub(super) fn replace_path(text: &str, from: &str, to: &str) -> String {
    let (mut done, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        let continues = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
        let is_path =
            !before.ends_with(|letter| continues(letter) || letter == '/') && !after.starts_with(continues);
        done.push_str(before);
        done.push_str(if is_path { to } else { from });
        rest = after;
    }
    done + rest
}
