//! Finds the command that proves success in what a repository says about itself.

use agent::Instructions;

/// The command that a repository's AGENTS.md names.
#[must_use]
pub(crate) fn named_in(instructions: Option<&Instructions>) -> Option<String> {
    named_by(&instructions.filter(|instructions| instructions.file == "AGENTS.md")?.text)
}

/// The command of the first line of AGENTS.md that speaks of a check command and has one in backticks:
/// ``Check command: `sh test.sh` ``. The line may be a list item, bold, and in any case.
fn named_by(agents_md: &str) -> Option<String> {
    agents_md.lines().find_map(|line| {
        let at = line.to_lowercase().find("check command")?;
        // Lower case may differ in length from the line outside ASCII; then the line's start will do.
        let rest = line.get(at..).unwrap_or(line);
        let command = rest.split('`').nth(1)?.trim();
        (!command.is_empty()).then(|| command.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_command_is_found_where_a_person_would_write_it() {
        assert_eq!(named_by("# Rules\n- Check command: `sh test.sh`\n").as_deref(), Some("sh test.sh"));
        assert_eq!(
            named_by("**Check command** is `make check`, `make` alone builds").as_deref(),
            Some("make check")
        );
        assert_eq!(named_by("Run `make` to check it"), None);
        assert_eq!(named_by("Check command: none"), None);
        assert_eq!(named_by("Check command: ``"), None);
    }
}
