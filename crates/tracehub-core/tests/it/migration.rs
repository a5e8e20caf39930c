//! A file of the Python server 0.1.0 becomes ours: every row, in its order, whatever interrupts it.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use tempfile::TempDir;
use tracehub_core::query::ChainQuery;
use tracehub_core::store::sqlite::{
    Durability, MigrationProgress, MigrationReport, OpenError, OpenOptions, SqliteReader, SqliteWriter,
    open_with_progress,
};
use tracehub_core::store::{ChainFilter, EntryId, StoreReader as _, StoreWriter as _};

use crate::support::{batch, note, open_at};

/// As `init_db` of the Python server makes it.
const PYTHON_SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS traces (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        source_id TEXT NOT NULL,
        correlation_id TEXT NOT NULL,
        timestamp REAL NOT NULL,
        suffix TEXT NOT NULL,
        direction TEXT NOT NULL,
        operation TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        data TEXT,
        hostname TEXT,
        raw_line TEXT,
        created_at REAL DEFAULT (strftime('%s', 'now')),
        UNIQUE(correlation_id, timestamp, suffix)
    );
    CREATE INDEX IF NOT EXISTS idx_correlation_id ON traces(correlation_id);
    CREATE INDEX IF NOT EXISTS idx_timestamp ON traces(timestamp);
    CREATE INDEX IF NOT EXISTS idx_source_id ON traces(source_id);
";
/// Rows of [`OldServer::fill`]: three transactions of the migration, and a bit.
const MANY: u32 = 12_345;

/// A folder with a file of the Python server.
struct OldServer {
    folder: TempDir,
    connection: Connection,
}

impl OldServer {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let connection = Connection::open(folder.path().join("tracehub.db")).expect("a new file");
        connection.execute_batch(PYTHON_SCHEMA).expect("the schema");
        Self { folder, connection }
    }

    /// Adds a row as the Python server would, and gives it the defaults of a dull one.
    fn add(&self, chain: &str, timestamp: f64, suffix: &str, direction: &str, data: Option<&str>) {
        self.connection
            .execute(
                "INSERT INTO traces (source_id, correlation_id, timestamp, suffix, direction, operation, endpoint, data, \
                 hostname, raw_line) VALUES ('MA', ?1, ?2, ?3, ?4, 'REST', '/x', ?5, 'web-1', NULL)",
                params![chain, timestamp, suffix, direction, data],
            )
            .expect("the row is added");
    }

    /// Adds [`MANY`] rows: interleaved chains, several sources, every tenth a mark, three rows a second.
    fn fill(&self) {
        self.connection
            .execute(
                "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < ?1 - 1)
                 INSERT INTO traces (source_id, correlation_id, timestamp, suffix, direction, operation, endpoint, data,
                                     hostname, raw_line, created_at)
                 SELECT substr('MAWKVM', n % 3 * 2 + 1, 2), 'chain-' || n % 7 || '-' || n / 700, 1.7e12 + n / 2 * 0.25,
                        'x' || n, CASE WHEN n % 10 = 9 THEN '!' WHEN n % 2 THEN '<-' ELSE '->' END, 'RPC',
                        '/api/' || n % 50, CASE WHEN n % 4 THEN '{\"n\": ' || n || ', \"ok\": true}' END, 'höst',
                        CASE WHEN n % 5 = 0 THEN 'line ' || n END, 1700000000 + n / 3
                 FROM n",
                [MANY],
            )
            .expect("the rows are added");
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tracehub.db")
    }

    /// The Python server stops.
    fn stop(self) -> TempDir {
        self.connection.close().expect("the file is closed");
        self.folder
    }
}

type Opened = Result<(SqliteWriter, SqliteReader), OpenError>;

fn open_watched(folder: &TempDir, progress: &mut dyn FnMut(MigrationProgress) -> ControlFlow<()>) -> Opened {
    let path = folder.path().join("tracehub.db");
    open_with_progress(&OpenOptions { durability: Durability::Normal, ..OpenOptions::new(path) }, progress)
}

