//! One pass over the text of well-formed JSON: can every common reader take it, and does it hold spaces to drop?

use crate::entry::Problem;

/// Checks that common JSON parsers can read `json` back: nesting, numbers and surrogate escapes.
///
/// `json` must be well-formed; only what the grammar allows and readers refuse is looked for.
pub(crate) fn check_readable(json: &str, max_depth: usize) -> Result<(), Problem> {
    scan(json, max_depth).map(|_| ())
}

/// What [`scan`] saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// White space between tokens, which [`compact_into`] drops.
    pub(crate) white_space: bool,
}

/// [`check_readable`], and whether there is white space between tokens.
pub(crate) fn scan(json: &str, max_depth: usize) -> Result<Seen, Problem> {
    let bytes = json.as_bytes();
    let mut depth = 0_usize;
    let mut white_space = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b'"' => end_of_string(bytes, at)?,
            b'-' | b'0'..=b'9' => end_of_number(json, at)?,
            b'{' | b'[' => {
                depth += 1;
                if depth > max_depth {
                    return Err(Problem::TooDeep);
                }
                at + 1
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at + 1
            }
            b' ' | b'\t' | b'\n' | b'\r' => {
                white_space = true;
                at + 1
            }
            _ => at + 1,
        };
    }
    Ok(Seen { white_space })
}

/// Appends `json` to `out` without the white space between tokens; strings and numbers stay as they are.
pub(crate) fn compact_into(json: &str, out: &mut String) {
    let bytes = json.as_bytes();
    let mut kept_from = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            // A string that `scan` has passed always ends; the fallback only keeps this function total.
            b'"' => at = end_of_string(bytes, at).unwrap_or(bytes.len()),
            b' ' | b'\t' | b'\n' | b'\r' => {
                out.push_str(&json[kept_from..at]);
                at += 1;
                kept_from = at;
            }
            _ => at += 1,
        }
    }
    out.push_str(&json[kept_from..]);
}

/// The index after the string that starts at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> Result<usize, Problem> {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return Ok(at + 1),
            b'\\' if bytes.get(at + 1) == Some(&b'u') => at = end_of_unicode_escape(bytes, at)?,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    Ok(at)
}

/// The index after the `\uXXXX` at `start`, or after the pair of them that makes one character.
fn end_of_unicode_escape(bytes: &[u8], start: usize) -> Result<usize, Problem> {
    match code_unit(bytes, start) {
        Some(0xDC00..=0xDFFF) => Err(Problem::LoneSurrogate),
        Some(0xD800..=0xDBFF) => match code_unit(bytes, start + 6) {
            Some(0xDC00..=0xDFFF) => Ok(start + 12),
            _ => Err(Problem::LoneSurrogate),
        },
        _ => Ok(start + 6),
    }
}

/// The UTF-16 code unit of the `\uXXXX` at `start`.
fn code_unit(bytes: &[u8], start: usize) -> Option<u16> {
    let escape = bytes.get(start..start + 6)?;
    let digits = std::str::from_utf8(escape.strip_prefix(b"\\u")?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

/// The index after the number that starts at `start`. Its digits are kept as text, so integers need not fit 64 bits; but
/// readers that make a double of a long one must not find it infinite.
fn end_of_number(json: &str, start: usize) -> Result<usize, Problem> {
    let rest = &json.as_bytes()[start..];
    let length = rest
        .iter()
        .position(|byte| !matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
        .unwrap_or(rest.len());
    let number = &json[start..start + length];
    // 300 digits without an exponent cannot overflow, so the parse is only paid where it could.
    let may_overflow = number.len() > 300 || number.contains(['e', 'E']);
    if may_overflow && !number.parse::<f64>().is_ok_and(f64::is_finite) {
        return Err(Problem::NumberOutOfRange);
    }
    Ok(start + length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn long_integer(digits: usize) -> String {
        format!("{{\"a\":-{}}}", "9".repeat(digits))
    }

    #[test]
    fn what_readers_refuse_is_found() {
        let cases = [
            (r#"{"a":1e400}"#, Err(Problem::NumberOutOfRange)),
            (r#"{"a":-1.5E+999}"#, Err(Problem::NumberOutOfRange)),
            (r#"{"a":"\ud800"}"#, Err(Problem::LoneSurrogate)),
            (r#"{"a":"\udc00x"}"#, Err(Problem::LoneSurrogate)),
            (r#"{"a":"\ud83d\ude80"}"#, Ok(())),
            (r#"{"a":"\\ud800"}"#, Ok(())),
            (r#"{"a":"1e400 [[[["}"#, Ok(())),
            (r#"{"a":123456789012345678901234567890}"#, Ok(())),
            (r#"{"a":[[]]}"#, Ok(())),
            (&long_integer(308), Ok(())),
            (&long_integer(310), Err(Problem::NumberOutOfRange)),
            (r#"{"a":[[[]]]}"#, Err(Problem::TooDeep)),
        ];
        for (json, expected) in cases {
            assert_eq!(check_readable(json, 3), expected, "{json}");
        }
    }

    #[test]
    fn white_space_goes_and_strings_stay() {
        let json = "{ \"a b\" :\t[ 1 ,\n \"x \\\" y\" ] }";
        let mut out = String::new();
        compact_into(json, &mut out);
        assert_eq!(out, r#"{"a b":[1,"x \" y"]}"#);
        assert!(scan(json, 9).unwrap().white_space);
        assert!(!scan(&out, 9).unwrap().white_space);
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn compact_text_means_the_same(value in any_json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert!(check_readable(&pretty, 100).is_ok());
            let mut out = String::new();
            compact_into(&pretty, &mut out);
            prop_assert_eq!(out, serde_json::to_string(&value).unwrap());
        }
    }
}
