//! Scopes: how far a credential reaches.

use crate::error::{Error, Result};

/// One thing that a credential may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read runs, their events, files and questions.
    RunsRead,
    /// Start, steer, stop and delete runs.
    RunsWrite,
    /// Answer questions.
    QuestionsAnswer,
    /// Read projects.
    ProjectsRead,
    /// Add and change projects.
    ProjectsWrite,
    /// Choose models and keep provider keys.
    ModelsWrite,
    /// Make and revoke tokens.
    TokensWrite,
    /// Read the server's status.
    StatusRead,
    /// Read sandboxes, templates and snapshots.
    SandboxesRead,
    /// Make, use and delete sandboxes, templates and snapshots.
    SandboxesWrite,
}

impl Scope {
    /// Every scope, in the order of their names.
    pub const ALL: [Self; 10] = [
        Self::RunsRead,
        Self::RunsWrite,
        Self::QuestionsAnswer,
        Self::ProjectsRead,
        Self::ProjectsWrite,
        Self::ModelsWrite,
        Self::TokensWrite,
        Self::StatusRead,
        Self::SandboxesRead,
        Self::SandboxesWrite,
    ];

    /// The text form: `runs:read`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RunsRead => "runs:read",
            Self::RunsWrite => "runs:write",
            Self::QuestionsAnswer => "questions:answer",
            Self::ProjectsRead => "projects:read",
            Self::ProjectsWrite => "projects:write",
            Self::ModelsWrite => "models:write",
            Self::TokensWrite => "tokens:write",
            Self::StatusRead => "status:read",
            Self::SandboxesRead => "sandboxes:read",
            Self::SandboxesWrite => "sandboxes:write",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|scope| scope.name() == text);
        found.ok_or_else(|| Error::UnknownScope(text.to_owned()))
    }
}

/// A set of scopes. `*` is all of them, later ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scopes(Set);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Set {
    Everything,
    Listed(u16),
}

impl Scopes {
    /// All scopes, later ones included: `*`.
    pub const EVERYTHING: Self = Self(Set::Everything);

    /// These and no others.
    #[must_use]
    pub fn of(scopes: &[Scope]) -> Self {
        Self(Set::Listed(scopes.iter().fold(0, |set, scope| set | scope.bit())))
    }

    /// Reads names; one `*` among them is everything.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownScope`] for a name that is none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut everything = false;
        let mut listed = Vec::new();
        for name in names {
            if name == "*" {
                everything = true;
            } else {
                listed.push(name.parse()?);
            }
        }
        Ok(if everything { Self::EVERYTHING } else { Self::of(&listed) })
    }

    /// Whether `scope` is in the set.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        match self.0 {
            Set::Everything => true,
            Set::Listed(set) => set & scope.bit() != 0,
        }
    }

    /// A scope of `self` that `other` lacks. For `*` that is any that `other` lacks, and, where it lists
    /// them all, still none: the list is as wide as `*` today.
    #[must_use]
    pub fn first_not_in(self, other: Self) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| self.contains(*scope) && !other.contains(*scope))
    }

    /// The names, `*` alone for everything.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        match self.0 {
            Set::Everything => vec!["*"],
            Set::Listed(_) => {
                let held = Scope::ALL.into_iter().filter(|scope| self.contains(*scope));
                held.map(Scope::name).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_back_as_written_and_unknown_ones_are_refused() -> Result<()> {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse::<Scope>()?, scope);
            assert_eq!(Scopes::parse([scope.name()])?.names(), [scope.name()]);
        }
        assert_eq!(Scopes::parse(["runs:read", "*"])?.names(), ["*"]);
        assert!(matches!(Scopes::parse(["runs:own"]), Err(Error::UnknownScope(name)) if name == "runs:own"));
        Ok(())
    }

    #[test]
    fn a_narrow_set_never_covers_a_wider_one() -> Result<()> {
        let narrow = Scopes::parse(["runs:read", "status:read"])?;
        assert_eq!(narrow.first_not_in(Scopes::EVERYTHING), None);
        assert_eq!(Scopes::EVERYTHING.first_not_in(narrow), Some(Scope::RunsWrite));
        assert_eq!(narrow.first_not_in(Scopes::of(&[Scope::RunsRead])), Some(Scope::StatusRead));
        Ok(())
    }
}
