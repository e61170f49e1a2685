//! From this crate's calls to the orchestrator's, and from its faults to what E2B's clients read.

use std::sync::Arc;

use axum::http::StatusCode;
use domain::SandboxId;
use orchestrator::{Error, Wake};
use sandbox::Sandbox;

use crate::app::E2b;
use crate::problem::{Problem, Result};

/// The running sandbox of somebody who has shown its token; one that rests is woken where it was made so.
pub(crate) async fn awake(app: &E2b, id: SandboxId) -> Result<Arc<dyn Sandbox>> {
    let found = async {
        let org = app.orchestrator.org_of(id).await?;
        app.orchestrator.live(org, id, Wake::IfAsked).await
    };
    let sandbox = found.await.map_err(|error| unreachable(id, &error))?;
    app.orchestrator.touch(id);
    Ok(sandbox)
}

/// Whether a sandbox runs. Looking does not wake it.
pub(crate) async fn is_running(app: &E2b, id: SandboxId) -> bool {
    match app.orchestrator.org_of(id).await {
        Ok(org) => app.orchestrator.live(org, id, Wake::Never).await.is_ok(),
        Err(_) => false,
    }
}

fn unreachable(id: SandboxId, error: &Error) -> Problem {
    match error {
        Error::NotFound(_) | Error::Asleep { .. } | Error::Suspended { .. } | Error::WrongState(_) => {
            Problem::no_sandbox(id.to_string())
        }
        error => Problem::internal(error),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::NotFound(id) => {
                Self::not_found(format!("sandbox \"{id}\" doesn't exist or you don't have access to it"))
            }
            Error::TemplateNotFound(name) => Self::not_found(format!("template '{name}' not found")),
            Error::SnapshotNotFound(id) => Self::not_found(format!("snapshot '{id}' not found")),
            Error::Asleep { .. } => Self::not_found(text),
            Error::Invalid(_) => Self::bad(text),
            Error::KeyConflict | Error::WrongState(_) => Self::new(StatusCode::CONFLICT, text),
            Error::Suspended { .. } => Self::new(StatusCode::FORBIDDEN, text),
            Error::OverQuota { .. } | Error::RateLimited { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, text)
            }
            Error::Sandbox(sandbox::SandboxError::NotOffered { .. }) => {
                Self::new(StatusCode::NOT_IMPLEMENTED, text)
            }
            Error::Sandbox(_) | Error::Store(_) | Error::Internal { .. } => Self::internal(&error),
        }
    }
}
