//! Cleaning and cutting.

use super::*;

#[test]
fn escapes_controls_and_broken_utf8_are_cleaned() {
    assert_eq!(clean(b"plain\n\ttext"), "plain\n\ttext");
    assert_eq!(clean(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07ok\x1b(B\n"), "red ok\n");
    assert_eq!(clean(b"10%\r50%\r100%\nnext\r\nlast\x00\x07"), "100%\nnext\nlast");
    assert_eq!(clean(b"ab\x08c"), "ac");
    assert_eq!(clean(b"caf\xc3\xa9 \xff!"), "café \u{fffd}!");
}

#[test]
fn a_long_text_keeps_its_first_and_last_half_and_says_how_many_lines_are_gone() {
    let text: String = (1..=1_000).map(|n| format!("line number {n}\n")).collect();
    let cut = cut(&text, 1_000).unwrap();
    let (head, tail) = cut.split_once(" lines omitted]\n").unwrap();
    let (head, omitted) = head.rsplit_once('[').unwrap();
    assert!(head.starts_with("line number 1\n") && head.ends_with('\n') && head.len() <= 2_000);
    assert!(tail.starts_with("line number ") && tail.ends_with("line number 1000\n") && tail.len() <= 2_000);
    let shown = head.lines().count() + tail.lines().count();
    assert_eq!(shown + omitted.parse::<usize>().unwrap(), 1_000);
    assert_eq!(super::cut("short", 1_000), None);
}

#[test]
fn one_endless_line_is_cut_by_characters() {
    let cut = cut(&"é".repeat(10_000), 100).unwrap();
    assert!(cut.contains("characters omitted]"), "{cut}");
    assert!(cut.len() < 500);
}
