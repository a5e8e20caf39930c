//! What the HTTP layer says by itself, before a request reaches the app: an answer without a body. Ours have one.

use crate::error::ApiError;

/// Its answer to a head that is no HTTP, or contradicts itself.
const MALFORMED: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n";
/// Its answer to a head that is too large.
const TOO_LARGE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n";
/// The most bytes of such an answer: two headers follow.
const MOST_BYTES: usize = 256;

/// Where in what is to be written the HTTP layer's own refusal begins, and what it means. It is always the last.
///
/// No answer of the app looks like that at its end: its bodies are JSON, events and files of the page, none of which end
/// with an empty line of HTTP.
pub(super) fn find(written: &[u8]) -> Option<(usize, ApiError)> {
    if !written.ends_with(b"\r\n\r\n") {
        return None;
    }
    let from = written.len().saturating_sub(MOST_BYTES);
    [(MALFORMED, ApiError::Malformed), (TOO_LARGE, ApiError::HeadTooLarge)].into_iter().find_map(|(start, means)| {
        let place = written[from..].windows(start.len()).rposition(|window| window == start)?;
        Some((from + place, means))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_found_alone_and_behind_other_answers() {
        let refusal = [MALFORMED, b"connection: close\r\ndate: Mon, 30 Nov 2026 11:00:00 GMT\r\n\r\n"].concat();
        assert!(matches!(find(&refusal), Some((0, ApiError::Malformed))));
        let large = [TOO_LARGE, b"date: Mon, 30 Nov 2026 11:00:00 GMT\r\n\r\n"].concat();
        assert!(matches!(find(&large), Some((0, ApiError::HeadTooLarge))));
        let before = b"HTTP/1.1 204 No Content\r\ndate: Mon, 30 Nov 2026 11:00:00 GMT\r\n\r\n".repeat(9);
        let place = before.len();
        assert!(matches!(find(&[before, refusal].concat()), Some((found, _)) if found == place));
    }

    #[test]
    fn answers_of_the_app_are_left_alone() {
        for answer in [
            &b"HTTP/1.1 204 No Content\r\ndate: Mon, 30 Nov 2026 11:00:00 GMT\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n",
            b"0\r\n\r\n",
            b"",
        ] {
            assert!(find(answer).is_none());
        }
    }
}
