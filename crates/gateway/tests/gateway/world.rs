//! A gateway with previews in a database of its own, and sandboxes that are sockets of this machine.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use accounts::{Accounts, Caller};
use domain::SandboxId;
use futures_util::future::BoxFuture;
use gateway::{
    Access, BackendStream, Backends, Form, Gateway, GatewayConfig, Limits, Made, Names, NewPreview, NotThere,
    Parts, Place, PreviewName, Previews, TlsFiles,
};
use runtime::{Ambient, Supervisor};
use secrets::MasterKey;
use testkit::database::TestDatabase;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Sandboxes as the test says.
#[derive(Default)]
pub(crate) struct Boxes {
    servers: Mutex<HashMap<u16, SocketAddr>>,
    pub(crate) reason: Mutex<Option<NotThere>>,
    pub(crate) connected: Mutex<Vec<Place>>,
    pub(crate) woken: Mutex<u32>,
}

impl Backends for Boxes {
    fn ready(&self, _: Place) -> BoxFuture<'_, Result<(), NotThere>> {
        Box::pin(async { self.reason.lock().unwrap().clone().map_or(Ok(()), Err) })
    }

    fn connect(&self, place: Place) -> BoxFuture<'_, Result<Box<dyn BackendStream>, NotThere>> {
        Box::pin(async move {
            self.connected.lock().unwrap().push(place);
            let address = self.servers.lock().unwrap().get(&place.port).copied();
            let stream = TcpStream::connect(address.ok_or(NotThere::NoServer)?).await;
            Ok(Box::new(stream.map_err(|_| NotThere::NoServer)?) as Box<dyn BackendStream>)
        })
    }

    fn wake(&self, _: Place) -> BoxFuture<'_, Result<(), NotThere>> {
        Box::pin(async {
            *self.woken.lock().unwrap() += 1;
            *self.reason.lock().unwrap() = None;
            Ok(())
        })
    }
}

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) boxes: Arc<Boxes>,
    pub(crate) owner: Caller,
    pub(crate) previews: Previews,
    pub(crate) gateway: Gateway,
    _tasks: Supervisor,
}

/// The sandbox of most tests.
pub(crate) fn sandbox() -> SandboxId {
    SandboxId::from_uuid(uuid::Uuid::from_u128(0x0192_f0c4_a1b2_7c3d_8e4f_5a6b_7c8d_9e0f))
}

pub(crate) fn name(port: u16) -> PreviewName {
    PreviewName { sandbox: sandbox(), port }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(None).await
    }

    pub(crate) async fn with(tls: Option<TlsFiles>) -> Self {
        let (database, ambient) = (TestDatabase::sqlite(), Ambient::system());
        let store = database.open(ambient.clone()).await;
        let key = MasterKey::load_or_create(database.folder(), &*ambient.random).unwrap();
        let owner =
            Accounts::new(store.clone(), key, ambient.clone()).ensure_local_owner("mira").await.unwrap();
        let (previews, boxes, tasks) = (Previews::new(store), Arc::<Boxes>::default(), Supervisor::new());
        let parts = Parts {
            previews: previews.clone(),
            backends: boxes.clone(),
            ambient,
            supervisor: tasks.clone(),
            config: GatewayConfig {
                names: Names::new(&["preview.example".to_owned()]).unwrap(),
                limits: Limits::default(),
                ..GatewayConfig::default()
            },
            tls: tls.map(|files| files.acceptor().unwrap()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Gateway::serve(listener, parts).unwrap();
        Self { database, boxes, owner, previews, gateway, _tasks: tasks }
    }

    /// The server of a port; each connection's requests are answered by `answer`, one after the other.
    pub(crate) fn serve(&self, port: u16, address: SocketAddr) {
        self.boxes.servers.lock().unwrap().insert(port, address);
    }

    /// A preview with a link, and its token.
    pub(crate) async fn link(&self, port: u16) -> (Made, String) {
        let new = NewPreview {
            sandbox: sandbox(),
            port: Some(port),
            access: Access::Link,
            life_ms: Some(3_600_000),
        };
        let made = self.previews.create(&self.owner.allow().unwrap(), new).await.unwrap();
        let token = made.token.as_ref().unwrap().expose().to_owned();
        (made, token)
    }

    pub(crate) fn host(&self, port: u16) -> String {
        let url = self.gateway.url(name(port), Form::Host, None);
        // The first domain is what links have; `localhost` always works too.
        assert!(url.contains(".preview.example"), "{url}");
        format!("{}.localhost:{}", name(port).label(), self.gateway.address().port())
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.gateway.address()).await.unwrap()
    }

    /// Sends bytes and reads to the end.
    pub(crate) async fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// A request to a port by host, the only one of its connection. `more` are header lines.
    pub(crate) async fn get(&self, port: u16, path: &str, more: &str) -> String {
        let host = self.host(port);
        self.say(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n")).await
    }
}

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

/// A server that answers each request with the head that it saw, on connections that stay open.
pub(crate) async fn mirror() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = Supervisor::new();
    let each = tasks.clone();
    tasks.spawn("mirror", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            each.spawn("mirrored", async move {
                loop {
                    let head = read_head(&mut stream).await;
                    if head.is_empty() {
                        break;
                    }
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// The value of the first `Set-Cookie`, and its attributes.
pub(crate) fn cookie(said: &str) -> (String, String) {
    let line = said.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect(said);
    let (pair, attributes) = line.split_once(';').expect(line);
    (pair.to_owned(), attributes.to_owned())
}
