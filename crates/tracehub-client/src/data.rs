//! A checkpoint's data: any value becomes JSON, on the caller's thread, whatever the value does meanwhile.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

use crate::null_probe::is_null;

/// The most bytes of JSON that are made of one value. Long texts in it are cut later on.
const MAX_JSON_BYTES: usize = 2 << 20;
/// What a buffer has from the beginning.
const FIRST_BYTES: usize = 512;
/// A buffer that grew beyond this is given back.
const MAX_KEPT_BYTES: usize = 64 << 10;

thread_local! {
    /// Taken while in use: a value that logs checkpoints itself, while it is written, finds none and makes its own.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Gives the value's JSON, nothing for null; for what cannot be written, an object that says why.
#[inline]
pub(crate) fn with_json<R>(data: &(impl Serialize + ?Sized), then: impl FnOnce(&[u8]) -> R) -> R {
    // A value's own code runs here, and a fault in it is not the host's end.
    match catch_unwind(AssertUnwindSafe(|| is_null(data))) {
        Ok(true) => then(&[]),
        Ok(false) | Err(_) => with_written(data, then),
    }
}

fn with_written<R>(data: &(impl Serialize + ?Sized), then: impl FnOnce(&[u8]) -> R) -> R {
    // Nothing while the thread ends.
    let mut json = BUFFER.try_with(Cell::take).unwrap_or_default();
    json.clear();
    let outcome = catch_unwind(AssertUnwindSafe(|| serde_json::to_writer(Bounded(&mut json), data)));
    let problem = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(err)) => Some(err.to_string()),
        Err(_) => Some("the value panicked while it was written".to_owned()),
    };
    if let Some(problem) = problem {
        json.clear();
        json.extend_from_slice(serde_json::json!({ "data_error": problem }).to_string().as_bytes());
    } else if json == b"null" {
        // Such as a number that is none.
        json.clear();
    }
    let result = then(&json);
    if json.capacity() <= MAX_KEPT_BYTES {
        let _ = BUFFER.try_with(|buffer| buffer.set(json));
    }
    result
}

/// Takes so many bytes and no more.
struct Bounded<'a>(&'a mut Vec<u8>);

impl Bounded<'_> {
    #[cold]
    fn grow(&mut self, bytes: usize) -> io::Result<()> {
        if self.0.len() + bytes > MAX_JSON_BYTES {
            return Err(io::Error::other("the value is larger than 2 MiB"));
        }
        self.0.reserve(bytes.max(FIRST_BYTES));
        Ok(())
    }
}

impl io::Write for Bounded<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    /// Inlined, because most of what comes is one byte that the compiler knows.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "measured: two thirds of the instructions of writing a small struct")]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > self.0.capacity() - self.0.len() {
            self.grow(bytes.len())?;
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serializer;

    use super::*;

    fn json_of(data: &(impl Serialize + ?Sized)) -> String {
        with_json(data, |json| String::from_utf8(json.to_vec()).unwrap())
    }

    /// Logs, so to say, while it is written.
    struct Nested;

    impl Serialize for Nested {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&json_of(&[1, 2]))
        }
    }

    struct Panics;

    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            std::panic::resume_unwind(Box::new("a fault"))
        }
    }

    #[test]
    fn values_become_json() {
        #[derive(Serialize)]
        struct Order {
            id: u32,
        }
        for (json, expected) in [
            (json_of(&()), ""),
            (json_of(&None::<Order>), ""),
            (json_of(&Order { id: 7 }), r#"{"id":7}"#),
            (json_of(&[1, 2]), "[1,2]"),
            (json_of("text"), r#""text""#),
            (json_of(&f64::NAN), ""),
            (json_of(&true), "true"),
            (json_of(&Nested), r#""[1,2]""#),
            (json_of(&Panics), r#"{"data_error":"the value panicked while it was written"}"#),
            (json_of(&"x".repeat(3 << 20)), r#"{"data_error":"the value is larger than 2 MiB"}"#),
        ] {
            assert_eq!(json, expected);
        }
    }
}
