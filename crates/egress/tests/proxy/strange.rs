//! Requests that are meant to be read in two ways.

use egress::target::{Head, Wish};
use egress::{Limits, OutsideConfig};
use hyper::{HeaderMap, Method, Uri, Version};
use runtime::{Random, SeededRandom};
use tokio::io::AsyncWriteExt;

use crate::world::{OK, Server, World, policy};

#[tokio::test]
async fn a_request_that_hides_another_is_refused_or_arrives_as_one() {
    let mut server = Server::answering(OK).await;
    let place = format!("good.example:{}", server.port);
    let world = World::new(policy(std::slice::from_ref(&place))).await;
    let hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    let head = format!("POST http://{place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    let refused = [
        format!("{head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde{hidden}"),
        format!("{head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Content-Length: +5\r\n\r\nabcde{hidden}"),
        format!("{head}Content-Length: 5 5\r\n\r\nabcde{hidden}"),
        format!("{head}X: a\r\n b\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{hidden}"),
        format!("{head}Host: y\r\n\r\n"),
        format!("POST http://{place}/ HTTP/1.1 \r\nHost: x\r\n\r\n"),
        format!("POST http://{place}/\thttp HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("POST http://{place}/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("TRACE http://{place}/ HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET http://me:you@{place}/ HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET ftp://{place}/ HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("CONNECT me@{place} HTTP/1.1\r\nHost: x\r\n\r\n"),
        "CONNECT good.example HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "CONNECT good.example:0 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "CONNECT good.example:99999 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET http://127.1/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET http://0x7f000001/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET http://2130706433/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /https/a%2eexample/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET //good.example/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ];
    for request in refused {
        let said = world.say(&request).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 400 "), "{request:?}: {said}");
        while let Ok(seen) = server.seen.try_recv() {
            // With a body that turns out to be wrong, the head may have gone on; what was hidden has not.
            assert!(!seen.contains("/hidden"), "{request:?}: {seen}");
        }
    }
    // Here the coding counts, so that it is one request, and it goes on as one with one length.
    let both = [
        "Transfer-Encoding: chunked\r\nContent-Length: 100",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
    ];
    for lengths in both {
        world.say(format!("{head}{lengths}\r\n\r\n3\r\nabc\r\n0\r\n\r\n{hidden}")).await;
        let seen = server.saw().await;
        let lower = seen.to_ascii_lowercase();
        assert!(lower.contains("transfer-encoding: chunked") && !lower.contains("content-length"), "{seen}");
        assert!(seen.ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "{seen}");
        assert!(server.saw_nothing());
    }
}

/// Pieces from which requests are thrown together.
const PIECES: &[&str] = &[
    "GET",
    "CONNECT",
    "POST",
    " ",
    " ",
    "\t",
    "http://",
    "https://",
    "/http/",
    "/https/",
    "good.example",
    "evil.example",
    "GOOD.EXAMPLE.",
    "127.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0x7f.1",
    ":80",
    ":443",
    ":0",
    ":65536",
    "@",
    "/",
    "//",
    "\\",
    "%2f",
    "%00",
    "?",
    "#",
    "..",
    "HTTP/1.1",
    "HTTP/1.0",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\0",
    "\u{e9}",
    "Host: ",
    "Content-Length: ",
    "Transfer-Encoding: chunked",
    "5",
    ",",
    ";",
    "*",
    "good.example.evil.example",
];

fn pick<'a, T>(random: &SeededRandom, from: &'a [T]) -> &'a T {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    &from[u32::from_le_bytes(bytes) as usize % from.len()]
}

#[tokio::test]
async fn no_request_line_however_strange_reaches_what_is_not_listed() {
    let world =
        World::with(policy(&["good.example".to_owned()]), Limits::default(), OutsideConfig::default()).await;
    // Nobody has this address; it is refused before anything is connected to.
    world.names.put("good.example", &[&["10.0.0.1"]]);
    let random = SeededRandom::new(20_261_121);
    for round in 0..3_000 {
        let count = *pick(&random, &[3, 5, 8, 12]);
        let mut line: String = (0..count).map(|_| *pick(&random, PIECES)).collect();
        if round % 2 == 0 {
            line = format!("GET http://good.example{line} HTTP/1.1\r\nHost: x");
        }
        let mut stream = world.connect().await;
        let _ = stream.write_all(format!("{line}\r\n\r\n").as_bytes()).await;
        let _ = stream.shutdown().await;
        let said = crate::world::read_to_end(&mut stream).await;
        let is_refusal = said.is_empty() || said.starts_with("HTTP/1.1 4") || said.starts_with("HTTP/1.0 4");
        let is_overview = said.starts_with("HTTP/1.1 200 OK") && said.contains("way out of this sandbox");
        assert!(is_refusal || is_overview || said.starts_with("HTTP/1.0 200 OK"), "{line:?}: {said}");
    }
    let asked = world.names.asked.lock().unwrap();
    assert!(!asked.is_empty() && asked.iter().all(|name| name == "good.example"), "{asked:?}");
}

#[test]
fn every_target_that_reads_reads_the_same_when_it_is_written_again() {
    let random = SeededRandom::new(7);
    let headers = HeaderMap::new();
    let mut read = 0;
    for _ in 0..200_000 {
        let text: String = (0..*pick(&random, &[1, 2, 3, 4])).map(|_| *pick(&random, PIECES)).collect();
        let Ok(uri) = text.parse::<Uri>() else { continue };
        for method in [Method::CONNECT, Method::GET] {
            let head = Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers };
            let target = match Wish::of(head) {
                Ok(Wish::Tunnel(target) | Wish::Forward { target, .. }) => target,
                Ok(Wish::Overview) | Err(_) => continue,
            };
            read += 1;
            let again: Uri = format!("{}:{}", target.host, target.port).parse().expect(&text);
            let method = Method::CONNECT;
            let head = Head { method: &method, uri: &again, version: Version::HTTP_11, headers: &headers };
            assert_eq!(Wish::of(head), Ok(Wish::Tunnel(target)), "{text:?}");
        }
    }
    assert!(read > 1_000, "{read}");
}
