//! What gets through and what does not.

use std::sync::Arc;

use egress::Policy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::{OK, Server, World, policy, private, read_head, read_to_end};

#[tokio::test]
async fn nothing_is_reached_by_default_and_the_agent_is_told_what_why_and_how() {
    let mut server = Server::answering(OK).await;
    let world = World::new(policy(&[])).await;
    let said = world.get(&format!("http://good.example:{}/x", server.port)).await;
    assert!(said.starts_with("HTTP/1.1 403 good.example:"), "{said}");
    assert!(said.contains("x-journeyman-egress: egress_not_allowed"), "{said}");
    assert!(said.contains("is not on this sandbox's list of allowed hosts"), "{said}");
    assert!(
        said.contains("journeyman box egress sbx00000000000000000000000000000007 --allow good.example:"),
        "{said}"
    );
    let (_stream, head) = world.tunnel(&format!("good.example:{}", server.port)).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert!(server.saw_nothing());
    assert!(world.names.asked.lock().unwrap().is_empty(), "what is not allowed is not even resolved");
    assert_eq!(world.refused(), ["egress_not_allowed"], "the same refusal is told once a minute");
    assert_eq!(world.serving.usage().refused, 2);
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_after_resolution() {
    let world = World::new(Policy { allow: vec!["*".parse().unwrap()], ..Policy::default() }).await;
    let cases: [(&str, &[&str], &str); 9] = [
        ("loopback.example", &["127.0.0.1"], "egress_address_not_public"),
        ("private.example", &["10.0.0.1"], "egress_address_not_public"),
        ("link.example", &["169.254.1.1", "fe80::1"], "egress_address_not_public"),
        ("shared.example", &["100.64.0.1"], "egress_address_not_public"),
        ("many.example", &["224.0.0.1"], "egress_address_not_public"),
        ("mapped.example", &["::ffff:127.0.0.1"], "egress_address_not_public"),
        ("six.example", &["::1", "fd00::1"], "egress_address_not_public"),
        ("metadata.example", &["169.254.169.254"], "egress_metadata"),
        ("aliyun.example", &["100.100.100.200"], "egress_metadata"),
    ];
    for (name, addresses, code) in cases {
        world.names.put(name, &[addresses]);
        let plain = world.get(&format!("http://{name}/")).await;
        assert!(plain.starts_with("HTTP/1.1 403 ") && plain.contains(code), "{name}: {plain}");
        let (_, tunnel) = world.tunnel(&format!("{name}:443")).await;
        assert!(tunnel.starts_with("HTTP/1.1 403 ") && tunnel.contains(code), "{name}: {tunnel}");
        let pointed = world.get(&format!("/https/{name}/")).await;
        assert!(pointed.starts_with("HTTP/1.1 403 ") && pointed.contains(code), "{name}: {pointed}");
    }
    for literal in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "0.0.0.0"] {
        let (_, tunnel) = world.tunnel(&format!("{literal}:443")).await;
        assert!(tunnel.starts_with("HTTP/1.1 403 "), "{literal}: {tunnel}");
    }
    assert_eq!(world.refused().len(), 9 + 6);
}

