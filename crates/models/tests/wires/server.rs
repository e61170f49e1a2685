//! A server that gives canned answers, in order, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// What is done after the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The body ends as it should.
    Proper,
    /// The connection is closed without an end.
    Cut,
    /// Nothing more ever comes.
    Hang,
}

/// A canned answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) end: End,
}

impl Reply {
    /// A stream of events.
    pub(crate) fn stream(body: &str) -> Self {
        let headers = vec![("content-type", "text/event-stream".into())];
        Self { status: 200, headers, chunks: vec![body.into()], end: End::Proper }
    }

    /// Another status with a body.
    pub(crate) fn status(status: u16, body: &str) -> Self {
        let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
        let headers = vec![("content-type", kind.into())];
        Self { status, headers, chunks: vec![body.into()], end: End::Proper }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The body in pieces of `size` bytes.
    pub(crate) fn in_pieces(mut self, size: usize) -> Self {
        self.chunks = self.chunks.concat().chunks(size).map(<[u8]>::to_vec).collect();
        self
    }

    pub(crate) fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

/// What was asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: String,
    pub(crate) body: String,
}

#[derive(Debug, Default)]
struct Seen {
    replies: VecDeque<Reply>,
    asked: Vec<Asked>,
    connections: usize,
}

/// The server.
pub(crate) struct Server {
    port: u16,
    scheme: &'static str,
    seen: Arc<Mutex<Seen>>,
    /// How many connections the other side has closed.
    closed: watch::Sender<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_with(replies, None).await
    }

    /// A server behind TLS, with a certificate of the authority in `tls/authority.pem`.
    pub(crate) async fn start_secure(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_with(replies, Some(acceptor())).await
    }

    #[expect(clippy::disallowed_methods, reason = "an outside server has tasks of its own")]
    async fn start_with(replies: impl IntoIterator<Item = Reply>, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let seen = Arc::new(Mutex::new(Seen { replies: replies.into_iter().collect(), ..Seen::default() }));
        let closed = watch::Sender::new(0);
        let (shared, closing) = (Arc::clone(&seen), closed.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                shared.lock().unwrap().connections += 1;
                let (shared, closing, acceptor) = (Arc::clone(&shared), closing.clone(), acceptor.clone());
                tokio::spawn(async move {
                    // A client that goes away is part of the tests.
                    let _ = match acceptor {
                        None => serve(stream, &shared).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => serve(stream, &shared).await,
                            Err(error) => Err(error),
                        },
                    };
                    closing.send_modify(|closed| *closed += 1);
                });
            }
        });
        Self { port, scheme, seen, closed, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().asked.clone()
    }

    pub(crate) fn bodies(&self) -> Vec<serde_json::Value> {
        self.asked().iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub(crate) async fn wait_until_closed(&self) {
        self.closed.subscribe().wait_for(|closed| *closed > 0).await.unwrap();
    }
}

/// TLS with a key that is for this test alone.
fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read_request(&mut stream).await? {
        let reply = {
            let mut seen = seen.lock().unwrap();
            seen.asked.push(asked);
            seen.replies.pop_front().unwrap_or_else(|| Reply::status(404, r#"{"error":"no reply is left"}"#))
        };
        let mut head = format!("HTTP/1.1 {} Canned\r\ntransfer-encoding: chunked\r\n", reply.status);
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await?;
        for chunk in reply.chunks.iter().filter(|chunk| !chunk.is_empty()) {
            let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
            stream.write_all(&framed).await?;
        }
        match reply.end {
            End::Proper => stream.write_all(b"0\r\n\r\n").await?,
            End::Cut => return Ok(()),
            End::Hang => {
                stream.read_u8().await?;
            }
        }
    }
    Ok(())
}

async fn read_request(stream: &mut BufReader<impl AsyncRead + Unpin>) -> std::io::Result<Option<Asked>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok(Some(Asked { path, headers: head, body: String::from_utf8(body).unwrap() }))
}
