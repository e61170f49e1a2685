//! A disk that is soon full, for root.
#![expect(clippy::expect_used, reason = "a test without its disk cannot go on")]

/// A file system in memory that is soon full.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub(crate) fn mount() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let size = Some("size=24m,mode=0700");
        nix::mount::mount(Some("tmpfs"), folder.path(), Some("tmpfs"), nix::mount::MsFlags::empty(), size)
            .expect("mount a small disk");
        Self(folder)
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    pub(crate) fn fill(&self) {
        use std::io::Write;

        let mut file = std::fs::File::create(self.path().join("filler")).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    pub(crate) fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).expect("remove the filler");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A mount that stays costs memory until the machine restarts; the test has told what it had to.
        let _gone = nix::mount::umount2(self.path(), nix::mount::MntFlags::MNT_DETACH);
    }
}
