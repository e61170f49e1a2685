//! Redaction of a text that comes in pieces.
//!
//! A piece is held back until it is clear that no secret begins in it and ends in the next one; that is
//! the last word as a rule, and never more than [`HELD_MAX_BYTES`].

use crate::redact::{MARK, Redactor, Shapes};

/// The most text that is held back.
pub const HELD_MAX_BYTES: usize = 16 * 1024;

/// Takes the secrets out of one stream of text.
#[derive(Debug)]
pub struct RedactStream {
    redactor: Redactor,
    held: String,
    inside_private_key: bool,
}

impl RedactStream {
    /// A stream at its beginning.
    #[must_use]
    pub const fn new(redactor: Redactor) -> Self {
        Self { redactor, held: String::new(), inside_private_key: false }
    }

    /// Takes the next piece and returns what is now safe to show; may be empty.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let mut shown = String::new();
        self.skip_private_keys(&mut shown);
        if !self.inside_private_key {
            let cut = self.safe_cut();
            let rest = self.held.split_off(cut);
            shown.push_str(&self.redactor.redact(&self.held));
            self.held = rest;
        }
        shown
    }

    /// Returns the rest at the stream's end.
    #[must_use]
    pub fn finish(mut self) -> String {
        if self.inside_private_key {
            return String::new();
        }
        let rest = std::mem::take(&mut self.held);
        self.redactor.redact(&rest).into_owned()
    }

    /// Replaces private keys, whose end may be many pieces away, by the mark as soon as they begin.
    fn skip_private_keys(&mut self, shown: &mut String) {
        let Some(shapes) = Shapes::get() else { return };
        loop {
            if self.inside_private_key {
                let Some(end) = shapes.pem_end.find(&self.held) else {
                    self.held = tail(&self.held, 128).to_owned();
                    return;
                };
                self.held.drain(..end.end());
                self.inside_private_key = false;
            }
            let Some(begin) = shapes.pem_begin.find(&self.held) else { return };
            let (start, end) = (begin.start(), begin.end());
            shown.push_str(&self.redactor.redact(&self.held[..start]));
            shown.push_str(MARK);
            self.held.drain(..end);
            self.inside_private_key = true;
        }
    }

    /// Up to where no secret can reach into the next piece.
    fn safe_cut(&self) -> usize {
        let held = self.held.as_str();
        let mut cut = held.rfind(char::is_whitespace).map_or(0, |at| at + width_at(held, at));
        let label = Shapes::get().and_then(|shapes| shapes.label_at_end.find(&held[..cut]));
        cut = label.map_or(cut, |label| label.start());
        if let Some(dashes) = held[..cut].rfind("-----BEGIN")
            && !held[dashes + 10..cut].contains("-----")
            && cut - dashes < 64
        {
            cut = dashes;
        }
        if held.len() - cut > HELD_MAX_BYTES {
            let outside_a_key = |c: char| !(c.is_ascii_alphanumeric() || "_-./+=~".contains(c));
            cut = held.rfind(outside_a_key).map_or(held.len(), |at| at + width_at(held, at));
            if held.len() - cut > HELD_MAX_BYTES {
                cut = held.len();
            }
        }
        self.before_begun_values(cut)
    }

    /// Moves the cut to before any known value that has begun and not ended.
    fn before_begun_values(&self, cut: usize) -> usize {
        let held = self.held.as_str();
        let mut safe = cut;
        for value in self.redactor.values() {
            let value = value.expose();
            let first = held.floor_char_boundary((cut + 1).saturating_sub(value.len()));
            let begun = (first..safe).find(|start| {
                held.get(*start..).is_some_and(|rest| {
                    value.starts_with(rest) || (rest.starts_with(value) && start + value.len() > cut)
                })
            });
            safe = begun.unwrap_or(safe);
        }
        safe
    }
}

fn width_at(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

/// The last `size_bytes` of a text, or a little less.
fn tail(text: &str, size_bytes: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(size_bytes))..]
}

#[cfg(test)]
mod tests;
