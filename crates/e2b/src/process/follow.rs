//! Starting a process, and following one that runs.
//!
//! A process outlives its client's connection. Its time-out does not: a process that was started with one is
//! killed when it is over, whether its client is still there or not.

use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use futures_util::StreamExt as _;
use sandbox::{ProcessEvent, ProcessRef, StartProcess, Told as Following};

use super::messages::{ConnectRequest, Data, End, Event, StartRequest, Told};
use super::{running, size};
use crate::app::E2b;
use crate::call::{Call, Refused};
use crate::connect::code::Result;
use crate::connect::stream::{self, Left, Out};
use crate::connect::unary;
use crate::connect::{Code, ConnectError};

const KILL: i32 = 9;

/// A process, its output, and how long it is followed.
struct Followed {
    call: Call,
    pid: u32,
    events: Following<ProcessEvent>,
    limit: Option<Duration>,
    keep_alive: Duration,
    /// Whether the process ends with the time.
    kill: bool,
}

/// `Start`
pub(super) async fn start(app: &E2b, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if !stream::is_stream(&head) {
        return unary::unsupported(stream::TYPE);
    }
    let opened = async {
        let call = Call::of(app, &head).await?;
        let limit = limit(&head)?;
        let (pid, events) = begin(&call, stream::read_one(body).await?).await?;
        let keep_alive = stream::keep_alive(&head.headers);
        Ok::<_, Refused>(Followed { call, pid, events, limit, keep_alive, kill: true })
    };
    respond(app, opened.await)
}

/// `Connect`
pub(super) async fn connect(app: &E2b, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if !stream::is_stream(&head) {
        return unary::unsupported(stream::TYPE);
    }
    let opened = async {
        let call = Call::of(app, &head).await?;
        let limit = limit(&head)?;
        let input: ConnectRequest = stream::read_one(body).await?;
        let (pid, events) = find(&call, input.process.chosen()?).await?;
        let keep_alive = stream::keep_alive(&head.headers);
        Ok::<_, Refused>(Followed { call, pid, events, limit, keep_alive, kill: false })
    };
    respond(app, opened.await)
}

/// The client's time-out; nought is none.
fn limit(head: &axum::http::request::Parts) -> Result<Option<Duration>> {
    Ok(unary::timeout(head)?.filter(|limit| !limit.is_zero()))
}

fn respond(app: &E2b, opened: std::result::Result<Followed, Refused>) -> Response {
    match opened {
        Ok(followed) => {
            let (out, response) = Out::open();
            app.supervisor.spawn("e2b process", followed.run(out));
            response
        }
        Err(refused) => stream::refused(refused),
    }
}

async fn begin(call: &Call, input: StartRequest) -> Result<(u32, Following<ProcessEvent>)> {
    let directory = call.user.resolve(input.process.cwd.as_deref().unwrap_or_default());
    let there = call.sandbox.stat(&directory).await;
    if let Err(sandbox::SandboxError::File { fault: sandbox::FileFault::NotFound, .. }) = there {
        return Err(ConnectError::invalid(format!("cwd '{directory}' does not exist")));
    }
    let mut argv = vec![input.process.cmd];
    argv.extend(input.process.args);
    let mut env = vec![("HOME".to_owned(), call.user.home.clone())];
    env.extend(
        [("USER", &call.user.name), ("LOGNAME", &call.user.name)].map(|(k, v)| (k.to_owned(), v.clone())),
    );
    env.extend(input.process.envs);
    let wanted = StartProcess {
        argv,
        directory,
        env,
        user: Some(call.user.name.clone()),
        pty: input.pty.map(|pty| size(pty.size)).transpose()?,
        stdin: input.stdin.unwrap_or(true),
        tag: input.tag,
    };
    let process = call.sandbox.start(wanted).await?;
    let events = call.sandbox.follow(ProcessRef::Pid(process.pid), true).await?;
    Ok((process.pid, events))
}

/// A process that runs; what it wrote before is not told again.
async fn find(call: &Call, wanted: ProcessRef) -> Result<(u32, Following<ProcessEvent>)> {
    let pid = running(call, &wanted).await?;
    Ok((pid, call.sandbox.follow(ProcessRef::Pid(pid), false).await?))
}

impl Followed {
    async fn run(mut self, out: Out) {
        let limit = self.limit;
        let ambient = self.call.app.ambient.clone();
        let told = async {
            match limit {
                Some(limit) => ambient.within(limit, self.tell(&out)).await,
                None => Some(self.tell(&out).await),
            }
        };
        let outcome = match told.await {
            Some(outcome) => outcome,
            None => {
                self.kill().await;
                Err(ConnectError::deadline())
            }
        };
        out.end(outcome).await;
    }

    /// Tells all until the process has ended. Once the client has left, only one that is killed at the end of
    /// its time is looked after.
    async fn tell(&mut self, out: &Out) -> Result<()> {
        let mut present = out.send(&Told { event: Event::Start { pid: self.pid } }).await;
        let ambient = self.call.app.ambient.clone();
        let stop = self.call.app.supervisor.stopping();
        loop {
            if present.is_err() {
                return if self.kill && self.limit.is_some() { self.await_end().await } else { Ok(()) };
            }
            let event = tokio::select! {
                event = self.events.next() => event,
                () = ambient.sleep(self.keep_alive) => {
                    present = out.send(&Told { event: Event::KeepAlive {} }).await;
                    continue;
                }
                () = out.left() => {
                    present = Err(Left);
                    continue;
                }
                () = stop.cancelled() => return Err(ConnectError::stopping()),
            };
            let event = event.ok_or_else(ConnectError::gone)??;
            match told(event)? {
                Event::End(end) => {
                    let _client_left = out.send(&Told { event: Event::End(end) }).await;
                    return Ok(());
                }
                event => present = out.send(&Told { event }).await,
            }
        }
    }

    async fn await_end(&mut self) -> Result<()> {
        let stop = self.call.app.supervisor.stopping();
        loop {
            let event = tokio::select! {
                event = self.events.next() => event,
                () = stop.cancelled() => return Ok(()),
            };
            match event {
                Some(Ok(ProcessEvent::Ended { .. }) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            }
        }
    }

    async fn kill(&mut self) {
        if !self.kill {
            return;
        }
        let killed = self.call.sandbox.signal(ProcessRef::Pid(self.pid), KILL).await;
        if let Err(error) = killed {
            tracing::debug!(sandbox.id = %self.call.id, error = %error, "a process was not killed at its time-out");
        }
    }
}

fn told(event: ProcessEvent) -> Result<Event> {
    Ok(match event {
        ProcessEvent::Stdout(bytes) => Event::Data(Data::stdout(&bytes)),
        ProcessEvent::Stderr(bytes) => Event::Data(Data::stderr(&bytes)),
        ProcessEvent::Pty(bytes) => Event::Data(Data::pty(&bytes)),
        ProcessEvent::Missed { bytes } => {
            let detail = format!("{bytes} bytes of output are lost: the client read too slowly");
            return Err(ConnectError::new(Code::DataLoss, detail));
        }
        ProcessEvent::Ended { exit_code, signal, error } => Event::End(End::of(exit_code, signal, error)),
    })
}
