//! Who may reach into a sandbox: whoever holds its access token, or a link that was signed with it.
//!
//! The token is made from the sandbox's id with a key of this data folder, so that it is the same at every
//! `connect` and is kept nowhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use domain::SandboxId;
use secrets::{Secret, SubKey, token};
use sha2::{Digest, Sha256};

use crate::problem::{Problem, Result};

/// What a signed link allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    Write,
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// What a link says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signed<'a> {
    pub(crate) path: &'a str,
    pub(crate) user: &'a str,
    pub(crate) operation: Operation,
    pub(crate) signature: &'a str,
    /// When it ends, in seconds since the Unix epoch.
    pub(crate) ends_at: Option<i64>,
}

/// The access token of a sandbox.
pub(crate) fn token_of(key: &SubKey, sandbox: SandboxId) -> Secret {
    key.sign(format!("access {sandbox}").as_bytes())
}

/// The token that opens a sandbox's ports where they are not public.
pub(crate) fn traffic_token_of(key: &SubKey, sandbox: SandboxId) -> Secret {
    key.sign(format!("traffic {sandbox}").as_bytes())
}

/// Whether `shown` is the sandbox's access token.
pub(crate) fn is_token(key: &SubKey, sandbox: SandboxId, shown: &str) -> bool {
    token::same(token_of(key, sandbox).expose().as_bytes(), shown.as_bytes())
}

impl Signed<'_> {
    /// Whether it was signed with the sandbox's token; says nothing of its end.
    pub(crate) fn is_of(&self, key: &SubKey, sandbox: SandboxId) -> bool {
        let token = token_of(key, sandbox);
        let mut text = format!("{}:{}:{}:{}", self.path, self.operation.name(), self.user, token.expose());
        if let Some(ends_at) = self.ends_at {
            text.push_str(&format!(":{ends_at}"));
        }
        let expected = format!("v1_{}", STANDARD_NO_PAD.encode(Sha256::digest(text.as_bytes())));
        token::same(expected.as_bytes(), self.signature.as_bytes())
    }

    /// Refuses a link of another sandbox, and one whose time is over.
    pub(crate) fn check(&self, key: &SubKey, sandbox: SandboxId, now_ms: i64) -> Result<()> {
        if !self.is_of(key, sandbox) {
            return Err(Problem::unauthorized("invalid signature"));
        }
        if self.ends_at.is_some_and(|ends_at| ends_at.saturating_mul(1_000) < now_ms) {
            return Err(Problem::unauthorized("signature is already expired"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SubKey {
        SubKey::from_bytes([7; 32])
    }

    fn sandbox(number: u128) -> SandboxId {
        SandboxId::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn signature(text: &str) -> String {
        format!("v1_{}", STANDARD_NO_PAD.encode(Sha256::digest(text.as_bytes())))
    }

    #[test]
    fn each_sandbox_has_a_token_of_its_own_that_stays() {
        let (key, one) = (key(), token_of(&key(), sandbox(1)));
        assert_eq!(one.expose(), token_of(&key, sandbox(1)).expose());
        assert_ne!(one.expose(), token_of(&key, sandbox(2)).expose());
        assert_ne!(one.expose(), traffic_token_of(&key, sandbox(1)).expose());
        assert_ne!(one.expose(), token_of(&SubKey::from_bytes([8; 32]), sandbox(1)).expose());
        assert!(is_token(&key, sandbox(1), one.expose()));
        assert!(!is_token(&key, sandbox(2), one.expose()) && !is_token(&key, sandbox(1), ""));
    }

    #[test]
    fn a_link_counts_for_its_path_user_and_operation_until_its_end() {
        let (key, now_ms) = (key(), 1_000_000);
        let token = token_of(&key, sandbox(1));
        let signed = signature(&format!("a b.txt:read:root:{}:1001", token.expose()));
        let link = Signed {
            path: "a b.txt",
            user: "root",
            operation: Operation::Read,
            signature: &signed,
            ends_at: Some(1_001),
        };
        assert_eq!(link.check(&key, sandbox(1), now_ms), Ok(()));
        let expired = link.check(&key, sandbox(1), 1_002_000);
        assert_eq!(expired, Err(Problem::unauthorized("signature is already expired")));
        let others = [
            link.check(&key, sandbox(2), now_ms),
            Signed { path: "/a b.txt", ..link }.check(&key, sandbox(1), now_ms),
            Signed { user: "", ..link }.check(&key, sandbox(1), now_ms),
            Signed { operation: Operation::Write, ..link }.check(&key, sandbox(1), now_ms),
            Signed { ends_at: None, ..link }.check(&key, sandbox(1), now_ms),
            Signed { ends_at: Some(9_999), ..link }.check(&key, sandbox(1), now_ms),
        ];
        assert!(others.iter().all(|outcome| *outcome == Err(Problem::unauthorized("invalid signature"))));
    }
}
