//! Clocks that are set while the server runs, by libfaketime: only what the system's clock says changes, not how time goes.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use tempfile::TempDir;

use crate::support::{Server, answer, command, entry};

/// A server whose system clock this test sets.
struct SetClock {
    server: Server,
    offset: PathBuf,
}

impl SetClock {
    fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::write(folder.path().join("offset"), "+0\n").expect("the offset can be written");
        Self::start_in(folder)
    }

    /// Starts with the clock as it was set there.
    fn start_in(folder: TempDir) -> Self {
        let offset = folder.path().join("offset");
        let mut command = command(&folder.path().join("tracehub.db"));
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", &offset);
        // Looked at each time; the clocks that cannot be set go on as they are.
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Self { server: Server::spawn(folder, &mut command), offset }
    }

    /// Sets the clock to this far from the true time.
    fn set(&self, offset: &str) {
        let new = self.offset.with_extension("new");
        std::fs::write(&new, format!("{offset}\n")).expect("the offset can be written");
        std::fs::rename(new, &self.offset).expect("the offset takes its place");
    }

    async fn clean_up(&self) -> u64 {
        let (status, answer) = answer(self.server.request(Method::DELETE, "/cleanup")).await;
        assert_eq!(status, 200, "{answer}");
        answer["deleted"].as_u64().expect("a number")
    }
}

/// Its folder is named after the machine's kind.
fn library() -> PathBuf {
    let kinds = std::fs::read_dir("/usr/lib").expect("a Unix system").flatten().map(|kind| kind.path());
    let paths = kinds.chain([Path::new("/usr/lib").to_owned()]).map(|kind| kind.join("faketime/libfaketimeMT.so.1"));
    paths.into_iter().find(|path| path.exists()).expect("`cargo xtask setup` installs libfaketime")
}

#[tokio::test]
async fn a_clock_that_jumps_deletes_nothing_and_entries_keep_their_order() {
    let clock = SetClock::start();
    let server = &clock.server;
    let mut stream = server.stream("/traces/c/stream?timeout=300").await;
    let mut ids = Vec::new();
    for (number, offset) in ["+0", "+10y", "-1h", "-2y", "+0"].into_iter().enumerate() {
        clock.set(offset);
        server.ingest(&[entry("c", f64::from(u32::try_from(number).unwrap()), "s", "->")]).await;
        ids.push(stream.entry().await.0);
        assert_eq!(clock.clean_up().await, 0, "{offset}");
        assert_eq!(server.get("/traces/c").await.1["count"], number + 1, "{offset}");
        assert_eq!(server.get("/health").await.1["status"], "healthy");
    }
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
}

/// A virtual machine whose host has slept; or a board that has no clock of its own, until it meets a time server.
#[tokio::test]
async fn what_came_lately_is_found_after_a_jump_and_nothing_grows_older_by_it() {
    const DAY: u64 = 86_400;
    let clock = SetClock::start();
    clock.server.ingest(&[entry("c", 1.0, "s", "->")]).await;
    for (days, stored) in [(1, 2), (2, 3), (4, 4)] {
        clock.set(&format!("+{days}d"));
        clock.server.ingest(&[entry("c", f64::from(stored), "late", "->")]).await;
        let unset = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let ten_minutes_ago = unset + days * DAY - 600;
        let lately = clock.server.get(&format!("/recent?since={}", ten_minutes_ago * 1_000)).await.1;
        assert_eq!(lately["count"], stored, "{lately}");
    }
    let SetClock { mut server, .. } = clock;
    server.terminate();
    assert!(server.wait().0.success());
    let folder = std::mem::replace(&mut server.folder, TempDir::new().unwrap());
    let restarted = SetClock::start_in(folder);
    assert_eq!(restarted.clean_up().await, 0);
    assert_eq!(restarted.server.get("/traces/c").await.1["count"], 4);
}

/// The jump is said, and a read that takes its time from the clock is not cut off by it.
#[tokio::test]
async fn a_jump_is_said_and_limits_of_time_do_not_follow_it() {
    let clock = SetClock::start();
    let mut stream = clock.server.stream("/traces/c/stream?timeout=300").await;
    clock.set("+1d");
    clock.server.ingest(&[entry("c", 1.0, "s", "->")]).await;
    stream.entry().await;
    let silent = tokio::time::timeout(Duration::from_millis(500), stream.event()).await;
    assert!(silent.is_err(), "the stream goes on although its 300 s seem to have passed: {silent:?}");
    let SetClock { mut server, .. } = clock;
    server.terminate();
    drop(stream);
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    assert!(log.contains("the system's clock was set"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
