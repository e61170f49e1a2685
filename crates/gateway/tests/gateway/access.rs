//! Who may look, and at what.

use gateway::{Access, NewPreview, TlsFiles};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{World, cookie, mirror, name, read_head, sandbox};

#[tokio::test]
async fn the_token_of_a_link_becomes_a_cookie_on_first_use_and_leaves_the_address() {
    let world = World::new().await;
    world.serve(3000, mirror().await);
    let (_, token) = world.link(3000).await;
    let said = world.get(3000, &format!("/a/b?x=1&jm_preview={token}&y=2"), "").await;
    assert!(said.starts_with("HTTP/1.1 303 ") && said.contains("\r\nlocation: /a/b?x=1&y=2\r\n"), "{said}");
    let (pair, attributes) = cookie(&said);
    assert!(
        attributes.contains("HttpOnly")
            && attributes.contains("SameSite=Lax")
            && attributes.contains("Path=/")
    );
    assert!(world.boxes.connected.lock().unwrap().is_empty(), "nothing was asked of the sandbox");

    let own = format!(
        "Cookie: a=b; {pair}; jm_login=secret\r\nAuthorization: Bearer jm_secret\r\nX-API-KEY: e2b_secret\r\n"
    );
    let said = world.get(3000, "/a/b?x=1&y=2", &own).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.contains("GET /a/b?x=1&y=2 HTTP/1.1\r\n"), "{said}");
    assert!(said.to_ascii_lowercase().contains("\r\ncookie: a=b\r\n"), "{said}");
    for secret in ["jm_", "jmp_", "e2b_", "secret"] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
    let place = world.boxes.connected.lock().unwrap()[0];
    assert_eq!((place.org, place.sandbox, place.port), (world.owner.org(), sandbox(), 3000));
}

#[tokio::test]
async fn a_link_opens_its_own_port_of_its_own_sandbox_and_nothing_else() {
    let world = World::new().await;
    world.serve(3000, mirror().await);
    world.serve(3001, mirror().await);
    let (_, token) = world.link(3000).await;
    let shown = format!("X-Journeyman-Preview: {token}\r\n");
    assert!(world.get(3000, "/", &shown).await.starts_with("HTTP/1.1 200 "));
    for more in ["", "Cookie: jm_preview=jmp_x\r\n", "X-Journeyman-Preview: \r\n"] {
        let said = world.get(3000, "/", more).await;
        assert!(said.starts_with("HTTP/1.1 401 ") && said.contains("preview_link_needed"), "{said}");
    }
    let flipped = shown.replace("jmp_", "jmp_A").replacen('A', "", 0);
    assert!(world.get(3000, "/", &flipped).await.starts_with("HTTP/1.1 401 "));
    assert!(world.get(3001, "/", &shown).await.starts_with("HTTP/1.1 401 "));
    let other = format!("3000-sbx{:032x}.localhost", 5);
    let said =
        world.say(format!("GET / HTTP/1.1\r\nHost: {other}\r\nConnection: close\r\n{shown}\r\n")).await;
    assert!(said.starts_with("HTTP/1.1 401 "), "{said}");
    assert_eq!(world.boxes.connected.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_preview_for_everybody_needs_no_link_and_can_speak_of_every_port() {
    let world = World::new().await;
    world.serve(3000, mirror().await);
    let new = NewPreview { sandbox: sandbox(), port: None, access: Access::Public, life_ms: None };
    let made = world.previews.create(&world.owner.allow().unwrap(), new).await.unwrap();
    assert!(made.token.is_none());
    assert!(world.get(3000, "/", "").await.starts_with("HTTP/1.1 200 "));
    assert!(world.get(3001, "/", "").await.contains("no_server"));
    world.previews.revoke(&world.owner.allow().unwrap(), sandbox(), made.preview.id).await.unwrap();
    assert!(world.get(3000, "/", "").await.starts_with("HTTP/1.1 401 "));
}

#[tokio::test]
async fn previews_are_listed_without_their_tokens_and_refused_where_they_make_no_sense() {
    let world = World::new().await;
    let (made, _) = world.link(3000).await;
    let listed = world.previews.list(&world.owner.allow().unwrap(), sandbox()).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&made.preview));
    for (port, life_ms) in
        [(Some(0), None), (Some(80), Some(0)), (Some(80), Some(-5)), (Some(80), Some(i64::MAX))]
    {
        let new = NewPreview { sandbox: sandbox(), port, access: Access::Link, life_ms };
        let refused = world.previews.create(&world.owner.allow().unwrap(), new).await;
        assert!(matches!(refused, Err(gateway::Error::Invalid(_))), "{refused:?}");
    }
    world.previews.revoke(&world.owner.allow().unwrap(), sandbox(), made.preview.id).await.unwrap();
    let again = world.previews.revoke(&world.owner.allow().unwrap(), sandbox(), made.preview.id).await;
    assert!(matches!(again, Err(gateway::Error::NotFound(_))), "{again:?}");
    assert!(world.previews.list(&world.owner.allow().unwrap(), sandbox()).await.unwrap().is_empty());
}

#[tokio::test]
async fn over_tls_the_cookie_is_for_this_host_and_tls_only() {
    use std::path::Path;
    use std::sync::Arc;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tests/wires/tls"));
    let files = TlsFiles { certificate: folder.join("server.pem"), key: folder.join("server.key") };
    let world = World::with(Some(files)).await;
    world.serve(3000, mirror().await);
    let (_, token) = world.link(3000).await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("authority.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = world.connect().await;
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    let host = world.host(3000);
    stream
        .write_all(format!("GET /?jm_preview={token} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let said = read_head(&mut stream).await;
    let (pair, attributes) = cookie(&said);
    assert!(pair.starts_with("__Host-jm_preview=") && attributes.contains("; Secure"), "{said}");
    stream
        .write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {pair}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let said = read_head(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    let mut seen = [0; 200];
    let count = stream.read(&mut seen).await.unwrap();
    let seen = String::from_utf8_lossy(&seen[..count]).to_ascii_lowercase();
    assert!(!seen.contains("jm_preview"), "{seen}");
    assert_eq!(
        world.gateway.url(name(3000), gateway::Form::Host, Some("t")),
        format!(
            "https://{}.preview.example:{}/?jm_preview=t",
            name(3000).label(),
            world.gateway.address().port()
        )
    );
}