/// Opens and expects a migration; gives its report.
fn migrate(folder: &TempDir) -> (SqliteWriter, SqliteReader, MigrationReport) {
    let mut report = None;
    let (writer, reader) = open_watched(folder, &mut |progress| {
        if let MigrationProgress::Done(done) = progress {
            report = Some(done);
        }
        ControlFlow::Continue(())
    })
    .expect("the file is migrated");
    (writer, reader, report.expect("a report"))
}

/// The files in the folder, but for the log of the new database, which goes with its last connection.
fn names_in(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .expect("the folder is listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| !["tracehub.db-wal", "tracehub.db-shm"].contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

/// Compares every chain and every entry with what the Python server's queries say of its file.
fn assert_same_as(backup: &Path, reader: &SqliteReader) {
    let old = Connection::open(backup).expect("the backup opens");
    let mut listed: BTreeMap<String, _> = BTreeMap::new();
    for chain in reader.correlations(&ChainQuery::newest(1_000_000)).expect("the chains are listed").chains {
        listed.insert(chain.correlation_id.clone(), chain);
    }
    let mut chains = old
        .prepare(
            "SELECT correlation_id, count(*), min(timestamp), max(timestamp), sum(direction = '->') AS enters,
             sum(direction = '<-') AS leaves FROM traces WHERE abs(timestamp) < 9e999 GROUP BY correlation_id",
        )
        .expect("a query");
    let mut rows = chains.query([]).expect("the chains");
    let mut count = 0;
    while let Some(row) = rows.next().expect("a chain") {
        let id: String = row.get(0).expect("an id");
        let chain = &listed[&id];
        assert_eq!(chain.trace_count, row.get::<_, u64>(1).expect("a count"), "{id}");
        assert_eq!(chain.first_ts.to_bits(), row.get::<_, f64>(2).expect("a time").to_bits(), "{id}");
        assert_eq!(chain.last_ts.to_bits(), row.get::<_, f64>(3).expect("a time").to_bits(), "{id}");
        let (enters, leaves): (u64, u64) = (row.get(4).expect("enters"), row.get(5).expect("leaves"));
        assert_eq!(chain.complete, Some(enters > 0 && enters == leaves), "{id}");
        assert_same_chain(&old, reader, &id);
        count += 1;
    }
    assert_eq!(listed.len(), count);
}

fn assert_same_chain(old: &Connection, reader: &SqliteReader, id: &str) {
    let mut entries = old
        .prepare_cached(
            "SELECT source_id, timestamp, suffix, direction, operation, endpoint, coalesce(hostname, 'unknown'),
             raw_line, data FROM traces WHERE correlation_id = ?1 AND abs(timestamp) < 9e999 ORDER BY timestamp, id",
        )
        .expect("a query");
    let mut rows = entries.query([id]).expect("the rows");
    reader
        .chain(id, ChainFilter::default(), &mut |entry| {
            let row = rows.next().expect("the old rows are read").expect("the old file has this entry");
            let text = |index| row.get_ref(index).expect("a column").as_str_or_null().expect("a text");
            assert_eq!(text(0), Some(entry.source_id));
            assert_eq!(row.get::<_, f64>(1).expect("a time").to_bits(), entry.timestamp.to_bits());
            assert_eq!(text(2), Some(entry.suffix));
            assert_eq!(text(3), Some(entry.direction));
            assert_eq!(text(4), Some(entry.operation));
            assert_eq!(text(5), Some(entry.endpoint));
            assert_eq!(text(6), Some(entry.hostname));
            assert_eq!(text(7), entry.raw_line);
            let new =
                entry.data.map(|data| serde_json::from_str::<serde_json::Value>(data).expect("any reader's JSON"));
            let old = text(8).map(|data| {
                serde_json::from_str(data).unwrap_or_else(|_| serde_json::json!({ "migrated_text": data }))
            });
            assert_eq!(new, old);
        })
        .expect("the chain is read");
    assert!(rows.next().expect("the old rows are read").is_none(), "{id} lacks an entry");
}

#[test]
fn every_row_is_there_in_its_order() {
    let old = OldServer::new();
    old.fill();
    let mut seen = Vec::new();
    let folder = old.stop();
    let (writer, reader) = open_watched(&folder, &mut |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    })
    .unwrap();
    let Some(MigrationProgress::Done(report)) = seen.pop() else { panic!("no report at the end: {seen:?}") };
    let backup = folder.path().canonicalize().unwrap().join("tracehub.db.python-0.1.0.bak");
    assert_eq!(
        report,
        MigrationReport {
            entries: u64::from(MANY),
            data_kept_as_text: 0,
            rows_set_aside: 0,
            set_aside: None,
            backup: backup.clone(),
        }
    );
    let done: Vec<u64> = seen
        .iter()
        .map(|progress| match progress {
            MigrationProgress::Copying { rows_done, rows_total } => {
                assert_eq!(*rows_total, u64::from(MANY));
                *rows_done
            }
            other => panic!("{other:?} before the end"),
        })
        .collect();
    assert_eq!(done, [0, 5_000, 10_000]);
    assert_same_as(&backup, &reader);
    drop((writer, reader));
    assert_eq!(names_in(&folder), ["tracehub.db", "tracehub.db.lock", "tracehub.db.python-0.1.0.bak"]);
    assert_eq!(fs::metadata(folder.path().join("tracehub.db")).unwrap().permissions().mode() & 0o777, 0o600);
    let new = Connection::open(folder.path().join("tracehub.db")).unwrap();
    assert_eq!(new.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
    assert_eq!(new.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0)).unwrap(), 8192);
    assert_eq!(new.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)).unwrap(), "wal");
    // Row ids follow the order of arrival: the stream's.
    let suffixes: Vec<String> = new
        .prepare("SELECT suffix FROM entries ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(suffixes.iter().enumerate().all(|(n, suffix)| *suffix == format!("x{n}")));
}

