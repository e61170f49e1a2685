//! Exit codes: few, stable, and the same for every command.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It did what was asked.
    Ok = 0,
    /// Something is wrong with Journeyman or this machine.
    Internal = 1,
    /// The command or its input makes no sense.
    Usage = 2,
    /// The run ended without reaching its goal.
    RunFailed = 3,
    /// A sign-in or a permission is missing.
    Denied = 4,
    /// The run waits for a person.
    NeedsYou = 5,
    /// A budget, a quota or a breaker stopped the run, or it sleeps.
    Limit = 6,
    /// The server cannot be reached.
    Unreachable = 7,
    /// There is no such thing.
    NotFound = 8,
    /// Something stands against it.
    Conflict = 9,
    /// Ctrl-C.
    Interrupted = 130,
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
        self as u8
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
