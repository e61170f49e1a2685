//! Plain requests that are carried on.

use egress::{Limits, OutsideConfig};
use tokio::io::AsyncWriteExt;

use crate::world::{OK, Server, World, policy};

#[tokio::test]
async fn a_request_arrives_with_the_host_of_its_address_and_without_what_concerns_one_connection() {
    let mut server = Server::answering(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\
         Proxy-Authenticate: Basic\r\nX-Kept: 1\r\n\r\nhello",
    )
    .await;
    let place = format!("good.example:{}", server.port);
    let world = World::new(policy(std::slice::from_ref(&place))).await;
    let said = world
        .say(format!(
            "POST http://{place}/a/../b?c=%20d HTTP/1.1\r\nHost: evil.example\r\nConnection: close, x-mine, host\r\n\
             X-Mine: 1\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nTE: trailers\r\n\
             Upgrade: websocket\r\nKeep-Alive: 1\r\nX-Sent: yes\r\nContent-Length: 4\r\n\r\nbody"
        ))
        .await;
    let seen = server.saw().await;
    assert!(seen.starts_with("POST /a/../b?c=%20d HTTP/1.1\r\n") && seen.ends_with("\r\n\r\nbody"), "{seen}");
    let lower = seen.to_ascii_lowercase();
    assert!(lower.contains(&format!("host: {place}\r\n")) && lower.contains("x-sent: yes"), "{seen}");
    for gone in ["evil.example", "x-mine", "proxy-", "te:", "upgrade", "keep-alive"] {
        assert!(!lower.contains(gone), "{gone}: {seen}");
    }
    assert!(said.starts_with("HTTP/1.1 200 OK") && said.ends_with("hello"), "{said}");
    let lower = said.to_ascii_lowercase();
    assert!(lower.contains("x-kept: 1"));
    for gone in ["x-hop", "keep-alive", "proxy-authenticate"] {
        assert!(!lower.contains(gone), "{gone}: {said}");
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_streams_through() {
    let mut server = Server::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
    )
    .await;
    let place = format!("good.example:{}", server.port);
    let world = World::new(policy(std::slice::from_ref(&place))).await;
    let said = world
        .say(format!(
            "PUT http://{place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"
        ))
        .await;
    let seen = server.saw().await;
    assert!(seen.contains("first") && seen.contains("second") && seen.contains("chunked"), "{seen}");
    assert!(said.contains("abc") && said.contains("def"), "{said}");
}

#[tokio::test]
async fn several_requests_on_one_connection_are_checked_each() {
    let mut server = Server::answering(OK).await;
    let place = format!("good.example:{}", server.port);
    let world = World::new(policy(std::slice::from_ref(&place))).await;
    let mut stream = world.connect().await;
    let get = |host: &str| format!("GET http://{host}/ HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all((get(&place) + &get(&place) + &get("other.example")).as_bytes()).await.unwrap();
    let said = crate::world::read_to_end(&mut stream).await;
    assert_eq!(
        (said.matches("200 OK").count(), said.matches("egress_not_allowed").count()),
        (2, 1),
        "{said}"
    );
    server.saw().await;
    server.saw().await;
}

#[tokio::test]
async fn a_client_that_was_pointed_here_reaches_its_host_and_stays_here_when_it_is_sent_on() {
    let mut server = Server::answering(
        "HTTP/1.1 301 Moved\r\nLocation: https://other.example/new?x=1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    .await;
    let place = format!("good.example:{}", server.port);
    let world = World::new(policy(&[place.clone(), "other.example".to_owned()])).await;
    let said = world.get(&format!("/http/{place}/repo.git/info/refs?service=git-upload-pack")).await;
    assert!(server.saw().await.starts_with("GET /repo.git/info/refs?service=git-upload-pack HTTP/1.1"));
    assert!(said.to_ascii_lowercase().contains("location: /https/other.example/new?x=1\r\n"), "{said}");
    // Asked for by its own address, the client goes there itself.
    let said = world.get(&format!("http://{place}/")).await;
    assert!(said.to_ascii_lowercase().contains("location: https://other.example/new?x=1\r\n"), "{said}");
}

#[tokio::test]
async fn the_servers_own_proxy_is_used_and_its_password_stays_here() {
    let mut upstream = Server::answering(OK).await;
    let address = Some(format!("http://me:secret@127.0.0.1:{}", upstream.port));
    let outside =
        OutsideConfig { http_proxy: address.clone(), https_proxy: address, ..OutsideConfig::default() };
    let world = World::with(policy(&["good.example".to_owned()]), Limits::default(), outside).await;
    assert!(world.get("http://good.example/x").await.ends_with("hello"));
    let seen = upstream.saw().await;
    assert!(seen.starts_with("GET http://good.example/x HTTP/1.1\r\n"), "{seen}");
    assert!(seen.to_ascii_lowercase().contains("proxy-authorization: basic bwu6c2vjcmv0"), "{seen}");
    let (_stream, head) = world.tunnel("good.example:443").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let seen = upstream.saw().await;
    assert!(
        seen.starts_with("CONNECT good.example:443 HTTP/1.1\r\n") && seen.contains("Basic bWU6c2VjcmV0"),
        "{seen}"
    );
    // What this machine knows to be private is refused here already.
    world.names.put("good.example", &[&["10.0.0.1"]]);
    assert!(world.get("http://good.example/x").await.contains("egress_address_not_public"));
    assert!(upstream.saw_nothing());
}
