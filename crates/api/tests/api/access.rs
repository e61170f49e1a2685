//! Every route of the document, called by those who may not.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{As, Rig, Tested, each_rig};

/// What every operation needs: a scope, any credential (`""`), or none at all (`"-"`).
const NEEDS: &[(&str, &str, &str)] = &[
    ("get", "/v1/health", "-"),
    ("post", "/v1/login", "-"),
    ("post", "/v1/logout", ""),
    ("get", "/v1/me", ""),
    ("get", "/v1/status", "status:read"),
    ("get", "/v1/doctor", "status:read"),
    ("get", "/v1/tokens", "tokens:write"),
    ("post", "/v1/tokens", "tokens:write"),
    ("delete", "/v1/tokens/{token}", "tokens:write"),
    ("post", "/v1/tickets", "tokens:write"),
    ("get", "/v1/projects", "projects:read"),
    ("post", "/v1/projects", "projects:write"),
    ("get", "/v1/projects/{project}", "projects:read"),
    ("get", "/v1/projects/{project}/rules", "projects:read"),
    ("post", "/v1/projects/{project}/rules", "projects:write"),
    ("delete", "/v1/projects/{project}/rules/{rule}", "projects:write"),
    ("get", "/v1/models", "runs:read"),
    ("post", "/v1/models/test", "models:write"),
    ("put", "/v1/models/default", "models:write"),
    ("put", "/v1/models/keys/{provider}", "models:write"),
    ("delete", "/v1/models/keys/{provider}", "models:write"),
    ("post", "/v1/demo", "runs:write"),
    ("get", "/v1/runs", "runs:read"),
    ("post", "/v1/runs", "runs:write"),
    ("get", "/v1/runs/{run}", "runs:read"),
    ("delete", "/v1/runs/{run}", "runs:write"),
    ("post", "/v1/runs/{run}/messages", "runs:write"),
    ("post", "/v1/runs/{run}/pause", "runs:write"),
    ("post", "/v1/runs/{run}/resume", "runs:write"),
    ("post", "/v1/runs/{run}/stop", "runs:write"),
    ("post", "/v1/runs/{run}/continue", "runs:write"),
    ("get", "/v1/runs/{run}/questions", "runs:read"),
    ("post", "/v1/questions/{question}/answer", "questions:answer"),
    ("get", "/v1/runs/{run}/events", "runs:read"),
    ("get", "/v1/runs/{run}/diff", "runs:read"),
    ("post", "/v1/runs/{run}/apply", "runs:write"),
    ("get", "/v1/runs/{run}/artifacts", "runs:read"),
    ("get", "/v1/artifacts/{artifact}", "runs:read"),
    ("get", "/v1/sandboxes", "sandboxes:read"),
    ("post", "/v1/sandboxes", "sandboxes:write"),
    ("get", "/v1/sandboxes/{sandbox}", "sandboxes:read"),
    ("delete", "/v1/sandboxes/{sandbox}", "sandboxes:write"),
    ("post", "/v1/sandboxes/{sandbox}/pause", "sandboxes:write"),
    ("post", "/v1/sandboxes/{sandbox}/resume", "sandboxes:write"),
    ("post", "/v1/sandboxes/{sandbox}/stop", "sandboxes:write"),
    ("put", "/v1/sandboxes/{sandbox}/timeout", "sandboxes:write"),
    ("post", "/v1/sandboxes/{sandbox}/keep-alive", "sandboxes:write"),
    ("put", "/v1/sandboxes/{sandbox}/egress", "sandboxes:write"),
    ("get", "/v1/sandboxes/{sandbox}/previews", "sandboxes:read"),
    ("post", "/v1/sandboxes/{sandbox}/previews", "sandboxes:write"),
    ("delete", "/v1/sandboxes/{sandbox}/previews/{preview}", "sandboxes:write"),
    ("get", "/v1/sandboxes/{sandbox}/metrics", "sandboxes:read"),
    ("get", "/v1/sandboxes/{sandbox}/events", "sandboxes:read"),
    ("get", "/v1/sandboxes/{sandbox}/folder", "sandboxes:read"),
    ("post", "/v1/sandboxes/{sandbox}/exec", "sandboxes:write"),
    ("get", "/v1/sandboxes/{sandbox}/files", "sandboxes:read"),
    ("put", "/v1/sandboxes/{sandbox}/files", "sandboxes:write"),
    ("delete", "/v1/sandboxes/{sandbox}/files", "sandboxes:write"),
    ("get", "/v1/sandboxes/{sandbox}/terminal", "sandboxes:write"),
    ("post", "/v1/sandboxes/{sandbox}/snapshots", "sandboxes:write"),
    ("post", "/v1/sandboxes/{sandbox}/fork", "sandboxes:write"),
    ("post", "/v1/sandboxes/{sandbox}/archive", "sandboxes:write"),
    ("post", "/v1/sandboxes/{sandbox}/restore", "sandboxes:write"),
    ("get", "/v1/snapshots", "sandboxes:read"),
    ("delete", "/v1/snapshots/{snapshot}", "sandboxes:write"),
    ("get", "/v1/events", "runs:read"),
    ("get", "/v1/ws", "runs:read"),
];

