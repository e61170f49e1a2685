//! The end of a run: its result leaves the sandbox, or at least the patch of what was done so far.

use std::sync::Arc;

use agent::port::Journal;
use domain::event::{Artifact, Delivery, RunEvent};
use domain::run::{Evidence, Reason};

use super::drive::Ride;
use super::opening::Opened;
use crate::apply::Route;
use crate::delivery::{self, Hold, Parcel};
use crate::error::{Error, Result};
use crate::reason::reason_of;
use crate::repository::Base;
use crate::runs::{Runs, find_source};
use crate::workspace::git_environment;
use crate::{capture, host_git};

/// The longest first line of a commit message, in characters: git's own custom.
const TITLE_CHARS: usize = 72;

impl Ride<'_> {
    /// Makes the branch, keeps the patch, and applies both where that was asked.
    pub(super) async fn deliver(
        &self,
        opened: &Opened,
        evidence: &Evidence,
        words: &str,
    ) -> Result<Vec<RunEvent>> {
        let summary = self.journal.summary().await;
        let earlier = summary.delivery.filter(|earlier| !earlier.branch.is_empty());
        // A follow-up that takes everything back has something to deliver all the same.
        if matches!(evidence, Evidence::NothingToChange { .. }) && earlier.is_none() {
            return Ok(Vec::new());
        }
        let parts = &self.runs.inner.parts;
        let source = find_source(&self.spec.repository).await?;
        let parcel = Parcel {
            source: &source,
            base: &opened.base,
            branch: domain::name::branch(self.spec.number, &self.spec.goal),
            earlier: earlier.map(|earlier| (earlier.branch, earlier.commit)),
            message: message(summary.follow_up.as_deref().unwrap_or(&self.spec.goal), words),
            trailer: format!("Journeyman-Run: {}", self.spec.run),
            author: author(self.runs, &opened.base).await,
            at_ms: summary.answered_at_ms,
            quarantine: parts.settings.data.join("tmp").join(format!("in-{}", parts.ambient.uuid().simple())),
            hold: self.hold(),
        };
        let Some(delivered) = delivery::deliver(&*opened.sandbox, parcel).await? else {
            return Ok(Vec::new());
        };
        let mut events = Vec::new();
        let patch = match self.patch_between(opened, &delivered.tip).await {
            Ok(patch) => Some(patch),
            Err(Error::Delivery { message }) => {
                let text = format!("The branch has everything, but no patch was kept: {message}.");
                events.push(RunEvent::Notice(Reason::new("no_patch", text)));
                None
            }
            Err(error) => return Err(error),
        };
        let applied = self.spec.apply && {
            self.journal.hold().await?;
            let (base, tip) = (opened.base.commit.clone(), delivered.tip.clone());
            let route = Route { base, earlier: summary.tips, tip };
            match self.runs.write_to_tree(&self.spec.repository, route).await {
                Ok(_) => true,
                Err(error) => {
                    events.push(RunEvent::Notice(not_applied(&error)));
                    false
                }
            }
        };
        events.push(RunEvent::Delivered(Delivery {
            branch: delivered.branch,
            commit: delivered.tip,
            commits: delivered.commits,
            patch: patch.as_ref().map(|patch| patch.id),
            applied,
        }));
        if let Some(patch) = patch {
            events.insert(0, RunEvent::ArtifactKept(patch));
        }
        Ok(events)
    }

    /// For threads that may block, which is where git runs.
    fn hold(&self) -> Hold {
        let (journal, runtime) = (self.journal.clone(), tokio::runtime::Handle::current());
        Arc::new(move || Ok(runtime.block_on(journal.hold())?))
    }

    /// The patch of the work so far, for a run that does not deliver; a run whose sandbox is gone has none.
    pub(super) async fn keep_patch(&self) -> Vec<RunEvent> {
        let kept = async {
            let Some(opened) = self.ahead.get() else { return Ok(None) };
            let patch = opened.workspace.patch().await?;
            if patch.is_empty() { Ok(None) } else { self.keep(patch).await.map(Some) }
        };
        match kept.await {
            Ok(patch) => patch.map(RunEvent::ArtifactKept).into_iter().collect(),
            Err(error) => {
                tracing::warn!(run.id = %self.spec.run, error = &error as &dyn std::error::Error, "no patch of an unfinished run");
                Vec::new()
            }
        }
    }

    async fn patch_between(&self, opened: &Opened, tip: &str) -> Result<Artifact> {
        let script = "cd /workspace && git diff --binary --find-renames --no-color --no-ext-diff --no-textconv \
                      --src-prefix=a/ --dst-prefix=b/ \"$1\" \"$2\"";
        let environment = git_environment();
        let said =
            capture::script(&*opened.sandbox, script, &[&opened.base.commit, tip], environment).await?;
        self.keep(said.success("write the patch")?).await
    }

    async fn keep(&self, patch: Vec<u8>) -> Result<Artifact> {
        let name = format!("run-{}.patch", self.spec.number);
        self.journal.keep("patch", name, patch).await.map_err(|error| match error {
            agent::port::JournalError::Lost => Error::Lost,
            agent::port::JournalError::DiskFull => Error::DiskFull,
            agent::port::JournalError::Internal(source) => {
                Error::Internal { doing: "keep the patch", source }
            }
        })
    }
}

fn not_applied(error: &Error) -> Reason {
    let mut reason = reason_of(error);
    reason.text = format!("The result is on its branch but was not applied: {}", reason.text);
    reason
}

/// The goal as the title, the agent's last words as the body.
fn message(goal: &str, words: &str) -> String {
    let line = goal.lines().next().unwrap_or("").trim();
    let title = if line.chars().count() > TITLE_CHARS {
        let cut: String = line.chars().take(TITLE_CHARS - 1).collect();
        format!("{}…", cut.rsplit_once(' ').map_or(cut.as_str(), |(whole, _)| whole))
    } else {
        line.to_owned()
    };
    if words.trim().is_empty() { title } else { format!("{title}\n\n{}", words.trim()) }
}

/// The repository's own identity, else the user's, else ours.
async fn author(runs: &Runs, base: &Base) -> (String, String) {
    let own = (base.author_name.clone(), base.author_email.clone());
    if own.1 != "journeyman@localhost" {
        return own;
    }
    let Some(home) = runs.inner.parts.settings.home.clone() else { return own };
    tokio::task::spawn_blocking(move || host_git::identity(&home)).await.ok().flatten().unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_goal_becomes_a_short_title_cut_at_a_word() {
        let goal = "One test of the shop fails: a customer whose first card is declined loses the coupon. Find out why.";
        assert_eq!(
            message(goal, "I kept the coupon.\n"),
            "One test of the shop fails: a customer whose first card is declined…\n\nI kept the coupon."
        );
        assert_eq!(message("Fix it\nplease", " "), "Fix it");
    }
}
