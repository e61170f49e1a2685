//! The API over the parts, and the two listeners that serve it: the owner's socket and, for browsers and
//! tokens, a port of this machine.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use api::{ApiSettings, Hooks, Probe, ProviderSource, Retention, SocketPeer};
use axum::{Extension, Router};
use runtime::Supervisor;

use super::Parts;
use crate::config::Config;
use crate::error::{Failure, Result};
use crate::session::Context;

/// The API as a service. `port` is the one that is listened on; 0 where none is. `gateway` serves previews.
pub(crate) fn router(
    context: &Context,
    parts: &Parts,
    tasks: &Supervisor,
    (port, gateway): (u16, Option<gateway::Gateway>),
) -> Router {
    let config = &context.config;
    let of_e2b = e2b::router(e2b(context, parts, tasks, gateway.as_ref()));
    api::router_with(
        api::Parts {
            runs: parts.runs.clone(),
            accounts: parts.accounts.clone(),
            models: parts.models.clone(),
            store: parts.store.clone(),
            orchestrator: parts.orchestrator.clone(),
            previews: parts.previews.clone(),
            gateway,
            ambient: context.ambient.clone(),
            supervisor: tasks.clone(),
            hooks: hooks(context, parts),
            settings: ApiSettings {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                port,
                hosts: hosts(config),
                data_dir: context.folder.root().to_owned(),
                capacity: capacity(config),
                retention: Retention { keep_days: config.runs.keep_days, cache: config.runs.cache() },
                environment_keys: environment_keys(context),
                secure_cookie: false,
            },
        },
        of_e2b,
    )
}

/// Names besides the loopback ones. Clients of E2B call the API and each sandbox's agent by names of their domain.
fn hosts(config: &Config) -> Vec<String> {
    let of_e2b =
        config.e2b.domain.iter().flat_map(|domain| [format!("api.{domain}"), format!("49983-*.{domain}")]);
    config.names.iter().cloned().chain(of_e2b).collect()
}

fn e2b(
    context: &Context,
    parts: &Parts,
    tasks: &Supervisor,
    gateway: Option<&gateway::Gateway>,
) -> e2b::Parts {
    let (config, otherwise) = (&context.config.e2b, e2b::Settings::default());
    e2b::Parts {
        accounts: parts.accounts.clone(),
        orchestrator: parts.orchestrator.clone(),
        previews: parts.previews.clone(),
        ambient: context.ambient.clone(),
        supervisor: tasks.clone(),
        key: parts.e2b_key.clone(),
        settings: e2b::Settings {
            domain: config.domain.clone().or_else(|| gateway.map(gateway::Gateway::domain)),
            base_template: config.base_template.clone().unwrap_or(otherwise.base_template),
            ..otherwise
        },
    }
}

/// The most runs at once.
pub(crate) fn capacity(config: &Config) -> u32 {
    config.runs.at_once.unwrap_or(runs::WorkerConfig::default().capacity)
}

fn environment_keys(context: &Context) -> Vec<ProviderSource> {
    let source = |(provider, key, url): (&str, &str, &str)| {
        context.env.get(key).map(|_| ProviderSource {
            provider: provider.to_owned(),
            base_url: context.env.get(url).map(str::to_owned),
        })
    };
    [
        ("anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
        ("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL"),
        ("gemini", "GEMINI_API_KEY", "GEMINI_BASE_URL"),
    ]
    .into_iter()
    .filter_map(source)
    .collect()
}

fn hooks(context: &Context, parts: &Parts) -> Hooks {
    let (mut native, scratch) = (parts.native.clone(), context.folder.scratch());
    // The look has a launcher of its own, which clears its folder up when it ends: never that of the runs.
    native.runtime_dir.as_mut_os_string().push("-look");
    let (source, models) = (parts.source.clone(), parts.models.clone());
    Hooks {
        doctor: Box::new(move || {
            let (native, scratch) = (native.clone(), scratch.clone());
            Box::pin(
                async move { sandbox::probe(&native, &scratch).await.into_iter().map(as_probe).collect() },
            )
        }),
        models_changed: Box::new(move |_org| {
            let (source, models) = (source.clone(), models.clone());
            Box::pin(async move {
                match source.registry().await {
                    Ok(registry) => models.replace(registry),
                    Err(failure) => tracing::error!(error = %failure, "the models stay as they were"),
                }
            })
        }),
    }
}

fn as_probe(probe: sandbox::Probe) -> Probe {
    Probe { name: probe.name.to_owned(), ok: probe.ok, detail: probe.detail, fix: probe.fix }
}

/// Serves `router` on the owner's socket until `tasks` stops: whoever can open it is the owner.
pub(crate) fn serve_socket(
    router: Router,
    parts: &Parts,
    listener: UnixListener,
    tasks: &Supervisor,
) -> Result<()> {
    let listener = tokio::net::UnixListener::from_std(listener)
        .map_err(|error| Failure::internal("listen on the socket", &error))?;
    let router = router.layer(Extension(SocketPeer(parts.owner.clone())));
    let stop = tasks.stopping();
    tasks.spawn("socket", async move {
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::error!(%error, "the socket is no longer served");
        }
    });
    Ok(())
}

/// Serves `router` at the port until `tasks` stops.
pub(crate) fn serve_port(router: Router, listener: TcpListener, tasks: &Supervisor) -> Result<()> {
    let fail = |error: std::io::Error| Failure::internal("listen on the port", &error);
    listener.set_nonblocking(true).map_err(fail)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(fail)?;
    let stop = tasks.stopping();
    tasks.spawn("port", async move {
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::error!(%error, "the port is no longer served");
        }
    });
    Ok(())
}
