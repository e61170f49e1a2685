//! What sort of address an IP address is. Only public ones are reached without an administrator's word.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The sort of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reachable over the internet.
    Public,
    /// This machine.
    Loopback,
    /// A network of somebody's own.
    Private,
    /// This network segment.
    LinkLocal,
    /// A provider's shared network (100.64.0.0/10).
    Shared,
    /// Many receivers.
    Multicast,
    /// An IPv4 address in the clothes of an IPv6 one; a second spelling is only good for evading a check.
    Embedded,
    /// Set aside for something else: documentation, benchmarks, the future.
    Reserved,
    /// Where a cloud tells machines their credentials. Never reached.
    Metadata,
}

impl Kind {
    /// In words, for a sentence such as "resolves to 10.0.0.1, a private address".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::Shared => "a carrier's shared address",
            Self::Multicast => "a multicast address",
            Self::Embedded => "an IPv4 address inside an IPv6 one",
            Self::Reserved => "a reserved address",
            Self::Metadata => "a cloud's metadata service",
        }
    }
}

/// Metadata services of AWS (instance, DNS, ECS, EKS), Google, Alibaba, Oracle, Azure.
const METADATA_V4: [Ipv4Addr; 8] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 169, 253),
    Ipv4Addr::new(169, 254, 169, 123),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// The sort of `address`.
#[must_use]
pub fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

const V4: [([u8; 4], u8, Kind); 16] = [
    ([0, 0, 0, 0], 8, Kind::Reserved),
    ([10, 0, 0, 0], 8, Kind::Private),
    ([100, 64, 0, 0], 10, Kind::Shared),
    ([127, 0, 0, 0], 8, Kind::Loopback),
    ([169, 254, 0, 0], 16, Kind::LinkLocal),
    ([172, 16, 0, 0], 12, Kind::Private),
    ([192, 0, 0, 0], 24, Kind::Reserved),
    ([192, 0, 2, 0], 24, Kind::Reserved),
    ([192, 31, 196, 0], 24, Kind::Reserved),
    ([192, 88, 99, 0], 24, Kind::Reserved),
    ([192, 168, 0, 0], 16, Kind::Private),
    ([198, 18, 0, 0], 15, Kind::Reserved),
    ([198, 51, 100, 0], 24, Kind::Reserved),
    ([203, 0, 113, 0], 24, Kind::Reserved),
    ([224, 0, 0, 0], 4, Kind::Multicast),
    ([240, 0, 0, 0], 4, Kind::Reserved),
];

fn kind_v4(address: Ipv4Addr) -> Kind {
    if METADATA_V4.contains(&address) {
        return Kind::Metadata;
    }
    let is_in = |net: [u8; 4], bits: u8| same_bits(&net, &address.octets(), bits);
    V4.iter().find(|(net, bits, _)| is_in(*net, *bits)).map_or(Kind::Public, |(.., kind)| *kind)
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    if METADATA_V6.contains(&address) {
        return Kind::Metadata;
    }
    if let Some(inner) = embedded(address) {
        return if kind_v4(inner) == Kind::Metadata { Kind::Metadata } else { Kind::Embedded };
    }
    let first = address.segments();
    match first[0] {
        0 if address.is_loopback() => Kind::Loopback,
        0xfc00..=0xfdff => Kind::Private,
        0xfe80..=0xfebf => Kind::LinkLocal,
        0xfec0..=0xfeff => Kind::Private,
        0xff00..=0xffff => Kind::Multicast,
        // 2001::/23 is the IETF's own (Teredo among it), 2001:db8::/32 and 3fff::/20 are for documentation.
        0x2001 if first[1] < 0x200 || first[1] == 0xdb8 => Kind::Reserved,
        0x3fff if first[1] < 0x1000 => Kind::Reserved,
        // Global unicast is 2000::/3; everything else is set aside.
        0x2000..=0x3fff => Kind::Public,
        _ => Kind::Reserved,
    }
}

/// The IPv4 address in a mapped, compatible, translated (NAT64) or 6to4 address.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let at = |index: usize| {
        let ([a, b], [c, d]) = (segments[index].to_be_bytes(), segments[index + 1].to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] if !address.is_loopback() && !address.is_unspecified() => Some(at(6)),
        [0, 0, 0, 0, 0xffff, 0, ..] => Some(at(6)),
        [0x64, 0xff9b, ..] => Some(at(6)),
        [0x2002, ..] => Some(at(1)),
        _ => None,
    }
}

/// A range of addresses: `10.1.0.0/16`, `fd12::/48`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    net: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Whether `address` lies in it. An IPv4 range never holds an IPv6 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.net, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => same_bits(&net.octets(), &address.octets(), self.bits),
            (IpAddr::V6(net), IpAddr::V6(address)) => same_bits(&net.octets(), &address.octets(), self.bits),
            _ => false,
        }
    }
}

impl Cidr {
    pub(crate) const fn is_v6(&self) -> bool {
        self.net.is_ipv6()
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no range of addresses such as 10.1.0.0/16");
        let (net, bits) = text.split_once('/').map_or((text, None), |(net, bits)| (net, Some(bits)));
        let net: IpAddr = net.parse().map_err(|_| wrong())?;
        let most = if net.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse::<u8>().map_err(|_| wrong()))?;
        if bits > most { Err(wrong()) } else { Ok(Self { net, bits }) }
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.net, self.bits)
    }
}

fn same_bits(left: &[u8], right: &[u8], bits: u8) -> bool {
    let (whole, rest) = (usize::from(bits / 8), bits % 8);
    let mask = if rest == 0 { 0 } else { u8::MAX << (8 - rest) };
    left[..whole] == right[..whole] && (rest == 0 || left[whole] & mask == right[whole] & mask)
}

#[cfg(test)]
mod tests;
