//! SHA-256 as text.

use sha2::{Digest as _, Sha256};

/// The digest of `bytes` in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    of(Sha256::new().chain_update(bytes))
}

/// A finished digest in hex.
pub(crate) fn of(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
