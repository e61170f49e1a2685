//! The gateway beside nginx as a reverse proxy to the same upstream, in turns, with wrk; and a large answer through the
//! gateway while this process' memory is watched. Needs nginx, wrk and curl.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use accounts::Accounts;
use domain::SandboxId;
use futures_util::future::BoxFuture;
use gateway::{
    Access, BackendStream, Backends, Form, Gateway, GatewayConfig, NewPreview, NotThere, Parts, Place,
    PreviewName, Previews,
};
use runtime::{Ambient, Supervisor};
use secrets::MasterKey;
use store::{BlobsConfig, DatabaseConfig, Store, StoreConfig};
use tokio::net::{TcpListener, TcpStream};

use crate::folder::Folder;

const ROUNDS: usize = 5;
const SECONDS: u32 = 4;
const CONNECTIONS: u32 = 64;
const LARGE_BYTES: u64 = 1 << 30;

/// One run of wrk.
#[derive(Debug, Clone, Copy)]
struct Figure {
    requests_per_second: f64,
    p99_ms: f64,
}

/// Runs all and prints the figures.
pub(crate) fn run() -> Result<(), String> {
    let folder = Folder::new()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("threads: {error}"))?;
    let (upstream, proxy) = (free_port()?, free_port()?);
    let _upstream = Nginx::start(folder.path(), "upstream", &upstream_config(folder.path(), upstream))?;
    let _proxy = Nginx::start(folder.path(), "proxy", &proxy_config(upstream, proxy))?;
    std::fs::write(folder.path().join("small"), [b'x'; 1024]).map_err(|error| error.to_string())?;
    let large = std::fs::File::create(folder.path().join("large")).map_err(|error| error.to_string())?;
    large.set_len(LARGE_BYTES).map_err(|error| error.to_string())?;
    let (url, cookie) = runtime.block_on(serve(folder.path(), upstream))?;
    let port = url.rsplit(':').next().unwrap_or_default().trim_end_matches('/').to_owned();
    let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let (mut of_gateway, mut of_nginx) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_nginx.push(wrk(&proxy.to_string(), &host, &cookie)?);
        of_gateway.push(wrk(&port, &host, &cookie)?);
    }
    tell("nginx", &of_nginx);
    tell("gateway", &of_gateway);
    let ratio = |of: fn(&Figure) -> f64| median(&of_gateway, of) / median(&of_nginx, of);
    println!("requests per second, gateway / nginx: {:.2}", ratio(|figure| figure.requests_per_second));
    println!("p99, gateway / nginx: {:.2}", ratio(|figure| figure.p99_ms));
    stream_large(&port, &host, &cookie)
}

fn tell(name: &str, figures: &[Figure]) {
    println!(
        "{name}: {:.0} requests/s, p99 {:.2} ms (medians of {})",
        median(figures, |figure| figure.requests_per_second),
        median(figures, |figure| figure.p99_ms),
        figures.len()
    );
}

fn median(figures: &[Figure], of: fn(&Figure) -> f64) -> f64 {
    let mut all: Vec<f64> = figures.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A large answer goes through while the resident memory is looked at every 10 ms.
fn stream_large(port: &str, host: &str, cookie: &str) -> Result<(), String> {
    let before = resident_kib()?;
    let mut curl = Command::new("curl");
    curl.args([
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{size_download} %{time_total}",
        "-H",
        &format!("Host: {host}"),
    ]);
    curl.args(["-H", &format!("Cookie: {cookie}"), &format!("http://127.0.0.1:{port}/large")]);
    let curl = curl.stdout(Stdio::piped()).spawn().map_err(|error| format!("curl: {error}"))?;
    let waiting = std::thread::spawn(move || curl.wait_with_output());
    let mut most = before;
    while !waiting.is_finished() {
        most = most.max(resident_kib()?);
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = waiting.join().map_err(|_| "curl's thread panicked")?.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (bytes, seconds) = said.split_once(' ').ok_or("curl said nothing")?;
    if bytes != LARGE_BYTES.to_string() {
        return Err(format!("{bytes} bytes came of {LARGE_BYTES}"));
    }
    let grown = (most - before) / 1024;
    println!(
        "1 GiB streamed in {seconds} s; resident memory {} MiB before, {grown} MiB more at most",
        before / 1024
    );
    Ok(())
}

fn resident_kib() -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).ok_or("no VmRSS".to_owned())
}

fn wrk(port: &str, host: &str, cookie: &str) -> Result<Figure, String> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t2", "-c", &CONNECTIONS.to_string(), "-d", &format!("{SECONDS}s"), "--latency"]);
    wrk.args(["-H", &format!("Host: {host}"), "-H", &format!("Cookie: {cookie}")]);
    let output = wrk.arg(format!("http://127.0.0.1:{port}/small")).output();
    let output = output.map_err(|error| format!("wrk: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.contains("Non-2xx") {
        return Err(format!("wrk was refused:\n{text}"));
    }
    let field = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let requests_per_second = field("Requests/sec:").and_then(|value| value.parse().ok());
    let p99_ms = field("99%").and_then(milliseconds);
    match (requests_per_second, p99_ms) {
        (Some(requests_per_second), Some(p99_ms)) => Ok(Figure { requests_per_second, p99_ms }),
        _ => Err(format!("wrk said:\n{text}")),
    }
}

