//! `journeyman box exec`: a command's output as it comes, and its exit code as ours.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::path;
use crate::cli::sandbox::ExecArgs;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::session::Session;

/// The most that is taken from standard input.
const STDIN_MAX_BYTES: u64 = 16 << 20;

pub(super) async fn exec(session: &Session, args: ExecArgs) -> Result<Exit> {
    let mut stdin = Vec::new();
    if args.stdin {
        let read = std::io::stdin().lock().take(STDIN_MAX_BYTES + 1).read_to_end(&mut stdin);
        read.map_err(|error| Failure::new("bad_input", format!("standard input cannot be read: {error}")))?;
        if stdin.len() as u64 > STDIN_MAX_BYTES {
            return Err(Failure::new("bad_input", "standard input is larger than 16 MiB")
                .fix("copy it in first: journeyman box cp FILE SANDBOX:PATH"));
        }
    }
    let body = json!({
        "argv": args.argv, "directory": args.cwd, "env": args.env.into_iter().collect::<BTreeMap<_, _>>(),
        "stdin_base64": STANDARD.encode(stdin), "timeout_seconds": args.timeout,
    });
    let mut lines = session.client.lines(&format!("{}/exec", path(&args.sandbox)), &body).await?;
    while let Some(line) = lines.next().await? {
        session.output().json(&line);
        if let Some(end) = line.get("end") {
            return Ok(as_exit(session, end));
        }
        if let Some(error) = line.get("error") {
            let code = error["code"].as_str().unwrap_or("internal");
            let text = error["detail"].as_str().unwrap_or_default();
            return Err(Failure::new(code, text));
        }
        if !session.output().json {
            show(session, &line);
        }
    }
    Err(Failure::new("server_unreachable", "the server ended the answer before the command had ended"))
}

fn show(session: &Session, line: &Value) {
    let bytes = |text: &str, encoded: &str| match (line[text].as_str(), line[encoded].as_str()) {
        (Some(text), _) => Some(text.as_bytes().to_vec()),
        (None, Some(encoded)) => STANDARD.decode(encoded).ok(),
        (None, None) => None,
    };
    if let Some(bytes) = bytes("stdout", "stdout_base64") {
        session.output().bytes(&bytes);
    }
    if let Some(bytes) = bytes("stderr", "stderr_base64") {
        let mut err = std::io::stderr().lock();
        let _nobody_listens = err.write_all(&bytes).and_then(|()| err.flush());
    }
    if let Some(missed) = line["missed_bytes"].as_u64() {
        session.output().say(&format!("({missed} bytes of output came too fast and are not shown)"));
    }
}

fn as_exit(session: &Session, end: &Value) -> Exit {
    if end["timed_out"].as_bool() == Some(true) {
        session.output().say("its time was up");
    }
    let code = end["exit_code"].as_i64().unwrap_or(1);
    Exit::Of(u8::try_from(code.clamp(0, 255)).unwrap_or(1))
}
