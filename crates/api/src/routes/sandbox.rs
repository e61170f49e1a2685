//! Using one sandbox: commands, files, terminals, and what its log tells.

pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod files;
pub(crate) mod terminal;
