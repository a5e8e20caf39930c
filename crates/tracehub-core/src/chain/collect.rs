//! The entries of a chain without their data, kept while it is analysed.

use crate::entry::EntryRef;

/// Entries without `data` and `raw_line`, all their texts in one allocation.
#[derive(Debug, Clone, Default)]
pub struct ChainEntries {
    correlation_id: String,
    text: String,
    entries: Vec<Kept>,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    timestamp: f64,
    /// Where source, suffix, direction, operation, endpoint and host name end; each begins where the one before ends.
    ends: [usize; 6],
}

impl ChainEntries {
    /// No entries yet, of a chain.
    #[must_use]
    pub fn new(correlation_id: &str) -> Self {
        Self { correlation_id: correlation_id.to_owned(), ..Self::default() }
    }

    /// Adds an entry of the chain.
    pub fn push(&mut self, entry: &EntryRef<'_>) {
        let texts = [entry.source_id, entry.suffix, entry.direction, entry.operation, entry.endpoint, entry.hostname];
        let ends = texts.map(|text| {
            self.text.push_str(text);
            self.text.len()
        });
        self.entries.push(Kept { timestamp: entry.timestamp, ends });
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// They, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = EntryRef<'_>> {
        let mut start = 0;
        self.entries.iter().map(move |kept| {
            let mut next = |end: usize| {
                let text = &self.text[start..end];
                start = end;
                text
            };
            let [source_id, suffix, direction, operation, endpoint, hostname] = kept.ends.map(&mut next);
            EntryRef {
                source_id,
                correlation_id: &self.correlation_id,
                timestamp: kept.timestamp,
                suffix,
                direction,
                operation,
                endpoint,
                data: None,
                hostname,
                raw_line: None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::entries;
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let mut kept = ChainEntries::new("c");
        let original = entries("MA 1 -> a 10, WK 2 ! b 20.5");
        for entry in &original {
            kept.push(entry);
        }
        assert_eq!((kept.len(), kept.is_empty()), (2, false));
        assert!(kept.iter().zip(&original).all(|(kept, original)| format!("{kept:?}") == format!("{original:?}")));
    }
}
