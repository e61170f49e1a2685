//! Moves the write-ahead log into the database file, beside the writes and not in their way.
//!
//! The log begins again from its start only when all of it was moved, and under load something is always written
//! meanwhile. So the thread moves nearly all, and the writer then moves the few pages that came since.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

/// Commits between two checkpoints. A commit of a lone step writes three to five pages, so that the log starts
/// again from its beginning while it is still within [`ROOM_BYTES`].
const COMMITS: u32 = 64;

/// What the log is made large from the start. To write over a file's bytes and sync them takes a third of the
/// time that it takes to make the file longer (measured on ext4: 0.1 against 0.3 ms).
const ROOM_BYTES: u64 = 2 << 20;

/// A log beyond this size is begun anew even if writers wait for it (a moment).
const LOG_LIMIT_BYTES: u64 = 64 << 20;

/// Between two looks when nothing is written.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Makes room in the log. The caller holds the write lock, so that nobody else writes to the file.
pub(super) fn make_room(path: &Path) -> std::io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    let mut log = std::fs::OpenOptions::new().write(true).open(log_path(path))?;
    // Whatever lies behind the last whole frame is not read: zeros are no frame.
    let end = log.seek(SeekFrom::End(0))?;
    let missing = usize::try_from(ROOM_BYTES.saturating_sub(end)).unwrap_or(0);
    log.write_all(&vec![0; missing])
}

/// The handle of the thread that runs checkpoints.
pub(super) struct Checkpoints {
    commits: u32,
    look: SyncSender<()>,
    /// Set when the thread has moved what was there when it began.
    moved: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    /// Starts the thread.
    pub(super) fn start(connection: Connection, path: &Path) -> std::io::Result<Self> {
        let (look, looks) = sync_channel(1);
        let moved = Arc::new(AtomicBool::new(false));
        let (log, done) = (log_path(path), Arc::clone(&moved));
        let run = move || run(&connection, &log, &looks, &done);
        let thread = std::thread::Builder::new().name("store-checkpoint".to_owned()).spawn(run)?;
        Ok(Self { commits: 0, look, moved, thread })
    }

    /// A commit was made.
    pub(super) fn committed(&mut self) {
        self.commits = (self.commits + 1) % COMMITS;
        if self.commits == 0 {
            // When it is full the thread will look anyway.
            let _ = self.look.try_send(());
        }
    }

    /// Moves the rest, where the thread has just moved the most of it. The writer calls it between transactions.
    pub(super) fn catch_up(&self, connection: &Connection) {
        if self.moved.swap(false, Ordering::Acquire) {
            checkpoint(connection, "pragma wal_checkpoint(passive)");
        }
    }

    /// Moves all of the log into the file and ends the thread.
    pub(super) fn stop(self) {
        drop(self.look);
        if self.thread.join().is_err() {
            tracing::error!("the thread that runs checkpoints panicked");
        }
    }
}

fn log_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

fn run(connection: &Connection, log: &Path, looks: &Receiver<()>, moved: &AtomicBool) {
    while !matches!(looks.recv_timeout(LOOK_AGAIN), Err(RecvTimeoutError::Disconnected)) {
        let size = std::fs::metadata(log).map_or(0, |found| found.len());
        if size > LOG_LIMIT_BYTES {
            checkpoint(connection, "pragma wal_checkpoint(restart)");
        } else {
            checkpoint(connection, "pragma wal_checkpoint(passive)");
        }
        moved.store(true, Ordering::Release);
    }
    checkpoint(connection, "pragma wal_checkpoint(truncate)");
}

fn checkpoint(connection: &Connection, statement: &'static str) {
    if let Err(error) = connection.query_row(statement, [], |_| Ok(())) {
        tracing::warn!(error = %error, "the log was not moved into the database file");
    }
}
