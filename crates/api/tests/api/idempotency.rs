//! Requests that are sent again.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{ASKS, As, Tested, each_rig};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_makes_one_run_however_often_and_at_once_it_is_sent() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let wish = rig.wish(ASKS);
        let send = |key: &'static str, wish: Value| {
            let (rig, owner) = (rig, owner.as_str());
            async move {
                let headers = [("idempotency-key", key)];
                rig.send_with(Method::POST, "/v1/runs", As::Token(owner), Some(wish), &headers).await
            }
        };
        let sent = (0..4).map(|_| send("one", wish.clone()));
        let answers = futures_util::future::join_all(sent).await;
        let made: Vec<Value> =
            answers.iter().map(|answer| answer.json()["id"].clone()).filter(|id| !id.is_null()).collect();
        for answer in &answers {
            assert!([StatusCode::CREATED, StatusCode::CONFLICT].contains(&answer.status), "{}", answer.text);
        }
        assert!(!made.is_empty() && made.iter().all(|id| *id == made[0]), "{answers:?}");
        let again = send("one", wish.clone()).await;
        assert_eq!((again.status, &again.json()["id"]), (StatusCode::CREATED, &made[0]));

        let mut other = wish.clone();
        other["goal"] = json!("Something else");
        let conflict = send("one", other).await;
        assert_eq!(
            (conflict.status, conflict.code().as_str()),
            (StatusCode::CONFLICT, "idempotency_conflict")
        );
        let second = send("two", wish).await;
        assert_ne!(second.json()["id"], made[0]);
        let listed = rig.get("/v1/runs", As::Token(&owner)).await.json();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(2));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_sent_twice_is_said_once() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let run = rig.asking_run(&owner).await;
        let path = format!("/v1/runs/{}/messages", run["number"]);
        let body = json!({ "text": "Mind the gap" });
        for _ in 0..3 {
            let headers = [("idempotency-key", "m1")];
            let sent =
                rig.send_with(Method::POST, &path, As::Token(&owner), Some(body.clone()), &headers).await;
            assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text);
        }
        let question = run["question"]["id"].as_str().expect("a question");
        let answer = json!({ "answer": "text", "text": "red" });
        rig.post(&format!("/v1/questions/{question}/answer"), As::Token(&owner), answer).await;
        rig.reach(&owner, &run, &["succeeded"]).await;
        let log = rig.get(&format!("/v1/runs/{}/events", run["number"]), As::Token(&owner)).await;
        assert_eq!(log.text.matches("Mind the gap").count(), 1, "{}", log.text);

        let conflict = rig
            .send_with(
                Method::POST,
                &path,
                As::Token(&owner),
                Some(json!({ "text": "x" })),
                &[("idempotency-key", "m1")],
            )
            .await;
        assert_eq!(conflict.code(), "idempotency_conflict");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_may_come_again_with_its_key() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let folder = rig.repository.path().join("later");
        let body = json!({ "path": folder });
        let send = async || {
            let headers = [("idempotency-key", "p1")];
            rig.send_with(Method::POST, "/v1/projects", As::Token(&owner), Some(body.clone()), &headers).await
        };
        assert_eq!(send().await.code(), "not_a_folder");
        std::fs::create_dir(&folder)?;
        let made = send().await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        std::fs::remove_dir(&folder)?;
        let again = send().await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::CREATED, made.text.as_str()));
        assert_eq!(again.header("content-type"), "application/json");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_forgotten_after_a_day() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let folder = rig.repository.path().join("soon gone");
        std::fs::create_dir(&folder)?;
        let send = async |key: &str, folder: &std::path::Path| {
            let (headers, body) = ([("idempotency-key", key)], json!({ "path": folder }));
            rig.send_with(Method::POST, "/v1/projects", As::Token(&owner), Some(body), &headers).await
        };
        assert_eq!(send("p1", &folder).await.status, StatusCode::CREATED);
        std::fs::remove_dir(&folder)?;
        rig.clock.advance(std::time::Duration::from_secs(23 * 60 * 60));
        assert_eq!(send("p2", &rig.repository.path()).await.status, StatusCode::CREATED);
        assert_eq!(send("p1", &folder).await.status, StatusCode::CREATED);
        rig.clock.advance(std::time::Duration::from_secs(2 * 60 * 60));
        assert_eq!(send("p3", &rig.repository.path()).await.status, StatusCode::CREATED);
        assert_eq!(send("p1", &folder).await.code(), "not_a_folder");
        Ok(())
    })
    .await;
}
