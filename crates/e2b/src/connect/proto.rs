//! What protobuf's JSON form does differently: bytes are base64, enums are names or numbers, both spellings of
//! a field's name are read, and what has its default may be absent.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::STANDARD as CANONICAL;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer};

/// Reading takes padding or none.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const READ_STANDARD: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const READ_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Bytes as they are written.
pub(crate) fn base64(bytes: &[u8]) -> String {
    CANONICAL.encode(bytes)
}

/// Bytes as they may be read: both alphabets, with padding or without.
pub(crate) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let Some(text) = <Option<String>>::deserialize(deserializer)? else { return Ok(None) };
    let read = READ_STANDARD.decode(&text).or_else(|_| READ_URL_SAFE.decode(&text));
    read.map(Some).map_err(|_| serde::de::Error::custom("bytes are not base64"))
}

/// A value whose absence and whose null are its default.
pub(crate) fn default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(<Option<T>>::deserialize(deserializer)?.unwrap_or_default())
}

/// A moment as protobuf writes it: RFC 3339 in UTC.
pub(crate) fn timestamp(at_ms: i64) -> String {
    crate::time::rfc3339(at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Input {
        #[serde(default, deserialize_with = "bytes")]
        stdin: Option<Vec<u8>>,
        #[serde(default, deserialize_with = "default")]
        depth: u32,
    }

    #[test]
    fn bytes_are_read_in_every_form_that_protobuf_allows() -> serde_json::Result<()> {
        for text in ["+/8=", "+/8", "-_8", "-_8="] {
            let read: Input = serde_json::from_str(&format!(r#"{{"stdin":"{text}","depth":null}}"#))?;
            assert_eq!((read.stdin, read.depth), (Some(vec![0xfb, 0xff]), 0), "{text}");
        }
        assert_eq!(serde_json::from_str::<Input>("{}")?.stdin, None);
        assert!(serde_json::from_str::<Input>(r#"{"stdin":"*"}"#).is_err());
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
        Ok(())
    }
}
