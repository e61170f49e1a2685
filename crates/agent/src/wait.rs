//! People's wishes: looked at before every step, and while something is under way.

use std::convert::Infallible;
use std::time::Duration;

use domain::event::{Attended, RunEvent};
use domain::question::{Answer, Question, QuestionKind};
use domain::run::{Reason, RunChange, RunState, WaitingOn};

use crate::outcome::{Halt, Outcome};
use crate::port::{Command, Wish};
use crate::run_loop::Loop;

/// While something is under way we look for wishes at least this often, should a wake-up get lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Told to the agent where nobody can be asked.
const NOBODY: &str = "nobody is there to ask; go on with your best judgement, and without what was refused";

impl Loop {
    /// Looks for wishes and for the process's stop, between two steps.
    pub(crate) async fn look(&mut self) -> Result<(), Halt> {
        if self.stop.is_cancelled() {
            return Err(Outcome::Stopped.into());
        }
        let commands = self.parts.journal.commands().await?;
        if commands.is_empty() {
            return Ok(());
        }
        let fresh: Vec<Command> =
            commands.into_iter().filter(|command| !self.taken.contains(&command.number)).collect();
        if let Some(cancelled) = cancelled(&fresh) {
            return Err(cancelled.into());
        }
        for command in fresh {
            self.take(command)?;
        }
        Ok(())
    }

    fn take(&mut self, command: Command) -> Result<(), Halt> {
        let Command { number, by, wish } = command;
        match wish {
            Wish::Say { text } => self.note(RunEvent::MessageSaid { text, by }),
            Wish::Answer { question, answer } => {
                if self.history.open_question().is_some_and(|open| open.id == question) {
                    self.note(RunEvent::QuestionAnswered { question, answer, by });
                    self.change_state(RunChange::Answered);
                } else {
                    let text = format!(
                        "An answer of {by} came when the question was no longer open; it had no effect."
                    );
                    self.note(RunEvent::Notice(Reason::new("answer_too_late", text)));
                }
            }
            Wish::Pause => return Err(paused(&by, vec![number]).into()),
            Wish::Cancel { .. } => {}
        }
        self.taken.push(number);
        Ok(())
    }

    /// Waits until the open question is answered; does not ask again. Where nobody can be asked, policy
    /// answers at once.
    pub(crate) async fn wait_for_answer(&mut self) -> Result<(), Halt> {
        if self.parts.settings.attended == Attended::No {
            self.answer_by_policy();
        } else if let (Some(question), RunState::Running) =
            (self.history.open_question(), self.history.state())
        {
            let change = RunChange::Asked { question: question.id, on: waiting_on(question) };
            self.change_state(change);
        }
        while self.history.open_question().is_some() {
            self.commit().await?;
            self.look().await?;
            if !self.taken.is_empty() {
                continue;
            }
            tokio::select! {
                () = self.parts.journal.command_came() => {}
                () = self.parts.ambient.sleep(LOOK_EVERY) => {}
                () = self.stop.cancelled() => return Err(Outcome::Stopped.into()),
            }
        }
        Ok(())
    }

    /// Answers the open question, if there is one, as policy does where nobody can be asked.
    fn answer_by_policy(&mut self) {
        let Some(question) = self.history.open_question().cloned() else { return };
        let answer = match (question.kind, question.options.first()) {
            (QuestionKind::Approval, _) => Answer::Refuse { reason: NOBODY.to_owned() },
            (QuestionKind::Decision, None) => Answer::Text { text: format!("{NOBODY}.") },
            (QuestionKind::Decision, Some(first)) => {
                Answer::Text { text: format!("{NOBODY}. The option that you recommended was: {first}") }
            }
        };
        let text = format!("Nobody was there to be asked, so policy decided: {}", question.text);
        self.note(RunEvent::QuestionAnswered { question: question.id, answer, by: "policy".to_owned() });
        if matches!(self.history.state(), RunState::Waiting { .. }) {
            self.change_state(RunChange::Answered);
        }
        self.note(RunEvent::Notice(Reason::new("nobody_to_ask", text)));
    }

    fn change_state(&mut self, change: RunChange) {
        match self.history.state().clone().apply(change) {
            Ok(state) => self.note(RunEvent::State(state)),
            Err(error) => tracing::error!(error = %error, "the run's state did not follow its question"),
        }
    }

    /// Comes back when the process stops or a person wants the run paused or ended; never otherwise.
    pub(crate) async fn called_off(&self) -> Halt {
        match self.watch().await {
            Ok(never) => match never {},
            Err(halt) => halt,
        }
    }

    async fn watch(&self) -> Result<Infallible, Halt> {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return Err(Outcome::Stopped.into()),
                () = self.parts.journal.command_came() => {}
                () = self.parts.ambient.sleep(LOOK_EVERY) => {}
            }
            let commands = self.parts.journal.commands().await?;
            if let Some(cancelled) = cancelled(&commands) {
                return Err(cancelled.into());
            }
            if let Some(pause) = commands.into_iter().find(|command| command.wish == Wish::Pause) {
                return Err(paused(&pause.by, vec![pause.number]).into());
            }
        }
    }
}

const fn waiting_on(question: &Question) -> WaitingOn {
    match question.kind {
        QuestionKind::Approval => WaitingOn::Approval,
        QuestionKind::Decision => WaitingOn::Decision,
    }
}

fn paused(by: &str, commands: Vec<i64>) -> Outcome {
    let reason = Reason::new("paused", format!("Paused by {by}.")).with_fix("Resume the run to go on.");
    Outcome::Paused { reason, commands }
}

/// A wish to end the run outweighs all others that wait.
fn cancelled(commands: &[Command]) -> Option<Outcome> {
    let (by, why) = commands.iter().find_map(|command| match &command.wish {
        Wish::Cancel { reason } => Some((&command.by, reason)),
        Wish::Say { .. } | Wish::Answer { .. } | Wish::Pause => None,
    })?;
    let why = if why.trim().is_empty() { String::new() } else { format!(": {}", why.trim()) };
    let reason = Reason::new("stopped_by_person", format!("Stopped by {by}{why}."));
    Some(Outcome::Cancelled { reason, commands: commands.iter().map(|command| command.number).collect() })
}
