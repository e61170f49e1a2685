//! The OpenAPI 3.1 document, and a page to read it that loads nothing from elsewhere.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
};

use crate::routes;
use crate::schema::events::{ClientMessage, Envelope};
use crate::schema::problem::Problem;

/// The document. Follows from the routes; `docs/openapi.json` is a copy that a test holds true.
#[must_use]
pub fn document() -> OpenApi {
    let mut document = base();
    document.merge(routes::all().into_openapi());
    document.merge(routes::unrepeatable().into_openapi());
    let problem = || {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        ResponseBuilder::new()
            .description("What went wrong.")
            .content("application/problem+json", content)
            .build()
    };
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            for (status, response) in &mut operation.responses.responses {
                describe(status, response);
            }
            operation.responses.responses.insert("default".to_owned(), problem().into());
        }
    }
    document
}

/// A response must have a description.
fn describe(status: &str, response: &mut RefOr<utoipa::openapi::Response>) {
    if let RefOr::T(response) = response
        && response.description.is_empty()
    {
        response.description = if status == "201" { "It is made." } else { "The answer." }.to_owned();
    }
}

fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Journeyman")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Runs of agents in sandboxes. Ids are a prefix and 32 hex digits; a run may be named by its number. \
             Times are milliseconds since the Unix epoch, money is microdollars. \
             POSTs take an `Idempotency-Key`. Errors are problems with a stable `code`.",
        ))
        .license(Some(utoipa::openapi::License::new("Apache-2.0")))
        .build();
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(crate::credentials::COOKIE)));
    let mut schemas = vec![
        (Problem::name().into_owned(), Problem::schema()),
        (Envelope::name().into_owned(), Envelope::schema()),
        (ClientMessage::name().into_owned(), ClientMessage::schema()),
    ];
    ClientMessage::schemas(&mut schemas);
    let components = schemas
        .into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, schema)| components.schema(name, schema))
        .security_scheme("bearer", bearer)
        .security_scheme("cookie", cookie)
        .build();
    let either = ["bearer", "cookie"].map(|name| SecurityRequirement::new(name, Vec::<String>::new()));
    OpenApiBuilder::new().info(info).components(Some(components)).security(Some(either)).build()
}

/// The document as text, with each name where it always is.
pub(crate) fn text() -> String {
    document().to_pretty_json().unwrap_or_default() + "\n"
}

/// `GET /v1/openapi.json`
pub(crate) async fn serve() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text()).into_response()
}

/// `GET /docs/api`
pub(crate) async fn page() -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], include_str!("openapi/page.html")).into_response()
}

/// `GET /docs/api.js`
pub(crate) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("openapi/page.js"))
        .into_response()
}

/// `GET /docs/api.css`
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("openapi/page.css")).into_response()
}