#[test]
fn a_second_open_does_not_migrate_again_and_ingest_goes_on() {
    let old = OldServer::new();
    old.add("c", 1.0, "a", "->", None);
    let folder = old.stop();
    drop(migrate(&folder));
    let (mut writer, reader) =
        open_watched(&folder, &mut |progress| panic!("nothing is left to migrate: {progress:?}")).unwrap();
    // Stored already, and new.
    let receipts = writer.ingest(&[batch(&[note("c", 1.0, "a", "->"), note("c", 2.0, "a", "<-")])], 2).unwrap();
    assert_eq!((receipts[0].inserted(), receipts[0].duplicates()), (1, 1));
    assert_eq!(reader.correlations(&ChainQuery::newest(1)).unwrap().chains[0].complete, Some(true));
    assert_eq!(reader.chain_entry_ids("c", EntryId::ZERO).unwrap(), [EntryId(1), EntryId(2)]);
}

#[test]
fn a_file_without_rows_is_migrated() {
    let folder = OldServer::new().stop();
    let (_, reader, report) = migrate(&folder);
    assert_eq!(report.entries, 0);
    assert!(reader.correlations(&ChainQuery::newest(10)).unwrap().chains.is_empty());
}

#[test]
fn odd_rows_are_kept_as_they_are() {
    let long = "x".repeat(5_000);
    let line = "l".repeat(3 << 20);
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(500), "]".repeat(500));
    let old = OldServer::new();
    old.add("", 1.0, "", "", None);
    old.add("n\0ul", 1.0, "s\0", "d\0", Some("{\"a\\u0000\": \"\\u0000\"}"));
    old.add(&long, -1.5, &long, &long, None);
    old.add("zero", -0.0, "a", "->", None);
    old.add("zero", 1e308, "a", "0", None);
    old.add("zero", -1e308, "a", "1", Some(""));
    for (n, data) in
        ["{\"a\": NaN}", "{\"a\": [Infinity, -Infinity]}", &deep, "{\"a\": \"\\ud800\"}"].iter().enumerate()
    {
        old.add("wrapped", 1.0, &n.to_string(), "->", Some(data));
    }
    old.add("big", 1.0, "a", "<-", Some(&format!("{{\"n\": 123456789012345678901234567890, \"t\": \"{line}\"}}")));
    old.connection.execute("UPDATE traces SET raw_line = ?1, hostname = NULL, endpoint = ?2", (&line, &long)).unwrap();
    let folder = old.stop();
    let (writer, reader, report) = migrate(&folder);
    assert_eq!((report.entries, report.data_kept_as_text, report.rows_set_aside), (11, 4, 0));
    let mut data = Vec::new();
    reader.chain("big", ChainFilter::default(), &mut |entry| data.extend(entry.data.map(str::to_owned))).unwrap();
    assert_eq!(data, [format!("{{\"n\":123456789012345678901234567890,\"t\":\"{line}\"}}")]);
    let mut count = 0;
    reader
        .chain("wrapped", ChainFilter::default(), &mut |entry| {
            assert!(entry.data.unwrap().starts_with("{\"migrated_text\":\"{\\\"a\\\": "));
            count += 1;
        })
        .unwrap();
    assert_eq!(count, 4);
    let mut zero = Vec::new();
    reader
        .chain("zero", ChainFilter::default(), &mut |entry| zero.push((entry.timestamp, entry.data.is_some())))
        .unwrap();
    assert_eq!(zero, [(-1e308, false), (0.0, false), (1e308, false)]);
    // The rest is compared with the old file; what is compared above is taken out, because it is meant to differ.
    let compared = Connection::open(&report.backup).unwrap();
    compared.execute("UPDATE traces SET data = NULL WHERE data = ''", []).unwrap();
    compared.execute("DELETE FROM traces WHERE correlation_id IN ('big', 'wrapped')", []).unwrap();
    drop(writer);
    for id in ["", "n\0ul", &long, "zero"] {
        assert_same_chain(&compared, &reader, id);
    }
}

