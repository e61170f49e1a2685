//! What people read instead of a tool's JSON.

use domain::event::ToolLabel;

/// The longest target of a label, in characters.
const TARGET_MAX: usize = 120;

/// A label; the target's first line, cut where it is long.
pub(crate) fn label(verb: &str, target: &str) -> ToolLabel {
    let mut lines = target.trim().lines();
    let first = lines.next().unwrap_or_default();
    let mut text: String = first.chars().take(TARGET_MAX).collect();
    if first.chars().count() > TARGET_MAX || lines.next().is_some() {
        text.push('…');
    }
    ToolLabel { verb: verb.to_owned(), target: text }
}

/// `1 line`, `48 lines`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// `+9 −2`.
pub(crate) fn change(added: usize, removed: usize) -> String {
    format!("+{added} −{removed}")
}