#[tokio::test]
async fn metadata_stays_closed_even_where_the_administrator_listed_everything() {
    let mut some = policy(&["*".to_owned()]);
    some.private.extend([private("good.example", "0.0.0.0/0"), private("good.example", "::/0")]);
    let world = World::new(some).await;
    for address in ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "168.63.129.16"] {
        world.names.put("good.example", &[&[address]]);
        let said = world.get("http://good.example/latest/meta-data/").await;
        assert!(said.contains("egress_metadata") && said.contains("there is no way to allow it"), "{said}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_address_after_the_check_gains_nothing() {
    let mut server = Server::answering(OK).await;
    let world = World::new(policy(&[format!("good.example:{}", server.port)])).await;
    // 127.0.0.2 is on this machine as well, but nobody listed it.
    world.names.put("good.example", &[&["127.0.0.1"], &["127.0.0.2"]]);
    let url = format!("http://good.example:{}/", server.port);
    assert!(world.get(&url).await.ends_with("hello"));
    server.saw().await;
    assert_eq!(world.names.asked.lock().unwrap().len(), 1, "one question for one connection");
    let second = world.get(&url).await;
    assert!(second.contains("egress_address_not_public") && second.contains("127.0.0.2"), "{second}");
    // Of several addresses only those that may be are tried.
    world.names.put("good.example", &[&["10.9.9.9", "127.0.0.1"]]);
    assert!(world.get(&url).await.ends_with("hello"));
}

#[tokio::test]
async fn a_tunnel_carries_bytes_both_ways_and_its_half_close() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let world = World::new(policy(&[format!("good.example:{port}")])).await;
    let outside = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let all = read_to_end(&mut stream).await;
        stream.write_all(all.to_uppercase().as_bytes()).await.unwrap();
    };
    let inside = async {
        let (mut stream, head) = world.tunnel(&format!("good.example:{port}")).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        stream.write_all("ab".repeat(100_000).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        read_to_end(&mut stream).await
    };
    let ((), said) = tokio::join!(outside, inside);
    assert_eq!(said, "AB".repeat(100_000));
    let usage = world.serving.usage();
    assert!(
        usage.sent_bytes > 200_000 && usage.received_bytes > 200_000 && usage.connections == 1,
        "{usage:?}"
    );
}

#[tokio::test]
async fn a_change_of_policy_counts_at_once_for_what_comes_and_for_what_is_open() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (good, other) = (format!("good.example:{port}"), format!("other.example:{port}"));
    let world = World::new(policy(&[good.clone(), other.clone()])).await;
    let (mut closing, _) = world.tunnel(&good).await;
    let (_outside_closing, _) = listener.accept().await.unwrap();
    let (mut staying, _) = world.tunnel(&other).await;
    let (mut outside_staying, _) = listener.accept().await.unwrap();

    // An answer that has begun, too.
    let mut answer = world.connect().await;
    answer.write_all(format!("GET http://{good}/ HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let (mut outside_answer, _) = listener.accept().await.unwrap();
    read_head(&mut outside_answer).await;
    outside_answer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin").await.unwrap();
    read_head(&mut answer).await;

    world.policy.send_replace(Arc::new(policy(std::slice::from_ref(&other))));
    assert_eq!(read_to_end(&mut closing).await, "");
    assert!(read_to_end(&mut answer).await.len() < 100);
    staying.write_all(b"still").await.unwrap();
    let mut five = [0; 5];
    outside_staying.read_exact(&mut five).await.unwrap();
    assert_eq!(&five, b"still");
    let (_, head) = world.tunnel(&good).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");

    world.policy.send_replace(Arc::new(policy(std::slice::from_ref(&good))));
    let (_, head) = world.tunnel(&good).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(read_to_end(&mut staying).await, "");
}

#[tokio::test]
async fn an_address_that_is_no_longer_listed_closes_what_is_open_to_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let good = format!("good.example:{}", listener.local_addr().unwrap().port());
    let world = World::new(policy(std::slice::from_ref(&good))).await;
    let (mut stream, _) = world.tunnel(&good).await;
    world.policy.send_replace(Arc::new(Policy { private: Vec::new(), ..policy(&[good]) }));
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn the_end_of_the_session_ends_every_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let good = format!("good.example:{}", listener.local_addr().unwrap().port());
    let world = World::new(policy(std::slice::from_ref(&good))).await;
    let (mut stream, _) = world.tunnel(&good).await;
    let (mut outside, _) = listener.accept().await.unwrap();
    stream.write_all(b"x").await.unwrap();
    assert_eq!(outside.read_u8().await.unwrap(), b'x');
    drop(world.serving);
    assert_eq!(read_to_end(&mut stream).await, "");
    assert_eq!(read_to_end(&mut outside).await, "");
    // The listener goes with its task.
    while let Ok(mut stream) = tokio::net::TcpStream::connect(world.proxy).await {
        assert_eq!(read_to_end(&mut stream).await, "");
    }
}

#[tokio::test]
async fn whoever_looks_at_the_proxy_sees_what_is_allowed() {
    let world = World::new(policy(&["good.example:8443".to_owned()])).await;
    let said = world.get("/").await;
    assert!(said.starts_with("HTTP/1.1 200 OK") && said.contains("  good.example:8443\n"), "{said}");
}
