//! The conversation with the model: messages that only ever grow, but for compaction.
//!
//! What was sent once is sealed and never touched again, so that each request extends the one before it
//! byte for byte.

use std::fmt::Write as _;
use std::sync::Arc;

use domain::event::TurnAnswered;
use domain::task::{TaskLine, TaskState};
use domain::transcript::{AssistantPart, Message, UserPart};

/// Bytes per token of our own estimate.
const BYTES_PER_TOKEN: u64 = 4;

/// The conversation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Conversation {
    entries: Vec<Entry>,
    /// Results of the last answer's calls, not sent yet.
    results: Vec<UserPart>,
    /// Words that follow them, not sent yet.
    said: Vec<UserPart>,
    /// What people said, verbatim: rules that outlive compaction.
    people: Vec<PersonSaid>,
    /// The last turn that was asked.
    pub(crate) asked: u32,
    /// The last turn that was answered.
    pub(crate) answered: u32,
    /// How many summaries there were.
    pub(crate) summaries: u32,
    summary: String,
    /// The estimated size of a request with all that is here.
    tokens: u64,
    system_tokens: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    /// The message belongs to this turn: it is the turn's answer, or follows it.
    turn: u32,
    message: Arc<Message>,
    tokens: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PersonSaid {
    turn: u32,
    text: String,
}

impl Conversation {
    /// The prompt is fixed; `tool_tokens` is the size of the tools that are offered with it.
    pub(crate) fn opened(&mut self, system: &str, tool_tokens: u64) {
        self.system_tokens = text_tokens(system) + tool_tokens;
        self.tokens += self.system_tokens;
    }

    /// A person's words, for the model and kept verbatim for ever.
    pub(crate) fn person_said(&mut self, text: &str) {
        self.people.push(PersonSaid { turn: self.answered, text: text.to_owned() });
        self.say(text.to_owned());
    }

    /// A person's answer: it reaches the model as a tool's result, and is kept verbatim for ever.
    pub(crate) fn person_answered(&mut self, question: &str, answer: &str) {
        let text = format!("(asked: {question})\n{answer}");
        self.people.push(PersonSaid { turn: self.answered, text });
    }

    /// Our own words to the model.
    pub(crate) fn note(&mut self, text: &str) {
        self.say(format!("[Journeyman: {text}]"));
    }

    fn say(&mut self, text: String) {
        self.tokens += text_tokens(&text);
        self.said.push(UserPart::Text { text });
    }

    pub(crate) fn results(&mut self, results: Vec<UserPart>) {
        self.tokens += results.iter().map(user_tokens).sum::<u64>();
        self.results = results;
    }

    pub(crate) fn wants_an_answer(&self) -> bool {
        self.has_unsent() || self.asked > self.answered
    }

