//! Runs: their rows, questions, commands and artifacts; queue claims and resume; the repository in and
//! the branch out. Drives `agent`, which knows nothing of all that.

pub mod error;
pub mod request;
pub mod view;
