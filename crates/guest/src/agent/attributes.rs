//! What is kept beside a file's content: extended attributes of the user's namespace, as far as they are text.
#![expect(unsafe_code, reason = "neither `std` nor `nix` wraps these system calls")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What the kernel puts before names that users may choose.
const USER: &str = "user.";
/// The most that is read of one file's names, and of one value. The usual file systems keep no more.
const NAMES_MAX_BYTES: usize = 16 << 10;
const VALUE_MAX_BYTES: usize = 4 << 10;

/// The attributes of a file or a folder; a link is not followed. What cannot be read is left out.
pub(super) fn of(path: &Path) -> BTreeMap<String, String> {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return BTreeMap::new() };
    let mut names = vec![0_u8; NAMES_MAX_BYTES];
    // SAFETY: writes at most as many bytes as the buffer has, which lives through the call.
    let length = unsafe { libc::llistxattr(path.as_ptr(), names.as_mut_ptr().cast(), names.len()) };
    let Ok(length) = usize::try_from(length) else { return BTreeMap::new() };
    let names = names[..length].split_inclusive(|byte| *byte == 0);
    names.filter_map(|name| read(&path, CStr::from_bytes_with_nul(name).ok()?)).collect()
}

fn read(path: &CStr, name: &CStr) -> Option<(String, String)> {
    let key = name.to_str().ok()?.strip_prefix(USER)?;
    let mut value = vec![0_u8; VALUE_MAX_BYTES];
    // SAFETY: writes at most as many bytes as the buffer has, which lives through the call.
    let length =
        unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    value.truncate(usize::try_from(length).ok()?);
    Some((key.to_owned(), String::from_utf8(value).ok()?))
}

/// Keeps attributes beside a file.
pub(super) fn set(file: &File, attributes: &BTreeMap<String, String>) -> io::Result<()> {
    for (key, value) in attributes {
        let name = CString::new(OsStr::new(&format!("{USER}{key}")).as_bytes())?;
        let bytes = value.as_bytes();
        // SAFETY: reads the name to its end and as many bytes of the value as it has.
        let answer = unsafe {
            libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), bytes.as_ptr().cast(), bytes.len(), 0)
        };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_read_back_as_set_and_foreign_ones_stay_away() {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        assert_eq!(of(&path), BTreeMap::new());
        let wanted = BTreeMap::from([
            ("e2b.author".to_owned(), "mish".to_owned()),
            ("note".to_owned(), String::new()),
        ]);
        set(&file, &wanted).unwrap();
        assert_eq!(of(&path), wanted);
        assert_eq!(of(&folder.path().join("none")), BTreeMap::new());
        assert!(set(&file, &BTreeMap::from([("a\0b".to_owned(), String::new())])).is_err());
    }
}
