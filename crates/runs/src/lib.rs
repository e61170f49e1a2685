//! Runs: their rows, questions, commands and artifacts; queue claims and resume; the repository in and
//! the branch out. Drives `agent`, which knows nothing of all that.

mod apply;
mod capture;
mod check;
mod delivery;
mod demo;
mod diff;
pub mod error;
mod host_git;
mod journal;
mod live_runs;
mod reason;
mod record;
mod recover;
pub mod repository;
pub mod request;
mod results;
mod runs;
mod store;
mod summary;
pub mod view;
mod view_of;
mod wanted;
pub mod worker;
mod workspace;

pub use demo::STORY;
pub use error::{Error, Result};
pub use repository::{CacheLimits, CacheSize, Source};
pub use request::{NewRun, RunFilter, RunRef};
pub use runs::{Parts, QUEUE, Runs, Settings};
pub use view::{Applied, Diff, Page, QuestionView, RunView};
pub use worker::{Worker, WorkerConfig};
