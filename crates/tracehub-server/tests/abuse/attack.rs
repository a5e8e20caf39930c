//! The attacks: each opens as many connections as asked for, waits for what the server does about it, and checks that.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::raw::{self, Answer};
use crate::support::{Server, entry};

/// A way to take more than one's share.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attack {
    /// Heads that come byte by byte.
    SlowHeads,
    /// Bodies that begin and then come byte by byte, or not at all.
    SlowBodies,
    /// Connections on which nothing is sent.
    Idle,
    /// Bodies of the largest size that stop before their last byte.
    LargeBodies,
    /// Streams whose readers do not read, under load.
    StuckStreams,
    /// Small bodies that become large.
    Bombs,
    /// More connections than there may be, in haste.
    Crowd,
}

/// This process needs a descriptor for each connection too.
pub(crate) fn raise_the_limit_of_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the soft limit may be raised to the hard one");
}

impl Attack {
    pub(crate) async fn run(self, server: &Server, count: usize) {
        match self {
            Self::SlowHeads => {
                slow(server, count, b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: ", true, 6_500).await;
            }
            // Those that drip last for 15 s, for which the suite has no time.
            Self::SlowBodies => slow(server, count, &head("POST /ingest", 100), crate::is_full(), 17_000).await,
            Self::Idle => idle(server, count).await,
            Self::LargeBodies => large_bodies(server, count).await,
            Self::StuckStreams => stuck_streams(server, count).await,
            Self::Bombs => bombs(server, count).await,
            Self::Crowd => crowd(server, count).await,
        }
    }
}

fn head(line: &str, length: usize) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
        .into_bytes()
}

async fn connect_all(server: &Server, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        streams.push(raw::connect(server).await);
    }
    streams
}

/// Begins, and goes on with nothing; if they drip, every other one with a byte a second. All are cut off with 408 in time.
async fn slow(server: &Server, count: usize, beginning: &[u8], drips: bool, most_milliseconds: u128) {
    let streams = connect_all(server, count).await;
    join_all(streams.into_iter().enumerate().map(|(number, mut stream)| async move {
        let began = Instant::now();
        stream.write_all(beginning).await.expect("the beginning is taken");
        let (mut read, mut write) = stream.split();
        let drip = async {
            while drips && number % 2 == 0 && write.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            std::future::pending::<()>().await;
        };
        let answer = async {
            let mut start = [0; 12];
            read.read_exact(&mut start).await.expect("an answer");
            start
        };
        tokio::select! {
            start = answer => assert_eq!(&start, b"HTTP/1.1 408"),
            () = drip => {}
        }
        let took = began.elapsed().as_millis();
        assert!(took < most_milliseconds + 3_000, "{took} ms");
    }))
    .await;
}

async fn idle(server: &Server, count: usize) {
    let mut streams = connect_all(server, count).await;
    let began = Instant::now();
    join_all(streams.iter_mut().map(async |stream| {
        assert_eq!(raw::answer(stream).await.map(|answer| answer.status), Some(408));
    }))
    .await;
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

/// Together they want more memory than there is for bodies: some wait for their 408, the others are refused at once.
async fn large_bodies(server: &Server, count: usize) {
    const LENGTH: usize = 8 << 20;
    let body = vec![b' '; LENGTH - 1];
    let streams = connect_all(server, count).await;
    let statuses = join_all(streams.into_iter().map(async |mut stream| {
        let (mut read, mut write) = stream.split();
        let send = async {
            let _ = write.write_all(&head("POST /ingest", LENGTH)).await;
            let _ = write.write_all(&body).await;
            std::future::pending::<()>().await;
        };
        let mut start = [0; 12];
        tokio::select! {
            read = read.read_exact(&mut start) => read.map_or(0, |_| start[9..].iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'))),
            () = send => 0,
        }
    }))
    .await;
    assert!(statuses.iter().all(|status| matches!(status, 408 | 503)), "{statuses:?}");
    assert!(statuses.contains(&408) && statuses.contains(&503), "{statuses:?}");
}

async fn stuck_streams(server: &Server, count: usize) {
    let address = server.url.split_once("://").expect("a URL").1.parse().expect("an address");
    let mut streams = Vec::new();
    for _ in 0..count {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let mut stream = socket.connect(address).await.expect("the server listens");
        stream.write_all(b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("it is taken");
        streams.push(stream);
    }
    while server.get("/stats").await.1["streams"] != count {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // 5 MB of events for each of them.
    for batch in 0..50 {
        let entries: Vec<_> = (0..100)
            .map(|n| {
                let mut entry = entry("stream", f64::from(batch * 100 + n), "s", "->");
                entry["raw_line"] = "x".repeat(1_000).into();
                entry
            })
            .collect();
        server.ingest(&entries).await;
    }
    if !crate::is_full() {
        return;
    }
    // The other side is still there and takes nothing: its places come free all the same.
    let began = Instant::now();
    while server.get("/stats").await.1["streams"] != 0 {
        assert!(began.elapsed() < Duration::from_mins(1), "{}", server.get("/stats").await.1);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    println!(
        "{:<34} {count:>6} {:>6.1} s   until the places of stuck readers came free",
        "",
        began.elapsed().as_secs_f64()
    );
}

async fn bombs(server: &Server, count: usize) {
    const MEMBER: usize = 16 << 20;
    // A gzip file may have many members: a gigabyte of nothing, made of the same 16 MiB of nothing.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &vec![b' '; MEMBER]).expect("memory takes it");
    let bomb = encoder.finish().expect("memory takes it").repeat((1 << 30) / MEMBER);
    let request = |bomb: Vec<u8>| {
        let request = server.request(reqwest::Method::POST, "/ingest").header("content-type", "application/json");
        crate::support::answer(request.header("content-encoding", "gzip").body(bomb))
    };
    // Wave after wave, so that there is something to measure.
    for _ in 0..if crate::is_full() { 10 } else { 1 } {
        let answers = join_all((0..count).map(|_| request(bomb.clone()))).await;
        for (status, answer) in answers {
            assert_eq!((status, &answer["error"]), (413, &json!("body_too_large")), "{answer}");
        }
    }
}

/// Connections that stay, and more that come: whoever asks how the server is gets an answer, or is told that it is full.
async fn crowd(server: &Server, count: usize) {
    let (mut full, mut staying) = (0, Vec::new());
    for _ in 0..count {
        let mut stream = raw::connect(server).await;
        let _ = stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
        match raw::answer(&mut stream).await {
            Some(Answer { status: 200, .. }) => {}
            Some(Answer { status: 503, body, .. }) => {
                assert_eq!(body["error"], "too_many_connections");
                full += 1;
            }
            other => panic!("{other:?}"),
        }
        if full == 0 {
            // It leaves one behind that stays.
            let mut stays = raw::connect(server).await;
            let _ = stays.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
            let answer = raw::answer(&mut stays).await;
            assert!(matches!(answer, Some(Answer { status: 200 | 503, .. })), "{answer:?}");
            staying.push(stays);
        }
    }
    assert!(full > 0, "there was room for all");
    drop(staying);
}
