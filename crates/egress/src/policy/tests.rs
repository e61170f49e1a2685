use super::*;

fn policy(allow: &[&str], deny: &[&str]) -> Policy {
    let rules = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a rule")).collect();
    Policy { allow: rules(allow), deny: rules(deny), ..Policy::default() }
}

fn code(result: Result<(), Refusal>) -> &'static str {
    result.map_or_else(|refusal| refusal.code(), |()| "")
}

#[test]
fn nothing_is_reached_that_is_not_listed_by_host_and_port() {
    let some = policy(&["example.com", "*.crates.io:443", "git.example:22,8080", "[2606:4700::1]:443"], &[]);
    for (host, port, wanted) in [
        ("example.com", 80, ""),
        ("EXAMPLE.com.", 443, ""),
        ("example.com", 8080, "egress_port_not_allowed"),
        ("www.example.com", 443, "egress_not_allowed"),
        ("static.crates.io", 443, ""),
        ("static.crates.io", 80, "egress_port_not_allowed"),
        ("crates.io", 443, "egress_not_allowed"),
        ("git.example", 22, ""),
        ("git.example", 443, "egress_port_not_allowed"),
        ("[2606:4700::1]", 443, ""),
        ("169.254.169.254", 80, "egress_metadata"),
    ] {
        assert_eq!(code(some.check(&host.parse().expect("a host"), port)), wanted, "{host}:{port}");
    }
    assert_eq!(
        code(Policy::default().check(&"example.com".parse().expect("a host"), 443)),
        "egress_not_allowed"
    );
}

#[test]
fn a_denial_goes_over_every_permission() {
    let some = policy(&["*"], &["evil.example", "*.x.example:443"]);
    for (host, port, wanted) in [
        ("good.example", 443, ""),
        ("evil.example", 80, "egress_denied"),
        ("evil.example", 9999, "egress_denied"),
        ("a.x.example", 443, "egress_denied"),
        ("a.x.example", 80, ""),
    ] {
        assert_eq!(code(some.check(&host.parse().expect("a host"), port)), wanted, "{host}:{port}");
    }
}

#[test]
fn an_administrator_opens_a_range_to_named_hosts_and_never_metadata() {
    let rule = |host: &str, range: &str| {
        PrivateRule::new(host.parse().expect("a host"), range.parse().expect("a range"))
    };
    let private = vec![
        rule("git.corp.example", "10.1.0.0/16").expect("a rule"),
        rule("all.example", "0.0.0.0/0").expect("a rule"),
        rule("all.example", "::/0").expect("a rule"),
    ];
    let some = Policy { private, ..policy(&["*"], &[]) };
    for (host, address, wanted) in [
        ("git.corp.example", "10.1.2.3", ""),
        ("git.corp.example", "10.2.2.3", "egress_address_not_public"),
        ("other.example", "10.1.2.3", "egress_address_not_public"),
        ("other.example", "1.1.1.1", ""),
        ("all.example", "127.0.0.1", ""),
        ("all.example", "169.254.169.254", "egress_metadata"),
        ("all.example", "fd00:ec2::254", "egress_metadata"),
        ("all.example", "::ffff:10.0.0.1", "egress_address_not_public"),
        ("all.example", "224.0.0.1", "egress_address_not_public"),
    ] {
        let host = host.parse().expect("a host");
        assert_eq!(
            code(some.check_address(&host, 443, address.parse().expect("an address"))),
            wanted,
            "{address}"
        );
    }
    assert!(rule("*", "10.0.0.0/8").is_err());
}

#[test]
fn rules_read_as_they_are_written() {
    for text in [
        "example.com",
        "*.example.com:443",
        "example.com:443,8443",
        "*",
        "[2606:4700::1]:443",
        "9.9.9.9",
        "*:*",
        "9.9.9.0/24:*",
        "[2606:4700::/32]:22",
    ] {
        let rule: Rule = text.parse().expect("a rule");
        assert_eq!(rule.to_string(), text);
        let json = serde_json::to_string(&rule).expect("json");
        assert_eq!(serde_json::from_str::<Rule>(&json).expect("a rule"), rule);
    }
    for wrong in [
        "",
        ":443",
        "a:",
        "a:0",
        "a:65536",
        "a:x",
        "a:443,",
        "http://a",
        "a/b",
        "[::1",
        "a:1:2",
        "a/24",
        "9.9.9.0/33",
        "a:*,1",
    ] {
        assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
    }
}

#[test]
fn a_range_speaks_of_addresses_and_a_denied_one_of_whatever_name_leads_there() {
    let some = policy(&["9.9.9.0/24:*", "name.example"], &["9.9.9.128/25:443", "2606:4700::/32"]);
    let check = |host: &str, port| code(some.check(&host.parse().expect("a host"), port));
    assert_eq!(
        (check("9.9.9.1", 22), check("9.9.9.200", 443), check("9.9.9.200", 22)),
        ("", "egress_denied", "")
    );
    assert_eq!(check("9.9.8.1", 443), "egress_not_allowed");
    assert_eq!(code(policy(&["9.9.9.9"], &[]).check(&"9.9.9.9".parse().expect("a host"), 53)), "");
    let name: Host = "name.example".parse().expect("a host");
    let resolved = |address: &str| code(some.check_address(&name, 443, address.parse().expect("an address")));
    assert_eq!((resolved("9.9.9.1"), resolved("9.9.9.129")), ("", "egress_denied"));
    assert_eq!(resolved("2606:4700::1"), "egress_denied");
}
