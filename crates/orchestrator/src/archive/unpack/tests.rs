use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

type Tested = io::Result<()>;

/// An archive of entries that an attacker would write.
fn archive(build: impl FnOnce(&mut tar::Builder<Vec<u8>>) -> io::Result<()>) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    build(&mut builder)?;
    builder.into_inner()
}

fn header(kind: EntryType, path: &str, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(nix::unistd::geteuid().as_raw().into());
    header.set_gid(nix::unistd::getegid().as_raw().into());
    header.set_mtime(1);
    (header.as_mut_bytes()[..path.len()]).copy_from_slice(path.as_bytes());
    header.set_cksum();
    header
}

fn read_back(bytes: &[u8], fresh: &Path, limits: UnpackLimits) -> Tested {
    let (send, pieces) = mpsc::channel(100_000);
    for piece in bytes.chunks(1000) {
        send.try_send(Ok(Bytes::copy_from_slice(piece))).map_err(|_| io::ErrorKind::OutOfMemory)?;
    }
    drop(send);
    unpack(pieces, fresh, &crate::digest::hex(bytes), limits)
}

#[test]
fn a_tree_comes_back_equal() -> Tested {
    let place = tempfile::tempdir()?;
    let (from, to) = (place.path().join("from"), place.path().join("to"));
    std::fs::create_dir_all(from.join("deep/er"))?;
    std::fs::write(from.join("deep/er/run"), b"#!/bin/sh\n")?;
    std::fs::set_permissions(from.join("deep/er/run"), std::fs::Permissions::from_mode(0o751))?;
    std::fs::write(from.join("large"), vec![7; 3 << 20])?;
    std::fs::hard_link(from.join("large"), from.join("same"))?;
    symlink("/nowhere/at all", from.join("link"))?;
    let odd = OsStr::from_bytes(b"odd \xff\n name");
    std::fs::write(from.join(odd), b"odd")?;
    let long = "x".repeat(200);
    std::fs::write(from.join(&long), b"long")?;
    rustix::fs::setxattr(from.join("large"), "user.colour", b"blue", XattrFlags::empty())?;
    rustix::fs::utimensat(
        CWD,
        from.join("deep"),
        &times(Timespec { tv_sec: 1_000, tv_nsec: 5 }),
        AtFlags::empty(),
    )?;

    let (send, mut pieces) = mpsc::channel(1024);
    crate::archive::pack::pack(&[("layer".to_owned(), from.clone())], send)?;
    let mut bytes = Vec::new();
    while let Ok(piece) = pieces.try_recv() {
        bytes.extend_from_slice(&piece);
    }
    read_back(&bytes, &to, UnpackLimits::default())?;

    let tell =
        |root: &Path| -> io::Result<Vec<String>> {
            use std::os::unix::fs::MetadataExt as _;
            let mut told = Vec::new();
            let mut open = vec![root.to_owned()];
            while let Some(path) = open.pop() {
                let about = std::fs::symlink_metadata(&path)?;
                let content =
                    if about.is_file() { crate::digest::hex(&std::fs::read(&path)?) } else { String::new() };
                let link = std::fs::read_link(&path).unwrap_or_default();
                let (mtime, nanos) = (about.mtime(), about.mtime_nsec());
                told.push(format!(
                    "{:?} {:o} {} {mtime}.{nanos} {content} {link:?} {}",
                    path.strip_prefix(root),
                    about.mode(),
                    about.uid(),
                    if about.is_dir() { 0 } else { about.nlink() }
                ));
                if about.is_dir() {
                    open.extend(
                        std::fs::read_dir(&path)?
                            .map(|entry| entry.map(|entry| entry.path()))
                            .collect::<Result<Vec<_>, _>>()?,
                    );
                }
            }
            told.sort();
            Ok(told)
        };
    assert_eq!(tell(&to.join("layer"))?, tell(&from)?);
    let mut value = [0; 16];
    let length = rustix::fs::getxattr(to.join("layer/large"), "user.colour", &mut value)?;
    assert_eq!(&value[..length], b"blue");
    Ok(())
}

#[test]
fn archives_that_escape_are_refused_and_nothing_lies_outside() -> Tested {
    let outside = "../outside";
    let cases: [(&str, io::Result<Vec<u8>>); 7] = [
        (
            "a path upwards",
            archive(|tar| tar.append(&header(EntryType::Regular, outside, 2, 0o644), &b"hi"[..])),
        ),
        (
            "a path from the root",
            archive(|tar| tar.append(&header(EntryType::Regular, "/tmp/outside", 2, 0o644), &b"hi"[..])),
        ),
        (
            "a file through a link",
            archive(|tar| {
                let mut link = header(EntryType::Symlink, "way", 0, 0o777);
                link.set_link_name("..")?;
                link.set_cksum();
                tar.append(&link, io::empty())?;
                tar.append(&header(EntryType::Regular, "way/outside", 2, 0o644), &b"hi"[..])
            }),
        ),
        (
            "a second name for what lies outside",
            archive(|tar| {
                let mut link = header(EntryType::Link, "mine", 0, 0o644);
                link.set_link_name("../secret")?;
                link.set_cksum();
                tar.append(&link, io::empty())
            }),
        ),
        ("a device", archive(|tar| tar.append(&header(EntryType::Char, "null", 0, 0o666), io::empty()))),
        (
            "a block device",
            archive(|tar| tar.append(&header(EntryType::Block, "disk", 0, 0o666), io::empty())),
        ),
        ("a pipe", archive(|tar| tar.append(&header(EntryType::Fifo, "pipe", 0, 0o666), io::empty()))),
    ];
    for (name, bytes) in cases {
        let place = tempfile::tempdir()?;
        std::fs::write(place.path().join("secret"), b"s")?;
        let refused = read_back(&bytes?, &place.path().join("to"), UnpackLimits::default());
        assert!(refused.is_err(), "{name} was accepted");
        assert!(!place.path().join("outside").exists() && !Path::new("/tmp/outside").exists(), "{name}");
    }
    Ok(())
}

#[test]
fn powers_are_dropped_and_floods_and_damage_refused() -> Tested {
    let place = tempfile::tempdir()?;
    let bytes = archive(|tar| tar.append(&header(EntryType::Regular, "su", 2, 0o6755), &b"hi"[..]))?;
    read_back(&bytes, &place.path().join("to"), UnpackLimits::default())?;
    let mode = std::fs::metadata(place.path().join("to/su"))?.permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
    for limits in [UnpackLimits { bytes: 1, entries: 9 }, UnpackLimits { bytes: 9, entries: 0 }] {
        assert!(read_back(&bytes, &place.path().join("small"), limits).is_err());
    }
    let (send, pieces) = mpsc::channel(1024);
    send.try_send(Ok(Bytes::from(bytes))).map_err(|_| io::ErrorKind::OutOfMemory)?;
    drop(send);
    let damaged = unpack(pieces, &place.path().join("damaged"), "00", UnpackLimits::default());
    assert!(damaged.is_err_and(|error| error.to_string().contains("checksum")));
    Ok(())
}
