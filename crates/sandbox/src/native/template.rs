//! The template `host`: what a sandbox sees of this machine, read-only. Programs, libraries, a fixed list of
//! settings, toolchains and package caches; never credentials.

use std::path::{Path, PathBuf};

use crate::launcher::Template;
use crate::layout;

/// Folders of programs; on most machines some are links into /usr.
const PROGRAMS: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt"];

/// Settings that programs need and that hold no secret.
const SETTINGS: &[&str] = &[
    "alternatives",
    "bash.bashrc",
    "bash_completion.d",
    "ca-certificates",
    "ca-certificates.conf",
    "debian_version",
    "fonts",
    "host.conf",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "locale.alias",
    "locale.conf",
    "magic",
    "mime.types",
    "networks",
    "os-release",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "protocols",
    "python3",
    "redhat-release",
    "services",
    "ssl/certs",
    "timezone",
];

/// More settings, by their whole name below /etc.
const MORE_SETTINGS: &[&str] = &[
    "maven/m2.conf",
    "maven/logging",
    "ssl/openssl.cnf",
    "crypto-policies",
    "inputrc",
    "login.defs",
    "terminfo",
    "vim",
];

/// Toolchains and package caches below the home of the person who runs us. Not the folders above them, which
/// hold credentials (`~/.cargo/credentials.toml`, `~/.npmrc`, `~/.m2/settings.xml`).
const HOME_FOLDERS: &[&str] = &[
    ".cargo/bin",
    ".cargo/registry",
    ".rustup/toolchains",
    ".rustup/settings.toml",
    ".pyenv",
    ".nvm",
    ".npm/_cacache",
    ".m2/repository",
    ".gradle/caches/modules-2",
    ".cache/pip",
    ".local/share/uv/python",
    "go/pkg/mod",
    ".bun/bin",
];

/// Files that may hold credentials, in folders that are shown.
const HIDDEN: &[&str] =
    &["/usr/local/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/pip.conf", "/usr/local/etc/gitconfig"];

/// What a sandbox sees of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HostTemplate {
    /// Its root.
    pub(super) root: Template,
    /// The environment of commands.
    pub(super) environment: Vec<(String, String)>,
}

impl HostTemplate {
    /// Finds what there is on this machine.
    pub(super) fn of_host(home: Option<&Path>) -> Self {
        let root = Template { files: accounts(), ..Template::default() };
        let mut template = Self { root, ..Self::default() };
        for path in PROGRAMS {
            template.show(Path::new(path));
        }
        for name in SETTINGS.iter().chain(MORE_SETTINGS) {
            template.show(&Path::new("/etc").join(name));
        }
        template.root.links.push(("/etc/mtab".into(), "/proc/self/mounts".into()));
        template.root.links.push(("/var/tmp".into(), "/tmp".into()));
        template.root.links.push(("/var/run".into(), "/run".into()));
        let home = home.filter(|home| home.is_absolute() && *home != Path::new("/"));
        if let Some(home) = home {
            for name in HOME_FOLDERS {
                template.show(&home.join(name));
            }
        }
        let of_node = home.and_then(newest_node).map(|bin| bin.with_file_name("etc").join("npmrc"));
        let hidden = HIDDEN.iter().map(PathBuf::from).chain(of_node);
        template.root.hidden = hidden.filter(|path| path.exists()).collect();
        template.environment = environment(home);
        template
    }

    /// Shows a path as it is: a link stays a link.
    fn show(&mut self, path: &Path) {
        let Ok(metadata) = path.symlink_metadata() else { return };
        if !metadata.is_symlink() {
            self.root.shown.push((path.to_owned(), path.to_owned()));
        } else if let Ok(target) = std::fs::read_link(path) {
            self.root.links.push((path.to_owned(), target));
        }
    }
}

/// Users, groups and name look-up of the sandbox; the host's own tell who works there.
fn accounts() -> Vec<(PathBuf, String)> {
    let home = layout::HOME;
    let files = [
        (
            "/etc/passwd",
            format!(
                "root:x:0:0:root:/root:/usr/sbin/nologin\nuser:x:1000:1000:user:{home}:/bin/bash\n\
                 nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
            ),
        ),
        ("/etc/group", "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n".to_owned()),
        (
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\n\
             services: files\n"
                .to_owned(),
        ),
        ("/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n".to_owned()),
        ("/etc/hostname", "sandbox\n".to_owned()),
        ("/etc/resolv.conf", String::new()),
        ("/etc/shells", "/bin/sh\n/bin/bash\n".to_owned()),
    ];
    files.into_iter().map(|(path, content)| (PathBuf::from(path), content)).collect()
}

/// The environment of commands: small, and nothing of the server's own.
fn environment(home: Option<&Path>) -> Vec<(String, String)> {
    let mut path = Vec::new();
    let mut more = Vec::new();
    if let Some(home) = home {
        let there = |name: &str| Some(home.join(name)).filter(|path| path.exists());
        let mut set = |name: &str, path: &Path| more.push((name.to_owned(), path.display().to_string()));
        if let Some(bin) = there(".cargo/bin") {
            path.push(bin);
            set("CARGO_HOME", &home.join(".cargo"));
        }
        if there(".rustup/toolchains").is_some() {
            set("RUSTUP_HOME", &home.join(".rustup"));
            // Installing is not possible here, and asking the network would only take time.
            more.push(("RUSTUP_AUTO_INSTALL".to_owned(), "0".to_owned()));
        }
        if let Some(pyenv) = there(".pyenv") {
            path.extend([pyenv.join("shims"), pyenv.join("bin")]);
            more.push(("PYENV_ROOT".to_owned(), pyenv.display().to_string()));
        }
        path.extend(newest_node(home));
        path.extend(there(".bun/bin"));
    }
    let usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    path.extend(usual.iter().map(PathBuf::from));
    let path: Vec<String> = path.iter().map(|path| path.display().to_string()).collect();
    let mut environment: Vec<(String, String)> = [
        ("PATH", path.join(":").as_str()),
        ("HOME", layout::HOME),
        ("USER", "user"),
        ("LOGNAME", "user"),
        ("SHELL", "/bin/bash"),
        // The letters of UTF-8, and nothing else to look for at every start of a program.
        ("LC_CTYPE", "C.UTF-8"),
        ("TERM", "dumb"),
        ("TMPDIR", "/tmp"),
        ("PAGER", "cat"),
        ("GIT_PAGER", "cat"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    environment.extend(more);
    environment
}

/// The programs of the newest Node that nvm has installed.
fn newest_node(home: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(home.join(".nvm/versions/node")).ok()?;
    let version = |path: &Path| -> Option<Vec<u32>> {
        let name = path.file_name()?.to_str()?.strip_prefix('v')?;
        name.split('.').map(|part| part.parse().ok()).collect()
    };
    let folders = entries.filter_map(Result::ok).map(|entry| entry.path());
    let newest = folders.filter_map(|path| Some((version(&path)?, path))).max()?;
    Some(newest.1.join("bin"))
}
