//! Processes that go on by themselves: started, left, found again, followed by any number.

mod log;
mod process;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use super::{Agent, lock};
use crate::protocol::{Failure, Process, ProcessRef, StartProcess};
pub(super) use process::Entry;

/// How many processes that have ended are kept for those who ask later.
const ENDED_KEPT: usize = 64;

/// The most output of processes that have ended that is kept, all together.
const ENDED_BYTES: u64 = 4 << 20;

/// The processes, by their start.
#[derive(Default)]
pub(super) struct Started {
    entries: Mutex<VecDeque<Arc<Entry>>>,
}

impl Started {
    /// Starts a process.
    pub(super) fn start(&self, agent: &Agent, order: StartProcess) -> Result<Process, Failure> {
        let entry = Arc::new(process::start(agent, order)?);
        let mut entries = lock(&self.entries);
        forget(&mut entries);
        entries.push_back(Arc::clone(&entry));
        drop(entries);
        let reader = Arc::clone(&entry);
        let spawned = std::thread::Builder::new().stack_size(128 << 10).spawn(move || reader.read_output());
        if let Err(error) = spawned {
            entry.kill();
            return Err(internal("read a process's output", &error));
        }
        Ok(entry.process().clone())
    }

    /// Those that run.
    pub(super) fn running(&self) -> Vec<Process> {
        let entries = lock(&self.entries);
        entries.iter().filter(|entry| entry.runs()).map(|entry| entry.process().clone()).collect()
    }

    /// The latest that bears this id or tag, running or ended.
    pub(super) fn find(&self, wanted: &ProcessRef) -> Result<Arc<Entry>, Failure> {
        let entries = lock(&self.entries);
        let found = entries.iter().rev().find(|entry| match wanted {
            ProcessRef::Pid(pid) => entry.process().pid == *pid,
            ProcessRef::Tag(tag) => entry.process().tag.as_ref() == Some(tag),
        });
        found.cloned().ok_or_else(|| Failure::NoProcess { what: wanted.to_string() })
    }
}

/// Forgets the oldest that have ended, beyond what is kept. Who still reads one keeps it.
fn forget(entries: &mut VecDeque<Arc<Entry>>) {
    let (mut count, mut bytes) = (0, 0);
    let mut keep: Vec<bool> = entries
        .iter()
        .rev()
        .map(|entry| {
            if entry.runs() {
                return true;
            }
            count += 1;
            bytes += entry.kept_bytes();
            entry.is_followed() || (count <= ENDED_KEPT && bytes <= ENDED_BYTES)
        })
        .collect();
    entries.retain(|_| keep.pop().unwrap_or(true));
}

fn internal(doing: &str, error: &io::Error) -> Failure {
    Failure::Internal { message: format!("could not {doing}: {error}") }
}
