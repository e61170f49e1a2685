//! The words of the house: ids, states, events, money and limits.
//!
//! Pure and thin: this crate knows nothing of databases, networks, clocks or processes. Everything
//! rebuilds when it changes, so it changes rarely.

pub mod event;
pub mod id;
pub mod limits;
pub mod money;
pub mod name;
pub mod question;
pub mod run;
pub mod task;
pub mod transcript;

pub use id::{
    ArtifactId, OrgId, PreviewId, ProjectId, QuestionId, RunId, SandboxId, SnapshotId, TokenId, UserId,
};
pub use money::Micros;
