//! Masking by key: values that look like secrets, and texts that are far too long, do not leave the process.

use std::borrow::Cow;
use std::fmt;

/// What stands in the place of a masked value.
pub const MASK: &str = "\"[redacted]\"";

/// The longest text value that stays whole, in bytes of JSON. Of a longer one so much is kept, and a mark says how many
/// bytes are gone.
pub const MAX_VALUE_BYTES: usize = 64 << 10;

/// Keys that are masked unless others are given, in any case, with or without `_` and `-`.
pub const DEFAULT_KEYS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "access_key",
    "private_key",
    "secret_key",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "session_id",
    "card_number",
    "cvv",
    "ssn",
];

/// Masks the values of certain keys in JSON, however deep they lie.
///
/// A key counts if it ends with a listed one, whatever its case, `_` and `-`: `password` masks `dbPassword`,
/// `DB-PASSWORD` and `password`, but not `password_hint`.
///
/// ```
/// use tracehub_core::redact::Redactor;
///
/// let redactor = Redactor::default();
/// let masked = redactor.redact(r#"{"user":"ada","login":{"Password":"x"},"tokens":3}"#);
/// assert_eq!(masked, r#"{"user":"ada","login":{"Password":"[redacted]"},"tokens":3}"#);
/// ```
#[derive(Clone)]
pub struct Redactor {
    /// In lower case, without `_` and `-`.
    keys: Vec<String>,
}

impl Default for Redactor {
    /// With [`DEFAULT_KEYS`].
    fn default() -> Self {
        Self::new(DEFAULT_KEYS)
    }
}

impl Redactor {
    /// Masks these keys and no others.
    #[must_use]
    pub fn new<K: AsRef<str>>(keys: &[K]) -> Self {
        let keys = keys.iter().map(|key| normalised(key.as_ref())).filter(|key| !key.is_empty());
        Self { keys: keys.collect() }
    }

    /// Masks this key too. An empty one changes nothing.
    pub fn add(&mut self, key: &str) {
        let key = normalised(key);
        if !key.is_empty() {
            self.keys.push(key);
        }
    }

    /// Whether the value of a key is masked.
    #[must_use]
    pub fn masks(&self, key: &str) -> bool {
        let key = normalised(key);
        self.keys.iter().any(|secret| key.ends_with(secret.as_str()))
    }

    /// The same JSON with [`MASK`] for each value whose key is listed, and long texts cut. `json` must be well-formed;
    /// of other text, something comes out that is no worse.
    #[must_use]
    pub fn redact<'a>(&self, json: &'a str) -> Cow<'a, str> {
        let bytes = json.as_bytes();
        let mut out = String::new();
        let mut kept_from = 0;
        let mut at = 0;
        while let Some(quote) = find(bytes, at, |byte| byte == b'"') {
            let end = end_of_string(bytes, quote);
            at = end;
            if let Some(colon) = find(bytes, end, |byte| !byte.is_ascii_whitespace())
                && bytes[colon] == b':'
            {
                if self.masks(&unescaped(&json[quote..end])) {
                    let value = find(bytes, colon + 1, |byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
                    at = end_of_value(bytes, value);
                    // Nothing is no secret, and it is worth knowing that it was not there.
                    if &json[value..at] != "null" {
                        out.push_str(&json[kept_from..value]);
                        out.push_str(MASK);
                        kept_from = at;
                    }
                }
            } else if end - quote > MAX_VALUE_BYTES {
                let cut = cut(json, quote);
                out.push_str(&json[kept_from..cut]);
                out = out + "… [" + &(end - 1 - cut).to_string() + " bytes cut]\"";
                kept_from = end;
            }
        }
        if kept_from == 0 {
            return Cow::Borrowed(json);
        }
        out.push_str(&json[kept_from..]);
        Cow::Owned(out)
    }
}

/// The keys are configuration, no secrets; but a list of them helps nobody in a log.
impl fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Redactor({} keys)", self.keys.len())
    }
}

fn normalised(key: &str) -> String {
    key.chars()
        .filter(|character| !matches!(character, '_' | '-'))
        .map(|character| character.to_ascii_lowercase())
        .collect()
}

/// A key as it reads. Escapes are rare, and may hide a name.
fn unescaped(quoted: &str) -> Cow<'_, str> {
    if quoted.contains('\\')
        && let Ok(text) = serde_json::from_str::<String>(quoted)
    {
        return Cow::Owned(text);
    }
    Cow::Borrowed(quoted.trim_matches('"'))
}

fn find(bytes: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    bytes.iter().skip(from).position(|byte| wanted(*byte)).map(|place| from + place)
}

/// Where the string that begins with the quote at `start` ends, its second quote included.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Where the value that begins at `start` ends.
fn end_of_value(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' | b',' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            byte if byte.is_ascii_whitespace() && depth == 0 => return at,
            _ => {
                at += 1;
                continue;
            }
        }
        if depth == 0 && byte != b',' {
            return at;
        }
    }
    bytes.len()
}

