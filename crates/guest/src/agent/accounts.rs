//! Users of the sandbox: who a process is to be, and the names of owners.

use std::collections::HashMap;

use crate::protocol::Setup;

/// The name by which the user of commands can always be called.
const USUAL: &str = "user";

/// Where the accounts stand.
const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// Who a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum User {
    /// The user of commands.
    Usual,
    /// Somebody else.
    Other { name: String, uid: u32, gid: u32, home: String },
}

/// Finds a user by name; the usual one where nobody is named.
pub(super) fn user(setup: &Setup, name: Option<&str>) -> Result<User, String> {
    let Some(name) = name.filter(|name| !name.is_empty() && *name != USUAL) else { return Ok(User::Usual) };
    let users = std::fs::read_to_string(USERS).unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        if fields.first() != Some(&name) {
            return None;
        }
        let number = |place: usize| fields.get(place)?.parse::<u32>().ok();
        Some((number(2)?, number(3)?, (*fields.get(5)?).to_owned()))
    });
    let Some((uid, gid, home)) = found else { return Err(format!("the sandbox has no user {name}")) };
    let usual = setup.run_as.map_or_else(|| nix::unistd::Uid::effective().as_raw(), |(uid, _)| uid);
    if uid == usual {
        return Ok(User::Usual);
    }
    if setup.run_as.is_none() {
        return Err(format!("processes of this sandbox cannot run as {name}: it has one user alone"));
    }
    Ok(User::Other { name: name.to_owned(), uid, gid, home })
}

/// The names of owners and groups, by number.
pub(super) struct Names {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

impl Names {
    /// Reads them.
    pub(super) fn load() -> Self {
        Self { users: read(USERS), groups: read(GROUPS) }
    }

    /// A user's name, or its number.
    pub(super) fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    /// A group's name, or its number.
    pub(super) fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string())
    }
}

fn read(path: &str) -> HashMap<u32, String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(number)) = (fields.next(), fields.nth(1)) else { continue };
        if let Ok(number) = number.parse() {
            // The first entry counts, as everywhere.
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}
