//! Tokens: how they are made, told apart and stored (by hash only).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use runtime::Random;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Secret;

/// What our tokens begin with.
pub const JM_PREFIX: &str = "jm_";
/// What the tokens of E2B clients begin with.
pub const E2B_PREFIX: &str = "e2b_";

/// A new token of ours: `jm_` and 43 base64url characters (256 bits).
#[must_use]
pub fn generate_jm(random: &dyn Random) -> Secret {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    Secret::new(format!("{JM_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// A new token for E2B clients: `e2b_` and 40 hex digits (160 bits), the only form that they accept.
#[must_use]
pub fn generate_e2b(random: &dyn Random) -> Secret {
    let mut bytes = [0; 20];
    random.fill(&mut bytes);
    Secret::new(format!("{E2B_PREFIX}{}", hex(&bytes)))
}

/// Whether `text` has the form of a token; saves a look into the database for what cannot be one.
#[must_use]
pub fn is_well_formed(text: &str) -> bool {
    let is_base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if let Some(rest) = text.strip_prefix(JM_PREFIX) {
        return rest.len() == 43 && rest.bytes().all(is_base64url);
    }
    text.strip_prefix(E2B_PREFIX).is_some_and(|rest| rest.len() == 40 && rest.bytes().all(is_hex))
}

/// SHA-256 of `text` as 64 hex digits. Tokens carry at least 160 random bits, so a plain hash is enough.
#[must_use]
pub fn hash(text: &str) -> String {
    hash_bytes(text.as_bytes())
}

/// SHA-256 of `bytes` as 64 hex digits.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Whether two byte strings are equal, in a time that does not tell where they differ.
#[must_use]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// Lower-case hex digits of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::SystemRandom;

    #[test]
    fn tokens_have_the_promised_form_and_differ() {
        let (first, second) = (generate_jm(&SystemRandom), generate_jm(&SystemRandom));
        assert!(is_well_formed(first.expose()) && first.expose().len() == 46);
        assert_ne!(first.expose(), second.expose());
        let e2b = generate_e2b(&SystemRandom);
        assert!(is_well_formed(e2b.expose()) && e2b.expose().len() == 44);
        for wrong in ["", "jm_", "jm_x", "e2b_ABCDEF", "abc", &format!("jm_{}", "é".repeat(22))] {
            assert!(!is_well_formed(wrong), "{wrong}");
        }
    }

    #[test]
    fn hashes_are_sha256_and_comparison_sees_every_byte() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab"));
    }
}
