//! The gateway before the orchestrator's sandboxes, on a port of its own: another origin than the API's, always.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use ::gateway::{
    BackendStream, Backends, Gateway, GatewayConfig, Limits, Names, NotThere, Parts, Place, TlsFiles,
};
use futures_util::future::BoxFuture;
use orchestrator::{Error, Orchestrator, Wake};
use runtime::{Ambient, Supervisor};
use sandbox::{Sandbox, SandboxError};

use crate::error::{Failure, Result};
use crate::session::Context;

/// How many ports after the server's own are tried.
const PORTS_TRIED: u16 = 20;
/// A sandbox that comes up is waited for so long before the page for that is shown.
const COMES_UP_WITHIN: Duration = Duration::from_secs(2);

/// Starts the gateway beside the server that listens at `server`.
///
/// # Errors
///
/// Where it cannot listen, or its certificate does not read.
pub(crate) fn start(
    context: &Context,
    parts: &super::Parts,
    server: SocketAddr,
    tasks: &Supervisor,
) -> Result<Gateway> {
    let config = &context.config.gateway;
    let domains: Vec<String> = config.domain.iter().cloned().collect();
    let names = Names::new(&domains).map_err(|error| Failure::new("config_invalid", error))?;
    let tls = match (&config.certificate, &config.key) {
        (Some(certificate), Some(key)) => {
            let files = TlsFiles { certificate: certificate.clone(), key: key.clone() };
            let acceptor = files.acceptor();
            Some(acceptor.map_err(|error| Failure::new("config_invalid", format!("gateway: {error}")))?)
        }
        _ => None,
    };
    let listener = listen(config.listen, server)?;
    let fail = |error: std::io::Error| Failure::internal("listen for previews", &error);
    listener.set_nonblocking(true).map_err(fail)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(fail)?;
    let backends = Sandboxes {
        orchestrator: parts.orchestrator.clone(),
        ambient: context.ambient.clone(),
        tasks: tasks.clone(),
    };
    let parts = Parts {
        previews: parts.previews.clone(),
        backends: Arc::new(backends),
        ambient: context.ambient.clone(),
        supervisor: tasks.clone(),
        config: GatewayConfig {
            names,
            is_https: config.behind_tls,
            public_port: config.public_port,
            limits: Limits::default(),
        },
        tls,
    };
    Gateway::serve(listener, parts).map_err(fail)
}

fn listen(wanted: Option<SocketAddr>, server: SocketAddr) -> Result<TcpListener> {
    let cannot = |address: SocketAddr, error: &std::io::Error| {
        Failure::new("port_taken", format!("cannot listen on {address} for previews: {error}"))
    };
    if let Some(address) = wanted {
        return TcpListener::bind(address).map_err(|error| cannot(address, &error));
    }
    let first = server.port().saturating_add(1);
    let mut last = None;
    for port in first..first.saturating_add(PORTS_TRIED) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(cannot(address, &error)),
        }
    }
    Err(last.unwrap_or_else(|| Failure::new("port_taken", "there is no port for previews")))
}

/// Sandboxes, as the gateway reaches them.
struct Sandboxes {
    orchestrator: Orchestrator,
    ambient: Ambient,
    tasks: Supervisor,
}

impl Sandboxes {
    async fn live(&self, place: Place, wake: Wake) -> Result<Arc<dyn Sandbox>, NotThere> {
        let live = self.orchestrator.live(place.org, place.sandbox, wake);
        match self.ambient.within(COMES_UP_WITHIN, live).await {
            None => Err(NotThere::Starting),
            Some(Ok(sandbox)) => Ok(sandbox),
            Some(Err(Error::NotFound(_))) => Err(NotThere::Gone),
            Some(Err(Error::Asleep { state: "archived", .. })) => Err(NotThere::Expired),
            Some(Err(Error::Asleep { .. })) => Err(NotThere::Asleep),
            Some(Err(Error::Suspended { .. })) => {
                Err(NotThere::Failed("the sandbox is suspended".to_owned()))
            }
            Some(Err(error)) => {
                let source = &error as &dyn std::error::Error;
                tracing::warn!(sandbox.id = %place.sandbox, error = source, "a preview's sandbox was not reached");
                Err(NotThere::Failed("the sandbox cannot be had; the server's log tells more".to_owned()))
            }
        }
    }
}

impl Backends for Sandboxes {
    fn ready(&self, place: Place) -> BoxFuture<'_, Result<(), NotThere>> {
        Box::pin(async move {
            self.live(place, Wake::IfAsked).await?;
            self.orchestrator.touch(place.sandbox);
            Ok(())
        })
    }

    fn connect(&self, place: Place) -> BoxFuture<'_, Result<Box<dyn BackendStream>, NotThere>> {
        Box::pin(async move {
            let sandbox = self.live(place, Wake::Never).await?;
            match sandbox.connect(place.port).await {
                Ok(stream) => Ok(Box::new(stream) as Box<dyn BackendStream>),
                Err(SandboxError::NoPort { .. }) => Err(NotThere::NoServer),
                Err(error) => Err(NotThere::Failed(error.to_string())),
            }
        })
    }

    fn wake(&self, place: Place) -> BoxFuture<'_, Result<(), NotThere>> {
        let orchestrator = self.orchestrator.clone();
        // Whoever asked sees the page for "starting" meanwhile.
        self.tasks.spawn("wake for a preview", async move {
            if let Err(error) = orchestrator.live(place.org, place.sandbox, Wake::Always).await {
                let source = &error as &dyn std::error::Error;
                tracing::warn!(sandbox.id = %place.sandbox, error = source, "a sandbox was not woken");
            }
        });
        Box::pin(async { Ok(()) })
    }
}
