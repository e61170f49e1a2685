//! What the errors of the services mean to a caller. Each match is whole, so that a new error needs its
//! code here.

use axum::http::StatusCode;
use models::ModelError;
use sandbox::SandboxError;
use sandbox::error::FileFault;

use super::Problem;
use super::store_error::{disk_broken, disk_full};

impl From<accounts::Error> for Problem {
    fn from(error: accounts::Error) -> Self {
        use accounts::Error as E;
        let detail = error.to_string();
        match error {
            E::NotAuthenticated => Self::not_authenticated(),
            E::Forbidden(scope) => Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
                .with_fix(format!("use a token with the scope {scope}")),
            E::UnknownScope(_) | E::ScopeNotHeld(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_scope", detail)
            }
            E::ProjectNotFound(_) => not_found("project_not_found", detail, "journeyman project list"),
            E::RuleNotFound(_) => not_found("rule_not_found", detail, "journeyman rule list"),
            E::TokenNotFound(_) => not_found("token_not_found", detail, "journeyman token list"),
            E::Invalid(_) => Self::invalid(detail),
            E::Store(error) => error.into(),
            E::Internal { .. } => Self::internal(&error),
        }
    }
}

impl From<gateway::Error> for Problem {
    fn from(error: gateway::Error) -> Self {
        use gateway::Error as E;
        let detail = error.to_string();
        match error {
            E::NotFound(_) => not_found("preview_not_found", detail, "journeyman box preview SANDBOX"),
            E::Invalid(_) => Self::invalid(detail),
            E::Accounts(error) => error.into(),
            E::Store(error) => error.into(),
        }
    }
}

impl From<runs::Error> for Problem {
    fn from(error: runs::Error) -> Self {
        use runs::Error as E;
        let detail = error.to_string();
        match error {
            E::RunNotFound(_) => not_found("run_not_found", detail, "journeyman run list"),
            E::RunAmbiguous(_) => Self::new(StatusCode::CONFLICT, "run_ambiguous", detail)
                .with_fix("journeyman run list --json shows the ids"),
            E::QuestionNotFound(_) => not_found("question_not_found", detail, "journeyman status"),
            E::ArtifactNotFound(_) => not_found("artifact_not_found", detail, "journeyman run show"),
            E::ProjectNotFound(_) => not_found("project_not_found", detail, "journeyman project list"),
            E::QuestionAnswered { .. } => Self::new(StatusCode::CONFLICT, "question_answered", detail),
            E::QuestionVoid => Self::new(StatusCode::CONFLICT, "question_void", detail),
            E::WrongAnswer(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_answer", detail),
            E::Invalid { .. } => Self::invalid(detail),
            E::Repository { code, fix, .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).with_fix(fix)
            }
            E::NoModel => Self::new(StatusCode::CONFLICT, "no_model", detail)
                .with_fix("journeyman connect, or name a model"),
            E::Model(error) => error.into(),
            E::Sandbox(error) => unavailable(&error),
            E::WrongState(_) => Self::new(StatusCode::CONFLICT, "wrong_state", detail),
            E::NoResult(_) => Self::new(StatusCode::CONFLICT, "no_result", detail),
            E::WouldOverwrite { paths } => Self::new(StatusCode::CONFLICT, "would_overwrite", detail)
                .with_fix("commit or stash your changes to these files, then apply again")
                .with_paths(paths),
            E::UnsafePath { path, .. } => {
                Self::new(StatusCode::CONFLICT, "unsafe_path", detail).with_paths(vec![path])
            }
            E::Delivery { .. } => Self::new(StatusCode::CONFLICT, "delivery_failed", detail),
            E::IdempotencyConflict => idempotency_conflict(),
            E::Lost => Self::new(StatusCode::CONFLICT, "conflict", detail).with_fix("try again"),
            E::DiskFull => disk_full(),
            E::DiskBroken => disk_broken(),
            E::Accounts(error) => error.into(),
            E::Internal { .. } => Self::internal(&error),
        }
    }
}

