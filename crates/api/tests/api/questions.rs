//! Answering, steering and ending runs.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::rig::{As, Tested, each_rig};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_answers_the_first_counts_and_the_second_is_told_so() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let run = rig.asking_run(&owner).await;
        assert_eq!((&run["state"], &run["word"]), (&json!("waiting"), &json!("Needs you")));
        let question = run["question"]["id"].as_str().expect("a question");
        let path = format!("/v1/questions/{question}/answer");
        let give = |text: &str| rig.post(&path, As::Token(&owner), json!({ "answer": "text", "text": text }));

        let wrong = rig.post(&path, As::Token(&owner), json!({ "answer": "allow", "scope": "once" })).await;
        assert_eq!((wrong.status, wrong.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "wrong_answer"));
        let (one, two) = tokio::join!(give("green"), give("green"));
        let mut outcomes = [(one.status, one.code()), (two.status, two.code())];
        outcomes.sort();
        assert_eq!(
            outcomes,
            [(StatusCode::OK, String::new()), (StatusCode::CONFLICT, "question_answered".to_owned()),]
        );
        let done = rig.reach(&owner, &run, &["succeeded"]).await;
        let branch = done["branch"].as_str().expect("a branch");
        assert_eq!(rig.repository.git(&["show", &format!("{branch}:colour")]), "green");
        let listed =
            rig.get(&format!("/v1/runs/{}/questions", run["number"]), As::Token(&owner)).await.json();
        assert_eq!(listed["items"][0]["state"], "answered");
        assert_eq!(listed["items"][0]["by"], "mira");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_paused_resumed_stopped_continued_and_removed() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let run = rig.asking_run(&owner).await;
        let path = format!("/v1/runs/{}", run["id"].as_str().expect("an id"));
        let post =
            async |what: &str, body| rig.post(&format!("{path}/{what}"), As::Token(&owner), body).await;

        assert_eq!(post("pause", json!({})).await.status, StatusCode::OK);
        rig.reach(&owner, &run, &["paused"]).await;
        assert_eq!(post("resume", json!({})).await.status, StatusCode::OK);
        rig.reach(&owner, &run, &["waiting"]).await;
        let busy = rig.send(Method::DELETE, &path, As::Token(&owner), None).await;
        assert_eq!((busy.status, busy.code().as_str()), (StatusCode::CONFLICT, "wrong_state"));
        let early = post("continue", json!({ "goal": "more" })).await;
        assert_eq!((early.status, early.code().as_str()), (StatusCode::CONFLICT, "wrong_state"));
        let without_body = rig.send(Method::POST, &format!("{path}/stop"), As::Token(&owner), None).await;
        assert_eq!(without_body.status, StatusCode::OK, "{}", without_body.text);
        let stopped = rig.reach(&owner, &run, &["cancelled"]).await;
        assert_eq!(stopped["word"], "Stopped");
        let late = post("messages", json!({ "text": "hello" })).await;
        assert_eq!((late.status, late.code().as_str()), (StatusCode::CONFLICT, "wrong_state"));

        let removed = rig.send(Method::DELETE, &path, As::Token(&owner), None).await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.text);
        assert_eq!(rig.get(&path, As::Token(&owner)).await.code(), "run_not_found");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_in_pages_the_newest_first() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        for _ in 0..3 {
            let made = rig.post("/v1/runs", As::Token(&owner), rig.wish(crate::rig::ASKS)).await;
            assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        }
        let first = rig.get("/v1/runs?limit=2", As::Token(&owner)).await.json();
        let numbers = |page: &serde_json::Value| -> Vec<i64> {
            page["items"].as_array().into_iter().flatten().filter_map(|run| run["number"].as_i64()).collect()
        };
        assert_eq!(numbers(&first), [3, 2]);
        let next = first["next"].as_str().expect("a cursor");
        let rest = rig.get(&format!("/v1/runs?limit=2&before={next}"), As::Token(&owner)).await.json();
        assert_eq!((numbers(&rest), &rest["next"]), (vec![1], &json!(null)));
        let wrong = rig.get("/v1/runs?before=nonsense", As::Token(&owner)).await;
        assert_eq!(wrong.code(), "invalid_request");
        Ok(())
    })
    .await;
}
