//! Reads a tar into a fresh folder, safely: nothing is made outside it, no link is followed, no device but the
//! overlay's mark of a removed file is made, no setuid bit is set, and size and count have a limit.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use sha2::{Digest as _, Sha256};
use tar::{Archive, Entry, EntryType};
use tokio::sync::mpsc;

/// What stands before an extended attribute's name; its value is in hex, as it may have any bytes.
pub(super) const XATTR: &str = "JOURNEYMAN.xattr.";
/// Says that an entry marks a file of a lower layer as removed.
pub(super) const WHITEOUT: &str = "JOURNEYMAN.whiteout";

/// What an archive may come to.
#[derive(Debug, Clone, Copy)]
pub struct UnpackLimits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Entries.
    pub entries: u64,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { bytes: 256 << 30, entries: 20_000_000 }
    }
}

/// Whether an extended attribute belongs to a restored tree: a user's own, and what an overlay needs to know. Never
/// one that gives powers, and none that names inodes of another disk.
pub(super) fn matters(name: &str) -> bool {
    let overlay = name.strip_prefix("trusted.overlay.").or_else(|| name.strip_prefix("user.overlay."));
    match overlay {
        Some(mark) => matches!(mark, "opaque" | "redirect" | "whiteout" | "whiteouts"),
        None => name.starts_with("user."),
    }
}

/// Unpacks into `fresh`, which is made. The bytes must have this SHA-256, in hex.
pub(super) fn unpack(
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    fresh: &Path,
    checksum: &str,
    limits: UnpackLimits,
) -> io::Result<()> {
    std::fs::create_dir_all(fresh)?;
    let mut source = Source { pieces, piece: Bytes::new(), hash: Sha256::new() };
    let root = open_folder(CWD, fresh.as_os_str())?;
    let mut unpacker = Unpacker { root, left: limits, folders: Vec::new() };
    for entry in Archive::new(&mut source).entries()? {
        unpacker.take(entry?)?;
    }
    unpacker.set_times()?;
    io::copy(&mut source, &mut io::sink())?;
    if crate::digest::of(source.hash) == checksum {
        Ok(())
    } else {
        Err(bad("the archive is damaged: its checksum is another"))
    }
}

struct Unpacker {
    root: OwnedFd,
    left: UnpackLimits,
    /// Folders and their times, which are set when nothing is made in them any more.
    folders: Vec<(PathBuf, Timestamps)>,
}

/// What an entry says about itself.
struct Said {
    path: PathBuf,
    link: Option<Vec<u8>>,
    attributes: Vec<(String, Vec<u8>)>,
    whiteout: bool,
    modified: Timespec,
}

impl Unpacker {
    fn take<R: Read>(&mut self, mut entry: Entry<'_, R>) -> io::Result<()> {
        self.left.entries = self.left.entries.checked_sub(1).ok_or_else(|| bad("it has too many entries"))?;
        let said = read(&mut entry)?;
        let (Some(parent), Some(name)) = (said.path.parent(), said.path.file_name()) else {
            return Err(bad("an entry has no name"));
        };
        let parent = self.open(parent)?;
        let header = entry.header();
        let kind = header.entry_type();
        // Bits that give powers mean nothing in a sandbox, and much on a host.
        let mode = Mode::from_raw_mode(header.mode()? & 0o1777);
        let owner = (Uid::from_raw(id(header.uid()?)?), Gid::from_raw(id(header.gid()?)?));
        match kind {
            _ if said.whiteout => {
                rustix::fs::mknodat(&parent, name, rustix::fs::FileType::CharacterDevice, mode, 0)?;
            }
            EntryType::Directory => {
                rustix::fs::mkdirat(&parent, name, Mode::RWXU)?;
                let folder = open_folder(&parent, name)?;
                set_attributes(&folder, &said.attributes)?;
                own(owner, |uid, gid| rustix::fs::fchown(&folder, uid, gid))?;
                rustix::fs::fchmod(&folder, mode)?;
                self.folders.push((said.path.clone(), times(said.modified)));
                return Ok(());
            }
            EntryType::Symlink => {
                let target = said.link.as_deref().unwrap_or_default();
                rustix::fs::symlinkat(OsStr::from_bytes(target), &parent, name)?;
            }
            EntryType::Link => {
                let target = PathBuf::from(OsStr::from_bytes(said.link.as_deref().unwrap_or_default()));
                let (Some(of), Some(other)) = (target.parent(), target.file_name()) else {
                    return Err(bad("a link leads nowhere"));
                };
                rustix::fs::linkat(&self.open(of)?, other, &parent, name, AtFlags::empty())?;
                return Ok(());
            }
            EntryType::Regular | EntryType::Continuous => {
                return self.file(&mut entry, &said, (&parent, name), (mode, owner));
            }
            _ => return Err(bad("an entry is no file, folder or link")),
        }
        own(owner, |uid, gid| rustix::fs::chownat(&parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW))?;
        rustix::fs::utimensat(&parent, name, &times(said.modified), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }

    fn file<R: Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        said: &Said,
        (parent, name): (&OwnedFd, &OsStr),
        (mode, owner): (Mode, (Uid, Gid)),
    ) -> io::Result<()> {
        let size = entry.header().size()?;
        self.left.bytes = self.left.bytes.checked_sub(size).ok_or_else(|| bad("its files are too large"))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?);
        if io::copy(entry, &mut file)? != size {
            return Err(bad("a file is cut short"));
        }
        set_attributes(file.as_fd(), &said.attributes)?;
        own(owner, |uid, gid| rustix::fs::fchown(&file, uid, gid))?;
        rustix::fs::fchmod(&file, mode)?;
        Ok(rustix::fs::futimens(&file, &times(said.modified))?)
    }

    /// A folder that was unpacked before, found without following a link.
    fn open(&self, path: &Path) -> io::Result<OwnedFd> {
        let mut folder = self.root.try_clone()?;
        for part in path.components() {
            let Component::Normal(part) = part else { return Err(bad("a path leads out of the archive")) };
            folder = open_folder(&folder, part)?;
        }
        Ok(folder)
    }

    fn set_times(&self) -> io::Result<()> {
        for (path, times) in self.folders.iter().rev() {
            rustix::fs::futimens(&self.open(path)?, times)?;
        }
        Ok(())
    }
}

