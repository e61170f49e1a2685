//! The OpenAPI document and its page.

use axum::http::StatusCode;
use runtime::Env;

use crate::rig::{As, Tested, each_rig};

/// Where the copy lies.
const COPY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_in_docs_is_the_document_that_is_served() {
    each_rig(async |rig| -> Tested {
        let served = rig.get("/v1/openapi.json", As::Nobody).await;
        assert_eq!((served.status, served.header("content-type")), (StatusCode::OK, "application/json"));
        if Env::of_process().get("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(COPY, &served.text)?;
        }
        let kept = std::fs::read_to_string(COPY)?;
        assert!(
            kept == served.text,
            "docs/openapi.json is old: UPDATE_SNAPSHOTS=1 cargo test -p api the_copy_in_docs"
        );
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_of_the_document_leads_somewhere() {
    each_rig(async |rig| -> Tested {
        let served = rig.get("/v1/openapi.json", As::Nobody).await;
        let document = served.json();
        let mut references = 0;
        for part in served.text.split("\"$ref\": \"#").skip(1) {
            let pointer = part.split('"').next().unwrap_or_default();
            assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
            references += 1;
        }
        assert!(references > 50, "{references}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_loads_nothing_from_elsewhere() {
    each_rig(async |rig| -> Tested {
        for path in ["/docs/api", "/docs/api.js", "/docs/api.css"] {
            let answer = rig.get(path, As::Nobody).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            assert!(!answer.text.contains("://"), "{path}");
            assert!(!answer.text.contains("<script>") && !answer.text.contains("style="), "{path}");
        }
        Ok(())
    })
    .await;
}
