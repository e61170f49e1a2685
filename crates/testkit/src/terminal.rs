//! The program at a terminal: what a person sees and types.
#![expect(clippy::expect_used, reason = "a test without its terminal cannot go on")]
#![expect(clippy::disallowed_methods, reason = "tests give up waiting by the machine's clock")]

use std::fs::File;
use std::io::{Read, Write};
use std::process::Child;
use std::sync::mpsc;
use std::time::Instant;

use crate::program::{PATIENCE, Program};

/// A command with a terminal for all three streams.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: mpsc::Receiver<Vec<u8>>,
    seen: String,
}

impl Program {
    /// Starts a command at a terminal.
    pub fn at_terminal(&self, arguments: &[&str]) -> Terminal {
        let pair = nix::pty::openpty(None, None).expect("a terminal");
        let mut command = self.command(arguments);
        let end = || pair.slave.try_clone().expect("the terminal's end");
        command.stdin(end()).stdout(end()).stderr(end()).env("TERM", "xterm");
        let child = command.spawn().expect("start the program");
        drop((command, pair.slave));
        let mut output = File::from(pair.master.try_clone().expect("the terminal"));
        let (sender, screen) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The last end that closes makes the read fail.
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                if sender.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { child, keyboard: File::from(pair.master), screen, seen: String::new() }
    }
}

impl Terminal {
    /// Waits until `part` was shown.
    ///
    /// # Panics
    ///
    /// When it is not.
    pub fn see(&mut self, part: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.contains(part) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.screen.recv_timeout(left) else {
                panic!("{part:?} was not shown in:\n{}", self.seen);
            };
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").expect("type");
    }

    /// Waits for the end; the exit code and all that was shown.
    ///
    /// # Panics
    ///
    /// When it takes too long.
    pub fn end(mut self) -> (i32, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it did not end; it showed:\n{}", self.seen),
            }
        }
        let status = self.child.wait().expect("the end");
        (status.code().unwrap_or(-1), std::mem::take(&mut self.seen))
    }
}

/// A test that fails leaves nothing behind.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}
