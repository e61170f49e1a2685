//! Making room: when the window fills, the older turns are told by a summary. What people said, the goal
//! and the task list stay verbatim.

use std::fmt::Write as _;
use std::sync::Arc;

use domain::event::RunEvent;
use domain::run::Reason;
use domain::transcript::{AssistantPart, Cost, Message, Usage, UserPart};
use models::Request;
use runtime::CancellationToken;

use crate::guard::CONTEXT_OVERFLOW;
use crate::history::spoken;
use crate::outcome::Halt;
use crate::run_loop::Loop;

/// The part of the usable window that may fill before older turns are summarised, in percent.
const FULL_PERCENT: u64 = 80;
/// The part of the window that the newest turns keep, in percent.
const RECENT_PERCENT: u64 = 25;
/// The most that is reserved for an answer, in tokens.
const ANSWER_RESERVE: u64 = 16_000;
/// Letters of one tool result, or of one argument list, in what is summarised.
const PIECE_LETTERS: usize = 1_500;
/// Letters per turn of the summary that we write ourselves where the model cannot.
const OWN_LINE_LETTERS: usize = 160;
/// The most of such a summary, in tokens.
const OWN_TOKENS: usize = 2_000;

const SUMMARISER: &str = "\
You write the hand-over notes of a software engineer who goes on with the same work and no longer sees the \
log below. Keep, in plain lines: what was found out (files, functions, causes, commands and what they \
showed), what was decided and why, what was changed in which files, what was tried and failed, what remains \
to be done, and every rule that the user or the repository set. Be exact with names, paths and numbers. Do \
not add advice and do not call tools. At most 800 words.";

impl Loop {
    /// Compacts where the next request would come too near to the window's end, or did not fit.
    pub(crate) async fn make_room(&mut self) -> Result<(), Halt> {
        let conversation = &self.history.conversation;
        let overflowed = conversation.asked > conversation.answered
            && self.history.tries.overflowed_turn == Some(conversation.asked);
        let window = self.window();
        let usable = window.saturating_sub(ANSWER_RESERVE.min(window / 4));
        if !overflowed && conversation.tokens() <= usable * FULL_PERCENT / 100 {
            return Ok(());
        }
        // After an overflow our estimate is known to be wrong, so the window is no measure.
        let cursor = if overflowed {
            conversation.cursor(conversation.tokens() / 4).or_else(|| conversation.cursor(0))
        } else {
            conversation.cursor(window * RECENT_PERCENT / 100)
        };
        match cursor {
            Some(cursor) => self.compact(cursor).await,
            None if overflowed => Err(Halt::failed(
                Reason::new(CONTEXT_OVERFLOW, "The newest turn alone is longer than the model's window.")
                    .with_fix("Choose a model with a larger window, or split the goal."),
            )),
            None => Ok(()),
        }
    }

    /// The model's window in tokens.
    pub(crate) fn window(&self) -> u64 {
        self.parts.settings.context_window.unwrap_or(self.parts.model.info().context_tokens)
    }

    async fn compact(&mut self, cursor: u32) -> Result<(), Halt> {
        self.commit().await?;
        let (summary, usage, cost) = self.summarise(cursor).await?;
        self.note(RunEvent::ContextCompacted {
            summary_version: self.history.conversation.summaries + 1,
            summary,
            message_cursor: cursor,
            usage,
            cost,
        });
        Ok(())
    }

    async fn summarise(&self, cursor: u32) -> Result<(String, Usage, Cost), Halt> {
        let request = Request {
            system: Arc::from(SUMMARISER),
            tools: Arc::from([]),
            messages: self.log(cursor),
            // A limit would count thinking too and leave no room for the words.
            max_output_tokens: None,
            cache_key: self.history.run.map(|run| run.to_string()).unwrap_or_default(),
        };
        let cancel = CancellationToken::new();
        let asked = tokio::select! {
            biased;
            asked = self.parts.model.ask(&request, &|_| {}, cancel.clone()) => asked,
            halt = self.called_off() => {
                cancel.cancel();
                return Err(halt);
            }
        };
        match asked {
            Ok(answer) => {
                let summary = spoken(&answer.parts);
                let summary = if summary.is_empty() { self.own_summary(cursor) } else { summary };
                Ok((summary, answer.usage, answer.cost))
            }
            Err(error) => {
                tracing::warn!(error = %error, "the model gave no summary; the loop writes its own");
                Ok((self.own_summary(cursor), Usage::default(), Some(domain::Micros::ZERO)))
            }
        }
    }

    /// The turns to summarise, with calls and results as words (a request without tools may hold neither),
    /// and the wish for a summary at their end.
    fn log(&self, cursor: u32) -> Vec<Arc<Message>> {
        let mut log: Vec<Message> =
            self.history.conversation.messages_through(cursor).map(in_words).collect();
        let wish = UserPart::Text { text: "Now write the hand-over notes.".to_owned() };
        match log.last_mut() {
            Some(Message::User { parts }) => parts.push(wish),
            Some(Message::Assistant { .. }) | None => log.push(Message::User { parts: vec![wish] }),
        }
        log.into_iter().map(Arc::new).collect()
    }

    /// A summary without a model: what was called, turn by turn, and the last words.
    fn own_summary(&self, cursor: u32) -> String {
        let mut text = self.history.conversation.last_summary().to_owned();
        text.push_str(if text.is_empty() {
            "These steps were taken:\n"
        } else {
            "\nThen these steps were taken:\n"
        });
        for message in self.history.conversation.messages_through(cursor) {
            if let Message::Assistant { parts } = message {
                for part in parts {
                    if let AssistantPart::ToolCall(call) = part {
                        let arguments = start(&call.arguments.to_string(), OWN_LINE_LETTERS);
                        let _ = writeln!(text, "- {} {arguments}", call.tool);
                    }
                }
                let words = spoken(parts);
                if !words.is_empty() {
                    let _ = writeln!(text, "- said: {}", start(&words, OWN_LINE_LETTERS));
                }
            }
        }
        crate::output::cut(&text, OWN_TOKENS).unwrap_or(text)
    }
}

/// The same message as words alone, each piece cut.
fn in_words(message: &Message) -> Message {
    match message {
        Message::User { parts } => Message::User {
            parts: parts
                .iter()
                .map(|part| match part {
                    UserPart::Text { text } => UserPart::Text { text: text.clone() },
                    UserPart::Image { .. } => UserPart::Text { text: "(a picture)".to_owned() },
                    UserPart::ToolResult { tool, output, .. } => {
                        UserPart::Text { text: format!("RESULT of {tool}:\n{}", piece(output)) }
                    }
                })
                .collect(),
        },
        Message::Assistant { parts } => {
            let mut text = spoken(parts);
            for part in parts {
                if let AssistantPart::ToolCall(call) = part {
                    let _ = write!(text, "\nCALL {} {}", call.tool, piece(&call.arguments.to_string()));
                }
            }
            let text = if text.trim().is_empty() { "(thinking)".to_owned() } else { text.trim().to_owned() };
            Message::Assistant { parts: vec![AssistantPart::Text { text, replay: None }] }
        }
    }
}

fn piece(text: &str) -> String {
    crate::output::cut(text, PIECE_LETTERS / 4).unwrap_or_else(|| text.to_owned())
}

fn start(text: &str, letters: usize) -> String {
    let line: String = text.chars().take(letters).map(|c| if c == '\n' { ' ' } else { c }).collect();
    if text.chars().count() > letters { line + "…" } else { line }
}