const SCOPES: [&str; 10] = [
    "runs:read",
    "runs:write",
    "questions:answer",
    "projects:read",
    "projects:write",
    "models:write",
    "tokens:write",
    "status:read",
    "sandboxes:read",
    "sandboxes:write",
];

/// The operations of the served document, with the path filled in.
async fn operations(rig: &Rig, ids: &BTreeMap<&str, String>) -> Vec<(Method, String, String)> {
    let document = rig.get("/v1/openapi.json", As::Nobody).await.json();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let filled =
            ids.iter().fold(path.clone(), |path, (name, id)| path.replace(&format!("{{{name}}}"), id));
        let query = match path.as_str() {
            "/v1/events" => format!("?stream=run/{}", ids["run"]),
            "/v1/sandboxes/{sandbox}/files" | "/v1/sandboxes/{sandbox}/folder" => "?path=a".to_owned(),
            _ => String::new(),
        };
        for method in item.as_object().expect("an item").keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            operations.push((method, path.clone(), format!("{filled}{query}")));
        }
    }
    operations
}

fn need_of(method: &Method, path: &str) -> &'static str {
    let method = method.as_str().to_lowercase();
    let found = NEEDS.iter().find(|(of, at, _)| *of == method && *at == path);
    found.unwrap_or_else(|| panic!("say in NEEDS what {method} {path} needs")).2
}

/// A body that is right, so that a refusal has no other reason.
fn body_of(path: &str, rig: &Rig) -> Option<Value> {
    match path {
        "/v1/runs/{run}/messages" => Some(json!({ "text": "hello" })),
        "/v1/runs/{run}/continue" => Some(json!({ "goal": "more" })),
        "/v1/questions/{question}/answer" => Some(json!({ "answer": "text", "text": "red" })),
        "/v1/tokens" => Some(json!({ "name": "x" })),
        "/v1/projects" => Some(json!({ "path": rig.repository.path() })),
        "/v1/projects/{project}/rules" => Some(json!({ "tool": "bash", "effect": "ask" })),
        "/v1/models/test" | "/v1/models/default" => Some(json!({ "name": "scripted/shop" })),
        "/v1/models/keys/{provider}" => Some(json!({ "key": "k" })),
        "/v1/runs" => Some(json!({ "goal": "x" })),
        "/v1/sandboxes" => Some(json!({})),
        "/v1/sandboxes/{sandbox}/exec" => Some(json!({ "command": "true" })),
        "/v1/sandboxes/{sandbox}/timeout" | "/v1/sandboxes/{sandbox}/keep-alive" => {
            Some(json!({ "timeout_seconds": 60 }))
        }
        "/v1/sandboxes/{sandbox}/previews" => Some(json!({ "port": 3000 })),
        "/v1/sandboxes/{sandbox}/egress" => Some(json!({})),
        "/v1/login" => Some(json!({ "ticket": "x" })),
        _ => None,
    }
}

