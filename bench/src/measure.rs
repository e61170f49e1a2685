//! The measurements, by name, and the plan of which to take.

mod log;
mod many;
mod rounds;
mod sandboxes;

use crate::figures::Figure;
use crate::{machine, report};

type Measure = fn(&Plan) -> Result<Vec<Figure>, String>;

/// Every measurement: its name, what it is, and how it is taken.
const ALL: &[(&str, &str, Measure)] = &[
    ("disk", "how fast this disk makes bytes durable", |_| machine::disk()),
    ("start", "from the start of `journeyman do` to the first request", rounds::start),
    ("rounds", "own time per round over 30 rounds, beside the bare loop", rounds::short),
    ("long", "own time per round at round 300 against round 10", rounds::long),
    ("wires", "own time per round with each provider's API", rounds::wires),
    ("many", "50 runs at once on one server: time and memory", many::measure),
    ("sandbox", "sandboxes: create, command, freeze, fork, many; beside bwrap and runc", sandboxes::measure),
    ("log", "durable events a second, and opening a page of 10,000", log::measure),
];

/// What to measure and where to put it.
#[derive(Debug)]
pub(crate) struct Plan {
    only: Vec<String>,
    /// Runs of each kind; the first, which warms up, is not counted among them.
    pub(crate) runs: u32,
    does_write: bool,
    does_list: bool,
}

impl Plan {
    pub(crate) fn parse(flags: &[&str]) -> Result<Self, String> {
        let mut plan = Self { only: Vec::new(), runs: 5, does_write: false, does_list: false };
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            match *flag {
                "--write" => plan.does_write = true,
                "--list" => plan.does_list = true,
                "--runs" => {
                    let number = flags.next().and_then(|number| number.parse().ok());
                    plan.runs = number.filter(|runs| *runs > 0).ok_or("--runs needs a number")?;
                }
                "--only" => {
                    let names = flags.next().ok_or("--only needs names")?;
                    plan.only.extend(names.split(',').map(str::to_owned));
                }
                unknown => return Err(format!("`{unknown}` is not known; see `bench help`")),
            }
        }
        match plan.only.iter().find(|name| !ALL.iter().any(|(known, ..)| known == name)) {
            Some(unknown) => Err(format!("there is no measurement `{unknown}`; see --list")),
            None => Ok(plan),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }
}

/// Takes the planned measurements. One that cannot be taken does not keep us from the others, but the
/// whole has failed then.
pub(crate) fn run(plan: &Plan) -> Result<(), String> {
    if plan.does_list {
        ALL.iter().for_each(|(name, what, _)| println!("{name:<8} {what}"));
        return Ok(());
    }
    let mut report = report::Report::begin();
    let mut failed = Vec::new();
    for (name, what, measure) in ALL.iter().filter(|(name, ..)| plan.has(name)) {
        eprintln!("measuring {name}: {what}");
        match measure(plan) {
            Ok(figures) => report.add(name, figures),
            Err(error) => {
                eprintln!("{name}: {error}");
                failed.push(*name);
            }
        }
    }
    report.print();
    report.save()?;
    if plan.does_write {
        report.write_document()?;
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not measured: {}", failed.join(", "))) }
}
