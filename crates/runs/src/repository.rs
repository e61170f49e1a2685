//! The user's repository on its way in: found on the host by reading files only, inspected and cloned by
//! git inside a sandbox that no agent enters, kept as a read-only base for every run on that commit.

pub mod base;
pub mod remote;
pub mod source;
pub mod sweep;

pub use base::{Base, Bases, Look};
pub(crate) use remote::Remotes;
pub use remote::{Opened, WayOut, is_url};
pub use source::Source;
pub use sweep::{CacheLimits, CacheSize};
