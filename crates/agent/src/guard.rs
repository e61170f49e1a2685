//! The guards around the loop: ceilings, repetition, answers that lead nowhere. Every stop has a stable
//! code, a sentence and what to do about it.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use domain::Micros;
use domain::event::{ToolEnded, ToolOutcome};
use domain::limits::{GuardProfile, RunLimits};
use domain::run::Reason;
use domain::transcript::{ToolCall, Usage};
use models::ModelInfo;

use crate::history::{History, Totals};
use crate::outcome::Halt;
use crate::policy::call_hash;

/// The window of the strict profile, in calls.
const STRICT_WINDOW: usize = 10;
/// The same call this often in the window halts a strict run.
const STRICT_LIMIT: usize = 3;
/// The window of the standard profile, in calls.
const STANDARD_WINDOW: usize = 20;
/// The same call with the same result this often: the model is told.
const STANDARD_WARNING: usize = 3;
/// The same call with the same result this often: the run halts.
const STANDARD_LIMIT: usize = 5;
/// The code of the failure that compaction may cure.
pub(crate) const CONTEXT_OVERFLOW: &str = "context_overflow";
/// The code of the notice after a sandbox was lost.
pub(crate) const SANDBOX_GONE: &str = "sandbox_gone";
/// The code of the notice before a standard run halts; see [`crate::context::told_after`].
pub(crate) const REPETITION_WARNING: &str = "repetition_warning";
/// Empty answers are nudged this often.
pub(crate) const NUDGES: u32 = 2;
/// Calls in a row that were refused or went wrong, commands not counted.
const USELESS_CALLS: u32 = 12;
/// Failed checks that the model may mend.
const CHECKS_TO_MEND: u32 = 3;
/// Sandboxes that a run may lose.
const LOST_SANDBOXES: u32 = 5;

/// The last calls and whether the workspace moved between them.
///
/// The workspace's generation is a counter: it moves with every command, because a command may change
/// anything, and with every write or edit that succeeded, unless the same call with the same result stands
/// in the window already. So `test; edit; test` with the same failure is work, and `test; test; test` is
/// not; nor is undoing and redoing one edit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Repetition {
    seen: VecDeque<Seen>,
    generation: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    call: u64,
    result: u64,
    generation: u64,
}

impl Repetition {
    pub(crate) fn saw(&mut self, call: &ToolCall, ended: &ToolEnded) {
        let hash = call_number(call);
        let result = number(&ended.output);
        let repeated = self.seen.iter().any(|seen| seen.call == hash && seen.result == result);
        let may_change = match call.tool.as_str() {
            "write_file" | "edit_file" => ended.outcome == ToolOutcome::Done,
            "bash" => true,
            _ => false,
        };
        if may_change && !repeated {
            self.generation += 1;
        }
        self.seen.push_back(Seen { call: hash, result, generation: self.generation });
        if self.seen.len() > STANDARD_WINDOW {
            self.seen.pop_front();
        }
    }

    /// How often `call` would stand in the strict window if it ran now.
    fn strict_count(&self, call: &ToolCall) -> usize {
        let hash = call_number(call);
        1 + self.seen.iter().rev().take(STRICT_WINDOW - 1).filter(|seen| seen.call == hash).count()
    }

    /// How often the newest call stands in the window with the same result and an unchanged workspace.
    fn standard_count(&self) -> usize {
        self.seen.back().map_or(0, |last| self.seen.iter().filter(|seen| *seen == last).count())
    }
}

/// What the repetition guard says of the newest call.
pub(crate) enum Verdict {
    Fine,
    Warn(Reason),
    Halt(Halt),
}

/// Whether a strict run may make this call. To be asked before it runs.
pub(crate) fn before_call(history: &History, profile: GuardProfile, call: &ToolCall) -> Result<(), Halt> {
    match profile {
        GuardProfile::Strict if history.repetition.strict_count(call) >= STRICT_LIMIT => {
            Err(Halt::failed(repetition(call, STRICT_LIMIT)))
        }
        GuardProfile::Strict | GuardProfile::Standard => Ok(()),
    }
}

/// What a standard run makes of the call that has just ended.
pub(crate) fn after_call(history: &History, profile: GuardProfile, call: &ToolCall) -> Verdict {
    if profile == GuardProfile::Strict {
        return Verdict::Fine;
    }
    match history.repetition.standard_count() {
        STANDARD_WARNING => Verdict::Warn(Reason::new(
            REPETITION_WARNING,
            format!(
                "The agent made the same call {STANDARD_WARNING} times and nothing changed; it was told to try \
                 another way: {}.",
                signature(call)
            ),
        )),
        count if count >= STANDARD_LIMIT => Verdict::Halt(Halt::failed(repetition(call, STANDARD_LIMIT))),
        _ => Verdict::Fine,
    }
}

fn repetition(call: &ToolCall, count: usize) -> Reason {
    Reason::new(
        "repetition",
        format!("The agent made the same call {count} times and went in circles: {}.", signature(call)),
    )
    .with_fix("Continue the run with a hint that shows another way, or state the goal more precisely.")
}

