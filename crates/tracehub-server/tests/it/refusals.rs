//! Bad input: the right status, the field named, nothing stored, and the server as good as before.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, answer, entry};

/// Sends a batch whose second entry is changed, and expects it to be refused at `place` with nothing of it stored.
async fn refuse(server: &Server, change: impl FnOnce(&mut Value), place: &str) {
    let mut bad = entry("refused", 2.0, "bad", "<-");
    change(&mut bad);
    let body = json!({ "traces": [entry("refused", 1.0, "good", "->"), bad] }).to_string();
    refuse_text(server, body, place).await;
}

async fn refuse_text(server: &Server, body: String, place: &str) {
    let (status, answer) = server.post("/ingest", body).await;
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["error"], "invalid");
    let loc: Vec<String> =
        answer["detail"][0]["loc"].as_array().expect("a place").iter().map(ToString::to_string).collect();
    assert_eq!(loc.join("."), place, "{answer}");
    assert!(answer["detail"][0]["msg"].is_string() && answer["detail"][0]["type"].is_string());
    assert_eq!(server.get("/traces/refused").await.1["count"], 0);
}

#[tokio::test]
async fn each_bad_field_is_named_and_nothing_is_stored() {
    let server = Server::start();
    let at = |field: &str| format!(r#""body"."traces".1."{field}""#);
    refuse(&server, |bad| bad["timestamp"] = json!("12"), &at("timestamp")).await;
    refuse(&server, |bad| bad["timestamp"] = json!(true), &at("timestamp")).await;
    refuse(&server, |bad| bad["timestamp"] = Value::Null, &at("timestamp")).await;
    refuse(&server, |bad| bad["source_id"] = json!(5), &at("source_id")).await;
    refuse(&server, |bad| bad["correlation_id"] = json!(""), &at("correlation_id")).await;
    refuse(&server, |bad| bad["correlation_id"] = json!("a\0b"), &at("correlation_id")).await;
    refuse(&server, |bad| bad["correlation_id"] = json!("x".repeat(257)), &at("correlation_id")).await;
    refuse(&server, |bad| bad["source_id"] = json!("x".repeat(257)), &at("source_id")).await;
    refuse(&server, |bad| bad["endpoint"] = json!("x".repeat(2049)), &at("endpoint")).await;
    refuse(&server, |bad| bad["raw_line"] = json!("x".repeat((1 << 20) + 1)), &at("raw_line")).await;
    refuse(&server, |bad| bad["direction"] = json!(""), &at("direction")).await;
    refuse(&server, |bad| bad["direction"] = json!("x".repeat(17)), &at("direction")).await;
    refuse(&server, |bad| bad["data"] = json!([1]), &at("data")).await;
    refuse(&server, |bad| bad["data"] = json!("{}"), &at("data")).await;
    refuse(&server, |bad| bad["hostname"] = Value::Null, &at("hostname")).await;
    refuse(&server, |bad| drop(bad.as_object_mut().map(|fields| fields.remove("suffix"))), &at("suffix")).await;
    let raw = |number: &str| {
        let body = json!({ "traces": [entry("refused", 1.0, "good", "->"), entry("refused", 2.5, "bad", "<-")] });
        body.to_string().replace("2.5", number)
    };
    refuse_text(&server, raw("NaN"), &at("timestamp")).await;
    refuse_text(&server, raw("1e400"), &at("timestamp")).await;
    refuse_text(&server, raw("-Infinity"), &at("timestamp")).await;
    refuse_text(&server, r#"{"traces":[}"#.to_owned(), r#""body"."traces".0"#).await;
    refuse_text(&server, "{".to_owned(), r#""body".0"#).await;
    refuse_text(&server, "[]".to_owned(), r#""body""#).await;
}

#[tokio::test]
async fn other_empty_texts_are_taken_as_the_original_takes_them() {
    let server = Server::start();
    let mut empty = entry("c", 1.0, "", "->");
    for field in ["source_id", "operation", "endpoint"] {
        empty[field] = json!("");
    }
    server.ingest(&[empty]).await;
    assert_eq!(server.get("/correlations").await.1["correlations"][0]["sources"], json!([]));
}

#[tokio::test]
async fn too_much_is_413_and_what_fits_is_taken() {
    let server = Server::start();
    let entries = |count: u32| -> Vec<Value> { (0..count).map(|n| entry("c", f64::from(n), "s", "->")).collect() };
    let (status, refusal) = server.post("/ingest", json!({ "traces": entries(10_001) }).to_string()).await;
    assert_eq!((status, &refusal["error"]), (413, &json!("too_many_entries")));
    server.ingest(&entries(10_000)).await;

    let large = format!(r#"{{"traces":[],"padding":"{}"}}"#, "x".repeat(8 << 20));
    let (status, refusal) = server.post("/ingest", large.clone()).await;
    assert_eq!((status, &refusal["error"]), (413, &json!("body_too_large")));
    // Without a declared length the bytes themselves are counted.
    let chunks =
        large.into_bytes().chunks(1 << 16).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let (status, _) = server.post("/ingest", body).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn content_types_and_encodings() {
    let server = Server::start();
    let body = || json!({ "traces": [] }).to_string();
    let send = |content_type: &'static str| {
        answer(server.request(Method::POST, "/ingest").header("content-type", content_type).body(body()))
    };
    for good in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.tracehub+json"] {
        assert_eq!(send(good).await.0, 200, "{good}");
    }
    for bad in ["text/plain", "application/x-www-form-urlencoded", "text/json", "application/jsonx"] {
        let (status, refusal) = send(bad).await;
        assert_eq!((status, &refusal["error"]), (415, &json!("unsupported_media_type")), "{bad}");
    }
    assert_eq!(answer(server.request(Method::POST, "/ingest").body(body())).await.0, 415);
    let encoded = server.request(Method::POST, "/ingest").header("content-type", "application/json");
    let (status, refusal) = answer(encoded.header("content-encoding", "br").body(body())).await;
    assert_eq!((status, &refusal["error"]), (415, &json!("unsupported_encoding")));
    let twice = server.request(Method::POST, "/ingest").header("content-type", "application/json");
    let twice = twice.header("content-encoding", "gzip, gzip").body(body());
    assert_eq!(answer(twice).await.0, 415);
}

#[tokio::test]
async fn compressed_bodies_are_taken_up_to_the_limit_of_a_body() {
    let server = Server::start();
    let send = |encoding: &'static str, body: Vec<u8>| {
        let request = server.request(Method::POST, "/ingest").header("content-type", "application/json");
        answer(request.header("content-encoding", encoding).body(body))
    };
    let body = |chain: &str| json!({ "traces": [entry(chain, 1.0, "s", "->")] }).to_string().into_bytes();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    };
    assert_eq!(send("gzip", gzip(&body("a"))).await.1["inserted"], 1);
    assert_eq!(send("zstd", zstd::encode_all(&body("b")[..], 1).unwrap()).await.1["inserted"], 1);
    let (status, refusal) = send("gzip", gzip(&vec![b' '; 64 << 20])).await;
    assert_eq!((status, &refusal["error"]), (413, &json!("body_too_large")));
    assert_eq!(send("gzip", body("c")).await.0, 400);
}

#[tokio::test]
async fn wrong_methods_paths_and_parameters() {
    let server = Server::start();
    for (method, path, allowed) in [
        (Method::GET, "/ingest", "POST"),
        (Method::PUT, "/ingest/single", "POST"),
        (Method::POST, "/traces/c", "GET, HEAD"),
        (Method::DELETE, "/traces/c/stream", "GET, HEAD"),
        (Method::POST, "/correlations", "GET, HEAD"),
        (Method::OPTIONS, "/health", "GET, HEAD"),
        (Method::GET, "/cleanup", "DELETE"),
    ] {
        let response = server.request(method.clone(), path).send().await.unwrap();
        assert_eq!(response.status(), 405, "{method} {path}");
        assert_eq!(response.headers()["allow"], allowed, "{method} {path}");
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!((&body["error"], &body["detail"]), (&json!("method_not_allowed"), &json!("Method Not Allowed")));
    }
    for (path, status) in [
        ("/nope", 404),
        ("/traces/a/b", 404),
        ("/traces/", 404),
        ("/traces/%ff", 400),
        ("/traces/%00", 422),
        ("/traces/..%2f..%2fetc%2fpasswd", 200),
        ("/correlations?limit=x", 422),
        ("/correlations?limit=10001", 422),
        ("/correlations?limit=%ff", 400),
        ("/traces/c?since_ts=soon", 422),
        ("/traces/c/stream?after=x", 422),
    ] {
        let (actual, body) = server.get(path).await;
        assert_eq!(actual, status, "{path}: {body}");
        assert!(status == 200 || body["error"].is_string(), "{path}: {body}");
    }
    assert_eq!(server.get("/health").await.0, 200);
}

#[tokio::test]
async fn a_body_that_stops_halfway_is_cut_off_and_harms_nobody() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = Server::start();
    let address = server.url.strip_prefix("http://").unwrap();
    let mut slow = tokio::net::TcpStream::connect(address).await.unwrap();
    let head =
        "POST /ingest HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    server.ingest(&[entry("c", 1.0, "s", "->")]).await;
    let mut reply = vec![0; 12];
    let read = tokio::time::timeout(std::time::Duration::from_secs(25), slow.read_exact(&mut reply));
    read.await.expect("an answer in time").unwrap();
    assert_eq!(reply, b"HTTP/1.1 408");
}
