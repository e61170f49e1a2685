//! What goes out of a real sandbox and what comes into it, by the program's own commands.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use testkit::program::Program;

use super::common::JOURNEYMAN;

/// A server with a sandbox, for commands that follow.
fn with_sandbox(test: impl FnOnce(&Program, &str)) {
    let program = Program::new(JOURNEYMAN);
    let (server, _) = program.up();
    let made = program.run(&["api", "POST", "/v1/sandboxes", "-d", "{}"]).with_code(0).last_json();
    let id = made["id"].as_str().unwrap_or_default().to_owned();
    test(&program, &id);
    server.signal("TERM");
    server.end();
}

/// What a command in the sandbox prints.
fn exec(program: &Program, id: &str, command: &str) -> String {
    let body = json!({ "command": command }).to_string();
    let address = format!("/v1/sandboxes/{id}/exec");
    let ended = program.run(&["api", "POST", &address, "-d", &body]).with_code(0);
    let lines = ended.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let pieces = lines
        .flat_map(|line| ["stdout", "stderr"].map(|name| line[name].as_str().unwrap_or_default().to_owned()));
    pieces.collect()
}

/// A request to the gateway: the address's own host, on this machine.
fn get(url: &str, headers: &str) -> String {
    let rest = url.trim_start_matches("http://");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let port = host.rsplit(':').next().unwrap_or_default();
    let Ok(mut stream) = TcpStream::connect(format!("127.0.0.1:{port}")) else { return String::new() };
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    let mut said = Vec::new();
    if stream.write_all(request.as_bytes()).is_ok() {
        let _ = stream.read_to_end(&mut said);
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_sandbox_reaches_nothing_until_its_owner_allows_it_and_every_refusal_is_in_its_log() {
    with_sandbox(|program, id| {
        let ask = "curl -sS -m 10 http://metadata.example/ http://169.254.169.254/ http://10.0.0.1/ 2>&1; env | grep -c -i _proxy";
        let said = exec(program, id, ask);
        assert_eq!(said.matches("is not on this sandbox's list").count(), 2, "{said}");
        assert!(said.contains("there is no way to allow it"), "{said}");
        assert!(said.contains(&format!("journeyman box egress {id} --allow metadata.example:80")), "{said}");
        let direct = exec(program, id, "curl -sS -m 2 --noproxy '*' http://1.1.1.1/ 2>&1");
        assert!(direct.contains("curl: ("), "there is no other way out: {direct}");

        let shown =
            program.run(&["box", "egress", id, "--allow", "10.0.0.1", "--json"]).with_code(0).last_json();
        assert_eq!(shown["allow"], json!(["10.0.0.1"]), "{shown}");
        let said = exec(program, id, "curl -sS -m 10 http://10.0.0.1/ 2>&1");
        assert!(
            said.contains("10.0.0.1, a private address") && said.contains("[[egress.private]]"),
            "{said}"
        );
        let shown = program.run(&["box", "egress", id, "--none", "--json"]).with_code(0).last_json();
        assert_eq!(shown["access"], "none", "{shown}");

        let log =
            program.run(&["api", "GET", &format!("/v1/sandboxes/{id}/events")]).with_code(0).last_json();
        let events = log["items"].as_array().cloned().unwrap_or_default();
        let refused = events.iter().filter(|event| event["kind"] == "egress.refused");
        let codes: Vec<&str> = refused.filter_map(|event| event["data"]["code"].as_str()).collect();
        let wanted =
            ["egress_not_allowed", "egress_metadata", "egress_not_allowed", "egress_address_not_public"];
        assert_eq!(codes, wanted, "{log}");
        assert_eq!(program.run(&["box", "egress", id, "--allow", "a b"]).code, 2);
    });
}

#[test]
fn a_server_in_a_sandbox_is_seen_through_its_link_until_that_is_revoked() {
    with_sandbox(|program, id| {
        let start = "mkdir -p site && echo '<h1>hello</h1>' > site/index.html; \
            nohup python3 -m http.server -d site 3000 >/dev/null 2>&1 & \
            until curl -s --noproxy '*' localhost:3000 >/dev/null; do sleep 0.05; done";
        exec(program, id, start);
        let made = program
            .run(&["box", "preview", id, "3000", "--expires", "1h", "--json"])
            .with_code(0)
            .last_json();
        let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        let (url, path_url, preview) = (text("url"), text("path_url"), text("id"));
        let said = get(&url, "");
        assert!(said.starts_with("HTTP/1.1 303 "), "{said}");
        let cookie = said.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap_or_default();
        let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap_or_default());
        let bare = url.split('?').next().unwrap_or_default().to_owned();
        assert!(get(&bare, &cookie).contains("<h1>hello</h1>"));
        assert!(get(&bare, "").starts_with("HTTP/1.1 401 "));
        let other = bare.replace("3000-", "3001-");
        assert!(get(&other, &cookie).starts_with("HTTP/1.1 401 "));
        let by_path = path_url.split('?').next().unwrap_or_default().to_owned();
        assert!(get(&by_path, &cookie).contains("<h1>hello</h1>"));

        exec(program, id, "pkill -f http.server || kill $(ss -ltnp | grep -o 'pid=[0-9]*' | cut -d= -f2)");
        let page = get(&bare, &format!("{cookie}Accept: text/html\r\n"));
        assert!(page.contains("No server on port 3000") || page.contains("<h1>hello</h1>"), "{page}");

        program.run(&["api", "POST", &format!("/v1/sandboxes/{id}/stop"), "-d", "{}"]).with_code(0);
        let page = get(&bare, &format!("{cookie}Accept: text/html\r\n"));
        assert!(page.starts_with("HTTP/1.1 503 ") && page.contains("Wake it"), "{page}");
        let state = program.run(&["api", "GET", &format!("/v1/sandboxes/{id}")]).with_code(0).last_json();
        assert_eq!(state["state"], "stopped", "looking wakes nothing");

        let listed = program.run(&["box", "preview", id, "--json"]).with_code(0).last_json();
        assert_eq!(listed["items"][0]["id"], Value::from(preview.clone()));
        program.run(&["box", "preview", id, "--revoke", &preview]).with_code(0);
        assert!(get(&bare, &cookie).starts_with("HTTP/1.1 401 "));
        assert_eq!(program.run(&["box", "preview", id, "--revoke", &preview]).code, 8);
    });
}
