//! Hosts, origins, headers, sizes, and answers to what is no route.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::rig::{As, HOST, Tested, each_rig};

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_other_hosts_or_from_other_origins_are_refused_before_anything_else() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let from = async |method: Method, path: &str, headers: &[(&str, &str)]| {
            rig.send_with(method, path, As::Token(&owner), None, headers).await
        };
        for path in ["/v1/me", "/v1/health", "/", "/docs/api", "/v1/ws"] {
            let rebound = from(Method::GET, path, &[("host", "evil.example:4000")]).await;
            assert_eq!(
                (rebound.status, rebound.code().as_str()),
                (StatusCode::FORBIDDEN, "host_not_allowed"),
                "{path}"
            );
            let foreign = from(Method::GET, path, &[("origin", "http://evil.example")]).await;
            assert_eq!(
                (foreign.status, foreign.code().as_str()),
                (StatusCode::FORBIDDEN, "origin_not_allowed")
            );
        }
        let ours = from(Method::GET, "/v1/me", &[("origin", "http://127.0.0.1:4000")]).await;
        assert_eq!(ours.status, StatusCode::OK, "{}", ours.text);
        let named =
            from(Method::GET, "/v1/me", &[("host", "work.example"), ("origin", "https://work.example")])
                .await;
        assert_eq!(named.status, StatusCode::OK);
        let other_page = from(Method::POST, "/v1/demo", &[("origin", "http://127.0.0.1:8000")]).await;
        assert_eq!(other_page.status, StatusCode::FORBIDDEN);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_socket_needs_neither_token_nor_host() {
    each_rig(async |rig| -> Tested {
        let who = As::Socket(rig.world.owner.clone());
        let me = rig.send_with(Method::GET, "/v1/me", who, None, &[("host", "journeyman")]).await;
        assert_eq!(me.status, StatusCode::OK, "{}", me.text);
        assert_eq!(me.json()["via"], "socket");
        assert_eq!(me.json()["scopes"], json!(["*"]));
        assert_eq!(me.json()["user"]["name"], "mira");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_its_id_and_the_headers_that_keep_browsers_safe() {
    each_rig(async |rig| -> Tested {
        for (path, status) in [
            ("/v1/health", StatusCode::OK),
            ("/v1/me", StatusCode::UNAUTHORIZED),
            ("/v1/nothing", StatusCode::NOT_FOUND),
            ("/", StatusCode::OK),
            ("/docs/api", StatusCode::OK),
        ] {
            let answer = rig.get(path, As::Nobody).await;
            assert_eq!(answer.status, status, "{path}");
            assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
            assert!(!answer.header("content-security-policy").contains("script-src"), "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("referrer-policy"), "no-referrer");
            assert!(answer.header("x-request-id").starts_with("req"), "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), "");
        }
        assert_eq!(rig.get("/v1/me", As::Nobody).await.header("cache-control"), "no-store");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_route_no_json_or_too_large_is_told_as_a_problem() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let who = || As::Token(owner.as_str());
        let missing = rig.get("/v1/nothing/here", who()).await;
        assert_eq!((missing.status, missing.code().as_str()), (StatusCode::NOT_FOUND, "no_such_route"));
        let method = rig.send(Method::PUT, "/v1/runs", who(), Some(json!({}))).await;
        assert_eq!(
            (method.status, method.code().as_str()),
            (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
        );
        let unknown = rig.post("/v1/tokens", who(), json!({ "name": "x", "admin": true })).await;
        assert_eq!(
            (unknown.status, unknown.code().as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request")
        );
        assert!(
            unknown.json()["detail"].as_str().is_some_and(|detail| detail.contains("admin")),
            "{}",
            unknown.text
        );
        let no_json = rig.send(Method::POST, "/v1/tokens", who(), None).await;
        assert_eq!(
            (no_json.status, no_json.code().as_str()),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json")
        );
        let large = json!({ "goal": "x".repeat(1 << 20) });
        for headers in [&[][..], &[("idempotency-key", "large")]] {
            for path in ["/v1/runs", "/v1/demo/../runs/1/messages", "/v1/projects"] {
                let answer = rig.send_with(Method::POST, path, who(), Some(large.clone()), headers).await;
                assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
            }
            let answer =
                rig.send_with(Method::POST, "/v1/projects", who(), Some(large.clone()), headers).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large")
            );
        }
        for run in ["999", "run0", "..%2F..%2Fetc", "run00000000000000000000000000000000"] {
            let answer = rig.get(&format!("/v1/runs/{run}"), who()).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::NOT_FOUND, "run_not_found"),
                "{run}"
            );
            assert!(answer.json()["fix"].is_string());
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_are_compressed_for_those_who_ask() {
    each_rig(async |rig| -> Tested {
        let headers = [("accept-encoding", "gzip")];
        let answer = rig.send_with(Method::GET, "/v1/openapi.json", As::Nobody, None, &headers).await;
        assert_eq!(answer.header("content-encoding"), "gzip");
        let plain = rig.get("/v1/openapi.json", As::Nobody).await;
        assert_eq!(plain.header("content-encoding"), "");
        assert!(plain.json()["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_the_app_give_its_page_and_never_a_file_of_the_machine() {
    each_rig(async |rig| -> Tested {
        for path in ["/", "/welcome", "/p/shop/runs/1", "/../../etc/passwd", "/%2e%2e/etc/passwd"] {
            let page = rig.get(path, As::Nobody).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
            assert!(!page.text.contains("root:"), "{path}");
        }
        assert_eq!(rig.get("/assets/none.js", As::Nobody).await.status, StatusCode::NOT_FOUND);
        let post = rig.send_with(Method::POST, "/welcome", As::Nobody, None, &[("host", HOST)]).await;
        assert_eq!(post.status, StatusCode::METHOD_NOT_ALLOWED);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_how_the_server_stands() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        rig.asking_run(&owner).await;
        let status = rig.get("/v1/status", As::Token(&owner)).await.json();
        assert_eq!(status["runs"], json!({ "queued": 0, "working": 0, "needs_you": 1, "sleeping": 0 }));
        assert_eq!(status["database"], rig.world.store.database_name());
        assert_eq!(status["sandbox"]["provider"], "native");
        assert_eq!((&status["capacity"], &status["retention"]["keep_days"]), (&json!(4), &json!(30)));
        // The repository of the run that asks may be on its way.
        assert!(status["storage"]["prepared"].as_u64().is_some_and(|count| count <= 1), "{status}");
        assert!(status["storage"]["prepared_bytes"].is_u64(), "{status}");
        assert_eq!(status["retention"]["prepared_days"], 7);
        assert!(status["storage"]["database_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{status}");
        assert_eq!(rig.get("/v1/doctor", As::Token(&owner)).await.json(), json!({ "probes": [] }));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn further_routes_stand_behind_the_same_checks() {
    each_rig(async |rig| -> Tested {
        let ours = rig.get("/sandboxes", As::Nobody).await;
        assert_eq!((ours.status, ours.text.as_str()), (StatusCode::OK, "[]"));
        assert_eq!(ours.header("x-content-type-options"), "nosniff");
        let headers = [("host", "evil.example:4000")];
        let rebound = rig.send_with(Method::GET, "/sandboxes", As::Nobody, None, &headers).await;
        assert_eq!(rebound.code(), "host_not_allowed");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_inside_is_not_told_outside() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let rename = |statement: &'static str| {
            rig.world.store.write(move |tx| Box::pin(async move { tx.execute(statement, &[]).await }))
        };
        rename("alter table settings rename to misplaced").await?;
        let answer = rig.get("/v1/models", As::Token(&owner)).await;
        rename("alter table misplaced rename to settings").await?;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "internal"));
        assert_eq!(answer.json()["detail"], "something went wrong on our side");
        for inner in ["settings", "select", "sql", "no such table"] {
            assert!(!answer.text.contains(inner), "{}", answer.text);
        }
        Ok(())
    })
    .await;
}
