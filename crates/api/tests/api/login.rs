//! A browser's way in and out.

use accounts::access::ManageTokens;
use axum::http::StatusCode;
use serde_json::json;

use crate::rig::{As, Tested, each_rig};

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_becomes_a_cookie_once_and_logging_out_ends_it() {
    each_rig(async |rig| -> Tested {
        let ticket = rig.world.accounts.create_ticket(&rig.world.owner.allow::<ManageTokens>()?).await?;
        let body = json!({ "ticket": ticket.secret.expose() });
        let entered = rig.post("/v1/login", As::Nobody, body.clone()).await;
        assert_eq!((entered.status, entered.text.as_str()), (StatusCode::NO_CONTENT, ""));
        let cookie = entered.header("set-cookie");
        for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let login = cookie.trim_start_matches("jm_login=").split(';').next().unwrap_or_default().to_owned();
        let me = rig.get("/v1/me", As::Cookie(&login)).await;
        assert_eq!((me.status, me.json()["via"].as_str()), (StatusCode::OK, Some("cookie")));

        let again = rig.post("/v1/login", As::Nobody, body).await;
        assert_eq!((again.status, again.code().as_str()), (StatusCode::UNAUTHORIZED, "ticket_not_valid"));

        let left = rig.post("/v1/logout", As::Cookie(&login), json!({})).await;
        assert_eq!(left.status, StatusCode::NO_CONTENT);
        assert!(left.header("set-cookie").contains("Max-Age=0"));
        assert_eq!(rig.get("/v1/me", As::Cookie(&login)).await.status, StatusCode::UNAUTHORIZED);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_inside_can_make_a_ticket_for_another_browser() {
    each_rig(async |rig| -> Tested {
        let owner = rig.owner().await;
        let made = rig.post("/v1/tickets", As::Token(&owner), json!({})).await;
        assert_eq!(made.status, StatusCode::CREATED);
        let entered = rig.post("/v1/login", As::Nobody, json!({ "ticket": made.json()["ticket"] })).await;
        assert_eq!(entered.status, StatusCode::NO_CONTENT);
        Ok(())
    })
    .await;
}
