//! What `/metrics` says: what happened, under names that stay few, in a form that Prometheus takes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest::Method;

use crate::access::ROUTES;
use crate::support::{Server, entry};

/// The answer of a server.
async fn metrics(server: &Server) -> String {
    let answer = server.request(Method::GET, "/metrics").send().await.expect("the server answers");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.text().await.expect("it is text")
}

/// The value of a sample, by its name with its labels.
fn value(metrics: &str, sample: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
    Some(line.parse().expect("a number"))
}

/// The families that are declared.
fn families(metrics: &str) -> BTreeSet<&str> {
    metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

/// A file of this repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Runs `promtool check` and expects that it finds nothing.
fn promtool(args: &[&str], input: &str) {
    let program = repository("target/promtool/promtool");
    assert!(program.exists(), "promtool is not installed; `cargo xtask setup` does that");
    let mut command = Command::new(program);
    command.arg("check").args(args).current_dir(repository(".")).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("promtool runs");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // What it advises against is no error to it.
    assert!(!input.is_empty() || said.contains("SUCCESS"), "{said}");
    assert!(input.is_empty() || said.is_empty(), "{said}");
}

/// A server to which some of everything has happened.
async fn used() -> Server {
    let server = Server::start();
    let first = entry("c1", 1.0, "a", "->");
    server.ingest(&[first.clone(), entry("c2", 2.0, "b", "->"), entry("c1", 3.0, "c", "<-")]).await;
    assert_eq!(server.post("/ingest/single", first.to_string()).await.1["inserted"], false);
    assert_eq!(server.post("/ingest", "{\"traces\":[{}]}").await.0, 422);
    assert_eq!(
        server.request(Method::POST, "/ingest").body("{}").send().await.expect("the server answers").status(),
        415
    );
    assert_eq!(server.request(Method::DELETE, "/cleanup").send().await.expect("the server answers").status(), 200);
    let mut stream = server.stream("/traces/c1/stream?timeout=0").await;
    while stream.block().await.is_some() {}
    server
}

#[tokio::test]
async fn what_happened_is_counted() {
    let server = used().await;
    let open = server.stream("/stream").await;
    let text = metrics(&server).await;
    for (sample, expected) in [
        ("tracehub_build_info{version=\"0.1.0\"}", 1.0),
        ("tracehub_ready{check=\"writer\"}", 1.0),
        ("tracehub_condition{trouble=\"storage_full\"}", 0.0),
        ("tracehub_http_requests_total{route=\"/ingest\",method=\"POST\",status=\"200\"}", 1.0),
        ("tracehub_http_requests_total{route=\"/ingest\",method=\"POST\",status=\"415\"}", 1.0),
        ("tracehub_http_requests_total{route=\"/ingest\",method=\"POST\",status=\"422\"}", 1.0),
        ("tracehub_http_request_duration_seconds_count{route=\"/ingest\"}", 3.0),
        ("tracehub_http_request_duration_seconds_bucket{route=\"/ingest\",le=\"+Inf\"}", 3.0),
        ("tracehub_ingest_entries_total{outcome=\"inserted\"}", 3.0),
        ("tracehub_ingest_entries_total{outcome=\"duplicate\"}", 1.0),
        ("tracehub_ingest_refused_requests_total{error=\"invalid\"}", 1.0),
        ("tracehub_ingest_refused_requests_total{error=\"unsupported_media_type\"}", 1.0),
        ("tracehub_commit_entries_sum", 4.0),
        ("tracehub_commit_batches_sum", 2.0),
        ("tracehub_commit_duration_seconds_count", 2.0),
        ("tracehub_commit_failures_total", 0.0),
        ("tracehub_deleted_entries_total{reason=\"expired\"}", 0.0),
        ("tracehub_queue_entries", 0.0),
        ("tracehub_streams_open", 1.0),
        ("tracehub_streams_opened_total", 2.0),
        ("tracehub_stream_events_total", 2.0),
        ("tracehub_store_entries", 3.0),
        ("tracehub_store_chains", 2.0),
        ("tracehub_retention_seconds", 86_400.0),
    ] {
        assert_eq!(value(&text, sample), Some(expected), "{sample}\n{text}");
    }
    for sample in [
        "tracehub_commit_duration_seconds_sum",
        "tracehub_cleanup_runs_total",
        "tracehub_store_bytes",
        "tracehub_disk_free_bytes",
        "tracehub_reads_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_cpu_seconds_total",
    ] {
        assert!(value(&text, sample).is_some_and(|value| value > 0.0), "{sample}\n{text}");
    }
    let started = value(&text, "process_start_time_seconds").unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((0.0..60.0).contains(&(now - started)), "{started}");
    drop(open);
}

#[tokio::test]
async fn deleted_and_evicted_entries_are_told_apart() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), &["--max-db-bytes", "2097152"]);
    let text = "x".repeat(500);
    let mut sent = 0_u32;
    for batch in 0..40_u32 {
        let entries: Vec<_> = (0..200_u32)
            .map(|n| {
                let mut large = entry(&format!("c{batch}"), f64::from(n), "s", "->");
                large["raw_line"] = text.clone().into();
                large
            })
            .collect();
        server.ingest(&entries).await;
        sent += 200;
    }
    server.request(Method::DELETE, "/cleanup").send().await.unwrap();
    let evicted = |text: &str| value(text, "tracehub_deleted_entries_total{reason=\"evicted\"}").unwrap();
    let left = |text: &str| value(text, "tracehub_store_entries").unwrap();
    // The clean-up is answered before the last is evicted, and in between one of both is counted.
    let mut text = metrics(&server).await;
    let asked = std::time::Instant::now();
    while (left(&text) + evicted(&text) - f64::from(sent)).abs() > 0.5 {
        assert!(asked.elapsed().as_secs() < 10, "{} left and {} evicted of {sent}", left(&text), evicted(&text));
        text = metrics(&server).await;
    }
    let evicted = evicted(&text);
    assert!(evicted > 2_000.0 && evicted < f64::from(sent), "{evicted} of {sent}");
    assert_eq!(value(&text, "tracehub_deleted_entries_total{reason=\"expired\"}"), Some(0.0));
    assert_eq!(value(&text, "tracehub_store_limit_bytes"), Some(2_097_152.0));
}

