//! A provider without any isolation, for tests of what uses sandboxes: the guest agent runs in this process and
//! its commands on this host, in a folder. Behind the feature `fake`, which the product never has.

mod paths;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use domain::SandboxId;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use guest::agent::{Agent, Waits};
use guest::protocol::Setup;
use tempfile::TempDir;

use crate::client::{Client, OutputSink};
use crate::error::{SandboxError, WhileDoing as _};
use crate::layout;
use crate::provider::{
    Background, Download, Exec, ExecEnd, FileEvent, FileInfo, FileRead, FileWritten, Glob, GlobFound, Grep,
    GrepFound, Metrics, PortEvent, PortListener, PortStream, Process, ProcessEvent, ProcessRef, PtySize,
    Sandbox, SandboxProvider, SandboxSpec, ShellCommand, ShellEnd, StartProcess, Told, UploadOptions,
};
use paths::{gone, name_path, replace_path, told_gone};

type Answer<'a, T> = BoxFuture<'a, Result<T, SandboxError>>;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes folders that stand for sandboxes.
#[derive(Default)]
pub struct FakeProvider {
    alive: Mutex<HashMap<SandboxId, Weak<FakeSandbox>>>,
}

impl FakeProvider {
    /// Makes the provider.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl SandboxProvider for FakeProvider {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn isolation(&self) -> String {
        "none: for tests only".to_owned()
    }

    fn create(&self, spec: SandboxSpec) -> Answer<'_, Arc<dyn Sandbox>> {
        Box::pin(async move {
            let id = spec.id;
            let sandbox = Arc::new(FakeSandbox::start(spec).while_doing("make a fake sandbox")?);
            let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
            alive.insert(id, Arc::downgrade(&sandbox));
            Ok(sandbox as Arc<dyn Sandbox>)
        })
    }

    fn reap(&self, keep: Vec<SandboxId>) -> Answer<'_, Vec<SandboxId>> {
        Box::pin(async move {
            let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
            let mut removed = Vec::new();
            alive.retain(|id, sandbox| {
                if keep.contains(id) {
                    return true;
                }
                if let Some(sandbox) = sandbox.upgrade().filter(|sandbox| !sandbox.is_stopped()) {
                    sandbox.end();
                    removed.push(*id);
                }
                false
            });
            Ok(removed)
        })
    }
}

/// A folder with an agent.
struct FakeSandbox {
    id: SandboxId,
    agent: Arc<Agent>,
    client: Client,
    /// Paths of the sandbox and what stands for them on this host.
    places: Vec<(String, String)>,
    socket: Mutex<Option<TempDir>>,
}

impl FakeSandbox {
    fn start(spec: SandboxSpec) -> io::Result<Self> {
        let folders = [layout::WORKSPACE_STATE, layout::HOME_STATE, layout::GUEST_STATE];
        let [workspace, home, state] = folders.map(|name| spec.state_dir.join(name));
        if let Some(base) = spec.workspace_base.as_ref().filter(|_| !workspace.exists()) {
            copy_tree(base, &workspace)?;
        }
        for folder in [&workspace, &home, &state] {
            fs::create_dir_all(folder)?;
        }
        // A socket's path must be short; a state folder's need not be.
        let socket = tempfile::tempdir()?;
        let path = socket.path().join("guest");
        let listener = UnixListener::bind(&path)?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut places: Vec<(String, String)> =
            spec.binds.iter().map(|(host, inside)| (text(inside), text(host))).collect();
        places.push((layout::WORKSPACE.to_owned(), text(&workspace)));
        places.push((layout::HOME.to_owned(), text(&home)));
        let usual = [("PATH", PATH.to_owned()), ("HOME", text(&home)), ("LC_CTYPE", "C.UTF-8".to_owned())];
        let setup = Setup {
            workspace: text(&workspace),
            state: text(&state),
            run_as: None,
            environment: spec.environment(&usual.map(|(key, value)| (key.to_owned(), value))),
        };
        let agent = Agent::new(setup, Waits::ForOwn);
        let serving = Arc::clone(&agent);
        std::thread::Builder::new().name("fake-guest".to_owned()).spawn(move || serving.serve(&listener))?;
        Ok(Self { id: spec.id, agent, client: Client::new(&path), places, socket: Mutex::new(Some(socket)) })
    }

    fn is_stopped(&self) -> bool {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn end(&self) {
        let Some(socket) = self.socket.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        self.agent.stop();
        // One last connection, so that the agent's thread looks up.
        let _ = UnixStream::connect(socket.path().join("guest"));
    }

    /// Puts the host's paths for the sandbox's into a path or a command line.
    fn translate(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (inside, host)| replace_path(&text, inside, host))
    }

