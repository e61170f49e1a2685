//! What a store's error means to a caller.

use axum::http::StatusCode;
use store::StoreError;

use super::Problem;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::DiskFull => disk_full(),
            StoreError::DiskBroken => disk_broken(),
            StoreError::Locked | StoreError::Unavailable | StoreError::TimedOut => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store does not answer");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", error.to_string())
                    .with_fix("try again in a moment")
            }
            StoreError::Conflict { .. } => Self::new(StatusCode::CONFLICT, "conflict", error.to_string())
                .with_fix("read it again, then repeat"),
            StoreError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not_found", error.to_string()),
            StoreError::FenceLost { .. } | StoreError::Internal { .. } => Self::internal(&error),
        }
    }
}

/// Nothing can be written.
pub(crate) fn disk_full() -> Problem {
    let detail = "the disk that holds the data folder is full";
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", detail)
        .with_fix("free some space, then try again")
}

/// The disk takes nothing and gives nothing.
pub(crate) fn disk_broken() -> Problem {
    let detail = "the disk that holds the data folder does not work";
    tracing::error!("{detail}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "disk_broken", detail)
        .with_fix("mend or replace the disk, then start the server again")
}
