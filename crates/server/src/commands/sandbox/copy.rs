//! `journeyman box cp`: files and folders, in and out. Links in a folder are not followed; they are left out and named.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{items, path, word};
use crate::cli::sandbox::{CpArgs, Side};
use crate::client::encode;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::session::Session;

/// How deep a folder is copied out.
const DEPTH: u32 = 64;

pub(super) async fn copy(session: &Session, args: &CpArgs) -> Result<Exit> {
    let (count, bytes) = match (Side::of(&args.from), Side::of(&args.to)) {
        (Side::Here(from), Side::Inside(sandbox, to)) => copy_in(session, &from, &sandbox, &to).await?,
        (Side::Inside(sandbox, from), Side::Here(to)) => copy_out(session, &sandbox, &from, &to).await?,
        (Side::Here(_), Side::Here(_)) | (Side::Inside(..), Side::Inside(..)) => {
            return Err(Failure::new(
                "copy_unclear",
                "one side is a sandbox, written SANDBOX:PATH, the other is not",
            ));
        }
    };
    let done = json!({ "files": count, "size_bytes": bytes });
    session.output().either(&done, || format!("{count} files, {bytes} bytes"));
    Ok(Exit::Ok)
}

async fn copy_in(session: &Session, from: &Path, sandbox: &str, to: &str) -> Result<(u64, u64)> {
    let about = std::fs::metadata(from).map_err(|error| bad(from, &error))?;
    if !about.is_dir() {
        let to = into_folder(to, from.file_name().and_then(|name| name.to_str()).unwrap_or_default());
        return put(session, from, sandbox, &to).await.map(|bytes| (1, bytes));
    }
    let (mut count, mut bytes) = (0, 0);
    let mut open = vec![(from.to_owned(), to.trim_end_matches('/').to_owned())];
    while let Some((folder, inside)) = open.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| bad(&folder, &error))? {
            let entry = entry.map_err(|error| bad(&folder, &error))?;
            let kind = entry.file_type().map_err(|error| bad(&folder, &error))?;
            let name = entry.file_name();
            let inside = format!("{inside}/{}", name.to_string_lossy());
            if kind.is_dir() {
                open.push((entry.path(), inside));
            } else if kind.is_file() && name.to_str().is_some() {
                bytes += put(session, &entry.path(), sandbox, &inside).await?;
                count += 1;
            } else {
                session.output().say(&format!("left out: {}", entry.path().display()));
            }
        }
    }
    Ok((count, bytes))
}

async fn put(session: &Session, from: &Path, sandbox: &str, to: &str) -> Result<u64> {
    let file = tokio::fs::File::open(from).await.map_err(|error| bad(from, &error))?;
    let about = file.metadata().await.map_err(|error| bad(from, &error))?;
    let mode = about.permissions().mode() & 0o777;
    let address = format!("{}/files?path={}&mode={mode:o}", path(sandbox), encode(to));
    session.client.put_file(&address, file, about.size()).await?;
    Ok(about.size())
}

async fn copy_out(session: &Session, sandbox: &str, from: &str, to: &Path) -> Result<(u64, u64)> {
    let folder = |path_inside: &str, depth: u32| {
        format!("{}/folder?path={}&depth={depth}", path(sandbox), encode(path_inside))
    };
    let about: Value = session.client.get(&folder(from, 0)).await?;
    let entry = items(&about).first().cloned().unwrap_or_default();
    if word(&entry, "kind") != "folder" {
        let to = if to.is_dir() { to.join(safe_name(&word(&entry, "name"))?) } else { to.to_owned() };
        return get(session, sandbox, &entry, &to).await.map(|bytes| (1, bytes));
    }
    let root = word(&entry, "path");
    let page: Value = session.client.get(&folder(from, DEPTH)).await?;
    std::fs::create_dir_all(to).map_err(|error| bad(to, &error))?;
    let (mut count, mut bytes) = (0, 0);
    for entry in items(&page) {
        let whole = word(entry, "path");
        let Some(below) = whole.strip_prefix(&root).map(|below| below.trim_start_matches('/')) else {
            continue;
        };
        let mut place = to.to_owned();
        for part in below.split('/') {
            place.push(safe_name(part)?);
        }
        match word(entry, "kind").as_str() {
            "folder" => std::fs::create_dir_all(&place).map_err(|error| bad(&place, &error))?,
            "file" => {
                bytes += get(session, sandbox, entry, &place).await?;
                count += 1;
            }
            _ => session.output().say(&format!("left out: {whole}")),
        }
    }
    Ok((count, bytes))
}

async fn get(session: &Session, sandbox: &str, entry: &Value, to: &Path) -> Result<u64> {
    // A link that stands there already would lead elsewhere.
    if std::fs::symlink_metadata(to).is_ok_and(|about| about.is_symlink()) {
        let text = format!("{} is a link; it is not written through", to.display());
        return Err(Failure::new("bad_input", text));
    }
    let address = format!("{}/files?path={}", path(sandbox), encode(&word(entry, "path")));
    let bytes = session.client.get_file(&address, to).await?;
    let mode = u32::try_from(entry["mode"].as_u64().unwrap_or(0o644)).unwrap_or(0o644) & 0o777;
    let kept = std::fs::set_permissions(to, std::fs::Permissions::from_mode(mode | 0o600));
    kept.map_err(|error| bad(to, &error))?;
    Ok(bytes)
}

/// A name from a sandbox stays one name here.
fn safe_name(name: &str) -> Result<&str> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(Failure::new("unsafe_path", format!("the sandbox names a file {name:?}")));
    }
    Ok(name)
}

/// A path that ends like a folder's takes the file's own name.
fn into_folder(to: &str, name: &str) -> String {
    if to.ends_with('/') || to == "." { format!("{to}/{name}") } else { to.to_owned() }
}

fn bad(path: &Path, error: &std::io::Error) -> Failure {
    let path = PathBuf::from(path);
    Failure::new("bad_input", format!("{}: {error}", path.display()))
}
