//! Models through the API.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::rig::{As, Tested, each_rig};

#[tokio::test(flavor = "multi_thread")]
async fn models_are_listed_with_why_they_cannot_be_used() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let models = rig.get("/v1/models", As::Token(&owner)).await.json();
        let find = |name: &str| {
            let items = models["items"].as_array().cloned().unwrap_or_default();
            items.into_iter().find(|item| item["name"].as_str().is_some_and(|of| of.starts_with(name)))
        };
        let story = find("scripted/shop").expect("the story");
        assert_eq!(
            (&story["scripted"], &story["available"], &story["why_not"]),
            (&json!(true), &json!(true), &json!(null))
        );
        let claude = find("anthropic/").expect("a known model");
        assert_eq!(claude["available"], false);
        assert!(claude["why_not"].as_str().is_some_and(|why| why.contains("ANTHROPIC_API_KEY")), "{claude}");
        assert!(claude["price"]["input"].as_i64().is_some_and(|price| price > 0));
        assert_eq!(models["default"], json!(null));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_kept_without_ever_being_told_and_forgotten_on_demand() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let path = "/v1/models/keys/anthropic";
        let source = async || {
            let answer = rig.get("/v1/models", As::Token(&owner)).await;
            assert!(!answer.text.contains("sk-ant-private"));
            let keys = answer.json()["keys"].as_array().cloned().unwrap_or_default();
            keys.into_iter().map(|key| (key["provider"].clone(), key["source"].clone())).collect::<Vec<_>>()
        };
        let body = json!({ "key": "sk-ant-private", "base_url": "http://127.0.0.1:9" });
        let kept = rig.send(Method::PUT, path, As::Token(&owner), Some(body)).await;
        assert_eq!((kept.status, kept.text.as_str()), (StatusCode::NO_CONTENT, ""));
        let as_listed =
            |pairs: [(&str, &str); 3]| pairs.map(|(name, source)| (json!(name), json!(source))).to_vec();
        let with_key = [("anthropic", "stored"), ("gemini", "none"), ("openai", "environment")];
        assert_eq!(source().await, as_listed(with_key));
        let gone = rig.send(Method::DELETE, path, As::Token(&owner), None).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
        assert_eq!(rig.send(Method::DELETE, path, As::Token(&owner), None).await.code(), "key_not_found");
        let refused =
            rig.send(Method::PUT, path, As::Token(&owner), Some(json!({ "key": "two words" }))).await;
        assert_eq!(refused.code(), "invalid_request");
        assert!(!refused.text.contains("two words"));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_model_must_be_one_that_can_be_used_and_a_test_says_why_not() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let choose = async |name: &str| {
            rig.send(Method::PUT, "/v1/models/default", As::Token(&owner), Some(json!({ "name": name })))
                .await
        };
        let refused = choose("anthropic/claude-sonnet-4-5").await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "model_not_configured")
        );
        assert_eq!(choose("scripted/shop").await.status, StatusCode::NO_CONTENT);
        assert_eq!(rig.get("/v1/models", As::Token(&owner)).await.json()["default"], "scripted/shop");

        let test = async |name: &str| {
            rig.post("/v1/models/test", As::Token(&owner), json!({ "name": name })).await.json()
        };
        assert_eq!(test("scripted/shop").await["ok"], true);
        let failed = test("nothing/x").await;
        assert_eq!(failed["ok"], false);
        assert!(failed["error"].is_string());
        Ok(())
    })
    .await;
}
