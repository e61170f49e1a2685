//! Limits, and an outside that does not work.

use std::time::Duration;

use egress::{Limits, OutsideConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::world::{World, policy, read_to_end};

#[tokio::test]
async fn one_connection_too_many_is_turned_away_and_there_is_room_again_after_one_ends() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let world = World::with(policy(&[]), limits, OutsideConfig::default()).await;
    let (first, mut second) = (world.connect().await, world.connect().await);
    // An answer proves that both are served.
    for stream in [&first, &second] {
        stream.writable().await.unwrap();
    }
    second.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(crate::world::read_head(&mut second).await.starts_with("HTTP/1.1 200"));
    let said = world.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 429 ") && said.contains("egress_too_many_connections"), "{said}");
    assert_eq!(world.refused(), ["egress_too_many_connections"]);
    second.shutdown().await.unwrap();
    read_to_end(&mut second).await;
    while !world.get("/").await.starts_with("HTTP/1.1 200") {}
    drop(first);
}

#[tokio::test]
async fn a_head_that_is_too_long_too_slow_or_has_too_many_headers_is_refused() {
    let limits = Limits {
        header_bytes: 16 << 10,
        headers: 20,
        header_time: Duration::from_millis(100),
        ..Limits::default()
    };
    let world = World::with(policy(&["good.example".to_owned()]), limits, OutsideConfig::default()).await;
    let long =
        format!("GET http://good.example/ HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(32 << 10));
    let said = world.say(long).await;
    assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    let many = (0..40).map(|number| format!("X-{number}: 1\r\n")).collect::<String>();
    let said = world.say(format!("GET http://good.example/ HTTP/1.1\r\nHost: x\r\n{many}\r\n")).await;
    assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    // The rest never comes; the proxy ends it.
    let said = world.say("GET http://good.example/ HTTP/1.1\r\nHost: x\r\n").await;
    assert!(!said.contains("200"), "{said}");
    assert!(world.names.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_tunnel_on_which_nothing_passes_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let good = format!("good.example:{}", listener.local_addr().unwrap().port());
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let world = World::with(policy(std::slice::from_ref(&good)), limits, OutsideConfig::default()).await;
    let (mut stream, head) = world.tunnel(&good).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn an_outside_that_does_not_work_is_told_apart_from_a_refusal() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap().port();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let allow = [format!("good.example:{silent},{closed}"), "unknown.example".to_owned()];
    let limits = Limits { answer: Duration::from_millis(50), ..Limits::default() };
    let world = World::with(policy(&allow), limits, OutsideConfig::default()).await;
    for (url, status, code) in [
        (format!("http://good.example:{silent}/"), 504, "egress_timed_out"),
        (format!("http://good.example:{closed}/"), 502, "egress_unreachable"),
        ("http://unknown.example/".to_owned(), 502, "egress_unresolved"),
    ] {
        let said = world.get(&url).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && said.contains(code), "{url}: {said}");
    }
    assert!(world.refused().is_empty());
}
