//! Streams as server-sent events.

use std::time::Duration;

use accounts::access::ManageTokens;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::rig::{As, Rig, Tested, each_rig};

/// An open stream of events.
struct Stream {
    body: Body,
    text: String,
}

/// One event, or a comment (whose id and name are empty).
#[derive(Debug, PartialEq)]
struct Event {
    id: String,
    name: String,
    data: String,
}

impl Stream {
    async fn open(rig: &Rig, token: &str, path: &str, last: &str) -> Self {
        let headers = [("last-event-id", last)];
        Self { body: rig.open(path, As::Token(token), &headers).await, text: String::new() }
    }

    /// The next event or comment; `None` at the stream's end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    lines.collect::<Vec<_>>().join("\n")
                };
                let event = Event { id: field("id"), name: field("event"), data: field("data") };
                self.text = rest.to_owned();
                return Some(event);
            }
            let frame = self.body.frame().await?.expect("a frame");
            self.text.push_str(std::str::from_utf8(frame.data_ref().expect("data")).expect("UTF-8"));
        }
    }

    /// The next event that has an id.
    async fn next_event(&mut self) -> Option<Event> {
        loop {
            let event = self.next().await?;
            if !event.id.is_empty() {
                return Some(event);
            }
        }
    }
}

fn id_of(run: &Value) -> String {
    run["id"].as_str().expect("an id").to_owned()
}

