//! Who may do what, and what badly formed requests get. What goes well is told by `sdk-tests`, with E2B's clients.
#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use accounts::access::ManageTokens;
use accounts::{Caller, NewToken, Scopes, TokenKind};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use runtime::{Ambient, Supervisor};
use secrets::SubKey;
use serde_json::{Value, json};
use testkit::database::each_database;
use testkit::world::World;
use tower::ServiceExt;

type Tested = Result<(), Box<dyn std::error::Error>>;
type Headers<'a> = &'a [(&'a str, &'a str)];

struct Rig {
    world: World,
    router: Router,
    supervisor: Supervisor,
}

async fn each_rig(test: impl AsyncFn(&Rig) -> Tested) {
    each_database(async |database| {
        let world = World::open(database.open(Ambient::system()).await, database.folder()).await;
        let supervisor = Supervisor::new();
        let router = e2b::router(e2b::Parts {
            accounts: world.accounts.clone(),
            orchestrator: world.orchestrator.clone(),
            previews: gateway::Previews::new(world.store.clone()),
            ambient: Ambient::system(),
            supervisor: supervisor.clone(),
            key: SubKey::from_bytes([7; 32]),
            settings: e2b::Settings::default(),
        });
        let rig = Rig { world, router, supervisor };
        let outcome = test(&rig).await;
        rig.supervisor.stop(Duration::from_secs(10)).await;
        rig.world.close().await;
        outcome
    })
    .await;
}

