//! Whom a request comes from. What is counted by address (wrong secrets, entries, streams) hangs on it, so nothing that a
//! stranger can write into a header decides it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use actix_web::http::header::HeaderMap;

/// Where a proxy writes whom it speaks for, at the end.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Whoever has one address of an IPv6 network has them all: networks of so many bits count as one.
const IPV6_NETWORK_BITS: u32 = 64;

/// Networks of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Networks {
    /// Reads addresses (`192.0.2.1`) and networks (`10.0.0.0/8`).
    ///
    /// # Errors
    /// The text that is neither.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        texts.iter().map(|text| Network::parse(text).ok_or_else(|| text.clone())).collect::<Result<_, _>>().map(Self)
    }

    /// The address that counts for a request: its peer's; if that is a proxy among these, the last one that is none of
    /// those that are said to have passed it on.
    pub(super) fn address_of(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
        let mut address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.to_canonical());
        if self.contain(address) {
            let texts: Vec<&str> = headers.get_all(FORWARDED_FOR).filter_map(|value| value.to_str().ok()).collect();
            // What is no address was not written by a proxy that is to be believed: it ends the chain.
            let passed_on = texts.iter().rev().flat_map(|text| text.rsplit(',')).map_while(address_in);
            for before in passed_on {
                address = before;
                if !self.contain(address) {
                    break;
                }
            }
        }
        match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => IpAddr::V6(network_of(address)),
        }
    }

    fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// An address as proxies write it: some with a port.
fn address_in(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(address, _)| address);
    let address = bare.parse().ok().or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

fn network_of(address: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - IPV6_NETWORK_BITS)))
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse().ok()?, Some(bits.parse().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let most = if IpAddr::is_ipv4(&address) { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    fn contains(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => (ours.to_bits() ^ other.to_bits()).leading_zeros() >= self.bits,
            (IpAddr::V6(ours), IpAddr::V6(other)) => (ours.to_bits() ^ other.to_bits()).leading_zeros() >= self.bits,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_of(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted: Vec<String> = trusted.iter().map(ToString::to_string).collect();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR.parse().unwrap(), value.parse().unwrap());
        }
        Networks::parse(&trusted).unwrap().address_of(Some(peer.parse().unwrap()), &headers).to_string()
    }

    #[test]
    fn what_strangers_write_is_not_believed() {
        assert_eq!(address_of(&[], "192.0.2.1", &["10.0.0.1"]), "192.0.2.1");
        assert_eq!(address_of(&["10.0.0.0/8"], "192.0.2.1", &["10.0.0.1"]), "192.0.2.1");
        assert_eq!(address_of(&["::1"], "127.0.0.1", &["10.0.0.1"]), "127.0.0.1");
    }

    #[test]
    fn a_proxy_says_whom_it_speaks_for_and_its_callers_cannot() {
        let trusted = ["10.0.0.0/8", "127.0.0.1"];
        assert_eq!(address_of(&trusted, "10.1.2.3", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(address_of(&trusted, "::ffff:10.1.2.3", &["198.51.100.9, 192.0.2.1, 10.9.9.9"]), "192.0.2.1");
        assert_eq!(address_of(&trusted, "127.0.0.1", &["198.51.100.9", "192.0.2.1:8080"]), "192.0.2.1");
        assert_eq!(address_of(&trusted, "127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(address_of(&trusted, "127.0.0.1", &["192.0.2.1, unknown"]), "127.0.0.1");
        assert_eq!(address_of(&trusted, "127.0.0.1", &["10.0.0.9, 10.0.0.8"]), "10.0.0.9");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        assert_eq!(address_of(&[], "2001:db8::1:2:3:4", &[]), "2001:db8::");
        assert_eq!(address_of(&["2001:db8::/32"], "2001:db8::1", &["[2001:db9:0:1::5]:80"]), "2001:db9:0:1::");
        assert_eq!(address_of(&["0.0.0.0/0"], "192.0.2.1", &["192.0.2.2"]), "192.0.2.2");
    }
}
