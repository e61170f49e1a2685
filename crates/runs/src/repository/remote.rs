//! Repositories by URL: cloned in a sandbox that no agent enters, through a way out that reaches their host alone and adds
//! the credential outside of it. What comes is kept as a bare repository of ours, which runs then work on as on any other;
//! their branches stay in it.

use std::any::Any;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use domain::OrgId;
use futures_util::future::BoxFuture;
use orchestrator::{Orchestrator, Scratch};
use sandbox::Sandbox;
use sha2::{Digest, Sha256};

use super::source::{clean_git_environment, refuse};
use crate::capture;
use crate::error::{Error, Result, WhileDoing};

/// Opens ways out for clones.
pub trait WayOut: Send + Sync + 'static {
    /// Lets `sandbox` reach the host of `url` and nothing else, for as long as what is returned is kept.
    ///
    /// # Errors
    ///
    /// Why not, for a person.
    fn open<'a>(
        &'a self,
        org: OrgId,
        sandbox: &'a dyn Sandbox,
        url: &'a str,
    ) -> BoxFuture<'a, Result<Opened, String>>;
}

/// A way out that is open.
pub struct Opened {
    /// What git inside is told in place of the URL.
    pub url: String,
    /// It ends when this is dropped.
    pub session: Box<dyn Any + Send>,
}

/// Where an earlier clone is bound inside the sandbox that makes a new one.
const BEFORE: &str = "/source/before";

/// Clones by URL.
pub(crate) struct Remotes {
    root: PathBuf,
    orchestrator: Orchestrator,
    way_out: Option<Arc<dyn WayOut>>,
    fetching: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

/// Whether a repository is named by URL.
#[must_use]
pub fn is_url(repository: &str) -> bool {
    repository.contains("://")
}

impl Remotes {
    pub(crate) fn new(root: PathBuf, orchestrator: Orchestrator, way_out: Option<Arc<dyn WayOut>>) -> Self {
        Self { root, orchestrator, way_out, fetching: Mutex::default() }
    }

    /// The bare repository with the newest commit of what `url` names.
    ///
    /// # Errors
    ///
    /// [`Error::Repository`] where it cannot be had.
    pub(crate) async fn fetch(&self, org: OrgId, url: &str) -> Result<PathBuf> {
        let name = checked_name(url)?;
        let way_out = self.way_out.as_ref().ok_or_else(|| {
            refuse("repository_unsupported", "repositories by URL need a server".to_owned(), "journeyman up")
        })?;
        let folder = self.root.join(org.to_string()).join(key(url));
        let lock = {
            let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            fetching.entry(folder.clone()).or_default().clone()
        };
        let _one_at_a_time = lock.lock().await;
        let doing = "make a folder for a clone";
        std::fs::create_dir_all(self.root.join(org.to_string())).while_doing(doing)?;
        let kept = place(&folder, &name);
        let before = kept.join("HEAD").is_file().then(|| kept.clone());
        let scratch = self.orchestrator.scratch(&self.root, |spec| {
            spec.binds.extend(before.clone().map(|before| (before, PathBuf::from(BEFORE))));
        });
        let scratch = scratch.await.map_err(|error| match error {
            orchestrator::Error::Sandbox(error) => Error::Sandbox(error),
            other => Error::Internal { doing: "open a sandbox to clone in", source: Box::new(other) },
        })?;
        let cloned = clone(&scratch, &**way_out, org, (url, &name, before.is_some())).await;
        // Nothing inside may still write when the folder is taken.
        let stopped = scratch.stop().await;
        let kept = match cloned {
            Ok(()) => stopped
                .while_doing("stop a sandbox that cloned")
                .and_then(|()| swap(scratch.folder(), &folder).while_doing("keep a clone"))
                .map(|()| kept),
            Err(error) => Err(error),
        };
        scratch.close().await;
        kept
    }
}

async fn clone(
    scratch: &Scratch,
    way_out: &dyn WayOut,
    org: OrgId,
    (url, name, has_before): (&str, &str, bool),
) -> Result<()> {
    let opened = way_out.open(org, scratch.sandbox(), url).await.map_err(|why| {
        refuse("repository_unreadable", format!("{url} cannot be cloned: {why}"), "check the address")
    })?;
    let arguments = [opened.url.as_str(), name, if has_before { BEFORE } else { "" }];
    let script = include_str!("remote.sh");
    let said = capture::script(scratch.sandbox(), script, &arguments, clean_git_environment()).await?;
    if said.exit_code == 0 {
        return Ok(());
    }
    // Inside, the host has another name.
    let why = capture::last_lines(&said.stderr).replace(&opened.url, url);
    let is_denied = ["Authentication failed", "could not read Username", "error: 401", "error: 403"]
        .iter()
        .any(|sign| why.contains(sign));
    let fix = if is_denied {
        "set GITHUB_TOKEN or GITLAB_TOKEN for the server, or name a credential in config.toml: [[egress.credential]]"
    } else {
        "check the address, and that the server reaches it"
    };
    Err(refuse("repository_unreadable", format!("{url} cannot be cloned: {why}"), fix))
}

/// Puts the new clone in the place of the old one. A crash between the two steps leaves none, which the next fetch mends.
fn swap(new: &Path, place: &Path) -> std::io::Result<()> {
    let old = place.with_extension("old");
    if let Err(error) = std::fs::remove_dir_all(&old)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error);
    }
    if place.exists() {
        std::fs::rename(place, &old)?;
    }
    std::fs::rename(new, place)?;
    if let Err(error) = std::fs::remove_dir_all(&old)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "an old clone was not removed");
    }
    Ok(())
}

fn place(folder: &Path, name: &str) -> PathBuf {
    sandbox::workspace_folder(folder).join(name)
}

fn key(url: &str) -> String {
    Sha256::digest(url).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The last part of the URL, for the project's name. Logins stand in no URL: it is stored, listed and logged.
fn checked_name(url: &str) -> Result<String> {
    let wrong = |why: &str| {
        let fix = "name it like https://git.example/team/repository.git; credentials come from the server's settings";
        Err(refuse("repository_unsupported", format!("this address cannot be cloned: {why}"), fix))
    };
    let Some(rest) = url.strip_prefix("https://").or(url.strip_prefix("http://")) else {
        return wrong("it begins neither with https:// nor with http://");
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return wrong("it holds a login");
    }
    if url.len() > 2_000
        || url.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '?' | '#' | '\\'))
    {
        return wrong("it has characters that no repository's address has");
    }
    let path = rest.split_once('/').map(|(_, path)| path).unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name: String = last
        .trim_end_matches(".git")
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
        .collect();
    let name = name.trim_matches('.');
    if name.is_empty() {
        return wrong("it names no repository");
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_repository_and_holds_no_login() {
        for (url, name) in [
            ("https://git.example/team/shop.git", "shop"),
            ("http://localhost:8080/a/b/", "b"),
            ("https://git.example/..%2f..git", "2f"),
        ] {
            assert_eq!(checked_name(url).ok().as_deref(), Some(name), "{url}");
        }
        let wrong = [
            "https://me:secret@git.example/a",
            "https://git.example",
            "https://git.example/",
            "https://git.example/..",
            "ssh://git.example/a",
            "file:///etc",
            "ext::sh -c x://a",
            "https://git.example/a b",
            "https://a/b\n",
            "https://a/b?c",
            "--upload-pack=x://",
        ];
        for url in wrong {
            assert!(checked_name(url).is_err(), "{url}");
        }
        let said = checked_name("https://me:secret@git.example/a").expect_err("a login").to_string();
        assert!(!said.contains("secret"), "{said}");
    }
}
