//! What runs leave behind: questions, differences, artifacts; applying and deleting.

use accounts::access::{Allowed, AnswerQuestions, ReadRuns, WriteRuns};
use agent::port::Wish;
use domain::event::{Artifact, Delivery, RunEvent};
use domain::question::{Answer, QuestionKind};
use domain::{ArtifactId, OrgId, QuestionId, RunId};
use store::BlobKey;

use crate::apply::{self, Route};
use crate::error::{Error, Result, WhileDoing};
use crate::record::{self, RunKey};
use crate::recover;
use crate::request::RunRef;
use crate::runs::{AtRest, Runs, find_source};
use crate::store as rows;
use crate::view::{Applied, Diff, FileDiff, QuestionState, QuestionView};

impl Runs {
    /// What a run has asked so far, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::RunNotFound`].
    pub async fn questions(&self, allowed: &Allowed<ReadRuns>, run: RunRef) -> Result<Vec<QuestionView>> {
        let id = self.resolve(allowed.org(), run).await?;
        Ok(rows::list_questions(&self.inner.parts.store, allowed.org(), id).await?)
    }

    /// Answers an open question. The first answer counts.
    ///
    /// # Errors
    ///
    /// [`Error::QuestionAnswered`], [`Error::QuestionVoid`], [`Error::WrongAnswer`].
    pub async fn answer(
        &self,
        allowed: &Allowed<AnswerQuestions>,
        question: QuestionId,
        answer: Answer,
    ) -> Result<QuestionView> {
        let (org, by) = (allowed.org(), allowed.by().to_owned());
        let (store, now_ms) = (&self.inner.parts.store, self.inner.parts.ambient.now_ms());
        let asked = self.question(org, question).await?;
        check_answer(asked.question.kind, &answer)?;
        let project = self.row(org, asked.run).await?.spec.project;
        let hash = asked.question.arguments_hash.clone().filter(|_| record::is_for_project(&answer));
        let key = RunKey { org, run: asked.run };
        let taken = store
            .write(move |tx| {
                Box::pin(async move {
                    if !rows::answer_question(tx, org, question, (&answer, &by), now_ms).await? {
                        return Ok(false);
                    }
                    if let Some(target) = hash {
                        let rule = accounts::rules::Rule {
                            tool: GRANT.to_owned(),
                            target,
                            effect: accounts::rules::RuleEffect::Allow,
                            by: by.clone(),
                            created_at_ms: now_ms,
                        };
                        accounts::rules::put_rule(tx, org, project, &rule).await?;
                    }
                    let wish = Wish::Answer { question, answer };
                    rows::insert_command(tx, (org, key.run), &by, &wish, now_ms).await?;
                    tx.wake(key.commands_topic());
                    Ok::<_, Error>(true)
                })
            })
            .await?;
        self.want(key.run);
        let now = self.question(org, question).await?;
        match (taken, now.state) {
            (true, _) => Ok(now),
            (false, QuestionState::Void) => Err(Error::QuestionVoid),
            (false, _) => Err(Error::QuestionAnswered { by: now.by.unwrap_or_default() }),
        }
    }

    async fn question(&self, org: OrgId, question: QuestionId) -> Result<QuestionView> {
        let found = rows::find_question(&self.inner.parts.store, org, question).await?;
        found.ok_or_else(|| Error::QuestionNotFound(question.to_string()))
    }

    /// What a run has changed: of its working copy while it works here, else of its delivery.
    ///
    /// # Errors
    ///
    /// [`Error::NoResult`] where there is neither.
    pub async fn diff(&self, allowed: &Allowed<ReadRuns>, run: RunRef) -> Result<Diff> {
        let id = self.resolve(allowed.org(), run).await?;
        let row = self.row(allowed.org(), id).await?;
        let base = row.summary.sandbox.as_ref().map(|ready| ready.base_commit.clone()).unwrap_or_default();
        let delivered = row.summary.delivery.as_ref().filter(|_| self.inner.live.get(id).is_none());
        let tip = delivered.map(|delivery| delivery.commit.clone());
        let files = match self.inner.live.get(id) {
            Some(workspace) => workspace.diff().await?,
            None => self.delivered_files(allowed.org(), id).await?,
        };
        Ok(Diff { base, tip, files })
    }

    async fn delivered_files(&self, org: OrgId, run: RunId) -> Result<Vec<FileDiff>> {
        Ok(crate::diff::parse(&String::from_utf8_lossy(&self.delivered_patch(org, run).await?)))
    }

    /// What a run has changed, as a patch for `git apply`.
    ///
    /// # Errors
    ///
    /// As [`Runs::diff`].
    pub async fn patch(&self, allowed: &Allowed<ReadRuns>, run: RunRef) -> Result<Vec<u8>> {
        let id = self.resolve(allowed.org(), run).await?;
        match self.inner.live.get(id) {
            Some(workspace) => workspace.patch().await,
            None => self.delivered_patch(allowed.org(), id).await,
        }
    }

    async fn delivered_patch(&self, org: OrgId, run: RunId) -> Result<Vec<u8>> {
        let kept = rows::list_artifacts(&self.inner.parts.store, org, run).await?;
        let Some(patch) = kept.into_iter().rfind(|artifact| artifact.sort == "patch") else {
            let row = self.row(org, run).await?;
            let ended_without = row.summary.state.is_terminal();
            return if ended_without { Ok(Vec::new()) } else { Err(Error::NoResult(row.spec.number)) };
        };
        Ok(self.artifact_of(org, patch.id).await?.1)
    }