/// `3.20ms`, `950.00us`, `1.10s`
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)];
    units.iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}

async fn serve(folder: &Path, upstream: u16) -> Result<(String, String), String> {
    let (ambient, tasks) = (Ambient::system(), Supervisor::new());
    let fail = |error: &dyn std::error::Error| error.to_string();
    let config = StoreConfig::new(
        DatabaseConfig::Sqlite { path: folder.join("gateway.db") },
        BlobsConfig::Folder { path: folder.join("blobs") },
    );
    let store = Store::open(config, ambient.clone(), &tasks).await.map_err(|error| fail(&error))?;
    let key = MasterKey::load_or_create(folder, &*ambient.random).map_err(|error| fail(&error))?;
    let accounts = Accounts::new(store.clone(), key, ambient.clone());
    let owner = accounts.ensure_local_owner("bench").await.map_err(|error| fail(&error))?;
    let previews = Previews::new(store);
    let name = PreviewName { sandbox: SandboxId::from_uuid(ambient.uuid()), port: 3000 };
    let new = NewPreview {
        sandbox: name.sandbox,
        port: Some(name.port),
        access: Access::Link,
        life_ms: Some(3_600_000),
    };
    let allowed = owner.allow().map_err(|error| fail(&error))?;
    let made = previews.create(&allowed, new).await.map_err(|error| fail(&error))?;
    let token = made.token.ok_or("a link has a token")?.expose().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| fail(&error))?;
    let parts = Parts {
        previews,
        backends: Arc::new(Upstream(upstream)),
        ambient,
        supervisor: tasks,
        config: GatewayConfig::default(),
        tls: None,
    };
    let gateway = Gateway::serve(listener, parts).map_err(|error| fail(&error))?;
    Ok((gateway.url(name, Form::Host, None), format!("jm_preview={token}")))
}

/// A port of this machine in place of a sandbox's.
struct Upstream(u16);

impl Backends for Upstream {
    fn ready(&self, _: Place) -> BoxFuture<'_, Result<(), NotThere>> {
        Box::pin(async { Ok(()) })
    }

    fn connect(&self, _: Place) -> BoxFuture<'_, Result<Box<dyn BackendStream>, NotThere>> {
        Box::pin(async {
            let stream = TcpStream::connect(("127.0.0.1", self.0)).await.map_err(|_| NotThere::NoServer)?;
            let _slower = stream.set_nodelay(true);
            Ok(Box::new(stream) as Box<dyn BackendStream>)
        })
    }

    fn wake(&self, _: Place) -> BoxFuture<'_, Result<(), NotThere>> {
        Box::pin(async { Ok(()) })
    }
}

fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}

const COMMON: &str = "user root; daemon off; master_process on; worker_processes 2; error_log stderr crit;\n\
    events { worker_connections 1024; }\n";

fn upstream_config(folder: &Path, port: u16) -> String {
    format!(
        "{COMMON}http {{ access_log off; sendfile on; keepalive_requests 1000000;\n\
         server {{ listen 127.0.0.1:{port} backlog=1024; root {}; }} }}\n",
        folder.display()
    )
}

fn proxy_config(upstream: u16, port: u16) -> String {
    format!(
        "{COMMON}http {{ access_log off; keepalive_requests 1000000;\n\
         upstream inside {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}\n\
         server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ proxy_pass http://inside; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; }} }} }}\n"
    )
}

/// An nginx, killed when it goes.
struct Nginx(Child);

impl Nginx {
    fn start(folder: &Path, name: &str, config: &str) -> Result<Self, String> {
        let place = folder.join(name);
        std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
        let file = place.join("nginx.conf");
        let pid = format!("pid {};\n", place.join("pid").display());
        let mut written = std::fs::File::create(&file).map_err(|error| error.to_string())?;
        written.write_all((pid + config).as_bytes()).map_err(|error| error.to_string())?;
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(&place).arg("-c").arg(&file).stderr(Stdio::inherit());
        let child = nginx.spawn().map_err(|error| format!("nginx: {error}"))?;
        let port = config.split("listen 127.0.0.1:").nth(1).and_then(|rest| rest.split([' ', ';']).next());
        let address = format!("127.0.0.1:{}", port.unwrap_or_default());
        let started = Self(child);
        for _ in 0..200 {
            if std::net::TcpStream::connect(&address).is_ok() {
                return Ok(started);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("nginx does not listen on {address}"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Asked to stop, the master takes its workers along; killed, it would leave them.
        let pid = self.0.id().to_string();
        let _gone = Command::new("kill").args(["-TERM", &pid]).status();
        let _gone = self.0.wait();
    }
}
