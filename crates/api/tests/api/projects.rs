//! Projects through the API.

use axum::http::StatusCode;
use serde_json::json;

use crate::rig::{As, Tested, each_rig};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_becomes_a_project_that_counts_its_runs() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let body = json!({ "path": rig.repository.path(), "name": "Corner shop" });
        let made = rig.post("/v1/projects", As::Token(&owner), body.clone()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        assert_eq!(
            (&made.json()["slug"], &made.json()["name"]),
            (&json!("corner-shop"), &json!("Corner shop"))
        );
        assert_eq!(rig.post("/v1/projects", As::Token(&owner), body).await.json()["id"], made.json()["id"]);

        rig.asking_run(&owner).await;
        let shown = rig.get("/v1/projects/corner-shop", As::Token(&owner)).await.json();
        assert_eq!(shown["runs"], json!({ "total": 1, "needs_you": 1, "working": 0 }));
        let listed = rig.get("/v1/projects", As::Token(&owner)).await.json();
        assert_eq!(listed["items"], json!([shown]));
        let of_project = rig.get("/v1/runs?project=corner-shop", As::Token(&owner)).await.json();
        assert_eq!(of_project["items"].as_array().map(Vec::len), Some(1));

        for path in ["relative", "/does/not/exist", "/etc/hostname"] {
            let refused = rig.post("/v1/projects", As::Token(&owner), json!({ "path": path })).await;
            assert_eq!(refused.code(), "not_a_folder", "{path}");
        }
        Ok(())
    })
    .await;
}
