//! What supervisors ask and are told: alive, ready, degraded, about to stop.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::access::{SECRET, guarded};
use crate::storage::SmallDisk;
use crate::support::{Server, command, entry};

/// Twice what the server takes to notice, and room for a busy machine.
const PATIENCE: Duration = Duration::from_secs(8);

/// Asks until the answer is as expected.
async fn until(server: &Server, path: &str, expected: impl Fn(u16, &Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, answer) = server.get(path).await;
        if expected(status, &answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path} still answers {status} {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn strangers_learn_that_a_server_is_there_and_ready_and_nothing_else() {
    let server = guarded(&[]);
    let path = server.database().display().to_string();
    let well = json!({"server": "ok", "writer": "ok", "queue": "ok", "disk": "ok", "database": "ok"});
    assert_eq!(server.get("/healthz").await, (200, Value::String("ok\n".to_owned())));
    assert_eq!(server.get("/readyz").await, (200, json!({"status": "ready", "checks": well})));
    assert_eq!(server.get("/health").await.0, 401);
    for probe in ["/healthz", "/readyz"] {
        let whole = server.request(Method::GET, probe).send().await.unwrap();
        let length = whole.headers()["content-length"].clone();
        let head = server.request(Method::HEAD, probe).send().await.unwrap();
        assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &length));
        assert_eq!(head.text().await.unwrap(), "");
        assert!(!whole.text().await.unwrap().contains(&path));
        assert_eq!(server.request(Method::POST, probe).send().await.unwrap().status(), 405);
    }
}

/// Nobody sends entries: the server must notice by itself that others fill its disk, and that they have cleared it.
#[tokio::test]
async fn a_disk_that_others_fill_is_noticed_said_everywhere_and_heals() {
    let disk = SmallDisk::start("6000000");
    until(&disk.server, "/readyz", |status, _| status == 200).await;
    let more = disk.ballast.with_extension("more");
    std::fs::write(&more, vec![0; 12 << 20]).expect("the disk takes more ballast");
    let answer = until(&disk.server, "/readyz", |status, _| status == 503).await;
    assert_eq!(
        answer,
        json!({
            "error": "not_ready", "message": "the server is not ready: disk is full", "retry_after": 1,
            "checks": {"server": "ok", "writer": "ok", "queue": "ok", "disk": "full", "database": "ok"},
        })
    );
    let (status, health) = disk.server.get("/health").await;
    assert_eq!((status, &health["status"], &health["reason"]), (200, &json!("degraded"), &json!("storage_full")));
    let (_, metrics) = disk.server.get("/metrics").await;
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains("tracehub_condition{trouble=\"storage_full\"} 1\n"), "{metrics}");
    assert!(metrics.contains("tracehub_ready{check=\"disk\"} 0\n"), "{metrics}");
    let (code, said) = healthcheck(&["--url", &format!("{}/readyz", disk.server.url)]);
    assert_eq!(code, 1);
    assert!(said.contains("503 Service Unavailable") && said.contains("disk is full"), "{said}");
    assert_eq!(disk.server.get("/healthz").await.0, 200, "the process is alive: a restart heals nothing");

    std::fs::remove_file(&more).expect("the ballast goes");
    until(&disk.server, "/readyz", |status, _| status == 200).await;
    let (_, health) = disk.server.get("/health").await;
    assert_eq!((&health["status"], health.get("reason")), (&json!("healthy"), None));
}

#[tokio::test]
async fn before_a_server_stops_it_says_so_and_still_answers() {
    const DRAIN: Duration = Duration::from_secs(2);
    let mut server = Server::start_in(tempfile::tempdir().unwrap(), &["--drain-seconds", "2"]);
    let mut stream = server.stream("/stream").await;
    let asked = Instant::now();
    server.terminate();
    let answer = until(&server, "/readyz", |status, _| status == 503).await;
    assert_eq!((&answer["checks"]["server"], &answer["checks"]["writer"]), (&json!("stopping"), &json!("ok")));
    server.ingest(&[entry("c", 1.0, "a", "->")]).await;
    assert_eq!(stream.entry().await.1["correlation_id"], "c");
    let (status, log) = server.wait();
    assert!(status.success() && asked.elapsed() >= DRAIN, "{log}");
    assert!(log.contains("/readyz says no"), "{log}");
}

