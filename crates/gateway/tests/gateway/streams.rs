//! Large bodies, kept connections, HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use runtime::Supervisor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::{World, mirror, read_head};

#[tokio::test]
async fn requests_one_after_the_other_share_one_connection_into_the_sandbox() {
    let world = World::new().await;
    world.serve(3000, mirror().await);
    let (_, token) = world.link(3000).await;
    for _ in 0..5 {
        let said = world.get(3000, "/", &format!("X-Journeyman-Preview: {token}\r\n")).await;
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    }
    assert_eq!(world.boxes.connected.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_large_upload_and_a_large_answer_pass_whole() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.serve(3000, listener.local_addr().unwrap());
    let (_, token) = world.link(3000).await;
    let size = 32 << 20;
    let inside = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let (mut body, mut at) = (vec![0; size], 0);
        while at < size {
            at += stream.read(&mut body[at..]).await.unwrap();
        }
        stream
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        stream.write_all(&body).await.unwrap();
    };
    let outside = async {
        let mut stream = world.connect().await;
        let host = world.host(3000);
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nX-Journeyman-Preview: {token}\r\nContent-Length: {size}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let sent: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        stream.write_all(&sent).await.unwrap();
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200 "));
        let mut back = vec![0; size];
        stream.read_exact(&mut back).await.unwrap();
        assert!(back == sent);
    };
    tokio::join!(inside, outside);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_server_back() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.serve(3000, listener.local_addr().unwrap());
    let (_, token) = world.link(3000).await;
    let mut client = world.connect().await;
    let host = world.host(3000);
    let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-Journeyman-Preview: {token}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    read_head(&mut stream).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let counter = written.clone();
    let (stalled, mut is_stalled) = tokio::sync::mpsc::channel(1);
    let tasks = Supervisor::new();
    tasks.spawn("server", async move {
        let piece = vec![0; 64 << 10];
        loop {
            let writing = stream.write_all(&piece);
            match tokio::time::timeout(std::time::Duration::from_secs(1), writing).await {
                Ok(Ok(())) => _ = counter.fetch_add(piece.len(), Ordering::Relaxed),
                _ => break,
            }
        }
        let _ = stalled.send(()).await;
    });
    is_stalled.recv().await.unwrap();
    let held = written.load(Ordering::Relaxed);
    assert!(held < 64 << 20, "{held} bytes went somewhere although nobody reads them");
}

#[tokio::test]
async fn http2_without_tls_carries_requests_and_bodies_side_by_side() {
    let world = World::new().await;
    world.serve(3000, mirror().await);
    let (_, token) = world.link(3000).await;
    let stream = TokioIo::new(world.connect().await);
    let (sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), stream)
            .await
            .unwrap();
    let tasks = Supervisor::new();
    tasks.spawn("client", async move {
        let _ = connection.await;
    });
    let url = format!("http://{}/x", world.host(3000));
    let asks = (0..20).map(|number| {
        let (mut sender, url, token) = (sender.clone(), url.clone(), token.clone());
        async move {
            let request = Request::get(format!("{url}?{number}"))
                .header("cookie", format!("jm_preview={token}"))
                .header("cookie", "a=1")
                .header("cookie", "b=2")
                .body(Full::default())
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let seen = String::from_utf8_lossy(&body).to_ascii_lowercase();
            assert!(seen.starts_with(&format!("get /x?{number} http/1.1\r\n")), "{seen}");
            assert!(
                seen.contains("\r\ncookie: a=1; b=2\r\n") && seen.contains("host: localhost:3000"),
                "{seen}"
            );
        }
    });
    futures_util::future::join_all(asks).await;
}

#[tokio::test]
async fn an_http2_upload_streams_while_its_answer_does() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.serve(3000, listener.local_addr().unwrap());
    let (_, token) = world.link(3000).await;
    let (feed, fed) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
    let body = StreamBody::new(futures_util::stream::unfold(fed, |mut fed| async move {
        fed.recv().await.map(|frame| (frame, fed))
    }));
    let stream = TokioIo::new(world.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let tasks = Supervisor::new();
    tasks.spawn("client", async move {
        let _ = connection.await;
    });
    let request = Request::post(format!("http://{}/", world.host(3000)))
        .header("x-journeyman-preview", token)
        .body(Box::pin(body))
        .unwrap();
    let asking = sender.send_request(request);
    let inside = async {
        feed.send(Ok(Frame::data(Bytes::from_static(b"first")))).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let mut chunk = [0; 10];
        stream.read_exact(&mut chunk).await.unwrap();
        assert_eq!(&chunk, b"5\r\nfirst\r\n", "it came before the upload ended");
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").await.unwrap();
        stream
    };
    let (response, mut inside) = tokio::join!(asking, inside);
    let mut answer = response.unwrap().into_body();
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    drop(feed);
    let mut end = [0; 5];
    inside.read_exact(&mut end).await.unwrap();
    assert_eq!(&end, b"0\r\n\r\n");
    inside.write_all(b"0\r\n\r\n").await.unwrap();
    assert!(answer.collect().await.unwrap().to_bytes().is_empty());
}
