//! JSON for programs: what the server said, nothing rebuilt.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use tracehub_client::{ChainAnswer, RecentEntry, TraceEntry};
use tracehub_core::wire::read::{ChainWriter, write_entry};

use super::escape::is_harmful;

pub(crate) fn serialize(answer: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(answer)?)
}

/// A chain's JSON with each entry's `data` as the text that it was stored as.
pub(crate) fn chain(answer: &ChainAnswer) -> Vec<u8> {
    let mut writer = ChainWriter::new(&answer.correlation_id);
    for entry in &answer.traces {
        writer.push(&entry.as_ref());
    }
    writer.finish()
}

pub(crate) fn entry(entry: &TraceEntry) -> Vec<u8> {
    let mut json = Vec::with_capacity(256);
    write_entry(&mut json, &entry.as_ref());
    json
}

/// One of the newest entries, its id first as the server has it.
pub(crate) fn recent(recent: &RecentEntry) -> Vec<u8> {
    let mut json = format!("{{\"id\":{},", recent.id).into_bytes();
    // After the brace that is there already.
    json.extend_from_slice(&entry(&recent.entry)[1..]);
    json
}

/// The same JSON without line breaks and tabs. Inside strings JSON writes them as escapes, so those that are left stand
/// between tokens: in a `data` that some other server kept as it was typed.
pub(crate) fn one_line(mut json: Vec<u8>) -> Vec<u8> {
    json.retain(|byte| !matches!(byte, b'\n' | b'\r' | b'\t'));
    json
}

/// The same JSON, on one line, with what could steer a terminal as `\uXXXX`. Such characters stand in strings only.
pub(crate) fn harmless(json: Vec<u8>) -> Vec<u8> {
    let text = match String::from_utf8(json) {
        Ok(text) if text.contains(is_harmful) => text,
        Ok(text) => return text.into_bytes(),
        Err(err) => return err.into_bytes(),
    };
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_harmful(character) {
            // None of them lies beyond U+FFFF, so one escape each.
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_over_several_lines_is_one_line_of_the_same_json() {
        let typed = "{\r\n\t\"a b\": \"c\\nd\"\n}";
        let line = harmless(one_line(typed.into()));
        assert_eq!(line, br#"{"a b": "c\nd"}"#);
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(typed).unwrap(), serde_json::from_slice(&line).unwrap());
        assert_eq!(before, after);
    }

    #[test]
    fn a_terminal_gets_the_same_json_without_what_steers_it() {
        let json = serde_json::to_vec("a\u{9b}b\u{202e}\u{1b}").unwrap();
        let shown = harmless(json.clone());
        assert!(!std::str::from_utf8(&shown).unwrap().contains(is_harmful));
        let (before, after): (String, String) =
            (serde_json::from_slice(&json).unwrap(), serde_json::from_slice(&shown).unwrap());
        assert_eq!(before, after);
    }
}