impl From<orchestrator::Error> for Problem {
    fn from(error: orchestrator::Error) -> Self {
        use orchestrator::Error as E;
        let detail = error.to_string();
        match error {
            E::NotFound(_) => not_found("sandbox_not_found", detail, "journeyman box list"),
            E::TemplateNotFound(_) => not_found("template_not_found", detail, "journeyman box templates"),
            E::SnapshotNotFound(_) => not_found("snapshot_not_found", detail, "journeyman box snapshots"),
            E::Invalid(_) => Self::invalid(detail),
            E::KeyConflict => idempotency_conflict(),
            E::Asleep { id, .. } => Self::new(StatusCode::CONFLICT, "sandbox_asleep", detail)
                .with_fix(format!("journeyman box resume {id}")),
            E::Suspended { .. } => Self::new(StatusCode::CONFLICT, "sandbox_suspended", detail)
                .with_fix("ask who looks after this server, or delete it: journeyman box rm SANDBOX"),
            E::OverQuota { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, "sandbox_quota", detail)
                .with_fix("delete or pause sandboxes that are not needed: journeyman box list"),
            E::RateLimited { retry_after_seconds } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "sandbox_rate", detail)
                    .with_fix(format!("try again in {retry_after_seconds} s"))
            }
            E::Sandbox(error) => error.into(),
            E::WrongState(_) => Self::new(StatusCode::CONFLICT, "sandbox_state", detail)
                .with_fix("look where it stands: journeyman box show SANDBOX"),
            E::Store(error) => error.into(),
            E::Internal { .. } => Self::internal(&error),
        }
    }
}

impl From<SandboxError> for Problem {
    fn from(error: SandboxError) -> Self {
        use SandboxError as E;
        let detail = error.to_string();
        let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
        match &error {
            E::File { fault, .. } => match fault {
                FileFault::NotFound => Self::new(StatusCode::NOT_FOUND, "file_not_found", detail),
                FileFault::Denied => Self::new(StatusCode::FORBIDDEN, "file_denied", detail),
                FileFault::TooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", detail),
                FileFault::Exists | FileFault::NotAFolder | FileFault::IsAFolder | FileFault::Other => {
                    Self::new(StatusCode::CONFLICT, "file_fault", detail)
                }
            },
            E::Pattern { .. } => Self::invalid(detail),
            E::Start { .. } => Self::new(unprocessable, "command_not_started", detail),
            E::NoProcess { .. } => Self::new(StatusCode::NOT_FOUND, "process_not_found", detail),
            E::NoPort { .. } => Self::new(StatusCode::NOT_FOUND, "port_not_found", detail),
            E::PortTaken { .. } => Self::new(StatusCode::CONFLICT, "port_in_use", detail),
            E::NotOffered { .. } => Self::new(StatusCode::NOT_IMPLEMENTED, "sandbox_cannot", detail),
            E::DiskFull { .. } => disk_full(),
            E::Busy { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, "sandbox_full", detail)
                .with_fix("end some of its processes, or give it more"),
            E::Gone { .. } => Self::new(StatusCode::CONFLICT, "sandbox_gone", detail)
                .with_fix("journeyman box resume SANDBOX"),
            E::Unsupported { .. } | E::Internal { .. } => unavailable(&error),
        }
    }
}

fn unavailable(error: &SandboxError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "a sandbox could not be had");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "sandbox_unavailable", error.to_string())
        .with_fix("journeyman doctor")
}

impl From<ModelError> for Problem {
    fn from(error: ModelError) -> Self {
        use ModelError as E;
        let detail = error.to_string();
        let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
        match error {
            E::NotConfigured { fix, .. } => {
                Self::new(unprocessable, "model_not_configured", detail).with_fix(fix)
            }
            E::Auth { .. } => {
                Self::new(unprocessable, "model_auth", detail).with_fix("journeyman connect with another key")
            }
            E::NoSuchModel { .. } => Self::new(unprocessable, "no_such_model", detail),
            E::NoTools { .. } => Self::new(unprocessable, "model_without_tools", detail)
                .with_fix("choose a model that calls tools"),
            E::ContextOverflow { .. } => Self::new(unprocessable, "context_overflow", detail),
            E::RateLimited { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, "model_rate_limited", detail),
            E::Overloaded { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, "model_overloaded", detail),
            E::Unreachable { .. } => Self::new(StatusCode::BAD_GATEWAY, "model_unreachable", detail),
            E::Refused { .. } => Self::new(StatusCode::BAD_GATEWAY, "model_refused", detail),
            E::BadAnswer { .. } => Self::new(StatusCode::BAD_GATEWAY, "model_bad_answer", detail),
            E::OffScript { .. } => Self::new(unprocessable, "off_script", detail),
            E::Cancelled => Self::new(StatusCode::CONFLICT, "model_cancelled", detail),
        }
    }
}

/// The key of an earlier, different request.
pub(crate) fn idempotency_conflict() -> Problem {
    let detail = "this idempotency key was used for another request";
    Problem::new(StatusCode::CONFLICT, "idempotency_conflict", detail)
        .with_fix("use a new key for a new request")
}

fn not_found(code: &'static str, detail: String, fix: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, code, detail).with_fix(fix)
}
