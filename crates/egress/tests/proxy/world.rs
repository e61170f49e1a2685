//! A sandbox's session over real sockets, with names that resolve as the test says, and a server outside.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use domain::{OrgId, SandboxId};
use egress::{
    Audit, Limits, Outside, OutsideConfig, Parts, Policy, PrivateRule, Proxy, Refused, Resolve, SandboxRef,
    Serving,
};
use futures_util::future::BoxFuture;
use runtime::{Ambient, Supervisor};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// Names as the test says; each question takes the next answer, the last one stays.
#[derive(Default)]
pub(crate) struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn put(&self, name: &str, answers: &[&[&str]]) {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().expect("an address")).collect();
        self.answers.lock().unwrap().insert(name.to_owned(), answers.iter().map(parse).collect());
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(name.to_owned());
            let mut answers = self.answers.lock().unwrap();
            let known = answers.get_mut(name).ok_or_else(|| io::Error::other("no such name"))?;
            Ok(if known.len() > 1 { known.remove(0) } else { known[0].clone() })
        })
    }
}

#[derive(Default)]
pub(crate) struct Kept(pub(crate) Mutex<Vec<Refused>>);

impl Audit for Kept {
    fn refused(&self, refused: Refused) {
        self.0.lock().unwrap().push(refused);
    }
}

pub(crate) struct World {
    pub(crate) names: Arc<Names>,
    pub(crate) audit: Arc<Kept>,
    pub(crate) policy: watch::Sender<Arc<Policy>>,
    pub(crate) proxy: SocketAddr,
    pub(crate) serving: Serving,
}

/// `allow` by name; every name may have loopback addresses, so that servers of the test can be "outside".
pub(crate) fn policy(allow: &[String]) -> Policy {
    let names = ["good.example", "other.example", "localhost"];
    Policy {
        allow: allow.iter().map(|text| text.parse().expect("a rule")).collect(),
        private: names.map(|name| private(name, "127.0.0.1/32")).to_vec(),
        ..Policy::default()
    }
}

pub(crate) fn private(name: &str, range: &str) -> PrivateRule {
    PrivateRule::new(name.parse().expect("a host"), range.parse().expect("a range")).expect("a rule")
}

impl World {
    pub(crate) async fn new(policy: Policy) -> Self {
        Self::with(policy, Limits::default(), OutsideConfig::default()).await
    }

    pub(crate) async fn with(policy: Policy, limits: Limits, outside: OutsideConfig) -> Self {
        let (names, audit) = (Arc::<Names>::default(), Arc::<Kept>::default());
        for name in ["good.example", "other.example", "localhost"] {
            names.put(name, &[&["127.0.0.1"]]);
        }
        let proxy = Proxy::new(Parts {
            ambient: Ambient::system(),
            supervisor: Supervisor::new(),
            resolver: names.clone(),
            outside: Arc::new(Outside::new(&outside).expect("settings")),
            audit: audit.clone(),
            limits,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let id = uuid::Uuid::from_u128(7);
        let who = SandboxRef { org: OrgId::from_uuid(id), id: SandboxId::from_uuid(id) };
        let (policy, watched) = watch::channel(Arc::new(policy));
        let serving = proxy.serve(listener, who, watched);
        Self { names, audit, policy, proxy: address, serving }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.proxy).await.unwrap()
    }

    /// Sends bytes and reads to the end.
    pub(crate) async fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// A request, the only one of its connection.
    pub(crate) async fn get(&self, url: &str) -> String {
        self.say(format!("GET {url} HTTP/1.1\r\nHost: ignored.example\r\nConnection: close\r\n\r\n")).await
    }

    /// A tunnel, and the head of the answer.
    pub(crate) async fn tunnel(&self, target: &str) -> (TcpStream, String) {
        let mut stream = self.connect().await;
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        (stream, head)
    }

    /// The codes of what was refused so far.
    pub(crate) fn refused(&self) -> Vec<&'static str> {
        self.audit.0.lock().unwrap().iter().map(|refused| refused.refusal.code()).collect()
    }
}

/// Whatever comes until the end; an end by reset is one as well.
pub(crate) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut piece).await {
        all.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A server outside that answers every connection's first request with `answer` and tells what it was sent.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) seen: mpsc::UnboundedReceiver<String>,
}

impl Server {
    pub(crate) async fn answering(answer: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, seen) = mpsc::unbounded_channel();
        let answer = answer.into();
        Supervisor::new().spawn("server", async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let head = read_head(&mut stream).await;
                let body = read_body(&head, &mut stream).await;
                let _ = tell.send(head + &body);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, seen }
    }

    pub(crate) fn saw_nothing(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }

    pub(crate) async fn saw(&mut self) -> String {
        self.seen.recv().await.expect("a request")
    }
}

/// As its head tells its length.
async fn read_body(head: &str, stream: &mut (impl AsyncRead + Unpin)) -> String {
    let lower = head.to_ascii_lowercase();
    let mut body = Vec::new();
    if let Some(length) = lower.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        body.resize(length.trim().parse().unwrap(), 0);
        stream.read_exact(&mut body).await.unwrap();
    } else if lower.contains("transfer-encoding: chunked") {
        while !body.ends_with(b"0\r\n\r\n") {
            body.push(stream.read_u8().await.unwrap());
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
