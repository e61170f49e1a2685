//! Keys made from the master key for one purpose each. They sign; what they sign need not be stored.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Secret, token};

/// A key for one purpose.
#[derive(Clone)]
pub struct SubKey {
    bytes: [u8; 32],
}

impl SubKey {
    /// A key of these bytes, which must be as hard to guess as a key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes }
    }

    /// HMAC-SHA-256 of `message` as 64 hex digits: nobody without the key can make it.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Secret {
        Secret::new(token::hex(&mac(&self.bytes, message)))
    }
}

impl std::fmt::Debug for SubKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubKey(…)")
    }
}

/// HMAC-SHA-256.
pub(crate) fn mac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_hmac_sha256() {
        // RFC 4231's second test case, its key filled up with zeros as HMAC itself does.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let signed = SubKey::from_bytes(key).sign(b"what do ya want for nothing?");
        assert_eq!(signed.expose(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
