use super::*;

const ID: &str = "sbx0192f0c4a1b27c3d8e4f5a6b7c8d9e0f";

fn names() -> Names {
    Names::new(&["Preview.Example.com".to_owned(), "*.box.example".to_owned()]).expect("domains")
}

fn name(port: u16) -> PreviewName {
    PreviewName { sandbox: ID.parse().expect("an id"), port }
}

#[test]
fn a_preview_is_named_by_its_host_or_by_its_path() {
    let by_host = |port, path: &str| Ok(Named::Preview(name(port), Form::Host, path.to_owned()));
    let by_path = |port, path: &str| Ok(Named::Preview(name(port), Form::Path, path.to_owned()));
    for host in
        ["localhost", "localhost:4001", "preview.example.com", "PREVIEW.example.com:443", "box.example"]
    {
        assert_eq!(names().read(&format!("3000-{ID}.{host}"), "/a?b"), by_host(3000, "/a?b"), "{host}");
    }
    for host in ["localhost:4001", "127.0.0.1:4001", "[::1]:4001", "preview.example.com"] {
        assert_eq!(
            names().read(host, &format!("/p/{ID}/8080/a/b?c=/d")),
            by_path(8080, "/a/b?c=/d"),
            "{host}"
        );
        assert_eq!(names().read(host, &format!("/p/{ID}/8080")), Ok(Named::WithoutSlash(name(8080))));
        assert_eq!(names().read(host, "/"), Ok(Named::Gateway));
    }
    assert_eq!(name(80).label(), format!("80-{ID}"));
}

#[test]
fn every_other_host_is_refused() {
    let strangers = [
        "evil.example",
        "3000-x.evil.example",
        "preview.example.com.evil.example",
        "localhost.evil.example",
        "127.0.0.2",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "",
        ".",
        "127.0.0.1.",
        "localhost:",
        "localhost:x",
        "localhost:1:2",
        "localhost:999999",
        "user@localhost",
    ];
    for host in strangers {
        assert_eq!(names().read(host, "/"), Err(BadName::Host), "{host}");
        assert_eq!(names().read(&format!("3000-{ID}.{host}"), "/"), Err(BadName::Host), "{host}");
    }
    let ours = [
        format!("{ID}.localhost"),
        format!("0-{ID}.localhost"),
        format!("03000-{ID}.localhost"),
        format!("65536-{ID}.localhost"),
        format!("+80-{ID}.localhost"),
        format!("80-{ID}x.localhost"),
        format!("80--{ID}.localhost"),
        "80-.localhost".to_owned(),
        "80-sbx.localhost".to_owned(),
        format!("80-run{}.localhost", &ID[3..]),
        "www.preview.example.com".to_owned(),
        format!("a-{ID}.box.example"),
    ];
    for host in ours {
        assert_eq!(names().read(&host, "/"), Err(BadName::Preview), "{host}");
    }
    for path in
        ["/p/", "/p/x", "/p/x/80/", &format!("/p/{ID}/"), &format!("/p/{ID}/0/"), &format!("/p/{ID}/80x/")]
    {
        assert_eq!(names().read("localhost", path), Err(BadName::Preview), "{path}");
    }
}

/// Strange hosts made of pieces of good ones: whatever reads as a preview is written in exactly one way.
#[test]
fn whatever_reads_as_a_preview_has_one_spelling() {
    use runtime::{Random, SeededRandom};

    let pieces = [
        "3000",
        "-",
        ".",
        ":",
        "4001",
        ID,
        "localhost",
        "preview.example.com",
        "box.example",
        "0",
        "+",
        " ",
        "@",
        "/",
        "%2e",
        "[",
        "]",
        "::1",
        "127.0.0.1",
        "\u{e9}",
        "\0",
        "evil.example",
        "P",
        "sbx",
        "65535",
        "65536",
    ];
    let random = SeededRandom::new(11);
    let mut read = 0;
    for _ in 0..300_000 {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        let count = 1 + usize::from(bytes[0] % 7);
        let mut host: String =
            bytes[1..=count].iter().map(|byte| pieces[usize::from(*byte) % pieces.len()]).collect();
        if bytes[0] > 200 {
            host = format!("3000-{ID}.{host}");
        }
        if let Ok(Named::Preview(name, Form::Host, _)) = names().read(&host, "/") {
            read += 1;
            let lower = host.to_ascii_lowercase();
            let rest = lower.strip_prefix(&format!("{}.", name.label())).expect(&host);
            let domain = rest.split(':').next().unwrap_or_default();
            assert!(["localhost", "preview.example.com", "box.example"].contains(&domain), "{host}");
        }
    }
    assert!(read > 100, "{read}");
}