#[test]
fn what_cannot_be_an_entry_is_set_aside() {
    let old = OldServer::new();
    old.add("c", 1.0, "a", "->", None);
    old.add("c", f64::INFINITY, "b", "<-", Some("{\"n\": 1}"));
    old.add("d", f64::NEG_INFINITY, "c", "!", None);
    old.add("c", 2.0, "d", "<-", None);
    old.connection.execute("UPDATE traces SET raw_line = CAST(x'ff' AS TEXT) WHERE suffix = 'd'", []).unwrap();
    let folder = old.stop();
    let other = folder.path().join("tracehub.db.not-migrated.ndjson");
    fs::write(&other, "mine").unwrap();
    let (_, reader, report) = migrate(&folder);
    assert_eq!((report.entries, report.rows_set_aside), (1, 3));
    assert_eq!(reader.correlations(&ChainQuery::newest(10)).unwrap().chains.len(), 1);
    let set_aside = report.set_aside.unwrap();
    assert!(set_aside.ends_with("tracehub.db.not-migrated.2.ndjson"), "{}", set_aside.display());
    assert_eq!(fs::metadata(&set_aside).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
    let lines: Vec<serde_json::Value> =
        fs::read_to_string(set_aside).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["timestamp"], "Infinity");
    assert_eq!(lines[0]["data"], "{\"n\": 1}");
    assert_eq!(lines[0]["reason"], "timestamp is not finite");
    assert_eq!((&lines[1]["id"], &lines[1]["timestamp"]), (&3.into(), &"-Infinity".into()));
    assert_eq!(lines[2]["raw_line"], serde_json::json!({ "hex": "ff" }));
    assert_eq!(lines[2]["reason"], "raw_line is not UTF-8");
}

