//! The places of a sandbox that persist: what lies in its state folder, over the layers and the base below them.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use nix::libc;

use super::ids::{self, AGENT, STORAGE};
use super::order::{Fault, Order};
use super::root::{KEPT, Parts, Result, SHOWN, Tree, at, path_fault, relative};
use super::sys::{self, NewFileSystem};
use crate::layout::{self, Place};

/// Makes the folders of the state that are missing, owned as the sandbox will see them.
pub(super) fn prepare(order: &Order, with_root: bool) -> Result<()> {
    let state = &order.state;
    fs::create_dir_all(state).map_err(|error| path_fault(state, &error))?;
    // Others on this host have no business in it; the sandbox reaches it by descriptor.
    fs::set_permissions(state, fs::Permissions::from_mode(0o700))
        .map_err(|error| path_fault(state, &error))?;
    for place in places(order) {
        let folder = state.join(if is_layered(order, place) { place.layered } else { place.plain });
        let owner = if place.inside == "/" { STORAGE } else { STORAGE + AGENT };
        make_owned(&folder, with_root.then_some(owner))?;
        if is_layered(order, place) {
            for name in ["upper", "work"] {
                make_owned(&folder.join(name), with_root.then_some(owner))?;
            }
        }
    }
    Ok(())
}

fn make_owned(folder: &Path, owner: Option<u32>) -> Result<()> {
    let fault = |error: io::Error| path_fault(folder, &error);
    match fs::DirBuilder::new().mode(0o755).create(folder) {
        Ok(()) if owner.is_some() => std::os::unix::fs::chown(folder, owner, owner).map_err(fault),
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(fault(error)),
    }
}

/// The places that this sandbox keeps, the root first.
fn places(order: &Order) -> impl Iterator<Item = Place> {
    let root = is_root_kept(order).then_some(layout::ROOT_PLACE);
    root.into_iter().chain(layout::PLACES)
}

/// Whether the root itself is one of the places.
pub(super) fn is_root_kept(order: &Order) -> bool {
    order.writable_root || order.rootfs.is_some()
}

/// Whether something lies below the place: then it is an overlay.
fn is_layered(order: &Order, place: Place) -> bool {
    let base = place.inside == layout::WORKSPACE && order.workspace_base.is_some();
    let of_rootfs = order.rootfs.is_some() && place.inside == layout::HOME;
    place.inside == "/" || base || of_rootfs || !order.layers.is_empty()
}

