//! What others take for the same: a program's start without any isolation, in bwrap, and in runc.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::figures::{Figure, median};

const ROUNDS: u32 = 30;

/// One figure for each that is there.
pub(super) fn all(folder: &Path) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut take = |name: &str, make: &mut dyn FnMut() -> Command| {
        let took: Option<Vec<f64>> = (0..ROUNDS).map(|_| one(&mut make())).collect();
        figures.extend(took.map(|took| Figure::new(format!("{name}, p50"), median(&took), "ms")));
    };
    take("fork and exec of /bin/echo, no isolation", &mut || {
        let mut command = Command::new("/bin/echo");
        command.arg("hello");
        command
    });
    take("bwrap: start to end of /bin/echo (no filter, no limits)", &mut bwrap);
    if let Some(bundle) = bundle(folder) {
        let mut number = 0;
        take("runc: start to end of /bin/echo", &mut || {
            number += 1;
            let mut command = Command::new("runc");
            command.args(["run", "--bundle"]).arg(&bundle);
            command.arg(format!("jm-bench-{}-{number}", std::process::id()));
            command
        });
    }
    figures
}

/// Milliseconds; nothing where it does not work here.
fn one(command: &mut Command) -> Option<f64> {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    (output.stdout == b"hello\n").then(|| began.elapsed().as_secs_f64() * 1e3)
}

fn bwrap() -> Command {
    let mut command = Command::new("bwrap");
    let arguments = "--unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib \
                     --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp /bin/echo hello";
    command.args(arguments.split(' ').filter(|word| !word.is_empty()));
    command
}

/// A bundle that shows this host's /usr; nothing where there is no runc.
fn bundle(folder: &Path) -> Option<std::path::PathBuf> {
    let bundle = folder.join("bundle");
    let root = bundle.join("rootfs");
    std::fs::create_dir_all(root.join("usr")).ok()?;
    for (name, target) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")] {
        std::os::unix::fs::symlink(target, root.join(name)).ok()?;
    }
    let spec = Command::new("runc").args(["spec", "--bundle"]).arg(&bundle).status().ok()?;
    if !spec.success() {
        return None;
    }
    let path = bundle.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
    config["process"]["terminal"] = false.into();
    config["process"]["args"] = serde_json::json!(["/bin/echo", "hello"]);
    let usr = serde_json::json!({
        "destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]
    });
    config["mounts"].as_array_mut()?.push(usr);
    std::fs::write(&path, config.to_string()).ok()?;
    Some(bundle)
}
