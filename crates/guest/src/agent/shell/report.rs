//! What the shell's loop reports: exports, `how`, exit status and directory, each ended by a NUL.

use std::fs::File;
use std::io::{self, Read as _};

/// Why the shell reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// A command is done; the shell waits for the next.
    Done,
    /// The shell ends.
    Exit,
}

/// A report, as far as it has come.
#[derive(Default)]
pub(super) struct Report {
    bytes: Vec<u8>,
}

impl Report {
    /// Reads what is there; says how, once the report is whole. `reports` does not block.
    pub(super) fn read_from(&mut self, mut reports: &File) -> io::Result<Option<How>> {
        let mut piece = [0; 16 << 10];
        while self.fields().is_none() {
            match reports.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => self.bytes.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.fields().map(|[_, how, ..]| if how == b"done" { How::Done } else { How::Exit }))
    }

    /// The exit status.
    pub(super) fn status(&self) -> i32 {
        self.fields()
            .and_then(|[_, _, status, _]| std::str::from_utf8(status).ok()?.parse().ok())
            .unwrap_or(128 + libc::SIGKILL)
    }

    /// The directory and the script that restores the exports.
    pub(super) fn place(&self) -> Option<(&[u8], &[u8])> {
        let [exports, _, _, directory] = self.fields()?;
        Some((directory, exports))
    }

    fn fields(&self) -> Option<[&[u8]; 4]> {
        let mut fields = self.bytes.split(|byte| *byte == 0);
        let four = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
        // The fourth is whole only where a NUL follows it.
        fields.next().map(|_| four)
    }
}
