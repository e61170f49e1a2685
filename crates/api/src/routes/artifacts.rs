//! `/v1/runs/{run}/artifacts`, `/v1/artifacts/{artifact}`

use accounts::access::ReadRuns;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::ArtifactId;
use domain::event::Artifact;
use runs::view::Page;

use crate::app::App;
use crate::credentials::May;
use crate::extract::Path;
use crate::problem::{Problem, Result};
use crate::routes::runs::run_ref;
use crate::schema::results as shape;

/// What a run has left to download.
#[utoipa::path(get, path = "/v1/runs/{run}/artifacts", tag = "artifacts",
    params(("run" = String, Path, description = "The run's id or number.")),
    responses((status = 200, body = shape::ArtifactPage)))]
pub(crate) async fn list_artifacts(
    State(app): State<App>,
    May(allowed): May<ReadRuns>,
    Path(run): Path<String>,
) -> Result<Json<Page<Artifact>>> {
    let items = app.runs.artifacts(&allowed, run_ref(&run)?).await?;
    Ok(Json(Page { items, next: None }))
}

/// An artifact's bytes, always as a download and never as a page.
#[utoipa::path(get, path = "/v1/artifacts/{artifact}", tag = "artifacts",
    params(("artifact" = String, Path, description = "The artifact's id.")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
pub(crate) async fn download_artifact(
    State(app): State<App>,
    May(allowed): May<ReadRuns>,
    Path(artifact): Path<String>,
) -> Result<Response> {
    let id: ArtifactId = artifact.parse().map_err(|_| {
        let detail = format!("there is no artifact {artifact}");
        Problem::new(StatusCode::NOT_FOUND, "artifact_not_found", detail)
    })?;
    let (artifact, bytes) = app.runs.artifact(&allowed, id).await?;
    let plain = HeaderValue::from_static("application/octet-stream");
    let content_type = HeaderValue::from_str(&artifact.media_type).unwrap_or(plain);
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_DISPOSITION, disposition(&artifact.name)),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable")),
    ];
    Ok((headers, bytes).into_response())
}

/// The name comes from an agent's sandbox: only its last part, and only harmless characters in the plain
/// form; the whole name percent-encoded beside it.
fn disposition(name: &str) -> HeaderValue {
    let last = name.rsplit(['/', '\\']).next().filter(|last| !last.is_empty()).unwrap_or("artifact");
    let harmless = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let plain: String = last.chars().take(120).map(harmless).collect();
    let mut encoded = String::new();
    for byte in last.bytes().take(600) {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    let text = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_sandbox_cannot_leave_its_header_or_folder() {
        let cases = [
            ("report.txt", "attachment; filename=\"report.txt\"; filename*=UTF-8''report.txt"),
            ("../../etc/x", "attachment; filename=\"x\"; filename*=UTF-8''x"),
            ("a\"\r\nb: c", "attachment; filename=\"a___b__c\"; filename*=UTF-8''a%22%0D%0Ab%3A%20c"),
            ("ü", "attachment; filename=\"_\"; filename*=UTF-8''%C3%BC"),
            ("", "attachment; filename=\"artifact\"; filename*=UTF-8''artifact"),
        ];
        for (name, wanted) in cases {
            assert_eq!(disposition(name), wanted);
        }
    }
}
