//! Accounts through their public surface, on each database.

mod logins;
mod orgs;
mod projects;
mod provider_keys;
mod tokens;
mod world;