    fn translate_back(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (inside, host)| replace_path(&text, host, inside))
    }

    fn translate_exec(&self, command: Exec) -> Exec {
        let argv = command.argv.iter().map(|argument| self.translate(argument)).collect();
        let env = command.env.into_iter().map(|(key, value)| (key, self.translate(&value))).collect();
        let directory = self.translate(&command.directory);
        Exec { argv, directory, env, stdin: command.stdin, timeout: command.timeout }
    }

    fn translate_process(&self, mut process: StartProcess) -> StartProcess {
        process.argv.iter_mut().for_each(|argument| *argument = self.translate(argument));
        process.env.iter_mut().for_each(|(_, value)| *value = self.translate(value));
        process.directory = self.translate(&process.directory);
        process
    }

    fn process_back(&self, mut process: Process) -> Process {
        process.argv.iter_mut().for_each(|argument| *argument = self.translate_back(argument));
        process.env.iter_mut().for_each(|(_, value)| *value = self.translate_back(value));
        process.directory = self.translate_back(&process.directory);
        process
    }

    /// Shows a file as the sandbox knows it; `path` is the name that the caller gave.
    fn info_back(&self, path: &str, info: Result<FileInfo, SandboxError>) -> Result<FileInfo, SandboxError> {
        let mut info = gone(info.map_err(|error| name_path(error, path)))?;
        info.path = self.translate_back(&info.path);
        info.link_target = info.link_target.map(|target| self.translate_back(&target));
        Ok(info)
    }

    fn background_back(&self, mut background: Background) -> Background {
        background.command = self.translate_back(&background.command);
        background
    }
}

impl Drop for FakeSandbox {
    fn drop(&mut self) {
        self.end();
    }
}

impl Sandbox for FakeSandbox {
    fn id(&self) -> SandboxId {
        self.id
    }

    fn exec<'a>(&'a self, command: Exec, output: OutputSink<'a>) -> Answer<'a, ExecEnd> {
        Box::pin(async move { gone(self.client.exec(self.translate_exec(command), output).await) })
    }

    fn shell<'a>(&'a self, command: ShellCommand, output: OutputSink<'a>) -> Answer<'a, ShellEnd> {
        Box::pin(async move {
            let command =
                ShellCommand { command: self.translate(&command.command), timeout: command.timeout };
            let mut end = gone(self.client.shell(command, output).await)?;
            end.directory = self.translate_back(&end.directory);
            Ok(end)
        })
    }

