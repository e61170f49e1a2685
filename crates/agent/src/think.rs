//! Thinking: one model call, and what follows from its failures.

use std::sync::Mutex;
use std::time::Duration;

use domain::event::{RunEvent, TurnAnswered};
use domain::run::Reason;
use models::{Answer, Delta, ModelError, Request};
use runtime::{Backoff, CancellationToken};

use crate::collect::{LiveStream, Sort};
use crate::guard;
use crate::outcome::{Halt, Outcome};
use crate::run_loop::Loop;

/// How long the run sleeps while its model is away, after the wire's own retries.
const AWAY: Backoff =
    Backoff { first: Duration::from_secs(30), longest: Duration::from_secs(30 * 60), tries: 7 };
/// Answers that make no sense are asked for again this often.
const NONSENSE_TRIES: u32 = 3;

/// What a failed model call means for the run.
enum Failure {
    /// It cannot go on.
    Final(Reason),
    /// The model is away.
    Away { reason: Reason, at_least: Duration },
    /// The conversation is too long.
    Overflow(Reason),
    /// Asking again at once may help.
    Again(Reason),
}

impl Loop {
    pub(crate) async fn think(&mut self) -> Result<(), Halt> {
        self.look().await?;
        guard::before_turn(&self.history, &self.parts.settings.limits, self.parts.model.info())?;
        self.make_room().await?;
        let turn = self.history.conversation.next_turn();
        // A turn that was asked before the process stopped, with nothing to add, is durable as it is.
        if self.history.conversation.has_unsent() || self.history.conversation.asked < turn {
            let model = self.parts.model.info().name.clone();
            let context_tokens = self.history.conversation.tokens();
            self.note(RunEvent::TurnAsked { turn, model, context_tokens });
        }
        self.commit().await?;
        let began = self.parts.ambient.clock.elapsed();
        let (answer, retried) = self.ask_model(turn).await?;
        if let Some(cause) = retried {
            let text = format!("The model was away for a moment and was asked again: {cause}");
            self.note(RunEvent::Notice(Reason::new("model_retried", text)));
        }
        match answer {
            Ok(answer) => self.answered(turn, answer, began),
            Err(error) => self.turn_failed(turn, failure(error))?,
        }
        Ok(())
    }

    fn request(&self) -> Request {
        Request {
            system: self.history.system.clone().unwrap_or_default(),
            tools: self.offered.clone(),
            messages: self.history.conversation.messages(),
            max_output_tokens: None,
            cache_key: self.history.run.map(|run| run.to_string()).unwrap_or_default(),
        }
    }

    /// Asks, shows the answer as it comes, and hands back early when the run is called off.
    async fn ask_model(&self, turn: u32) -> Result<(Result<Answer, ModelError>, Option<String>), Halt> {
        let request = self.request();
        let cancel = CancellationToken::new();
        let live = LiveStream::new(self.parts.journal.as_ref(), &self.parts.ambient);
        let retried = Mutex::new(None);
        let deltas = |delta: Delta| match delta {
            Delta::Text(text) => live.push(&Sort::Text(turn), text.as_bytes()),
            Delta::Thinking(text) => live.push(&Sort::Thinking(turn), text.as_bytes()),
            Delta::Retry { cause, .. } => {
                if let Ok(mut last) = retried.lock() {
                    *last = Some(cause);
                }
            }
        };
        let limits = &self.parts.settings.limits;
        let time_left = Duration::from_millis(guard::time_left_ms(&self.history.totals, limits));
        let answer = tokio::select! {
            biased;
            answer = self.parts.model.ask(&request, &deltas, cancel.clone()) => answer,
            halt = self.called_off() => {
                cancel.cancel();
                return Err(halt);
            }
            () = self.parts.ambient.sleep(time_left) => {
                cancel.cancel();
                return Err(guard::out_of_time(limits));
            }
            never = live.tick() => match never {},
        };
        live.flush();
        let cause = retried.lock().ok().and_then(|mut cause| cause.take());
        Ok((answer, cause))
    }

