//! What was measured, for the terminal, for machines, and for `docs/BENCHMARKS.md`.

use crate::figures::{Bound, Figure};
use crate::folder;
use crate::machine::Machine;

const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --write` -->";
const END: &str = "<!-- end of figures -->";

/// All figures of one run of the benchmarks.
#[derive(serde::Serialize)]
pub(crate) struct Report {
    machine: Machine,
    parts: Vec<(String, Vec<Figure>)>,
}

impl Report {
    pub(crate) fn begin() -> Self {
        Self { machine: Machine::this(), parts: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: &str, figures: Vec<Figure>) {
        self.parts.push((name.to_owned(), figures));
    }

    fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.parts.iter().flat_map(|(_, figures)| figures)
    }

    pub(crate) fn print(&self) {
        for figure in self.figures() {
            let verdict = match figure.holds() {
                Some(true) => "ok",
                Some(false) => "MISSED",
                None => "",
            };
            let (name, value) = (&figure.name, number(figure.value));
            println!("{name:<52} {value:>10} {:<6} {:<12} {verdict}", figure.unit, wanted(figure));
        }
    }

    /// Keeps the figures as JSON under `bench/results`.
    pub(crate) fn save(&self) -> Result<(), String> {
        let folder = folder::results();
        let text =
            serde_json::to_string_pretty(self).map_err(|error| format!("cannot write figures: {error}"))?;
        let path = folder.join(format!("{}-{}.json", self.machine.date, self.machine.commit));
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// Replaces the figures in `docs/BENCHMARKS.md`; the words around them stay.
    pub(crate) fn write_document(&self) -> Result<(), String> {
        let path = folder::root().join("docs/BENCHMARKS.md");
        let old = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let new = replace_between(&old, &self.markdown())?;
        std::fs::write(&path, new).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    fn markdown(&self) -> String {
        let Machine { date, commit, processor, cores, memory_gib, kernel, load } = &self.machine;
        let mut text = format!(
            "{date}, commit {commit}: {cores} cores of {processor}, {memory_gib} GiB, {kernel}; load before: {load}.\n\n| measured | value | wanted |\n| --- | ---: | --- |\n"
        );
        for figure in self.figures() {
            let missed = if figure.holds() == Some(false) { " (missed)" } else { "" };
            let line = format!(
                "| {} | {} {} | {}{missed} |\n",
                figure.name,
                number(figure.value),
                figure.unit,
                wanted(figure)
            );
            text.push_str(&line);
        }
        text
    }
}

fn replace_between(old: &str, new: &str) -> Result<String, String> {
    let parts = old.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or("docs/BENCHMARKS.md has no place for the figures")?;
    Ok(format!("{before}{BEGIN}\n{new}{END}{after}"))
}

fn wanted(figure: &Figure) -> String {
    match figure.wanted {
        Some(Bound::AtMost(limit)) => format!("<= {limit}"),
        Some(Bound::AtLeast(limit)) => format!(">= {limit}"),
        None => String::new(),
    }
}

fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_figures_replace_the_old_ones_only() {
        let old = format!("# Benchmarks\n\n{BEGIN}\nold\n{END}\n\nHow.\n");
        let expected = format!("# Benchmarks\n\n{BEGIN}\n| new |\n{END}\n\nHow.\n");
        assert_eq!(replace_between(&old, "| new |\n"), Ok(expected));
        assert!(replace_between("# Benchmarks\n", "| new |\n").is_err());
    }
}
