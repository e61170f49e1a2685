//! The one error type of secrets. None of its texts holds a secret.

use std::path::PathBuf;

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with secrets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Others could read the master key.
    #[error("{path} can be read by others (mode {mode:03o}); make it private: chmod 600 {path}", path = path.display())]
    KeyFileOpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },

    /// The master key's file is no key.
    #[error("{path} is {size_bytes} bytes long and a master key has 32; put back the right file from a backup", path = path.display())]
    KeyFileWrongLength {
        /// The file.
        path: PathBuf,
        /// How long it is.
        size_bytes: u64,
    },

    /// The master key's file could not be read or made.
    #[error("could not {doing} {path}", path = path.display())]
    KeyFile {
        /// What we were doing.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it did not work.
        #[source]
        source: std::io::Error,
    },

    /// The sealed text was made with another master key.
    #[error(
        "the secret was sealed with another master key ({wanted}) than the one of this data folder ({held})"
    )]
    OtherKey {
        /// The id of the key that sealed it.
        wanted: String,
        /// The id of our key.
        held: String,
    },

    /// The sealed text is damaged, or was moved from another place.
    #[error("the sealed secret is damaged or does not belong here")]
    Damaged,
}
