//! The normal client, and what the server takes of the machine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::raw;
use crate::support::{Server, entry};

/// How often it asks.
const EVERY: Duration = Duration::from_millis(4);

/// A client that sends an entry, waits for the answer, and sends the next, on a connection of its own.
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What it saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    times: Vec<f64>,
    pub(crate) failures: Vec<String>,
}

impl Probe {
    /// Starts one, on a thread of its own: it must not wait for the attackers of this process.
    pub(crate) fn start(server: &Server) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let address = server.url.split_once("://").expect("a URL").1.to_owned();
        let asked = Arc::clone(&stop);
        let (answered, first) = mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(ask(&address, &asked, &answered))
        });
        first.recv().expect("the normal client is there before the attackers");
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let mut seen = self.thread.join().expect("the normal client lives");
        seen.times.sort_by(f64::total_cmp);
        assert!(!seen.times.is_empty());
        seen
    }

    pub(crate) fn stop_after(self, time: Duration) -> Seen {
        std::thread::sleep(time);
        self.stop()
    }
}

async fn ask(address: &str, stop: &AtomicBool, answered: &mpsc::SyncSender<()>) -> Seen {
    static LAST: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let mut seen = Seen::default();
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let timestamp = f64::from(LAST.fetch_add(1, Ordering::Relaxed));
        let body = json!({ "traces": [entry("normal", timestamp, "s", "->")] }).to_string();
        let head = format!(
            "POST /ingest HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("the server takes it");
        match raw::answer(&mut stream).await {
            Some(answer) if answer.status == 200 && answer.body["inserted"] == 1 => {}
            other => seen.failures.push(format!("{other:?}")),
        }
        seen.times.push(began.elapsed().as_secs_f64() * 1000.0);
        // Only the first is waited for.
        let _ = answered.try_send(());
        tokio::time::sleep(EVERY).await;
    }
    seen
}

impl Seen {
    pub(crate) fn count(&self) -> usize {
        self.times.len()
    }

    /// The time below which a share of the answers came.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
    pub(crate) fn milliseconds(&self, share: f64) -> f64 {
        self.times[((self.times.len() - 1) as f64 * share).ceil() as usize]
    }
}

/// What a server takes of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) peak_mb: f64,
    pub(crate) resident_mb: f64,
    pub(crate) descriptors: usize,
}

impl Usage {
    pub(crate) fn of(server: &Server) -> Self {
        let process = format!("/proc/{}", server.process());
        let status = std::fs::read_to_string(format!("{process}/status")).expect("the server lives");
        let megabytes = |field: &str| -> f64 {
            let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a field");
            line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
        };
        let descriptors = std::fs::read_dir(format!("{process}/fd")).expect("the server lives").count();
        Self { peak_mb: megabytes("VmHWM:"), resident_mb: megabytes("VmRSS:"), descriptors }
    }

    /// Waits until the server holds few descriptors again; gives how many.
    pub(crate) fn wait_for_descriptors(server: &Server, most: usize) -> usize {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let now = Self::of(server).descriptors;
            if now <= most {
                return now;
            }
            assert!(Instant::now() < deadline, "{now} descriptors are open, not {most}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