/// The call in a line: tool, arguments (cut), hash.
fn signature(call: &ToolCall) -> String {
    let arguments: String = call.arguments.to_string().chars().take(160).collect();
    format!("{} {arguments} #{}", call.tool, &call_hash(call)[..12])
}

fn call_number(call: &ToolCall) -> u64 {
    number(&(call.tool.as_str(), call_hash(call)))
}

fn number(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Whether the run can be held to its limits at all.
pub(crate) fn at_start(limits: &RunLimits, model: &ModelInfo) -> Result<(), Halt> {
    let held = limits.max_cost.is_none() || limits.max_tokens.is_some() || model.price.is_some();
    if held {
        return Ok(());
    }
    let text =
        format!("The price of {} is not known, so the run cannot be held to a cost limit.", model.name);
    Err(Halt::failed(
        Reason::new("price_unknown", text)
            .with_fix("Set a token limit as well, add the model's price, or drop the cost limit."),
    ))
}

/// Whether the model may be asked once more.
pub(crate) fn before_turn(history: &History, limits: &RunLimits, model: &ModelInfo) -> Result<(), Halt> {
    let totals = &history.totals;
    if history.conversation.next_turn() > history.conversation.asked && totals.goal_turns >= limits.max_turns
    {
        let text = format!("The run made {} model calls, its limit.", totals.goal_turns);
        return Err(stop("turn_limit", text, "Continue the run, or start it with a higher turn limit."));
    }
    let least = least_cost(history, model);
    if let Some(most) = limits.max_cost.filter(|most| totals.cost >= *most || totals.cost.plus(least) > *most)
    {
        let text = format!(
            "The run has cost {}, and the next model call costs at least {least}; its limit is {most}.",
            totals.cost
        );
        return Err(stop("cost_limit", text, "Start it with a higher cost limit."));
    }
    if let Some(most) = limits.max_tokens.filter(|most| totals.usage.total() >= *most) {
        let text = format!("The run used {} tokens; its limit is {most}.", totals.usage.total());
        return Err(stop("token_limit", text, "Start it with a higher token limit."));
    }
    within_time(totals, limits)?;
    progress(history)
}

/// What the next model call costs if all of its input comes from the cache and nothing is answered.
fn least_cost(history: &History, model: &ModelInfo) -> Micros {
    let usage = Usage { cache_read_tokens: history.conversation.tokens(), ..Usage::default() };
    model.price.map_or(Micros::ZERO, |price| price.of(&usage))
}

/// Whether one more tool call may run.
pub(crate) fn before_tool(history: &History, limits: &RunLimits) -> Result<(), Halt> {
    if history.totals.goal_tool_calls >= limits.max_tool_calls {
        let text = format!("The run made {} tool calls, its limit.", history.totals.goal_tool_calls);
        return Err(stop("tool_call_limit", text, "Continue the run, or start it with a higher limit."));
    }
    within_time(&history.totals, limits)
}

fn within_time(totals: &Totals, limits: &RunLimits) -> Result<(), Halt> {
    if time_left_ms(totals, limits) == 0 { Err(out_of_time(limits)) } else { Ok(()) }
}

/// What is left of the run's own working time, in milliseconds.
pub(crate) fn time_left_ms(totals: &Totals, limits: &RunLimits) -> u64 {
    limits.max_seconds.saturating_mul(1_000).saturating_sub(totals.goal_working_ms)
}

pub(crate) fn out_of_time(limits: &RunLimits) -> Halt {
    let text = format!("The run worked for {} seconds, its limit.", limits.max_seconds);
    stop("time_limit", text, "Continue the run, or start it with a higher time limit.")
}

fn stop(code: &str, text: String, fix: &str) -> Halt {
    Halt::over_budget(Reason::new(code, text).with_fix(fix))
}

fn progress(history: &History) -> Result<(), Halt> {
    let useless = history.tries.useless_calls;
    if useless >= USELESS_CALLS {
        let reason = Reason::new("no_progress", format!("The last {useless} tool calls all went wrong."))
            .with_fix("Read the last steps, then continue the run with a hint, or try another model.");
        return Err(Halt::failed(reason));
    }
    sandboxes(history)?;
    mended(history)
}

/// Whether the run may have one more sandbox.
pub(crate) fn sandboxes(history: &History) -> Result<(), Halt> {
    let lost = history.tries.lost_sandboxes;
    if lost < LOST_SANDBOXES {
        return Ok(());
    }
    let reason = Reason::new(SANDBOX_GONE, format!("The run lost its sandbox {lost} times."))
        .with_fix("Look at the last commands: one of them may need more memory than the sandbox has.");
    Err(Halt::failed(reason))
}

/// Whether the model may mend what the check found.
pub(crate) fn mended(history: &History) -> Result<(), Halt> {
    if history.tries.failed_checks <= CHECKS_TO_MEND {
        return Ok(());
    }
    let reason = Reason::new(
        "check_failed",
        format!("The check still failed after {CHECKS_TO_MEND} tries to mend it."),
    )
    .with_fix("Read the check's output, then continue the run with a hint.");
    Err(Halt::failed(reason))
}
