//! Bodies made smaller, once the server has said that it takes them so. The original never says it.

use std::cell::Cell;
#[cfg(feature = "compression")]
use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap};

/// What [`Compression::compress`] makes.
pub(crate) const ENCODING: &str = "zstd";
/// The fastest level. The next ones take twice the time for a tenth less.
#[cfg(feature = "compression")]
const LEVEL: i32 = 1;
/// Smaller bodies fit into one packet as they are.
#[cfg(feature = "compression")]
const LEAST_BYTES: usize = 1 << 10;

/// What is known of the server, and the compressor with its memory of some hundred kilobytes, made when it is first used.
#[derive(Default)]
pub(crate) struct Compression {
    accepted: Cell<bool>,
    refused: Cell<bool>,
    #[cfg(feature = "compression")]
    compressor: RefCell<Option<zstd::bulk::Compressor<'static>>>,
}

impl Compression {
    /// Learns from an answer's headers what the server takes (RFC 9110, 12.5.3).
    pub(crate) fn learn(&self, answer: &HeaderMap) {
        let said = answer.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let accepts = said.flat_map(|value| value.split(',')).any(is_accepted);
        if accepts && !self.refused.get() {
            self.accepted.set(true);
        }
    }

    /// The server does not take compressed bodies: never again.
    pub(crate) fn refuse(&self) {
        self.refused.set(true);
        self.accepted.set(false);
    }

    /// The compressed body; none if it stays as it is.
    #[cfg(feature = "compression")]
    pub(crate) fn compress(&self, body: &Bytes) -> Option<Bytes> {
        if !self.accepted.get() || body.len() < LEAST_BYTES {
            return None;
        }
        let mut compressor = self.compressor.borrow_mut();
        if compressor.is_none() {
            *compressor = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        compressor.as_mut()?.compress(body).ok().map(Bytes::from)
    }
}

/// Without the feature `compression` every body stays as it is.
#[cfg(not(feature = "compression"))]
impl Compression {
    #[expect(clippy::unused_self, reason = "the same call as with the feature")]
    pub(crate) fn compress(&self, _: &Bytes) -> Option<Bytes> {
        None
    }
}

fn is_accepted(item: &str) -> bool {
    let (name, weight) = item.split_once(';').unwrap_or((item, ""));
    let never = weight.trim().strip_prefix("q=").is_some_and(|q| q.trim_end().parse() == Ok(0.0_f32));
    name.trim().eq_ignore_ascii_case(ENCODING) && !never
}

impl fmt::Debug for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Compression").field("accepted", &self.accepted.get()).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "compression"))]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn nothing_is_compressed_until_the_server_takes_it() {
        let body = Bytes::from(vec![b'x'; 10_000]);
        for (said, compressed) in [
            (None, false),
            (Some("gzip"), false),
            (Some("gzip, zstd;q=0"), false),
            (Some("gzip, ZSTD;q=0.5"), true),
            (Some("zstd, gzip"), true),
        ] {
            let compression = Compression::default();
            let mut headers = HeaderMap::new();
            if let Some(said) = said {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(said));
            }
            compression.learn(&headers);
            let smaller = compression.compress(&body);
            assert_eq!(smaller.is_some(), compressed, "{said:?}");
            if let Some(smaller) = smaller {
                assert_eq!(zstd::decode_all(&smaller[..]).unwrap(), body);
                assert!(compression.compress(&body.slice(..100)).is_none(), "small ones stay");
            }
            compression.refuse();
            compression.learn(&headers);
            assert!(compression.compress(&body).is_none());
        }
    }
}
