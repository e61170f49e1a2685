//! Which crate may use which. A lower layer never knows a higher one; what is not in this table is
//! refused. Tests may use `testkit` from anywhere, and their own crate with other
//! features.

use serde_json::Value;

use crate::run;

#[cfg(test)]
mod tests;

/// Each crate, and the crates of this workspace that it may depend on.
const ALLOWED: &[(&str, &str)] = &[
    ("domain", ""),
    ("runtime", "domain"),
    ("guest", "domain"),
    ("egress", "domain runtime"),
    ("store", "domain runtime"),
    ("secrets", "domain runtime"),
    ("models", "domain runtime"),
    ("sandbox", "domain runtime guest"),
    ("agent", "domain runtime models sandbox"),
    ("accounts", "domain runtime store secrets"),
    ("orchestrator", "domain runtime store secrets sandbox accounts"),
    ("gateway", "domain runtime store accounts secrets"),
    ("runs", "domain runtime store models sandbox agent orchestrator accounts secrets"),
    ("api", "domain runtime store models sandbox accounts orchestrator runs secrets gateway"),
    ("e2b", "domain runtime secrets sandbox accounts orchestrator gateway"),
    (
        "server",
        "domain runtime guest store secrets models sandbox agent accounts orchestrator runs api e2b egress gateway",
    ),
    ("testkit", "domain runtime guest store secrets models sandbox agent accounts orchestrator runs"),
    ("bench", "domain runtime store accounts secrets gateway sandbox"),
    ("xtask", ""),
];

/// What `cargo metadata` says of the workspace's own crates.
pub(super) fn metadata() -> Result<Value, String> {
    let text = run::capture(&mut run::cargo(&["metadata", "--format-version=1", "--no-deps", "--locked"]))?;
    serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))
}

/// Every edge that the table does not allow, and every crate that it does not know.
pub(super) fn check(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    packages.iter().flat_map(|package| check_crate(package, &ours)).collect()
}

fn check_crate(package: &Value, ours: &[&str]) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        return vec![format!(
            "crate `{name}` is not in the table of allowed edges (xtask/src/tidy/edges.rs)"
        )];
    };
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let edges = dependencies.iter().filter_map(|dependency| {
        let to = dependency["name"].as_str().filter(|to| ours.contains(to))?;
        Some((to, dependency["kind"].as_str() == Some("dev")))
    });
    edges
        .filter(|(to, is_dev)| {
            let for_tests = *is_dev && (*to == "testkit" || *to == name);
            !for_tests && !allowed.split(' ').any(|name| name == *to)
        })
        .map(|(to, _)| format!("`{name}` must not depend on `{to}`"))
        .collect()
}
