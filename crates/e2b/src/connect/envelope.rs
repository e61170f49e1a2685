//! Envelopes: each message of a stream is one byte of flags, four bytes of length, and the message.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde_json::json;

use super::code::{Code, ConnectError, Result};

/// The flag of a compressed message. We offer no compression, so nobody may send one.
const COMPRESSED: u8 = 0b01;
/// The flag of the message that ends a stream.
const END: u8 = 0b10;
const HEAD_BYTES: usize = 5;
/// The largest message that is read. Input for a process is split by its sender well below this.
const MESSAGE_MAX_BYTES: usize = 16 << 20;

/// One message as an envelope.
pub(crate) fn message(json: &[u8]) -> Bytes {
    envelope(0, json)
}

/// The end of a stream, with an error where it ended badly.
pub(crate) fn end(error: Option<&ConnectError>) -> Bytes {
    let body = match error {
        Some(error) => json!({ "error": error.json() }),
        None => json!({}),
    };
    envelope(END, body.to_string().as_bytes())
}

fn envelope(flags: u8, payload: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEAD_BYTES + payload.len());
    bytes.put_u8(flags);
    // Messages are made of pieces of output, far below four gigabytes.
    bytes.put_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    bytes.put_slice(payload);
    bytes.freeze()
}

/// Takes envelopes out of bytes that come in any pieces.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// Adds what came.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message; `None` until more comes.
    ///
    /// # Errors
    ///
    /// Where the envelope is compressed, ends the stream (only servers do that) or is too large.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>> {
        let Some((head, _)) = self.buffer.split_at_checked(HEAD_BYTES) else { return Ok(None) };
        let flags = head[0];
        let length = usize::try_from(u32::from_be_bytes([head[1], head[2], head[3], head[4]]));
        let length = length.unwrap_or(usize::MAX);
        if flags & COMPRESSED != 0 {
            return Err(ConnectError::new(
                Code::Internal,
                "sent compressed message without compression support",
            ));
        }
        if flags != 0 {
            return Err(ConnectError::invalid(format!("an envelope has the unknown flags {flags:#04x}")));
        }
        if length > MESSAGE_MAX_BYTES {
            let detail = format!("a message of {length} bytes is larger than {MESSAGE_MAX_BYTES}");
            return Err(ConnectError::new(Code::ResourceExhausted, detail));
        }
        if self.buffer.len() < HEAD_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(HEAD_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Whether nothing is left over.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() -> Result<()> {
        let sent = [message(b"{}"), message(br#"{"a":1}"#), message(b"")].concat();
        for piece in 1..sent.len() {
            let (mut decoder, mut seen) = (Decoder::default(), Vec::new());
            for part in sent.chunks(piece) {
                decoder.push(part);
                while let Some(found) = decoder.next()? {
                    seen.push(found);
                }
            }
            assert_eq!(seen, [&b"{}"[..], br#"{"a":1}"#, b""], "in pieces of {piece}");
            assert!(decoder.is_empty());
        }
        Ok(())
    }

    #[test]
    fn an_envelope_that_lies_is_refused_before_its_bytes_are_waited_for() {
        let refused = |head: [u8; 5]| {
            let mut decoder = Decoder::default();
            decoder.push(&head);
            decoder.next().expect_err("a refusal").code
        };
        assert_eq!(refused([0, 0xff, 0xff, 0xff, 0xff]), Code::ResourceExhausted);
        assert_eq!(refused([COMPRESSED, 0, 0, 0, 1]), Code::Internal);
        assert_eq!(refused([END, 0, 0, 0, 2]), Code::InvalidArgument);
        assert_eq!(refused([0x80, 0, 0, 0, 2]), Code::InvalidArgument);
    }

    #[test]
    fn a_half_envelope_is_not_a_message() -> Result<()> {
        let mut decoder = Decoder::default();
        decoder.push(&message(b"{\"tag\":\"x\"}")[..9]);
        assert_eq!(decoder.next()?, None);
        assert!(!decoder.is_empty());
        Ok(())
    }

    #[test]
    fn the_end_tells_the_error() {
        let error = ConnectError::new(Code::NotFound, "no such process");
        let bytes = end(Some(&error));
        assert_eq!(bytes[0], END);
        assert_eq!(&bytes[5..], br#"{"error":{"code":"not_found","message":"no such process"}}"#);
        assert_eq!(&end(None)[..], &[END, 0, 0, 0, 2, b'{', b'}']);
    }
}
