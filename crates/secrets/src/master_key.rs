//! The master key of a data folder, and sealing with it.
//!
//! The key lies in `<data>/master.key`, 32 bytes that only the owner may read. It is made once and never
//! written over.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use domain::OrgId;
use runtime::Random;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::{Secret, SubKey, sub_key, token};

/// The file's name in the data folder.
pub const FILE_NAME: &str = "master.key";

const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
/// The form of a sealed text: format byte, key id, nonce, ciphertext with tag.
const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES;

/// Where a secret belongs. A sealed text opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The tenant.
    pub org: OrgId,
    /// The secret's name: `provider/anthropic`.
    pub name: &'a str,
    /// Which writing of it: an older text put back does not open.
    pub version: i64,
}

/// The key that seals the secrets of a data folder.
pub struct MasterKey {
    cipher: XChaCha20Poly1305,
    id: [u8; KEY_ID_BYTES],
    /// What sub-keys are made from: seals and signatures never share a key.
    root: [u8; KEY_BYTES],
}

impl MasterKey {
    /// Reads the folder's key, or makes it where there is none. Two processes that start at once end up
    /// with the same key.
    ///
    /// # Errors
    ///
    /// - [`Error::KeyFileOpenToOthers`]: group or others may read or write the file.
    /// - [`Error::KeyFileWrongLength`]: the file is no key.
    /// - [`Error::KeyFile`]: it could not be read or made.
    pub fn load_or_create(data: &Path, random: &dyn Random) -> Result<Self> {
        let path = data.join(FILE_NAME);
        if let Some(key) = read(&path)? {
            return Ok(Self::from_bytes(&key));
        }
        create(data, &path, random)?;
        match read(&path)? {
            Some(key) => Ok(Self::from_bytes(&key)),
            None => Err(Error::KeyFile { doing: "find", path, source: ErrorKind::NotFound.into() }),
        }
    }

    fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let digest = Sha256::new().chain_update(b"journeyman key id").chain_update(bytes).finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        let root = sub_key::mac(bytes, b"journeyman sub keys");
        Self { cipher: XChaCha20Poly1305::new(bytes.into()), id, root }
    }

    /// The key for one purpose, always the same; it tells nothing of this key or of another purpose's.
    #[must_use]
    pub fn sub_key(&self, purpose: &str) -> SubKey {
        SubKey::from_bytes(sub_key::mac(&self.root, purpose.as_bytes()))
    }

    /// Names the key without telling it.
    #[must_use]
    pub fn id(&self) -> String {
        token::hex(&self.id)
    }

    /// Seals `secret` for `place`.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] only for texts beyond the cipher's limit of 256 GiB.
    pub fn seal(&self, place: &Place<'_>, secret: &Secret, random: &dyn Random) -> Result<String> {
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(HEADER_BYTES + NONCE_BYTES + secret.expose().len() + 16);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.id);
        let bound = bound_data(&sealed, place);
        sealed.extend_from_slice(&nonce);
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &bound };
        let encrypted = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| Error::Damaged)?;
        sealed.extend_from_slice(&encrypted);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    ///
    /// - [`Error::OtherKey`]: another master key sealed it.
    /// - [`Error::Damaged`]: it was changed, or belongs to another place.
    pub fn open(&self, place: &Place<'_>, sealed: &str) -> Result<Secret> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| Error::Damaged)?;
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES).ok_or(Error::Damaged)?;
        let (nonce, encrypted) = rest.split_at_checked(NONCE_BYTES).ok_or(Error::Damaged)?;
        if header[0] != FORMAT {
            return Err(Error::Damaged);
        }
        if header[1..] != self.id {
            return Err(Error::OtherKey { wanted: token::hex(&header[1..]), held: self.id() });
        }
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| Error::Damaged)?;
        let payload = Payload { msg: encrypted, aad: &bound_data(header, place) };
        let opened = self.cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| Error::Damaged)?;
        String::from_utf8(opened).map(Secret::new).map_err(|_| Error::Damaged)
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

/// What the seal is bound to; lengths first, so that no two places read alike.
fn bound_data(header: &[u8], place: &Place<'_>) -> Vec<u8> {
    let org = place.org.to_string();
    let mut data = header.to_vec();
    for part in [org.as_bytes(), place.name.as_bytes()] {
        data.extend_from_slice(&(part.len() as u64).to_le_bytes());
        data.extend_from_slice(part);
    }
    data.extend_from_slice(&place.version.to_le_bytes());
    data
}

/// The key in the file; `None` where there is no file.
fn read(path: &Path) -> Result<Option<[u8; KEY_BYTES]>> {
    let failed = |doing| {
        let path = path.to_owned();
        move |source| Error::KeyFile { doing, path, source }
    };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open")(error)),
    };
    let metadata = file.metadata().map_err(failed("inspect"))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::KeyFileOpenToOthers { path: path.to_owned(), mode });
    }
    if metadata.len() != KEY_BYTES as u64 {
        return Err(Error::KeyFileWrongLength { path: path.to_owned(), size_bytes: metadata.len() });
    }
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key).map_err(failed("read"))?;
    Ok(Some(key))
}

/// Makes the file whole or not at all: written aside, synced, then linked to its name, which fails where
/// another process was first.
fn create(data: &Path, path: &Path, random: &dyn Random) -> Result<()> {
    let (mut key, mut mark) = ([0; KEY_BYTES], [0; 8]);
    random.fill(&mut key);
    random.fill(&mut mark);
    let aside = data.join(format!(".{FILE_NAME}.{}", token::hex(&mark)));
    let made = write_aside(&aside, &key).and_then(|()| match fs::hard_link(&aside, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&aside);
    made.and(removed).and_then(|()| File::open(data)?.sync_all()).map_err(|source| Error::KeyFile {
        doing: "make",
        path: PathBuf::from(path),
        source,
    })
}

fn write_aside(aside: &Path, key: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(aside)?;
    file.write_all(key)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