/// One of each kind of thing, all of the owner's organisation.
async fn things(rig: &Rig, token: &str) -> BTreeMap<&'static str, String> {
    let run = rig.finished_run(token).await;
    let id = run["id"].as_str().expect("an id").to_owned();
    let questions = rig.get(&format!("/v1/runs/{id}/questions"), As::Token(token)).await.json();
    let artifacts = rig.get(&format!("/v1/runs/{id}/artifacts"), As::Token(token)).await.json();
    let tokens = rig.get("/v1/tokens", As::Token(token)).await.json();
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let sandbox = rig.post("/v1/sandboxes", As::Token(token), json!({})).await;
    assert_eq!(sandbox.status, StatusCode::CREATED, "{}", sandbox.text);
    let sandbox = sandbox.json();
    let path = format!("/v1/sandboxes/{}/snapshots", text(&sandbox["id"]));
    let snapshot = rig.post(&path, As::Token(token), json!({})).await;
    assert_eq!(snapshot.status, StatusCode::CREATED, "{}", snapshot.text);
    let snapshot = snapshot.json();
    BTreeMap::from([
        ("snapshot", text(&snapshot["id"])),
        ("question", text(&questions["items"][0]["id"])),
        ("artifact", text(&artifacts["items"][0]["id"])),
        ("token", text(&tokens["items"][0]["id"])),
        ("project", text(&run["project"]["id"])),
        ("sandbox", text(&sandbox["id"])),
        ("preview", format!("prv{:032x}", 1)),
        ("provider", "anthropic".to_owned()),
        ("rule", "rul00000000000000000000000000000000".to_owned()),
        ("run", id),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_no_expired_revoked_and_weaker_credentials() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let ids = things(rig, &owner).await;
        let expired = rig.token(&rig.world.owner, &["*"], Some(0)).await;
        let unknown = format!("jm_{}", "A".repeat(43));
        let nothing = rig.token(&rig.world.owner, &[], None).await;
        let operations = operations(rig, &ids).await;
        assert_eq!(operations.len(), NEEDS.len(), "NEEDS names routes that are gone");
        for (method, path, address) in operations {
            let need = need_of(&method, &path);
            if need == "-" {
                continue;
            }
            let call = async |who: As<'_>| rig.send(method.clone(), &address, who, body_of(&path, rig)).await;
            for who in [As::Nobody, As::Token(&expired), As::Token(&unknown), As::Cookie(&owner)] {
                let answer = call(who).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}: {}", answer.text);
                assert_eq!(answer.code(), "not_authenticated");
            }
            if need.is_empty() {
                continue;
            }
            let others: Vec<&str> = SCOPES.into_iter().filter(|scope| *scope != need).collect();
            let all_but_one = rig.token(&rig.world.owner, &others, None).await;
            for who in [As::Token(&nothing), As::Token(&all_but_one)] {
                let answer = call(who).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {}", answer.text);
                assert_eq!(answer.code(), "forbidden");
                assert_eq!(answer.header("content-type"), "application/problem+json");
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisation_finds_none_of_our_things_and_changes_none() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let ids = things(rig, &owner).await;
        let before = rig.get(&format!("/v1/runs/{}", ids["run"]), As::Token(&owner)).await.json();
        let stranger = rig.token(&rig.stranger().await, &["*"], None).await;
        let named = ["{run}", "{question}", "{artifact}", "{project}", "{token}", "{sandbox}", "{snapshot}"];
        let mut called = 0;
        for (method, path, address) in operations(rig, &ids).await {
            let concerns_a_thing = named.iter().any(|name| path.contains(name)) || path == "/v1/events";
            if !concerns_a_thing {
                continue;
            }
            called += 1;
            let answer = rig.send(method.clone(), &address, As::Token(&stranger), body_of(&path, rig)).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {}", answer.text);
            assert!(answer.code().ends_with("_not_found"), "{method} {path}: {}", answer.code());
        }
        assert_eq!(called, 44);
        for list in ["/v1/runs", "/v1/projects", "/v1/sandboxes", "/v1/snapshots"] {
            assert_eq!(rig.get(list, As::Token(&stranger)).await.json()["items"], json!([]), "{list}");
        }
        let after = rig.get(&format!("/v1/runs/{}", ids["run"]), As::Token(&owner)).await;
        assert_eq!((after.status, after.json()), (StatusCode::OK, before));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_refused_at_once() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let made = rig.post("/v1/tokens", As::Token(&owner), json!({ "name": "ci" })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let (made, id) = (made.json(), made.json()["id"].as_str().expect("an id").to_owned());
        let token = made["token"].as_str().expect("a token");
        assert_eq!(rig.get("/v1/me", As::Token(token)).await.status, StatusCode::OK);
        let revoked = rig.send(Method::DELETE, &format!("/v1/tokens/{id}"), As::Token(&owner), None).await;
        assert_eq!(revoked.status, StatusCode::NO_CONTENT);
        assert_eq!(rig.get("/v1/me", As::Token(token)).await.status, StatusCode::UNAUTHORIZED);
        let listed = rig.get("/v1/tokens", As::Token(&owner)).await;
        assert!(!listed.text.contains(token) && !listed.text.contains(&owner), "{}", listed.text);
        Ok(())
    })
    .await;
}
