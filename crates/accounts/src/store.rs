//! SQL of the tables `orgs`, `users`, `members`, `tokens`, `projects`, `project_rules`, `provider_keys`
//! and `settings`. Nothing else writes them.

pub(crate) mod orgs;
pub(crate) mod projects;
pub(crate) mod provider_keys;
pub(crate) mod settings;
pub(crate) mod tokens;