    /// Whether there is something that no request has carried yet.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.results.is_empty() || !self.said.is_empty()
    }

    /// The number of the turn that is asked next, or asked again.
    pub(crate) const fn next_turn(&self) -> u32 {
        if self.asked > self.answered { self.asked } else { self.asked + 1 }
    }

    /// Seals what was not sent yet; says whether this is a new turn.
    pub(crate) fn ask(&mut self, turn: u32) -> bool {
        let mut parts = std::mem::take(&mut self.results);
        parts.append(&mut self.said);
        if !parts.is_empty() {
            let tokens = parts.iter().map(user_tokens).sum();
            self.push(self.answered, Message::User { parts }, tokens);
        }
        let new = turn > self.asked;
        self.asked = turn;
        new
    }

    pub(crate) fn answered(&mut self, answered: &TurnAnswered) {
        self.asked = answered.turn;
        self.answered = answered.turn;
        let estimate = answered.parts.iter().map(assistant_tokens).sum();
        let counted = answered.usage.context_tokens() + answered.usage.output_tokens;
        self.tokens = if counted > 0 { counted } else { self.tokens + estimate };
        if !answered.parts.is_empty() {
            self.push(answered.turn, Message::Assistant { parts: answered.parts.clone() }, estimate);
        }
    }

    fn push(&mut self, turn: u32, message: Message, tokens: u64) {
        self.entries.push(Entry { turn, message: Arc::new(message), tokens });
    }

    /// The messages of the next request; complete once [`Conversation::ask`] has sealed them.
    pub(crate) fn messages(&self) -> Vec<Arc<Message>> {
        self.entries.iter().map(|entry| Arc::clone(&entry.message)).collect()
    }

    /// The messages up to and including a turn.
    pub(crate) fn messages_through(&self, turn: u32) -> impl Iterator<Item = &Message> {
        self.entries.iter().filter(move |entry| entry.turn <= turn).map(|entry| entry.message.as_ref())
    }

    /// The newest summary; empty where there is none.
    pub(crate) fn last_summary(&self) -> &str {
        &self.summary
    }

    /// The estimated size of a request with everything that is here.
    pub(crate) const fn tokens(&self) -> u64 {
        self.tokens
    }

    /// The turn up to which a summary shall tell, so that about `recent_tokens` of the newest messages stay.
    /// The last answered turn always stays; `None` where nothing is left to summarise.
    pub(crate) fn cursor(&self, recent_tokens: u64) -> Option<u32> {
        let size = |turn| {
            self.entries.iter().filter(|entry| entry.turn == turn).map(|entry| entry.tokens).sum::<u64>()
        };
        let mut cursor = self.answered.checked_sub(1)?;
        let mut kept = size(self.answered);
        while cursor > 0 && kept + size(cursor) <= recent_tokens {
            kept += size(cursor);
            cursor -= 1;
        }
        self.entries.iter().any(|entry| entry.turn >= 1 && entry.turn <= cursor).then_some(cursor)
    }

    /// Replaces everything up to and including `cursor` by what people said, the summary and the tasks.
    pub(crate) fn compact(&mut self, summary: &str, cursor: u32, tasks: &[TaskLine]) {
        self.summaries += 1;
        summary.clone_into(&mut self.summary);
        let text = self.retell(summary, cursor, tasks);
        let parts = vec![UserPart::Text { text }];
        let tokens = parts.iter().map(user_tokens).sum();
        let head = Entry { turn: 0, message: Arc::new(Message::User { parts }), tokens };
        let recent = self.entries.drain(..).filter(|entry| entry.turn > cursor);
        self.entries = std::iter::once(head).chain(recent).collect();
        let unsent = self.results.iter().chain(&self.said).map(user_tokens).sum::<u64>();
        let sealed = self.entries.iter().map(|entry| entry.tokens).sum::<u64>();
        self.tokens = self.system_tokens + sealed + unsent;
    }

    fn retell(&self, summary: &str, cursor: u32, tasks: &[TaskLine]) -> String {
        let mut said = self.people.iter().filter(|said| said.turn <= cursor).map(|said| said.text.as_str());
        let mut text = said.next().unwrap_or_default().to_owned();
        for later in said {
            let _ = write!(text, "\n\n[said later, and still to be followed]\n{later}");
        }
        let _ = write!(
            text,
            "\n\n[summary of the work so far; the turns themselves are no longer shown]\n{summary}"
        );
        if !tasks.is_empty() {
            text.push_str("\n\n[the task list as it stands]\n");
            text.push_str(&task_list(tasks));
        }
        text
    }
}

/// The task list as the model reads it.
pub(crate) fn task_list(tasks: &[TaskLine]) -> String {
    let mut text = String::new();
    for task in tasks {
        let mark = match task.state {
            TaskState::Open => ' ',
            TaskState::Active => '>',
            TaskState::Done => 'x',
        };
        let _ = writeln!(text, "[{mark}] {}", task.title);
    }
    text
}

/// Our estimate of a text's size.
pub(crate) fn text_tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(BYTES_PER_TOKEN)
}

pub(super) fn user_tokens(part: &UserPart) -> u64 {
    match part {
        UserPart::Text { text } => text_tokens(text),
        UserPart::Image { .. } => 1_500,
        UserPart::ToolResult { output, .. } => text_tokens(output) + 16,
    }
}

fn assistant_tokens(part: &AssistantPart) -> u64 {
    match part {
        AssistantPart::Text { text, .. } | AssistantPart::Thinking { text, .. } => text_tokens(text),
        AssistantPart::ToolCall(call) => text_tokens(&call.arguments.to_string()) + 16,
    }
}
