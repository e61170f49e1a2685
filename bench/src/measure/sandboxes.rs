//! Sandboxes: how long making one takes, a command in it, its pause, its fork and its end; many at once and many at
//! rest; beside a plain program start, and beside bwrap and runc where this machine has them.

mod beside;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::SandboxId;
use futures_util::future::try_join_all;
use sandbox::{
    Exec, NativeConfig, NativeProvider, Sandbox, SandboxError, SandboxLimits, SandboxProvider as _,
    SandboxSpec,
};

use super::Plan;
use crate::figures::{Figure, median, quantile};
use crate::folder::Folder;

/// Creates of one kind.
const ROUNDS: u32 = 50;
/// Made at once.
const AT_ONCE: u32 = 50;
/// At rest together.
const IDLE: u32 = 300;
/// Files of the tree that is forked.
const FILES: u32 = 10_000;

/// Measures everything.
pub(super) fn measure(_: &Plan) -> Result<Vec<Figure>, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start tokio: {error}"))?;
    let folder = Folder::new()?;
    let mut figures = beside::all(folder.path());
    let bench = Bench::new(folder.path()).map_err(|error| told(&error))?;
    figures.extend(runtime.block_on(bench.all()).map_err(|error| told(&error))?);
    Ok(figures)
}

fn told(error: &SandboxError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

struct Bench<'a> {
    provider: NativeProvider,
    folder: &'a Path,
}

type Answer<T> = Result<T, SandboxError>;

impl<'a> Bench<'a> {
    fn new(folder: &'a Path) -> Answer<Self> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let provider = NativeProvider::start(NativeConfig::for_data_dir(folder, home))?;
        Ok(Self { provider, folder })
    }

    async fn all(&self) -> Answer<Vec<Figure>> {
        // The first one waits for the launcher itself.
        let (first, sandbox) = timed(self.first_output(self.spec(0))).await?;
        sandbox.stop().await?;
        let mut figures = vec![Figure::new("native: first create of a process to first output", first, "ms")];
        figures.extend(self.creates("idle between", Duration::from_millis(100)).await?);
        figures.extend(self.creates("one after another", Duration::ZERO).await?);
        figures.extend(self.alive().await?);
        figures.extend(self.fork().await?);
        figures.extend(self.at_once().await?);
        figures.extend(self.idle().await?);
        Ok(figures)
    }

    fn spec(&self, number: u32) -> SandboxSpec {
        let id = SandboxId::from_uuid(uuid::Uuid::from_u128(u128::from(number)));
        SandboxSpec::new(id, self.folder.join(format!("state-{number}")))
    }

    async fn first_output(&self, spec: SandboxSpec) -> Answer<Arc<dyn Sandbox>> {
        let sandbox = self.provider.create(spec).await?;
        run(&*sandbox, &["/bin/echo", "hello"]).await?;
        Ok(sandbox)
    }

    /// `pause` lets the machine go idle and the next sandbox be made ahead.
    async fn creates(&self, name: &str, pause: Duration) -> Answer<Vec<Figure>> {
        let (mut first_output, mut end) = (Vec::new(), Vec::new());
        for number in 0..ROUNDS {
            tokio::time::sleep(pause).await;
            let (took, sandbox) = timed(self.first_output(self.spec(number))).await?;
            first_output.push(took);
            end.push(timed(sandbox.stop()).await?.0);
        }
        let figure = |what: &str, value| Figure::new(format!("native: {what} ({name})"), value, "ms");
        let mut figures = vec![
            figure("create to first output, p50", median(&first_output)).at_most(4.0),
            figure("create to first output, p95", quantile(&first_output, 0.95)).at_most(10.0),
        ];
        figures.push(figure("delete, p50", median(&end)).at_most(3.0));
        Ok(figures)
    }

    async fn alive(&self) -> Answer<Vec<Figure>> {
        let sandbox = self.first_output(self.spec(0)).await?;
        let (mut command, mut freeze, mut thaw) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS * 2 {
            command.push(timed(run(&*sandbox, &["/bin/true"])).await?.0);
        }
        sandbox.background("while :; do :; done".to_owned()).await?;
        for _ in 0..ROUNDS {
            freeze.push(timed(sandbox.freeze()).await?.0);
            thaw.push(timed(sandbox.thaw()).await?.0);
        }
        sandbox.stop().await?;
        let figure =
            |what: &str, values: &[f64]| Figure::new(format!("native: {what}, p50"), median(values), "ms");
        Ok(vec![
            figure("command in a live sandbox", &command).at_most(1.0),
            figure("freeze (one process busy)", &freeze).at_most(5.0),
            figure("thaw (one process busy)", &thaw).at_most(1.0),
        ])
    }

