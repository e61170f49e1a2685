//! Finds the command that proves success in what a repository says about itself: its word to agents first, then the
//! manifests of its tools, then what its CI runs. A command that was found so is tried; where this sandbox cannot run
//! it, that is said, and does not fail the work.

use serde::Deserialize;

/// A check command that nobody gave us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) command: String,
    /// The file that it is from.
    pub(crate) place: &'static str,
}

/// The files that may name a check, those that count more first.
pub(crate) const FILES: [&str; 21] = [
    "AGENTS.md",
    "package.json",
    "GNUmakefile",
    "Makefile",
    "makefile",
    "Cargo.toml",
    "pytest.ini",
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    "go.mod",
    ".github/workflows/test.yml",
    ".github/workflows/test.yaml",
    ".github/workflows/tests.yml",
    ".github/workflows/tests.yaml",
    ".github/workflows/ci.yml",
    ".github/workflows/ci.yaml",
    ".github/workflows/main.yml",
    ".github/workflows/main.yaml",
    ".github/workflows/build.yml",
    ".github/workflows/check.yml",
];

/// The check that the first of these files names, each with its text.
pub(crate) fn find(files: &[(&'static str, String)]) -> Option<Found> {
    FILES.into_iter().find_map(|place| {
        let (_, text) = files.iter().find(|(name, _)| *name == place)?;
        Some(Found { command: named_in(place, text)?, place })
    })
}

fn named_in(place: &str, text: &str) -> Option<String> {
    let has = |part: &str| text.lines().any(|line| line.trim_start().starts_with(part));
    match place {
        "AGENTS.md" => named_by(text),
        "package.json" => script_of(text),
        "GNUmakefile" | "Makefile" | "makefile" => target_of(text),
        "Cargo.toml" if has("[workspace]") => Some("cargo test --workspace --offline".to_owned()),
        "Cargo.toml" => has("[package]").then(|| "cargo test --offline".to_owned()),
        "pytest.ini" => Some(PYTEST.to_owned()),
        "pyproject.toml" => has("[tool.pytest").then(|| PYTEST.to_owned()),
        "setup.cfg" => has("[tool:pytest]").then(|| PYTEST.to_owned()),
        "tox.ini" => has("[pytest]").then(|| PYTEST.to_owned()),
        "go.mod" => Some("go test ./...".to_owned()),
        _ => step_of(text),
    }
}

const PYTEST: &str = "python3 -m pytest -q";

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

/// The script `test` of a package.json, unless it is what `npm init` writes.
fn script_of(package_json: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Package {
        #[serde(default)]
        scripts: std::collections::HashMap<String, String>,
        #[serde(default)]
        package_manager: String,
    }
    let package: Package = serde_json::from_str(package_json).ok()?;
    let script = package.scripts.get("test")?.trim();
    if script.is_empty() || script.contains("no test specified") {
        return None;
    }
    let manager = package.package_manager.split('@').next().unwrap_or_default();
    Some(format!("{} test", if matches!(manager, "pnpm" | "yarn") { manager } else { "npm" }))
}

/// `make test`, or else `make check`, where the file has that target.
fn target_of(makefile: &str) -> Option<String> {
    let has = |target: &str| {
        makefile.lines().filter(|line| !line.starts_with(['\t', '#', ' '])).any(|line| {
            let Some((names, after)) = line.split_once(':') else { return false };
            !after.starts_with('=') && names.split_whitespace().any(|name| name == target)
        })
    };
    ["test", "check"].into_iter().find(|target| has(target)).map(|target| format!("make {target}"))
}

/// What tests are run with in CI. Only whole words at the beginning of a step count.
const TESTS: [&str; 24] = [
    "npm test",
    "npm run test",
    "pnpm test",
    "pnpm run test",
    "yarn test",
    "yarn run test",
    "bun test",
    "deno test",
    "cargo test",
    "cargo nextest run",
    "go test",
    "pytest",
    "python -m pytest",
    "python3 -m pytest",
    "tox",
    "make test",
    "make check",
    "mvn test",
    "mvn verify",
    "gradle test",
    "./gradlew test",
    "dotnet test",
    "bundle exec rspec",
    "mix test",
];

/// The first step of a workflow that looks like a test and needs nothing that only CI knows.
fn step_of(workflow: &str) -> Option<String> {
    workflow.lines().find_map(|line| {
        let line = line.trim().trim_start_matches("- ").trim_start();
        let step = line.strip_prefix("run:").unwrap_or(line).trim().trim_matches(['"', '\'']);
        let is_test = TESTS
            .into_iter()
            .any(|test| step.strip_prefix(test).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')));
        (is_test && !step.contains("${{") && !step.ends_with('\\')).then(|| step.to_owned())
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

    fn found(files: &[(&'static str, &str)]) -> Option<(String, &'static str)> {
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        find(&files).map(|found| (found.command, found.place))
    }

    #[test]
    fn the_word_to_agents_counts_more_than_manifests_and_those_more_than_ci() {
        let agents = ("AGENTS.md", "Check command: `sh t`");
        let package = ("package.json", r#"{"scripts":{"test":"jest"}}"#);
        let workflow = (".github/workflows/ci.yml", "steps:\n  - run: make test\n");
        let told = |command: &str, place| Some((command.to_owned(), place));
        assert_eq!(found(&[workflow, package, agents]), told("sh t", "AGENTS.md"));
        assert_eq!(found(&[workflow, package, ("AGENTS.md", "be nice")]), told("npm test", "package.json"));
        assert_eq!(found(&[workflow]), told("make test", ".github/workflows/ci.yml"));
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn manifests_name_a_check_only_where_there_is_one() {
        let command = |name, text: &str| found(&[(name, text)]).map(|(command, _)| command);
        let placeholder = r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#;
        assert_eq!(command("package.json", placeholder), None);
        assert_eq!(command("package.json", r#"{"name":"x"}"#), None);
        let pnpm = r#"{"packageManager":"pnpm@9.1.0","scripts":{"test":"vitest"}}"#;
        assert_eq!(command("package.json", pnpm).as_deref(), Some("pnpm test"));
        assert_eq!(command("Makefile", ".PHONY: test\ntest := x\nall: test\n").as_deref(), None);
        assert_eq!(command("Makefile", "all: x\nlint check: a\n\ttrue\n").as_deref(), Some("make check"));
        assert_eq!(command("Makefile", "check:\n\tx\ntest: check\n").as_deref(), Some("make test"));
        assert_eq!(command("Cargo.toml", "[package]\nname = 'x'").as_deref(), Some("cargo test --offline"));
        assert_eq!(command("pyproject.toml", "[project]\n"), None);
        assert_eq!(command("pyproject.toml", "[tool.pytest.ini_options]\n").as_deref(), Some(PYTEST));
        assert_eq!(command("go.mod", "module x\n").as_deref(), Some("go test ./..."));
    }

    #[test]
    fn a_step_of_ci_counts_where_it_is_a_test_that_runs_anywhere() {
        let step = |text: &str| found(&[(".github/workflows/test.yml", text)]).map(|(command, _)| command);
        let block = "    - name: Test\n      run: |\n        npm ci\n        npm test -- --ci\n";
        assert_eq!(step(block).as_deref(), Some("npm test -- --ci"));
        assert_eq!(step("- run: 'cargo test --locked'\n").as_deref(), Some("cargo test --locked"));
        assert_eq!(
            step("- run: pytest ${{ matrix.args }}\n- run: pytest-watch\n- run: npm run build\n"),
            None
        );
    }
}
