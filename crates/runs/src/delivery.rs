//! The result on its way out: commits are made inside the sandbox, their objects leave it as a pack, the
//! pack is judged in a quarantine, and one branch that we name is set in the user's repository.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sandbox::{Exec, Output, Sandbox};

use crate::capture;
use crate::error::{Error, Result, WhileDoing};
use crate::host_git;
use crate::repository::{Base, Source};
use crate::workspace::git_environment;

/// The largest pack that is taken over. Beyond it something is wrong: a build folder was committed.
const PACK_BYTES_MAX: u64 = 2 << 30;

/// What is to be delivered, and how.
pub(crate) struct Parcel<'a> {
    pub(crate) source: &'a Source,
    pub(crate) base: &'a Base,
    /// The branch's wanted name; a number is added where another branch has it.
    pub(crate) branch: String,
    /// The branch's tip from an earlier delivery of the same run.
    pub(crate) earlier: Option<(String, String)>,
    /// Title and body of the commit for what the agent did not commit itself.
    pub(crate) message: String,
    /// `Journeyman-Run: <id>`.
    pub(crate) trailer: String,
    /// Name and mail address of the author.
    pub(crate) author: (String, String),
    /// The commits' time, in milliseconds since the Unix epoch; the same for the same result.
    pub(crate) at_ms: i64,
    /// An empty folder for the quarantine; removed afterwards.
    pub(crate) quarantine: PathBuf,
    /// Fails where the run has become another worker's; asked right before a branch is set.
    pub(crate) hold: Hold,
}

/// Asks whether the run is still ours. Blocks.
pub(crate) type Hold = Arc<dyn Fn() -> Result<()> + Send + Sync>;

/// What was delivered.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) branch: String,
    pub(crate) tip: String,
    pub(crate) commits: u32,
}

/// Delivers; `None` where there is nothing to deliver.
///
/// # Errors
///
/// [`Error::Delivery`] where the result is not sound; nothing of it is then reachable in the repository.
pub(crate) async fn deliver(sandbox: &dyn Sandbox, parcel: Parcel<'_>) -> Result<Option<Delivered>> {
    let (tip, commits) = commit(sandbox, &parcel).await?;
    if parcel.earlier.is_none() && tip == parcel.base.head {
        return Ok(None);
    }
    let quarantine = Quarantine::open(&parcel)?;
    fetch_pack(sandbox, &parcel, &tip, &quarantine.pack_path()).await?;
    let (source, base) = (parcel.source.clone(), parcel.base.clone());
    let (branch, earlier, wanted) = (parcel.branch.clone(), parcel.earlier.clone(), tip.clone());
    let hold = parcel.hold.clone();
    let branch = tokio::task::spawn_blocking(move || {
        quarantine.judge(&wanted, &base)?;
        quarantine.release(&source)?;
        Branches { source: &source, hold: &*hold }.set(&branch, earlier, &wanted)
    })
    .await
    .while_doing("take the result over")??;
    Ok(Some(Delivered { branch, tip, commits }))
}

async fn commit(sandbox: &dyn Sandbox, parcel: &Parcel<'_>) -> Result<(String, u32)> {
    let mut env = git_environment();
    for who in ["AUTHOR", "COMMITTER"] {
        env.push((format!("GIT_{who}_NAME"), parcel.author.0.clone()));
        env.push((format!("GIT_{who}_EMAIL"), parcel.author.1.clone()));
        env.push((format!("GIT_{who}_DATE"), format!("@{} +0000", parcel.at_ms / 1000)));
    }
    let script = concat!(include_str!("workspace/stage.sh"), include_str!("delivery/commit.sh"));
    let earlier = parcel.earlier.as_ref().map_or("", |(_, tip)| tip);
    let arguments = [parcel.base.commit.as_str(), &parcel.message, &parcel.trailer, earlier];
    let said = capture::script(sandbox, script, &arguments, env).await?.success("commit the result")?;
    let said = String::from_utf8_lossy(&said);
    let value = |key: &str| said.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("").to_owned();
    let tip = value("tip=");
    let length = parcel.base.commit.len();
    if tip.len() != length || !tip.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(Error::Delivery { message: "the sandbox named no commit".to_owned() });
    }
    Ok((tip, value("commits=").parse().unwrap_or(0)))
}

