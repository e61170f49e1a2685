//! Whose files and processes a call means, and where their relative paths begin.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sandbox::Sandbox;

/// Who stands in for nobody.
pub(crate) const DEFAULT: &str = "user";

/// The largest /etc/passwd that is read.
const PASSWD_MAX_BYTES: u64 = 1 << 20;

/// A user of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) home: String,
}

/// The name in the `Authorization: Basic` header, whose password nobody looks at: the access token was checked.
/// `None` where there is no such header.
///
/// # Errors
///
/// The header's text where it is none that names a user.
pub(crate) fn of_header(headers: &HeaderMap) -> Result<Option<String>, String> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let read = || {
        let (scheme, code) = value.to_str().ok()?.split_once(' ')?;
        let text = STANDARD.decode(code.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let text = String::from_utf8(text).ok()?;
        Some(text.split_once(':').map_or(text.clone(), |(name, _)| name.to_owned()))
    };
    match read() {
        Some(name) if name.is_empty() => Ok(None),
        Some(name) => Ok(Some(name)),
        None => Err("the Authorization header names no user".to_owned()),
    }
}

/// The user of that name, from the sandbox's own list of users where it is none that every sandbox has.
///
/// # Errors
///
/// A sentence where there is none.
pub(crate) async fn look_up(sandbox: &dyn Sandbox, name: Option<&str>) -> Result<User, String> {
    let name = name.filter(|name| !name.is_empty()).unwrap_or(DEFAULT);
    let home = match name {
        DEFAULT => Some(sandbox::HOME.to_owned()),
        "root" => Some("/root".to_owned()),
        other => {
            let list = sandbox.read("/etc/passwd", 0, PASSWD_MAX_BYTES).await;
            list.ok().and_then(|list| home_of(&String::from_utf8_lossy(&list.bytes), other))
        }
    };
    let home = home.ok_or_else(|| format!("error looking up user '{name}': user: unknown user {name}"))?;
    Ok(User { name: name.to_owned(), home })
}

fn home_of(passwd: &str, name: &str) -> Option<String> {
    let mut users = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = users.find(|fields| fields.first() == Some(&name))?;
    found.get(5).map(|home| (*home).to_owned()).filter(|home| home.starts_with('/'))
}

impl User {
    /// The absolute path that a client's path means: relative ones and `~` begin at the user's home.
    pub(crate) fn resolve(&self, path: &str) -> String {
        let whole = match path {
            "" | "~" => self.home.clone(),
            _ if path.starts_with('/') => path.to_owned(),
            _ => format!("{}/{}", self.home, path.strip_prefix("~/").unwrap_or(path)),
        };
        clean(&whole)
    }
}

/// A path without `.`, `..` and doubled slashes, by its letters alone.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: &str) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
        of_header(&headers)
    }

    #[test]
    fn the_header_names_the_user() {
        assert_eq!(header(&format!("Basic {}", STANDARD.encode("root:"))), Ok(Some("root".to_owned())));
        assert_eq!(header(&format!("basic {}", STANDARD.encode("user"))), Ok(Some("user".to_owned())));
        assert_eq!(header(&format!("Basic {}", STANDARD.encode(":"))), Ok(None));
        assert_eq!(of_header(&HeaderMap::new()), Ok(None));
        for wrong in ["Bearer abc", "Basic", "Basic *", &format!("Basic {}", STANDARD.encode([0xff]))] {
            assert!(header(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn paths_begin_at_home() {
        let user = User { name: "user".to_owned(), home: "/home/user".to_owned() };
        for (given, meant) in [
            ("", "/home/user"),
            ("~", "/home/user"),
            ("~/a", "/home/user/a"),
            ("a/../b", "/home/user/b"),
            ("/etc//x/.", "/etc/x"),
            ("../../..", "/"),
            ("ä b", "/home/user/ä b"),
        ] {
            assert_eq!(user.resolve(given), meant, "{given}");
        }
    }

    #[test]
    fn homes_stand_in_the_list_of_users() {
        let list = "root:x:0:0:root:/root:/bin/sh\nmira:x:1001:1001::/home/mira:/bin/bash\nbad:x\n";
        assert_eq!(home_of(list, "mira"), Some("/home/mira".to_owned()));
        assert_eq!((home_of(list, "bad"), home_of(list, "noa")), (None, None));
    }
}