#[test]
fn arrival_times_are_kept_and_retention_uses_them() {
    let old = OldServer::new();
    for (suffix, created_at) in [("a", 100.0), ("b", 100.9), ("c", 90.0), ("d", 200.0), ("e", 200.0), ("f", 9e15)] {
        old.add("c", 1.0, suffix, "->", None);
        old.connection.execute("UPDATE traces SET created_at = ?1 WHERE suffix = ?2", (created_at, suffix)).unwrap();
    }
    old.add("c", 1.0, "g", "->", None);
    old.connection.execute("UPDATE traces SET created_at = NULL WHERE suffix = 'g'", []).unwrap();
    let folder = old.stop();
    let (mut writer, reader, _) = migrate(&folder);
    let left = || reader.chain_entry_ids("c", EntryId::ZERO).unwrap().len();
    assert_eq!(writer.delete_arrived_before(100, 10).unwrap().entries, 0);
    assert_eq!(writer.delete_arrived_before(101, 10).unwrap().entries, 3);
    assert_eq!(writer.delete_arrived_before(201, 10).unwrap().entries, 2);
    assert_eq!(left(), 2);
    // A time from the future counts as now: it is gone some time.
    assert_eq!(writer.delete_arrived_before(4_000_000_000, 10).unwrap().entries, 2);
}

#[test]
fn broken_off_at_any_point_it_begins_again() {
    let old = OldServer::new();
    old.fill();
    old.add("odd", f64::INFINITY, "inf", "->", None);
    old.connection.execute("UPDATE traces SET id = -id WHERE suffix = 'inf'", []).unwrap();
    let folder = old.stop();
    let path = folder.path().join("tracehub.db");
    let before = fs::read(&path).unwrap();
    for steps in 0..3 {
        // As if killed: nothing is tidied up.
        let mut left = steps;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            open_watched(&folder, &mut |_| {
                assert!(left > 0, "killed here");
                left -= 1;
                ControlFlow::Continue(())
            })
        }));
        assert!(panicked.is_err());
        let names = names_in(&folder);
        assert!(names.contains(&"tracehub.db.migrating".to_owned()), "{names:?}");
        assert!(fs::read(&path).unwrap() == before, "the old file changed");
        // As asked: what was begun is removed.
        let mut left = steps;
        let stopped = open_watched(&folder, &mut |_| {
            left -= 1;
            if left < 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(stopped.unwrap_err(), OpenError::MigrationStopped { .. }));
        assert_eq!(names_in(&folder), ["tracehub.db", "tracehub.db.lock"]);
        assert!(fs::read(&path).unwrap() == before, "the old file changed");
    }
    for ending in ["", "-wal", "-shm", "-journal", ".ndjson"] {
        fs::write(folder.path().join(format!("tracehub.db.migrating{ending}")), "torn").unwrap();
    }
    let (_, reader, report) = migrate(&folder);
    assert_eq!((report.entries, report.rows_set_aside), (u64::from(MANY), 1));
    assert_same_as(&report.backup, &reader);
    assert!(!names_in(&folder).iter().any(|name| name.contains("migrating")));
}

#[test]
fn killed_between_the_link_and_the_rename_it_keeps_one_backup() {
    let old = OldServer::new();
    old.add("c", 1.0, "a", "->", None);
    let folder = old.stop();
    let path = folder.path().join("tracehub.db");
    let backup = folder.path().join("tracehub.db.python-0.1.0.bak");
    fs::hard_link(&path, &backup).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    let (.., report) = migrate(&folder);
    assert_eq!(report.backup.file_name(), backup.file_name());
    assert_eq!(fs::metadata(&backup).unwrap().ino(), inode);
    assert_ne!(fs::metadata(&path).unwrap().ino(), inode);
}

#[test]
fn an_older_backup_and_planted_links_are_not_touched() {
    let old = OldServer::new();
    old.add("c", 1.0, "a", "->", None);
    let folder = old.stop();
    let backup = folder.path().join("tracehub.db.python-0.1.0.bak");
    fs::write(&backup, "the last one").unwrap();
    let target = folder.path().join("target");
    symlink(&target, folder.path().join("tracehub.db.python-0.1.0.2.bak")).unwrap();
    symlink(&target, folder.path().join("tracehub.db.migrating")).unwrap();
    let (.., report) = migrate(&folder);
    assert!(report.backup.ends_with("tracehub.db.python-0.1.0.3.bak"), "{}", report.backup.display());
    assert_eq!(fs::read_to_string(&backup).unwrap(), "the last one");
    assert!(!target.exists());
}

