//! A world in memory: a journal that can die, files and commands without a machine, a model with a story.

mod journal;
mod machine;
mod story;

use std::sync::Arc;

use agent::port::Place;
use agent::{History, Loop, Outcome, Parts, Settings};
use domain::event::{Attended, RunEvent, RunSpec, SandboxReady};
use domain::run::RunState;
use domain::{OrgId, ProjectId, RunId, SandboxId};
use runtime::{Ambient, CancellationToken, MockClock};
use sandbox::Sandbox;

pub(crate) use journal::MemoryJournal;
pub(crate) use machine::Machine;
pub(crate) use story::{Story, call, calls, says};

/// Everything that a loop needs, and what it leaves behind.
pub(crate) struct World {
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) machine: Arc<Machine>,
    pub(crate) story: Arc<Story>,
    pub(crate) ambient: Ambient,
    pub(crate) clock: MockClock,
    pub(crate) settings: Settings,
    pub(crate) stop: CancellationToken,
}

impl World {
    /// A run with the goal `mend the cart`, ready to be worked on.
    pub(crate) fn new(story: Story) -> Self {
        let (ambient, clock) = Ambient::mock(7);
        let journal = Arc::new(MemoryJournal::default());
        journal.push(opening(&ambient, "mend the cart"));
        Self {
            journal,
            machine: Arc::new(Machine::default()),
            story: Arc::new(story),
            ambient,
            clock,
            settings: Settings::default(),
            stop: CancellationToken::new(),
        }
    }

    /// A loop on what the journal holds now.
    pub(crate) fn start(&self) -> Loop {
        self.start_in(Arc::new(self.machine.clone() as Arc<dyn Sandbox>))
    }

    /// As [`World::start`], with a sandbox that may come later.
    pub(crate) fn start_in(&self, place: Arc<dyn Place>) -> Loop {
        let parts = Parts {
            model: self.story.clone(),
            place,
            workspace: self.machine.clone(),
            journal: self.journal.clone(),
            ambient: self.ambient.clone(),
            settings: self.settings.clone(),
        };
        Loop::new(parts, self.history())
    }

    pub(crate) fn history(&self) -> History {
        History::replay(self.journal.events().into_iter())
    }

    /// Runs to the outcome.
    pub(crate) async fn run(&self) -> Outcome {
        self.start().run(self.stop.clone()).await.expect("the journal keeps everything")
    }
}

/// The first events of a run, up to the loop's start.
pub(crate) fn opening(ambient: &Ambient, goal: &str) -> Vec<RunEvent> {
    let spec = RunSpec {
        run: RunId::from_uuid(ambient.uuid()),
        org: OrgId::from_uuid(ambient.uuid()),
        project: ProjectId::from_uuid(ambient.uuid()),
        number: 1,
        goal: goal.to_owned(),
        by: "ada".to_owned(),
        repository: "/repo".to_owned(),
        model: "test/story".to_owned(),
        scripted: true,
        check: None,
        dirty: false,
        apply: false,
        include: Vec::new(),
        limits: domain::limits::RunLimits::default(),
        guards: domain::limits::GuardProfile::default(),
        attended: Attended::Yes,
    };
    let ready = SandboxReady {
        sandbox: SandboxId::from_uuid(ambient.uuid()),
        provider: "memory".to_owned(),
        isolation: "none".to_owned(),
        base_commit: "0".repeat(40),
        base_branch: "main".to_owned(),
        branch: "journeyman/1-mend-the-cart".to_owned(),
        lost_processes: Vec::new(),
    };
    vec![
        RunEvent::Created(Box::new(spec)),
        RunEvent::State(RunState::Starting),
        RunEvent::SandboxReady(ready),
        RunEvent::State(RunState::Running),
    ]
}
