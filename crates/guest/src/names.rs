//! Names of files as text, without loss.
//!
//! A name of Unix is bytes; what we speak is text. Bytes that are no UTF-8 are written as the letters U+EF80 to
//! U+EFFF, one each. Such a letter in a name is itself written byte by byte, so that no two names have one text.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// The letter of byte 0; those of 0x80 to 0xff are used.
const FIRST: u32 = 0xef00;

/// The text of a name.
#[must_use]
pub fn to_text(name: &OsStr) -> String {
    if let Some(text) = name.to_str().filter(|text| !text.contains(is_escape)) {
        return text.to_owned();
    }
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for letter in chunk.valid().chars() {
            if is_escape(letter) {
                text.extend(letter.encode_utf8(&mut [0; 4]).bytes().filter_map(escape));
            } else {
                text.push(letter);
            }
        }
        text.extend(chunk.invalid().iter().copied().filter_map(escape));
    }
    text
}

/// The name that a text stands for.
#[must_use]
pub fn from_text(text: &str) -> OsString {
    if !text.contains(is_escape) {
        return OsString::from(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match u8::try_from(u32::from(letter).wrapping_sub(FIRST)) {
            Ok(byte) if is_escape(letter) => bytes.push(byte),
            _ => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    OsString::from_vec(bytes)
}

fn is_escape(letter: char) -> bool {
    ('\u{ef80}'..='\u{efff}').contains(&letter)
}

fn escape(byte: u8) -> Option<char> {
    char::from_u32(FIRST + u32::from(byte))
}

#[cfg(test)]
mod tests;
