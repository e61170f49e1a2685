//! Small pieces of text: shortened, cleaned, counted.

/// Takes out what could move the cursor, change colours or turn the reading direction: file names and a
/// model's words are not to be trusted with the terminal. Line ends stay.
pub(crate) fn clean(text: &str) -> String {
    let harmless = |c: &char| *c == '\n' || !(c.is_control() || is_direction(*c));
    text.replace('\t', "    ").chars().filter(harmless).collect()
}

const fn is_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}')
}

/// The first line, marked where more follow.
pub(crate) fn first_line(text: &str) -> String {
    let text = text.trim();
    match text.split_once('\n') {
        Some((first, _)) => format!("{} …", shorten(first.trim_end(), 160)),
        None => shorten(text, 160),
    }
}

/// At most `limit` characters, marked where more follow.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `1 file`, `2 files`
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `6.4 s`, `2 min 5 s`
pub(crate) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `0:07`, `12:30`, `1:02:03`
pub(crate) fn clock(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `812`, `14.2k`, `1.1M`
pub(crate) fn tokens(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        1000..1_000_000 => format!("{}.{}k", number / 1000, number % 1000 / 100),
        _ => format!("{}.{}M", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}

/// Rows as columns, each as wide as its widest cell; the last one is not padded.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_play_with_the_terminal_is_taken_out() {
        assert_eq!(clean("a\x1b[31mb\rc\u{202E}d\te\n\u{9b}f"), "a[31mbcd    e\nf");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [450, 6_400, 125_000, 7_260_000].map(duration),
            ["0.4 s", "6.4 s", "2 min 5 s", "2 h 1 min"]
        );
        assert_eq!([7_000, 750_000, 3_723_000, -5].map(clock), ["0:07", "12:30", "1:02:03", "0:00"]);
        assert_eq!([812, 14_250, 1_100_000].map(tokens), ["812", "14.2k", "1.1M"]);
        assert_eq!((count(1, "file"), count(0, "file")), ("1 file".to_owned(), "0 files".to_owned()));
        assert_eq!((first_line(" a\nb"), shorten("äöü", 2)), ("a …".to_owned(), "äö…".to_owned()));
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["1", "long", "x"], ["22", "s", ""]];
        assert_eq!(columns(&rows.map(|row| row.map(str::to_owned).to_vec())), "1   long  x\n22  s");
    }
}
