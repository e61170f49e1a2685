//! Acting: the calls of one answer, in their order; those that only read run side by side.

use std::time::Duration;

use domain::QuestionId;
use domain::event::{RunEvent, ToolEnded, ToolOutcome};
use domain::question::{Answer, Question, QuestionKind};
use domain::transcript::{StopReason, ToolCall};
use futures_util::future::join_all;
use sandbox::Sandbox;

use crate::guard::{self, Verdict};
use crate::history::OpenCall;
use crate::label::label;
use crate::outcome::{Halt, Outcome};
use crate::output;
use crate::policy::{Decision, call_hash};
use crate::port::JournalError;
use crate::redact;
use crate::run_loop::Loop;
use crate::tools::{AskUser, Hands, Ran, ReadTool, Tool, Trouble, WriteTool};

impl Loop {
    /// Runs the first calls that have not ended: one, or several that only read.
    pub(crate) async fn act(&mut self) -> Result<(), Halt> {
        self.look().await?;
        let Some(call) = self.next_call(0) else { return Ok(()) };
        guard::before_tool(&self.history, &self.parts.settings.limits)?;
        guard::before_call(&self.history, self.parts.settings.guards, &call)?;
        let tool = match Tool::parse(&call) {
            Ok(tool) => tool,
            Err(text) => {
                let text = text + self.why_cut();
                return self.end_unrun(&call, ToolOutcome::Failed, &text, "bad call").await;
            }
        };
        if !self.permitted(&call, &tool).await? {
            return Ok(());
        }
        match tool {
            Tool::Read(tool) => self.read_together(call, tool).await,
            Tool::Write(tool) => self.write(call, &tool).await,
            Tool::AskUser(ask) => self.ask_user(call, ask).await,
            Tool::UpdateTasks(update) => {
                let summary = update.summary();
                let event = RunEvent::TasksUpdated { tasks: update.tasks.clone() };
                self.say(call, &Tool::UpdateTasks(update), event, summary).await
            }
            Tool::Narrate(narrate) => {
                let event = RunEvent::Narration { text: redact::narration(&narrate.text) };
                self.say(call, &Tool::Narrate(narrate), event, String::new()).await
            }
        }
    }

