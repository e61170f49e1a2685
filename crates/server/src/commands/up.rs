//! `up`: the server itself, in the foreground until it is told to stop.

use std::io::{BufRead, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use models::scripted::Pace;
use serde_json::{Value, json};

use crate::cli::setup::UpArgs;
use crate::client::Client;
use crate::compose::Role;
use crate::config::DEFAULT_PORT;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::folder::lock::{self, Ownership};
use crate::owner::{Owned, OwnerSpec};
use crate::session::Context;
use crate::signals::Signals;

/// How many ports are tried after the usual one.
const PORTS_TRIED: u16 = 20;

/// `journeyman up`
pub(super) async fn up(context: &Context, args: UpArgs) -> Result<Exit> {
    serve(context, args, None).await
}

/// Serves until stopped. With `demo` the story is begun at once; the value says whether to play it fast.
pub(super) async fn serve(context: &Context, args: UpArgs, demo: Option<bool>) -> Result<Exit> {
    let mut context = context.clone();
    context.folder = context.folder.make()?;
    let lock = match lock::take(&context.folder)? {
        Ownership::Ours(lock) => lock,
        Ownership::Theirs(owner) => return Err(owned_already(&context, owner)),
    };
    let mut signals = Signals::listen()?;
    let wanted = args.listen.or(context.config.listen);
    let roles = if args.roles.is_empty() { Role::ALL.to_vec() } else { args.roles.clone() };
    let (listener, moved) = match roles.contains(&Role::Api) {
        true => open_listener(wanted).map(|(listener, moved)| (Some(listener), moved))?,
        false => (None, None),
    };
    let pace = if demo == Some(true) { Pace::Fast } else { Pace::AsWritten };
    let spec = OwnerSpec { roles, listener, in_process: false, pace };
    let owner = Owned::start(&context, lock, spec).await?;
    let client = Client::new(owner.socket().to_owned(), context.tasks.clone(), context.ambient.clone());
    if demo.is_some() {
        client.post::<Value>("/v1/demo", &json!({})).await?;
    }
    let ticket_url = match owner.url() {
        Some(url) => Some(owner.ticket_url(url).await?),
        None => None,
    };
    greet(&context, &owner, &client, ticket_url.as_deref(), moved).await?;
    if let Some(url) = ticket_url.filter(|_| args.open) {
        open_browser(&context, &url);
    }
    signals.next().await;
    context.output.say("stopping; runs that are under way go on at the next start");
    tokio::select! {
        () = owner.stop() => {}
        _ = signals.next() => {}
    }
    Ok(Exit::Ok)
}

fn owned_already(context: &Context, owner: Option<lock::Owner>) -> Failure {
    let folder = context.folder.root().display();
    let failure = Failure::new("data_folder_owned", format!("another process owns the data folder {folder}"));
    match owner {
        Some(owner) => {
            let place = owner.url.unwrap_or_else(|| "a command that works on a run".to_owned());
            failure.why(format!("process {}: {place}", owner.pid))
        }
        None => failure.why("it is starting or stopping"),
    }
}

/// Opens the address: exactly the wanted one, or the usual one or a port after it. Also says which usual port
/// was taken.
fn open_listener(wanted: Option<SocketAddr>) -> Result<(TcpListener, Option<u16>)> {
    if let Some(address) = wanted {
        if !address.ip().is_loopback() {
            let text = format!("refusing to listen on {address}, beyond this machine, without a password");
            return Err(Failure::new("listen_needs_password", text).why(format!(
                "anyone who can reach port {} could run commands in your sandboxes",
                address.port()
            )));
        }
        return TcpListener::bind(address)
            .map(|listener| (listener, None))
            .map_err(|error| cannot(address, &error));
    }
    let usual = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT);
    let mut last = None;
    for port in DEFAULT_PORT..DEFAULT_PORT + PORTS_TRIED {
        match TcpListener::bind(SocketAddr::new(usual.ip(), port)) {
            Ok(listener) => return Ok((listener, (port != DEFAULT_PORT).then_some(DEFAULT_PORT))),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => last = Some(error),
            Err(error) => return Err(cannot(usual, &error)),
        }
    }
    Err(last.map_or_else(|| Failure::new("port_taken", "no port is free"), |error| cannot(usual, &error)))
}

fn cannot(address: SocketAddr, error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        return Failure::new("port_taken", format!("another program listens at {address}"));
    }
    Failure::new("listen_failed", format!("could not listen at {address}")).why(error.to_string())
}

async fn greet(
    context: &Context,
    owner: &Owned,
    client: &Client,
    ticket_url: Option<&str>,
    moved: Option<u16>,
) -> Result<()> {
    let output = &context.output;
    let url = owner.url();
    if output.json {
        output.json(&json!({
            "url": url, "ticket_url": ticket_url, "data": context.folder.root(), "pid": std::process::id(),
        }));
        return Ok(());
    }
    let status: Value = client.get("/v1/status").await?;
    let word = |name: &str| super::setup::word(&status, name);
    output.say(&format!(
        "Journeyman {}   data {}   database {}   sandbox {}   listening {}",
        word("version"),
        context.folder.root().display(),
        word("database"),
        super::setup::word(&status["sandbox"], "provider"),
        url.unwrap_or("on the local socket only"),
    ));
    if let Some(port) = moved {
        output.say(&format!("Port {port} is taken by another program, so this is the next free one."));
    }
    let models: Value = client.get("/v1/models").await?;
    for line in super::models::found_lines(&models) {
        output.say(&line);
    }
    if let Some(ticket_url) = ticket_url {
        output.data(&format!("Open  {ticket_url}"));
        output.say("The link works once.");
    }
    output.say("Ctrl-C stops; nothing is lost.");
    Ok(())
}

/// Opens the page in the user's browser; that it cannot is no reason to stop.
fn open_browser(context: &Context, url: &str) {
    if let Err(error) = crate::owner::open_in_browser(&context.env, url) {
        context.output.say(&format!("the browser could not be opened ({error}); open the link yourself"));
    }
}

/// Everything on standard input, as text.
pub(super) fn read_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(10 << 20)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new("bad_input", format!("standard input cannot be used: {error}")))?;
    if text.trim().is_empty() {
        return Err(Failure::new("input_needed", "standard input is empty"));
    }
    Ok(text)
}

/// A line from the terminal that is not shown while it is typed.
pub(super) fn read_secret(prompt: &str) -> Result<String> {
    use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

    let stdin = std::io::stdin();
    let fail = |error: nix::Error| Failure::internal("hide what is typed", &error);
    let before = tcgetattr(&stdin).map_err(fail)?;
    let mut hidden = before.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&stdin, SetArg::TCSANOW, &hidden).map_err(fail)?;
    let mut err = std::io::stderr();
    let _unimportant = err.write_all(prompt.as_bytes()).and_then(|()| err.flush());
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    let restored = tcsetattr(&stdin, SetArg::TCSANOW, &before);
    let _unimportant = err.write_all(b"\n");
    restored.map_err(fail)?;
    read.map_err(|error| Failure::new("bad_input", format!("the terminal cannot be read: {error}")))?;
    Ok(line)
}
