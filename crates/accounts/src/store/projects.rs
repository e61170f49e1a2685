//! SQL of `projects` and `project_rules`.

use domain::{OrgId, ProjectId};
use store::{Row, Store, StoreError, Tx};

use crate::projects::Project;
use crate::rules::{Rule, RuleEffect};

fn read(row: &Row) -> Result<Project, StoreError> {
    Ok(Project {
        id: row.parse(0)?,
        slug: row.text(1)?,
        name: row.text(2)?,
        path: row.text(3)?,
        check: row.opt_text(4)?,
        default_model: row.opt_text(5)?,
        created_at_ms: row.int(6)?,
    })
}

/// The project with this id.
pub(crate) async fn by_id(store: &Store, org: OrgId, id: ProjectId) -> Result<Option<Project>, StoreError> {
    store
        .fetch_optional(
            "select id, slug, name, path, check_command, default_model, created_at_ms
             from projects where org_id = $1 and id = $2",
            &[org.into(), id.into()],
            read,
        )
        .await
}

/// The project with this slug.
pub(crate) async fn by_slug(store: &Store, org: OrgId, slug: &str) -> Result<Option<Project>, StoreError> {
    store
        .fetch_optional(
            "select id, slug, name, path, check_command, default_model, created_at_ms
             from projects where org_id = $1 and slug = $2",
            &[org.into(), slug.into()],
            read,
        )
        .await
}

/// The project of this folder.
pub(crate) async fn by_path(tx: &mut Tx, org: OrgId, path: &str) -> Result<Option<Project>, StoreError> {
    tx.fetch_optional(
        "select id, slug, name, path, check_command, default_model, created_at_ms
         from projects where org_id = $1 and path = $2",
        &[org.into(), path.into()],
        read,
    )
    .await
}

/// All projects, by name.
pub(crate) async fn list(store: &Store, org: OrgId) -> Result<Vec<Project>, StoreError> {
    store
        .fetch_all(
            "select id, slug, name, path, check_command, default_model, created_at_ms
             from projects where org_id = $1 order by name, slug",
            &[org.into()],
            read,
        )
        .await
}

/// How many runs each project has in each state. The rows are those of `runs` and only read here.
pub(crate) async fn count_runs(
    store: &Store,
    org: OrgId,
) -> Result<Vec<(ProjectId, String, i64)>, StoreError> {
    store
        .fetch_all(
            "select project_id, state, count(*) from runs where org_id = $1 group by project_id, state",
            &[org.into()],
            |row| Ok((row.parse(0)?, row.text(1)?, row.int(2)?)),
        )
        .await
}

/// The slugs that are taken.
pub(crate) async fn slugs(tx: &mut Tx, org: OrgId) -> Result<Vec<String>, StoreError> {
    tx.fetch_all("select slug from projects where org_id = $1", &[org.into()], |row| row.text(0)).await
}

/// Adds a project; returns whether it did, or somebody was first with its slug or path.
pub(crate) async fn insert(tx: &mut Tx, org: OrgId, project: &Project) -> Result<bool, StoreError> {
    let made = tx
        .execute(
            "insert into projects
                 (org_id, id, slug, name, path, check_command, default_model, next_run_number, created_at_ms)
             values ($1, $2, $3, $4, $5, $6, $7, 1, $8)
             on conflict do nothing",
            &[
                org.into(),
                project.id.into(),
                (&project.slug).into(),
                (&project.name).into(),
                (&project.path).into(),
                project.check.clone().into(),
                project.default_model.clone().into(),
                project.created_at_ms.into(),
            ],
        )
        .await?;
    Ok(made > 0)
}

/// Takes the number for the next run.
pub(crate) async fn next_run_number(
    tx: &mut Tx,
    org: OrgId,
    id: ProjectId,
) -> Result<Option<i64>, StoreError> {
    tx.fetch_optional(
        "update projects set next_run_number = next_run_number + 1
         where org_id = $1 and id = $2 returning next_run_number - 1",
        &[org.into(), id.into()],
        |row| row.int(0),
    )
    .await
}

/// Adds a rule, or changes the effect of the one that is there.
pub(crate) async fn put_rule(
    tx: &mut Tx,
    org: OrgId,
    project: ProjectId,
    rule: &Rule,
) -> Result<(), StoreError> {
    tx.execute(
        "insert into project_rules (org_id, project_id, tool, target, effect, by_name, created_at_ms)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (org_id, project_id, tool, target) do update
         set effect = excluded.effect, by_name = excluded.by_name, created_at_ms = excluded.created_at_ms",
        &[
            org.into(),
            project.into(),
            (&rule.tool).into(),
            (&rule.target).into(),
            rule.effect.name().into(),
            (&rule.by).into(),
            rule.created_at_ms.into(),
        ],
    )
    .await?;
    Ok(())
}

/// A project's rules.
pub(crate) async fn rules(store: &Store, org: OrgId, project: ProjectId) -> Result<Vec<Rule>, StoreError> {
    store
        .fetch_all(
            "select tool, target, effect, by_name, created_at_ms from project_rules
             where org_id = $1 and project_id = $2 order by tool, target",
            &[org.into(), project.into()],
            |row| {
                Ok(Rule {
                    tool: row.text(0)?,
                    target: row.text(1)?,
                    effect: row.parse::<RuleEffect>(2)?,
                    by: row.text(3)?,
                    created_at_ms: row.int(4)?,
                })
            },
        )
        .await
}

/// Removes a rule; returns whether it was there.
pub(crate) async fn delete_rule(
    tx: &mut Tx,
    org: OrgId,
    project: ProjectId,
    key: (&str, &str),
) -> Result<bool, StoreError> {
    let deleted = tx
        .execute(
            "delete from project_rules
             where org_id = $1 and project_id = $2 and tool = $3 and target = $4",
            &[org.into(), project.into(), key.0.into(), key.1.into()],
        )
        .await?;
    Ok(deleted > 0)
}
