//! Sandboxes through the routes, with the native provider.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{As, Rig, Tested, each_rig};

async fn make(rig: &Rig, token: &str, wanted: Value) -> Value {
    let made = rig.post("/v1/sandboxes", As::Token(token), wanted).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.json()
}

fn at(sandbox: &Value, rest: &str) -> String {
    format!("/v1/sandboxes/{}{rest}", sandbox["id"].as_str().expect("an id"))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_is_made_used_rested_and_deleted_over_the_routes() {
    each_rig(async |rig| -> Tested {
        let token = rig.owner().await;
        let wanted = json!({ "name": "try", "metadata": { "team": "blue" }, "env": { "COLOUR": "green" } });
        let made = make(rig, &token, wanted).await;
        assert_eq!((&made["state"], &made["provider"]), (&json!("running"), &json!("native")));
        let exec = json!({ "command": "echo $COLOUR; echo oops >&2; printf '\\377'; exit 3" });
        let ran = rig.post(&at(&made, "/exec"), As::Token(&token), exec).await;
        assert_eq!((ran.status, ran.header("content-type")), (StatusCode::OK, "application/x-ndjson"));
        let ran = lines(&ran.text);
        assert_eq!(ran.last(), Some(&json!({ "end": { "exit_code": 3, "timed_out": false } })));
        assert!(ran.contains(&json!({ "stderr": "oops\n" })), "{ran:?}");
        let out: String = ran.iter().filter_map(|line| line["stdout"].as_str()).collect();
        assert!(out.contains("green") || ran.iter().any(|line| !line["stdout_base64"].is_null()), "{ran:?}");

        let listed = rig.get("/v1/sandboxes?metadata=team=blue", As::Token(&token)).await.json();
        assert_eq!(listed["items"][0]["id"], made["id"]);
        let none = rig.get("/v1/sandboxes?metadata=team=red", As::Token(&token)).await.json();
        assert_eq!(none["items"], json!([]));

        let stopped = rig.post(&at(&made, "/stop"), As::Token(&token), json!({})).await.json();
        assert_eq!((&stopped["state"], &stopped["reason"]), (&json!("stopped"), &json!("asked")));
        let asleep = rig.post(&at(&made, "/exec"), As::Token(&token), json!({ "command": "true" })).await;
        assert_eq!((asleep.status, asleep.code()), (StatusCode::CONFLICT, "sandbox_asleep".to_owned()));
        assert!(
            asleep.json()["fix"].as_str().is_some_and(|fix| fix.starts_with("journeyman box resume sbx"))
        );
        let resume = json!({ "timeout_seconds": 60 });
        let resumed = rig.post(&at(&made, "/resume"), As::Token(&token), resume).await.json();
        assert_eq!(resumed["state"], "running");

        let gone = rig.send(Method::DELETE, &at(&made, ""), As::Token(&token), None).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
        let gone = rig.get(&at(&made, ""), As::Token(&token)).await;
        assert_eq!((gone.status, gone.code()), (StatusCode::NOT_FOUND, "sandbox_not_found".to_owned()));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_one_sandbox_however_often_it_is_sent() {
    each_rig(async |rig| -> Tested {
        let token = rig.owner().await;
        let ask = async |body: Value| {
            let headers = [("idempotency-key", "k1")];
            rig.send_with(Method::POST, "/v1/sandboxes", As::Token(&token), Some(body), &headers).await
        };
        let (one, two) = tokio::join!(ask(json!({})), ask(json!({})));
        assert_eq!((one.status, two.status), (StatusCode::CREATED, StatusCode::CREATED), "{}", two.text);
        assert_eq!(one.json()["id"], two.json()["id"]);
        let other = ask(json!({ "name": "other" })).await;
        assert_eq!((other.status, other.code()), (StatusCode::CONFLICT, "idempotency_conflict".to_owned()));
        let listed = rig.get("/v1/sandboxes", As::Token(&token)).await.json();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_with_the_reason() {
    each_rig(async |rig| -> Tested {
        let token = rig.owner().await;
        let invalid = StatusCode::UNPROCESSABLE_ENTITY;
        for (body, status, code) in [
            (json!({ "template": "nowhere" }), StatusCode::NOT_FOUND, "template_not_found"),
            (json!({ "colour": "red" }), invalid, "invalid_request"),
            (json!({ "resources": { "memory_bytes": 1 } }), invalid, "invalid_request"),
            (json!({ "timeout_seconds": 99_999_999 }), invalid, "invalid_request"),
        ] {
            let refused = rig.post("/v1/sandboxes", As::Token(&token), body.clone()).await;
            assert_eq!((refused.status, refused.code().as_str()), (status, code), "{body}: {}", refused.text);
        }
        for path in ["/v1/sandboxes/nonsense", "/v1/sandboxes/sbx00000000000000000000000000000007"] {
            assert_eq!(rig.get(path, As::Token(&token)).await.code(), "sandbox_not_found");
        }
        let made = make(rig, &token, json!({})).await;
        for body in [json!({}), json!({ "command": "a", "argv": ["b"] }), json!({ "argv": [] })] {
            let refused = rig.post(&at(&made, "/exec"), As::Token(&token), body).await;
            assert_eq!(refused.code(), "invalid_request", "{}", refused.text);
        }
        let state = rig.get("/v1/sandboxes?state=sideways", As::Token(&token)).await;
        assert_eq!(state.code(), "invalid_request");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_sandbox_is_read_and_followed() {
    each_rig(async |rig| -> Tested {
        let token = rig.owner().await;
        let made = make(rig, &token, json!({})).await;
        let events = rig.get(&at(&made, "/events"), As::Token(&token)).await.json();
        let kinds: Vec<&str> = events["items"]
            .as_array()
            .expect("events")
            .iter()
            .filter_map(|event| event["kind"].as_str())
            .collect();
        assert_eq!(kinds, ["sandbox.created", "sandbox.state", "sandbox.ends"]);
        let stream = format!("/v1/events?stream=sandbox/{}", made["id"].as_str().expect("an id"));
        assert_eq!(rig.status(&stream, As::Token(&token)).await, StatusCode::OK);
        let weak = rig.token(&rig.world.owner, &["runs:read"], None).await;
        assert_eq!(rig.status(&stream, As::Token(&weak)).await, StatusCode::FORBIDDEN);
        Ok(())
    })
    .await;
}

async fn shell(rig: &Rig, token: &str, sandbox: &Value, command: &str) -> String {
    let ran = rig.post(&at(sandbox, "/exec"), As::Token(token), json!({ "command": command })).await;
    assert_eq!(ran.status, StatusCode::OK, "{}", ran.text);
    let ran = lines(&ran.text);
    assert_eq!(ran.last().map(|line| &line["end"]["exit_code"]), Some(&json!(0)), "{ran:?}");
    ran.iter().filter_map(|line| line["stdout"].as_str()).collect()
}

async fn act(rig: &Rig, token: &str, sandbox: &Value, verb: &str) -> Value {
    let done = rig.post(&at(sandbox, verb), As::Token(token), json!({})).await;
    assert!(done.status.is_success(), "{verb}: {}", done.text);
    done.json()
}

/// Everything of a tree that a restored one must have too.
const TELL: &str = "cd /workspace && find . -mindepth 1 -printf '%p %y %m %s %l %T@\\n' | sort; cat deep/er/file; getfattr -d file 2>/dev/null; true";

#[tokio::test(flavor = "multi_thread")]
async fn forks_go_on_from_the_same_files_and_change_their_own() {
    each_rig(async |rig| -> Tested {
        let token = rig.owner().await;
        let source = make(rig, &token, json!({ "env": { "COLOUR": "green" } })).await;
        shell(
            rig,
            &token,
            &source,
            "mkdir -p deep/er; echo one > deep/er/file; echo x > gone; echo h > ~/home",
        )
        .await;
        let forks = act(rig, &token, &source, "/fork").await;
        let fork = &forks["items"][0];
        assert_ne!(fork["id"], source["id"]);
        assert_eq!(
            shell(rig, &token, fork, "cat deep/er/file ~/home; echo $COLOUR").await,
            "one\nh\ngreen\n"
        );
        shell(rig, &token, fork, "echo two > deep/er/file; rm gone").await;
        assert_eq!(shell(rig, &token, &source, "cat deep/er/file gone").await, "one\nx\n");
        shell(rig, &token, &source, "rm -r deep; mkdir deep").await;
        let again = act(rig, &token, fork, "/fork").await;
        let again = &again["items"][0];
        assert_eq!(shell(rig, &token, again, "cat deep/er/file; ls").await, "two\ndeep\n");
        assert_eq!(shell(rig, &token, &source, "ls deep").await, "");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_makes_sandboxes_also_when_its_source_is_gone() {
    each_rig(async |rig| -> Tested {
        let token = rig.owner().await;
        let source = make(rig, &token, json!({})).await;
        shell(rig, &token, &source, "echo one > note").await;
        let snapshot = act(rig, &token, &source, "/snapshots").await;
        assert_eq!((&snapshot["kind"], &snapshot["sandbox"]), (&json!("layers"), &source["id"]));
        shell(rig, &token, &source, "echo later > note").await;
        rig.send(Method::DELETE, &at(&source, ""), As::Token(&token), None).await;
        rig.world.orchestrator.sweep().await?;
        let made = make(rig, &token, json!({ "template": snapshot["id"] })).await;
        assert_eq!(shell(rig, &token, &made, "cat note").await, "one\n");
        let path = format!("/v1/snapshots/{}", snapshot["id"].as_str().expect("an id"));
        let removed = rig.send(Method::DELETE, &path, As::Token(&token), None).await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.text);
        let refused =
            rig.post("/v1/sandboxes", As::Token(&token), json!({ "template": snapshot["id"] })).await;
        assert_eq!(refused.code(), "snapshot_not_found");
        assert_eq!(shell(rig, &token, &made, "cat note").await, "one\n", "it keeps what it needs");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_sandbox_comes_back_with_an_equal_tree() {
    each_rig(async |rig| -> Tested {
        let token = rig.owner().await;
        let made = make(rig, &token, json!({})).await;
        let fill = "mkdir -p deep/er; echo one > deep/er/file; chmod 751 deep/er/file; ln -s /nowhere link; \
                    ln deep/er/file same; head -c 3000000 /dev/zero > large; touch -d @1000.5 deep; echo f > file; \
                    printf odd > \"$(printf 'odd \\001 name')\"; mkfifo pipe; rm pipe; echo gone > gone";
        shell(rig, &token, &made, fill).await;
        // A second layer, with a removed file and a replaced folder.
        act(rig, &token, &made, "/snapshots").await;
        shell(rig, &token, &made, "rm gone; rm -r deep; mkdir -p deep/er; echo two > deep/er/file").await;
        let before = shell(rig, &token, &made, TELL).await;
        let archived = act(rig, &token, &made, "/archive").await;
        assert_eq!(archived["state"], "archived");
        assert_eq!(act(rig, &token, &made, "/archive").await, archived, "archiving twice is archiving once");
        let asleep = rig.post(&at(&made, "/exec"), As::Token(&token), json!({ "command": "true" })).await;
        assert_eq!(asleep.code(), "sandbox_asleep");
        let listed = rig.get("/v1/snapshots", As::Token(&token)).await.json();
        let archive = &listed["items"][0];
        assert_eq!((&archive["kind"], archive["checksum"].as_str().map(str::len)), (&json!("archive"), Some(64)));
        let path = format!("/v1/snapshots/{}", archive["id"].as_str().expect("an id"));
        let needed = rig.send(Method::DELETE, &path, As::Token(&token), None).await;
        assert_eq!(needed.code(), "invalid_request", "its files are there alone");

        let restored = act(rig, &token, &made, "/restore").await;
        assert_eq!(restored["state"], "hibernated");
        act(rig, &token, &made, "/resume").await;
        assert_eq!(shell(rig, &token, &made, TELL).await, before);
        Ok(())
    })
    .await;
}
