//! A model on 127.0.0.1 that answers without thinking and notes when. One thread for each connection,
//! one write for each answer; the times are taken before the request is parsed and before the answer
//! is sent, so that the model's own work lies outside of what is measured.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::wire::{Act, Wire};

/// Begins the mark of a run in its prompt; digits follow.
pub(crate) const MARK: &str = "bench-run-";

/// What the model plays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Play {
    /// 0: any free port.
    pub(crate) port: u16,
    /// Shell calls of each run, one a turn.
    pub(crate) rounds: u32,
    /// No run gets its first answer before so many runs have asked.
    pub(crate) runs_to_wait_for: usize,
    /// How long it thinks on average; each turn differs by up to a half, so that runs do not march in step.
    pub(crate) think: Duration,
}

impl Play {
    /// So many rounds, answered at once.
    pub(crate) fn rounds(rounds: u32) -> Self {
        Self { port: 0, rounds, runs_to_wait_for: 0, think: Duration::ZERO }
    }

    fn think_of(&self, run: &str, round: Option<u32>) -> Duration {
        let seed =
            run.parse::<u32>().unwrap_or(0).wrapping_mul(7_919) + round.unwrap_or(0).wrapping_mul(104_729);
        self.think / 2 + self.think * (seed % 1_000) / 1_000
    }
}

/// One request of a run, not counting those that offer no shell.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The digits of the run's mark.
    pub(crate) run: String,
    /// Which shell call is the answer; `None` when the turn ends.
    pub(crate) round: Option<u32>,
    /// The first byte was here.
    pub(crate) arrived: Instant,
    /// The whole answer was about to be sent.
    pub(crate) answered: Instant,
}

#[derive(Default)]
struct Notes {
    asked: Vec<Asked>,
    begun: HashSet<String>,
}

struct Shared {
    play: Play,
    notes: Mutex<Notes>,
    changed: Condvar,
}

/// The running model. Its threads end with the program.
pub(crate) struct Model {
    port: u16,
    shared: Arc<Shared>,
}

impl Model {
    /// Listens and answers from now on.
    pub(crate) fn start(play: Play) -> Result<Self, String> {
        let listener =
            TcpListener::bind(("127.0.0.1", play.port)).map_err(|e| format!("cannot listen: {e}"))?;
        let port = listener.local_addr().map_err(|e| format!("cannot listen: {e}"))?.port();
        let shared = Arc::new(Shared { play, notes: Mutex::default(), changed: Condvar::new() });
        let for_threads = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&for_threads);
                std::thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        Ok(Self { port, shared })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Every request so far, by time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let mut asked = self.shared.lock().asked.clone();
        asked.sort_by_key(|one| one.arrived);
        asked
    }

    /// How many runs have got their last answer.
    pub(crate) fn ended(&self) -> usize {
        self.shared.lock().asked.iter().filter(|one| one.round.is_none()).count()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_the_others(&self, run: &str) {
        let mut notes = self.lock();
        notes.begun.insert(run.to_owned());
        self.changed.notify_all();
        while notes.begun.len() < self.play.runs_to_wait_for {
            notes = self.changed.wait(notes).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Head {
    path: String,
    is_get: bool,
    body_bytes: usize,
}

fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut pending = Vec::with_capacity(1 << 16);
    let mut buffer = vec![0; 1 << 16];
    loop {
        if pending.is_empty() && !fill(&mut stream, &mut buffer, &mut pending)? {
            return Ok(());
        }
        let arrived = Instant::now();
        let end_of_head = loop {
            match pending.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None if fill(&mut stream, &mut buffer, &mut pending)? => {}
                None => return Ok(()),
            }
        };
        let head = head(&String::from_utf8_lossy(&pending[..end_of_head]));
        while pending.len() < end_of_head + head.body_bytes {
            if !fill(&mut stream, &mut buffer, &mut pending)? {
                return Ok(());
            }
        }
        let request: Vec<u8> = pending.drain(..end_of_head + head.body_bytes).collect();
        let body = String::from_utf8_lossy(&request[end_of_head..]);
        let (answer, note) = answer(&head, &body, shared);
        let answered = Instant::now();
        stream.write_all(answer.as_bytes())?;
        if let Some((run, round)) = note {
            shared.lock().asked.push(Asked { run, round, arrived, answered });
        }
    }
}

fn fill(stream: &mut TcpStream, buffer: &mut [u8], pending: &mut Vec<u8>) -> std::io::Result<bool> {
    let count = stream.read(buffer)?;
    pending.extend_from_slice(&buffer[..count]);
    Ok(count > 0)
}

fn head(text: &str) -> Head {
    let mut words = text.split(' ');
    let is_get = words.next() == Some("GET");
    let path = words.next().unwrap_or_default().to_owned();
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Head { path, is_get, body_bytes: length.unwrap_or(0) }
}

fn answer(head: &Head, body: &str, shared: &Shared) -> (String, Option<(String, Option<u32>)>) {
    if head.is_get {
        return (
            plain("200 OK", "{\"object\":\"list\",\"data\":[{\"id\":\"bench-model\",\"object\":\"model\"}]}"),
            None,
        );
    }
    let Some(wire) = Wire::of(&head.path) else { return (plain("404 Not Found", "{}"), None) };
    let act = match wire.decide(body, shared.play.rounds) {
        Ok(act) => act,
        Err(error) => {
            return (plain("400 Bad Request", &format!("{{\"error\":{{\"message\":\"{error}\"}}}}")), None);
        }
    };
    let run = mark_of(body);
    let round = match act {
        Act::Call { round, .. } => Some(round),
        Act::Say("Done.") => None,
        Act::Say(_) => return (streamed(&wire.answer(&act)), None),
    };
    if round == Some(1) && shared.play.runs_to_wait_for > 1 {
        shared.wait_for_the_others(&run);
    }
    if !shared.play.think.is_zero() {
        std::thread::sleep(shared.play.think_of(&run, round));
    }
    (streamed(&wire.answer(&act)), Some((run, round)))
}

fn mark_of(body: &str) -> String {
    let after = body.split_once(MARK).map(|(_, after)| after).unwrap_or_default();
    after.chars().take_while(char::is_ascii_digit).collect()
}

fn streamed(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    )
}

fn plain(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
