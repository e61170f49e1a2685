use super::*;

const TEXT: &str = "Hello wörld, my key is sk-ant-api03-abcdefgh12345678 and Authorization: Bearer abcdefghij12 \
                    then hunter two words end\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb\nnNza\n\
                    -----END OPENSSH PRIVATE KEY-----\nthe end";
const WANTED: &str = "Hello wörld, my key is [redacted] and Authorization: Bearer [redacted] \
                      then [redacted] end\n[redacted]\nthe end";

fn redactor() -> Redactor {
    Redactor::new(["hunter two words".into()])
}

#[test]
fn however_a_text_is_cut_into_pieces_the_outcome_is_the_same() {
    let boundaries: Vec<usize> = TEXT.char_indices().map(|(at, _)| at).collect();
    for size in 1..boundaries.len() {
        let mut stream = RedactStream::new(redactor());
        let mut shown = String::new();
        for start in (0..boundaries.len()).step_by(size) {
            let end = boundaries.get(start + size).copied().unwrap_or(TEXT.len());
            shown.push_str(&stream.push(&TEXT[boundaries[start]..end]));
        }
        shown.push_str(&stream.finish());
        assert_eq!(shown, WANTED, "pieces of {size}");
    }
}

#[test]
fn whole_words_come_at_once() {
    let mut stream = RedactStream::new(redactor());
    assert_eq!(stream.push("I look at the test. "), "I look at the test. ");
    assert_eq!(stream.push("It fai"), "It ");
    assert_eq!(stream.push("ls\n"), "fails\n");
}

#[test]
fn a_text_without_end_or_spaces_is_not_held_for_ever() {
    let mut stream = RedactStream::new(redactor());
    let mut shown = 0;
    for _ in 0..100 {
        shown += stream.push(&"x".repeat(1024)).len();
        assert!(stream.held.len() <= HELD_MAX_BYTES + 1024);
    }
    assert!(shown >= 80 * 1024);
}

#[test]
fn a_private_key_that_never_ends_is_never_shown() {
    let mut stream = RedactStream::new(redactor());
    let mut shown = stream.push("key:\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n");
    for _ in 0..100 {
        shown.push_str(&stream.push("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\n"));
    }
    shown.push_str(&stream.finish());
    assert_eq!(shown, "key:\n[redacted]");
}
