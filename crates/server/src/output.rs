//! The one place that writes to the terminal. Standard output is data; standard error is talk.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use runtime::Env;
use serde_json::Value;

use crate::cli::{ColorWhen, Global};
use crate::error::Failure;

/// How this command speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// JSON on standard output.
    pub(crate) json: bool,
    /// Labelled lines and no redrawing.
    pub(crate) plain: bool,
    /// Whether standard output may be coloured.
    pub(crate) color_out: bool,
    /// Whether standard error may be coloured.
    pub(crate) color_err: bool,
    /// Whether a line on standard error may be redrawn.
    pub(crate) redraw: bool,
    /// Whether questions may be asked.
    pub(crate) may_ask: bool,
}

impl Output {
    /// Reads flags, environment and what the streams are.
    pub(crate) fn of(global: &Global, env: &Env) -> Self {
        let plain = global.plain || env.get("JOURNEYMAN_PLAIN").is_some_and(|value| value != "0");
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let dumb = env.get("TERM") == Some("dumb");
        let color = |terminal: bool| match global.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => terminal && !plain && !dumb && env.get("NO_COLOR").is_none(),
        };
        Self {
            json: global.json,
            plain,
            color_out: color(out),
            color_err: color(err),
            redraw: err && !plain && !dumb && !global.json,
            may_ask: std::io::stdin().is_terminal() && err && !global.no_input && !global.json,
        }
    }

    /// Data for people; nothing with `--json`.
    pub(crate) fn data(&self, line: &str) {
        if !self.json {
            write_out(format!("{line}\n").as_bytes());
        }
    }

    /// Data for programs; nothing without `--json`. An object gets its `"v":1`.
    pub(crate) fn json(&self, value: &Value) {
        if self.json {
            write_out(format!("{}\n", versioned(value)).as_bytes());
        }
    }

    /// One thing, for people or for programs.
    pub(crate) fn either(&self, value: &Value, text: impl FnOnce() -> String) {
        if self.json { self.json(value) } else { self.data(&text()) }
    }

    /// Talk; nothing with `--json`.
    pub(crate) fn say(&self, line: &str) {
        if !self.json {
            write_err(&format!("{line}\n"));
        }
    }

    /// The next useful command.
    pub(crate) fn next(&self, command: &str) {
        if !self.json {
            let (dim, reset) = if self.color_err { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
            write_err(&format!("{dim}next:{reset}  {command}\n"));
        }
    }

    /// An error: an object with `--json`, else sentence, code, why and fix. Always on standard error.
    pub(crate) fn fail(&self, failure: &Failure) {
        if self.json {
            write_err(&format!("{}\n", failure.to_json()));
            return;
        }
        let (red, dim, reset) =
            if self.color_err { ("\x1b[31m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let mut text = format!("{red}error:{reset} {}  {dim}[{}]{reset}\n", failure.text, failure.code);
        for (label, words) in [("why", &failure.why), ("fix", &failure.fix)] {
            if let Some(words) = words {
                text.push_str(&format!("  {label}:  {words}\n"));
            }
        }
        write_err(&text);
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        write_out(bytes);
    }

    /// Draws over the current line of standard error.
    pub(crate) fn redraw(&self, line: &str) {
        if self.redraw {
            write_err(&format!("\r\x1b[2K{line}"));
        }
    }
}

fn versioned(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Object(fields) = &mut value {
        fields.entry("v").or_insert_with(|| 1.into());
    }
    value
}

/// Set once standard output's reader has gone: `journeyman … | head`.
static NOBODY_READS: AtomicBool = AtomicBool::new(false);

/// Whether standard output's reader has gone. Who only shows things may leave then.
pub(crate) fn nobody_reads() -> bool {
    NOBODY_READS.load(Ordering::Relaxed)
}

fn write_out(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        NOBODY_READS.store(true, Ordering::Relaxed);
    }
}

/// Talk that nobody hears is no reason to stop.
fn write_err(text: &str) {
    let mut err = std::io::stderr().lock();
    let _nobody_listens = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