/// Streams a thin pack of what the user's repository does not have from the sandbox into `path`.
async fn fetch_pack(sandbox: &dyn Sandbox, parcel: &Parcel<'_>, tip: &str, path: &Path) -> Result<()> {
    let file = File::create(path).while_doing("open a quarantine")?;
    let state = Mutex::new((file, 0_u64, None::<std::io::Error>, Vec::new()));
    let exec = Exec {
        argv: ["git", "pack-objects", "--revs", "--thin", "--stdout", "--quiet"].map(str::to_owned).to_vec(),
        env: git_environment(),
        stdin: format!("{tip}\n^{}\n", parcel.base.head).into_bytes(),
        timeout: Some(Duration::from_secs(600)),
        ..Exec::default()
    };
    let end = sandbox
        .exec(exec, &|output| {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            match output {
                Output::Stdout(bytes) => {
                    state.1 += bytes.len() as u64;
                    if state.1 <= PACK_BYTES_MAX
                        && let Err(error) = state.0.write_all(bytes)
                    {
                        state.2 = Some(error);
                    }
                }
                Output::Stderr(bytes) if state.3.len() < 4096 => state.3.extend_from_slice(bytes),
                Output::Stderr(_) => {}
            }
        })
        .await?;
    let (_, size, failed, stderr) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = failed {
        return Err(Error::Internal { doing: "write the result's objects", source: Box::new(error) });
    }
    if size > PACK_BYTES_MAX {
        return Err(Error::Delivery { message: "its objects are larger than 2 GiB".to_owned() });
    }
    if end.exit_code != 0 {
        let said = capture::last_lines(&String::from_utf8_lossy(&stderr));
        return Err(Error::Delivery { message: format!("git pack-objects: {said}") });
    }
    Ok(())
}

/// A bare repository that borrows the user's objects and holds what came out until it is judged.
struct Quarantine {
    folder: PathBuf,
}

impl Quarantine {
    fn open(parcel: &Parcel<'_>) -> Result<Self> {
        let doing = "open a quarantine";
        let quarantine = Self { folder: parcel.quarantine.clone() };
        let folder = &quarantine.folder;
        for part in ["objects/pack", "objects/info", "refs"] {
            std::fs::create_dir_all(folder.join(part)).while_doing(doing)?;
        }
        let config = if parcel.base.format == "sha256" {
            "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = sha256\n"
        } else {
            "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
        };
        let borrowed = format!("{}\n", parcel.source.common_dir.join("objects").display());
        for (name, text) in
            [("HEAD", "ref: refs/heads/none\n"), ("config", config), ("objects/info/alternates", &borrowed)]
        {
            std::fs::write(folder.join(name), text).while_doing(doing)?;
        }
        let shallow = parcel.source.common_dir.join("shallow");
        if shallow.is_file() {
            std::fs::copy(shallow, folder.join("shallow")).while_doing(doing)?;
        }
        Ok(quarantine)
    }

    fn pack_path(&self) -> PathBuf {
        self.folder.join("incoming.pack")
    }

    /// Checks every object and that the tip is a whole commit.
    fn judge(&self, tip: &str, base: &Base) -> Result<()> {
        let pack = File::open(self.pack_path()).while_doing("read the result's objects")?;
        let limit = format!("--max-input-size={PACK_BYTES_MAX}");
        host_git::run(
            &self.folder,
            &["index-pack", "--strict", "--fix-thin", "--stdin", &limit],
            pack.into(),
            &[],
        )?;
        let sort = host_git::ask(&self.folder, &["cat-file", "-t", tip])?;
        if sort.trim_ascii() != b"commit" {
            return Err(Error::Delivery { message: "the tip is not a commit".to_owned() });
        }
        // Fails where anything that the new commits need is missing.
        host_git::ask(&self.folder, &["rev-list", "--objects", "--quiet", tip, &format!("^{}", base.head)])?;
        Ok(())
    }