fn seq_of(event: &Event) -> i64 {
    event.id.rsplit('-').next().and_then(|seq| seq.parse().ok()).expect("a seq")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_again_and_again_sees_every_event_once_and_in_order() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let run = id_of(&rig.asking_run(&owner).await);
        let head = rig.world.store.head(rig.world.owner.org(), &format!("run/{run}")).await?;
        let last = head + 300;
        let write = async {
            for number in 0..300 {
                rig.append(&run, "test.counted", json!({ "number": number }).to_string()).await;
            }
        };
        let read = async {
            let (mut seen, mut last_id) = (Vec::new(), String::new());
            for round in 1.. {
                let path = format!("/v1/events?stream=run/{run}");
                let mut stream = Stream::open(rig, &owner, &path, &last_id).await;
                // A connection lives for another number of events each time.
                for _ in 0..(round * 7) % 41 + 1 {
                    if seen.last().is_some_and(|(seq, _)| *seq == last) {
                        return seen;
                    }
                    let event = stream.next_event().await.expect("an event");
                    let envelope: Value = serde_json::from_str(&event.data).expect("an envelope");
                    assert_eq!(
                        (&envelope["seq"], &envelope["kind"]),
                        (&json!(seq_of(&event)), &json!(event.name))
                    );
                    last_id.clone_from(&event.id);
                    let is_ours = event.name == "test.counted";
                    seen.push((seq_of(&event), envelope["data"]["number"].as_i64().filter(|_| is_ours)));
                }
            }
            seen
        };
        let ((), seen) = tokio::join!(write, read);
        assert_eq!(seen.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
        let numbers: Vec<i64> = seen.iter().filter_map(|(_, number)| *number).collect();
        assert_eq!(numbers, (0..300).collect::<Vec<_>>());
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_from_before_a_restored_backup_is_gone_and_never_skipped() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let run = id_of(&rig.asking_run(&owner).await);
        let path = format!("/v1/events?stream=run/{run}");
        let old = Stream::open(rig, &owner, &path, "").await.next_event().await.expect("an event").id;
        let ask = async |last: &str, path: &str| {
            let headers = [("last-event-id", last)];
            rig.send_with(Method::GET, path, As::Token(&owner), None, &headers).await
        };
        rig.world.store.renew_epoch().await?;
        let gone = ask(&old, &path).await;
        assert_eq!((gone.status, gone.code().as_str()), (StatusCode::GONE, "epoch_changed"));
        let ahead = ask("", &format!("{path}&after=100000")).await;
        assert_eq!((ahead.status, ahead.code().as_str()), (StatusCode::GONE, "epoch_changed"));
        let nonsense = ask("nonsense", &path).await;
        assert_eq!(
            (nonsense.status, nonsense.code().as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request")
        );
        for stream in ["", "chat/1", "run/"] {
            let missing = ask("", &format!("/v1/events?stream={stream}")).await;
            assert_eq!(missing.status, StatusCode::NOT_FOUND, "{stream}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn live_pieces_come_between_events_without_an_id() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let run = id_of(&rig.asking_run(&owner).await);
        let stream_name = format!("run/{run}");
        let head = rig.world.store.head(rig.world.owner.org(), &stream_name).await?;
        let mut stream =
            Stream::open(rig, &owner, &format!("/v1/events?stream={stream_name}&after={head}"), "").await;
        assert_eq!(stream.next().await.map(|event| event.name), Some(String::new()));
        rig.world.store.live().publish(&stream_name, "live.text", r#"{"turn":9,"text":"Hm"}"#.into());
        let live = stream.next().await.expect("a piece");
        assert_eq!(
            live,
            Event {
                id: String::new(),
                name: "live.text".to_owned(),
                data: r#"{"turn":9,"text":"Hm"}"#.to_owned(),
            }
        );
        rig.append(&run, "test.counted", "{}".to_owned()).await;
        assert_eq!(seq_of(&stream.next_event().await.expect("an event")), head + 1);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_is_cut_off_and_holds_nobody() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let run = id_of(&rig.asking_run(&owner).await);
        let path = format!("/v1/events?stream=run/{run}");
        let quiet = rig.listeners();
        let mut still = Stream::open(rig, &owner, &path, "").await;
        let mut quick = Stream::open(rig, &owner, &path, "").await;
        let mut last = 0;
        for _ in 0..400 {
            last = rig.append(&run, "test.large", json!({ "text": "x".repeat(4_000) }).to_string()).await;
        }
        while seq_of(&quick.next_event().await.expect("an event")) < last {}
        drop(quick);
        rig.cut_off(quiet).await;
        let mut taken = 0;
        while let Some(event) = still.next().await {
            taken += usize::from(!event.id.is_empty());
            assert!(taken < 100, "the client that stood still was not cut off");
        }
        assert!(taken <= 18, "{taken} events were held for a client that took none");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_beats_and_ends_when_its_token_is_revoked() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let run = id_of(&rig.asking_run(&owner).await);
        let other = rig.token(&rig.world.owner, &["runs:read"], None).await;
        let mut stream = Stream::open(rig, &other, &format!("/v1/events?stream=run/{run}"), "").await;
        stream.next_event().await.expect("an event");
        for beats in 1..4 {
            let mut got = None;
            while got.is_none() {
                rig.clock.wait_for_sleepers(1).await;
                rig.clock.advance(Duration::from_secs(15));
                got = tokio::time::timeout(Duration::from_millis(50), async {
                    loop {
                        match stream.next().await {
                            Some(event) if event.id.is_empty() && event.name.is_empty() => return,
                            Some(_) => {}
                            None => panic!("the stream has ended after {beats} beats"),
                        }
                    }
                })
                .await
                .ok();
            }
        }
        let manage = rig.world.owner.allow::<ManageTokens>()?;
        for token in rig.world.accounts.list_tokens(&manage).await? {
            if token.scopes.names() == ["runs:read"] {
                rig.world.accounts.revoke_token(&manage, token.id).await?;
            }
        }
        let ended = async { while stream.next().await.is_some() {} };
        tokio::pin!(ended);
        loop {
            rig.clock.advance(Duration::from_secs(15));
            if tokio::time::timeout(Duration::from_millis(50), &mut ended).await.is_ok() {
                return Ok(());
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_a_removed_run_ends() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let run = id_of(&rig.finished_run(&owner).await);
        let mut stream = Stream::open(rig, &owner, &format!("/v1/events?stream=run/{run}"), "").await;
        stream.next_event().await.expect("an event");
        let removed = rig.send(Method::DELETE, &format!("/v1/runs/{run}"), As::Token(&owner), None).await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT);
        while stream.next().await.is_some() {}
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_runs_are_told_as_they_change() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let mut stream = Stream::open(rig, &owner, "/v1/events?stream=org", "").await;
        let run = rig.asking_run(&owner).await;
        let mut states = Vec::new();
        while states.last() != Some(&json!("waiting")) {
            let event = stream.next().await.expect("an event");
            if event.name == "run.changed" {
                let view: Value = serde_json::from_str(&event.data)?;
                assert_eq!(view["id"], run["id"]);
                states.push(view["state"].clone());
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_so_many_streams_and_a_place_that_is_left_is_free_again() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let path = "/v1/events?stream=org";
        let mut open = Vec::new();
        for _ in 0..512 {
            open.push(Stream::open(rig, &owner, path, "").await);
        }
        let refused = rig.get(path, As::Token(&owner)).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "too_many_streams")
        );
        open.pop();
        let free_again = async {
            while rig.status(path, As::Token(&owner)).await != StatusCode::OK {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), free_again).await?;
        Ok(())
    })
    .await;
}
