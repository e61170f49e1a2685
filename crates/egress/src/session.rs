//! One connection of a sandbox: its requests one after the other, or a tunnel. It ends at once when what it is
//! used for is no longer allowed.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::forward::{Route, refusal_of};
use crate::outbound::CameFrom;
use crate::policy::Policy;
use crate::proxy::Session;
use crate::refusal::Refusal;
use crate::target::{Head, Target, Wish};
use crate::usage::Counted;

type Answer = Response<Either<Full<Bytes>, Incoming>>;

/// What a connection is used for right now.
#[derive(Default)]
struct Use {
    target: Option<Target>,
    address: Option<IpAddr>,
    tunnel: Option<(OnUpgrade, TcpStream)>,
}

impl Use {
    fn is_allowed(&self, policy: &Policy) -> bool {
        let Some(target) = &self.target else { return true };
        policy.check(&target.host, target.port).is_ok()
            && self
                .address
                .is_none_or(|address| policy.check_address(&target.host, target.port, address).is_ok())
    }
}

/// One connection of a sandbox.
struct Line {
    session: Arc<Session>,
    used: Mutex<Use>,
}

/// Serves one connection to its end.
pub(crate) async fn serve<S>(session: Arc<Session>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    session.counters.connections.fetch_add(1, Ordering::Relaxed);
    let (stream, passed) = Counted::new(stream, session.counters.clone());
    let line = Arc::new(Line { session, used: Mutex::default() });
    let served = line.clone();
    let service = service_fn(move |request| {
        let line = served.clone();
        async move { Ok::<_, Infallible>(line.answer(request).await) }
    });
    let limits = &line.session.limits;
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(limits.header_bytes)
        .max_headers(limits.headers)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if line.watched(&passed, connection).await.is_none() {
        return;
    }
    let tunnel = line.lock().tunnel.take();
    if let Some((upgrade, outside)) = tunnel {
        // Either end may go away at any time; that is how tunnels end.
        let _ended = line.watched(&passed, copy(upgrade, outside)).await;
    }
}

async fn copy(upgrade: OnUpgrade, mut outside: TcpStream) {
    if let Ok(inside) = upgrade.await {
        let mut inside = TokioIo::new(inside);
        let _ended = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
    }
}

impl Line {
    /// Runs `work`, unless the session ends, nothing passes for too long, or what it does is no longer allowed.
    async fn watched<F: Future>(&self, passed: &AtomicU64, work: F) -> Option<F::Output> {
        let session = &self.session;
        let mut policy = session.way.policy.clone();
        let mut work = std::pin::pin!(work);
        loop {
            let before = passed.load(Ordering::Relaxed);
            let mut idle = session.way.ambient.clock.sleep(session.limits.idle);
            loop {
                tokio::select! {
                    output = &mut work => return Some(output),
                    () = session.stop.cancelled() => return None,
                    changed = policy.changed() => {
                        let is_allowed = self.lock().is_allowed(&policy.borrow_and_update());
                        if changed.is_err() || !is_allowed {
                            return None;
                        }
                    }
                    () = &mut idle => break,
                }
            }
            if passed.load(Ordering::Relaxed) == before {
                return None;
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        match self.carry_out(request).await {
            Ok(answer) => answer,
            Err(refusal) => {
                self.lock().target = None;
                self.session.note(&refusal);
                refused(&refusal, &self.session.who.id.to_string())
            }
        }
    }

    async fn carry_out(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        match Wish::of(Head { method, uri, version: request.version(), headers })? {
            Wish::Tunnel(target) => self.tunnel(target, request).await,
            Wish::Forward { scheme, target, path, is_pointed } => {
                let policy = self.session.way.policy();
                let route = Route { scheme, target, path, is_pointed }.upgraded(&policy);
                self.forward(&policy, route, request).await
            }
            Wish::Overview => Ok(text(Response::new(()), overview(&self.session.way.policy()))),
        }
    }

    async fn tunnel(&self, target: Target, mut request: Request<Incoming>) -> Result<Answer, Refusal> {
        let connection = self.session.way.tunnel(&target).await?;
        let upgrade = hyper::upgrade::on(&mut request);
        let (target, address) = (Some(target), connection.address);
        let used = Use { target, address, tunnel: Some((upgrade, connection.stream)) };
        // Between the check and this line the policy may have changed, and the watcher saw nothing to end.
        if !used.is_allowed(&self.session.way.policy()) {
            return Err(Refusal::BadRequest { why: "it was disallowed just now".to_owned() });
        }
        *self.lock() = used;
        Ok(Response::new(Either::Left(Full::default())))
    }

    async fn forward(
        &self,
        policy: &Policy,
        route: Route,
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let target = route.target.clone();
        // The connector checks as well; this spares an open connection, and covers one that was kept.
        policy.check(&target.host, target.port)?;
        *self.lock() = Use { target: Some(target.clone()), ..Use::default() };
        let way = &self.session.way;
        let outgoing = route.outgoing(way, policy, request)?;
        let asked = self.session.requests().request(outgoing);
        let response = match way.ambient.within(self.session.limits.answer, asked).await {
            Some(Ok(response)) => response,
            Some(Err(error)) => return Err(refusal_of(&error, &target)),
            None => return Err(Refusal::TimedOut { host: target.host, port: target.port }),
        };
        self.lock().address = response.extensions().get::<CameFrom>().and_then(|came| came.0);
        if !self.lock().is_allowed(&way.policy()) {
            way.policy().check(&target.host, target.port)?;
            return Err(Refusal::BadRequest { why: "it was disallowed just now".to_owned() });
        }
        Ok(route.incoming(policy, response).map(Either::Right))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Use> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to a request that was refused. Some clients show the reason phrase alone, so it says the most.
fn refused(refusal: &Refusal, sandbox: &str) -> Answer {
    let body = format!("journeyman: {refusal}\n{}\n", refusal.fix(sandbox));
    let mut response = text(Response::new(()), body);
    *response.status_mut() = refusal.status();
    if let Ok(phrase) = ReasonPhrase::try_from(refusal.to_string().into_bytes()) {
        response.extensions_mut().insert(phrase);
    }
    let headers = response.headers_mut();
    headers.insert("x-journeyman-egress", HeaderValue::from_static(refusal.code()));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// What may be reached, for whoever looks.
fn overview(policy: &Policy) -> String {
    let list =
        |rules: &[crate::policy::Rule]| rules.iter().map(|rule| format!("  {rule}\n")).collect::<String>();
    let mut said =
        String::from("This is the way out of this sandbox. Use it as HTTP_PROXY and HTTPS_PROXY.\n");
    match policy.allow.is_empty() {
        true => said.push_str("Nothing is allowed.\n"),
        false => said.push_str(&format!("Allowed:\n{}", list(&policy.allow))),
    }
    if !policy.deny.is_empty() {
        said.push_str(&format!("But not:\n{}", list(&policy.deny)));
    }
    said
}

fn text(response: Response<()>, body: String) -> Answer {
    let mut response = response.map(|()| Either::Left(Full::new(Bytes::from(body))));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
