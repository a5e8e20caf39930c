//! Row by row from the old file into the new, in the order of arrival, through the same writer as ingest.

use std::ops::ControlFlow;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Rows};

use super::super::write::{Group, SqliteWriter};
use super::row;
use super::set_aside::SetAside;
use super::{ImportError, MigrationProgress};
use crate::entry::EntryRef;

/// Rows in a transaction. Beyond 5,000 a transaction gains nothing.
const GROUP_ROWS: u64 = 5_000;
/// Bytes of text in a transaction, so that rows of a megabyte each do not make a write-ahead log of gigabytes.
const GROUP_BYTES: usize = 16 << 20;

/// What became of the rows.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) entries: u64,
    pub(super) data_kept_as_text: u64,
    pub(super) rows_set_aside: u64,
}

impl Copied {
    fn rows(&self) -> u64 {
        self.entries + self.rows_set_aside
    }
}

/// Copies every row. What cannot be an entry goes to `set_aside`.
pub(super) fn copy(
    old: &Connection,
    new: &mut SqliteWriter,
    set_aside: &mut SetAside,
    progress: &mut dyn FnMut(MigrationProgress) -> ControlFlow<()>,
) -> Result<Copied, ImportError> {
    let rows_total: u64 =
        old.query_row("SELECT count(*) FROM traces", [], |row| row.get(0)).map_err(ImportError::Old)?;
    let mut select = old.prepare(row::SELECT).map_err(ImportError::Old)?;
    let mut rows = select.query([]).map_err(ImportError::Old)?;
    let mut copier = Copier::new(set_aside);
    loop {
        let rows_done = copier.copied.rows();
        if progress(MigrationProgress::Copying { rows_done, rows_total }).is_break() {
            return Err(ImportError::Stopped);
        }
        // Whether a group that failed for another reason is committed does not matter: the file is thrown away.
        let step = new.store(|group| Ok(copier.copy_group(&mut rows, group))).map_err(ImportError::New)??;
        if step.is_break() {
            break;
        }
    }
    let found = copier.copied.rows();
    if found == rows_total { Ok(copier.copied) } else { Err(ImportError::Incomplete { expected: rows_total, found }) }
}

/// Looks into the new file itself before it may take the old one's place.
pub(super) fn check_complete(new: &Connection, copied: &Copied) -> Result<(), ImportError> {
    let (entries, in_chains): (u64, u64) = new
        .query_row("SELECT (SELECT count(*) FROM entries), (SELECT coalesce(sum(entries), 0) FROM chains)", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(ImportError::New)?;
    match [entries, in_chains].into_iter().find(|&found| found != copied.entries) {
        Some(found) => Err(ImportError::Incomplete { expected: copied.entries, found }),
        None => Ok(()),
    }
}

/// What is remembered from row to row.
struct Copier<'a> {
    set_aside: &'a mut SetAside,
    copied: Copied,
    last_arrival: Option<i64>,
    /// Unix seconds. Nothing arrived later than this.
    now: i64,
    buffer: String,
}

impl<'a> Copier<'a> {
    fn new(set_aside: &'a mut SetAside) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            set_aside,
            copied: Copied::default(),
            last_arrival: None,
            now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            buffer: String::new(),
        }
    }

    /// Copies the next rows; breaks after the last.
    fn copy_group(&mut self, rows: &mut Rows<'_>, group: &mut Group<'_>) -> Result<ControlFlow<()>, ImportError> {
        let mut bytes = 0;
        for _ in 0..GROUP_ROWS {
            if bytes > GROUP_BYTES {
                break;
            }
            let Some(row) = rows.next().map_err(ImportError::Old)? else {
                return Ok(ControlFlow::Break(()));
            };
            let refused = match row::read(row, &mut self.buffer).map_err(ImportError::Old)? {
                Ok(old) => {
                    bytes += text_bytes(&old.entry);
                    let said = row::arrived_at(row).map_err(ImportError::Old)?;
                    let arrival = arrival(said, self.last_arrival, self.now);
                    self.last_arrival = Some(arrival);
                    if group.add(&old.entry, arrival).map_err(ImportError::New)?.is_some() {
                        self.copied.entries += 1;
                        self.copied.data_kept_as_text += u64::from(old.data_kept_as_text);
                        continue;
                    }
                    // The old file's unique index rules this out, unless someone has dropped it.
                    "an entry of this identity stands before it".to_owned()
                }
                Err(unfit) => unfit.to_string(),
            };
            self.set_aside.push(row, &refused)?;
            self.copied.rows_set_aside += 1;
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn text_bytes(entry: &EntryRef<'_>) -> usize {
    let texts = [entry.source_id, entry.correlation_id, entry.suffix, entry.operation, entry.endpoint, entry.hostname];
    let optional = [entry.data, entry.raw_line];
    texts.into_iter().chain(optional.into_iter().flatten()).map(str::len).sum()
}

/// When a row counts as arrived. Retention deletes from the front, so times must not fall from row to row, and one
/// from the future would keep every later row for as long; both only happen where a clock was set.
fn arrival(said: Option<i64>, last: Option<i64>, now: i64) -> i64 {
    let arrival = said.or(last).map_or(now, |said| said.min(now));
    last.map_or(arrival, |last| arrival.max(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_never_fall_and_are_never_in_the_future() {
        assert_eq!(arrival(Some(50), None, 100), 50);
        assert_eq!(arrival(Some(60), Some(50), 100), 60);
        assert_eq!(arrival(Some(40), Some(50), 100), 50);
        assert_eq!(arrival(Some(999), Some(50), 100), 100);
        assert_eq!(arrival(None, Some(50), 100), 50);
        assert_eq!(arrival(None, None, 100), 100);
    }
}
