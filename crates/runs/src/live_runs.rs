//! The runs that this process works on now, so that a diff can look into their sandboxes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::RunId;

use crate::workspace::RunWorkspace;

/// The working copies that are open in this process.
#[derive(Default)]
pub(crate) struct LiveRuns(Mutex<HashMap<RunId, Arc<RunWorkspace>>>);

impl LiveRuns {
    pub(crate) fn put(&self, run: RunId, workspace: Arc<RunWorkspace>) {
        self.lock().insert(run, workspace);
    }

    pub(crate) fn remove(&self, run: RunId) {
        self.lock().remove(&run);
    }

    pub(crate) fn get(&self, run: RunId) -> Option<Arc<RunWorkspace>> {
        self.lock().get(&run).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Arc<RunWorkspace>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