    /// Moves the judged pack into the user's repository; the index last, which makes it visible.
    fn release(&self, source: &Source) -> Result<()> {
        let doing = "take the result's objects over";
        let to = source.common_dir.join("objects/pack");
        let owner = std::fs::metadata(&to).while_doing(doing)?;
        let from = self.folder.join("objects/pack");
        for extension in ["pack", "rev", "idx"] {
            for entry in std::fs::read_dir(&from).while_doing(doing)? {
                let path = entry.while_doing(doing)?.path();
                let Some(name) =
                    path.file_name().filter(|_| path.extension().is_some_and(|found| found == extension))
                else {
                    continue;
                };
                let beside = to.join(format!("tmp_journeyman_{}", name.to_string_lossy()));
                let _left_by_a_crash = std::fs::remove_file(&beside);
                let mut copy = File::create_new(&beside).while_doing(doing)?;
                std::io::copy(&mut File::open(&path).while_doing(doing)?, &mut copy).while_doing(doing)?;
                copy.sync_all().while_doing(doing)?;
                let read_only = std::os::unix::fs::PermissionsExt::from_mode(0o444);
                copy.set_permissions(read_only).while_doing(doing)?;
                give_to(&beside, &owner);
                std::fs::rename(&beside, to.join(name)).while_doing(doing)?;
            }
        }
        Ok(())
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        // Left over files are removed with the folder of temporary files at the next start.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The branches of the user's repository, as long as the run is ours.
struct Branches<'a> {
    source: &'a Source,
    hold: &'a (dyn Fn() -> Result<()> + Send + Sync),
}

impl Branches<'_> {
    /// Sets the branch to `tip`. A branch that is not ours, or that somebody has checked out, is never moved.
    fn set(&self, wanted: &str, earlier: Option<(String, String)>, tip: &str) -> Result<String> {
        let source = self.source;
        // Where the user has moved or deleted it since, a new branch is made.
        if let Some((branch, old)) = earlier
            && !is_checked_out(source, &branch)
        {
            (self.hold)()?;
            if update_ref(source, &branch, tip, &old).is_ok() {
                return Ok(branch);
            }
        }
        // A branch `journeyman` leaves no room for branches below that name.
        let taken = |branch: &str| {
            host_git::ask(
                &source.common_dir,
                &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")],
            )
            .ok()
        };
        let first = wanted.split('/').next().unwrap_or(wanted);
        let wanted = if taken(first).is_some() { wanted.replace('/', "-") } else { wanted.to_owned() };
        for attempt in 1..100 {
            let branch = if attempt == 1 { wanted.clone() } else { format!("{wanted}-{attempt}") };
            let Some(found) = taken(&branch) else {
                (self.hold)()?;
                update_ref(source, &branch, tip, &"0".repeat(tip.len()))?;
                return Ok(branch);
            };
            if found.trim_ascii() == tip.as_bytes() {
                // Delivered before, by a server that died before it could say so.
                return Ok(branch);
            }
        }
        Err(Error::Delivery { message: format!("99 branches named {wanted} exist already") })
    }
}

/// Whether the branch is what the repository or one of its worktrees has checked out: moving it would turn
/// the new work into a staged reversal there.
fn is_checked_out(source: &Source, branch: &str) -> bool {
    let names_it = |head: &Path| {
        std::fs::read_to_string(head).is_ok_and(|text| text.trim() == format!("ref: refs/heads/{branch}"))
    };
    let worktrees = std::fs::read_dir(source.common_dir.join("worktrees"));
    names_it(&source.common_dir.join("HEAD"))
        || worktrees.is_ok_and(|entries| entries.flatten().any(|entry| names_it(&entry.path().join("HEAD"))))
}

fn update_ref(source: &Source, branch: &str, tip: &str, old: &str) -> Result<()> {
    let name = format!("refs/heads/{branch}");
    host_git::ask(&source.common_dir, &["update-ref", "-m", "journeyman: result of a run", &name, tip, old])?;
    if let Ok(owner) = std::fs::metadata(source.common_dir.join("refs/heads")) {
        for top in [source.common_dir.join("refs/heads"), source.common_dir.join("logs/refs/heads")] {
            let mut path = top.join(branch);
            while path != top {
                give_to(&path, &owner);
                if !path.pop() {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Root must not leave files in a user's repository that the user cannot change.
fn give_to(path: &Path, owner: &std::fs::Metadata) {
    if nix::unistd::geteuid().is_root() && owner.uid() != 0 {
        let _ = std::os::unix::fs::lchown(path, Some(owner.uid()), Some(owner.gid()));
    }
}
