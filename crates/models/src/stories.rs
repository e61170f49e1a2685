//! The built-in stories and the sample projects that they play on.

/// A file of a sample project: its path, what is in it, whether it can be run.
pub type ProjectFile = (&'static str, &'static str, bool);

struct Story {
    name: &'static str,
    scenario: &'static str,
    project: &'static [ProjectFile],
}

macro_rules! project {
    ($story:literal: $($path:literal $executable:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../stories/", $story, "/project/", $path)), $executable)),*]
    };
}

const STORIES: &[Story] = &[Story {
    name: "shop",
    scenario: include_str!("../stories/shop/story.toml"),
    project: project!("shop":
        "README.md" false,
        "AGENTS.md" false,
        "shop.sh" true,
        "test.sh" true,
        "lib/cart.sh" false,
        "lib/checkout.sh" false,
        "lib/money.sh" false,
        "lib/payment.sh" false,
    ),
}];

/// The names of the stories.
#[must_use]
pub fn names() -> Vec<&'static str> {
    STORIES.iter().map(|story| story.name).collect()
}

/// The scenario of the story `name`.
#[must_use]
pub fn scenario(name: &str) -> Option<&'static str> {
    find(name).map(|story| story.scenario)
}

/// The goal that starts the story `name`.
#[must_use]
pub fn goal(name: &str) -> Option<String> {
    let scenario = crate::scripted::Scenario::parse(scenario(name)?, name).ok()?;
    Some(scenario.goal)
}

/// The files of the sample project of the story `name`.
#[must_use]
pub fn project(name: &str) -> Option<&'static [ProjectFile]> {
    find(name).map(|story| story.project)
}

fn find(name: &str) -> Option<&'static Story> {
    STORIES.iter().find(|story| story.name == name)
}
