use super::*;

fn host(text: &str) -> Host {
    text.parse().expect(text)
}

fn pattern(text: &str) -> HostPattern {
    text.parse().expect(text)
}

#[test]
fn a_name_has_one_spelling() {
    assert_eq!(host("EXAMPLE.Com."), Host::Name("example.com".to_owned()));
    assert_eq!(host("[::1]"), Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    assert_eq!(host("127.0.0.1").to_string(), "127.0.0.1");
    assert_eq!(host("[FD00::0001]").to_string(), "[fd00::1]");
}

#[test]
fn what_could_be_read_in_two_ways_is_no_host() {
    let long = "a".repeat(64);
    let longer = ["abcdefgh."; 30].concat();
    let wrong = [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "1.2.3.4.5",
        "256.1.1.1",
        "a b",
        "a\r\nb",
        "a/b",
        "a@b",
        "a:80",
        "é.example",
        "-a.example",
        "a-.example",
        "::1",
        "[::1",
        "[127.0.0.1]",
        "[fe80::1%eth0]",
        "a%2eb",
        "a\0b",
        &long,
        &longer,
    ];
    for text in wrong {
        assert!(text.parse::<Host>().is_err(), "{text:?}");
    }
}

#[test]
fn a_star_speaks_of_names_below_and_not_of_the_name_itself() {
    let below = pattern("*.Example.com");
    for name in ["a.example.com", "b.a.example.com"] {
        assert!(below.matches(&host(name)), "{name}");
    }
    for name in ["example.com", "aexample.com", "example.com.evil.org", "a.example.comm"] {
        assert!(!below.matches(&host(name)), "{name}");
    }
    assert!(pattern("example.com").matches(&host("EXAMPLE.com.")));
    assert!(!pattern("example.com").matches(&host("a.example.com")));
    assert!(pattern("*").matches(&host("9.9.9.9")) && pattern("9.9.9.9").matches(&host("9.9.9.9")));
    for wrong in ["*.", "*.*", "*.1.2.3.4", "a.*", "*a.b", ""] {
        assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
    }
}
