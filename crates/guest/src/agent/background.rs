//! Background processes. A list on disk tells, after the sandbox was lost, what was lost with it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};

use super::{Agent, lock};
use crate::protocol::{Background, Failure, Reply};

/// What a background process runs: the shell's saved directory and exports, then the command line.
const START: &str = r#"[ -f "$1" ] && . "$1" 2>/dev/null; eval "$2""#;

/// The background processes of this sandbox and of the one before it. The list is read when somebody asks first:
/// a sandbox that nobody asks needs no disk to begin.
pub(super) struct Backgrounds {
    folder: PathBuf,
    file: PathBuf,
    loaded: OnceLock<Loaded>,
}

struct Loaded {
    lost: Vec<Background>,
    list: Arc<Mutex<List>>,
}

struct List {
    file: PathBuf,
    last_number: u32,
    running: BTreeMap<u32, Background>,
}

impl Backgrounds {
    /// Keeps its list in `state`.
    pub(super) fn new(state: &Path) -> Self {
        let (folder, file) = (state.join("background"), state.join("background.json"));
        Self { folder, file, loaded: OnceLock::new() }
    }

    /// Reads the list that the sandbox before this one left: what stands in it is lost.
    fn loaded(&self) -> &Loaded {
        self.loaded.get_or_init(|| {
            let left = fs::read(&self.file).ok();
            let lost: Vec<Background> =
                left.as_ref().and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
            let last_number = highest_number(&self.folder);
            let list = List { file: self.file.clone(), last_number, running: BTreeMap::new() };
            if left.is_some() {
                list.save();
            }
            Loaded { lost, list: Arc::new(Mutex::new(list)) }
        })
    }

    /// What runs.
    pub(super) fn running(&self) -> Vec<Background> {
        lock(&self.loaded().list).running.values().cloned().collect()
    }

    /// What ran when the sandbox before this one was lost.
    pub(super) fn lost(&self) -> Vec<Background> {
        self.loaded().lost.clone()
    }

    /// Starts a command line.
    pub(super) fn start(&self, agent: &Agent, command: &str) -> Result<Reply, Failure> {
        let fail = |error: io::Error| Failure::Start {
            program: command.to_owned(),
            message: super::files::words(&error),
        };
        let shared = &self.loaded().list;
        let mut list = lock(shared);
        let number = list.last_number + 1;
        fs::create_dir_all(&self.folder).map_err(fail)?;
        let output_path = self.folder.join(format!("{number}.log"));
        let output = File::create(&output_path).map_err(fail)?;
        let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
        let mut process = agent.command(shell, Path::new(&agent.setup.workspace));
        process.args(["-c", START, shell]).args([agent.shell.saved_state()]).args([command]);
        process.output_to(output).map_err(fail)?;
        let running = agent.children.spawn(process).map_err(fail)?;
        list.last_number = number;
        let background = Background {
            number,
            pid: running.pid,
            command: command.to_owned(),
            output_path: crate::names::to_text(output_path.as_os_str()),
        };
        list.running.insert(number, background.clone());
        list.save();
        let (shared, stopped) = (Arc::clone(shared), Arc::clone(&agent.stopped));
        let _ = std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
            running.wait();
            if stopped.load(Ordering::Acquire) {
                // It did not end: it went with the sandbox, which the list is there to tell.
                return;
            }
            let mut list = lock(&shared);
            list.running.remove(&number);
            list.save();
        });
        Ok(Reply::Started(background))
    }
}

impl List {
    /// Writes the list whole or not at all; a list that cannot be written costs only the later notice.
    fn save(&self) {
        let new = self.file.with_extension("new");
        let list: Vec<&Background> = self.running.values().collect();
        if let Ok(json) = serde_json::to_vec(&list) {
            let _ = fs::write(&new, json).and_then(|()| fs::rename(&new, &self.file));
        }
    }
}

/// The highest number that has an output file, so that no output is overwritten.
fn highest_number(folder: &Path) -> u32 {
    let names = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    names
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".log")?.parse().ok())
        .max()
        .unwrap_or(0)
}
