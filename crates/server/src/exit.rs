//! Exit codes: few, stable, and the same for every command.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Ok,
    /// Something is wrong with Journeyman or this machine.
    Internal,
    /// The command or its input makes no sense.
    Usage,
    /// The run ended without reaching its goal.
    RunFailed,
    /// A sign-in or a permission is missing.
    Denied,
    /// The run waits for a person.
    NeedsYou,
    /// A budget, a quota or a breaker stopped the run, or it sleeps.
    Limit,
    /// The server cannot be reached.
    Unreachable,
    /// There is no such thing.
    NotFound,
    /// Something stands against it.
    Conflict,
    /// Ctrl-C.
    Interrupted,
    /// A command in a sandbox ended so: `journeyman box exec` passes it on.
    Of(u8),
}

/// Every exit code with its meaning, as `journeyman help exit-codes` prints it.
pub(crate) const TABLE: &[(Exit, &str)] = &[
    (Exit::Ok, "it worked"),
    (Exit::Internal, "something is wrong with Journeyman or this machine"),
    (Exit::Usage, "the command or its input makes no sense"),
    (
        Exit::RunFailed,
        "the run ended without reaching its goal, was stopped, or the provider refused the key",
    ),
    (Exit::Denied, "a sign-in or a permission is missing"),
    (Exit::NeedsYou, "the run waits for a person (a question, or it is paused)"),
    (Exit::Limit, "a budget, quota or breaker stopped the run, or it sleeps until later"),
    (Exit::Unreachable, "the server cannot be reached; trying again is safe"),
    (Exit::NotFound, "there is no such thing"),
    (Exit::Conflict, "something stands against it: it was answered, changed or taken meanwhile"),
    (Exit::Interrupted, "interrupted by Ctrl-C; an in-process run is paused, not lost"),
];

impl Exit {
    /// The number that the shell sees.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::RunFailed => 3,
            Self::Denied => 4,
            Self::NeedsYou => 5,
            Self::Limit => 6,
            Self::Unreachable => 7,
            Self::NotFound => 8,
            Self::Conflict => 9,
            Self::Interrupted => 130,
            Self::Of(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_exit_codes_are_the_real_ones() {
        let page = include_str!("../../../docs/CLI.md");
        for (exit, meaning) in TABLE {
            let row = format!("| {} | {meaning} |", exit.number());
            assert!(page.contains(&row), "docs/CLI.md lacks: {row}");
        }
    }
}
