//! Following a run: its events as lines or JSON, questions answered at the terminal, Ctrl-C, and the end.

mod ask;
pub(crate) mod outcome;

use std::time::Duration;

use domain::QuestionId;
use domain::event::{Attended, Envelope, RunEvent, ToolEnded, ToolOutcome};
use domain::question::{Answer, Question};
use hyper::Method;
use runs::view::RunView;
use serde_json::{Value, json};

use crate::client::stream::{Events, Item};
use crate::error::{Failure, Result};
use crate::render::status::{PLAIN_AFTER, REDRAW_AFTER, Status};
use crate::render::{self, Renderer};
use crate::session::Session;
use crate::signals::Signals;
use ask::{Asked, Keyboard};

/// A run that sleeps longer than this is not waited for.
const WAIT_FOR_SLEEP: Duration = Duration::from_secs(10 * 60);

/// The code of what goes wrong when the owner is not there any more.
pub(crate) const OWNER_GONE: &str = "server_unreachable";

/// Where the lines of a log go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinesTo {
    /// The log is what was asked for.
    Out,
    /// The log accompanies a result.
    Err,
}

/// How a run is to be followed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Begin after this event.
    pub(crate) after: i64,
    /// Where lines go.
    pub(crate) lines: LinesTo,
    /// Stay while the run waits, sleeps or is paused.
    pub(crate) stay: bool,
    /// Return at the end of what is there.
    pub(crate) only_past: bool,
    /// The first Ctrl-C pauses the run where this process works on it.
    pub(crate) pause_on_interrupt: bool,
    /// Something was just asked of the run: that it still stands where it stood is not the end.
    pub(crate) awaits_change: bool,
    /// Give the recommended answer to whatever is asked: for the demo, which has nobody to ask.
    pub(crate) answer_as_recommended: bool,
}

/// How following ended.
#[derive(Debug)]
pub(crate) struct Followed {
    /// The run as it stands.
    pub(crate) run: RunView,
    /// Calls that were refused meanwhile, and questions that policy answered.
    pub(crate) refused: Vec<Value>,
    /// Whether the person pressed Ctrl-C.
    pub(crate) interrupted: bool,
    /// The last event that was shown.
    pub(crate) seen: i64,
    /// Why there is no more to follow, where the owner has gone.
    pub(crate) lost: Option<Failure>,
}

/// Follows `run` until it ends or waits for something that nobody here can give.
///
/// # Errors
///
/// Where the server goes away.
pub(crate) async fn follow(session: &Session, run: RunView, manner: Manner) -> Result<Followed> {
    let path = format!("/v1/runs/{}", run.id);
    let follower = Follower {
        signals: Signals::listen()?,
        session,
        manner,
        path,
        events: session.client.events(run.id.stream(), manner.after),
        renderer: Renderer::new(run.number, run.created_at_ms),
        status: Status::new(run.turns, run.cost_micros),
        head: run.last_seq,
        seen: manner.after,
        halt: None,
        refused: Vec::new(),
        asked: None,
        drawn_at: Duration::ZERO,
        interrupts: 0,
        keyboard: Keyboard::default(),
        run,
    };
    follower.run_to_end().await
}

struct Follower<'s> {
    session: &'s Session,
    manner: Manner,
    path: String,
    events: Events,
    renderer: Renderer,
    status: Status,
    /// The run's last event when we came; what comes up to here is history.
    head: i64,
    /// The last event that was shown.
    seen: i64,
    /// The run stands still after this event.
    halt: Option<i64>,
    refused: Vec<Value>,
    /// The question that was asked last.
    asked: Option<Question>,
    drawn_at: Duration,
    interrupts: u32,
    signals: Signals,
    keyboard: Keyboard,
    run: RunView,
}

