//! `/v1/projects/{project}/rules`: what tools may do in a project's runs.

use accounts::access::{ReadProjects, WriteProjects};
use accounts::rules::{Rule, RuleEffect};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Body, Path};
use crate::problem::Result;

/// What happens to a call that a rule speaks of.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effect {
    /// It runs.
    Allow,
    /// A person is asked first.
    Ask,
    /// It does not run, and the agent is told so.
    Deny,
}

/// A rule that shall be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRule {
    /// The tool: `bash`, `write_file` …; `*` stands for any text, `?` for one letter.
    tool: String,
    /// What it is used on: a command line, a path; patterns as in `tool`. Everything where absent.
    #[serde(default = "everything")]
    target: String,
    /// What happens.
    effect: Effect,
}

/// A rule.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// Its id.
    id: String,
    /// The tool; `grant` for a call that somebody allowed for the whole project.
    tool: String,
    /// What it is used on; the call's hash for a `grant`.
    target: String,
    /// What happens.
    effect: Effect,
    /// Who made it.
    by: String,
    /// When, in milliseconds since the Unix epoch.
    created_at_ms: i64,
}

/// A project's rules.
#[derive(Serialize, ToSchema)]
pub(crate) struct RulePage {
    /// The rules, by tool and target.
    items: Vec<RuleView>,
    /// Always null.
    #[schema(required = true)]
    next: Option<String>,
}

/// A project's rules. The strictest that fits a call counts: deny, then ask, then allow; without one it runs.
#[utoipa::path(get, path = "/v1/projects/{project}/rules", tag = "projects",
    params(("project" = String, Path, description = "The project's id or slug.")),
    responses((status = 200, body = RulePage)))]
pub(crate) async fn list_rules(
    State(app): State<App>,
    May(allowed): May<ReadProjects>,
    Path(project): Path<String>,
) -> Result<Json<RulePage>> {
    let project = app.accounts.find_project(&allowed, &project).await?;
    let rules = app.accounts.list_rules(&allowed, project.id).await?;
    Ok(Json(RulePage { items: rules.into_iter().map(shown).collect(), next: None }))
}

/// Makes a rule, or changes what the one for the same tool and target does. Runs that begin or are taken up after
/// that keep to it.
#[utoipa::path(post, path = "/v1/projects/{project}/rules", tag = "projects", request_body = NewRule,
    params(("project" = String, Path, description = "The project's id or slug.")),
    responses((status = 201, body = RuleView)))]
pub(crate) async fn add_rule(
    State(app): State<App>,
    May(allowed): May<WriteProjects>,
    Path(project): Path<String>,
    Body(new): Body<NewRule>,
) -> Result<(StatusCode, Json<RuleView>)> {
    let project = app.accounts.find_project(&allowed, &project).await?;
    let effect = match new.effect {
        Effect::Allow => RuleEffect::Allow,
        Effect::Ask => RuleEffect::Ask,
        Effect::Deny => RuleEffect::Refuse,
    };
    let rule = app.accounts.set_rule(&allowed, project.id, (&new.tool, &new.target), effect).await?;
    Ok((StatusCode::CREATED, Json(shown(rule))))
}

/// Removes a rule.
#[utoipa::path(delete, path = "/v1/projects/{project}/rules/{rule}", tag = "projects",
    params(("project" = String, Path, description = "The project's id or slug."),
        ("rule" = String, Path, description = "The rule's id.")),
    responses((status = 204, description = "It is gone.")))]
pub(crate) async fn delete_rule(
    State(app): State<App>,
    May(allowed): May<WriteProjects>,
    Path((project, rule)): Path<(String, String)>,
) -> Result<StatusCode> {
    let project = app.accounts.find_project(&allowed, &project).await?;
    app.accounts.delete_rule(&allowed, project.id, &rule).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn everything() -> String {
    "*".to_owned()
}

fn shown(rule: Rule) -> RuleView {
    let effect = match rule.effect {
        RuleEffect::Allow => Effect::Allow,
        RuleEffect::Ask => Effect::Ask,
        RuleEffect::Refuse => Effect::Deny,
    };
    RuleView {
        id: rule.id(),
        tool: rule.tool,
        target: rule.target,
        effect,
        by: rule.by,
        created_at_ms: rule.created_at_ms,
    }
}