impl Parts<'_> {
    /// Opens the places, to be attached.
    pub(super) fn open_places(&self, order: &Order) -> Result<Vec<Tree>> {
        let tree = |place: Place| {
            let mount = if is_layered(order, place) {
                self.layered(order, place)?
            } else {
                self.storage(&order.state.join(place.plain))?
            };
            Ok(Tree { mount, is_folder: true, inside: relative(Path::new(place.inside)) })
        };
        layout::PLACES.into_iter().map(tree).collect()
    }

    fn layered(&self, order: &Order, place: Place) -> Result<OwnedFd> {
        let mut lowers = self.layers(order, place)?;
        match (&order.workspace_base, &order.rootfs) {
            (Some(base), _) if place.inside == layout::WORKSPACE => lowers.push(self.base(base)?),
            (_, Some(rootfs)) if place.inside == layout::HOME => {
                lowers.extend(self.in_rootfs(rootfs, &relative(Path::new(place.inside)))?);
            }
            _ => {}
        }
        if lowers.is_empty() {
            lowers.push(self.nothing()?);
        }
        self.overlay(order, place, &lowers)
    }

    /// The root as a place that persists, over `skeleton` or the tree that takes its place.
    pub(super) fn kept_root(&self, order: &Order, skeleton: OwnedFd) -> Result<OwnedFd> {
        let mut lowers = self.layers(order, layout::ROOT_PLACE)?;
        match &order.rootfs {
            Some(rootfs) => lowers.push(self.shown_tree(rootfs)?),
            None => lowers.push(skeleton),
        }
        self.overlay(order, layout::ROOT_PLACE, &lowers)
    }

    /// What the layers hold of a place, the newest first.
    fn layers(&self, order: &Order, place: Place) -> Result<Vec<OwnedFd>> {
        let folders = order.layers.iter().flat_map(|layer| {
            // Over a plain folder nothing lies, so that a state never has both.
            [layer.join(place.layered).join("upper"), layer.join(place.plain)]
        });
        let there = folders.filter(|folder| folder.is_dir());
        there
            .map(|folder| {
                let tree = sys::open_tree(&folder).map_err(|error| path_fault(&folder, &error))?;
                self.map_ids(&tree, SHOWN, self.namespaces.map(|ids| ids.storage.as_fd()), &folder)?;
                Ok(tree)
            })
            .collect()
    }

    /// The base of /workspace: its owner looks like the agent.
    fn base(&self, base: &Path) -> Result<OwnedFd> {
        let tree = sys::open_tree(base).map_err(|error| path_fault(base, &error))?;
        let stranger = match self.namespaces {
            Some(_) => ids::base_namespace(base, self.owner).map_err(at("map the owner of the base"))?,
            None => None,
        };
        let ids = self.namespaces.map(|ids| stranger.as_ref().unwrap_or(&ids.storage).as_fd());
        self.map_ids(&tree, SHOWN, ids, base)?;
        Ok(tree)
    }

    /// A folder of the rootfs, where it has one.
    fn in_rootfs(&self, rootfs: &Path, inside: &Path) -> Result<Option<OwnedFd>> {
        let folder = rootfs.join(inside);
        // A link could name any folder of the host.
        let is_folder = folder.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        let above_is_folder = folder
            .parent()
            .and_then(|above| above.symlink_metadata().ok())
            .is_some_and(|above| above.is_dir());
        (is_folder && above_is_folder).then(|| self.shown_tree(&folder)).transpose()
    }

    /// A tree of the host, read-only, with its owners as inside.
    fn shown_tree(&self, host: &Path) -> Result<OwnedFd> {
        let tree = sys::open_tree(host).map_err(|error| path_fault(host, &error))?;
        self.map_ids(&tree, SHOWN, self.namespaces.map(|ids| ids.own.as_fd()), host)?;
        Ok(tree)
    }

    /// An empty lower layer.
    fn nothing(&self) -> Result<OwnedFd> {
        self.new_tmpfs(4 << 10, 1, "0755", SHOWN)
    }

    /// A detached mount of a folder of the state, with its owners as the sandbox sees them.
    fn storage(&self, host: &Path) -> Result<OwnedFd> {
        let tree = sys::open_tree(host).map_err(|error| path_fault(host, &error))?;
        self.map_ids(&tree, KEPT, self.namespaces.map(|ids| ids.storage.as_fd()), host)?;
        Ok(tree)
    }

    fn map_ids(&self, tree: &OwnedFd, set: u64, ids: Option<BorrowedFd<'_>>, host: &Path) -> Result<()> {
        sys::set_attributes(tree.as_fd(), set, ids).map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL | libc::EOPNOTSUPP) if ids.is_some() => Fault::Unsupported {
                missing: format!("id-mapped mounts on the file system of {}", host.display()),
                fix: "keep Journeyman's data on ext4, XFS or btrfs and use Linux 5.19 or later".to_owned(),
            },
            _ => path_fault(host, &error),
        })
    }

    /// The lower layers, and over them what the sandbox writes.
    fn overlay(&self, order: &Order, place: Place, lowers: &[OwnedFd]) -> Result<OwnedFd> {
        let upper = self.storage(&order.state.join(place.layered))?;
        self.new_overlay(lowers, &upper).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => Fault::DiskFull { path: order.state.clone() },
            _ => Fault::Unsupported {
                missing: format!("an overlay for {} ({error})", place.inside),
                fix:
                    "use Linux 5.19 or later with overlayfs, and keep Journeyman's data on ext4, XFS or btrfs"
                        .to_owned(),
            },
        })
    }

    /// The layers are named by descriptors, so that no path of the host shows in /proc/mounts.
    fn new_overlay(&self, lowers: &[OwnedFd], upper: &OwnedFd) -> io::Result<OwnedFd> {
        let path = |fd: &OwnedFd, name: &str| format!("/proc/self/fd/{}{name}", fd.as_raw_fd());
        let text = |text: String| CString::new(text).map_err(io::Error::other);
        let overlay = NewFileSystem::open(c"overlay")?;
        let added = lowers.iter().try_for_each(|lower| overlay.descriptor(c"lowerdir+", lower.as_fd()));
        if added.is_err() {
            // Before Linux 6.8 (and where that is refused) layers have paths.
            let paths: Vec<String> = lowers.iter().map(|lower| path(lower, "")).collect();
            overlay.option(c"lowerdir", &text(paths.join(":"))?)?;
        }
        overlay.option(c"upperdir", &text(path(upper, "/upper"))?)?;
        overlay.option(c"workdir", &text(path(upper, "/work"))?)?;
        if self.namespaces.is_none() {
            overlay.flag(c"userxattr")?;
        } else {
            // Renaming a folder of the base works as anywhere else; without root it is refused as "another device",
            // which `mv` takes for a reason to copy.
            overlay.option(c"redirect_dir", c"on")?;
        }
        overlay.mount(KEPT)
    }
}
