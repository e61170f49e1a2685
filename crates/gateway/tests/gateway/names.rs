//! Hosts and paths.

use crate::world::{World, cookie, mirror, name};

#[tokio::test]
async fn a_host_that_is_not_ours_reaches_nothing() {
    let world = World::new().await;
    world.serve(3000, mirror().await);
    let (_, token) = world.link(3000).await;
    let shown = format!("X-Journeyman-Preview: {token}\r\nConnection: close\r\n");
    let label = name(3000).label();
    for host in [
        format!("{label}.evil.example"),
        format!("{label}.localhost.evil.example"),
        label.clone(),
        "evil.example".to_owned(),
        "169.254.169.254".to_owned(),
        "0.0.0.0".to_owned(),
        String::new(),
    ] {
        let said = world.say(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{shown}\r\n")).await;
        assert!(said.starts_with("HTTP/1.1 421 ") && said.contains("host_not_allowed"), "{host}: {said}");
    }
    for request in [
        format!("GET http://evil.example/ HTTP/1.1\r\nHost: {label}.localhost\r\n{shown}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {label}.localhost\r\nHost: evil.example\r\n{shown}\r\n"),
        format!("CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: {label}.localhost\r\n{shown}\r\n"),
        format!("TRACE / HTTP/1.1\r\nHost: {label}.localhost\r\n{shown}\r\n"),
        format!("GET / HTTP/1.1\r\n{shown}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: 0-{}.localhost\r\n{shown}\r\n", &label[5..]),
        format!(
            "POST / HTTP/1.1\r\nHost: {label}.localhost\r\n{shown}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"
        ),
        format!("POST / HTTP/1.1\r\nHost: {label}.localhost\r\n{shown}Transfer-Encoding: x\r\n\r\n0\r\n\r\n"),
    ] {
        let said = world.say(&request).await;
        assert!(said.starts_with("HTTP/1.1 4"), "{request}: {said}");
    }
    assert!(world.boxes.connected.lock().unwrap().is_empty());
    let said = world.say(format!("GET / HTTP/1.1\r\nHost: {label}.preview.example\r\n{shown}\r\n")).await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
}

#[tokio::test]
async fn the_server_inside_sees_itself_as_localhost_and_is_told_the_rest() {
    let world = World::new().await;
    world.serve(3000, mirror().await);
    let (_, token) = world.link(3000).await;
    let host = world.host(3000);
    let more =
        format!("X-Journeyman-Preview: {token}\r\nOrigin: http://{host}\r\nX-Forwarded-For: 9.9.9.9\r\n");
    let seen = world.get(3000, "/", &more).await.to_ascii_lowercase();
    for wanted in [
        "\r\nhost: localhost:3000\r\n".to_owned(),
        "\r\norigin: http://localhost:3000\r\n".to_owned(),
        format!("\r\nx-forwarded-host: {host}\r\n"),
        "\r\nx-forwarded-for: 127.0.0.1\r\n".to_owned(),
        "\r\nx-forwarded-proto: http\r\n".to_owned(),
    ] {
        assert!(seen.contains(&wanted), "{wanted}: {seen}");
    }
    assert!(!seen.contains("9.9.9.9") && !seen.contains("x-journeyman"), "{seen}");
}

#[tokio::test]
async fn the_path_form_works_without_names_and_its_pages_cannot_act_as_the_gateway() {
    let world = World::new().await;
    world.serve(3000, mirror().await);
    let (_, token) = world.link(3000).await;
    let host = format!("127.0.0.1:{}", world.gateway.address().port());
    let (path, close) = (name(3000).path(), "Connection: close\r\n");
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{close}{more}\r\n");
    let said = world.say(get(&path, "")).await;
    assert!(said.starts_with("HTTP/1.1 308 ") && said.contains(&format!("location: {path}/\r\n")), "{said}");
    let said = world.say(get(&format!("{path}/x?jm_preview={token}"), "")).await;
    assert!(said.starts_with("HTTP/1.1 303 ") && said.contains(&format!("location: {path}/x\r\n")), "{said}");
    let (pair, attributes) = cookie(&said);
    assert!(attributes.contains(&format!("Path={path}/;")), "{attributes}");
    let said = world.say(get(&format!("{path}/x?y"), &format!("Cookie: {pair}\r\n"))).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.contains("GET /x?y HTTP/1.1\r\n"), "{said}");
    assert!(said.contains("content-security-policy: sandbox allow-scripts"), "{said}");
    assert!(!said.contains("allow-same-origin"), "{said}");
    let said = world.say(get("/", "")).await;
    assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
}

#[tokio::test]
async fn a_redirect_never_leads_to_another_host() {
    let world = World::new().await;
    let (_, token) = world.link(3000).await;
    for path in ["//evil.example/x", "/\\evil.example/", "///evil.example"] {
        let said = world.get(3000, &format!("{path}?jm_preview={token}"), "").await;
        let place = said.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or("/");
        assert!(
            place.starts_with('/') && !place.starts_with("//") && !place.starts_with("/\\"),
            "{path}: {said}"
        );
    }
}