    fn answered(&mut self, turn: u32, answer: Answer, began: Duration) {
        let Answer { parts, stop, usage, cost } = answer;
        let duration_ms = self.millis_since(began);
        self.note(RunEvent::TurnAnswered(TurnAnswered { turn, parts, stop, usage, cost, duration_ms }));
    }

    pub(crate) fn millis_since(&self, began: Duration) -> u64 {
        let elapsed = self.parts.ambient.clock.elapsed().saturating_sub(began);
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }

    fn turn_failed(&mut self, turn: u32, failure: Failure) -> Result<(), Halt> {
        let failed =
            |reason: &Reason, retry_at_ms| RunEvent::TurnFailed { turn, reason: reason.clone(), retry_at_ms };
        let now = self.parts.ambient.now_ms();
        match failure {
            Failure::Final(reason) => {
                self.note(failed(&reason, None));
                Err(Halt::failed(reason))
            }
            Failure::Overflow(reason) => {
                let again = self.history.tries.overflowed_turn == Some(turn);
                self.note(failed(&reason, (!again).then_some(now)));
                if again { Err(Halt::failed(reason)) } else { Ok(()) }
            }
            Failure::Again(reason) => {
                let tries = self.history.tries.model_failures + 1;
                let again = tries < NONSENSE_TRIES;
                self.note(failed(&reason, again.then_some(now)));
                if again { Ok(()) } else { Err(Halt::failed(reason)) }
            }
            Failure::Away { reason, at_least } => {
                let tries = self.history.tries.model_failures + 1;
                let Some(wait) = AWAY.wait_after(tries, self.parts.ambient.random.as_ref()) else {
                    self.note(failed(&reason, None));
                    return Err(Halt::failed(reason));
                };
                let wait = i64::try_from(wait.max(at_least).as_millis()).unwrap_or(i64::MAX);
                let until_ms = now.saturating_add(wait);
                self.note(failed(&reason, Some(until_ms)));
                Err(Outcome::Sleeping { until_ms, reason }.into())
            }
        }
    }
}

fn failure(error: ModelError) -> Failure {
    let text = sentence(&error.to_string());
    let reason = |code: &str, fix: &str| Reason::new(code, text.clone()).with_fix(fix);
    match error {
        ModelError::NotConfigured { fix, .. } => Failure::Final(reason("model_not_configured", &fix)),
        ModelError::Auth { provider, .. } => Failure::Final(reason(
            "model_auth",
            &format!("Check the key of {provider}, then continue the run."),
        )),
        ModelError::NoSuchModel { .. } => Failure::Final(reason(
            "no_such_model",
            "Check the model's name; `journeyman status` lists what is there.",
        )),
        ModelError::NoTools { .. } => {
            Failure::Final(reason("no_tools", "Choose a model that can call tools."))
        }
        ModelError::Refused { .. } => Failure::Final(reason(
            "model_rejected_request",
            "Read the provider's words; a different model name or endpoint may be needed.",
        )),
        ModelError::OffScript { .. } => Failure::Final(reason(
            "off_script",
            "A script plays its own story only. Choose a real model for other goals.",
        )),
        ModelError::ContextOverflow { .. } => Failure::Overflow(reason(
            guard::CONTEXT_OVERFLOW,
            "Choose a model with a larger window, or split the goal.",
        )),
        ModelError::BadAnswer { .. } | ModelError::Cancelled => Failure::Again(reason(
            "model_bad_answer",
            "Try again later, or choose another model; the server may not speak this API properly.",
        )),
        ModelError::RateLimited { retry_after_ms, .. } => Failure::Away {
            reason: reason("model_rate_limited", "It goes on by itself; a higher rate limit would help."),
            at_least: Duration::from_millis(retry_after_ms.unwrap_or(0)),
        },
        ModelError::Overloaded { .. } => Failure::Away {
            reason: reason("model_overloaded", "It goes on by itself."),
            at_least: Duration::ZERO,
        },
        ModelError::Unreachable { .. } => Failure::Away {
            reason: reason(
                "model_unreachable",
                "It goes on by itself; check the network, the proxy and the model's address.",
            ),
            at_least: Duration::ZERO,
        },
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
