//! Writes folders as a tar: every entry with owner, mode, time and the attributes that matter.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;

use super::unpack::{WHITEOUT, XATTR, matters};

/// Bytes that are handed on at once.
const PIECE_BYTES: usize = 1 << 20;

/// Packs folders under their names. Ends early where nobody takes the pieces.
pub(super) fn pack(folders: &[(String, PathBuf)], pieces: mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut packer = Packer {
        tar: Builder::new(Pieces { pieces, waiting: Vec::with_capacity(PIECE_BYTES) }),
        linked: HashMap::new(),
    };
    for (name, folder) in folders {
        packer.add(folder, Path::new(name))?;
    }
    packer.tar.into_inner()?.flush()
}

struct Packer {
    tar: Builder<Pieces>,
    /// Where files with several names were packed first.
    linked: HashMap<(u64, u64), PathBuf>,
}

impl Packer {
    fn add(&mut self, from: &Path, name: &Path) -> io::Result<()> {
        // Of a link this is the link itself: nothing is followed.
        let about = fs::symlink_metadata(from)?;
        let kind = about.file_type();
        if kind.is_socket() || kind.is_fifo() {
            // What waited there is gone with its processes.
            return Ok(());
        }
        if kind.is_char_device() || kind.is_block_device() {
            return if kind.is_char_device() && about.rdev() == 0 {
                self.entry((from, name), &about, EntryType::Regular, &[(WHITEOUT.to_owned(), b"1".to_vec())])
            } else {
                Ok(())
            };
        }
        if kind.is_symlink() {
            return self.entry((from, name), &about, EntryType::Symlink, &[]);
        }
        if kind.is_dir() {
            self.entry((from, name), &about, EntryType::Directory, &[])?;
            let mut entries = fs::read_dir(from)?.collect::<io::Result<Vec<_>>>()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            return entries.iter().try_for_each(|entry| {
                // The kernel's scratch of an overlay, and our own sockets' place.
                let is_scratch = entry.file_name() == OsStr::new("work") && from.join("upper").is_dir();
                if is_scratch { Ok(()) } else { self.add(&entry.path(), &name.join(entry.file_name())) }
            });
        }
        self.entry((from, name), &about, EntryType::Regular, &[])
    }

    fn entry(
        &mut self,
        (from, name): (&Path, &Path),
        about: &Metadata,
        kind: EntryType,
        more: &[(String, Vec<u8>)],
    ) -> io::Result<()> {
        let is_file = kind == EntryType::Regular && more.is_empty();
        let first = (is_file && about.nlink() > 1)
            .then(|| self.linked.insert((about.dev(), about.ino()), name.to_owned()))
            .flatten();
        let mut extensions = attributes(from, about)?;
        extensions.extend_from_slice(more);
        extensions.push(("mtime".to_owned(), time(about).into_bytes()));
        let mut header = Header::new_gnu();
        header.set_metadata(about);
        header.set_entry_type(kind);
        header.set_size(0);
        let link = match (&first, kind) {
            (Some(first), _) => {
                self.linked.insert((about.dev(), about.ino()), first.clone());
                header.set_entry_type(EntryType::Link);
                Some(first.clone())
            }
            (None, EntryType::Symlink) => Some(fs::read_link(from)?),
            (None, _) => None,
        };
        let size = if is_file && link.is_none() { about.size() } else { 0 };
        header.set_size(size);
        let pairs = extensions.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        self.tar.append_pax_extensions(pairs)?;
        self.long(b'L', name.as_os_str().as_bytes())?;
        if let Some(link) = &link {
            self.long(b'K', link.as_os_str().as_bytes())?;
        }
        header.set_cksum();
        if size > 0 {
            self.tar.append(&header, Exactly { file: File::open(from)?, left: size })
        } else {
            self.tar.append(&header, io::empty())
        }
    }

    /// A name of any bytes and length: GNU's way, as the other's values end at a line's end.
    fn long(&mut self, kind: u8, name: &[u8]) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_path("././@LongLink")?;
        header.set_entry_type(EntryType::new(kind));
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(name.len() as u64 + 1);
        header.set_cksum();
        self.tar.append(&header, io::Read::chain(name, &[0][..]))
    }
}

/// A time to the nanosecond, as tar writes it.
fn time(about: &Metadata) -> String {
    format!("{}.{:09}", about.mtime(), about.mtime_nsec())
}

/// The attributes that a restored tree needs.
fn attributes(from: &Path, about: &Metadata) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    if about.is_symlink() {
        return Ok(found);
    }
    let mut names = vec![0; 64 << 10];
    let length = match rustix::fs::llistxattr(from, &mut names) {
        Ok(length) => length,
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(found),
        Err(error) => return Err(error.into()),
    };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let Some(name) = std::str::from_utf8(name).ok().filter(|name| matters(name)) else { continue };
        if name.contains(['\n', '=']) {
            continue;
        }
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::lgetxattr(from, name, &mut value)?;
        value.truncate(length);
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        found.push((format!("{XATTR}{name}"), hex.into_bytes()));
    }
    Ok(found)
}

/// As many bytes as were announced: what grew is cut, what shrank is filled up, so that the archive stays whole.
struct Exactly {
    file: File,
    left: u64,
}

impl io::Read for Exactly {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let into = &mut into[..most];
        let mut count = self.file.read(into)?;
        if count == 0 && most > 0 {
            into.fill(0);
            count = most;
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Hands on what is written, piece by piece.
struct Pieces {
    pieces: mpsc::Sender<Bytes>,
    waiting: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.waiting, Vec::with_capacity(PIECE_BYTES));
        self.pieces.blocking_send(piece.into()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
