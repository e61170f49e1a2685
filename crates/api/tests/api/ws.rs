//! Streams over a WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use accounts::access::ManageTokens;
use serde_json::{Value, json};

use crate::rig::{As, HOST, Tested, each_rig};
use crate::ws_client::Client;

async fn open(address: SocketAddr, token: &str) -> Client {
    let bearer = format!("Bearer {token}");
    Client::open(address, &[("Authorization", &bearer)]).await.expect("an open socket")
}

fn subscribe(stream: &str, after: i64) -> String {
    json!({ "subscribe": { "stream": stream, "after": after } }).to_string()
}

fn stream_of(run: &Value) -> String {
    format!("run/{}", run["id"].as_str().expect("an id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_gets_what_was_then_that_it_caught_up_then_what_comes_without_a_gap() {
    each_rig(async |rig| -> Tested {
        let address = rig.serve().await;
        let owner = rig.owner().await;
        let run = rig.asking_run(&owner).await;
        let (stream, id) = (stream_of(&run), run["id"].as_str().expect("an id"));
        let mut client = open(address, &owner).await;
        let write = async {
            for number in 0..250 {
                rig.append(id, "test.counted", json!({ "number": number }).to_string()).await;
            }
            rig.append(id, "test.last", "{}".to_owned()).await
        };
        let read = async {
            client.send(&subscribe(&stream, 1)).await;
            let (mut seen, mut caught_up) = (Vec::new(), Vec::new());
            loop {
                let message = client.next().await.expect("a message");
                if let Some(told) = message.get("caught_up") {
                    assert_eq!(told["stream"], json!(stream));
                    caught_up.push((told["head"].as_i64(), seen.len()));
                }
                if let Some(event) = message.get("event") {
                    seen.push(event["seq"].as_i64().unwrap_or(0));
                    if event["kind"] == "test.last" {
                        return (seen, caught_up);
                    }
                }
            }
        };
        let (last, (seen, caught_up)) = tokio::join!(write, read);
        assert_eq!(seen, (2..=last).collect::<Vec<_>>());
        // Told at most once, and true: everything up to its head had been told by then.
        assert!(caught_up.len() <= 1, "{caught_up:?}");
        for (head, told) in caught_up {
            assert_eq!(head, i64::try_from(told).ok().map(|told| told + 1));
        }

        client.send(&json!({ "ping": 7 }).to_string()).await;
        assert_eq!(client.next_with("pong").await, Some(json!(7)));
        rig.world.store.live().publish(&stream, "live.text", r#"{"turn":1,"text":"Hm"}"#.into());
        let live = client.next_with("live").await;
        assert_eq!(
            live,
            Some(json!({ "stream": stream, "kind": "live.text", "data": { "turn": 1, "text": "Hm" } }))
        );

        client.send(&json!({ "unsubscribe": { "stream": stream } }).to_string()).await;
        client.send(&json!({ "ping": 8 }).to_string()).await;
        assert_eq!(client.next_with("pong").await, Some(json!(8)));
        rig.append(id, "test.unheard", "{}".to_owned()).await;
        client.send(&json!({ "ping": 9 }).to_string()).await;
        assert_eq!(client.next().await, Some(json!({ "pong": 9 })));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_hear_of_changed_runs() {
    each_rig(async |rig| -> Tested {
        let address = rig.serve().await;
        let owner = rig.owner().await;
        let mut client = open(address, &owner).await;
        client.send(&subscribe("org", 0)).await;
        client.send(&json!({ "ping": 1 }).to_string()).await;
        assert_eq!(client.next_with("pong").await, Some(json!(1)));
        let stranger = rig.token(&rig.stranger().await, &["*"], None).await;
        let mut foreign = open(address, &stranger).await;
        foreign.send(&subscribe("org", 0)).await;
        foreign.send(&json!({ "ping": 1 }).to_string()).await;
        assert_eq!(foreign.next_with("pong").await, Some(json!(1)));

        let run = rig.asking_run(&owner).await;
        loop {
            let event = client.next_with("event").await.expect("an event");
            assert_eq!((&event["kind"], &event["data"]["id"]), (&json!("run.changed"), &run["id"]));
            if event["data"]["state"] == "waiting" {
                break;
            }
        }
        foreign.send(&json!({ "ping": 2 }).to_string()).await;
        assert_eq!(foreign.next().await, Some(json!({ "pong": 2 })));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browsers_socket_must_come_from_our_own_page() {
    each_rig(async |rig| -> Tested {
        let address = rig.serve().await;
        let cookie = format!("jm_login={}", rig.cookie().await);
        let origin = format!("http://{HOST}");
        let refusal = async |headers: &[(&str, &str)]| Client::open(address, headers).await.err();
        assert_eq!(refusal(&[]).await, Some(401));
        assert_eq!(refusal(&[("Cookie", &cookie)]).await, Some(403));
        assert_eq!(refusal(&[("Cookie", &cookie), ("Origin", "http://evil.example")]).await, Some(403));
        assert_eq!(refusal(&[("Cookie", &cookie), ("Origin", "null")]).await, Some(403));
        assert_eq!(refusal(&[("Cookie", &cookie), ("Origin", &origin)]).await, None);
        let weak = format!("Bearer {}", rig.token(&rig.world.owner, &["status:read"], None).await);
        assert_eq!(refusal(&[("Authorization", &weak)]).await, Some(403));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_followed_is_told_and_the_socket_stays() {
    each_rig(async |rig| -> Tested {
        let address = rig.serve().await;
        let owner = rig.owner().await;
        let run = rig.asking_run(&owner).await;
        let stranger = rig.token(&rig.stranger().await, &["*"], None).await;
        let mut foreign = open(address, &stranger).await;
        foreign.send(&subscribe(&stream_of(&run), 0)).await;
        let error = foreign.next_with("error").await.expect("an error");
        assert_eq!((&error["code"], &error["stream"]), (&json!("run_not_found"), &json!(stream_of(&run))));

        let mut client = open(address, &owner).await;
        let old =
            json!({ "subscribe": { "stream": stream_of(&run), "after": 1, "epoch": "old" } }).to_string();
        let cases = [
            (old, "epoch_changed"),
            (subscribe(&stream_of(&run), 1_000_000), "epoch_changed"),
            (subscribe(&stream_of(&run), -1), "invalid_request"),
            (subscribe("chat/1", 0), "no_such_stream"),
            ("nonsense".to_owned(), "invalid_request"),
            (r#"{"subscribe":1}"#.to_owned(), "invalid_request"),
        ];
        for (message, code) in cases {
            client.send(&message).await;
            let error = client.next_with("error").await.expect("an error");
            assert_eq!(error["code"], json!(code), "{message}");
        }
        client.send(&subscribe(&format!("run/{}", run["number"]), 0)).await;
        assert_eq!(
            client.next_with("event").await.map(|event| event["kind"].clone()),
            Some(json!("run.created"))
        );
        client.send(&"x".repeat(100_000)).await;
        while client.next().await.is_some() {}
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_whose_client_stands_still_is_closed_and_holds_nobody() {
    each_rig(async |rig| -> Tested {
        let address = rig.serve().await;
        let owner = rig.owner().await;
        let run = rig.asking_run(&owner).await;
        let (stream, id) = (stream_of(&run), run["id"].as_str().expect("an id"));
        let quiet = rig.listeners();
        let mut still = open(address, &owner).await;
        still.send(&subscribe(&stream, 0)).await;
        let mut quick = open(address, &owner).await;
        quick.send(&subscribe(&stream, 0)).await;
        let mut last: i64 = 0;
        let body = json!({ "text": "x".repeat(64 << 10) }).to_string();
        // More than the buffers of a connection on this machine hold.
        for _ in 0..400 {
            last = rig.append(id, "test.large", body.clone()).await;
            quick.next_with("event").await.expect("an event");
        }
        while quick.next_with("event").await.expect("an event")["seq"].as_i64() < Some(last) {}
        drop(quick);
        rig.cut_off(quiet).await;
        let mut taken = 0;
        while still.next_with("event").await.is_some() {
            taken += 1;
        }
        assert!(taken < last, "all {last} events were held for a client that took none");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_socket_ends_when_its_token_is_revoked() {
    each_rig(async |rig| -> Tested {
        let address = rig.serve().await;
        let token = rig.token(&rig.world.owner, &["runs:read"], None).await;
        let mut client = open(address, &token).await;
        client.send(&json!({ "ping": 1 }).to_string()).await;
        assert_eq!(client.next_with("pong").await, Some(json!(1)));
        let manage = rig.world.owner.allow::<ManageTokens>()?;
        let tokens = rig.world.accounts.list_tokens(&manage).await?;
        rig.world.accounts.revoke_token(&manage, tokens[0].id).await?;
        assert_eq!(rig.get("/v1/runs", As::Token(&token)).await.status.as_u16(), 401);
        rig.clock.wait_for_sleepers(1).await;
        rig.clock.advance(Duration::from_secs(15));
        assert_eq!(client.next().await, None);
        Ok(())
    })
    .await;
}
