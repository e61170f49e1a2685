//! The proxy: one session for each sandbox, over a listener inside it.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime::{Ambient, CancellationToken, Supervisor};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, watch};

use crate::audit::{Audit, Auditor, SandboxRef};
use crate::connect::Way;
use crate::outbound::{Requests, requests};
use crate::outside::Outside;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::resolve::Resolve;
use crate::session;
use crate::usage::{Counters, Usage};

/// Where connections of a sandbox come from.
pub trait Accept: Send + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection. An error ends the session.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Accept for tokio::net::TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn accept(&mut self) -> io::Result<Self::Stream> {
        Ok(Self::accept(self).await?.0)
    }
}

/// Limits of one sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// The longest head of a request, in bytes.
    pub header_bytes: usize,
    /// The most headers of a request.
    pub headers: usize,
    /// How long the head of a request may take.
    pub header_time: Duration,
    /// How long connecting may take, resolving included.
    pub connect: Duration,
    /// How long an answer may take to begin.
    pub answer: Duration,
    /// How long nothing may pass on a connection.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            header_bytes: 64 << 10,
            headers: 100,
            header_time: Duration::from_secs(30),
            connect: Duration::from_secs(15),
            answer: Duration::from_secs(300),
            idle: Duration::from_secs(600),
        }
    }
}

/// What the proxy is made of.
pub struct Parts {
    /// Time.
    pub ambient: Ambient,
    /// Owns the connections' tasks.
    pub supervisor: Supervisor,
    /// Names to addresses.
    pub resolver: Arc<dyn Resolve>,
    /// How the server itself gets out.
    pub outside: Arc<Outside>,
    /// Takes refusals.
    pub audit: Arc<dyn Audit>,
    /// Limits of each sandbox.
    pub limits: Limits,
}

const ACCEPT_ATTEMPTS: u32 = 50;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The proxy. Clones share their parts.
#[derive(Clone)]
pub struct Proxy(Arc<Parts>);

/// What the connections of one sandbox share.
pub(crate) struct Session {
    pub(crate) who: SandboxRef,
    pub(crate) way: Way,
    pub(crate) limits: Limits,
    pub(crate) stop: CancellationToken,
    pub(crate) counters: Arc<Counters>,
    auditor: Auditor,
    kept: Mutex<Kept>,
}

/// Connections to the outside that are kept open, and the policy that they were opened under.
struct Kept {
    under: Arc<Policy>,
    requests: Requests,
}

/// A session that is served. It ends when this is dropped.
pub struct Serving {
    session: Arc<Session>,
}

impl Proxy {
    /// A proxy.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Serves the sandbox `who` over `listener` by `policy`, as it stands at each moment, until what is returned is
    /// dropped, the listener fails or the supervisor stops.
    #[must_use]
    pub fn serve(
        &self,
        mut listener: impl Accept,
        who: SandboxRef,
        policy: watch::Receiver<Arc<Policy>>,
    ) -> Serving {
        let session = Arc::new(self.session(who, policy));
        let (serving, supervisor) = (Serving { session: session.clone() }, self.0.supervisor.clone());
        self.0.supervisor.spawn("egress", async move {
            let room = Arc::new(Semaphore::new(session.limits.connections));
            let stop = session.stop.clone();
            while let Some(Some(stream)) = stop.run_until_cancelled(next(&session, &mut listener)).await {
                let session = session.clone();
                match room.clone().try_acquire_owned() {
                    Ok(permit) => supervisor.spawn("egress connection", async move {
                        session::serve(session, stream).await;
                        drop(permit);
                    }),
                    Err(_) => turn_away(&session, stream).await,
                }
            }
        });
        serving
    }

    fn session(&self, who: SandboxRef, policy: watch::Receiver<Arc<Policy>>) -> Session {
        let parts = &self.0;
        let under = policy.borrow().clone();
        let way = Way {
            policy,
            resolver: parts.resolver.clone(),
            outside: parts.outside.clone(),
            ambient: parts.ambient.clone(),
            connect_limit: parts.limits.connect,
        };
        Session {
            who,
            limits: parts.limits,
            stop: parts.supervisor.stopping().child_token(),
            counters: Arc::default(),
            auditor: Auditor::new(parts.audit.clone(), parts.ambient.clone(), who),
            kept: Mutex::new(Kept { under, requests: requests(way.clone()) }),
            way,
        }
    }
}

/// The next connection. A listener may fail for a moment, for want of descriptors; after some attempts it is given up.
async fn next<A: Accept>(session: &Session, listener: &mut A) -> Option<A::Stream> {
    for _ in 0..ACCEPT_ATTEMPTS {
        match listener.accept().await {
            Ok(stream) => return Some(stream),
            Err(error) => tracing::debug!(sandbox.id = %session.who.id, %error, "no connection was accepted"),
        }
        session.way.ambient.sleep(ACCEPT_PAUSE).await;
    }
    tracing::warn!(sandbox.id = %session.who.id, "the sandbox has no way out any more");
    None
}

/// One connection too many is told so where it fits into the socket's buffer, and closed.
async fn turn_away(session: &Session, mut stream: impl AsyncWrite + Unpin) {
    let refusal = Refusal::TooManyConnections { limit: session.limits.connections };
    session.note(&refusal);
    let body = format!("journeyman: {refusal}\n");
    let answer = format!(
        "HTTP/1.1 429 Too Many Requests\r\nx-journeyman-egress: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        refusal.code(),
        body.len()
    );
    // It is turned away either way.
    let _unread = stream.write_all(answer.as_bytes()).await;
    let _unread = stream.shutdown().await;
}

impl Session {
    pub(crate) fn note(&self, refusal: &Refusal) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        self.auditor.refused(refusal);
    }

    /// The client for forwarded requests. Under a changed policy it is a new one, so that no kept connection
    /// outlives the permission that it was opened with.
    pub(crate) fn requests(&self) -> Requests {
        let now = self.way.policy();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&kept.under, &now) {
            *kept = Kept { under: now, requests: requests(self.way.clone()) };
        }
        kept.requests.clone()
    }
}

impl Serving {
    /// What passed so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.session.counters.usage()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.session.stop.cancel();
    }
}
