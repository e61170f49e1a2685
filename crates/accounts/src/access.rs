//! The caller of a request, and the proof that the caller may do one thing.

use std::marker::PhantomData;
use std::sync::Arc;

use domain::{OrgId, UserId};

use crate::error::{Error, Result};
use crate::scope::{Scope, Scopes};

/// Someone who has shown a credential. Only this crate makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub(crate) org: OrgId,
    pub(crate) user: UserId,
    pub(crate) name: Arc<str>,
    pub(crate) scopes: Scopes,
    pub(crate) via: Via,
}

/// How a caller showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A browser's cookie.
    Cookie,
    /// A token in the `Authorization` header.
    Token,
    /// The socket file that only the owner of the data folder can open.
    Socket,
}

impl Via {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Token => "token",
            Self::Socket => "socket",
        }
    }
}

impl Caller {
    /// The tenant.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// The user.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The user's name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How far the credential reaches.
    #[must_use]
    pub const fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// How the caller showed who they are.
    #[must_use]
    pub const fn via(&self) -> Via {
        self.via
    }

    /// The proof that this caller may do `A`.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] where the credential lacks the scope.
    pub fn allow<A: Action>(&self) -> Result<Allowed<A>> {
        if !self.scopes.contains(A::SCOPE) {
            return Err(Error::Forbidden(A::SCOPE));
        }
        Ok(Allowed { caller: self.clone(), action: PhantomData })
    }
}

/// The proof that somebody may do `A`. Functions that read or change a tenant's things demand one, and
/// take the tenant from it.
///
/// Nothing but [`Caller::allow`] makes one:
///
/// ```compile_fail
/// use accounts::access::{Allowed, ReadRuns};
/// let forged: Allowed<ReadRuns> = Allowed { caller: todo!(), action: std::marker::PhantomData };
/// ```
///
/// and a proof of one thing is none of another:
///
/// ```compile_fail
/// use accounts::access::{Allowed, ReadRuns, WriteRuns};
/// fn pass(proof: Allowed<ReadRuns>) -> Allowed<WriteRuns> { proof }
/// ```
pub struct Allowed<A: Action> {
    caller: Caller,
    action: PhantomData<fn() -> A>,
}

impl<A: Action> Allowed<A> {
    /// The tenant.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.caller.org
    }

    /// The user.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.caller.user
    }

    /// Who does it, for logs that people read.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.caller.name
    }

    /// The caller that the proof was given to.
    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl<A: Action> Clone for Allowed<A> {
    fn clone(&self) -> Self {
        Self { caller: self.caller.clone(), action: PhantomData }
    }
}

impl<A: Action> std::fmt::Debug for Allowed<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} may {}", self.caller.user, A::SCOPE)
    }
}

/// Something that needs permission. The kinds are fixed here.
pub trait Action: sealed::Sealed + 'static {
    /// The scope that permits it.
    const SCOPE: Scope;
}

mod sealed {
    /// Keeps other crates from adding actions.
    pub trait Sealed {}
}

macro_rules! define_action {
    ($(#[$doc:meta])* $name:ident, $scope:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}

        impl sealed::Sealed for $name {}
        impl Action for $name {
            const SCOPE: Scope = Scope::$scope;
        }
    };
}

define_action!(
    /// Reading runs, their events, files and questions.
    ReadRuns, RunsRead
);
define_action!(
    /// Starting, steering, stopping and deleting runs.
    WriteRuns, RunsWrite
);
define_action!(
    /// Answering questions.
    AnswerQuestions, QuestionsAnswer
);
define_action!(
    /// Reading projects.
    ReadProjects, ProjectsRead
);
define_action!(
    /// Adding and changing projects.
    WriteProjects, ProjectsWrite
);
define_action!(
    /// Choosing models and keeping provider keys.
    ManageModels, ModelsWrite
);
define_action!(
    /// Making and revoking tokens.
    ManageTokens, TokensWrite
);
define_action!(
    /// Reading the server's status.
    ReadStatus, StatusRead
);
define_action!(
    /// Looking at sandboxes, templates and snapshots. Looking never wakes a sandbox.
    ReadSandboxes, SandboxesRead
);
define_action!(
    /// Making, using, changing and deleting sandboxes, templates and snapshots.
    WriteSandboxes, SandboxesWrite
);

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(scopes: Scopes) -> Caller {
        Caller {
            org: OrgId::from_uuid(uuid::Uuid::from_u128(1)),
            user: UserId::from_uuid(uuid::Uuid::from_u128(2)),
            name: "mira".into(),
            scopes,
            via: Via::Token,
        }
    }

    #[test]
    fn a_proof_is_given_for_held_scopes_only_and_names_who_it_was_given_to() -> Result<()> {
        let reader = caller(Scopes::of(&[Scope::RunsRead]));
        let proof = reader.allow::<ReadRuns>()?;
        assert_eq!((proof.org(), proof.user(), proof.by()), (reader.org(), reader.user(), "mira"));
        let refused = reader.allow::<WriteRuns>();
        assert!(matches!(refused, Err(Error::Forbidden(Scope::RunsWrite))), "{refused:?}");
        caller(Scopes::EVERYTHING).allow::<ManageTokens>()?;
        Ok(())
    }
}
