//! `/v1/projects`

use std::collections::HashMap;
use std::path::PathBuf;

use accounts::access::{ReadProjects, WriteProjects};
use accounts::projects::SeesProjects;
use accounts::{Allowed, Project};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ProjectId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::credentials::May;
use crate::extract::{Body, Path};
use crate::problem::{Problem, Result};

/// A folder that shall be a project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    /// The folder on the server's machine, absolute.
    path: String,
    /// Its name; the folder's where absent.
    #[serde(default)]
    name: Option<String>,
}

/// A project.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectView {
    /// Its id.
    id: String,
    /// Its short name in addresses.
    slug: String,
    /// Its name.
    name: String,
    /// The repository's folder.
    path: String,
    /// What proves success, where a person has set it.
    #[schema(required = true)]
    check: Option<String>,
    /// The model for its runs, where a person has set it.
    #[schema(required = true)]
    default_model: Option<String>,
    /// When it was made, in milliseconds since the Unix epoch.
    created_at_ms: i64,
    /// Its runs.
    runs: ProjectRuns,
}

/// How many runs a project has.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub(crate) struct ProjectRuns {
    /// All.
    total: i64,
    /// Those that wait for a person.
    needs_you: i64,
    /// Those that a worker has.
    working: i64,
}

/// All projects.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectPage {
    /// The projects, by name.
    items: Vec<ProjectView>,
    /// Always null.
    #[schema(required = true)]
    next: Option<String>,
}

/// The projects, by name.
#[utoipa::path(get, path = "/v1/projects", tag = "projects", responses((status = 200, body = ProjectPage)))]
pub(crate) async fn list_projects(
    State(app): State<App>,
    May(allowed): May<ReadProjects>,
) -> Result<Json<ProjectPage>> {
    let projects = app.accounts.list_projects(&allowed).await?;
    let counts = counts(&app, &allowed).await?;
    let items = projects.into_iter().map(|project| shown(project, &counts)).collect();
    Ok(Json(ProjectPage { items, next: None }))
}

/// Makes a folder a project; one that is a project already is given as it is.
#[utoipa::path(post, path = "/v1/projects", tag = "projects", request_body = NewProject,
    responses((status = 201, body = ProjectView)))]
pub(crate) async fn add_project(
    State(app): State<App>,
    May(allowed): May<WriteProjects>,
    Body(new): Body<NewProject>,
) -> Result<(StatusCode, Json<ProjectView>)> {
    let path = folder(&new.path).await?;
    let project = match &new.name {
        Some(name) => app.accounts.add_project(&allowed, &path, name).await?,
        None => app.accounts.project_for_path(&allowed, &path).await?,
    };
    Ok((StatusCode::CREATED, Json(with_counts(&app, &allowed, project).await?)))
}

/// One project.
#[utoipa::path(get, path = "/v1/projects/{project}", tag = "projects",
    params(("project" = String, Path, description = "The project's id or slug.")),
    responses((status = 200, body = ProjectView)))]
pub(crate) async fn show_project(
    State(app): State<App>,
    May(allowed): May<ReadProjects>,
    Path(project): Path<String>,
) -> Result<Json<ProjectView>> {
    let project = app.accounts.find_project(&allowed, &project).await?;
    Ok(Json(with_counts(&app, &allowed, project).await?))
}

/// The folder as it really is, so that one folder has one project.
async fn folder(path: &str) -> Result<PathBuf> {
    let wrong = |why: &str| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not_a_folder", format!("{path} {why}"))
            .with_fix("give the absolute path of a folder on the server's machine")
    };
    if !std::path::Path::new(path).is_absolute() {
        return Err(wrong("is not absolute"));
    }
    let found = tokio::fs::canonicalize(path).await.map_err(|_| wrong("cannot be found"))?;
    let metadata = tokio::fs::metadata(&found).await.map_err(|_| wrong("cannot be read"))?;
    if metadata.is_dir() { Ok(found) } else { Err(wrong("is not a folder")) }
}

async fn with_counts<A: SeesProjects>(
    app: &App,
    allowed: &Allowed<A>,
    project: Project,
) -> Result<ProjectView> {
    Ok(shown(project, &counts(app, allowed).await?))
}

async fn counts<A: SeesProjects>(app: &App, allowed: &Allowed<A>) -> Result<HashMap<ProjectId, ProjectRuns>> {
    let mut counts: HashMap<ProjectId, ProjectRuns> = HashMap::new();
    for (project, state, count) in app.accounts.count_runs(allowed).await? {
        let of_project = counts.entry(project).or_default();
        of_project.total += count;
        match state.as_str() {
            "waiting" => of_project.needs_you += count,
            "starting" | "running" => of_project.working += count,
            _ => {}
        }
    }
    Ok(counts)
}

fn shown(project: Project, counts: &HashMap<ProjectId, ProjectRuns>) -> ProjectView {
    ProjectView {
        runs: counts.get(&project.id).copied().unwrap_or_default(),
        id: project.id.to_string(),
        slug: project.slug,
        name: project.name,
        path: project.path,
        check: project.check,
        default_model: project.default_model,
        created_at_ms: project.created_at_ms,
    }
}
