use super::*;

fn context(form: Form) -> Context<'static> {
    let sandbox = "sbx0192f0c4a1b27c3d8e4f5a6b7c8d9e0f".parse().expect("an id");
    Context {
        name: PreviewName { sandbox, port: 3000 },
        form,
        host: "3000-x.localhost:4001",
        is_https: false,
        peer: Some("10.1.2.3:555".parse().expect("an address")),
    }
}

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let parse = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    pairs.iter().map(parse).collect()
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut all: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    all.sort();
    all
}

#[test]
fn what_is_the_platforms_own_never_reaches_a_sandbox() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("cookie", "a=1; jm_login=secret; b=jm_x"),
        ("cookie", "__Host-jm_preview=jmp_1; JM_LOGIN=2;__Secure-jm_x=3; c=4"),
        ("authorization", "Bearer jm_secret"),
        ("x-api-key", "e2b_0123"),
        ("x-journeyman-preview", "jmp_1"),
        ("x-forwarded-for", "1.1.1.1"),
        ("forwarded", "for=1.1.1.1"),
        ("host", "3000-x.localhost:4001"),
        ("origin", "http://3000-x.localhost:4001"),
    ] {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    inward(&mut headers, &context(Form::Host));
    let wanted = [
        ("cookie", "a=1; b=jm_x; c=4"),
        ("host", "localhost:3000"),
        ("origin", "http://localhost:3000"),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-forwarded-host", "3000-x.localhost:4001"),
        ("x-forwarded-proto", "http"),
    ];
    assert_eq!(pairs(&headers), wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn what_the_server_inside_gave_out_itself_stays() {
    let mut headers = map(&[
        ("authorization", "Bearer of-the-app"),
        ("x-api-key", "of-the-app"),
        ("cookie", "session=x"),
        ("origin", "https://elsewhere.example"),
    ]);
    inward(&mut headers, &context(Form::Host));
    for (name, value) in [
        ("authorization", "Bearer of-the-app"),
        ("x-api-key", "of-the-app"),
        ("cookie", "session=x"),
        ("origin", "https://elsewhere.example"),
    ] {
        assert_eq!(headers.get(name).map(HeaderValue::as_bytes), Some(value.as_bytes()));
    }
}

#[test]
fn an_answer_sets_no_cookie_of_the_platform_and_its_own_address_becomes_the_previews() {
    let mut headers = HeaderMap::new();
    for value in ["jm_login=mine; Path=/", "session=1", " __Host-jm_preview=x"] {
        headers.append(header::SET_COOKIE, HeaderValue::from_static(value));
    }
    headers.insert(header::LOCATION, HeaderValue::from_static("http://localhost:3000/next?a=b"));
    let mut by_path = headers.clone();
    outward(&mut headers, &context(Form::Host));
    assert_eq!(headers.get_all(header::SET_COOKIE).iter().collect::<Vec<_>>(), ["session=1"]);
    assert_eq!(headers[header::LOCATION], "/next?a=b");
    assert!(!headers.contains_key(header::CONTENT_SECURITY_POLICY));
    outward(&mut by_path, &context(Form::Path));
    let path = "/p/sbx0192f0c4a1b27c3d8e4f5a6b7c8d9e0f/3000/next?a=b";
    assert_eq!(by_path[header::LOCATION], path);
    assert!(by_path[header::CONTENT_SECURITY_POLICY].to_str().expect("a text").starts_with("sandbox "));
    for elsewhere in ["https://localhost:3001/", "https://example.com/", "//example.com/", "next", "?a"] {
        let mut headers = map(&[]);
        headers.insert(header::LOCATION, HeaderValue::from_static(elsewhere));
        outward(&mut headers, &context(Form::Path));
        assert_eq!(headers[header::LOCATION], elsewhere);
    }
}

#[test]
fn tokens_are_found_in_link_header_and_cookies_and_taken_off_the_path() {
    let headers = map(&[("cookie", "a=b; jm_preview=1; __Host-jm_preview=2"), ("x-journeyman-preview", "3")]);
    assert_eq!(tokens(&headers, Some("x=y&jm_preview=4&jm_previews=5")), ["4", "3", "1", "2"]);
    for (path, without, had) in [
        ("/a", "/a", false),
        ("/a?b=c", "/a?b=c", false),
        ("/a?jm_preview=t", "/a", true),
        ("/a?b=c&jm_preview=t&d", "/a?b=c&d", true),
        ("/a?jm_previews=t", "/a?jm_previews=t", false),
        ("/?", "/?", false),
    ] {
        assert_eq!(without_token(path), (without.to_owned(), had), "{path}");
    }
}

#[test]
fn an_upgrade_needs_both_its_headers() {
    assert!(upgrade(&map(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")])).is_some());
    assert!(upgrade(&map(&[("connection", "keep-alive"), ("upgrade", "websocket")])).is_none());
    assert!(upgrade(&map(&[("connection", "upgrade")])).is_none());
}
