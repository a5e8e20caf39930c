//! The database file: who may open it, who may read it, and what is refused untouched.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracehub_core::store::sqlite::{BackupError, LogDamage, OpenError, OpenOptions, backup, open};
use tracehub_core::store::{EntryId, StoreError, StoreReader as _, StoreWriter as _};

use crate::support::{TempStore, batch, note, open_at};

#[test]
fn only_the_owner_may_read_the_file() {
    let store = TempStore::new();
    for name in ["tracehub.db", "tracehub.db-wal", "tracehub.db.lock"] {
        let mode = fs::metadata(store.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_second_server_is_told_who_holds_the_file() {
    let store = TempStore::new();
    let err = open_at(&store.folder.path().join("tracehub.db")).unwrap_err();
    assert!(err.to_string().contains(&format!("process {}", std::process::id())), "{err}");
}

#[test]
fn a_link_is_refused_and_a_linked_folder_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target.db");
    fs::write(&target, "").unwrap();
    let link = folder.path().join("link.db");
    symlink(&target, &link).unwrap();
    assert!(matches!(open_at(&link).unwrap_err(), OpenError::SymbolicLink { .. }));
    symlink(folder.path(), folder.path().join("linked")).unwrap();
    open_at(&folder.path().join("linked/new.db")).unwrap();
    assert!(folder.path().join("new.db").exists());
}

/// In a folder that others may write to, they may have put links where the server will write.
#[test]
fn a_link_beside_the_database_is_refused_and_what_it_leads_to_is_left_alone() {
    for end in ["-wal", "-shm", ".lock"] {
        let folder = tempfile::tempdir().unwrap();
        let treasure = folder.path().join("treasure");
        fs::write(&treasure, "dear").unwrap();
        symlink(&treasure, folder.path().join(format!("tracehub.db{end}"))).unwrap();
        let err = open_at(&folder.path().join("tracehub.db")).map(drop).unwrap_err();
        assert!(matches!(err, OpenError::SymbolicLink { .. }), "{end}: {err:?}");
        assert_eq!(fs::read(&treasure).unwrap(), b"dear", "{end}");
    }
}

#[test]
fn what_is_not_ours_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "not a database at all").unwrap();
    assert!(matches!(open_at(&text).unwrap_err(), OpenError::Foreign { .. }));
    assert_eq!(fs::read(&text).unwrap(), b"not a database at all");

    let other = folder.path().join("other.db");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE customers (id); INSERT INTO customers VALUES (1)").unwrap();
    drop(connection);
    let before = fs::read(&other).unwrap();
    let err = open_at(&other).unwrap_err();
    assert!(err.to_string().contains("customers"), "{err}");
    assert!(fs::read(&other).unwrap() == before, "the file was changed");
}

#[test]
fn a_newer_schema_is_refused() {
    let store = TempStore::new();
    let path = store.folder.path().join("tracehub.db");
    let folder = store.folder;
    drop((store.writer, store.reader));
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let err = open_at(&path).unwrap_err();
    assert!(err.to_string().contains("newer version"), "{err}");
    drop(folder);
}

#[test]
fn a_missing_folder_and_a_folder_as_file_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(open_at(&folder.path().join("none/tracehub.db")).unwrap_err(), OpenError::Folder { .. }));
    assert!(matches!(open_at(folder.path()).unwrap_err(), OpenError::Folder { .. }));
}

