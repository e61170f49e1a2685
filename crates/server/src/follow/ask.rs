//! A question, answered at the terminal.

use std::io::BufRead;

use domain::QuestionId;
use domain::question::{AllowScope, Answer, QuestionKind};
use runs::view::QuestionView;
use tokio::sync::mpsc;

use crate::output::Output;

/// Reads lines from the terminal while a question is open.
#[derive(Default)]
pub(super) struct Keyboard {
    lines: Option<mpsc::UnboundedReceiver<String>>,
    question: Option<QuestionView>,
}

/// What a typed line means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// There is no question any more.
    Nothing,
    /// The line fits not; this says what would.
    Again(&'static str),
    /// The person leaves the question open.
    Leave,
    /// An answer.
    Answer(QuestionId, Answer),
}

const APPROVAL_HINT: &str = "1 allow once   2 allow for this run   3 allow for the project   4 refuse, or type why not   (empty: leave it open)";
const DECISION_HINT: &str = "type an answer or the number of one   (empty: leave it open)";

impl Keyboard {
    /// Begins to ask.
    pub(super) fn ask(&mut self, question: QuestionView, output: &Output) {
        output.say(match question.question.kind {
            QuestionKind::Approval => APPROVAL_HINT,
            QuestionKind::Decision => DECISION_HINT,
        });
        self.question = Some(question);
        if self.lines.is_none() {
            let (sender, receiver) = mpsc::unbounded_channel();
            self.lines = Some(receiver);
            // A thread of its own: a read from a terminal cannot be cancelled, and must not hold up the end.
            std::thread::spawn(move || {
                for line in std::io::stdin().lock().lines() {
                    if line.map(|line| sender.send(line)).is_err() {
                        return;
                    }
                }
            });
        }
    }

    /// Whether a question is open here.
    pub(super) const fn is_asking(&self) -> bool {
        self.question.is_some()
    }

    /// Stops asking.
    pub(super) fn leave(&mut self) {
        self.question = None;
    }

    /// The next line; `None` at the end of input. Waits for ever while nothing is asked.
    pub(super) async fn line(&mut self) -> Option<String> {
        match (&self.question, &mut self.lines) {
            (Some(_), Some(lines)) => lines.recv().await,
            _ => std::future::pending().await,
        }
    }

    /// What a typed line means; after an answer nothing is asked any more.
    pub(super) fn understand(&mut self, line: Option<String>) -> Asked {
        let Some(question) = self.question.take() else { return Asked::Nothing };
        let asked = understand(&question, line.as_deref().map(str::trim).unwrap_or_default());
        if matches!(asked, Asked::Again(_)) {
            self.question = Some(question);
        }
        asked
    }
}

/// The recommended answer: yes, or the first that is suggested.
pub(super) fn recommended(question: &QuestionView) -> Answer {
    match question.question.kind {
        QuestionKind::Approval => Answer::Allow { scope: AllowScope::Once },
        QuestionKind::Decision => {
            let first = question.question.options.first().map_or("go on as you think best", String::as_str);
            Answer::Text { text: first.to_owned() }
        }
    }
}

fn understand(question: &QuestionView, line: &str) -> Asked {
    let id = question.question.id;
    if line.is_empty() {
        return Asked::Leave;
    }
    let answer = match question.question.kind {
        QuestionKind::Approval => match line.to_lowercase().as_str() {
            "1" | "y" | "yes" => Answer::Allow { scope: AllowScope::Once },
            "2" => Answer::Allow { scope: AllowScope::Run },
            "3" => Answer::Allow { scope: AllowScope::Project },
            "4" | "n" | "no" => Answer::Refuse { reason: "no".to_owned() },
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => return Asked::Again(APPROVAL_HINT),
            _ => Answer::Refuse { reason: line.to_owned() },
        },
        QuestionKind::Decision => match line.parse::<usize>() {
            Ok(number) if !question.question.options.is_empty() => {
                match number.checked_sub(1).and_then(|index| question.question.options.get(index)) {
                    Some(option) => Answer::Text { text: option.clone() },
                    None => return Asked::Again(DECISION_HINT),
                }
            }
            _ => Answer::Text { text: line.to_owned() },
        },
    };
    Asked::Answer(id, answer)
}

#[cfg(test)]
mod tests {
    use domain::RunId;
    use domain::question::Question;
    use runs::view::QuestionState;

    use super::*;

    fn question(kind: QuestionKind, options: &[&str]) -> QuestionView {
        QuestionView {
            question: Question {
                id: QuestionId::from_uuid(uuid::Uuid::nil()),
                kind,
                text: "May I?".to_owned(),
                detail: None,
                options: options.iter().map(|option| (*option).to_owned()).collect(),
                call_id: None,
                arguments_hash: None,
            },
            run: RunId::from_uuid(uuid::Uuid::nil()),
            state: QuestionState::Open,
            answer: None,
            by: None,
            asked_at_ms: 0,
        }
    }

    #[test]
    fn a_typed_line_is_an_answer_or_is_asked_for_again() {
        let id = QuestionId::from_uuid(uuid::Uuid::nil());
        let approval = question(QuestionKind::Approval, &[]);
        let refuse = |reason: &str| Asked::Answer(id, Answer::Refuse { reason: reason.to_owned() });
        assert_eq!(understand(&approval, "2"), Asked::Answer(id, Answer::Allow { scope: AllowScope::Run }));
        assert_eq!(understand(&approval, "not on friday"), refuse("not on friday"));
        assert_eq!(understand(&approval, "7"), Asked::Again(APPROVAL_HINT));
        assert_eq!(understand(&approval, ""), Asked::Leave);

        let text = |text: &str| Asked::Answer(id, Answer::Text { text: text.to_owned() });
        let decision = question(QuestionKind::Decision, &["left", "right"]);
        assert_eq!(understand(&decision, "2"), text("right"));
        assert_eq!(understand(&decision, "3"), Asked::Again(DECISION_HINT));
        assert_eq!(understand(&question(QuestionKind::Decision, &[]), "3"), text("3"));
    }
}
