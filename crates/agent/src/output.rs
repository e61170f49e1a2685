//! From raw bytes to what a model reads: cleaned, and cut in the middle where it is long. What is cut is
//! kept whole as an artifact and as a file inside the sandbox.

use domain::event::Artifact;
use domain::limits::GuardProfile;

use crate::history::text_tokens;
use crate::port::JournalError;
use crate::tools::Hands;

/// Bytes per token of our estimate.
const BYTES_PER_TOKEN: usize = 4;
/// The strict profile cuts every result above this many tokens to its first and last half.
const STRICT_TOKENS: usize = 1_000;
/// The standard profile's limits, in tokens.
const BASH_TOKENS: usize = 8_000;
const SEARCH_TOKENS: usize = 4_000;
/// Pages of files are limited by the tool itself; this is the last resort.
const READ_TOKENS: usize = 30_000;
/// However small the window is, a result may have this many.
const LEAST_TOKENS: usize = 400;

/// A result as the model gets it.
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) artifact: Option<Artifact>,
}

/// A result as the tool gave it.
pub(crate) struct Whole {
    /// The text, cleaned.
    pub(crate) text: String,
    /// What was dropped before (output beyond what we keep), said to the model.
    pub(crate) dropped_bytes: u64,
    /// Stands after the text and is never cut: the exit code and its likes.
    pub(crate) footer: String,
}

impl Whole {
    pub(crate) const fn text(text: String) -> Self {
        Self { text, dropped_bytes: 0, footer: String::new() }
    }
}

/// The most tokens of one result of `tool`, where `room` is left in the window for the results of one
/// answer. A model with a small window gets less.
pub(crate) fn limit(tool: &str, profile: GuardProfile, room: u64) -> usize {
    let most = match (profile, tool) {
        (GuardProfile::Strict, _) => STRICT_TOKENS,
        (GuardProfile::Standard, "bash") => BASH_TOKENS,
        (GuardProfile::Standard, "read_file") => READ_TOKENS,
        (GuardProfile::Standard, _) => SEARCH_TOKENS,
    };
    most.min(usize::try_from(room).unwrap_or(usize::MAX).max(LEAST_TOKENS))
}

/// Cuts a result to `limit_tokens`; where it is longer, the whole is kept.
pub(crate) async fn show(
    whole: Whole,
    limit_tokens: usize,
    hands: &Hands<'_>,
) -> Result<Shown, JournalError> {
    let Whole { text, dropped_bytes, footer } = whole;
    let Some(mut cut) = cut(&text, limit_tokens) else {
        return Ok(Shown { text: text + &footer, artifact: None });
    };
    let name: String = hands.call.id.chars().map(file_letter).take(80).collect();
    let (lines, bytes) = (text.lines().count(), text.len());
    let path = format!("/tmp/journeyman/output/{name}.txt");
    let whole = text.into_bytes();
    let in_sandbox = hands.sandbox.write(&path, whole.clone()).await.is_ok();
    let artifact = hands.journal.keep("output", format!("{name}.txt"), whole).await?;
    let kept = if dropped_bytes > 0 {
        format!("its first and last part, {bytes} bytes; {dropped_bytes} bytes between them were dropped")
    } else {
        format!("{lines} lines, {bytes} bytes")
    };
    let place = if in_sandbox { path.as_str() } else { "an artifact of the run" };
    let gap = if cut.ends_with('\n') { "" } else { "\n" };
    cut.push_str(&format!("{gap}[The output was long. The whole of it ({kept}) is in {place}.]"));
    Ok(Shown { text: cut + &footer, artifact: Some(artifact) })
}

/// Call ids come from models: only what is harmless in a file name stays.
const fn file_letter(letter: char) -> char {
    if letter.is_ascii_alphanumeric() || letter == '-' || letter == '_' { letter } else { '_' }
}

/// The first and the last half of `limit_tokens`, at line ends where they are near; `None` where the text
/// is short enough.
pub(crate) fn cut(text: &str, limit_tokens: usize) -> Option<String> {
    if text_tokens(text) <= limit_tokens as u64 {
        return None;
    }
    let half = limit_tokens / 2 * BYTES_PER_TOKEN;
    let head_end = head_end(text, half);
    let tail_start = tail_start(text, text.len() - half);
    let omitted = &text[head_end..tail_start];
    let lines = omitted.matches('\n').count();
    let note = if lines == 0 {
        format!("[{} characters omitted]", omitted.chars().count())
    } else {
        format!("[{lines} lines omitted]")
    };
    let gap = if text[..head_end].ends_with('\n') { "" } else { "\n" };
    Some(format!("{}{gap}{note}\n{}", &text[..head_end], &text[tail_start..]))
}

fn head_end(text: &str, most: usize) -> usize {
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    match text[..end].rfind('\n') {
        Some(line) if line + 1 > end / 2 => line + 1,
        Some(_) | None => end,
    }
}

fn tail_start(text: &str, least: usize) -> usize {
    let start = (least..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    match text[start..].find('\n') {
        Some(line) if line + 1 < (text.len() - start) / 2 => start + line + 1,
        Some(_) | None => start,
    }
}

/// Bytes as text: invalid UTF-8 shown as �, escape sequences and control characters gone, and of a line
/// that was written over (progress bars) its last state.
pub(crate) fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if !text.bytes().any(|byte| (byte < b' ' && byte != b'\n' && byte != b'\t') || byte == 0x7f) {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut line_start = 0;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => skip_escape(&mut letters),
            '\r' if letters.peek().is_some_and(|next| *next != '\n' && *next != '\r') => {
                out.truncate(line_start)
            }
            '\u{8}' => {
                if out.len() > line_start {
                    out.pop();
                }
            }
            '\n' => {
                out.push('\n');
                line_start = out.len();
            }
            '\t' => out.push('\t'),
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

/// Skips what follows an escape character: `[` … letter, `]` … BEL or ESC \, or one letter.
fn skip_escape(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match letters.next() {
        Some('[') => {
            for letter in letters.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&letter) || letter == '\n' {
                    break;
                }
            }
        }
        Some(']' | 'P' | '_' | '^') => {
            let mut before = ' ';
            for letter in letters.by_ref() {
                if letter == '\u{7}' || (before == '\u{1b}' && letter == '\\') {
                    break;
                }
                before = letter;
            }
        }
        Some('(' | ')' | '#' | '%') => {
            letters.next();
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests;