/// What a damaged file is called, and that it is left as it is.
#[test]
fn a_damaged_file_is_refused_and_not_touched() {
    let mut store = TempStore::new();
    let notes: Vec<_> = (0..2_000).map(|n| note("c", f64::from(n), "s", "->")).collect();
    store.writer.ingest(&[batch(&notes)], 1).unwrap();
    store.writer.finish().unwrap();
    let TempStore { writer, reader, folder } = store;
    drop((writer, reader));
    let path = folder.path().join("tracehub.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).unwrap();
    drop(file);
    let whole = fs::read(&path).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    let torn_header = [&whole[..16], &[0xff; 84], &whole[100..]].concat();
    let no_schema = [&whole[..100], &[0xaa; 8092], &whole[8192..]].concat();
    for (damage, bytes) in [("half", half), ("header", torn_header), ("schema", no_schema)] {
        fs::write(&path, &bytes).unwrap();
        let err = open_at(&path).map(drop).unwrap_err();
        assert!(matches!(err, OpenError::Corrupt { .. }), "{damage}: {err:?}");
        assert!(err.to_string().contains(".recover"), "{damage}: {err}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{damage}");
    }
    fs::write(&path, &whole).unwrap();
    let (_, reader) = open_at(&path).unwrap();
    assert_eq!(reader.chain_entry_ids("c", EntryId::ZERO).unwrap().len(), 2_000);
}

#[test]
fn a_question_that_takes_too_long_is_ended() {
    let store = TempStore::new();
    let path = store.folder.path().join("tracehub.db");
    let TempStore { mut writer, reader, folder } = store;
    let notes: Vec<_> = (0..500).map(|n| note("c", f64::from(n), "s", "->")).collect();
    writer.ingest(&[batch(&notes)], 1).unwrap();
    drop((writer, reader));
    let options = OpenOptions { read_timeout: Duration::ZERO, ..OpenOptions::new(&path) };
    let (_writer, reader) = open(&options).unwrap();
    let ids: Vec<EntryId> = (1..=500).map(EntryId).collect();
    let outcome = reader.entries("c", &ids, &mut |_, _| panic!("no time for an entry"));
    assert!(matches!(outcome, Err(StoreError::TooSlow(_))), "{outcome:?}");
    let outcome = reader.chain_entry_ids_by_time("c", None);
    assert!(matches!(outcome, Err(StoreError::TooSlow(_))), "{outcome:?}");
    drop(folder);
}

/// Reads so that at every moment somebody reads, until told to stop: SQLite by itself then never begins the log anew.
fn read_without_a_pause(path: &Path, stop: &AtomicBool) {
    let begin = || {
        let reader = rusqlite::Connection::open(path).expect("the file opens");
        reader.execute_batch("BEGIN").expect("a transaction");
        reader.query_row("SELECT count(*) FROM sequence", [], |_| Ok(())).expect("a row");
        reader
    };
    let mut before = begin();
    while !stop.load(Ordering::Relaxed) {
        // The one before ends only now.
        before = begin();
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(before);
}

#[test]
fn the_log_stays_short_although_somebody_reads_at_every_moment() {
    const MOST: u64 = 48 << 20;
    let mut store = TempStore::new();
    let path = store.folder.path().join("tracehub.db");
    let log = path.with_extension("db-wal");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| read_without_a_pause(&path, &stop));
        let mut longest = 0;
        for number in 0..300 {
            let line = "x".repeat(1 << 10);
            let notes: Vec<_> =
                (0..1_000).map(|n| note(&line[..64], f64::from(number), &format!("{n}{line}")[..120], "->")).collect();
            store.writer.ingest(&[batch(&notes)], number.into()).unwrap();
            store.writer.settle().unwrap();
            longest = longest.max(fs::metadata(&log).unwrap().len());
        }
        stop.store(true, Ordering::Relaxed);
        assert!(longest > 20 << 20, "{longest}: no reader was in the way");
        assert!(longest < MOST, "{longest}");
    });
    assert_eq!(store.suffixes(&"x".repeat(64)).len(), 300_000);
}

/// A log whose midst a disk has damaged: SQLite would pass over the rest in silence.
#[test]
fn a_damaged_log_is_noticed_and_kept() {
    let store = TempStore::new();
    let TempStore { mut writer, reader, folder } = store;
    for number in 0..50 {
        writer.ingest(&[batch(&[note("c", f64::from(number), "s", "->")])], 1).unwrap();
    }
    let path = folder.path().join("tracehub.db");
    let log = folder.path().join("tracehub.db-wal");
    let copies = [(path.clone(), fs::read(&path).unwrap()), (log.clone(), fs::read(&log).unwrap())];
    drop((writer, reader));
    let restore = |damage: &dyn Fn(&mut Vec<u8>)| {
        for (file, bytes) in &copies {
            let mut bytes = bytes.clone();
            if *file == log {
                damage(&mut bytes);
            }
            fs::write(file, bytes).unwrap();
        }
    };
    restore(&|_| {});
    let (whole, _) = open_at(&path).unwrap();
    assert_eq!(whole.log_damage(), None);
    drop(whole);
    restore(&|log| log[32 + 3 * (24 + 8192) + 4_000] ^= 1);
    let (writer, reader) = open_at(&path).unwrap();
    assert!(matches!(writer.log_damage(), Some(LogDamage::Frames { used: 3, lost }) if lost > 40));
    assert!(reader.chain_entry_ids("c", EntryId::ZERO).unwrap().len() < 50);
    assert!(folder.path().join("tracehub.db.damaged-wal").exists());
    drop((writer, reader));
    restore(&|log| log[..32].fill(0));
    let (writer, reader) = open_at(&path).unwrap();
    assert!(matches!(writer.log_damage(), Some(LogDamage::Header { bytes }) if bytes > 400_000));
    drop((writer, reader));
    restore(&|_| {});
    fs::write(&path, []).unwrap();
    assert!(matches!(open_at(&path).map(drop).unwrap_err(), OpenError::Corrupt { .. }), "empty beside a log");
}