impl Rig {
    async fn key(&self, caller: &Caller, scopes: Option<&[&str]>) -> String {
        let scopes = scopes.map(|scopes| Scopes::parse(scopes.iter().copied()).expect("scopes"));
        let new = NewToken { name: "sdk".to_owned(), kind: TokenKind::E2b, scopes, expires_in_days: None };
        let manage = caller.allow::<ManageTokens>().expect("an owner");
        let (_, secret) = self.world.accounts.create_token(&manage, new).await.expect("a key");
        secret.expose().to_owned()
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: Headers<'_>,
        body: &[u8],
    ) -> (StatusCode, Vec<u8>) {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Body::from(body.to_vec())).expect("a request");
        let answer = self.router.clone().oneshot(request).await.expect("an answer");
        let status = answer.status();
        (status, answer.into_body().collect().await.expect("a body").to_bytes().to_vec())
    }

    async fn json(&self, method: Method, path: &str, key: &str, body: Value) -> (StatusCode, Value) {
        let body = body.to_string();
        let (status, bytes) = self.send(method, path, &[("x-api-key", key)], body.as_bytes()).await;
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

const ID: &str = "sbx01a1fc7c99bf751180ba6b56f7d1f5d2";

const CONTROL: &[(&str, &str)] = &[
    ("GET", "/sandboxes"),
    ("POST", "/sandboxes"),
    ("GET", "/v2/sandboxes"),
    ("POST", "/v2/sandboxes"),
    ("GET", "/sandboxes/metrics"),
    ("GET", "/sandboxes/ID"),
    ("DELETE", "/sandboxes/ID"),
    ("POST", "/sandboxes/ID/connect"),
    ("POST", "/v2/sandboxes/ID/connect"),
    ("POST", "/sandboxes/ID/pause"),
    ("POST", "/sandboxes/ID/resume"),
    ("POST", "/sandboxes/ID/timeout"),
    ("POST", "/sandboxes/ID/refreshes"),
    ("GET", "/sandboxes/ID/metrics"),
    ("PUT", "/sandboxes/ID/network"),
    ("POST", "/sandboxes/ID/snapshots"),
    ("POST", "/sandboxes/ID/fork"),
    ("GET", "/sandboxes/ID/logs"),
    ("GET", "/v2/sandboxes/ID/logs"),
    ("GET", "/snapshots"),
    ("GET", "/templates"),
    ("POST", "/v3/templates"),
    ("GET", "/templates/aliases/base"),
    ("GET", "/templates/base"),
    ("DELETE", "/templates/base"),
    ("POST", "/templates/base/builds/x"),
    ("GET", "/teams"),
    ("GET", "/volumes"),
    ("GET", "/secrets"),
];

#[tokio::test]
async fn every_route_of_the_control_plane_wants_a_key_that_reaches_it() {
    each_rig(async |rig| {
        let (owner, stranger) =
            (&rig.world.owner, rig.world.accounts.ensure_owner("other", "Other", "noa").await?);
        let blind = rig.key(owner, Some(&["runs:read"])).await;
        let _keys_of_others = rig.key(&stranger, None).await;
        for (method, path) in CONTROL {
            let (method, path): (Method, _) = (method.parse()?, path.replace("ID", ID));
            for key in ["", "nonsense", &format!("e2b_{}", "0".repeat(40))] {
                let (status, body) = rig.json(method.clone(), &path, key, json!({})).await;
                assert_eq!(
                    (status, &body["code"]),
                    (StatusCode::UNAUTHORIZED, &json!(401)),
                    "{method} {path}"
                );
            }
            let (status, body) = rig.json(method.clone(), &path, &blind, json!({})).await;
            assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &json!(403)), "{method} {path}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_sandbox_of_another_organisation_is_not_there() {
    each_rig(async |rig| {
        let stranger = rig.world.accounts.ensure_owner("other", "Other", "noa").await?;
        let (ours, theirs) = (rig.key(&rig.world.owner, None).await, rig.key(&stranger, None).await);
        let wanted = json!({ "templateID": "base", "timeout": 60 });
        let (status, made) = rig.json(Method::POST, "/v2/sandboxes", &ours, wanted).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let id = made["sandboxID"].as_str().ok_or("an id")?;
        for (method, rest, body) in [
            (Method::GET, "", json!({})),
            (Method::DELETE, "", json!({})),
            (Method::POST, "/connect", json!({})),
            (Method::POST, "/pause", json!({})),
            (Method::POST, "/timeout", json!({ "timeout": 1 })),
            (Method::POST, "/fork", json!({})),
            (Method::POST, "/snapshots", json!({})),
            (Method::PUT, "/network", json!({})),
            (Method::GET, "/metrics", json!({})),
        ] {
            let (status, _) =
                rig.json(method.clone(), &format!("/sandboxes/{id}{rest}"), &theirs, body).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{method} {rest}");
        }
        let (_, listed) = rig.json(Method::GET, "/v2/sandboxes", &theirs, json!({})).await;
        assert_eq!(listed, json!([]));
        let (status, _) = rig.json(Method::DELETE, &format!("/sandboxes/{id}"), &ours, json!({})).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_data_plane_wants_the_sandboxs_own_token_and_whole_messages() {
    each_rig(async |rig| {
        let key = rig.key(&rig.world.owner, None).await;
        let wanted = json!({ "templateID": "base", "timeout": 60 });
        let (_, made) = rig.json(Method::POST, "/v2/sandboxes", &key, wanted).await;
        let (id, token) =
            (made["sandboxID"].as_str().ok_or("an id")?, made["envdAccessToken"].as_str().ok_or("a token")?);
        let unary = ("content-type", "application/json");
        let stream = ("content-type", "application/connect+json");
        let (named, shown) = (("e2b-sandbox-id", id), ("x-access-token", token));
        let list = "/process.Process/List";
        for (headers, status) in [
            (&[unary, named, shown][..], StatusCode::OK),
            (&[unary, named], StatusCode::UNAUTHORIZED),
            (&[unary, named, ("x-access-token", &key)], StatusCode::UNAUTHORIZED),
            (&[unary, ("e2b-sandbox-id", ID), shown], StatusCode::UNAUTHORIZED),
            (&[unary, shown], StatusCode::BAD_REQUEST),
            (&[("content-type", "application/proto"), named, shown], StatusCode::UNSUPPORTED_MEDIA_TYPE),
            (&[unary, named, shown, ("connect-timeout-ms", "soon")], StatusCode::BAD_REQUEST),
            (&[unary, named, shown, ("authorization", "Basic *")], StatusCode::UNAUTHORIZED),
        ] {
            assert_eq!(rig.send(Method::POST, list, headers, b"{}").await.0, status, "{headers:?}");
        }
        for (path, body, code) in [
            ("/process.Process/Start", &b"\0\0\0\0\x02{}"[..], "invalid_argument"),
            ("/process.Process/Start", b"\0\0\0\0\x09{}", "invalid_argument"),
            ("/process.Process/Start", b"\x01\0\0\0\x02{}", "internal"),
            ("/process.Process/Start", b"\0\xff\xff\xff\xff", "resource_exhausted"),
            ("/process.Process/Connect", b"\0\0\0\0\x02{}", "invalid_argument"),
            ("/process.Process/StreamInput", b"", "invalid_argument"),
            ("/filesystem.Filesystem/WatchDir", b"\0\0\0\0\x0d{\"path\":\"/x\"}", "not_found"),
        ] {
            let (status, bytes) = rig.send(Method::POST, path, &[stream, named, shown], body).await;
            let told: Value = serde_json::from_slice(bytes.get(5..).unwrap_or_default())?;
            assert_eq!(
                (status, bytes[0], &told["error"]["code"]),
                (StatusCode::OK, 2, &json!(code)),
                "{path}"
            );
        }
        let (status, _) =
            rig.send(Method::POST, "/process.Process/Nothing", &[unary, named, shown], b"{}").await;
        assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
        let (status, body) = rig.send(Method::GET, "/health", &[("e2b-sandbox-id", ID)], b"").await;
        let body: Value = serde_json::from_slice(&body)?;
        let gone = json!({ "code": 502, "message": "The sandbox was not found", "sandboxId": ID });
        assert_eq!((status, body), (StatusCode::BAD_GATEWAY, gone));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn badly_formed_requests_are_told_what_is_wrong() {
    each_rig(async |rig| {
        let key = rig.key(&rig.world.owner, None).await;
        for (path, body) in [
            ("/v2/sandboxes", json!({})),
            ("/v2/sandboxes", json!({ "templateID": 7 })),
            ("/v2/sandboxes", json!({ "templateID": "base", "timeout": -1 })),
            ("/v2/sandboxes", json!({ "templateID": "base", "timeout": 1_000_000_000 })),
            ("/v2/sandboxes", json!({ "templateID": "base", "envVars": { "a=b": "c" } })),
            (
                "/v2/sandboxes",
                json!({ "templateID": "base", "volumeMounts": [{ "name": "v", "path": "/v" }] }),
            ),
            ("/v2/sandboxes", json!({ "templateID": "base", "network": { "maskRequestHost": "x" } })),
        ] {
            let (status, told) = rig.json(Method::POST, path, &key, body.clone()).await;
            assert_eq!((status, &told["code"]), (StatusCode::BAD_REQUEST, &json!(400)), "{body}: {told}");
        }
        for path in [
            "/v2/sandboxes?limit=0",
            "/v2/sandboxes?state=asleep",
            "/v2/sandboxes?startedAfter=now",
            "/v2/sandboxes?order=up",
            "/v2/sandboxes?nextToken=x",
            "/snapshots?sandboxID=x",
        ] {
            let (status, _) = rig.json(Method::GET, path, &key, json!({})).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        }
        let (status, _) = rig.json(Method::GET, "/sandboxes/..%2Fx", &key, json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        Ok(())
    })
    .await;
}
