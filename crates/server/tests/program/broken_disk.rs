//! A disk that answers with I/O errors for a while, for root: a file system on a loop device whose content
//! goes away under it and comes back.
#![expect(clippy::expect_used, reason = "a test without its disk cannot go on")]
#![expect(clippy::disallowed_methods, reason = "file systems are made by the machine's own programs")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A file system of its own on a loop device.
pub(crate) struct BreakableDisk {
    folder: TempDir,
    device: String,
}

impl BreakableDisk {
    /// None, with the reason on standard error, where this machine has no loop devices.
    #[expect(clippy::print_stderr, reason = "who reads the results is told what was not tested")]
    pub(crate) fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("image");
        std::fs::File::create(&image).and_then(|file| file.set_len(96 << 20)).expect("an image");
        std::fs::create_dir(folder.path().join("mounted")).expect("a folder");
        run("mkfs.ext4", &["-q", "-m", "0", &image.to_string_lossy()]);
        let made = Command::new("losetup").args(["--find", "--show"]).arg(&image).output();
        let Some(made) = made.ok().filter(|made| made.status.success()) else {
            eprintln!("skipped: this machine gives no loop device, so no disk can be made to fail");
            return None;
        };
        let device = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        let disk = Self { folder, device };
        disk.attach();
        Some(disk)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// From now on the disk reads and writes nothing. What is in memory alone is not saved.
    pub(crate) fn break_it(&self) {
        std::fs::copy(self.image(), self.saved()).expect("save the image");
        let image = std::fs::OpenOptions::new().write(true).open(self.image()).expect("the image");
        image.set_len(0).expect("empty the image");
        run("losetup", &["--set-capacity", &self.device]);
        let unsynced = std::fs::File::create(self.path().join("probe")).and_then(|file| file.sync_all());
        assert!(unsynced.is_err(), "the disk still works");
    }

    /// The disk works again, with what it had when it broke, as after a restart of the machine.
    pub(crate) fn mend(&self) {
        run("umount", &[&self.path().to_string_lossy()]);
        let mut saved = std::fs::File::open(self.saved()).expect("the saved image");
        let mut image = std::fs::OpenOptions::new().write(true).open(self.image()).expect("the image");
        std::io::copy(&mut saved, &mut image).expect("put the image back");
        run("losetup", &["--set-capacity", &self.device]);
        self.attach();
    }

    fn attach(&self) {
        run("mount", &[&self.device, &self.path().to_string_lossy()]);
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn saved(&self) -> PathBuf {
        self.folder.path().join("saved")
    }
}

impl Drop for BreakableDisk {
    fn drop(&mut self) {
        // What stays mounted or attached goes with the machine; the test has told what it had to.
        let _gone = nix::mount::umount2(Path::new(&self.path()), nix::mount::MntFlags::MNT_DETACH);
        let _detached = Command::new("losetup").args(["--detach", &self.device]).status();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let ended = Command::new(program).args(arguments).output().expect("start a program");
    assert!(ended.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
}
