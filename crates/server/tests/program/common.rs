//! What the tests of the program share: its path, and scenarios.

/// The program.
pub(crate) const JOURNEYMAN: &str = env!("CARGO_BIN_EXE_journeyman");

/// Writes one file, and is done.
pub(crate) const WRITES_A_FILE: &str = r#"
title = "writes"
[[turn]]
say = "I write."
calls = [{ tool = "bash", arguments = { command = "echo x >> f.txt" } }]
[[turn]]
say = "Written."
[[turn]]
say = "It is as I said."
repeat = 50
"#;

/// Writes one line, is done, and writes another when asked for more.
pub(crate) const TWO_LINES: &str = r#"
title = "two"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "echo x >> f.txt" } }]
[[turn]]
say = "One."
[[turn]]
calls = [{ tool = "bash", arguments = { command = "echo y >> f.txt" } }]
[[turn]]
say = "Two."
"#;

/// Asks before it writes, and goes on whatever the answer.
pub(crate) const ASKS: &str = r#"
title = "asks"
[[turn]]
calls = [{ tool = "ask_user", arguments = { question = "Left or right?", options = ["left", "right"] } }]
[[turn]]
capture = { way = "(left|right)" }
calls = [{ tool = "bash", arguments = { command = "echo chosen > way.txt" } }]
[[turn]]
say = "Done."
"#;

/// Works for a second, so that there is time to do something meanwhile.
pub(crate) const WAITS_FOR_A_FILE: &str = r#"
title = "waits"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "sleep 1; echo x >> f.txt" } }]
[[turn]]
calls = [{ tool = "bash", arguments = { command = "cat f.txt" } }]
[[turn]]
say = "Done."
repeat = 5
"#;

/// Six commands that each leave a trace, slowly.
pub(crate) const SIX_TRACES: &str = r#"
title = "six"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "echo {{n}} >> trace.txt; sleep 0.3" } }]
repeat = 6
[[turn]]
say = "Done."
"#;
