//! Rules of a project: what its runs may do without asking again.

use ::store::Tx;
use domain::{OrgId, ProjectId};

use crate::access::{Allowed, WriteProjects};
use crate::accounts::Accounts;
use crate::error::{Error, Result};
use crate::store::projects;

/// One rule. It speaks of a tool and of what the tool is used on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The tool: `bash`.
    pub tool: String,
    /// What it is used on (a command, a path); `*` in it stands for any text.
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
    /// Whether the rule speaks of this call. The whole target must fit.
    #[must_use]
    pub fn fits(&self, tool: &str, target: &str) -> bool {
        self.tool == tool && fits(&self.target, target)
    }
}

/// What the rules say of a call: the strictest of those that fit, `None` where none does.
#[must_use]
pub fn effect_of(rules: &[Rule], tool: &str, target: &str) -> Option<RuleEffect> {
    let strictness = |effect: &RuleEffect| match effect {
        RuleEffect::Allow => 0,
        RuleEffect::Ask => 1,
        RuleEffect::Refuse => 2,
    };
    let fitting = rules.iter().filter(|rule| rule.fits(tool, target)).map(|rule| rule.effect);
    fitting.max_by_key(strictness)
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

    /// Removes a rule; returns whether it was there.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn delete_rule(
        &self,
        allowed: &Allowed<WriteProjects>,
        project: ProjectId,
        tool: &str,
        target: &str,
    ) -> Result<bool> {
        let (org, tool, target) = (allowed.org(), tool.to_owned(), target.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move { Ok(projects::delete_rule(tx, org, project, (&tool, &target)).await?) })
            })
            .await
    }
}

/// `*` stands for any text, everything else for itself. Linear but for backing up to the last `*`.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        if pattern.get(at_pattern) == Some(&b'*') {
            last_star = Some((at_pattern, at_text));
            at_pattern += 1;
        } else if pattern.get(at_pattern) == Some(&text[at_text]) {
            at_pattern += 1;
            at_text += 1;
        } else if let Some((star, eaten)) = last_star {
            last_star = Some((star, eaten + 1));
            at_pattern = star + 1;
            at_text = eaten + 1;
        } else {
            return false;
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(target: &str, effect: RuleEffect) -> Rule {
        Rule { tool: "bash".into(), target: target.into(), effect, by: "mira".into(), created_at_ms: 0 }
    }

    #[test]
    fn a_target_fits_as_a_whole_and_a_star_stands_for_any_text() {
        let cases = [
            ("git push", "git push", true),
            ("git push", "git push --force", false),
            ("git push", "sudo git push", false),
            ("git *", "git push --force", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("**", "x", true),
        ];
        for (pattern, text, wanted) in cases {
            assert_eq!(fits(pattern, text), wanted, "{pattern} on {text}");
        }
    }

    #[test]
    fn the_strictest_fitting_rule_counts() {
        use RuleEffect::{Allow, Ask, Refuse};
        let rules = [rule("git *", Allow), rule("git push*", Ask), rule("* --force", Refuse)];
        let effect = |target| effect_of(&rules, "bash", target);
        assert_eq!(effect("git log"), Some(Allow));
        assert_eq!(effect("git push"), Some(Ask));
        assert_eq!(effect("git push --force"), Some(Refuse));
        assert_eq!(effect("ls"), None);
        assert_eq!(effect_of(&rules, "write_file", "git log"), None);
    }
}
