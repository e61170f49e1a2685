//! `/v1/me`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::Authenticated;
use crate::problem::Result;

/// Who the caller is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// The user.
    user: Named,
    /// The organisation.
    org: Named,
    /// How far the credential reaches; `*` is everything.
    scopes: Vec<String>,
    /// `cookie`, `token` or `socket`.
    via: String,
}

/// An id and a name.
#[derive(Serialize, ToSchema)]
pub(crate) struct Named {
    /// The id.
    id: String,
    /// The name, for people.
    name: String,
}

/// Who the caller is.
#[utoipa::path(get, path = "/v1/me", tag = "access", responses((status = 200, body = Me)))]
pub(crate) async fn me(State(app): State<App>, Authenticated(caller): Authenticated) -> Result<Json<Me>> {
    let org = app.accounts.org_name(&caller).await?;
    Ok(Json(Me {
        user: Named { id: caller.user().to_string(), name: caller.name().to_owned() },
        org: Named { id: caller.org().to_string(), name: org },
        scopes: caller.scopes().names().into_iter().map(str::to_owned).collect(),
        via: caller.via().name().to_owned(),
    }))
}
