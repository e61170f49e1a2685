//! Throw-away Postgres and Redis for the tests: own folder, free port on 127.0.0.1, never as root,
//! ended and removed when the value is dropped; the kernel ends them should we be killed.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{machine, run};

/// A server that runs until this value is dropped.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    /// Where clients connect to.
    pub(crate) url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        let _ = run::command("kill").args(["-INT", &id]).status();
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Starts a Postgres that forgets everything: no fsync, no durable commits.
pub(crate) fn postgres() -> Result<Server, String> {
    let programs = machine::postgres_folder().ok_or("Postgres is not installed; run `cargo xtask setup`")?;
    let folder = own_folder("postgres")?;
    let data = folder.join("data");
    let mut initdb = as_nobody(&programs.join("initdb"));
    initdb.arg("--pgdata").arg(&data).args(["--username=postgres", "--auth=trust", "--encoding=UTF8"]);
    initdb.args(["--locale=C", "--no-sync", "--no-instructions"]).current_dir(&folder);
    run::capture(&mut initdb)?;

    let port = free_port()?;
    let mut postgres = as_nobody(&programs.join("postgres"));
    postgres.current_dir(&folder).arg("-D").arg(&data).args(["-p", &port.to_string()]);
    let settings = [
        "listen_addresses=127.0.0.1",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "max_connections=300",
        "shared_buffers=64MB",
    ];
    postgres.args(settings.iter().flat_map(|setting| ["-c", setting]));
    postgres.arg("-c").arg(format!("unix_socket_directories={}", folder.display()));
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let ready = programs.join("pg_isready");
    start(postgres, folder, url, || {
        let mut probe = run::command(&ready);
        probe.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres"]);
        probe.status().is_ok_and(|status| status.success())
    })
}

/// Starts a Redis that writes nothing to disk.
pub(crate) fn redis() -> Result<Server, String> {
    let program = run::find(&["redis-server", "valkey-server"])
        .ok_or("Redis is not installed; run `cargo xtask setup`")?;
    let folder = own_folder("redis")?;
    let port = free_port()?;
    let mut redis = as_nobody(&program);
    redis.current_dir(&folder).args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    redis.args(["--save", "", "--appendonly", "no"]).arg("--dir").arg(&folder);
    let url = format!("redis://127.0.0.1:{port}");
    start(redis, folder, url, || TcpStream::connect(("127.0.0.1", port)).is_ok())
}

/// Starts a server and waits until it is ready; its folder goes when it ends.
pub(crate) fn start(
    mut command: Command,
    folder: PathBuf,
    url: String,
    is_ready: impl Fn() -> bool,
) -> Result<Server, String> {
    let log = folder.join("log");
    let to_log = || std::fs::OpenOptions::new().create(true).append(true).open(&log);
    let (out, errors) = match (to_log(), to_log()) {
        (Ok(out), Ok(errors)) => (out, errors),
        _ => return Err(format!("cannot write {}", log.display())),
    };
    command.stdin(Stdio::null()).stdout(out).stderr(errors);
    let child = command.spawn().map_err(|error| format!("cannot start a server for the tests: {error}"))?;
    let mut server = Server { child, folder, url };
    let end = Instant::now() + Duration::from_secs(60);
    while !is_ready() {
        let ended = !matches!(server.child.try_wait(), Ok(None));
        if ended || Instant::now() > end {
            let told = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("a server for the tests did not come up ({}):\n{told}", server.url));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(server)
}

/// As `nobody` when we are root (Postgres refuses root); ended when we end.
fn as_nobody(program: &Path) -> Command {
    let Some(setpriv) = run::find(&["setpriv"]) else { return run::command(program) };
    let mut command = run::command(setpriv);
    if run::is_root() {
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
    }
    command.arg("--pdeathsig=INT").arg("--").arg(program).env("HOME", "/nonexistent");
    command
}

/// A new folder that the server's user may write; what killed predecessors left is removed.
pub(crate) fn own_folder(kind: &str) -> Result<PathBuf, String> {
    let parent = std::env::temp_dir();
    let prefix = format!("journeyman-test-{kind}-");
    for entry in std::fs::read_dir(&parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(&prefix).and_then(|owner| owner.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner.to_string()).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let folder = parent.join(format!("{prefix}{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    if run::is_root() {
        run::check(run::command("chown").arg("nobody:nogroup").arg(&folder))?;
    }
    Ok(folder)
}

/// A port that nobody listens on at the moment.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| format!("no free port: {error}"))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}
