//! Rules of a project: what its runs may do without asking again.

use ::store::Tx;
use domain::{OrgId, ProjectId};
use sha2::{Digest, Sha256};

use crate::access::{Allowed, ReadProjects, WriteProjects};
use crate::accounts::Accounts;
use crate::error::{Error, Result};
use crate::store::projects;

/// One rule. It speaks of a tool and of what the tool is used on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The tool: `bash`; patterns as in `target`.
    pub tool: String,
    /// What it is used on (a command line, a path); `*` stands for any text, `?` for one letter, and the whole
    /// has to fit. `agent::policy` decides by it.
    pub target: String,
    /// What happens then.
    pub effect: RuleEffect,
    /// Who made the rule.
    pub by: String,
    /// When, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleEffect {
    /// It runs without a question.
    Allow,
    /// A person is asked.
    Ask,
    /// It does not run.
    Refuse,
}

impl RuleEffect {
    /// The name in JSON and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Refuse => "refuse",
        }
    }
}

impl std::str::FromStr for RuleEffect {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let effects = [Self::Allow, Self::Ask, Self::Refuse];
        let found = effects.into_iter().find(|effect| effect.name() == text);
        found.ok_or_else(|| Error::Invalid(format!("{text:?} is no effect of a rule")))
    }
}

impl Rule {
    /// Names the rule in addresses: the same for the same tool and target.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = Sha256::digest(format!("{}\0{}", self.tool, self.target));
        digest.iter().take(16).fold("rul".to_owned(), |mut id, byte| {
            id.push_str(&format!("{byte:02x}"));
            id
        })
    }
}

/// The longest pattern, in bytes.
const PATTERN_MAX_BYTES: usize = 2_000;

/// Refuses a pattern that could not be meant.
fn check_pattern(what: &str, pattern: &str) -> Result<()> {
    if pattern.trim().is_empty() || pattern.len() > PATTERN_MAX_BYTES {
        return Err(Error::Invalid(format!("the {what} of a rule has 1 to {PATTERN_MAX_BYTES} bytes")));
    }
    Ok(())
}

/// Adds a rule, or changes the one for the same tool and target, in the caller's transaction.
///
/// # Errors
///
/// Only what the store gives.
pub async fn put_rule(tx: &mut Tx, org: OrgId, project: ProjectId, rule: &Rule) -> Result<()> {
    Ok(projects::put_rule(tx, org, project, rule).await?)
}

impl Accounts {
    /// A project's rules.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn rules(&self, org: OrgId, project: ProjectId) -> Result<Vec<Rule>> {
        Ok(projects::rules(&self.store, org, project).await?)
    }

    /// A project's rules, for people.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn list_rules(&self, allowed: &Allowed<ReadProjects>, project: ProjectId) -> Result<Vec<Rule>> {
        self.rules(allowed.org(), project).await
    }

    /// Makes a rule, or changes what the one for the same tool and target does. Runs that begin or are taken up
    /// after that keep to it.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where a pattern is empty or too long.
    pub async fn set_rule(
        &self,
        allowed: &Allowed<WriteProjects>,
        project: ProjectId,
        (tool, target): (&str, &str),
        effect: RuleEffect,
    ) -> Result<Rule> {
        check_pattern("tool", tool)?;
        check_pattern("target", target)?;
        let rule = Rule {
            tool: tool.trim().to_owned(),
            target: target.to_owned(),
            effect,
            by: allowed.by().to_owned(),
            created_at_ms: self.ambient.now_ms(),
        };
        let (org, kept) = (allowed.org(), rule.clone());
        self.store.write(move |tx| Box::pin(async move { put_rule(tx, org, project, &kept).await })).await?;
        Ok(rule)
    }

    /// Removes a rule by its id.
    ///
    /// # Errors
    ///
    /// [`Error::RuleNotFound`].
    pub async fn delete_rule(
        &self,
        allowed: &Allowed<WriteProjects>,
        project: ProjectId,
        id: &str,
    ) -> Result<()> {
        let (org, rules) = (allowed.org(), self.rules(allowed.org(), project).await?);
        let missing = || Error::RuleNotFound(id.to_owned());
        let rule = rules.into_iter().find(|rule| rule.id() == id).ok_or_else(missing)?;
        let key = (rule.tool, rule.target);
        let deleted = self.store.write(move |tx| {
            Box::pin(async move {
                Ok::<_, Error>(projects::delete_rule(tx, org, project, (&key.0, &key.1)).await?)
            })
        });
        if deleted.await? { Ok(()) } else { Err(missing()) }
    }
}
