//! Questions: what only a person can answer.

use serde::{Deserialize, Serialize};

use crate::QuestionId;

/// A question, as it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its id.
    pub id: QuestionId,
    /// What sort of answer it wants.
    pub kind: QuestionKind,
    /// The problem in plain words, one or two sentences.
    pub text: String,
    /// What it is about: the command to approve, what was tried. Shown as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Suggested answers; may be empty. The first is the recommended one.
    #[serde(default)]
    pub options: Vec<String>,
    /// The tool call that waits for the answer, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// SHA-256 (hex) of the arguments that an approval is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments_hash: Option<String>,
}

/// What sort of answer a question wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// May this tool call run? Answered by allowing or refusing.
    Approval,
    /// The agent asks something; answered by text or one of the options.
    Decision,
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The call may run.
    Allow {
        /// How far the permission reaches.
        scope: AllowScope,
    },
    /// The call may not run.
    Refuse {
        /// Why, for the agent to read.
        reason: String,
    },
    /// Words for the agent.
    Text {
        /// The words.
        text: String,
    },
}

/// How far a permission reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllowScope {
    /// This call only, once.
    Once,
    /// The same call again in this run.
    Run,
    /// The same call in every run of the project.
    Project,
}
