//! Few files in a long outage: small segments that wait are merged into larger ones.
//!
//! The larger one takes the place of the first of them, by a rename, and then the others are deleted. A crash in between
//! leaves entries twice, in order; the server tells that it has them already. The first that is not full yet grows with
//! each merging, so an entry is rewritten a few times at most, however long the outage is.

use std::io;

use super::{Spool, fits, remove, segment};
use crate::batch::Batch;

/// So many of its own segments may wait unmerged.
const MAX_LOOSE: usize = 64;

impl Spool {
    /// Merges its oldest small segments while too many wait.
    pub(super) fn compact(&mut self) -> io::Result<()> {
        while self.segments.len() - self.earlier - self.compact > MAX_LOOSE {
            self.merge_first()?;
        }
        Ok(())
    }

    /// Merges as many as one request may carry, beginning with the first that is not full.
    fn merge_first(&mut self) -> io::Result<()> {
        let first = self.earlier + self.compact;
        let mut batch = Batch::default();
        let mut merged = 0;
        for segment in self.segments.range(first..) {
            // One that cannot be read stays as it is, for its turn to be sent.
            let is_next = batch.is_empty() || fits(&batch, segment);
            if !is_next || segment::read(&segment.path, &mut batch).is_err() {
                break;
            }
            merged += 1;
        }
        if merged < 2 {
            self.compact += 1;
            return Ok(());
        }
        let encoded = segment::encode(&batch);
        segment::write(&self.segments[first].path, &encoded)?;
        for segment in self.segments.drain(first + 1..first + merged) {
            self.bytes -= segment.bytes();
            // What stays there would only be sent twice.
            let _ = remove(&segment.path);
        }
        let whole = &mut self.segments[first];
        self.bytes -= whole.bytes();
        whole.entries = batch.len() as u64;
        whole.length = encoded.len() as u64;
        self.bytes += whole.bytes();
        Ok(())
    }
}
