//! The rules of the repository that no compiler holds. Each rule is a function from what it read to a
//! list of sentences, one for each violation.

mod documents;
mod edges;
mod sizes;
mod text;

use std::path::PathBuf;

use crate::{guest, run, workspace};

/// One file of the repository, with its path from the root.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Formatting and lints.
pub(crate) fn check() -> Result<(), String> {
    guest::build()?;
    run::check(&mut run::cargo(&["fmt", "--all", "--check"]))?;
    let mut clippy = run::cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--locked"]);
    run::check(clippy.args(["--", "-D", "warnings"]))
}

/// [`check`] and all the rules; `--verbose` also lists the files that are longer than wanted.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let is_verbose = match arguments {
        [] => false,
        [flag] if flag == "--verbose" => true,
        _ => return Err("`tidy` takes only --verbose".into()),
    };
    // The rules take a moment and the lints take minutes: rules first, but both are told.
    let broken = rules(is_verbose);
    let checked = check();
    broken.and(checked)
}

fn rules(is_verbose: bool) -> Result<(), String> {
    let sources = sources()?;
    let exceptions =
        sizes::Exceptions::read(&workspace::read(&workspace::root().join("xtask/exceptions.txt"))?)?;
    let mut broken = edges::check(&edges::metadata()?);
    broken.extend(sizes::check(&sources, &exceptions));
    broken.extend(text::check(&sources));
    broken.extend(documents::check(&sources));
    if is_verbose {
        sizes::longer_than_wanted(&sources).iter().for_each(|line| println!("{line}"));
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}

/// Every text file that git knows or would take.
fn sources() -> Result<Vec<Source>, String> {
    let mut git = run::command("git");
    git.args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = run::capture(&mut git)?;
    let mut paths: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    let read = |path: &str| {
        let text =
            String::from_utf8(std::fs::read(workspace::root().join(PathBuf::from(path))).ok()?).ok()?;
        Some(Source { path: path.into(), text })
    };
    Ok(paths.into_iter().filter_map(read).collect())
}

/// Whether a file holds tests and nothing else.
fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name == "tests.rs"
        || [".test.ts", ".test.tsx", ".spec.ts"].iter().any(|ending| name.ends_with(ending))
        || path.split('/').any(|folder| ["tests", "e2e"].contains(&folder))
}
