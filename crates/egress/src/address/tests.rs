use super::*;

fn kind_of(text: &str) -> Kind {
    kind(text.parse().expect("an address"))
}

#[test]
fn every_range_that_is_not_public_is_known_at_both_its_ends() {
    let ranges = [
        ("0.0.0.0", "0.255.255.255", Kind::Reserved),
        ("10.0.0.0", "10.255.255.255", Kind::Private),
        ("100.64.0.0", "100.127.255.255", Kind::Shared),
        ("127.0.0.0", "127.255.255.255", Kind::Loopback),
        ("169.254.0.0", "169.254.255.255", Kind::LinkLocal),
        ("172.16.0.0", "172.31.255.255", Kind::Private),
        ("192.168.0.0", "192.168.255.255", Kind::Private),
        ("198.18.0.0", "198.19.255.255", Kind::Reserved),
        ("224.0.0.0", "239.255.255.255", Kind::Multicast),
        ("240.0.0.0", "255.255.255.255", Kind::Reserved),
        ("::", "::", Kind::Reserved),
        ("::1", "::1", Kind::Loopback),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Kind::Private),
        ("fe80::", "febf::1", Kind::LinkLocal),
        ("fec0::1", "feff::1", Kind::Private),
        ("ff00::", "ff0e::1", Kind::Multicast),
        ("2001:db8::1", "2001:db8:ffff::1", Kind::Reserved),
        ("2001::1", "2001:1ff::1", Kind::Reserved),
        ("100::1", "64:ff9a::1", Kind::Reserved),
    ];
    for (first, last, kind) in ranges {
        assert_eq!((kind_of(first), kind_of(last)), (kind, kind), "{first} to {last}");
    }
    let public = [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:4860:4860::8888",
    ];
    for address in public {
        assert_eq!(kind_of(address), Kind::Public, "{address}");
    }
}

#[test]
fn metadata_services_are_known_in_every_spelling() {
    let spellings = [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "::ffff:100.100.100.200",
        "::ffff:0:169.254.169.254",
    ];
    for address in spellings {
        assert_eq!(kind_of(address), Kind::Metadata, "{address}");
    }
}

#[test]
fn an_ipv4_address_in_an_ipv6_one_is_never_public() {
    for address in ["::ffff:1.1.1.1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::"]
    {
        assert_eq!(kind_of(address), Kind::Embedded, "{address}");
    }
}

#[test]
fn ranges_hold_what_lies_in_them_and_do_not_mix_families() {
    let check = |range: &str, address: &str| {
        range.parse::<Cidr>().expect("a range").contains(address.parse().expect("an address"))
    };
    assert!(check("10.1.0.0/16", "10.1.255.255") && !check("10.1.0.0/16", "10.2.0.0"));
    assert!(check("10.1.2.3", "10.1.2.3") && !check("10.1.2.3", "10.1.2.2"));
    assert!(check("0.0.0.0/0", "9.9.9.9") && !check("0.0.0.0/0", "::ffff:9.9.9.9"));
    assert!(check("fd12::/20", "fd12:fff::1") && !check("fd12::/20", "fd12:1000::1"));
    for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "name/8"] {
        assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
    }
    assert_eq!("10.1.0.0/16".parse::<Cidr>().expect("a range").to_string(), "10.1.0.0/16");
}