    /// What else may be wrong with a call that cannot be read.
    fn why_cut(&self) -> &'static str {
        match self.history.last_stop {
            StopReason::MaxTokens => {
                " Your answer reached the output limit and was cut there: write long files in several edits."
            }
            StopReason::EndTurn | StopReason::ToolUse | StopReason::Refusal => "",
        }
    }

    /// The nth call that has not ended.
    fn next_call(&self, nth: usize) -> Option<ToolCall> {
        let open = self.history.calls.iter().filter(|open| open.result.is_none()).nth(nth);
        open.map(|open| open.call.clone())
    }

    /// Whether the call may run. Where it may not, it has been ended; where a person must be asked, this
    /// waits for the answer. An approval counts for this very call and only once.
    async fn permitted(&mut self, call: &ToolCall, tool: &Tool) -> Result<bool, Halt> {
        let policy = &self.parts.settings.policy;
        match policy.decide(&call.tool, &tool.target()) {
            Decision::Allow => return Ok(true),
            Decision::Deny => {
                let text = "refused: a rule of this project does not allow this call; find another way";
                self.end_unrun(call, ToolOutcome::Refused, text, "not allowed").await?;
                return Ok(false);
            }
            // What only reaches people needs nobody's leave.
            Decision::Ask if tool.talks() => return Ok(true),
            Decision::Ask => {}
        }
        let hash = call_hash(call);
        if policy.grants.contains(&hash) || self.history.grants.contains(&hash) {
            return Ok(true);
        }
        let asked = self.history.open_call(&call.id).is_some_and(|open| open.question.is_some());
        if !asked {
            self.ask_for_approval(call, tool, hash.clone());
        }
        self.wait_for_answer().await?;
        let open = self.history.open_call(&call.id);
        let bound = open.as_ref().and_then(|open| open.question.as_ref()?.arguments_hash.clone());
        let why = match open.and_then(|open| open.answer.clone()) {
            Some(Answer::Allow { .. }) if bound.as_ref() == Some(&hash) => return Ok(true),
            Some(Answer::Refuse { reason } | Answer::Text { text: reason }) => reason,
            Some(Answer::Allow { .. }) | None => "the approval was for another call".to_owned(),
        };
        self.end_unrun(call, ToolOutcome::Refused, &format!("refused: {why}"), "refused").await?;
        Ok(false)
    }

    fn ask_for_approval(&mut self, call: &ToolCall, tool: &Tool, hash: String) {
        let question = Question {
            id: QuestionId::from_uuid(self.parts.ambient.uuid()),
            kind: QuestionKind::Approval,
            text: format!("May the agent {}?", tool.wish()),
            detail: Some(tool.target()),
            options: Vec::new(),
            call_id: Some(call.id.clone()),
            arguments_hash: Some(hash),
        };
        self.note(RunEvent::QuestionAsked(question));
    }

    /// Runs a call that only reads, together with those that follow it and only read as well.
    async fn read_together(&mut self, first: ToolCall, tool: ReadTool) -> Result<(), Halt> {
        let mut batch = vec![(first, tool)];
        let most = self.parts.settings.limits.max_tool_calls - self.history.totals.goal_tool_calls;
        while batch.len() < most as usize {
            let Some((call, tool)) = self.next_call(batch.len()).and_then(|call| self.also_reads(call))
            else {
                break;
            };
            if batch.iter().any(|(_, other)| *other == tool) {
                break;
            }
            batch.push((call, tool));
        }
        for (call, tool) in &batch {
            self.start(call, &Tool::Read(tool.clone()));
        }
        self.commit().await?;
        let began = self.parts.ambient.clock.elapsed();
        let ran = {
            let all = async {
                let sandbox = &*self.parts.place.sandbox().await;
                join_all(batch.iter().map(|(call, tool)| async {
                    let hands = self.hands(call, sandbox, began);
                    let ran = tool.run(&hands).await;
                    self.ended(&hands, ran, batch.len()).await
                }))
                .await
            };
            tokio::select! {
                biased;
                ran = all => Ok(ran),
                halt = self.called_off() => Err(halt),
            }
        };
        match ran {
            Ok(all) => {
                let mut trouble = None;
                for ((call, _), ended) in batch.iter().zip(all) {
                    let (ended, found) = ended?;
                    trouble = trouble.or(found);
                    self.end(call, ended)?;
                }
                self.after_tools(trouble).await
            }
            Err(halt) => {
                Err(self.interrupted(batch.into_iter().map(|(call, _)| call).collect(), halt, began))
            }
        }
    }

    /// Whether a call may run beside others that only read: it is one itself and nobody has to be asked.
    fn also_reads(&self, call: ToolCall) -> Option<(ToolCall, ReadTool)> {
        let settings = &self.parts.settings;
        guard::before_call(&self.history, settings.guards, &call).ok()?;
        match Tool::parse(&call) {
            Ok(tool) if settings.policy.decide(&call.tool, &tool.target()) == Decision::Allow => match tool {
                Tool::Read(tool) => Some((call, tool)),
                Tool::Write(_) | Tool::AskUser(_) | Tool::UpdateTasks(_) | Tool::Narrate(_) => None,
            },
            Ok(_) | Err(_) => None,
        }
    }

    async fn write(&mut self, call: ToolCall, tool: &WriteTool) -> Result<(), Halt> {
        self.start(&call, &Tool::Write(tool.clone()));
        self.commit().await?;
        let began = self.parts.ambient.clock.elapsed();
        self.touched = true;
        let ran = {
            let run = async {
                let sandbox = &*self.parts.place.sandbox().await;
                let hands = self.hands(&call, sandbox, began);
                let ran = tool.run(&hands).await;
                self.ended(&hands, ran, 1).await
            };
            tokio::select! {
                biased;
                ran = run => Ok(ran),
                halt = self.called_off() => Err(halt),
            }
        };
        match ran {
            Ok(ended) => {
                let (ended, trouble) = ended?;
                self.end(&call, ended)?;
                self.after_tools(trouble).await
            }
            Err(halt) => Err(self.interrupted(vec![call], halt, began)),
        }
    }

    fn hands<'a>(&'a self, call: &'a ToolCall, sandbox: &'a dyn Sandbox, began: Duration) -> Hands<'a> {
        let time_left = guard::time_left_ms(&self.history.totals, &self.parts.settings.limits);
        Hands {
            sandbox,
            journal: self.parts.journal.as_ref(),
            ambient: &self.parts.ambient,
            call,
            began,
            time_left: Duration::from_millis(time_left),
        }
    }

    /// A question to the user: started and asked in one step, ended with the answer.
    async fn ask_user(&mut self, call: ToolCall, ask: AskUser) -> Result<(), Halt> {
        let asked = self.history.open_call(&call.id).is_some_and(|open| open.question.is_some());
        if !asked {
            self.start(&call, &Tool::AskUser(ask.clone()));
            let question = Question {
                id: QuestionId::from_uuid(self.parts.ambient.uuid()),
                kind: QuestionKind::Decision,
                text: ask.question,
                detail: ask.detail,
                options: ask.options.unwrap_or_default(),
                call_id: Some(call.id.clone()),
                arguments_hash: None,
            };
            self.note(RunEvent::QuestionAsked(question));
        }
        self.wait_for_answer().await?;
        let answer = self.history.open_call(&call.id).and_then(|open| open.answer.clone());
        let (outcome, text) = match answer {
            Some(Answer::Text { text }) => (ToolOutcome::Done, text),
            Some(Answer::Allow { .. }) => (ToolOutcome::Done, "yes".to_owned()),
            Some(Answer::Refuse { reason }) => (ToolOutcome::Refused, reason),
            None => (ToolOutcome::Interrupted, "the question was not answered".to_owned()),
        };
        let summary = label("", &text).target;
        self.end(&call, unrun(&call, outcome, text, summary))
    }

    /// A call whose whole effect is an event: started, done and ended in one step.
    async fn say(
        &mut self,
        call: ToolCall,
        tool: &Tool,
        event: RunEvent,
        summary: String,
    ) -> Result<(), Halt> {
        self.start(&call, tool);
        self.note(event);
        self.end(&call, unrun(&call, ToolOutcome::Done, "done".to_owned(), summary))?;
        self.after_tools(None).await
    }

    fn start(&mut self, call: &ToolCall, tool: &Tool) {
        let turn = self.history.conversation.answered;
        self.note(RunEvent::ToolStarted { turn, call: call.clone(), label: tool.label() });
    }

    /// Ends a call that does not run.
    async fn end_unrun(
        &mut self,
        call: &ToolCall,
        outcome: ToolOutcome,
        text: &str,
        summary: &str,
    ) -> Result<(), Halt> {
        self.end(call, unrun(call, outcome, text.to_owned(), summary.to_owned()))?;
        self.after_tools(None).await
    }

    /// What a call gave, cut to what the model may get.
    async fn ended(
        &self,
        hands: &Hands<'_>,
        ran: Ran,
        beside: usize,
    ) -> Result<(ToolEnded, Option<Trouble>), JournalError> {
        let call = hands.call;
        let limit = output::limit(&call.tool, self.parts.settings.guards, self.room(beside));
        let shown = output::show(ran.whole, limit, hands).await?;
        let ended = ToolEnded {
            call_id: call.id.clone(),
            tool: call.tool.clone(),
            outcome: ran.outcome,
            output: shown.text,
            summary: ran.summary,
            artifact: shown.artifact,
            duration_ms: self.millis_since(hands.began),
            shell_directory: ran.shell_directory,
        };
        Ok((ended, ran.trouble))
    }

    /// The tokens that one of `beside` results may take, so that those of one answer together take at most a
    /// third of the window.
    fn room(&self, beside: usize) -> u64 {
        let taken: u64 = self.history.calls.iter().filter_map(OpenCall::result_tokens).sum();
        (self.window() / 3).saturating_sub(taken) / (beside.max(1) as u64)
    }

    /// Notes the end of a call and asks the repetition guard.
    fn end(&mut self, call: &ToolCall, ended: ToolEnded) -> Result<(), Halt> {
        self.note(RunEvent::ToolEnded(ended));
        match guard::after_call(&self.history, self.parts.settings.guards, call) {
            Verdict::Fine => Ok(()),
            Verdict::Warn(reason) => {
                self.note(RunEvent::Notice(reason));
                Ok(())
            }
            Verdict::Halt(halt) => Err(halt),
        }
    }

    async fn after_tools(&mut self, trouble: Option<Trouble>) -> Result<(), Halt> {
        match trouble {
            Some(trouble) => Err(self.in_trouble(trouble)),
            None => self.glance_at_files().await,
        }
    }

    /// Calls that were under way when a person stopped the run are ended; when the process stops, the next
    /// one ends them.
    fn interrupted(&mut self, calls: Vec<ToolCall>, halt: Halt, began: Duration) -> Halt {
        if matches!(halt, Halt::Outcome(Outcome::Paused { .. } | Outcome::Cancelled { .. })) {
            for call in calls {
                let text = "interrupted: a person stopped the run while this ran; how far it came is unknown"
                    .to_owned();
                let mut ended = unrun(&call, ToolOutcome::Interrupted, text, "interrupted".to_owned());
                ended.duration_ms = self.millis_since(began);
                self.note(RunEvent::ToolEnded(ended));
            }
        }
        halt
    }
}

/// The end of a call that gave only our own words.
fn unrun(call: &ToolCall, outcome: ToolOutcome, output: String, summary: String) -> ToolEnded {
    ToolEnded {
        call_id: call.id.clone(),
        tool: call.tool.clone(),
        outcome,
        output,
        summary,
        artifact: None,
        duration_ms: 0,
        shell_directory: None,
    }
}
