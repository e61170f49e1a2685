//! One data folder, one owner: the server, the commands that attach to it, and who may listen where.

use std::net::TcpListener;

use testkit::program::Program;
use testkit::repository::Repository;

use super::broken_disk::BreakableDisk;
use super::common::{JOURNEYMAN, WRITES_A_FILE};
use super::small_disk::SmallDisk;

#[test]
fn commands_attach_to_the_server_which_outlives_them_and_ends_politely() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("writes", WRITES_A_FILE), repository.path());
    let (server, hello) = program.up();
    assert_eq!((&hello["v"], &hello["pid"]), (&1.into(), &server.pid().into()));
    let url = hello["url"].as_str().unwrap_or_default();
    let ticket = hello["ticket_url"].as_str().unwrap_or_default();
    assert!(
        url.starts_with("http://127.0.0.1:") && ticket.starts_with(&format!("{url}/welcome#t=jm_")),
        "{hello}"
    );

    let path = path.to_string_lossy();
    let detached =
        program.run(&["do", "w", "--repo", &path, "--model", &model, "--detach", "--json"]).with_code(0);
    assert_eq!(
        (&detached.last_json()["number"], &detached.last_json()["attended"]),
        (&1.into(), &"yes".into())
    );
    let watched = program.run(&["watch", "1", "--json"]).with_code(0).last_json();
    assert_eq!((&watched["kind"], &watched["state"]), (&"done".into(), &"succeeded".into()));
    let status = program.run(&["status"]).with_code(0);
    assert!(status.stdout.contains(&format!("process {}", server.pid())), "{}", status.stdout);

    server.signal("TERM");
    server.end().with_code(0);
    let after = program.run(&["run", "list", "--json"]).with_code(0).last_json();
    assert_eq!(after["items"][0]["state"], "succeeded");
}

#[test]
fn a_second_server_on_one_data_folder_is_told_who_owns_it() {
    let program = Program::new(JOURNEYMAN);
    let (server, hello) = program.up();
    let refused = program.run(&["up", "--json"]).with_code(9);
    assert_eq!(refused.error()["code"], "data_folder_owned");
    let why = refused.error()["why"].as_str().unwrap_or_default().to_owned();
    assert!(
        why.contains(&server.pid().to_string()) && why.contains(hello["url"].as_str().unwrap_or("?")),
        "{why}"
    );
}

#[test]
fn a_killed_server_leaves_nothing_that_stands_in_the_way() {
    let program = Program::new(JOURNEYMAN);
    let (server, _) = program.up();
    server.signal("KILL");
    drop(server);
    program.run(&["status", "--json"]).with_code(0);
    let (server, _) = program.up();
    server.signal("TERM");
    server.end().with_code(0);
}

#[test]
fn a_port_that_was_asked_for_is_taken_or_refused_and_never_exchanged() {
    let program = Program::new(JOURNEYMAN);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let error = program.run(&["up", "--listen", &address, "--json"]).with_code(9).error();
    assert_eq!(error["code"], "port_taken");
    let error = program.run(&["up", "--listen", "0.0.0.0:0", "--json"]).with_code(4).error();
    assert_eq!(error["code"], "listen_needs_password");
    assert!(error["why"].as_str().unwrap_or_default().contains("run commands"), "{error}");
}

#[test]
fn a_usual_port_that_another_program_has_is_told_and_the_next_free_one_is_taken() {
    let program = Program::new(JOURNEYMAN);
    // Where it is taken already, by whatever runs on this machine, it is taken as well.
    let _taken = TcpListener::bind("127.0.0.1:4000");
    let mut server = program.start(&["up"]);
    let line = server.line_with("/welcome#t=");
    let (_, after) = line.split_once("http://127.0.0.1:").expect("an address of this machine");
    let port: u16 = after.split('/').next().and_then(|port| port.parse().ok()).expect("a port");
    assert!((4001..=4020).contains(&port), "{line}");
    std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens there");

    let other = Program::new(JOURNEYMAN);
    let refused = other.run(&["up", "--listen", "127.0.0.1:4000", "--json"]).with_code(9).error();
    assert_eq!(refused["code"], "port_taken", "{refused}");
    assert!(refused["fix"].as_str().unwrap_or_default().contains("--listen"), "{refused}");

    server.signal("TERM");
    let said = server.end().with_code(0).stderr;
    assert!(said.contains("Port 4000 is taken by another program, so this is the next free one."), "{said}");
}

#[test]
fn a_process_without_the_role_of_the_api_listens_on_no_port() {
    let program = Program::new(JOURNEYMAN);
    let mut worker = program.start(&["up", "--roles", "worker,scheduler", "--json"]);
    let line = worker.line_with("pid");
    let hello: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert!(hello["url"].is_null() && hello["ticket_url"].is_null(), "{hello}");
    program.run(&["status", "--json"]).with_code(0);
}

