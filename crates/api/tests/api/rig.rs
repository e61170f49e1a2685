//! A server's parts behind a router, and what a client does with it.

use std::path::PathBuf;
use std::time::Duration;

use accounts::access::ManageTokens;
use accounts::{Caller, NewToken, Scopes, TokenKind};
use api::{ApiSettings, Hooks, Parts, ProviderSource, Retention, SocketPeer};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use runtime::{Ambient, MockClock, Supervisor};
use serde_json::{Value, json};
use testkit::database::{TestDatabase, each_database};
use testkit::repository::Repository;
use testkit::world::World;
use tower::ServiceExt;

/// What a test returns.
pub(crate) type Tested = Result<(), Box<dyn std::error::Error>>;

/// The host that requests name.
pub(crate) const HOST: &str = "127.0.0.1:4000";

/// A router over a world with a worker. The router's own clock stands until it is moved.
pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) router: Router,
    pub(crate) clock: MockClock,
    pub(crate) repository: Repository,
    folder: PathBuf,
    supervisor: Supervisor,
}

/// How a request says who sends it.
#[derive(Clone)]
pub(crate) enum As<'a> {
    Nobody,
    Token(&'a str),
    Cookie(&'a str),
    Socket(Caller),
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The problem's code.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Runs `test` with a rig on each database.
pub(crate) async fn each_rig(test: impl AsyncFn(&Rig) -> Tested) {
    each_database(async |database| {
        let rig = Rig::on(database).await;
        let result = test(&rig).await;
        rig.supervisor.stop(Duration::from_secs(10)).await;
        rig.world.close().await;
        result
    })
    .await;
}

impl Rig {
    async fn on(database: &TestDatabase) -> Self {
        let world = World::open(database.open(Ambient::system()).await, database.folder()).await;
        let (ambient, clock) = Ambient::mock(3);
        let supervisor = Supervisor::new();
        // What another crate may one day serve at the same port.
        let more = Router::new().route("/sandboxes", axum::routing::get(async || "[]"));
        let parts = Parts {
            runs: world.runs.clone(),
            accounts: world.accounts.clone(),
            models: world.models.clone(),
            store: world.store.clone(),
            orchestrator: world.orchestrator.clone(),
            previews: gateway::Previews::new(world.store.clone()),
            gateway: None,
            ambient,
            supervisor: supervisor.clone(),
            hooks: Hooks::none(),
            settings: ApiSettings {
                version: "0.0.1".to_owned(),
                port: 4000,
                hosts: vec!["work.example".to_owned()],
                data_dir: database.folder().to_owned(),
                capacity: 4,
                retention: Retention { keep_days: Some(30), cache: runs::CacheLimits::default() },
                environment_keys: vec![ProviderSource { provider: "openai".to_owned(), base_url: None }],
                secure_cookie: false,
            },
        };
        let router = api::router_with(parts, more);
        let repository = Repository::with(&[("a", "1\n")]);
        let folder = database.folder().to_owned();
        Self { world, router, clock, repository, folder, supervisor }
    }

    /// A token of `caller` with these scopes.
    pub(crate) async fn token(&self, caller: &Caller, scopes: &[&str], days: Option<u32>) -> String {
        let new = NewToken {
            name: "test".to_owned(),
            kind: TokenKind::Token,
            scopes: Some(Scopes::parse(scopes.iter().copied()).expect("scopes")),
            expires_in_days: days,
        };
        let manage = caller.allow::<ManageTokens>().expect("an owner");
        let (_, secret) = self.world.accounts.create_token(&manage, new).await.expect("a token");
        secret.expose().to_owned()
    }

    /// A token of the owner for everything.
    pub(crate) async fn owner(&self) -> String {
        self.token(&self.world.owner, &["*"], None).await
    }

    /// The owner of another organisation.
    pub(crate) async fn stranger(&self) -> Caller {
        self.world.accounts.ensure_owner("other", "Other", "noa").await.expect("another owner")
    }

    /// A browser's cookie of the owner.
    pub(crate) async fn cookie(&self) -> String {
        let manage = self.world.owner.allow::<ManageTokens>().expect("an owner");
        let ticket = self.world.accounts.create_ticket(&manage).await.expect("a ticket");
        let login = self.world.accounts.log_in(ticket.secret.expose()).await.expect("a login");
        login.secret.expose().to_owned()
    }

    pub(crate) async fn get(&self, path: &str, who: As<'_>) -> Answer {
        self.send(Method::GET, path, who, None).await
    }

    pub(crate) async fn post(&self, path: &str, who: As<'_>, body: Value) -> Answer {
        self.send(Method::POST, path, who, Some(body)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, who: As<'_>, body: Option<Value>) -> Answer {
        self.send_with(method, path, who, body, &[]).await
    }

    #[expect(clippy::too_many_arguments, reason = "a request has these parts")]
    pub(crate) async fn send_with(
        &self,
        method: Method,
        path: &str,
        who: As<'_>,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = request(method, path, who, headers);
        if let Some(body) = body {
            request.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().expect("a value"));
            *request.body_mut() = Body::from(body.to_string());
        }
        read(self.router.clone().oneshot(request).await.expect("an answer")).await
    }

    /// Serves the router at a port of this machine, until the rig is gone.
    pub(crate) async fn serve(&self) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (router, stop) = (self.router.clone(), self.supervisor.stopping());
        self.supervisor.spawn("port", async move {
            let _ = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        });
        address
    }

    /// The status of an answer whose body may have no end.
    pub(crate) async fn status(&self, path: &str, who: As<'_>) -> StatusCode {
        let answer = self.router.clone().oneshot(request(Method::GET, path, who, &[])).await;
        answer.expect("an answer").status()
    }

    /// Opens a body and leaves it unread.
    pub(crate) async fn open(&self, path: &str, who: As<'_>, headers: &[(&str, &str)]) -> Body {
        let answer = self.router.clone().oneshot(request(Method::GET, path, who, headers)).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        answer.into_body()
    }

    /// The body of a wish for a run of a scenario.
    pub(crate) fn wish(&self, scenario: &str) -> Value {
        let hash = scenario.len();
        let path = self.folder.join(format!("scenario-{hash}.toml"));
        std::fs::write(&path, format!("title = \"test\"\n{scenario}")).expect("write a scenario");
        json!({
            "goal": "Do what the scenario says",
            "repository": self.repository.path(),
            "model": format!("scripted/{}", path.display()),
        })
    }

    /// A run that asks for a colour and waits.
    pub(crate) async fn asking_run(&self, token: &str) -> Value {
        let made = self.post("/v1/runs", As::Token(token), self.wish(ASKS)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let run = self.reach(token, &made.json(), &["waiting"]).await;
        // The model may ask before the sandbox is there, and what a test counts comes after both.
        let id = run["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let view = self.world.runs.find(&self.world.read(), runs::RunRef::Id(id)).await.expect("the run");
        self.world.until(&view, |event| matches!(event, domain::event::RunEvent::SandboxReady(_))).await;
        run
    }

    /// A run that was answered, has changed a file, and has ended.
    pub(crate) async fn finished_run(&self, token: &str) -> Value {
        let run = self.asking_run(token).await;
        let question = run["question"]["id"].as_str().expect("a question");
        let answer = json!({ "answer": "text", "text": "green" });
        let answered = self.post(&format!("/v1/questions/{question}/answer"), As::Token(token), answer).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.text);
        self.reach(token, &run, &["succeeded"]).await
    }

    /// Waits until the run is in one of `states`, and returns it as the API shows it.
    pub(crate) async fn reach(&self, token: &str, run: &Value, states: &[&str]) -> Value {
        let path = format!("/v1/runs/{}", run["id"].as_str().expect("an id"));
        let id = run["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let allowed = self.world.read();
        let view = self.world.runs.find(&allowed, runs::RunRef::Id(id)).await.expect("the run");
        self.world.reach(&view, states).await;
        self.get(&path, As::Token(token)).await.json()
    }

    /// How many topics somebody listens for; each followed run is one.
    pub(crate) fn listeners(&self) -> usize {
        self.world.store.wakeups().topics()
    }

    /// Moves the clock until a client that stands still is given up, and nobody listens any more.
    pub(crate) async fn cut_off(&self, quiet: usize) {
        assert!(self.listeners() > quiet, "nobody listens");
        let given_up = async {
            while self.listeners() > quiet {
                self.clock.advance(Duration::from_secs(31));
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), given_up).await.expect("a client is given up");
    }

    /// Appends an event to a run's log, as its owner would.
    pub(crate) async fn append(&self, run: &str, kind: &str, body: String) -> i64 {
        let (org, stream, kind) = (self.world.owner.org(), format!("run/{run}"), kind.to_owned());
        self.world
            .store
            .write(move |tx| Box::pin(async move { tx.append(org, &stream, 1, &kind, &body).await }))
            .await
            .expect("append an event")
    }
}

/// A question, an answer that is written to a file, the end.
pub(crate) const ASKS: &str = r#"
[[turn]]
calls = [{ tool = "ask_user", arguments = { question = "Which colour?", options = ["blue", "red"] } }]
[[turn]]
capture = { colour = "(blue|red|green)" }
calls = [{ tool = "write_file", arguments = { path = "colour", content = "{{colour}}\n" } }]
[[turn]]
say = "Painted."
"#;

fn request(method: Method, path: &str, who: As<'_>, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header(header::HOST, HOST);
    }
    request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request = match who {
        As::Nobody => request,
        As::Token(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        As::Cookie(login) => request.header(header::COOKIE, format!("theme=dark; jm_login={login}")),
        As::Socket(caller) => request.extension(SocketPeer(caller)),
    };
    request.body(Body::empty()).expect("a request")
}

async fn read(answer: axum::response::Response) -> Answer {
    let (head, body) = answer.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status: head.status, headers: head.headers, text }
}
