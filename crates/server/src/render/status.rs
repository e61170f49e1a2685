//! The one line that is redrawn while a run works, at most four times a second and only at a terminal.

use std::time::Duration;

use domain::Micros;
use domain::event::RunEvent;

use super::text::{clock, first_line, shorten, tokens};

/// The shortest time between two drawings.
pub(crate) const REDRAW_AFTER: Duration = Duration::from_millis(250);

/// Labelled lines tell where a run stands this often.
pub(crate) const PLAIN_AFTER: Duration = Duration::from_secs(15);

/// What the line tells.
#[derive(Debug, Default)]
pub(crate) struct Status {
    doing: String,
    turn: u32,
    cost: Option<Micros>,
    context_tokens: u64,
}

impl Status {
    /// A status that starts from what is known of the run.
    pub(crate) fn new(turns: u32, cost: Option<Micros>) -> Self {
        Self { doing: "starting".to_owned(), turn: turns, cost, context_tokens: 0 }
    }

    /// Takes an event in.
    pub(crate) fn take(&mut self, event: &RunEvent) {
        match event {
            RunEvent::TurnAsked { turn, context_tokens, .. } => {
                "thinking".clone_into(&mut self.doing);
                (self.turn, self.context_tokens) = (*turn, *context_tokens);
            }
            RunEvent::TurnAnswered(answered) => {
                self.cost = self.cost.zip(answered.cost).map(|(sum, cost)| sum.plus(cost));
            }
            RunEvent::ToolStarted { label, .. } => {
                self.doing = format!("{}: {}", label.verb.to_lowercase(), first_line(&label.target));
            }
            RunEvent::ToolEnded(_) => "thinking".clone_into(&mut self.doing),
            RunEvent::State(state) => state.word().to_lowercase().clone_into(&mut self.doing),
            _ => {}
        }
    }

    /// The line, short enough for any terminal.
    pub(crate) fn line(&self, elapsed_ms: i64) -> String {
        let cost = self.cost.map_or_else(|| "cost not known".to_owned(), |cost| cost.to_string());
        let doing = shorten(&super::clean(&self.doing), 36);
        let context = tokens(self.context_tokens);
        format!("{:>7}  {doing} · turn {} · {context} · {cost}", clock(elapsed_ms), self.turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_follows_the_run_and_stays_short() {
        let mut status = Status::new(0, Some(Micros::ZERO));
        status.take(&RunEvent::TurnAsked { turn: 3, model: "m".to_owned(), context_tokens: 14_250 });
        assert_eq!(status.line(67_000), "   1:07  thinking · turn 3 · 14.2k · $0.00");
        let call = domain::transcript::ToolCall {
            id: "c".to_owned(),
            tool: "bash".to_owned(),
            arguments: serde_json::json!({}),
            replay: None,
        };
        let label = domain::event::ToolLabel { verb: "Ran".to_owned(), target: "x".repeat(500) };
        status.take(&RunEvent::ToolStarted { turn: 3, call, label });
        assert!(status.line(67_000).chars().count() < 80);
    }
}