fn read<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<Said> {
    let mut said = Said {
        path: PathBuf::from(OsStr::from_bytes(&entry.path_bytes())),
        link: entry.link_name_bytes().map(|name| name.into_owned()),
        attributes: Vec::new(),
        whiteout: false,
        modified: Timespec { tv_sec: i64::try_from(entry.header().mtime()?).unwrap_or(0), tv_nsec: 0 },
    };
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        let key = extension.key().map_err(|_| bad("a name is no text"))?;
        if let Some(name) = key.strip_prefix(XATTR).filter(|name| matters(name)) {
            let value = unhex(extension.value_bytes()).ok_or_else(|| bad("an attribute is no hex"))?;
            said.attributes.push((name.to_owned(), value));
        }
        match key {
            "mtime" => said.modified = time(extension.value_bytes()).unwrap_or(said.modified),
            WHITEOUT => said.whiteout = true,
            _ => {}
        }
    }
    let fits = said.path.components().all(|part| matches!(part, Component::Normal(_)));
    if fits { Ok(said) } else { Err(bad("a path leads out of the archive")) }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

/// `12.000000005`
fn time(text: &[u8]) -> Option<Timespec> {
    let text = std::str::from_utf8(text).ok()?;
    let (seconds, part) = text.split_once('.').unwrap_or((text, "0"));
    let nanos: String = part.chars().chain("000000000".chars()).take(9).collect();
    Some(Timespec { tv_sec: seconds.parse().ok()?, tv_nsec: nanos.parse().ok()? })
}

fn times(modified: Timespec) -> Timestamps {
    Timestamps { last_access: modified, last_modification: modified }
}

fn id(raw: u64) -> io::Result<u32> {
    u32::try_from(raw).ok().filter(|id| *id != u32::MAX).ok_or_else(|| bad("an owner is none"))
}

/// Without root everything is ours, as it was when it was packed.
fn own(
    (uid, gid): (Uid, Gid),
    change: impl FnOnce(Option<Uid>, Option<Gid>) -> rustix::io::Result<()>,
) -> io::Result<()> {
    if nix::unistd::geteuid().is_root() { Ok(change(Some(uid), Some(gid))?) } else { Ok(()) }
}

fn set_attributes(of: impl std::os::fd::AsFd, attributes: &[(String, Vec<u8>)]) -> io::Result<()> {
    for (name, value) in attributes {
        rustix::fs::fsetxattr(&of, name.as_str(), value, XattrFlags::empty())?;
    }
    Ok(())
}

fn open_folder(at: impl std::os::fd::AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The bytes of an archive as they come, with their checksum.
struct Source {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
    hash: Sha256,
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(into.len());
        let taken = self.piece.split_to(count);
        into[..count].copy_from_slice(&taken);
        self.hash.update(&taken);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