    /// Over the tree of one that has stopped; its processes do not come along.
    async fn fork(&self) -> Answer<Vec<Figure>> {
        let origin = self.first_output(self.spec(0)).await?;
        let fill = format!("mkdir d && cd d && i=0; while [ $i -lt {FILES} ]; do : >f$i; i=$((i+1)); done");
        run(&*origin, &["/bin/sh", "-c", &fill]).await?;
        origin.stop().await?;
        let layer = self.spec(0).state_dir;
        let mut forks = Vec::new();
        for number in 1..=ROUNDS {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let spec = SandboxSpec { layers: vec![layer.clone()], ..self.spec(1_000 + number) };
            let (took, sandbox) = timed(self.first_output(spec)).await?;
            forks.push(took);
            sandbox.stop().await?;
        }
        let name = format!("native: fork of a tree of {FILES} files to first output, p50");
        Ok(vec![Figure::new(name, median(&forks), "ms").at_most(10.0)])
    }

    async fn at_once(&self) -> Answer<Vec<Figure>> {
        let mut took = Vec::new();
        for turn in 0..3 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let specs = (0..AT_ONCE).map(|number| self.spec(2_000 + turn * AT_ONCE + number));
            let (all_ready, sandboxes) =
                timed(try_join_all(specs.map(|spec| self.provider.create(spec)))).await?;
            took.push(all_ready);
            try_join_all(sandboxes.iter().map(|sandbox| sandbox.stop())).await?;
        }
        let name = format!("native: {AT_ONCE} made at once, all ready");
        Ok(vec![Figure::new(name, median(&took), "ms").at_most(400.0)])
    }

    async fn idle(&self) -> Answer<Vec<Figure>> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = held_kib();
        let (mut sandboxes, mut first_output) = (Vec::new(), Vec::new());
        for number in 0..IDLE {
            let limits = SandboxLimits { processes: 64, ..SandboxLimits::default() };
            let (took, sandbox) =
                timed(self.first_output(SandboxSpec { limits, ..self.spec(5_000 + number) })).await?;
            first_output.push(took);
            sandboxes.push(sandbox);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let used = held_kib().saturating_sub(before);
        try_join_all(sandboxes.iter().map(|sandbox| sandbox.stop())).await?;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let each = used as f64 / f64::from(IDLE) / 1024.0;
        Ok(vec![
            Figure::new(format!("native: memory of each of {IDLE} at rest, kernel included"), each, "MiB")
                .at_most(1.0),
            Figure::new(format!("native: create with up to {IDLE} alive, p50"), median(&first_output), "ms"),
        ])
    }
}

async fn run(sandbox: &dyn Sandbox, argv: &[&str]) -> Answer<()> {
    let argv = argv.iter().map(|&word| word.to_owned()).collect();
    sandbox.exec(Exec { argv, ..Exec::default() }, &|_| {}).await.map(drop)
}

/// Milliseconds, and what came of it.
async fn timed<T>(work: impl Future<Output = Answer<T>>) -> Answer<(f64, T)> {
    let began = Instant::now();
    let result = work.await?;
    Ok((began.elapsed().as_secs_f64() * 1e3, result))
}

/// What guests and the kernel hold, in KiB: the kernel's lines that sandboxes make grow, and the guests' share of their
/// pages. What else goes on on the machine counts less here than in the memory that is free.
fn held_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of_kernel = ["SUnreclaim:", "KernelStack:", "PageTables:", "Percpu:"];
    let lines = text.lines().filter(|line| of_kernel.iter().any(|name| line.starts_with(name)));
    let kernel: u64 = lines.filter_map(kib).sum();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let guests = processes.filter(|process| {
        std::fs::read(process.path().join("cmdline")).is_ok_and(|line| line.starts_with(b"journeyman-guest"))
    });
    let shares = guests.filter_map(|guest| std::fs::read_to_string(guest.path().join("smaps_rollup")).ok());
    let shares = shares.filter_map(|text| text.lines().find(|line| line.starts_with("Pss:")).and_then(kib));
    kernel + shares.sum::<u64>()
}

fn kib(line: &str) -> Option<u64> {
    line.split_whitespace().nth(1)?.parse().ok()
}
