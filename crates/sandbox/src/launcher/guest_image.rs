//! The agent's program: one sealed file in memory for all sandboxes, whose pages they share.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

static IMAGE: &[u8] = include_bytes!(env!("GUEST_IMAGE"));

/// Copies the program into memory that nobody can change any more.
pub(super) fn sealed() -> io::Result<OwnedFd> {
    let mut file =
        File::from(memfd_create(c"journeyman-guest", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?);
    file.write_all(IMAGE)?;
    let seals =
        SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}
