//! The way out of each sandbox: a session of the proxy for as long as the sandbox runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::egress::{
    Accept, Audit, Outside, OutsideConfig, Parts, Policy, Proxy, Refused, Rule, SandboxRef, Serving,
};
use ::egress::{Limits, Scheme, SystemResolver};
use domain::{OrgId, SandboxId};
use futures_util::future::BoxFuture;
use orchestrator::{Companion, EgressAccess, EgressPolicy};
use runs::repository::{Opened, WayOut};
use runtime::{Env, Supervisor};
use sandbox::{PortListener, PortStream, Sandbox};
use store::{Store, StoreError};
use tokio::sync::{mpsc, watch};

use crate::config::network::{CredentialConfig, CredentialPlace, EgressConfig};
use crate::error::{Failure, Result};
use crate::session::Context;

/// The port of a sandbox's loopback address where its way out listens.
pub(crate) const PORT: u16 = 3128;
/// Refusals that wait to be written; what comes on top is dropped and counted by the next.
const WAITING_MOST: usize = 1_024;

/// Gives each sandbox its way out.
pub(crate) struct Egress {
    proxy: Proxy,
    /// What the administrator decided for all.
    base: Policy,
    usual: EgressPolicy,
    environment: Vec<(String, String)>,
    tasks: Supervisor,
    serving: Arc<Mutex<HashMap<SandboxId, Serving>>>,
}

impl Egress {
    /// The way out, as it is configured.
    ///
    /// # Errors
    ///
    /// Where the server's own proxy does not read.
    pub(crate) fn new(context: &Context, store: &Store, tasks: &Supervisor) -> Result<Self> {
        let env = &context.env;
        let get = |upper: &str, lower: &str| env.get(upper).or(env.get(lower)).map(str::to_owned);
        let all = get("ALL_PROXY", "all_proxy");
        let outside = Outside::new(&OutsideConfig {
            http_proxy: get("HTTP_PROXY", "http_proxy").or_else(|| all.clone()),
            https_proxy: get("HTTPS_PROXY", "https_proxy").or(all),
            no_proxy: get("NO_PROXY", "no_proxy"),
            ca_file: env.path("SSL_CERT_FILE"),
        });
        let outside = outside
            .map_err(|error| Failure::new("config_invalid", format!("HTTP_PROXY or HTTPS_PROXY: {error}")))?;
        let proxy = Proxy::new(Parts {
            ambient: context.ambient.clone(),
            supervisor: tasks.clone(),
            resolver: Arc::new(SystemResolver),
            outside: Arc::new(outside),
            audit: Arc::new(Log::start(store.clone(), tasks)),
            limits: Limits::default(),
        });
        let config = &context.config.egress;
        let urls: Vec<String> = config
            .credential
            .iter()
            .filter(|one| env.get(&one.env).is_some())
            .map(|one| one.url.clone())
            .collect();
        Ok(Self {
            proxy,
            base: config.policy(env),
            usual: usual(config),
            environment: git_environment(&urls),
            tasks: tasks.clone(),
            serving: Arc::default(),
        })
    }

    /// What a sandbox may reach: its own list, and what the administrator opened for all that may reach anything.
    fn policy(base: &Policy, wanted: &EgressPolicy) -> Policy {
        let read = |rules: &[String]| -> Vec<Rule> {
            let read = |rule: &String| {
                rule.parse().map_err(|error| tracing::warn!(%rule, "a rule is not used: {error}")).ok()
            };
            rules.iter().filter_map(read).collect()
        };
        let mut allow = match wanted.access {
            EgressAccess::None => return Policy::default(),
            EgressAccess::Listed => read(&wanted.allow),
            EgressAccess::Public => [read(&wanted.allow), read(&["*:*".to_owned()])].concat(),
        };
        allow.extend(base.allow.iter().cloned());
        let deny = base.deny.iter().cloned().chain(read(&wanted.deny)).collect();
        Policy { allow, deny, private: base.private.clone(), credentials: base.credentials.clone() }
    }
}

/// Ways out for clones by URL: each reaches the one host that its URL names.
pub(crate) struct Clones {
    proxy: Proxy,
    base: Policy,
}

impl Egress {
    /// Ways out for clones. Unlike agents, a clone of a well-known host gets the token that the server's environment has
    /// for it: whoever names the URL wants it read.
    pub(crate) fn for_clones(&self, env: &Env) -> Clones {
        let mut base = self.base.clone();
        for (host, user, names) in WELL_KNOWN {
            let Some(token) = names.iter().find_map(|name| env.get(name)) else { continue };
            let config = CredentialConfig {
                url: format!("https://{host}/"),
                env: String::new(),
                user: Some((*user).to_owned()),
                header: None,
            };
            match config.with(token) {
                // What the administrator configured for a host goes first.
                Ok(credential) => base.credentials.insert(0, credential),
                Err(error) => tracing::warn!(host, "a token is not used: {error}"),
            }
        }
        Clones { proxy: self.proxy.clone(), base }
    }
}

/// Hosts whose tokens have a usual name: host, the user that goes with a token, variables.
const WELL_KNOWN: &[(&str, &str, &[&str])] = &[
    ("github.com", "x-access-token", &["GITHUB_TOKEN", "GH_TOKEN"]),
    ("gitlab.com", "oauth2", &["GITLAB_TOKEN"]),
];

