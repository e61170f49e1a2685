//! The least of HTTP that the bare loop needs: one kept connection, a JSON request, a chunked answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// One kept connection to 127.0.0.1.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a request and returns the whole body of the chunked answer.
    pub(crate) fn post(&mut self, path: &str, body: &str) -> std::io::Result<String> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        while self.line()?.trim() != "" {}
        let mut answer = Vec::new();
        loop {
            let size = usize::from_str_radix(self.line()?.trim(), 16).map_err(std::io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk)?;
            if size == 0 {
                return String::from_utf8(answer).map_err(std::io::Error::other);
            }
            answer.extend_from_slice(&chunk[..size]);
        }
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line),
        }
    }
}
