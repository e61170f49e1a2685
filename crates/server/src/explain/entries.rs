//! The codes themselves.

mod network;
mod outside;
mod program;
mod sandboxes;
mod work;

use super::Entry;

/// The codes, by topic.
pub(super) const TOPICS: &[&[Entry]] =
    &[program::CODES, work::CODES, sandboxes::CODES, network::CODES, outside::CODES];

/// Makes the table readable: code, exit, meaning, cause, fix.
macro_rules! codes {
    ($($code:literal $exit:ident: $meaning:literal, $cause:literal, $fix:literal;)*) => {
        /// The codes of this topic.
        pub(in crate::explain) const CODES: &[crate::explain::Entry] = &[$(crate::explain::Entry {
            code: $code,
            exit: crate::exit::Exit::$exit,
            meaning: $meaning,
            cause: $cause,
            fix: $fix,
        }),*];
    };
}
use codes;