/// Messages to the supervisor, until `wanted` has come.
fn told(socket: &UnixDatagram, wanted: &str) -> Vec<String> {
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut all = Vec::new();
    while !all.iter().any(|message: &String| message.contains(wanted)) {
        let mut message = [0; 512];
        let length = socket.recv(&mut message).unwrap_or_else(|err| panic!("no {wanted} after {all:?}: {err}"));
        all.push(String::from_utf8_lossy(&message[..length]).into_owned());
    }
    all
}

#[tokio::test]
async fn the_supervisor_is_told_that_we_are_ready_alive_and_about_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut start = command(&folder.path().join("tracehub.db"));
    let mut server = Server::spawn(folder, start.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "900000"));
    let first = told(&socket, "READY=1");
    assert_eq!(first, [format!("READY=1\nSTATUS=listening on {}", server.url)]);
    assert_eq!(server.get("/healthz").await.0, 200);
    for _ in 0..3 {
        assert_eq!(told(&socket, "WATCHDOG=1"), ["WATCHDOG=1"]);
    }
    server.terminate();
    let last = told(&socket, "STOPPING=1");
    assert_eq!(last.last().unwrap(), "STOPPING=1\nSTATUS=finishing what was accepted");
    assert!(server.wait().0.success());
}

#[tokio::test]
async fn a_supervisor_that_wants_no_signs_of_life_from_us_gets_none_and_one_that_is_gone_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut start = command(&folder.path().join("tracehub.db"));
    start.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000").env("WATCHDOG_PID", "1");
    let mut server = Server::spawn(folder, &mut start);
    told(&socket, "READY=1");
    // Ten times its patience.
    socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    assert!(socket.recv(&mut [0; 512]).is_err());
    drop(socket);
    server.terminate();
    assert!(server.wait().0.success());
}

/// Runs `healthcheck`; gives its exit code and what it said.
fn healthcheck(args: &[&str]) -> (i32, String) {
    let output = command(std::path::Path::new("unused")).arg("healthcheck").args(args).output().expect("it runs");
    (output.status.code().expect("an exit code"), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn the_health_check_of_a_container_needs_no_other_program() {
    let server = guarded(&[]);
    let (_, port) = server.url.rsplit_once(':').unwrap();
    let of_environment =
        command(std::path::Path::new("unused")).env("TRACEHUB_PORT", port).arg("healthcheck").output().unwrap();
    assert!(of_environment.status.success(), "{}", String::from_utf8_lossy(&of_environment.stderr));
    assert_eq!(healthcheck(&["--url", &format!("{}/healthz", server.url)]), (0, String::new()));
    let (code, said) = healthcheck(&["--url", &format!("{}/health", server.url)]);
    assert!(code == 1 && said.contains("401 Unauthorized") && !said.contains(SECRET), "{said}");
    let (code, said) = healthcheck(&["--url", "http://127.0.0.1:1/readyz"]);
    assert!(code == 1 && said.contains("no answer from"), "{said}");
    for (url, reason) in [("ftp://localhost/", "http://"), ("/readyz", "http://"), ("http://\n", "URL")] {
        let (code, said) = healthcheck(&["--url", url]);
        assert!(code == 2 && said.contains(reason) && said.lines().count() == 1, "{said}");
    }
    let (code, said) = healthcheck(&[]);
    assert!(code == 2 && said.contains("free port"), "{said}");
}

/// One that takes the connection and says nothing, or one byte a second for ever, must not hold up the check.
#[test]
fn the_health_check_ends_also_where_nobody_answers() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let started = Instant::now();
    let (code, said) = healthcheck(&["--url", &format!("http://{}/", silent.local_addr().unwrap())]);
    assert!(code == 1 && said.contains("too long"), "{said}");
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
}
