//! What was revoked or has expired ends, also what is open.

use std::time::Duration;

use gateway::{Access, NewPreview, Previews};
use runtime::{Ambient, Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{World, read_head, read_to_end, sandbox};

/// An open answer and an open WebSocket-like connection through one preview.
async fn open(world: &World, token: &str) -> (TcpStream, TcpStream, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.serve(3000, listener.local_addr().unwrap());
    let head = format!("HTTP/1.1\r\nHost: {}\r\nX-Journeyman-Preview: {token}\r\n", world.host(3000));

    let mut events = world.connect().await;
    events.write_all(format!("GET /events {head}\r\n").as_bytes()).await.unwrap();
    let (mut inside_events, _) = listener.accept().await.unwrap();
    read_head(&mut inside_events).await;
    let begin = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
    inside_events.write_all(begin).await.unwrap();
    read_head(&mut events).await;
    let mut first = [0; 9];
    let chunk_head = events.read_u8().await.unwrap();
    assert_eq!(chunk_head, b'9', "the first event has come although the answer goes on");
    events.read_exact(&mut [0; 2]).await.unwrap();
    events.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"data: 1\n\n");

    let mut socket = world.connect().await;
    let upgrade = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";
    socket.write_all(format!("GET /ws {head}{upgrade}").as_bytes()).await.unwrap();
    let (mut inside_socket, _) = listener.accept().await.unwrap();
    let seen = read_head(&mut inside_socket).await.to_ascii_lowercase();
    assert!(seen.contains("upgrade: websocket") && seen.contains("connection: upgrade"), "{seen}");
    assert!(seen.contains("sec-websocket-key: x"), "{seen}");
    let switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    inside_socket.write_all(switching).await.unwrap();
    let said = read_head(&mut socket).await;
    assert!(
        said.starts_with("HTTP/1.1 101 ") && said.to_ascii_lowercase().contains("upgrade: websocket"),
        "{said}"
    );
    socket.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    inside_socket.read_exact(&mut four).await.unwrap();
    inside_socket.write_all(b"pong").await.unwrap();
    socket.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"pong");
    (events, inside_events, socket, inside_socket)
}

async fn ends_within_a_second(events: &mut TcpStream, socket: &mut TcpStream, inside: &mut TcpStream) {
    let started = SystemClock.elapsed();
    let rest = read_to_end(events).await;
    assert!(!rest.contains("0\r\n\r\n"), "it broke off and did not end well: {rest:?}");
    assert_eq!(read_to_end(socket).await, "");
    assert_eq!(read_to_end(inside).await, "");
    let took = SystemClock.elapsed().saturating_sub(started);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_revoked_preview_ends_open_answers_and_open_sockets_within_a_second() {
    let world = World::new().await;
    let (made, token) = world.link(3000).await;
    let (mut events, _inside_events, mut socket, mut inside) = open(&world, &token).await;
    world.previews.revoke(&world.owner.allow().unwrap(), sandbox(), made.preview.id).await.unwrap();
    ends_within_a_second(&mut events, &mut socket, &mut inside).await;
    let said = world.get(3000, "/", &format!("X-Journeyman-Preview: {token}\r\n")).await;
    assert!(said.starts_with("HTTP/1.1 401 "), "{said}");
}

#[tokio::test]
async fn a_preview_that_another_process_revokes_ends_within_a_second_too() {
    let world = World::new().await;
    let (made, token) = world.link(3000).await;
    let (mut events, _inside_events, mut socket, mut inside) = open(&world, &token).await;
    // A store of its own shares no memory with the gateway's.
    let elsewhere = Previews::new(world.database.open(Ambient::system()).await);
    elsewhere.revoke(&world.owner.allow().unwrap(), sandbox(), made.preview.id).await.unwrap();
    ends_within_a_second(&mut events, &mut socket, &mut inside).await;
    let said = world.get(3000, "/", &format!("X-Journeyman-Preview: {token}\r\n")).await;
    assert!(said.starts_with("HTTP/1.1 401 "), "{said}");
}

#[tokio::test]
async fn all_previews_of_a_sandbox_are_revoked_at_once() {
    let world = World::new().await;
    let (_, token) = world.link(3000).await;
    let (mut events, _inside_events, mut socket, mut inside) = open(&world, &token).await;
    world.previews.revoke_all(&world.owner.allow().unwrap(), sandbox()).await.unwrap();
    ends_within_a_second(&mut events, &mut socket, &mut inside).await;
}

#[tokio::test]
async fn what_is_open_ends_when_its_preview_expires() {
    let world = World::new().await;
    let new = NewPreview { sandbox: sandbox(), port: Some(3000), access: Access::Link, life_ms: Some(1_000) };
    let made = world.previews.create(&world.owner.allow().unwrap(), new).await.unwrap();
    let token = made.token.unwrap().expose().to_owned();
    let (mut events, _inside_events, mut socket, _inside) = open(&world, &token).await;
    read_to_end(&mut events).await;
    read_to_end(&mut socket).await;
    let said = world.get(3000, "/", &format!("X-Journeyman-Preview: {token}\r\n")).await;
    assert!(said.starts_with("HTTP/1.1 401 "), "{said}");
}
