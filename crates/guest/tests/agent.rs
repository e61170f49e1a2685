//! The agent at its socket: what the providers' contract cannot reach.

use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};

use guest::agent::{Agent, Waits};
use guest::protocol::{Reply, Request, Setup, kind, push_frame, push_json, read_frame};
use tempfile::TempDir;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// An agent in this process, on a folder.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let place = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        for name in ["workspace", "state"] {
            std::fs::create_dir(place(name))?;
        }
        let setup = Setup {
            workspace: place("workspace"),
            state: place("state"),
            run_as: None,
            environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        };
        let listener = UnixListener::bind(place("socket"))?;
        let agent = Agent::new(setup, Waits::ForOwn);
        std::thread::spawn(move || agent.serve(&listener));
        Ok(Self { folder })
    }

    fn ask(&self, request: &Request) -> std::io::Result<UnixStream> {
        let mut stream = UnixStream::connect(self.folder.path().join("socket"))?;
        let mut frame = Vec::new();
        push_json(&mut frame, kind::REQUEST, request)?;
        stream.write_all(&frame)?;
        Ok(stream)
    }

    fn shell(&self, command: &str) -> std::io::Result<UnixStream> {
        self.ask(&Request::Shell { command: command.to_owned(), timeout_ms: 60_000 })
    }
}

/// Reads to the reply; gives it and the number of bytes that came before.
fn finish(stream: &UnixStream) -> Result<(Reply, usize), Box<dyn std::error::Error>> {
    let mut bytes = 0;
    loop {
        match read_frame(stream)? {
            (kind::REPLY, json) => return Ok((serde_json::from_slice(&json)?, bytes)),
            (_, payload) => bytes += payload.len(),
        }
    }
}

/// The memory that this process really has, in bytes.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    pages.and_then(|text| text.split(' ').nth(1)?.parse::<usize>().ok()).unwrap_or_default() * 4096
}

#[test]
fn a_reader_that_does_not_read_makes_the_command_wait_and_takes_no_memory() -> Outcome {
    let world = World::new()?;
    let before = resident_bytes();
    let stream = world.shell("head -c 300000000 /dev/zero")?;
    let mut most = 0;
    for _ in 0..100_000 {
        most = most.max(resident_bytes());
        std::thread::yield_now();
    }
    let (reply, bytes) = finish(&stream)?;
    assert!(matches!(reply, Reply::ShellEnded { exit_code: 0, .. }), "{reply:?}");
    assert_eq!(bytes, 300_000_000);
    assert!(most < before + (32 << 20), "{before} grew to {most}");
    Ok(())
}

#[test]
fn a_command_whose_caller_left_the_queue_is_never_run() -> Outcome {
    let world = World::new()?;
    std::fs::create_dir(world.folder.path().join("workspace/d"))?;
    let first = world.shell("mkfifo go; touch begun; read x <go")?;
    while !world.folder.path().join("workspace/begun").exists() {
        std::thread::yield_now();
    }
    drop(world.shell("touch never")?);
    std::fs::write(world.folder.path().join("workspace/go"), "x\n")?;
    assert!(matches!(finish(&first)?.0, Reply::ShellEnded { exit_code: 0, .. }));
    let (reply, _) = finish(&world.shell("test ! -e never")?)?;
    assert!(matches!(reply, Reply::ShellEnded { exit_code: 0, restarted: false, .. }), "{reply:?}");
    Ok(())
}

#[test]
fn a_write_that_breaks_off_leaves_the_old_file_and_nothing_else() -> Outcome {
    let world = World::new()?;
    let workspace = world.folder.path().join("workspace");
    std::fs::write(workspace.join("file"), "old")?;
    let mut stream = world.ask(&Request::Write { path: "file".to_owned() })?;
    let mut frame = Vec::new();
    push_frame(&mut frame, kind::INPUT, b"new");
    stream.write_all(&frame)?;
    let names = || -> std::io::Result<Vec<_>> {
        std::fs::read_dir(&workspace)?.map(|entry| Ok(entry?.file_name())).collect()
    };
    while names()?.len() < 2 {
        std::thread::yield_now();
    }
    drop(stream);
    while names()?.len() > 1 {
        std::thread::yield_now();
    }
    assert_eq!(std::fs::read_to_string(workspace.join("file"))?, "old");
    Ok(())
}

#[test]
fn nonsense_is_answered_or_closed_and_harms_nothing() -> Outcome {
    let world = World::new()?;
    for bytes in
        [&b"\x05\0\0\0\x01hello"[..], b"\xff\xff\xff\xff\x01", b"\0\0\0\0\x63", b"GET / HTTP/1.1\r\n\r\n"]
    {
        let mut stream = UnixStream::connect(world.folder.path().join("socket"))?;
        stream.write_all(bytes)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        if let Ok((kind, _)) = read_frame(&stream) {
            assert_eq!(kind, self::kind::REPLY);
        }
    }
    assert_eq!(finish(&world.ask(&Request::Hello)?)?.0, Reply::Ready);
    Ok(())
}