#[test]
fn a_write_ahead_log_and_a_half_transaction_are_minded() {
    // Killed in the middle of a transaction: the file holds a part of it, the journal what was there before.
    let old = OldServer::new();
    old.fill();
    old.connection.execute_batch("PRAGMA cache_size = 10; BEGIN; UPDATE traces SET endpoint = 'half done'").unwrap();
    let killed = tempfile::tempdir().unwrap();
    for name in ["tracehub.db", "tracehub.db-journal"] {
        fs::copy(old.folder.path().join(name), killed.path().join(name)).unwrap();
    }
    let (_, reader, report) = migrate(&killed);
    assert_eq!(report.entries, u64::from(MANY));
    old.connection.execute_batch("ROLLBACK").unwrap();
    assert_same_as(&old.path(), &reader);

    // Someone has set the file to a write-ahead log, and the server was killed with rows in it.
    old.connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
    old.connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    old.add("in the log", 1.0, "a", "->", None);
    let killed = tempfile::tempdir().unwrap();
    for name in ["tracehub.db", "tracehub.db-wal"] {
        fs::copy(old.folder.path().join(name), killed.path().join(name)).unwrap();
    }
    let (_, reader, report) = migrate(&killed);
    assert_eq!(report.entries, u64::from(MANY) + 1);
    assert_same_as(&old.path(), &reader);
    assert_same_as(&report.backup, &reader);
}

#[test]
fn while_the_python_server_writes_it_is_refused() {
    for mode in ["delete", "wal"] {
        let old = OldServer::new();
        old.connection.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(())).unwrap();
        old.add("c", 1.0, "a", "->", None);
        old.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let err = open_at(&old.path()).unwrap_err();
        assert!(matches!(err, OpenError::MigrationBlocked { .. }), "{mode}: {err:?}");
        old.connection.execute_batch("COMMIT").unwrap();
        let folder = old.stop();
        assert_eq!(migrate(&folder).2.entries, 1, "{mode}");
    }
}

#[test]
fn no_row_is_added_behind_its_back() {
    let old = OldServer::new();
    old.fill();
    old.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let OldServer { folder, connection } = old;
    let add = "INSERT INTO traces SELECT NULL, 'MA', 'late', 1, 's', '->', '', '', NULL, '', NULL, 1";
    let (_, reader) = open_watched(&folder, &mut |progress| {
        // While rows are copied the file is locked; afterwards its name leads elsewhere, and SQLite sees that.
        let added = connection.execute(add, []);
        assert!(added.is_err(), "{progress:?}");
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(connection.execute(add, []).is_err());
    assert_same_as(&folder.path().join("tracehub.db.python-0.1.0.bak"), &reader);
}

#[test]
fn another_table_of_that_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tracehub.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE traces (id INTEGER PRIMARY KEY, stack TEXT)").unwrap();
    drop(connection);
    let err = open_at(&path).unwrap_err();
    assert!(matches!(&err, OpenError::Foreign { reason, .. } if reason.contains("traces")), "{err}");
}

#[test]
fn a_damaged_file_stays_as_it_is() {
    let old = OldServer::new();
    old.fill();
    let folder = old.stop();
    let path = folder.path().join("tracehub.db");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 8;
    bytes[middle..middle + 400_000].fill(0x5a);
    fs::write(&path, &bytes).unwrap();
    let err = open_at(&path).unwrap_err();
    assert!(matches!(err, OpenError::Migration { .. }), "{err:?}");
    assert!(fs::read(&path).unwrap() == bytes, "the old file changed");
    assert_eq!(names_in(&folder), ["tracehub.db", "tracehub.db.lock"]);
}
