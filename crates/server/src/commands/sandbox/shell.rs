//! `journeyman box shell`: this terminal becomes one in a sandbox.

use std::io::{IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

use futures_util::{SinkExt as _, StreamExt as _};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_tungstenite::tungstenite::Message;

use super::path;
use crate::cli::sandbox::ShellArgs;
use crate::client::encode;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::session::Session;

/// The terminal as it was, put back whatever happens.
struct Raw(Option<Termios>);

impl Raw {
    /// Every key goes inside from now on, where a person types.
    fn enter() -> Result<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Ok(Self(None));
        }
        let fail = |error: nix::Error| Failure::internal("use the terminal", &error);
        let before = tcgetattr(&stdin).map_err(fail)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&stdin, SetArg::TCSANOW, &raw).map_err(fail)?;
        Ok(Self(Some(before)))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _gone = tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

pub(super) async fn shell(session: &Session, args: ShellArgs) -> Result<Exit> {
    let (columns, rows) = size();
    let term = session.context.env.get("TERM").unwrap_or("xterm-256color");
    let mut address =
        format!("{}/terminal?columns={columns}&rows={rows}&term={}", path(&args.sandbox), encode(term));
    for (name, value) in [("command", &args.command), ("user", &args.user)] {
        if let Some(value) = value {
            address.push_str(&format!("&{name}={}", encode(value)));
        }
    }
    // A refusal is told as by any other route, before the terminal changes.
    session.client.get::<Value>(&path(&args.sandbox)).await?;
    let wire = session.client.socket(&address).await?;
    let raw = Raw::enter()?;
    let ended = relay(wire).await;
    drop(raw);
    ended
}

async fn relay(wire: crate::client::Wire) -> Result<Exit> {
    let lost = |error: &dyn std::error::Error| {
        Failure::new("server_unreachable", "the terminal's connection broke").why(error.to_string())
    };
    let (mut send, mut receive) = wire.split();
    let resized = signal(SignalKind::window_change());
    let mut resized = resized.map_err(|error| Failure::internal("listen for the window's size", &error))?;
    let mut stdin = tokio::io::stdin();
    let (mut typed, mut open) = (vec![0; 16 << 10], true);
    loop {
        tokio::select! {
            message = receive.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let mut out = std::io::stdout().lock();
                    let _nobody_looks = out.write_all(&bytes).and_then(|()| out.flush());
                }
                Some(Ok(Message::Text(text))) => return end_of(&text),
                Some(Ok(Message::Close(_))) | None => return Ok(Exit::Ok),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(lost(&error)),
            },
            count = stdin.read(&mut typed), if open => {
                let count = count.unwrap_or(0);
                open = count > 0;
                // What ends is told as a terminal tells it: Ctrl-D.
                let bytes = if open { typed[..count].to_vec() } else { vec![4] };
                send.send(Message::Binary(bytes.into())).await.map_err(|error| lost(&error))?;
            }
            _ = resized.recv() => {
                let (columns, rows) = size();
                let said = json!({ "resize": { "columns": columns, "rows": rows } }).to_string();
                send.send(Message::Text(said.into())).await.map_err(|error| lost(&error))?;
            }
        }
    }
}

fn end_of(text: &str) -> Result<Exit> {
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(error) = said.get("error") {
        let code = error["code"].as_str().unwrap_or("internal");
        let text = error["detail"].as_str().unwrap_or_default();
        return Err(Failure::new(code, text));
    }
    let code = said["end"]["exit_code"].as_i64().unwrap_or(0);
    Ok(Exit::Of(u8::try_from(code.clamp(0, 255)).unwrap_or(1)))
}

/// Columns and rows of this terminal; 80 by 24 where there is none.
fn size() -> (u16, u16) {
    match rustix::termios::tcgetwinsize(std::io::stdout().as_fd()) {
        Ok(size) if size.ws_col > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}