impl Follower<'_> {
    async fn run_to_end(mut self) -> Result<Followed> {
        let still_to_change = self.manner.awaits_change && self.head == self.manner.after;
        if self.manner.only_past || (stands_still(&self.run) && !still_to_change) {
            self.halt = Some(self.head);
        }
        loop {
            if self.halt.is_some_and(|halt| self.seen >= halt) {
                self.halt = None;
                if self.at_halt().await? {
                    return Ok(self.finish(None));
                }
            }
            let tick = self.session.context.ambient.sleep(self.tick());
            tokio::select! {
                item = self.events.next() => match item {
                    Ok(Item::Event(envelope)) => self.take(envelope).await?,
                    Ok(Item::Live(kind, data)) => self.live(&kind, data),
                    Err(failure) if failure.code == OWNER_GONE => return Ok(self.finish(Some(failure))),
                    Err(failure) => return Err(failure),
                },
                hard = self.signals.next() => {
                    self.interrupts += 1;
                    if hard || self.interrupt().await? {
                        return Ok(self.finish(None));
                    }
                }
                line = self.keyboard.line() => {
                    if self.typed(line).await? {
                        return Ok(self.finish(None));
                    }
                }
                () = tick => self.draw(),
            }
            if crate::output::nobody_reads() && !self.session.in_process() {
                return Ok(self.finish(None));
            }
        }
    }

    fn finish(self, lost: Option<Failure>) -> Followed {
        self.session.output().redraw("");
        let interrupted = self.interrupts > 0;
        Followed { run: self.run, refused: self.refused, interrupted, seen: self.seen, lost }
    }

    async fn take(&mut self, envelope: Envelope) -> Result<()> {
        self.seen = envelope.seq;
        self.show(&envelope);
        let Ok(Some(event)) = RunEvent::decode(&envelope.kind, envelope.data) else { return Ok(()) };
        self.status.take(&event);
        match &event {
            RunEvent::ToolEnded(ended) if ended.outcome == ToolOutcome::Refused => self.note_refusal(ended),
            RunEvent::QuestionAsked(question) => self.asked = Some(question.clone()),
            RunEvent::QuestionAnswered { by, .. } => {
                self.keyboard.leave();
                if by == "policy" {
                    self.note_unasked();
                }
            }
            RunEvent::State(_) if self.seen > self.head => {
                self.refresh().await?;
                if stands_still(&self.run) {
                    self.halt = Some(self.run.last_seq);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A call that did not run because a person or a policy said no.
    fn note_refusal(&mut self, ended: &ToolEnded) {
        let noted = self.refused.iter().any(|refused| refused["call"] == ended.call_id.as_str());
        if !noted {
            self.refused.push(json!({ "call": ended.call_id, "tool": ended.tool, "text": ended.summary }));
        }
    }

    /// A question that policy answered, because nobody was there.
    fn note_unasked(&mut self) {
        if let Some(question) = self.asked.take() {
            self.refused.push(json!({ "call": question.call_id, "tool": null, "text": question.text }));
        }
    }

    fn show(&mut self, envelope: &Envelope) {
        let output = *self.session.output();
        if output.json {
            output.json(&json!({
                "kind": envelope.kind, "seq": envelope.seq, "at_ms": envelope.at_ms, "data": envelope.data,
            }));
            return;
        }
        output.redraw("");
        for line in self.renderer.lines(envelope) {
            let color = if self.manner.lines == LinesTo::Out { output.color_out } else { output.color_err };
            let text = if output.plain { render::plain(&line) } else { self.renderer.pretty(&line, color) };
            match self.manner.lines {
                LinesTo::Out => output.data(&text),
                LinesTo::Err => output.say(&text),
            }
        }
        self.draw();
    }

    fn live(&self, kind: &str, data: Value) {
        self.session.output().json(&json!({ "kind": kind, "data": data }));
    }

    fn tick(&self) -> Duration {
        if self.session.output().redraw { REDRAW_AFTER } else { PLAIN_AFTER }
    }

    fn draw(&mut self) {
        let output = self.session.output();
        let ambient = &self.session.context.ambient;
        let now = ambient.clock.elapsed();
        if now.saturating_sub(self.drawn_at) < self.tick() || self.keyboard.is_asking() {
            return;
        }
        self.drawn_at = now;
        let line = self.status.line(ambient.now_ms().saturating_sub(self.run.created_at_ms));
        if output.redraw {
            output.redraw(&line);
        } else if output.plain {
            output.say(&format!("status: {}.", line.trim()));
        }
    }

    async fn refresh(&mut self) -> Result<()> {
        self.run = self.session.client.get(&self.path).await?;
        Ok(())
    }

    /// The run stands still and everything was shown: returns whether following ends here.
    async fn at_halt(&mut self) -> Result<bool> {
        if self.manner.only_past || is_over(&self.run) || self.interrupts > 0 {
            return Ok(true);
        }
        match self.run.state.as_str() {
            "waiting" => {
                let Some(question) = self.run.question.clone() else { return Ok(false) };
                if self.manner.answer_as_recommended {
                    let answer = ask::recommended(&question);
                    self.answer(question.question.id, &answer).await;
                    return Ok(false);
                }
                if self.session.output().may_ask && self.run.attended == Attended::Yes {
                    self.session.output().redraw("");
                    self.keyboard.ask(question, self.session.output());
                    return Ok(false);
                }
                Ok(!self.manner.stay)
            }
            "sleeping" => {
                let now = self.session.context.ambient.now_ms();
                let left = self.run.until_ms.unwrap_or(i64::MAX).saturating_sub(now);
                let soon = u128::try_from(left).unwrap_or(0) <= WAIT_FOR_SLEEP.as_millis();
                Ok(!soon && !self.manner.stay)
            }
            _ => Ok(!self.manner.stay),
        }
    }

    /// A line was typed. Returns whether following ends now.
    async fn typed(&mut self, line: Option<String>) -> Result<bool> {
        let output = *self.session.output();
        match self.keyboard.understand(line) {
            Asked::Nothing => {}
            Asked::Again(hint) => output.say(hint),
            Asked::Leave => return Ok(true),
            Asked::Answer(question, answer) => self.answer(question, &answer).await,
        }
        Ok(false)
    }

    async fn answer(&self, question: QuestionId, answer: &Answer) {
        let path = format!("/v1/questions/{question}/answer");
        let body = serde_json::to_value(answer).unwrap_or_default();
        if let Err(failure) = self.session.client.call(Method::POST, &path, Some(&body)).await {
            // Somebody else may have been first; the run goes on either way.
            self.session.output().fail(&failure);
        }
    }

    /// Ctrl-C. Returns whether following ends now.
    async fn interrupt(&mut self) -> Result<bool> {
        let output = *self.session.output();
        output.redraw("");
        if self.interrupts > 1 || !self.manner.pause_on_interrupt || !self.session.in_process() {
            return Ok(true);
        }
        if stands_still(&self.run) {
            return Ok(true);
        }
        output.say("pausing; Ctrl-C once more ends now");
        let body = json!({ "reason": "Ctrl-C" });
        self.run = self.session.client.post(&format!("{}/pause", self.path), &body).await?;
        if stands_still(&self.run) {
            self.halt = Some(self.run.last_seq);
        }
        Ok(false)
    }
}

/// Whether the run has ended.
pub(crate) fn is_over(run: &RunView) -> bool {
    matches!(run.state.as_str(), "succeeded" | "failed" | "cancelled" | "budget_exceeded")
}

/// Whether nothing happens until something comes from outside.
fn stands_still(run: &RunView) -> bool {
    is_over(run) || matches!(run.state.as_str(), "waiting" | "sleeping" | "paused")
}