#[tokio::test]
async fn every_route_has_its_name_and_strangers_cannot_make_more() {
    let server = Server::start();
    for (_, method, path, _) in ROUTES {
        server.request(method.clone(), path).send().await.unwrap();
    }
    let before = metrics(&server).await;
    for (pattern, ..) in ROUTES {
        assert!(
            before.contains(&format!("route=\"{pattern}\"")),
            "{pattern} is counted as no route: route.rs\n{before}"
        );
    }
    let ask = async |number: u32| {
        for path in [format!("/x{number}"), format!("/traces/secret-{number}"), format!("/traces/c/x{number}")] {
            let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
            server.request(method, &path).send().await.unwrap();
            server.request(Method::GET, &path).send().await.unwrap();
        }
    };
    ask(0).await;
    let samples = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    let few = metrics(&server).await;
    for number in 1..100 {
        ask(number).await;
    }
    let many = metrics(&server).await;
    assert_eq!(samples(&few), samples(&many), "{many}");
    assert!(!many.contains("secret-"), "{many}");
    let other = "tracehub_http_requests_total{route=\"other\",method=\"other\",status=\"404\"}";
    assert_eq!(value(&many, other), Some(200.0), "{many}");
}

#[tokio::test]
async fn promtool_finds_nothing_to_say_about_the_metrics() {
    promtool(&["metrics"], &metrics(&used().await).await);
}

/// The table in `docs/operations.md` names every family, and no other.
#[tokio::test]
async fn the_document_lists_what_there_is() {
    let text = metrics(&Server::start()).await;
    let document = std::fs::read_to_string(repository("docs/operations.md")).unwrap();
    let listed: BTreeSet<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next())
        .filter(|name| name.starts_with("tracehub_") || name.starts_with("process_"))
        .collect();
    assert_eq!(listed, families(&text));
}

#[tokio::test]
async fn the_configuration_of_prometheus_is_valid_and_its_alerts_know_our_metrics() {
    promtool(&["config", "packaging/prometheus/prometheus.yml"], "");
    promtool(&["rules", "packaging/prometheus/alerts.yml"], "");
    let text = metrics(&Server::start()).await;
    let known = families(&text);
    let alerts = std::fs::read_to_string(repository("packaging/prometheus/alerts.yml")).unwrap();
    let names = alerts.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let used: BTreeSet<&str> = names.filter(|name| name.starts_with("tracehub_")).collect();
    assert!(used.len() >= 3, "{used:?}");
    for name in used {
        let family = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(known.contains(name) || known.contains(family), "{name}");
    }
}
