//! What clients keep beside a file: `X-Metadata-<key>: <value>`.

use std::collections::BTreeMap;

use axum::http::HeaderMap;

use crate::problem::{Problem, Result};

const PREFIX: &str = "x-metadata-";
/// The file system keeps a key as `user.e2b.<key>`, in at most 255 bytes.
const KEY_MAX_BYTES: usize = 246;
/// All of a file's metadata, with the nine bytes before each key.
const ALL_MAX_BYTES: usize = 4_096;

/// The metadata in the headers; of a key that comes twice, the first value.
pub(super) fn of(headers: &HeaderMap) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut bytes = 0;
    for (name, value) in headers {
        let Some(key) = name.as_str().strip_prefix(PREFIX) else { continue };
        if found.contains_key(key) {
            continue;
        }
        let value = value.to_str().ok().filter(|text| text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
        let value =
            value.ok_or_else(|| Problem::bad(format!("the metadata {key} is not printable ASCII")))?;
        if key.is_empty() || key.len() > KEY_MAX_BYTES {
            return Err(Problem::bad(format!("a metadata key has 1 to {KEY_MAX_BYTES} bytes")));
        }
        bytes += "user.e2b.".len() + key.len() + value.len();
        found.insert(key.to_owned(), value.to_owned());
    }
    if bytes > ALL_MAX_BYTES {
        return Err(Problem::bad(format!("a file has at most {ALL_MAX_BYTES} bytes of metadata")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_pairs(pairs: &[(&str, &[u8])]) -> Result<BTreeMap<String, String>> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: axum::http::HeaderName = name.parse().expect("a name");
            headers.append(name, axum::http::HeaderValue::from_bytes(value).expect("a value"));
        }
        of(&headers)
    }

    #[test]
    fn keys_lose_their_prefix_and_the_first_value_wins() -> Result<()> {
        let found =
            of_pairs(&[("X-Metadata-Author", b"mish"), ("x-metadata-author", b"x"), ("x-other", b"y")])?;
        assert_eq!(found, BTreeMap::from([("author".to_owned(), "mish".to_owned())]));
        Ok(())
    }

    #[test]
    fn what_a_file_system_cannot_keep_is_refused() {
        let long = "x".repeat(4_090);
        for pairs in [
            [("x-metadata-a", "ä".as_bytes())],
            [("x-metadata-a", b"\t")],
            [("x-metadata-", b"x")],
            [("x-metadata-a", long.as_bytes())],
        ] {
            assert!(of_pairs(&pairs).is_err(), "{pairs:?}");
        }
    }
}
