//! The limit: the same shell calls over one long-lived bash, in a loop that keeps nothing, proves
//! nothing and isolates nothing.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::http::Connection;

/// Ends the output of each command; the shell prints it with the exit code.
const END: &str = "end-of-output-5f1c";

/// Plays until the model ends its turn.
pub(crate) fn run(port: &str, prompt: &str) -> Result<(), String> {
    let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
    play(port, prompt).map_err(|error| format!("bare loop: {error}"))
}

fn play(port: u16, prompt: &str) -> std::io::Result<()> {
    let mut connection = Connection::open(port)?;
    let mut shell: Option<Shell> = None;
    let mut messages = vec![json!({"role": "user", "content": prompt})];
    let tools = json!([{"type": "function", "function": {"name": "bash", "parameters": {"type": "object",
        "properties": {"command": {"type": "string"}}, "required": ["command"]}}}]);
    loop {
        let body = json!({"model": "bench-model", "stream": true, "tools": tools, "messages": messages});
        let answer = connection.post("/v1/chat/completions", &body.to_string())?;
        let Some(call) = call_in(&answer) else { return Ok(()) };
        let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap_or("{}"))?;
        let shell = match &mut shell {
            Some(shell) => shell,
            none => none.insert(Shell::start()?),
        };
        let output = shell.run(arguments["command"].as_str().unwrap_or_default())?;
        messages.push(json!({"role": "assistant", "content": "", "tool_calls": [call]}));
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": output}));
    }
}

fn call_in(answer: &str) -> Option<Value> {
    answer.lines().filter_map(|line| line.strip_prefix("data: ")).find_map(|text| {
        let event: Value = serde_json::from_str(text).ok()?;
        let call = &event["choices"][0]["delta"]["tool_calls"][0];
        let kept = json!({"id": call["id"], "type": "function", "function": call["function"]});
        call.is_object().then_some(kept)
    })
}

struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shell {
    fn start() -> std::io::Result<Self> {
        let mut child = Command::new("bash").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let missing = || std::io::Error::other("the shell has no pipes");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        Ok(Self { child, input, output })
    }

    fn run(&mut self, command: &str) -> std::io::Result<String> {
        let script = format!("{{ {command}\n}} 2>&1\nprintf '\\n{END} %d\\n' $?\n");
        self.input.write_all(script.as_bytes())?;
        let mut all = String::new();
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line.starts_with(END) {
                return Ok(all);
            }
            all.push_str(&line);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
