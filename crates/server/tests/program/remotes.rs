//! Repositories by URL, from git's own server behind a password.

#![expect(clippy::expect_used, reason = "the support of tests, where a panic is the failure")]
#![expect(clippy::disallowed_methods, reason = "the server of a test is no work of an agent")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use testkit::program::Program;
use testkit::repository::Repository;

use super::common::{JOURNEYMAN, WRITES_A_FILE};

const PASSWORD: &str = "correct-horse-battery";
/// `bot:correct-horse-battery`
const AUTHORIZATION: &str = "Basic Ym90OmNvcnJlY3QtaG9yc2UtYmF0dGVyeQ==";

/// `git http-backend` behind a password.
struct GitServer {
    port: u16,
    /// The first line of each request that showed the password.
    served: Arc<Mutex<Vec<String>>>,
}

impl GitServer {
    fn of(repository: &Repository) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (root, served) = (repository.path(), Arc::<Mutex<Vec<String>>>::default());
        let seen = served.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, seen) = (root.clone(), seen.clone());
                std::thread::spawn(move || answer(stream, root, &seen));
            }
        });
        Self { port, served }
    }

    fn url(&self) -> String {
        format!("http://localhost:{}/team/shop.git", self.port)
    }

    /// A configuration that reaches it, with the credential from the variable.
    fn config(&self) -> String {
        format!(
            "[[egress.private]]\nhost = \"localhost\"\nrange = \"127.0.0.1\"\n\
             [[egress.credential]]\nurl = \"http://localhost:{}/team\"\nenv = \"TEST_GIT_PASSWORD\"\nuser = \"bot\"\n",
            self.port
        )
    }
}

/// One request of a connection, by CGI.
fn answer(mut stream: TcpStream, root: PathBuf, served: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        lines.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    if header("authorization").as_deref() != Some(AUTHORIZATION) {
        let refused = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(refused.as_bytes());
        return;
    }
    served.lock().expect("the list").push(lines[0].clone());
    let mut body = Vec::new();
    match header("content-length").and_then(|length| length.parse().ok()) {
        Some(length) => {
            body.resize(length, 0);
            reader.read_exact(&mut body).expect("the body");
        }
        None if header("transfer-encoding").is_some() => body = chunks(&mut reader),
        None => {}
    }
    let mut words = lines[0].split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let inside = path.strip_prefix("/team/shop.git").unwrap_or("/none");
    let mut backend = Command::new("git");
    backend.arg("http-backend").stdin(Stdio::piped()).stdout(Stdio::piped());
    backend.env("GIT_PROJECT_ROOT", root.join(".git")).env("GIT_HTTP_EXPORT_ALL", "1");
    backend.env("PATH_INFO", inside).env("QUERY_STRING", query).env("REQUEST_METHOD", method);
    backend.env("CONTENT_TYPE", header("content-type").unwrap_or_default());
    backend.env("GIT_PROTOCOL", header("git-protocol").unwrap_or_default());
    backend.env("HTTP_CONTENT_ENCODING", header("content-encoding").unwrap_or_default());
    let mut child = backend.spawn().expect("git http-backend");
    child.stdin.take().expect("its input").write_all(&body).expect("give it the body");
    let output = child.wait_with_output().expect("its answer").stdout;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let length = output.len() - end - 4;
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.write_all(&output[end + 4..]);
}

fn chunks(reader: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a chunk's size");
        let size = usize::from_str_radix(line.trim(), 16).expect("a number");
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).expect("a chunk");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

fn program(config: &str) -> Program {
    let program = Program::new(JOURNEYMAN);
    std::fs::create_dir_all(program.data()).expect("a data folder");
    std::fs::write(program.data().join("config.toml"), config).expect("a configuration");
    program
}

const SEARCHES: &str = r#"
title = "searches"
[[turn]]
calls = [{ tool = "bash", arguments = { command = "env; cat .git/config; git log --format=%s; cat a.txt; echo y >> a.txt" } }]
[[turn]]
say = "Done."
repeat = 50
"#;

#[test]
fn a_repository_behind_a_password_is_cloned_through_the_proxy_and_the_agent_never_sees_the_password() {
    let repository = Repository::with(&[("a.txt", "one\n")]);
    let server = GitServer::of(&repository);
    let program = program(&server.config()).with("TEST_GIT_PASSWORD", PASSWORD);
    let model = program.script("searches", SEARCHES);
    let run = ["do", "w", "--repo", &server.url(), "--model", &model, "--json"];
    let ended = program.run(&run).with_code(0);
    for secret in [PASSWORD, "Ym90OmNvcnJl", "TEST_GIT_PASSWORD"] {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{secret}");
    }
    let repository_of = |number: &str| {
        let shown = program.run(&["api", "GET", &format!("/v1/runs/{number}")]).with_code(0).last_json();
        PathBuf::from(shown["repository"].as_str().expect("a path"))
    };
    let clone = repository_of("1");
    assert!(clone.starts_with(program.data()) && clone.ends_with("shop"), "{clone:?}");
    let branch = ended.last_json()["branch"].as_str().expect("a branch").to_owned();
    let shown =
        testkit::repository::git_in(&clone, &["-c", "safe.directory=*", "show", &format!("{branch}:a.txt")]);
    assert_eq!(shown, "one\ny");
    assert!(server.served.lock().expect("the list").iter().any(|line| line.contains("git-upload-pack")));

    // What is new there is fetched, and the first run's branch stays.
    repository.write("a.txt", "two\n");
    repository.git(&["commit", "--quiet", "--all", "-m", "two"]);
    let again = program.run(&run).with_code(0);
    assert_eq!(repository_of("2"), clone);
    let second = again.last_json()["branch"].as_str().expect("a branch").to_owned();
    let show = |branch: &str| {
        testkit::repository::git_in(&clone, &["-c", "safe.directory=*", "show", &format!("{branch}:a.txt")])
    };
    assert_eq!((show(&branch).as_str(), show(&second).as_str()), ("one\ny", "two\ny"));
}

#[test]
fn without_the_password_or_the_administrators_word_it_is_refused_with_the_reason() {
    let repository = Repository::with(&[("a.txt", "one\n")]);
    let server = GitServer::of(&repository);
    let denied = program(&server.config());
    let model = denied.script("writes", WRITES_A_FILE);
    let run = ["do", "w", "--repo", &server.url(), "--model", &model, "--json"];
    let ended = denied.run(&run);
    assert_ne!(ended.code, 0);
    let error = ended.error();
    assert_eq!(error["code"], "repository_unreadable", "{error}");
    assert!(error["fix"].as_str().expect("a fix").contains("egress.credential"), "{error}");
    assert!(server.served.lock().expect("the list").is_empty());

    let closed = program("").with("TEST_GIT_PASSWORD", PASSWORD);
    let ended = closed.run(&run);
    assert_ne!(ended.code, 0);
    assert_eq!(ended.error()["code"], "repository_unreadable", "{}", ended.stderr);
    assert!(server.served.lock().expect("the list").is_empty());

    let login = server.url().replace("http://", "http://bot:correct-horse-battery@");
    let ended = closed.run(&["do", "w", "--repo", &login, "--model", &model, "--json"]);
    assert_eq!(ended.error()["code"], "repository_unsupported", "{}", ended.stderr);
    assert!(!ended.stdout.contains(PASSWORD) && !ended.stderr.contains(PASSWORD), "{}", ended.stderr);
}