    fn background(&self, command: String) -> Answer<'_, Background> {
        Box::pin(async move {
            let started = gone(self.client.background(self.translate(&command)).await)?;
            Ok(self.background_back(started))
        })
    }

    fn background_list(&self) -> Answer<'_, Vec<Background>> {
        Box::pin(async move {
            let list = gone(self.client.background_list().await)?;
            Ok(list.into_iter().map(|background| self.background_back(background)).collect())
        })
    }

    fn background_lost(&self) -> Answer<'_, Vec<Background>> {
        Box::pin(async move {
            let list = gone(self.client.background_lost().await)?;
            Ok(list.into_iter().map(|background| self.background_back(background)).collect())
        })
    }

    fn read<'a>(&'a self, path: &'a str, offset: u64, max_bytes: u64) -> Answer<'a, FileRead> {
        Box::pin(async move {
            let read = self.client.read(&self.translate(path), offset, max_bytes).await;
            gone(read.map_err(|error| name_path(error, path)))
        })
    }

    fn write<'a>(&'a self, path: &'a str, bytes: Vec<u8>) -> Answer<'a, FileWritten> {
        Box::pin(async move {
            let written = self.client.write(&self.translate(path), &bytes).await;
            gone(written.map_err(|error| name_path(error, path)))
        })
    }

    fn grep(&self, mut query: Grep) -> Answer<'_, GrepFound> {
        Box::pin(async move {
            let path = std::mem::take(&mut query.path);
            query.path = self.translate(&path);
            gone(self.client.grep(query).await.map_err(|error| name_path(error, &path)))
        })
    }

    fn glob(&self, mut query: Glob) -> Answer<'_, GlobFound> {
        Box::pin(async move {
            let path = std::mem::take(&mut query.path);
            query.path = self.translate(&path);
            gone(self.client.glob(query).await.map_err(|error| name_path(error, &path)))
        })
    }

    fn start(&self, process: StartProcess) -> Answer<'_, Process> {
        Box::pin(async move {
            let started = gone(self.client.start(self.translate_process(process)).await)?;
            Ok(self.process_back(started))
        })
    }

    fn processes(&self) -> Answer<'_, Vec<Process>> {
        Box::pin(async move {
            let list = gone(self.client.processes().await)?;
            Ok(list.into_iter().map(|process| self.process_back(process)).collect())
        })
    }

    fn follow(&self, process: ProcessRef, replay: bool) -> Answer<'_, Told<ProcessEvent>> {
        Box::pin(async move { gone(self.client.follow(process, replay).await).map(told_gone) })
    }

    fn send_input(&self, process: ProcessRef, bytes: Vec<u8>) -> Answer<'_, ()> {
        Box::pin(async move { gone(self.client.send_input(process, &bytes).await) })
    }

    fn close_input(&self, process: ProcessRef) -> Answer<'_, ()> {
        Box::pin(async move { gone(self.client.close_input(process).await) })
    }

    fn signal(&self, process: ProcessRef, signal: i32) -> Answer<'_, bool> {
        Box::pin(async move { gone(self.client.signal(process, signal).await) })
    }

    fn resize(&self, process: ProcessRef, size: PtySize) -> Answer<'_, ()> {
        Box::pin(async move { gone(self.client.resize(process, size).await) })
    }

    fn stat<'a>(&'a self, path: &'a str) -> Answer<'a, FileInfo> {
        Box::pin(async move {
            let info = self.client.stat(&self.translate(path)).await;
            self.info_back(path, info)
        })
    }

    fn list<'a>(&'a self, path: &'a str, depth: u32) -> Answer<'a, Vec<FileInfo>> {
        Box::pin(async move {
            let list = self.client.list(&self.translate(path), depth).await;
            let list = gone(list.map_err(|error| name_path(error, path)))?;
            list.into_iter().map(|info| self.info_back(path, Ok(info))).collect()
        })
    }

    fn make_dir<'a>(&'a self, path: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let made = self.client.make_dir(&self.translate(path)).await;
            gone(made.map_err(|error| name_path(error, path)))
        })
    }

    fn rename<'a>(&'a self, from: &'a str, to: &'a str) -> Answer<'a, FileInfo> {
        Box::pin(async move {
            let (old, new) = (self.translate(from), self.translate(to));
            let info = self.client.rename(&old, &new).await;
            self.info_back(from, info)
        })
    }

    fn remove<'a>(&'a self, path: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let removed = self.client.remove(&self.translate(path)).await;
            gone(removed.map_err(|error| name_path(error, path)))
        })
    }

    fn watch<'a>(&'a self, path: &'a str, recursive: bool) -> Answer<'a, Told<FileEvent>> {
        Box::pin(async move {
            let told = self.client.watch(&self.translate(path), recursive).await;
            gone(told.map_err(|error| name_path(error, path))).map(told_gone)
        })
    }

    fn download<'a>(&'a self, path: &'a str, range: Option<Range<u64>>) -> Answer<'a, Download> {
        Box::pin(async move {
            let download = self.client.download(&self.translate(path), range).await;
            let download = gone(download.map_err(|error| name_path(error, path)))?;
            let info = self.info_back(path, Ok(download.info))?;
            Ok(Download { info, bytes: told_gone(download.bytes) })
        })
    }

    fn upload<'a>(
        &'a self,
        path: &'a str,
        bytes: BoxStream<'static, io::Result<Bytes>>,
        options: UploadOptions,
    ) -> Answer<'a, FileInfo> {
        Box::pin(async move {
            let info = self.client.upload(&self.translate(path), bytes, options).await;
            self.info_back(path, info)
        })
    }

    fn connect(&self, port: u16) -> Answer<'_, PortStream> {
        Box::pin(async move { gone(self.client.connect(port).await) })
    }

    fn listen(&self, port: u16) -> Answer<'_, PortListener> {
        Box::pin(async move { gone(self.client.listen(port).await) })
    }

    fn ports(&self) -> Answer<'_, Vec<u16>> {
        Box::pin(async move { gone(self.client.ports().await) })
    }

    fn watch_ports(&self) -> Answer<'_, Told<PortEvent>> {
        Box::pin(async move { gone(self.client.watch_ports().await).map(told_gone) })
    }

    fn metrics(&self) -> Answer<'_, Metrics> {
        Box::pin(async move { gone(self.client.metrics().await) })
    }

    fn freeze(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.agent.freeze();
            Ok(())
        })
    }

    fn thaw(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.agent.thaw();
            Ok(())
        })
    }

    fn stop(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.end();
            Ok(())
        })
    }
}

fn copy_tree(from: &Path, to: &PathBuf) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
