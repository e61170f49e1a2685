//! Secrets: the master key, sealing, texts that never print, redaction, tokens.
//!
//! Nothing here knows whose a secret is; `accounts` keeps the sealed texts.

pub mod error;
pub mod master_key;
pub mod redact;
pub mod redact_stream;
pub mod secret;
pub mod sub_key;
pub mod token;

pub use error::{Error, Result};
pub use master_key::{MasterKey, Place};
pub use redact::Redactor;
pub use redact_stream::RedactStream;
pub use secret::Secret;
pub use sub_key::SubKey;
