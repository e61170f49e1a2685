//! `/v1/runs/{run}/questions`, `/v1/questions/{question}/answer`

use accounts::access::{AnswerQuestions, ReadRuns};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::QuestionId;
use domain::question::Answer;
use runs::view::{Page, QuestionView};

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Body, Path};
use crate::problem::{Problem, Result};
use crate::routes::runs::run_ref;
use crate::schema::runs as shape;

/// What a run has asked so far, the oldest first.
#[utoipa::path(get, path = "/v1/runs/{run}/questions", tag = "questions",
    params(("run" = String, Path, description = "The run's id or number.")),
    responses((status = 200, body = shape::QuestionPage)))]
pub(crate) async fn list_questions(
    State(app): State<App>,
    May(allowed): May<ReadRuns>,
    Path(run): Path<String>,
) -> Result<Json<Page<QuestionView>>> {
    let items = app.runs.questions(&allowed, run_ref(&run)?).await?;
    Ok(Json(Page { items, next: None }))
}

/// Answers an open question. The first answer counts; a second one gets 409 `question_answered`.
#[utoipa::path(post, path = "/v1/questions/{question}/answer", tag = "questions",
    request_body = shape::Answer,
    params(("question" = String, Path, description = "The question's id.")),
    responses((status = 200, body = shape::QuestionView)))]
pub(crate) async fn answer_question(
    State(app): State<App>,
    May(allowed): May<AnswerQuestions>,
    Path(question): Path<String>,
    Body(answer): Body<Answer>,
) -> Result<Json<QuestionView>> {
    let id: QuestionId = question.parse().map_err(|_| {
        let detail = format!("there is no question {question}");
        Problem::new(StatusCode::NOT_FOUND, "question_not_found", detail)
    })?;
    Ok(Json(app.runs.answer(&allowed, id, answer).await?))
}
