//! Names and origins: a page of another site may not use a browser's way to this server.

use std::net::IpAddr;

/// Which `Host` headers are answered. A name that was pointed at this machine (DNS rebinding) is not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts(Option<Vec<String>>);

/// What every server on a loopback address is called.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

impl Hosts {
    /// The names of a server that listens on `address`: those of the loopback, the address itself, and `public`, given by
    /// hand. A server that other machines reach answers to every name unless some are given: its names are not known
    /// here, and its secret guards it.
    #[must_use]
    pub fn of(address: IpAddr, public: &[String]) -> Self {
        if !address.is_loopback() && public.is_empty() {
            return Self(None);
        }
        let names = LOOPBACK.iter().map(ToString::to_string).chain([address.to_string()]);
        Self(Some(names.chain(public.iter().map(|name| name.to_ascii_lowercase())).collect()))
    }

    /// Whether a `Host` header names this server. Its port does not matter: a tunnel may have another.
    #[must_use]
    pub fn accept(&self, host: &str) -> bool {
        let Some(names) = &self.0 else { return true };
        names.contains(&name_of(host).to_ascii_lowercase())
    }
}

/// A host without its port, and an IPv6 address without its brackets.
fn name_of(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Whether an `Origin` header is of a page that this server itself has sent to a browser that knows it as `host`.
#[must_use]
pub(super) fn is_same_origin(origin: &str, host: &str) -> bool {
    let (Some((_, site)), false) = (origin.split_once("://"), host.is_empty()) else { return false };
    site.eq_ignore_ascii_case(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_this_machine_answers_to_its_names_alone() {
        let hosts = Hosts::of(IpAddr::from([127, 0, 0, 1]), &["Traces.Example".to_owned()]);
        for name in ["localhost", "LOCALHOST:8099", "127.0.0.1:1", "[::1]:8099", "[::1]", "traces.example:443"] {
            assert!(hosts.accept(name), "{name}");
        }
        for name in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "[::2]:80", "127.0.0.2"]
        {
            assert!(!hosts.accept(name), "{name}");
        }
        let world = IpAddr::from([0, 0, 0, 0]);
        assert!(Hosts::of(world, &[]).accept("whatever:1"));
        assert!(!Hosts::of(world, &["traces.example".to_owned()]).accept("evil.example"));
    }

    #[test]
    fn only_the_servers_own_pages_are_of_its_origin() {
        assert!(is_same_origin("http://localhost:8099", "localhost:8099"));
        for (origin, host) in [
            ("null", "localhost:8099"),
            ("http://localhost:3000", "localhost:8099"),
            ("https://evil.example", "localhost:8099"),
            ("http://", ""),
        ] {
            assert!(!is_same_origin(origin, host), "{origin}");
        }
    }
}
