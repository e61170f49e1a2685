//! `cargo xtask test`: sets the machine up, then runs every check and every test. A failure does not
//! stop what can still run, so that one run tells all. The last line is `N passed, N failed`.

use std::process::Command;
use std::time::Duration;

use crate::counts::{self, Counts};
use crate::sdks::Sandboxes;
use crate::{demo, guest, machine, npm, run, servers, tidy, workspace};

/// What each step brought.
#[derive(Default)]
struct Ledger {
    steps: Vec<(String, Duration, Counts, bool)>,
}

impl Ledger {
    /// A step that is no test: counted only when it fails.
    fn must(&mut self, name: &str, action: impl FnOnce() -> Result<(), String>) -> bool {
        self.record(name, || action().map(|()| (true, Counts::default())))
    }

    /// A program that runs tests; `read` finds their number in its output.
    fn tests(&mut self, name: &str, command: &mut Command, read: fn(&str) -> Option<Counts>) -> bool {
        self.record(name, || {
            let (succeeded, output) = run::tee(command)?;
            match read(&output) {
                Some(counts) => Ok((succeeded, counts)),
                None if succeeded => Err("the tests did not say how many they were".into()),
                None => Ok((false, Counts::default())),
            }
        })
    }

    fn record(&mut self, name: &str, action: impl FnOnce() -> Result<(bool, Counts), String>) -> bool {
        let ((succeeded, mut counts), took) = match run::step(name, action) {
            Ok(done) => done,
            Err((_, took)) => ((false, Counts::default()), took),
        };
        if !succeeded && counts.failed == 0 {
            counts.failed = 1;
        }
        let good = counts.failed == 0;
        self.steps.push((name.into(), took, counts, good));
        good
    }

    fn close(&self) -> Result<(), String> {
        println!("\nstep                         seconds   passed   failed");
        for (name, took, counts, _) in &self.steps {
            println!("{name:<26} {:>9.1} {:>8} {:>8}", took.as_secs_f64(), counts.passed, counts.failed);
        }
        let total: Counts = self.steps.iter().map(|(_, _, counts, _)| *counts).sum();
        println!("{:<26} {:>9.1}", "all", self.steps.iter().map(|step| step.1.as_secs_f64()).sum::<f64>());
        println!("{} passed, {} failed", total.passed, total.failed);
        if total.failed == 0 { Ok(()) } else { Err(String::new()) }
    }
}

/// Everything, in the order that tells of mistakes soonest.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    if let Some(unknown) = arguments.first() {
        return Err(format!("`test` takes no `{unknown}`; to choose tests, use cargo nextest"));
    }
    let mut ledger = Ledger::default();
    if ledger.must("setup", machine::for_tests) {
        let web = build_web(&mut ledger);
        if ledger.must("guest", || guest::build().map(|_| ())) {
            ledger.must("tidy", || tidy::run(&[]));
            rust(&mut ledger);
            if web {
                test_web(&mut ledger);
            }
        }
    }
    ledger.close()
}

fn rust(ledger: &mut Ledger) {
    // One command for programs and tests: two would choose features twice and compile twice.
    let mut build = run::cargo(&["build", "--workspace", "--all-targets", "--quiet"]);
    if !ledger.must("build", || run::check(&mut build)) {
        return;
    }
    let servers = (start(ledger, "postgres", servers::postgres), start(ledger, "redis", servers::redis));
    let (Some(postgres), Some(redis)) = &servers else { return };
    let mut tests = if run::find(&["cargo-nextest"]).is_some() || has_nextest_in_cargo_home() {
        run::cargo(&["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        run::cargo(&["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"])
    };
    with_surroundings(&mut tests);
    tests.env("TEST_POSTGRES_URL", &postgres.url).env("TEST_REDIS_URL", &redis.url);
    let nextest = tests.get_args().any(|argument| argument == "nextest");
    let read = if nextest { counts::of_nextest } else { counts::of_cargo_test };
    ledger.tests("rust tests", &mut tests, read);
    document_tests(ledger);
    sdks(ledger);
}

/// E2B's own clients against the built program.
fn sdks(ledger: &mut Ledger) {
    let mut started = None;
    ledger.must("server for e2b", || Sandboxes::start().map(|server| started = Some(server)));
    let Some(server) = started else { return };
    ledger.tests("e2b sdk python", with_surroundings(&mut server.python()), counts::of_pytest);
    ledger.tests("e2b sdk javascript", with_surroundings(&mut server.javascript()), counts::of_tap);
}

fn start(
    ledger: &mut Ledger,
    name: &str,
    action: fn() -> Result<servers::Server, String>,
) -> Option<servers::Server> {
    let mut server = None;
    ledger.must(name, || action().map(|started| server = Some(started)));
    server
}

/// Of the whole workspace, though few crates have examples: another choice of crates would be another
/// choice of features, and all would be compiled again.
fn document_tests(ledger: &mut Ledger) {
    let mut tests = run::cargo(&["test", "--doc", "--workspace", "--no-fail-fast"]);
    ledger.tests("doc tests", with_surroundings(&mut tests), counts::of_cargo_test);
}

fn build_web(ledger: &mut Ledger) -> bool {
    if workspace::web().is_none() {
        return false;
    }
    let scripts = npm::web_scripts().unwrap_or_default();
    let has = |script: &str| scripts.iter().any(|name| name == script);
    let mut good = true;
    for script in ["build", "typecheck", "lint"].into_iter().filter(|script| has(script)) {
        good &= ledger.must(&format!("web {script}"), || run::check(&mut npm::web_script(script)));
    }
    good
}

fn test_web(ledger: &mut Ledger) {
    let scripts = npm::web_scripts().unwrap_or_default();
    let has = |script: &str| scripts.iter().any(|name| name == script);
    if has("test") {
        ledger.tests("web tests", with_surroundings(&mut npm::web_script("test")), counts::of_vitest);
    }
    let mut program = run::cargo(&["build", "--quiet"]);
    if has("e2e") && ledger.must("program with web", || run::check(program.args(demo::WITH_WEB))) {
        let mut browser = npm::web_script("e2e");
        with_surroundings(&mut browser).env("JOURNEYMAN_BIN", workspace::target().join("debug/journeyman"));
        ledger.tests("browser tests", &mut browser, counts::of_closing_line);
    }
}

/// What tests may look for around them.
fn with_surroundings(command: &mut Command) -> &mut Command {
    let emulators = npm::emulators().join("node_modules/.bin");
    command.env("AIMOCK_BIN", emulators.join("aimock")).env("LLMOCK_BIN", emulators.join("llmock"));
    command.env("NO_COLOR", "1").env("CARGO_TERM_COLOR", "never");
    for name in ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "JOURNEYMAN_DATA"] {
        command.env_remove(name);
    }
    command
}

fn has_nextest_in_cargo_home() -> bool {
    run::capture(&mut run::cargo(&["nextest", "--version"])).is_ok()
}
