//! The spool from outside: outages, restarts, folders that are shared, damaged, taken away or not there.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tracehub_client::{BuildError, FlushOutcome, TraceHubClient};

use crate::support::{LONG, Reply, Server, balanced, entry, free_address, send, until, url_of_nobody};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn spooling(url: &str, folder: &Path) -> TraceHubClient {
    let builder = TraceHubClient::builder(url).spool_dir(folder).timeout(Duration::from_secs(5));
    builder.build().expect("the folder can be used")
}

/// Sends entries of these numbers.
fn send_range(client: &TraceHubClient, numbers: std::ops::Range<usize>) {
    for number in numbers {
        client.send(entry(&number)).expect("there is room");
    }
}

fn names(numbers: impl Iterator<Item = usize>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

/// Rows as a server has them that knows what it has already.
fn rows(stored: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    stored.into_iter().filter(|suffix| seen.insert(suffix.clone())).collect()
}

/// A client that has put so many entries on disk and ended, with no server in sight.
fn leave(root: &Path, numbers: std::ops::Range<usize>) {
    let client = spooling(&url_of_nobody(), root);
    let count = numbers.len() as u64;
    send_range(&client, numbers);
    let report = client.close(LONG);
    assert_eq!((report.spooled, report.pending), (count, 0));
}

fn all_files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(all_files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn segments(root: &Path) -> Vec<PathBuf> {
    all_files(root).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "segment")).collect()
}