#[test]
fn an_emptied_file_is_refused_and_a_deleted_one_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tracehub.db");
    fs::write(&path, []).unwrap();
    drop(open_at(&path).expect("an empty file that nobody has used yet"));
    fs::write(&path, []).unwrap();
    for _ in 0..2 {
        let err = open_at(&path).map(drop).unwrap_err();
        assert!(matches!(err, OpenError::Corrupt { .. }), "{err:?}");
        assert!(err.to_string().contains("delete it to begin anew"), "{err}");
        assert_eq!(fs::read(&path).unwrap(), b"");
    }
    fs::remove_file(&path).unwrap();
    drop(open_at(&path).unwrap());
    drop(open_at(&path).unwrap());
}

/// A power cut within SQLite's very first write leaves a part of a page, and the journal that takes it back.
#[test]
fn a_first_page_that_was_cut_off_is_taken_back() {
    let whole = {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("whole.db");
        drop(open_at(&path).unwrap());
        fs::read(path).unwrap()
    };
    for cut_off in [[vec![0; 512], vec![0xa5; 8192 - 512]].concat(), whole[..2048].to_vec()] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tracehub.db");
        fs::write(&path, &cut_off).unwrap();
        let err = open_at(&path).map(drop).unwrap_err();
        assert!(matches!(err, OpenError::Foreign { .. } | OpenError::Corrupt { .. }), "without a journal: {err}");
        assert_eq!(fs::read(&path).unwrap(), cut_off);
        // <https://www.sqlite.org/fileformat2.html#the_rollback_journal>: no pages, of a database that had none.
        let mut journal = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0];
        journal.extend([0, 0, 2, 0, 0, 0, 32, 0]);
        journal.resize(512, 0);
        fs::write(folder.path().join("tracehub.db-journal"), journal).unwrap();
        let (mut writer, _reader) = open_at(&path).unwrap();
        writer.ingest(&[batch(&[note("c", 1.0, "s", "->")])], 1).unwrap();
    }
}

/// What lies beside a damaged page can be read; what lies on it is an error and never something else.
#[test]
fn a_damaged_page_within_the_file_costs_itself_and_is_said() {
    let mut store = TempStore::new();
    for chain in 0..200 {
        let notes: Vec<_> = (0..20).map(|n| note(&format!("c{chain}"), f64::from(n), "s", "->")).collect();
        store.writer.ingest(&[batch(&notes)], 1).unwrap();
    }
    store.writer.finish().unwrap();
    let TempStore { writer, reader, folder } = store;
    drop((writer, reader));
    let path = folder.path().join("tracehub.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).unwrap();
    drop(file);
    let whole = fs::read(&path).unwrap();
    // The second half holds entries and what leads to them; page by page, as a bad sector would have it.
    let (mut read, mut said) = (0, 0);
    for page in (whole.len() / 8192 / 2..whole.len() / 8192).step_by(3) {
        let mut bytes = whole.clone();
        bytes[page * 8192..(page + 1) * 8192].fill(0xa5);
        fs::write(&path, &bytes).unwrap();
        let Ok((writer, reader)) = open_at(&path) else {
            said += 1;
            continue;
        };
        for chain in 0..200 {
            match reader.chain_entry_ids_by_time(&format!("c{chain}"), None) {
                Ok(ids) if ids.len() == 20 => read += 1,
                Ok(ids) => panic!("page {page}: chain {chain} has {} entries", ids.len()),
                Err(StoreError::Damaged(_)) => said += 1,
                Err(err) => panic!("page {page}: {err:?}"),
            }
        }
        drop((writer, reader));
    }
    assert!(read > 200 && said > 5, "{read} read, {said} refused");
}

#[test]
fn a_backup_is_whole_while_the_server_goes_on() {
    let store = TempStore::new();
    let TempStore { mut writer, reader, folder } = store;
    let path = folder.path().join("tracehub.db");
    let copy = folder.path().join("copy.db");
    let notes: Vec<_> = (0..2_000).map(|n| note("c", f64::from(n), "s", "->")).collect();
    writer.ingest(&[batch(&notes)], 1).unwrap();
    assert!(backup(&path, &copy).unwrap() > 8_192);
    writer.ingest(&[batch(&[note("c", 3_000.0, "s", "->")])], 1).unwrap();
    let again = backup(&path, &copy).unwrap_err();
    assert!(matches!(again, BackupError::Exists(_)), "{again}");
    assert!(matches!(
        backup(&folder.path().join("none.db"), &folder.path().join("x")),
        Err(BackupError::Source { .. })
    ));
    assert!(!folder.path().join("x").exists());
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&copy).unwrap().permissions()) & 0o777, 0o600);
    drop((writer, reader));
    let (_writer, reader) = open_at(&copy).unwrap();
    assert_eq!(reader.chain_entry_ids("c", EntryId::ZERO).unwrap().len(), 2_000);
}
