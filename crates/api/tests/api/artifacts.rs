//! What a run leaves behind.

use axum::http::StatusCode;
use serde_json::json;

use crate::rig::{As, Tested, each_rig};

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_shown_downloaded_and_applied() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let run = rig.finished_run(&owner).await;
        let path = format!("/v1/runs/{}", run["number"]);

        let diff = rig.get(&format!("{path}/diff"), As::Token(&owner)).await.json();
        assert_eq!(
            (&diff["files"][0]["path"], &diff["files"][0]["status"]),
            (&json!("colour"), &json!("added"))
        );
        let patch = rig.get(&format!("{path}/diff?format=patch"), As::Token(&owner)).await;
        assert_eq!(patch.header("content-type"), "text/x-diff; charset=utf-8");
        assert!(patch.text.contains("+green"), "{}", patch.text);

        let artifacts = rig.get(&format!("{path}/artifacts"), As::Token(&owner)).await.json();
        let artifact = artifacts["items"][0]["id"].as_str().expect("an artifact");
        let bytes = rig.get(&format!("/v1/artifacts/{artifact}"), As::Token(&owner)).await;
        assert_eq!(bytes.status, StatusCode::OK);
        assert!(bytes.header("content-disposition").starts_with("attachment; filename="));
        assert_eq!(bytes.header("x-content-type-options"), "nosniff");
        assert!(bytes.header("content-security-policy").contains("sandbox"));

        rig.repository.write("colour", "mine\n");
        let refused = rig.post(&format!("{path}/apply"), As::Token(&owner), json!({})).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "would_overwrite"));
        assert_eq!(refused.json()["paths"], json!(["colour"]));
        assert_eq!(rig.repository.read("colour"), "mine\n");
        std::fs::remove_file(rig.repository.path().join("colour"))?;
        let applied = rig.post(&format!("{path}/apply"), As::Token(&owner), json!({})).await;
        assert_eq!(applied.json(), json!({ "applied": [{ "path": "colour", "status": "added" }] }));
        assert_eq!(rig.repository.read("colour"), "green\n");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_log_is_read_from_either_end() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let run = rig.finished_run(&owner).await;
        let path = format!("/v1/runs/{}/events", run["number"]);
        let seqs = async |query: &str| -> (Vec<i64>, i64) {
            let page = rig.get(&format!("{path}?{query}"), As::Token(&owner)).await.json();
            let items = page["items"].as_array().cloned().unwrap_or_default();
            (
                items.iter().filter_map(|event| event["seq"].as_i64()).collect(),
                page["head"].as_i64().unwrap_or(0),
            )
        };
        let (all, head) = seqs("").await;
        assert_eq!(all, (1..=head).collect::<Vec<_>>());
        assert_eq!(seqs("after=2&limit=3").await, (vec![3, 4, 5], head));
        assert_eq!(seqs(&format!("before={head}&limit=2")).await, (vec![head - 2, head - 1], head));
        let first = rig.get(&format!("{path}?limit=1"), As::Token(&owner)).await.json();
        assert_eq!(first["items"][0]["kind"], "run.created");
        assert_eq!(first["items"][0]["stream"], format!("run/{}", run["id"].as_str().unwrap_or_default()));
        let both = rig.get(&format!("{path}?before=3&after=1"), As::Token(&owner)).await;
        assert_eq!(both.code(), "invalid_request");
        Ok(())
    })
    .await;
}
