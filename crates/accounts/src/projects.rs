//! Projects: found or made by their folder, named by id or slug.

use std::path::Path;

use ::store::Tx;
use domain::{OrgId, ProjectId};

use crate::access::{Action, Allowed, ReadProjects, ReadRuns, WriteProjects, WriteRuns};
use crate::accounts::Accounts;
use crate::error::{Error, Result};
use crate::store::projects;

/// What runs work for: a repository on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name in addresses, unique in its org.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// The repository's folder, absolute.
    pub path: String,
    /// What proves success, where a person has set it.
    pub check: Option<String>,
    /// The model for its runs, where a person has set it.
    pub default_model: Option<String>,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
}

/// An action that may look at the projects that it concerns.
pub trait SeesProjects: Action {}
impl SeesProjects for ReadProjects {}
impl SeesProjects for WriteProjects {}
impl SeesProjects for ReadRuns {}
impl SeesProjects for WriteRuns {}

/// An action that may make a project: a run on a new folder makes one.
pub trait MakesProjects: SeesProjects {}
impl MakesProjects for WriteProjects {}
impl MakesProjects for WriteRuns {}

/// How often a new slug is tried when others make projects at the same time.
const TRIES: u32 = 5;

impl Accounts {
    /// The project of a folder; made, with the folder's name, where there is none. `path` must be
    /// canonical: one folder has one project.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a path that is relative or not UTF-8.
    pub async fn project_for_path<A: MakesProjects>(
        &self,
        allowed: &Allowed<A>,
        path: &Path,
    ) -> Result<Project> {
        let name = path.file_name().map_or_else(|| "root".into(), std::ffi::OsStr::to_string_lossy);
        self.find_or_make(allowed.org(), path, name.into_owned()).await
    }

    /// As [`Accounts::project_for_path`], with a name for a project that is made.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a path that is relative or not UTF-8, or a name of 0 or more than 80
    /// characters.
    pub async fn add_project(
        &self,
        allowed: &Allowed<WriteProjects>,
        path: &Path,
        name: &str,
    ) -> Result<Project> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 80 {
            return Err(Error::Invalid("a project's name has 1 to 80 characters".to_owned()));
        }
        self.find_or_make(allowed.org(), path, name.to_owned()).await
    }

    async fn find_or_make(&self, org: OrgId, path: &Path, name: String) -> Result<Project> {
        let text = path.to_str().filter(|_| path.is_absolute());
        let path = text.ok_or_else(|| Error::Invalid("a project's path is absolute and UTF-8".to_owned()))?;
        let wanted = Project {
            id: ProjectId::from_uuid(self.ambient.uuid()),
            slug: domain::name::slug(&name),
            name,
            path: path.to_owned(),
            check: None,
            default_model: None,
            created_at_ms: self.ambient.now_ms(),
        };
        for _ in 0..TRIES {
            let wanted = wanted.clone();
            let made = self
                .store
                .write(move |tx| Box::pin(async move { find_or_insert(tx, org, wanted).await }))
                .await?;
            if let Some(project) = made {
                return Ok(project);
            }
        }
        Err(Error::Invalid(format!("no short name is free for {path}")))
    }

    /// The project with this id or slug.
    ///
    /// # Errors
    ///
    /// [`Error::ProjectNotFound`] where this org has none.
    pub async fn find_project<A: SeesProjects>(
        &self,
        allowed: &Allowed<A>,
        id_or_slug: &str,
    ) -> Result<Project> {
        let org = allowed.org();
        let found = match id_or_slug.parse::<ProjectId>() {
            Ok(id) => projects::by_id(&self.store, org, id).await?,
            Err(_) => projects::by_slug(&self.store, org, id_or_slug).await?,
        };
        found.ok_or_else(|| Error::ProjectNotFound(id_or_slug.to_owned()))
    }

    /// The org's projects, by name.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn list_projects<A: SeesProjects>(&self, allowed: &Allowed<A>) -> Result<Vec<Project>> {
        Ok(projects::list(&self.store, allowed.org()).await?)
    }

    /// How many runs each project has in each state (machine names).
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn count_runs<A: SeesProjects>(
        &self,
        allowed: &Allowed<A>,
    ) -> Result<Vec<(ProjectId, String, i64)>> {
        Ok(projects::count_runs(&self.store, allowed.org()).await?)
    }
}

/// Takes the number for a project's next run: 1, 2, 3 … In the caller's transaction, so that a run that
/// is not kept uses up none.
///
/// # Errors
///
/// [`Error::ProjectNotFound`] where this org has no such project.
pub async fn next_run_number(tx: &mut Tx, org: OrgId, project: ProjectId) -> Result<i64> {
    let number = projects::next_run_number(tx, org, project).await?;
    number.ok_or_else(|| Error::ProjectNotFound(project.to_string()))
}

/// `None` when somebody took the slug in this moment.
async fn find_or_insert(tx: &mut Tx, org: OrgId, mut wanted: Project) -> Result<Option<Project>> {
    if let Some(found) = projects::by_path(tx, org, &wanted.path).await? {
        return Ok(Some(found));
    }
    let taken = projects::slugs(tx, org).await?;
    wanted.slug = free_slug(&wanted.slug, &taken);
    if projects::insert(tx, org, &wanted).await? {
        return Ok(Some(wanted));
    }
    Ok(projects::by_path(tx, org, &wanted.path).await?)
}

/// `shop`, or `shop-2`, `shop-3` … where that is taken.
fn free_slug(wanted: &str, taken: &[String]) -> String {
    let is_free = |slug: &String| !taken.contains(slug);
    let numbered = (2..).map(|number: u64| format!("{wanted}-{number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(is_free).unwrap_or_else(|| wanted.to_owned())
}