    /// Writes a delivered result to the user's working tree. Applying twice is applying once.
    ///
    /// # Errors
    ///
    /// [`Error::NoResult`], [`Error::WouldOverwrite`], [`Error::UnsafePath`]; nothing is written then.
    pub async fn apply(&self, allowed: &Allowed<WriteRuns>, run: RunRef) -> Result<Applied> {
        let id = self.resolve(allowed.org(), run).await?;
        let row = self.row(allowed.org(), id).await?;
        let number = row.spec.number;
        let delivery = row.summary.delivery.ok_or(Error::NoResult(number))?;
        let base = row.summary.sandbox.map(|ready| ready.base_commit).ok_or(Error::NoResult(number))?;
        let route = Route { base, earlier: row.summary.tips, tip: delivery.commit.clone() };
        let applied = self.write_to_tree(&row.spec.repository, route).await?;
        let event = RunEvent::Delivered(Delivery { applied: true, ..delivery });
        self.command(allowed, run, move |_| Ok(AtRest::Note { event: event.clone() })).await?;
        Ok(applied)
    }

    pub(crate) async fn write_to_tree(&self, repository: &str, route: Route) -> Result<Applied> {
        let source = find_source(repository).await?;
        tokio::task::spawn_blocking(move || apply::apply(&source, &route))
            .await
            .while_doing("apply the result")?
    }

    /// What a run has left to download.
    ///
    /// # Errors
    ///
    /// [`Error::RunNotFound`].
    pub async fn artifacts(&self, allowed: &Allowed<ReadRuns>, run: RunRef) -> Result<Vec<Artifact>> {
        let id = self.resolve(allowed.org(), run).await?;
        Ok(rows::list_artifacts(&self.inner.parts.store, allowed.org(), id).await?)
    }

    /// An artifact and its bytes.
    ///
    /// # Errors
    ///
    /// [`Error::ArtifactNotFound`].
    pub async fn artifact(
        &self,
        allowed: &Allowed<ReadRuns>,
        artifact: ArtifactId,
    ) -> Result<(Artifact, Vec<u8>)> {
        self.artifact_of(allowed.org(), artifact).await
    }

    async fn artifact_of(&self, org: OrgId, id: ArtifactId) -> Result<(Artifact, Vec<u8>)> {
        let store = &self.inner.parts.store;
        let artifact = rows::find_artifact(store, org, id)
            .await?
            .ok_or_else(|| Error::ArtifactNotFound(id.to_string()))?;
        let key: BlobKey = artifact.blob.parse().while_doing("read an artifact's key")?;
        let bytes = store.blobs().get(org, &key).await?;
        Ok((artifact, bytes.to_vec()))
    }

    /// Removes a run that is at rest, its log and its files. Its branch stays.
    ///
    /// # Errors
    ///
    /// [`Error::WrongState`] while a worker owns it: stop it first.
    pub async fn delete(&self, allowed: &Allowed<WriteRuns>, run: RunRef) -> Result<()> {
        let id = self.resolve(allowed.org(), run).await?;
        self.remove(allowed.org(), id).await
    }

    pub(crate) async fn remove(&self, org: OrgId, run: RunId) -> Result<()> {
        let (store, now_ms) = (&self.inner.parts.store, self.inner.parts.ambient.now_ms());
        store
            .write(move |tx| {
                Box::pin(async move {
                    let Some(row) = rows::lock(tx, org, run).await? else { return Ok(()) };
                    let state = row.summary.state;
                    if state.is_active() {
                        let state = state.name();
                        return Err(Error::WrongState(domain::run::InvalidTransition {
                            state,
                            change: "deleted",
                        }));
                    }
                    tx.dequeue(org, crate::runs::QUEUE, &run.to_string(), now_ms).await?;
                    rows::delete(tx, org, run).await?;
                    tx.delete_stream(org, &run.stream()).await?;
                    Ok::<_, Error>(())
                })
            })
            .await?;
        if let Some(begun) = self.begun(run) {
            self.inner.bases.forget_own(&begun.base);
        }
        self.remove_files(run).await
    }

    /// Removes the folder of a run that is no more.
    pub(crate) async fn remove_files(&self, run: RunId) -> Result<()> {
        // Out of the way first, so that what cannot be removed now is removed at the next start.
        let (folder, away) =
            (self.folder(run), self.inner.parts.settings.data.join("tmp").join(format!("in-{run}")));
        tokio::task::spawn_blocking(move || {
            let moved = std::fs::create_dir_all(away.with_file_name(""))
                .and_then(|()| std::fs::rename(&folder, &away));
            match moved.and_then(|()| recover::remove_tree(&away)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a run's files are removed at the next start"
                    );
                }
                _ => {}
            }
        })
        .await
        .while_doing("remove a run's files")
    }
}

/// The tool name under which a project's allowed calls are kept, by their hash.
pub(crate) const GRANT: &str = "grant";

fn check_answer(kind: QuestionKind, answer: &Answer) -> Result<()> {
    match (kind, answer) {
        (QuestionKind::Approval, Answer::Allow { .. } | Answer::Refuse { .. }) => Ok(()),
        (QuestionKind::Approval, Answer::Text { .. }) => {
            Err(Error::WrongAnswer("this question wants allow or refuse"))
        }
        (QuestionKind::Decision, Answer::Text { text }) if !text.trim().is_empty() => Ok(()),
        (QuestionKind::Decision, _) => Err(Error::WrongAnswer("this question wants an answer in words")),
    }
}