impl WayOut for Clones {
    fn open<'a>(
        &'a self,
        org: OrgId,
        sandbox: &'a dyn Sandbox,
        url: &'a str,
    ) -> BoxFuture<'a, Result<Opened, String>> {
        Box::pin(async move {
            let place = CredentialPlace::of_url(url)?;
            let rule = format!("{}:{}", place.host, place.port);
            let policy = Policy { allow: vec![rule.parse()?], ..self.base.clone() };
            policy.check(&place.host, place.port).map_err(|refusal| refusal.to_string())?;
            let listener = sandbox.listen(0).await.map_err(|error| error.to_string())?;
            let scheme = place.scheme.name();
            let inside =
                format!("http://127.0.0.1:{}/{scheme}/{}{}", listener.port(), place.authority(), place.path);
            let (keep, watched) = watch::channel(Arc::new(policy));
            let serving = self.proxy.serve(Inside(listener), SandboxRef { org, id: sandbox.id() }, watched);
            Ok(Opened { url: inside, session: Box::new((serving, keep)) })
        })
    }
}

impl Companion for Egress {
    fn started(&self, org: OrgId, sandbox: &Arc<dyn Sandbox>, mut egress: watch::Receiver<EgressPolicy>) {
        let (sandbox, proxy, base) = (sandbox.clone(), self.proxy.clone(), self.base.clone());
        let serving = self.serving.clone();
        let who = SandboxRef { org, id: sandbox.id() };
        self.tasks.spawn("egress session", async move {
            let listener = match sandbox.listen(PORT).await {
                Ok(listener) => listener,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(sandbox.id = %who.id, error, "the sandbox has no way out");
                    return;
                }
            };
            drop(sandbox);
            let first = Self::policy(&base, &egress.borrow_and_update());
            let (policy, watched) = watch::channel(Arc::new(first));
            let session = proxy.serve(Inside(listener), who, watched);
            serving.lock().unwrap_or_else(PoisonError::into_inner).insert(who.id, session);
            // Ends with the sandbox, whose end drops the sender.
            while egress.changed().await.is_ok() {
                let changed = Self::policy(&base, &egress.borrow_and_update());
                policy.send_replace(Arc::new(changed));
            }
            serving.lock().unwrap_or_else(PoisonError::into_inner).remove(&who.id);
        });
    }

    fn egress_port(&self) -> Option<u16> {
        Some(PORT)
    }

    fn usual_egress(&self) -> EgressPolicy {
        self.usual.clone()
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.environment.clone()
    }

    fn ended(&self, _: OrgId, id: SandboxId) {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// Points git at the proxy for the hosts that a credential is added for: it must see the request to add a header.
pub(crate) fn git_environment(urls: &[String]) -> Vec<(String, String)> {
    let mut bases: Vec<String> = Vec::new();
    let mut pairs = Vec::new();
    for place in urls.iter().filter_map(|url| CredentialPlace::of_url(url).ok()) {
        let base = place.base();
        if bases.contains(&base) {
            continue;
        }
        let scheme = if place.scheme == Scheme::Https { "https" } else { "http" };
        let index = bases.len();
        let key = format!("url.http://127.0.0.1:{PORT}/{scheme}/{}/.insteadOf", place.authority());
        pairs.push((format!("GIT_CONFIG_KEY_{index}"), key));
        pairs.push((format!("GIT_CONFIG_VALUE_{index}"), base.clone()));
        bases.push(base);
    }
    if !bases.is_empty() {
        pairs.push(("GIT_CONFIG_COUNT".to_owned(), bases.len().to_string()));
    }
    pairs
}

/// A sandbox's listener, as the proxy takes it.
pub(crate) struct Inside(pub(crate) PortListener);

impl Accept for Inside {
    type Stream = PortStream;

    async fn accept(&mut self) -> std::io::Result<PortStream> {
        self.0.accept().await
    }
}

/// Refusals, in the log of their sandbox.
struct Log(mpsc::Sender<Refused>);

impl Log {
    fn start(store: Store, tasks: &Supervisor) -> Self {
        let (sender, mut waiting) = mpsc::channel::<Refused>(WAITING_MOST);
        let stop = tasks.stopping();
        tasks.spawn("egress audit", async move {
            while let Some(Some(refused)) = stop.run_until_cancelled(waiting.recv()).await {
                if let Err(error) = write(&store, refused).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "a refusal could not be written down");
                }
            }
        });
        Self(sender)
    }
}

impl Audit for Log {
    fn refused(&self, refused: Refused) {
        let (code, sandbox) = (refused.refusal.code(), refused.who.id);
        tracing::info!(sandbox.id = %sandbox, code, refusal = %refused.refusal, "refused a way out");
        if self.0.try_send(refused).is_err() {
            tracing::warn!(sandbox.id = %sandbox, "a refusal was not written down: too many wait");
        }
    }
}

async fn write(store: &Store, refused: Refused) -> Result<(), StoreError> {
    let body = serde_json::json!({
        "code": refused.refusal.code(),
        "text": refused.refusal.to_string(),
        "left_out": refused.left_out,
    })
    .to_string();
    let (who, at_ms) = (refused.who, refused.at_ms);
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.append(who.org, &who.id.stream(), at_ms, "egress.refused", &body).await.map(drop)
            })
        })
        .await
}

/// Where nobody says anything: what the administrator listed for all.
fn usual(config: &EgressConfig) -> EgressPolicy {
    let access = if config.allow.is_empty() { EgressAccess::None } else { EgressAccess::Listed };
    EgressPolicy { access, ..EgressPolicy::default() }
}