/// Where to cut the string that begins at `start`: between characters, and not inside an escape or a surrogate pair.
fn cut(json: &str, start: usize) -> usize {
    let bytes = json.as_bytes();
    let limit = start + MAX_VALUE_BYTES;
    let mut at = start + 1;
    let mut whole = at;
    while at < limit {
        // A pair of escapes is one character.
        let is_high_surrogate = bytes[at] == b'\\' && bytes.get(at + 1) == Some(&b'u') && is_high(bytes, at + 2);
        at += match bytes[at] {
            b'\\' if is_high_surrogate => 12,
            b'\\' if bytes.get(at + 1) == Some(&b'u') => 6,
            b'\\' => 2,
            byte if byte < 0x80 => 1,
            byte if byte < 0xe0 => 2,
            byte if byte < 0xf0 => 3,
            _ => 4,
        };
        if at <= limit {
            whole = at;
        }
    }
    // Of well-formed JSON it is one already.
    json.floor_char_boundary(whole)
}

fn is_high(bytes: &[u8], digits: usize) -> bool {
    let digit = |at: usize| bytes.get(at).map(u8::to_ascii_lowercase);
    digit(digits) == Some(b'd') && matches!(digit(digits + 1), Some(b'8' | b'9' | b'a' | b'b'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn keys_match_in_any_spelling_and_depth() {
        let redactor = Redactor::default();
        for (json, expected) in [
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"PASSWORD":"x"}"#, r#"{"PASSWORD":"[redacted]"}"#),
            (r#"{"x-api-key" : [1,{"a":"]"}] ,"b":2}"#, r#"{"x-api-key" : "[redacted]" ,"b":2}"#),
            (r#"{"clientSecret":{"a":"}\""},"b":2}"#, r#"{"clientSecret":"[redacted]","b":2}"#),
            (
                r#"[{"a":{"access_token":12}},{"cvv":true}]"#,
                r#"[{"a":{"access_token":"[redacted]"}},{"cvv":"[redacted]"}]"#,
            ),
            (
                r#"{"password_hint":"dog","tokens":3,"token":null}"#,
                r#"{"password_hint":"dog","tokens":3,"token":null}"#,
            ),
            (r#"{"\u0070assword":"x"}"#, r#"{"\u0070assword":"[redacted]"}"#),
            (r#"{"note":"password","password":"y"}"#, r#"{"note":"password","password":"[redacted]"}"#),
            (r#"{"pwd":-1.5e3}"#, r#"{"pwd":"[redacted]"}"#),
        ] {
            assert_eq!(redactor.redact(json), expected);
        }
        let mut own = Redactor::new(&["Iban"]);
        own.add("tax_id");
        own.add("_");
        assert_eq!(
            own.redact(r#"{"iban":1,"TaxId":2,"password":3}"#),
            r#"{"iban":"[redacted]","TaxId":"[redacted]","password":3}"#
        );
    }

    #[test]
    fn long_texts_are_cut_between_characters_and_say_so() {
        let redactor = Redactor::default();
        for unit in ["x", "é", "\u{1f600}", "\n", "\u{1}"] {
            let text = unit.repeat(100_000);
            let json = json!({ "a": text, "b": 1 }).to_string();
            let value: Value = serde_json::from_str(&redactor.redact(&json)).unwrap();
            let kept = value["a"].as_str().unwrap();
            assert!(kept.len() <= MAX_VALUE_BYTES + 40 && kept.ends_with("bytes cut]"), "{unit:?}");
            assert!(text.starts_with(kept.split("… [").next().unwrap()));
            assert_eq!(value["b"], 1);
        }
        let pairs = format!(r#"{{"a":"{}"}}"#, r"\ud83d\ude00".repeat(20_000));
        assert!(serde_json::from_str::<Value>(&redactor.redact(&pairs)).is_ok());
        let whole = json!({ "a": "x".repeat(MAX_VALUE_BYTES - 2) }).to_string();
        assert_eq!(redactor.redact(&whole), whole);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}|[\\x00-\\x1f\"\\\\{}\\[\\],:]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map("a|b|Pass-Word|my_token|\\PC{0,5}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn masked(value: Value, redactor: &Redactor) -> Value {
        match value {
            Value::Array(values) => values.into_iter().map(|value| masked(value, redactor)).collect(),
            Value::Object(map) => {
                let pair = |(key, value): (String, Value)| {
                    let hide = redactor.masks(&key) && !value.is_null();
                    let value = if hide { Value::from("[redacted]") } else { masked(value, redactor) };
                    (key, value)
                };
                Value::Object(map.into_iter().map(pair).collect())
            }
            other => other,
        }
    }

    proptest! {
        #[test]
        fn the_text_says_what_the_values_would(value in any_json(), pretty in any::<bool>()) {
            let redactor = Redactor::default();
            let json = if pretty { format!("{value:#}") } else { value.to_string() };
            let redacted: Value = serde_json::from_str(&redactor.redact(&json)).unwrap();
            prop_assert_eq!(redacted, masked(value, &redactor));
        }

        #[test]
        fn text_that_is_no_json_does_no_harm(text in "\\PC{0,40}|[\"\\\\{}:, a-zé]{0,40}") {
            let _ = Redactor::new(&["a"]).redact(&text);
        }
    }
}
