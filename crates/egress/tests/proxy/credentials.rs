//! Credentials that the sandbox never sees.

use std::path::Path;
use std::sync::Arc;

use egress::{Credential, Limits, OutsideConfig, Policy, Scheme};
use runtime::Supervisor;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::world::{OK, Server, World, policy, read_head};

const SECRET: &str = "Basic c2VjcmV0OnNlY3JldA==";
const TLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tests/wires/tls");

fn credential(scheme: Scheme, host: &str, port: u16, path: &str) -> Credential {
    let place = (host.parse().unwrap(), port);
    Credential::new(scheme, place, path, ("authorization", SECRET)).unwrap()
}

/// A server that speaks TLS as `localhost`.
async fn tls_server() -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let file = |name: &str| Path::new(TLS).join(name);
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (tell, seen) = mpsc::unbounded_channel();
    Supervisor::new().spawn("server", async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config.clone())).accept(stream).await {
                let _ = tell.send(read_head(&mut stream).await);
                let _ = stream.write_all(OK.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (port, seen)
}

fn trusting() -> OutsideConfig {
    OutsideConfig { ca_file: Some(Path::new(TLS).join("authority.pem")), ..OutsideConfig::default() }
}

#[tokio::test]
async fn a_client_that_was_pointed_here_gets_tls_and_the_header_and_its_own_is_replaced() {
    let (port, mut seen) = tls_server().await;
    let place = format!("localhost:{port}");
    let credentials = vec![credential(Scheme::Https, "localhost", port, "/")];
    let some = Policy { credentials, ..policy(std::slice::from_ref(&place)) };
    let world = World::with(some, Limits::default(), trusting()).await;
    let said = world
        .say(format!(
            "GET /https/{place}/repo.git/info/refs HTTP/1.1\r\nHost: x\r\nAuthorization: Basic mine\r\n\
             Connection: close\r\n\r\n"
        ))
        .await;
    assert!(said.ends_with("hello"), "{said}");
    let request = seen.recv().await.unwrap();
    assert!(request.starts_with("GET /repo.git/info/refs HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(SECRET) && !request.contains("mine"), "{request}");
    assert!(!said.contains("c2VjcmV0"), "{said}");
}

#[tokio::test]
async fn tls_is_checked_against_the_trusted_authorities() {
    let (port, mut seen) = tls_server().await;
    let place = format!("localhost:{port}");
    let credentials = vec![credential(Scheme::Https, "localhost", port, "/")];
    let some = Policy { credentials, ..policy(&[place.clone(), format!("good.example:{port}")]) };
    let world = World::new(some.clone()).await;
    let said = world.get(&format!("/https/{place}/")).await;
    assert!(said.contains("egress_unreachable") && said.contains("TLS"), "{said}");
    // Nor is a certificate for another name one.
    let world = World::with(some, Limits::default(), trusting()).await;
    let said = world.get(&format!("/https/good.example:{port}/")).await;
    assert!(said.contains("egress_unreachable") && said.contains("TLS"), "{said}");
    assert!(seen.try_recv().is_err());
    assert!(world.refused().is_empty(), "that is nobody's refusal");
}

#[tokio::test]
async fn a_credential_goes_to_its_own_scheme_host_port_and_path_only() {
    let mut server = Server::answering(OK).await;
    let mut second = Server::answering(OK).await;
    let (place, elsewhere) =
        (format!("good.example:{}", server.port), format!("good.example:{}", second.port));
    let credentials = vec![
        credential(Scheme::Http, "good.example", server.port, "/team"),
        credential(Scheme::Https, "good.example", second.port, "/"),
    ];
    let other = format!("other.example:{}", server.port);
    let allow = [place.clone(), elsewhere.clone(), other.clone()];
    let world = World::new(Policy { credentials, ..policy(&allow) }).await;
    world.get(&format!("/http/{place}/team/repo.git")).await;
    assert!(server.saw().await.contains(SECRET));
    for url in [
        format!("/http/{place}/teams/repo.git"),
        format!("/http/{place}/team/../other/repo.git"),
        format!("/http/{place}/team/%2e%2e/other"),
        format!("/http/{other}/team/repo.git"),
    ] {
        world.get(&url).await;
        assert!(!server.saw().await.contains("c2VjcmV0"), "{url}");
    }
    world.get(&format!("http://{elsewhere}/")).await;
    assert!(!second.saw().await.contains("c2VjcmV0"), "not without TLS");
}

#[tokio::test]
async fn a_tunnel_gets_nothing_added() {
    let mut server = Server::answering(OK).await;
    let place = format!("good.example:{}", server.port);
    let credentials = vec![credential(Scheme::Http, "good.example", server.port, "/")];
    let world = World::new(Policy { credentials, ..policy(std::slice::from_ref(&place)) }).await;
    let (mut stream, _) = world.tunnel(&place).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(server.saw().await, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
}
