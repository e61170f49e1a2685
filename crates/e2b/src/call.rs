//! One call into a sandbox: which sandbox, and as whom.

use std::sync::Arc;

use axum::http::request::Parts as Head;
use domain::SandboxId;
use sandbox::{FileFault, Sandbox, SandboxError};

use crate::app::E2b;
use crate::connect::{Code, ConnectError};
use crate::problem::Problem;
use crate::target;
use crate::user::{self, User};

/// A call that may go on.
pub(crate) struct Call {
    pub(crate) app: E2b,
    pub(crate) id: SandboxId,
    pub(crate) sandbox: Arc<dyn Sandbox>,
    pub(crate) user: User,
}

/// A call that may not.
pub(crate) enum Refused {
    /// Before it reached the sandbox: answered as E2B's proxy answers.
    Problem(Problem),
    /// By the sandbox.
    Connect(ConnectError),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ConnectError> for Refused {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl Call {
    /// Checks the token and finds the sandbox and the user.
    pub(crate) async fn of(app: &E2b, head: &Head) -> Result<Self, Refused> {
        let id = match target::by_token(app, &head.headers, &head.uri) {
            Ok(id) => id,
            Err(problem) if problem.status == axum::http::StatusCode::UNAUTHORIZED => {
                return Err(ConnectError::new(Code::Unauthenticated, problem.message).into());
            }
            Err(problem) => return Err(problem.into()),
        };
        let sandbox = target::awake(app, id).await?;
        let unknown = |message| ConnectError::new(Code::Unauthenticated, message);
        let name = user::of_header(&head.headers).map_err(unknown)?;
        let user = user::look_up(&*sandbox, name.as_deref()).await.map_err(unknown)?;
        Ok(Self { app: app.clone(), id, sandbox, user })
    }
}

impl From<SandboxError> for ConnectError {
    fn from(error: SandboxError) -> Self {
        let text = error.to_string();
        match error {
            SandboxError::File { fault, .. } => Self::new(of_fault(fault), text),
            SandboxError::Start { .. } | SandboxError::Pattern { .. } => Self::invalid(text),
            SandboxError::NoProcess { .. } | SandboxError::NoPort { .. } => Self::new(Code::NotFound, text),
            SandboxError::PortTaken { .. } => Self::new(Code::AlreadyExists, text),
            SandboxError::DiskFull { .. } | SandboxError::Busy { .. } => {
                Self::new(Code::ResourceExhausted, text)
            }
            SandboxError::NotOffered { .. } => Self::new(Code::Unimplemented, text),
            SandboxError::Gone { .. } => Self::gone(),
            SandboxError::Unsupported { .. } | SandboxError::Internal { .. } => Self::internal(&error),
        }
    }
}

const fn of_fault(fault: FileFault) -> Code {
    match fault {
        FileFault::NotFound => Code::NotFound,
        FileFault::Exists => Code::AlreadyExists,
        FileFault::NotAFolder | FileFault::IsAFolder => Code::InvalidArgument,
        FileFault::Denied => Code::PermissionDenied,
        FileFault::TooLarge => Code::ResourceExhausted,
        FileFault::Other => Code::FailedPrecondition,
    }
}