#[test]
fn an_outage_loses_nothing_and_keeps_the_order() {
    let root = folder();
    let server = Server::storing();
    let (address, url) = (server.address(), server.url());
    let client = spooling(&url, root.path());
    send_range(&client, 0..100);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    let mut stored = server.stored();
    drop(server);
    for round in 1..10 {
        send_range(&client, round * 100..round * 100 + 100);
        thread::sleep(Duration::from_millis(30));
    }
    until("all is on disk", || balanced(&client).pending == 0);
    assert_eq!(client.stats().spooled, 900);
    let server = Server::start_at(address, |_, _| Reply::Store);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    stored.extend(server.stored());
    assert_eq!(stored, names(0..1_000), "in order, each once");
    let report = client.close(LONG);
    assert_eq!((report.delivered, report.spooled, report.dropped, report.pending), (1_000, 0, 0, 0));
    assert_eq!(all_files(root.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_close_beside_a_dead_server_ends_early_and_says_what_is_safe() {
    let root = folder();
    let client = spooling(&url_of_nobody(), root.path());
    send(&client, 2_000);
    let start = Instant::now();
    let report = client.close(LONG);
    assert!(start.elapsed() < LONG / 3, "{:?}", start.elapsed());
    assert_eq!((report.delivered, report.spooled, report.dropped, report.pending), (0, 2_000, 0, 0));
    assert_eq!(client.close(LONG), report);
}

#[test]
fn the_next_process_sends_what_was_left_before_its_own() {
    let root = folder();
    leave(root.path(), 0..600);
    leave(root.path(), 600..900);
    let server = Server::storing();
    let client = spooling(&server.url(), root.path());
    send_range(&client, 900..1_000);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    assert_eq!(server.stored(), names(0..1_000));
    let stats = balanced(&client);
    assert_eq!((stats.delivered, stats.recovered.found, stats.recovered.delivered), (100, 900, 900));
    client.close(LONG);
    assert_eq!(all_files(root.path()), Vec::<PathBuf>::new());
}

#[test]
fn beyond_the_bound_the_oldest_go_and_are_counted() {
    let root = folder();
    let server_address = free_address();
    let url = format!("http://{server_address}");
    let client = TraceHubClient::builder(&url).spool_dir(root.path()).spool_max_bytes(64 << 10).build().unwrap();
    for round in 0..20 {
        send_range(&client, round * 50..round * 50 + 50);
        until("it is on disk", || balanced(&client).pending == 0);
    }
    let evicted = client.stats().dropped.evicted;
    assert!(evicted > 0);
    let server = Server::start_at(server_address, |_, _| Reply::Store);
    let report = client.close(LONG);
    assert_eq!((report.delivered, report.dropped, report.spooled), (1_000 - evicted, evicted, 0));
    let stored = server.stored();
    assert_eq!(stored.len() as u64, 1_000 - evicted);
    assert_eq!(stored.last().map(String::as_str), Some("999"), "the newest are kept");
    until("the server hears of it", || server.reports().iter().any(|report| report.contains(r#""evicted":"#)));
}

#[test]
fn damaged_files_are_set_aside_and_strange_ones_left_alone() {
    let root = folder();
    (0..4).for_each(|number| leave(root.path(), number..number + 1));
    let left = segments(root.path());
    assert_eq!(left.len(), 4);
    let (spoilt, cut, empty) = (&left[0], &left[1], &left[2]);
    let mut bytes = fs::read(spoilt).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(spoilt, bytes).unwrap();
    let bytes = fs::read(cut).unwrap();
    fs::write(cut, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(empty, b"").unwrap();
    let readme = root.path().join("README");
    fs::write(&readme, b"not ours").unwrap();
    let strange = root.path().join("strange").join("lock");
    fs::create_dir(strange.parent().unwrap()).unwrap();
    fs::write(&strange, b"").unwrap();

    let server = Server::storing();
    let client = spooling(&server.url(), root.path());
    until("it is looked at", || client.stats().recovered.corrupt_segments == 3);
    // Nothing else is sent, and the damaged ones do not wait for it.
    until("the whole one is sent", || client.stats().recovered.delivered == 1);
    send(&client, 1);
    assert_eq!(client.close(LONG).delivered, 1);
    let recovered = client.stats().recovered;
    assert_eq!(recovered.found, recovered.delivered + recovered.dropped);
    assert_eq!(server.stored().len(), 2);
    assert!(readme.exists() && strange.exists());
    let corrupt = all_files(root.path()).into_iter().filter(|path| path.extension().is_some_and(|it| it == "corrupt"));
    assert_eq!(corrupt.count(), 3);
    assert_eq!(segments(root.path()), Vec::<PathBuf>::new());
}

#[test]
fn clients_may_share_a_folder() {
    let root = folder();
    let server = Server::storing();
    thread::scope(|scope| {
        for name in 0..6 {
            let (root, server) = (&root, &server);
            scope.spawn(move || {
                for round in 0..5 {
                    let client = spooling(&server.url(), root.path());
                    for number in 0..100 {
                        client.send(entry(&format!("{name}-{round}-{number}"))).unwrap();
                    }
                    // Every other one leaves all to those that come after it.
                    client.close(if round % 2 == 0 { Duration::ZERO } else { LONG });
                }
            });
        }
    });
    let last = spooling(&server.url(), root.path());
    send(&last, 1);
    assert_eq!(last.flush(LONG), FlushOutcome::Complete);
    until("all are there", || rows(server.stored()).len() == 6 * 5 * 100 + 1);
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let root = folder();
    let file = root.path().join("file");
    fs::write(&file, b"").unwrap();
    for path in [file.clone(), file.join("below")] {
        let built = TraceHubClient::builder("http://127.0.0.1:9").spool_dir(&path).build();
        let Err(err) = built else { panic!("{} was taken", path.display()) };
        assert!(matches!(&err, BuildError::Spool { folder, .. } if *folder == path), "{err:?}");
        assert!(err.to_string().contains(&path.display().to_string()), "{err}");
        assert!(std::error::Error::source(&err).is_some());
    }
}

/// Who may write anywhere is not stopped by permissions, so there this test has nothing to see.
#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;

    let root = folder();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(root.path().join("probe"), b"").is_ok() {
        return;
    }
    let built = TraceHubClient::builder("http://127.0.0.1:9").spool_dir(root.path()).build();
    assert!(matches!(built, Err(BuildError::Spool { .. })));
}

#[test]
fn the_host_goes_on_when_the_disk_does_not() {
    let parent = folder();
    let root = parent.path().join("spool");
    let server = Server::storing();
    let client = spooling(&server.url(), &root);
    send_range(&client, 0..100);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    fs::remove_dir_all(&root).unwrap();
    fs::write(&root, b"a file in its place").unwrap();
    for round in 1..10_u64 {
        send(&client, 100);
        assert_eq!(client.flush(LONG), FlushOutcome::Complete);
        assert_eq!(balanced(&client).delivered, round * 100 + 100);
    }
    let report = client.close(LONG);
    assert_eq!((report.delivered, report.spooled, report.dropped, report.pending), (1_000, 0, 0, 0));
    let expected: Vec<_> = (0..10).flat_map(|_| names(0..100)).collect();
    assert_eq!(server.stored(), expected);
}

#[test]
fn a_folder_that_is_deleted_is_made_anew() {
    let parent = folder();
    let root = parent.path().join("spool");
    let address = free_address();
    let client = spooling(&format!("http://{address}"), &root);
    send_range(&client, 0..50);
    until("it is on disk", || balanced(&client).spooled == 50);
    fs::remove_dir_all(&root).unwrap();
    send_range(&client, 50..100);
    until("it is on disk again", || balanced(&client).spooled == 100);
    let server = Server::start_at(address, |_, _| Reply::Store);
    let report = client.close(LONG);
    // Of the first, those that were on their way already are not lost with their folder.
    let lost = client.stats().dropped.damaged;
    assert!(lost <= 50, "{lost}");
    assert_eq!((report.delivered, report.dropped), (100 - lost, lost));
    assert!(server.stored().ends_with(&names(50..100)));
}

/// A worker that minds entries in memory without a pause would hear no server any more.
#[test]
fn a_broken_disk_and_a_server_that_hangs_are_outlasted_together() {
    let parent = folder();
    let root = parent.path().join("spool");
    let server = Server::start(|number, _| if number == 0 { Reply::Hang } else { Reply::Store });
    let client =
        TraceHubClient::builder(&server.url()).spool_dir(&root).timeout(Duration::from_millis(1_500)).build().unwrap();
    fs::remove_dir_all(&root).unwrap();
    fs::write(&root, b"").unwrap();
    send(&client, 50);
    thread::sleep(Duration::from_millis(1_200));
    assert_eq!(balanced(&client).pending, 50);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    assert_eq!(rows(server.stored()), names(0..50));
}
