//! 50 runs at once on one server. The model answers nobody before all have asked, so that they truly
//! run side by side. A model that does not think at all keeps every core busy, and then 50 runs share
//! what one had; so the same is also taken with a model that thinks for half a second.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::figures::{Figure, median, quantile};
use crate::folder::Folder;
use crate::model::{Asked, Model, Play};
use crate::product;

use super::{Plan, rounds::own_times};

const RUNS: u32 = 50;
const ROUNDS: u32 = 30;
/// Less than any real model takes for a turn.
const THINK: Duration = Duration::from_millis(500);

/// Starts a server, gives it the runs, and watches its memory until the last has ended.
pub(super) fn measure(_: &Plan) -> Result<Vec<Figure>, String> {
    let folder = Folder::new()?;
    let at_once =
        |name, runs| play(&folder.path().join(name), &folder, Crowd { runs, think: Duration::ZERO });
    let (alone, many) = (at_once("alone", 1)?, at_once("many", RUNS)?);
    let thinking = play(&folder.path().join("thinking"), &folder, Crowd { runs: RUNS, think: THINK })?;
    let bare_alone = bare_crowd(&folder, 1)?;
    let bare_many = bare_crowd(&folder, RUNS)?;
    let limit = 60.0 + 2.0 * f64::from(RUNS);
    let against_one = |played: &Played| median(&played.own_ms) / median(&alone.own_ms);
    Ok(vec![
        Figure::new("50 runs: memory of the server at its peak (RSS)", many.rss_mib, "MiB").at_most(limit),
        Figure::new("50 runs: memory of the server at its peak (PSS)", many.pss_mib, "MiB"),
        Figure::new("1 run: memory of the server at its peak (RSS)", alone.rss_mib, "MiB"),
        Figure::new("1 run on a server: own time per round, p50", median(&alone.own_ms), "ms"),
        Figure::new("50 runs, model thinks 0.5 s: own time, p50", median(&thinking.own_ms), "ms"),
        Figure::new("50 runs, model thinks 0.5 s: own time, p95", quantile(&thinking.own_ms, 0.95), "ms"),
        Figure::new("50 runs, model thinks 0.5 s: against 1 run", against_one(&thinking), "times")
            .at_most(3.0),
        Figure::new("50 runs, model thinks 0 s: own time, p50", median(&many.own_ms), "ms"),
        Figure::new("50 runs, model thinks 0 s: own time, p95", quantile(&many.own_ms, 0.95), "ms"),
        Figure::new("50 runs, model thinks 0 s: against 1 run", against_one(&many), "times").at_most(3.0),
        Figure::new("50 runs, model thinks 0 s: rounds a second", many.rounds_per_second, "1/s"),
        Figure::new(
            "50 bare loops, model thinks 0 s: against 1",
            median(&bare_many.own_ms) / median(&bare_alone.own_ms),
            "times",
        ),
        Figure::new("50 bare loops, model thinks 0 s: rounds a second", bare_many.rounds_per_second, "1/s"),
    ])
}

/// Runs that are handed in together.
#[derive(Clone, Copy)]
struct Crowd {
    runs: u32,
    think: Duration,
}

struct Played {
    own_ms: Vec<f64>,
    rss_mib: f64,
    pss_mib: f64,
    rounds_per_second: f64,
}

/// Ends the server when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let end = Instant::now() + Duration::from_secs(15);
        while Instant::now() < end && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn play(data: &Path, folder: &Folder, Crowd { runs, think }: Crowd) -> Result<Played, String> {
    let model = Model::start(Play { runs_to_wait_for: runs as usize, think, ..Play::rounds(ROUNDS) })?;
    let log = data.with_extension("log");
    let server = start_server(data, &model, &log)?;
    for run in 0..runs {
        submit(data, &model, folder, run)?;
    }
    let (rss_mib, pss_mib) = watch(server.0.id(), &model, runs as usize)
        .map_err(|error| format!("{error}\n{}", product::tail(&log)))?;
    let (own_ms, rounds_per_second) = rounds_of(&model, runs)?;
    Ok(Played { own_ms, rss_mib, pss_mib, rounds_per_second })
}

