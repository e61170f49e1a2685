//! Ctrl-C and the polite request to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Failure, Result};

/// Listens for signals from its making on, so that none is lost between two looks.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over; they no longer end the process by themselves.
    ///
    /// # Errors
    ///
    /// Where the system does not let us.
    pub(crate) fn listen() -> Result<Self> {
        let open = |kind| signal(kind).map_err(|error| Failure::internal("listen for signals", &error));
        Ok(Self { interrupt: open(SignalKind::interrupt())?, terminate: open(SignalKind::terminate())? })
    }

    /// Waits for the next one. Returns whether it asks for the end without delay: not Ctrl-C.
    pub(crate) async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => false,
            _ = self.terminate.recv() => true,
        }
    }
}