#[test]
fn detaching_needs_a_server() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("writes", WRITES_A_FILE), repository.path());
    let refused =
        program.run(&["do", "w", "--repo", &path.to_string_lossy(), "--model", &model, "--detach", "--json"]);
    assert_eq!(refused.with_code(7).error()["code"], "server_needed");
}

#[test]
fn a_key_that_only_the_command_has_is_named() {
    let program = Program::new(JOURNEYMAN);
    let repository = Repository::with(&[("a.txt", "one\n")]);
    let (_server, _) = program.up();
    let with_key = program.with("OPENAI_API_KEY", "sk-only-here");
    let path = repository.path();
    let error = with_key
        .run(&["do", "x", "--repo", &path.to_string_lossy(), "--model", "openai/x", "--json"])
        .with_code(9)
        .error();
    assert_eq!(error["code"], "key_not_with_owner");
    assert!(error["fix"].as_str().unwrap_or_default().contains("journeyman connect openai"), "{error}");
}

#[test]
fn the_socket_and_the_folder_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let program = Program::new(JOURNEYMAN);
    let (_server, _) = program.up();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).map(|about| about.permissions().mode() & 0o777).ok();
    assert_eq!(mode(program.data()), Some(0o700));
    let lock = std::fs::read_to_string(program.data().join("lock")).expect("the lock");
    let owner: serde_json::Value = serde_json::from_str(&lock).expect("JSON");
    let socket = std::path::PathBuf::from(owner["socket"].as_str().unwrap_or_default());
    assert_eq!(mode(&socket), Some(0o600));
    assert_eq!(socket.parent().and_then(mode), Some(0o700));
}

#[test]
fn a_full_disk_is_named_and_what_was_acknowledged_is_kept() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let disk = SmallDisk::mount();
    let program = Program::new(JOURNEYMAN).with_data(&disk.path().join("data"));
    let repository = Repository::with(&[("a.txt", "one\n")]);
    let (model, path) = (program.script("writes", WRITES_A_FILE), repository.path());
    let path = path.to_string_lossy();
    let work = ["do", "w", "--repo", &path, "--model", &model, "--json"];
    program.run(&work).with_code(0);
    disk.fill();
    let refused = program.run(&work);
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    let told = format!("{}{}", refused.stdout, refused.stderr);
    assert!(told.contains("disk_full"), "{told}");
    disk.free();
    let listed = program.run(&["run", "list", "--json"]).with_code(0).last_json();
    let first = listed["items"].as_array().into_iter().flatten().find(|run| run["number"] == 1).cloned();
    assert_eq!(first.map(|run| run["state"].clone()), Some("succeeded".into()));
}

#[test]
fn a_disk_that_breaks_is_named_and_what_was_acknowledged_is_there_when_it_is_mended() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let Some(disk) = BreakableDisk::mount() else { return };
    let program = Program::new(JOURNEYMAN).with_data(&disk.path().join("data"));
    let repository = Repository::with(&[("a.txt", "one\n")]);
    let (model, path) = (program.script("writes", WRITES_A_FILE), repository.path());
    let path = path.to_string_lossy();
    let work = ["do", "w", "--repo", &path, "--model", &model, "--json"];
    let (server, _) = program.up();
    program.run(&work).with_code(0);
    let before = program.run(&["watch", "1", "--json"]).with_code(0).stdout;
    disk.break_it();
    let refused = program.run(&work);
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert_eq!(refused.error()["code"], "disk_broken", "{}{}", refused.stdout, refused.stderr);
    server.signal("KILL");
    server.end();

    disk.mend();
    let listed = program.run(&["run", "list", "--json"]).with_code(0).last_json();
    let runs: Vec<_> = listed["items"].as_array().into_iter().flatten().collect();
    assert_eq!((runs.len(), &runs[0]["state"]), (1, &"succeeded".into()), "what was refused is not there");
    assert_eq!(program.run(&["watch", "1", "--json"]).with_code(0).stdout, before, "every step is there");
    assert!(program.run(&["diff", "1"]).with_code(0).stdout.contains("+x"), "and what was kept beside");
    program.run(&work).with_code(0);
}

#[test]
fn a_server_that_was_looked_at_by_doctor_still_makes_sandboxes() {
    let (program, repository) = (Program::new(JOURNEYMAN), Repository::with(&[("a.txt", "one\n")]));
    let (model, path) = (program.script("writes", WRITES_A_FILE), repository.path());
    let (_server, _) = program.up();
    program.run(&["doctor", "--json"]);
    let done = program.run(&["do", "w", "--repo", &path.to_string_lossy(), "--model", &model, "--json"]);
    assert_eq!(done.with_code(0).last_json()["state"], "succeeded");
}