/// Loops that keep nothing and isolate nothing, each a process of its own: what the machine itself allows.
struct BarePlayed {
    own_ms: Vec<f64>,
    rounds_per_second: f64,
}

fn bare_crowd(folder: &Folder, runs: u32) -> Result<BarePlayed, String> {
    let model = Model::start(Play { runs_to_wait_for: runs as usize, ..Play::rounds(ROUNDS) })?;
    let mut children = Vec::new();
    for run in 0..runs {
        let repository = folder.repository(&format!("bare-{runs}-{run}"))?;
        let log = repository.with_extension("log");
        children.push((product::start_bare(&repository, &model, run, &log)?, log));
    }
    for (child, log) in children {
        product::wait(child, &log)?;
    }
    let (own_ms, rounds_per_second) = rounds_of(&model, runs)?;
    Ok(BarePlayed { own_ms, rounds_per_second })
}

/// The own times of all runs, and how many rounds they made in a second together.
fn rounds_of(model: &Model, runs: u32) -> Result<(Vec<f64>, f64), String> {
    let asked = model.asked();
    let of_run = |run: u32| {
        let number = format!("{run:04}");
        asked.iter().filter(|one| one.run == number).cloned().collect::<Vec<Asked>>()
    };
    let own_ms: Vec<f64> = (0..runs).flat_map(|run| own_times(&of_run(run))).collect();
    if own_ms.len() != (runs * ROUNDS) as usize {
        return Err(format!("{} of {} rounds were seen", own_ms.len(), runs * ROUNDS));
    }
    let begin = asked.iter().map(|one| one.answered).min();
    let took =
        begin.zip(asked.last()).map_or(0.0, |(begin, last)| last.arrived.duration_since(begin).as_secs_f64());
    Ok((own_ms, f64::from(runs * ROUNDS) / took))
}

fn start_server(data: &Path, model: &Model, log: &Path) -> Result<Server, String> {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let port = port.map_err(|error| format!("no free port: {error}"))?.port();
    let mut command = product::with_model(data, model)?;
    command.args(["up", "--listen", &format!("127.0.0.1:{port}")]);
    command.stdout(Stdio::null()).stderr(product::create(log)?);
    let child = command.spawn().map_err(|error| format!("cannot start the server: {error}"))?;
    let server = Server(child);
    let end = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > end {
            return Err(format!("the server did not come up\n{}", product::tail(log)));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

/// Gives the server a run and does not wait for it.
fn submit(data: &Path, model: &Model, folder: &Folder, run: u32) -> Result<(), String> {
    let name = data.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let repository = folder.repository(&format!("{name}-{run}"))?;
    let log = repository.with_extension("log");
    let mut command = product::with_model(data, model)?;
    command.args(["do", &product::prompt(run), "--repo"]).arg(&repository);
    command.args(["--model", "openai-chat/bench-model", "--detach", "--json"]);
    command.stdout(Stdio::null()).stderr(product::create(&log)?);
    let child = command.spawn().map_err(|error| format!("cannot hand in a run: {error}"))?;
    product::wait(child, &log)
}

/// The peaks of the server's own memory (the guests and shells are other processes) in MiB.
fn watch(server: u32, model: &Model, runs: usize) -> Result<(f64, f64), String> {
    let end = Instant::now() + Duration::from_secs(180);
    let mut peak = (0f64, 0f64);
    while model.ended() < runs {
        let now = memory(server)?;
        peak = (peak.0.max(now.0), peak.1.max(now.1));
        if Instant::now() > end {
            return Err(format!("{} of {runs} runs ended", model.ended()));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let now = memory(server)?;
    Ok((peak.0.max(now.0), peak.1.max(now.1)))
}

fn memory(process: u32) -> Result<(f64, f64), String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))
        .map_err(|error| format!("the server is gone: {error}"))?;
    let mib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    };
    Ok((mib("Rss:"), mib("Pss:")))
}
