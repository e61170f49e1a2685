//! The shape of a problem.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong (RFC 9457). Sent with every status from 400 on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    /// The HTTP status.
    #[schema(example = 404)]
    pub(crate) status: u16,
    /// Stable, for programs.
    #[schema(example = "run_not_found")]
    pub(crate) code: String,
    /// The code in words.
    pub(crate) title: String,
    /// What happened, one plain sentence.
    #[schema(example = "there is no run 999")]
    pub(crate) detail: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
    /// The files that an apply would have overwritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paths: Option<Vec<String>>,
}
