//! Errors as reasons: what a run's state says when it could not go on.

use domain::run::Reason;
use models::ModelError;
use sandbox::SandboxError;

use crate::error::Error;

/// The reason for people and programs. Causes that are only ours stay in the log.
pub(crate) fn reason_of(error: &Error) -> Reason {
    let text = sentence(&error.to_string());
    match error {
        Error::Repository { code, fix, .. } => Reason::new(code, text).with_fix(fix.clone()),
        Error::Model(error) => model_reason(error, text),
        Error::Sandbox(SandboxError::Unsupported { fix, .. }) => {
            Reason::new("sandbox_unsupported", text).with_fix(fix.clone())
        }
        Error::Sandbox(SandboxError::DiskFull { .. }) | Error::DiskFull => {
            Reason::new("disk_full", text).with_fix("make room, then resume or continue the run")
        }
        Error::DiskBroken => Reason::new("disk_broken", text)
            .with_fix("mend or replace the disk, then resume or continue the run"),
        Error::Sandbox(_) => {
            Reason::new("sandbox_failed", text).with_fix("journeyman doctor tells what this machine lacks")
        }
        Error::Delivery { .. } => {
            Reason::new("delivery_failed", text).with_fix("continue the run; its files are kept")
        }
        Error::WouldOverwrite { .. } => Reason::new("would_overwrite", text)
            .with_fix("commit or stash those files, then run `journeyman apply`"),
        Error::UnsafePath { .. } => {
            Reason::new("unsafe_path", text).with_fix("take the change from the branch instead")
        }
        Error::Lost => Reason::new("worker_lost", text),
        Error::RunNotFound(_)
        | Error::RunAmbiguous(_)
        | Error::QuestionNotFound(_)
        | Error::QuestionAnswered { .. }
        | Error::QuestionVoid
        | Error::WrongAnswer(_)
        | Error::ArtifactNotFound(_)
        | Error::ProjectNotFound(_)
        | Error::Invalid { .. }
        | Error::NoModel
        | Error::WrongState(_)
        | Error::NoResult(_)
        | Error::IdempotencyConflict
        | Error::Accounts(_)
        | Error::Internal { .. } => {
            Reason::new("internal", text).with_fix("see the server's log, then continue the run")
        }
    }
}

fn model_reason(error: &ModelError, text: String) -> Reason {
    match error {
        ModelError::NotConfigured { fix, .. } => {
            Reason::new("model_not_configured", text).with_fix(fix.clone())
        }
        ModelError::Auth { provider, .. } => {
            Reason::new("model_auth", text).with_fix(format!("journeyman connect {provider}"))
        }
        ModelError::NoSuchModel { .. } => {
            Reason::new("model_unknown", text).with_fix("journeyman model list")
        }
        ModelError::NoTools { .. } => {
            Reason::new("no_tools", text).with_fix("choose a model that can call tools")
        }
        ModelError::ContextOverflow { .. } => Reason::new("context_overflow", text),
        ModelError::RateLimited { .. } => {
            Reason::new("model_rate_limited", text).with_fix("continue the run later")
        }
        ModelError::Overloaded { .. } => {
            Reason::new("model_overloaded", text).with_fix("continue the run later")
        }
        ModelError::Unreachable { .. } => {
            Reason::new("model_unreachable", text).with_fix("check the address and the network")
        }
        ModelError::Refused { .. } => Reason::new("model_refused", text),
        ModelError::BadAnswer { .. } => Reason::new("model_bad_answer", text),
        ModelError::OffScript { .. } => Reason::new("off_script", text).with_fix("journeyman connect"),
        ModelError::Cancelled => Reason::new("cancelled", text),
    }
}

/// Error texts are lower case without an end; a reason is a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
