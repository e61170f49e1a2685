//! Request bodies whose beginning is the same bytes from turn to turn.
//!
//! What was serialised for a run's last request is kept as one text; the next request only adds its new
//! messages, so that a long conversation costs a copy and not a serialisation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use domain::transcript::Message;

use super::Wire;
use crate::model::{Request, ToolSpec};

/// How many of the last messages of a person or tool are marked for the cache.
const MARKED_MESSAGES: usize = 2;

/// The serialised conversations, by run.
#[derive(Default)]
pub(super) struct Bodies(Mutex<HashMap<String, Arc<Mutex<Kept>>>>);

/// One run's serialised conversation.
#[derive(Default)]
struct Kept {
    head: Option<Head>,
    /// The messages that `text` holds, weakly: a run that has ended frees them.
    messages: Vec<Span>,
    text: String,
}

/// What stands before the messages, and what it was made of.
struct Head {
    system: Arc<str>,
    tools: Arc<[ToolSpec]>,
    max_output_tokens: Option<u32>,
    text: String,
}

struct Span {
    message: Weak<Message>,
    end: usize,
    is_user: bool,
}

impl Bodies {
    /// The body for `request`.
    pub(super) fn body(&self, wire: &dyn Wire, model: &str, request: &Request) -> Bytes {
        let kept = self.entry(&request.cache_key);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.keep_common(&request.messages);
        kept.extend(wire, &request.messages);
        kept.refresh_head(wire, model, request);
        let head = kept.head.as_ref().map_or("", |head| head.text.as_str());
        Bytes::from(kept.assemble(head, wire.cache_marker()))
    }

    fn entry(&self, key: &str) -> Arc<Mutex<Kept>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = entries.get(key) {
            return Arc::clone(kept);
        }
        // A new run is rare enough to look for those that have ended.
        entries.retain(|_, kept| {
            Arc::strong_count(kept) > 1 || kept.try_lock().is_ok_and(|kept| kept.is_alive())
        });
        Arc::clone(entries.entry(key.to_owned()).or_default())
    }
}

impl Kept {
    fn is_alive(&self) -> bool {
        self.messages.iter().any(|span| span.message.strong_count() > 0)
    }

    /// Forgets all from the first message that is not in `messages` any more.
    fn keep_common(&mut self, messages: &[Arc<Message>]) {
        let same =
            |(span, message): &(&Span, &Arc<Message>)| Weak::as_ptr(&span.message) == Arc::as_ptr(message);
        let common = self.messages.iter().zip(messages).take_while(same).count();
        self.messages.truncate(common);
        self.text.truncate(self.messages.last().map_or(0, |span| span.end));
    }

    fn extend(&mut self, wire: &dyn Wire, messages: &[Arc<Message>]) {
        for message in &messages[self.messages.len()..] {
            let before = self.text.len();
            if before > 0 {
                self.text.push(',');
            }
            let start = self.text.len();
            wire.write_message(message, &mut self.text);
            if self.text.len() == start {
                self.text.truncate(before);
            }
            let is_user = self.text.len() > before && matches!(**message, Message::User { .. });
            self.messages.push(Span { message: Arc::downgrade(message), end: self.text.len(), is_user });
        }
    }

    fn refresh_head(&mut self, wire: &dyn Wire, model: &str, request: &Request) {
        let fresh = self.head.as_ref().is_some_and(|head| {
            Arc::ptr_eq(&head.system, &request.system)
                && Arc::ptr_eq(&head.tools, &request.tools)
                && head.max_output_tokens == request.max_output_tokens
        });
        if !fresh {
            self.head = Some(Head {
                system: Arc::clone(&request.system),
                tools: Arc::clone(&request.tools),
                max_output_tokens: request.max_output_tokens,
                text: wire.head(model, request),
            });
        }
    }

    /// Head, messages with the cache's markers in the last ones, tail.
    fn assemble(&self, head: &str, marker: Option<(&'static str, usize)>) -> String {
        let mut body = String::with_capacity(head.len() + self.text.len() + 256);
        body.push_str(head);
        if !head.ends_with('[') && !self.text.is_empty() {
            body.push(',');
        }
        let mut from = 0;
        if let Some((text, before_end)) = marker {
            let users: Vec<usize> =
                self.messages.iter().rev().filter(|span| span.is_user).map(|span| span.end).collect();
            for end in users.into_iter().take(MARKED_MESSAGES).rev() {
                body.push_str(&self.text[from..end - before_end]);
                body.push_str(text);
                from = end - before_end;
            }
        }
        body.push_str(&self.text[from..]);
        body.push_str("]}");
        body
    }
}
