//! Every name comes back from its text.

use super::*;

#[test]
fn every_name_comes_back_and_plain_ones_stay_plain() {
    let names: [&[u8]; 9] = [
        b"plain",
        "é ✓ 日本".as_bytes(),
        b"\xff",
        b"a\xc3",
        b"\xc3\xa9\xe2\x9c",
        "\u{ef80}".as_bytes(),
        "x\u{efff}y\u{ef7f}".as_bytes(),
        b"mixed \xee\xbe\x80 \x80 \\xff",
        b"",
    ];
    let mut texts = std::collections::HashSet::new();
    for name in names {
        let name = OsStr::from_bytes(name);
        let text = to_text(name);
        assert_eq!(from_text(&text), name, "{text:?}");
        assert!(texts.insert(text));
    }
    assert_eq!(to_text(OsStr::new("é ✓")), "é ✓");
    assert_eq!(to_text(OsStr::from_bytes(b"a\xff")), "a\u{efff}");
}
