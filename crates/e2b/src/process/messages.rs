//! The service's messages, in protobuf's JSON form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::connect::code::Result;
use crate::connect::proto::{base64, bytes, default};
use crate::connect::{Code, ConnectError};

/// A message without fields.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Empty {}

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessConfig {
    #[serde(default, deserialize_with = "default")]
    pub(super) cmd: String,
    #[serde(default, deserialize_with = "default")]
    pub(super) args: Vec<String>,
    #[serde(default, deserialize_with = "default")]
    pub(super) envs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cwd: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ProcessInfo {
    pub(super) config: ProcessConfig,
    pub(super) pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tag: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ListResponse {
    pub(super) processes: Vec<ProcessInfo>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Pty {
    #[serde(default, deserialize_with = "default")]
    pub(super) size: Size,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
pub(super) struct Size {
    #[serde(default, deserialize_with = "default")]
    pub(super) cols: u32,
    #[serde(default, deserialize_with = "default")]
    pub(super) rows: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct StartRequest {
    #[serde(default, deserialize_with = "default")]
    pub(super) process: ProcessConfig,
    #[serde(default)]
    pub(super) pty: Option<Pty>,
    #[serde(default)]
    pub(super) tag: Option<String>,
    /// Open where absent: clients from before this field expect it.
    #[serde(default)]
    pub(super) stdin: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Selector {
    #[serde(default)]
    pub(super) pid: Option<u32>,
    #[serde(default)]
    pub(super) tag: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConnectRequest {
    #[serde(default, deserialize_with = "default")]
    pub(super) process: Selector,
}

#[derive(Debug, Deserialize)]
pub(super) struct CloseStdinRequest {
    #[serde(default, deserialize_with = "default")]
    pub(super) process: Selector,
}

#[derive(Debug, Deserialize)]
pub(super) struct UpdateRequest {
    #[serde(default, deserialize_with = "default")]
    pub(super) process: Selector,
    #[serde(default)]
    pub(super) pty: Option<Pty>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Input {
    #[serde(default, deserialize_with = "bytes")]
    stdin: Option<Vec<u8>>,
    #[serde(default, deserialize_with = "bytes")]
    pty: Option<Vec<u8>>,
}

impl Input {
    /// What is sent, to whichever end.
    pub(super) fn bytes(self) -> Result<Vec<u8>> {
        self.stdin.or(self.pty).ok_or_else(|| ConnectError::invalid("the message has no input"))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct SendInputRequest {
    #[serde(default, deserialize_with = "default")]
    pub(super) process: Selector,
    #[serde(default, deserialize_with = "default")]
    pub(super) input: Input,
}

/// One message of a stream of input: exactly one of the fields.
#[derive(Debug, Deserialize)]
pub(super) struct StreamInputRequest {
    #[serde(default)]
    pub(super) start: Option<StreamStart>,
    #[serde(default)]
    pub(super) data: Option<StreamData>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamStart {
    #[serde(default, deserialize_with = "default")]
    pub(super) process: Selector,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamData {
    #[serde(default, deserialize_with = "default")]
    pub(super) input: Input,
}

#[derive(Debug, Deserialize)]
pub(super) struct SendSignalRequest {
    #[serde(default, deserialize_with = "default")]
    pub(super) process: Selector,
    #[serde(default)]
    pub(super) signal: Signal,
}

/// A signal by name or number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Signal {
    Name(String),
    Number(i32),
}

impl Default for Signal {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Signal {
    /// The signal's number: only those that the service knows.
    pub(super) fn number(&self) -> Result<i32> {
        match self {
            Self::Number(number @ (9 | 15)) => Ok(*number),
            Self::Name(name) if name == "SIGNAL_SIGKILL" => Ok(9),
            Self::Name(name) if name == "SIGNAL_SIGTERM" => Ok(15),
            other => Err(ConnectError::new(Code::Unimplemented, format!("there is no signal {other:?}"))),
        }
    }
}

/// What a stream of output tells: `{"event": {…}}`.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub(super) event: Event,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Event {
    Start { pid: u32 },
    Data(Data),
    End(End),
    KeepAlive {},
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Data {
    Stdout(String),
    Stderr(String),
    Pty(String),
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct End {
    /// -1 after a signal, as Go has it.
    #[serde(rename = "exitCode")]
    pub(super) exit_code: i32,
    /// Whether it ended by itself.
    pub(super) exited: bool,
    /// `exit status 1`, `signal: killed`.
    pub(super) status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl Data {
    pub(super) fn stdout(bytes: &[u8]) -> Self {
        Self::Stdout(base64(bytes))
    }

    pub(super) fn stderr(bytes: &[u8]) -> Self {
        Self::Stderr(base64(bytes))
    }

    pub(super) fn pty(bytes: &[u8]) -> Self {
        Self::Pty(base64(bytes))
    }
}

impl End {
    /// How a process ended, in the words of E2B's agent.
    pub(super) fn of(exit_code: i32, signal: Option<i32>, error: Option<String>) -> Self {
        let status = match (&error, signal) {
            (Some(error), _) => error.clone(),
            (None, Some(signal)) => format!("signal: {}", signal_name(signal)),
            (None, None) => format!("exit status {exit_code}"),
        };
        let good = exit_code == 0 && signal.is_none() && error.is_none();
        Self {
            exit_code: if signal.is_some() { -1 } else { exit_code },
            exited: signal.is_none() && error.is_none(),
            error: (!good).then(|| status.clone()),
            status,
        }
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        6 => "aborted",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_is_read() -> serde_json::Result<()> {
        let start: StartRequest = serde_json::from_str(
            r#"{"process":{"cmd":"/bin/bash","args":["-l","-c","echo"],"envs":{"A":"b"},"cwd":"/tmp"},"stdin":false,"later":1}"#,
        )?;
        assert_eq!((start.process.cmd.as_str(), start.stdin), ("/bin/bash", Some(false)));
        let pty: StartRequest =
            serde_json::from_str(r#"{"process":{"cmd":"sh"},"pty":{"size":{"cols":100}}}"#)?;
        assert_eq!(pty.pty.map(|pty| (pty.size.cols, pty.size.rows)), Some((100, 0)));
        for (signal, number) in [(r#""SIGNAL_SIGKILL""#, Ok(9)), ("15", Ok(15))] {
            let request: SendSignalRequest =
                serde_json::from_str(&format!(r#"{{"process":{{"pid":3}},"signal":{signal}}}"#))?;
            assert_eq!(request.signal.number(), number);
        }
        let none: SendSignalRequest = serde_json::from_str(r#"{"process":{"pid":3}}"#)?;
        assert!(none.signal.number().is_err());
        Ok(())
    }

    #[test]
    fn events_have_the_form_that_clients_read() -> serde_json::Result<()> {
        let told = |event| serde_json::to_string(&Told { event });
        assert_eq!(told(Event::Start { pid: 7 })?, r#"{"event":{"start":{"pid":7}}}"#);
        assert_eq!(told(Event::Data(Data::stdout(b"hi\n")))?, r#"{"event":{"data":{"stdout":"aGkK"}}}"#);
        assert_eq!(told(Event::KeepAlive {})?, r#"{"event":{"keepalive":{}}}"#);
        let end = End::of(137, Some(9), None);
        let text = r#"{"event":{"end":{"exitCode":-1,"exited":false,"status":"signal: killed","error":"signal: killed"}}}"#;
        assert_eq!(told(Event::End(end))?, text);
        let good = r#"{"event":{"end":{"exitCode":0,"exited":true,"status":"exit status 0"}}}"#;
        assert_eq!(told(Event::End(End::of(0, None, None)))?, good);
        Ok(())
    }
}
