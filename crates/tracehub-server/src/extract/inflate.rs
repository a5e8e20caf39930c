//! Compressed bodies: gzip and zstd, decompressed in small steps up to the limit of a body and no further.

use std::io::{self, Read};

use actix_web::web;
use flate2::read::MultiGzDecoder;
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// How much is decompressed before the limit is looked at again.
const STEP_BYTES: usize = 64 << 10;
/// A compressed body up to this size is decompressed where it is: handing it to another thread would take longer.
const SMALL_BODY_BYTES: usize = 16 << 10;
/// The largest window that a zstd frame may ask for, as a power of two: a body at its limit needs no larger one.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Large bodies that are decompressed at a time. It is the processors' work alone, so more at a time would not be sooner;
/// but each may grow to the limit of a body, and fifty bombs at once are fifty times that.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Zstd,
}

/// The body that `compressed` stands for, if it has at most `most` bytes.
pub(super) async fn inflate(encoding: Encoding, compressed: Vec<u8>, most: usize) -> Result<Vec<u8>, ApiError> {
    // A small body can grow a thousandfold, so what bounds the work here is the first step alone.
    if compressed.len() <= SMALL_BODY_BYTES
        && let Some(body) = decode(encoding, &compressed, STEP_BYTES.min(most))?
    {
        return Ok(body);
    }
    // The permits are never closed. Without one the work would still be right.
    let _permit = AT_ONCE.acquire().await.ok();
    let decoded = web::block(move || decode(encoding, &compressed, most)).await;
    match decoded {
        Ok(body) => body?.ok_or(ApiError::BodyTooLarge(most)),
        Err(err) => {
            tracing::error!(error = %err, "a body was not decompressed to its end");
            Err(ApiError::Internal)
        }
    }
}

/// The decompressed bytes; none if there are more than `limit`.
fn decode(encoding: Encoding, compressed: &[u8], limit: usize) -> Result<Option<Vec<u8>>, ApiError> {
    let broken = |err: io::Error| ApiError::BadRequest(format!("the body cannot be decompressed: {err}"));
    match encoding {
        Encoding::Gzip => read_up_to(MultiGzDecoder::new(compressed), limit).map_err(broken),
        Encoding::Zstd => zstd::stream::read::Decoder::with_buffer(compressed)
            .and_then(|mut decoder| {
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                read_up_to(decoder, limit)
            })
            .map_err(broken),
    }
}

fn read_up_to(mut decoder: impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let before = body.len();
        let read = decoder.by_ref().take(STEP_BYTES as u64).read_to_end(&mut body)?;
        if body.len() > limit {
            return Ok(None);
        }
        if read == 0 || body.len() == before {
            return Ok(Some(body));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tracehub_core::wire::ingest::MAX_BODY_BYTES;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[actix_web::test]
    async fn both_encodings_give_the_body_whatever_its_size() {
        for size in [0, 10, STEP_BYTES, STEP_BYTES + 1, MAX_BODY_BYTES] {
            let body = vec![b'x'; size];
            assert_eq!(inflate(Encoding::Gzip, gzip(&body), MAX_BODY_BYTES).await.unwrap(), body);
            assert_eq!(
                inflate(Encoding::Zstd, zstd::encode_all(&body[..], 1).unwrap(), MAX_BODY_BYTES).await.unwrap(),
                body
            );
        }
    }

    #[actix_web::test]
    async fn what_grows_beyond_the_limit_is_stopped_there() {
        let bomb = vec![b'x'; 64 << 20];
        assert!(matches!(inflate(Encoding::Gzip, gzip(&bomb), MAX_BODY_BYTES).await, Err(ApiError::BodyTooLarge(_))));
        let bomb = zstd::encode_all(&bomb[..], 1).unwrap();
        assert!(matches!(inflate(Encoding::Zstd, bomb, MAX_BODY_BYTES).await, Err(ApiError::BodyTooLarge(_))));
    }

    #[actix_web::test]
    async fn broken_and_cut_off_bodies_are_named() {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            assert!(matches!(inflate(encoding, b"not compressed".to_vec(), 99).await, Err(ApiError::BadRequest(_))));
        }
        let mut cut = gzip(&[b'x'; 1000]);
        cut.truncate(cut.len() - 4);
        assert!(matches!(inflate(Encoding::Gzip, cut, MAX_BODY_BYTES).await, Err(ApiError::BadRequest(_))));
    }
}
