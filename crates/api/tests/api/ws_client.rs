//! A WebSocket client that does only what these tests need, and nothing on its own.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rig::HOST;

/// An open socket.
pub(crate) struct Client {
    wire: TcpStream,
    held: Vec<u8>,
}

impl Client {
    /// Opens a socket with these headers, or says with which status it was refused.
    pub(crate) async fn open(address: SocketAddr, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut wire = TcpStream::connect(address).await.expect("connect");
        let mut text = format!(
            "GET /v1/ws HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        wire.write_all(text.as_bytes()).await.expect("send the request");
        let mut held = Vec::new();
        let end = loop {
            if let Some(at) = held.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(wire.read_buf(&mut held).await.expect("read the answer") > 0, "closed in the head");
        };
        let head = String::from_utf8_lossy(&held[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        held.drain(..end);
        if status == 101 { Ok(Self { wire, held }) } else { Err(status) }
    }

    /// Sends a text; masked, as clients must, with a mask of zeros.
    pub(crate) async fn send(&mut self, text: &str) {
        let mut frame = vec![0x81];
        match u16::try_from(text.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | u8::try_from(length).unwrap_or(0)),
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(text.len() as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        // A server that has closed is noticed by reading.
        let _ = self.wire.write_all(&frame).await;
    }

    /// The next text as JSON; `None` when the server has closed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((opcode, payload)) = self.take_frame() {
                match opcode {
                    1 => return Some(serde_json::from_slice(&payload).expect("JSON")),
                    8 => return None,
                    _ => continue,
                }
            }
            if self.wire.read_buf(&mut self.held).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next message that has this field.
    pub(crate) async fn next_with(&mut self, field: &str) -> Option<Value> {
        loop {
            let message = self.next().await?;
            if let Some(value) = message.get(field) {
                return Some(value.clone());
            }
        }
    }

    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (first, second) = (*self.held.first()?, *self.held.get(1)?);
        let (start, length) = match second & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes(self.held.get(2..4)?.try_into().ok()?))),
            127 => {
                let length = u64::from_be_bytes(self.held.get(2..10)?.try_into().ok()?);
                (10, usize::try_from(length).ok()?)
            }
            length => (2, usize::from(length)),
        };
        let payload = self.held.get(start..start + length)?.to_vec();
        self.held.drain(..start + length);
        Some((first & 0x0f, payload))
    }
}
