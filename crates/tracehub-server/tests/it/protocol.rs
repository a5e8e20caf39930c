//! What is no HTTP, not quite HTTP, or too much of it: always the status that says so, as JSON, and a connection that ends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::raw::{answer, connect, ends, exchange};
use crate::support::{Server, entry};

/// A request with these lines behind the first, and a body.
fn post(lines: &str, body: &str) -> Vec<u8> {
    format!("POST /ingest HTTP/1.1\r\ncontent-type: application/json\r\n{lines}\r\n{body}").into_bytes()
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn what_proxies_may_read_otherwise_is_refused() {
    let server = Server::start();
    let smuggled = r#"{"traces":[]}GET /traces/smuggled HTTP/1.1"#;
    for (what, request) in [
        (
            "a length and chunks",
            post("host: localhost\r\ncontent-length: 13\r\ntransfer-encoding: chunked\r\n", smuggled),
        ),
        (
            "chunks and a length",
            post("host: localhost\r\ntransfer-encoding: chunked\r\ncontent-length: 13\r\n", smuggled),
        ),
        ("two lengths", post("host: localhost\r\ncontent-length: 13\r\ncontent-length: 40\r\n", smuggled)),
        ("a length twice", post("host: localhost\r\ncontent-length: 13\r\ncontent-length: 13\r\n", smuggled)),
        ("a list of lengths", post("host: localhost\r\ncontent-length: 13, 13\r\n", smuggled)),
        ("a signed length", post("host: localhost\r\ncontent-length: +13\r\n", smuggled)),
        ("a negative length", post("host: localhost\r\ncontent-length: -1\r\n", smuggled)),
        ("a hexadecimal length", post("host: localhost\r\ncontent-length: 0xd\r\n", smuggled)),
        ("an unknown coding", post("host: localhost\r\ntransfer-encoding: xchunked\r\n", smuggled)),
        ("two codings", post("host: localhost\r\ntransfer-encoding: gzip, chunked\r\n", smuggled)),
        (
            "a coding twice",
            post("host: localhost\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", smuggled),
        ),
        ("a space before the colon", post("host: localhost\r\ncontent-length : 13\r\n", smuggled)),
        ("a folded line", post("host: localhost\r\nx: a\r\n content-length: 13\r\n", smuggled)),
        ("U+0000 in a header", post("host: localhost\r\nx: a\0b\r\n", "")),
        ("a carriage return in a header", post("host: localhost\r\nx: a\rb\r\n", "")),
        ("no host", post("content-length: 0\r\n", "")),
        ("two hosts", post("host: localhost\r\nhost: evil.example\r\n", "")),
        ("a space in the path", get("/traces/a b")),
        ("U+0000 in the path", get("/traces/a\0b")),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /health\r\n\r\n".to_vec()),
        ("HTTP/3.0", b"GET /health HTTP/3.0\r\nhost: localhost\r\n\r\n".to_vec()),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        ("noise", b"\xff\xfe\xfd\r\n\r\n".to_vec()),
        ("a path of 70,000 bytes", get(&format!("/traces/{}", "x".repeat(70_000)))),
    ] {
        let mut stream = connect(&server).await;
        let _ = stream.write_all(&request).await;
        let refusal = answer(&mut stream).await.unwrap_or_else(|| panic!("{what} gets an answer"));
        assert_eq!((refusal.status, &refusal.body["error"]), (400, &json!("bad_request")), "{what}: {refusal:?}");
        assert!(refusal.head.contains("connection: close") && refusal.head.contains("application/json"), "{refusal:?}");
        assert!(answer(&mut stream).await.is_none(), "{what}: the rest is not taken for another request");
    }
    assert_eq!(server.get("/health").await.0, 200);
    assert_eq!(server.get("/stats").await.1["since_start"], json!({"inserted":0,"duplicates":0,"refused_requests":0}));
}

#[tokio::test]
async fn a_refusal_behind_good_requests_is_json_too() {
    let server = Server::start();
    let mut stream = connect(&server).await;
    let good = get("/health").repeat(3);
    stream.write_all(&[&good[..], b"nonsense\r\n\r\n"].concat()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(answer(&mut stream).await.unwrap().status, 200);
    }
    let refusal = answer(&mut stream).await.unwrap();
    assert_eq!((refusal.status, &refusal.body["error"]), (400, &json!("bad_request")));
    assert!(answer(&mut stream).await.is_none());
}

#[tokio::test]
async fn chunks_that_are_none_are_refused() {
    let server = Server::start();
    for chunks in ["zz\r\n{}\r\n0\r\n\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "5;a=\0\r\n", "2\r\n{}x", "\r\n"] {
        let request = post("host: localhost\r\ntransfer-encoding: chunked\r\n", chunks);
        let refusal = exchange(&server, &request).await;
        assert_eq!((refusal.status, &refusal.body["error"]), (400, &json!("bad_request")), "{chunks:?}: {refusal:?}");
    }
}

#[tokio::test]
async fn too_much_before_the_body_is_414_or_431() {
    let server = Server::start();
    let headers = |count: usize, bytes: usize| -> Vec<u8> {
        let mut lines = String::new();
        for number in 0..count {
            lines.extend(["x-", &number.to_string(), ": ", &"y".repeat(bytes), "\r\n"]);
        }
        format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n").into_bytes()
    };
    for (what, request, status, error) in [
        ("a path", get(&format!("/traces/{}", "x".repeat(20_000))), 414, "uri_too_long"),
        ("a query", get(&format!("/correlations?q={}", "x".repeat(17_000))), 414, "uri_too_long"),
        ("an id", get(&format!("/traces/{}", "x".repeat(257))), 422, "invalid"),
        ("headers", headers(40, 1_000), 431, "head_too_large"),
        ("many headers", headers(97, 1), 431, "head_too_large"),
        ("one header of 200 kB", headers(1, 200_000), 431, "head_too_large"),
        ("endless headers", headers(90, 20_000), 431, "head_too_large"),
    ] {
        let refusal = exchange(&server, &request).await;
        assert_eq!((refusal.status, &refusal.body["error"]), (status, &json!(error)), "{what}: {refusal:?}");
    }
    assert_eq!(exchange(&server, &headers(90, 300)).await.status, 200, "a head as browsers send it");
    let longest = format!("/traces/{}?source={}", "%20".repeat(256), "%20".repeat(2048));
    assert_eq!(exchange(&server, &get(&longest)).await.status, 200);
}

#[tokio::test]
async fn paths_that_want_to_be_something_else_are_plain_ids() {
    let server = Server::start();
    server.ingest(&[entry("../../etc/passwd", 1.0, "s", "->"), entry("%2e%2e", 1.0, "s", "->")]).await;
    for (path, status, count) in [
        ("/traces/..%2f..%2fetc%2fpasswd", 200, json!(1)),
        ("/traces/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 200, json!(1)),
        ("/traces/%252e%252e", 200, json!(1)),
        ("/traces/%25252e", 200, json!(0)),
        ("/traces/%ff", 400, Value::Null),
        ("/traces/%c0%ae%c0%ae", 400, Value::Null),
        ("/traces/%00", 422, Value::Null),
        ("/traces/a%00b", 422, Value::Null),
        ("/traces/%zz", 200, json!(0)),
        ("/../../etc/passwd", 404, Value::Null),
        ("/assets/../../../etc/passwd", 404, Value::Null),
        ("/assets/0/..%2f..%2f..%2fetc%2fpasswd", 404, Value::Null),
        ("//evil.example/health/", 404, Value::Null),
        ("/correlations?q=%ff", 400, Value::Null),
        ("/%2e%2e/health", 404, Value::Null),
        ("*", 404, Value::Null),
    ] {
        let answer = exchange(&server, &get(path)).await;
        assert_eq!((answer.status, &answer.body["count"]), (status, &count), "{path}: {answer:?}");
        assert!(status == 200 || answer.body["error"].is_string(), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn no_header_of_an_answer_is_of_the_callers_making() {
    let server = Server::start();
    for path in [
        "/traces/a%0d%0aSet-Cookie:x=1",
        "/traces/a%0d%0aSet-Cookie:x=1/",
        "/traces/a%0d%0aSet-Cookie:x=1/stream?timeout=0&after=%0d%0aSet-Cookie:x",
        "/correlations%0d%0aSet-Cookie:x=1/",
        "/correlations/?q=%0d%0aSet-Cookie:x=1",
        "/assets/%0d%0aSet-Cookie:x=1/a.js",
    ] {
        let answer = exchange(&server, &get(path)).await;
        assert!(matches!(answer.status, 200 | 307 | 404 | 422), "{path}: {answer:?}");
        assert!(!answer.head.to_lowercase().contains("\nset-cookie"), "{path}: {answer:?}");
    }
    let request = "GET /health HTTP/1.1\r\nhost: localhost\r\norigin: https://a.example%0d%0aSet-Cookie:x\r\n\r\n";
    assert!(!exchange(&server, request.as_bytes()).await.head.contains("Set-Cookie"));
}

#[tokio::test]
async fn other_methods_and_targets_get_their_refusal() {
    let server = Server::start();
    for (line, status) in [
        ("TRACE /health", 405),
        ("PATCH /ingest", 405),
        ("BREW /health", 405),
        ("CONNECT evil.example:443", 421),
        ("OPTIONS *", 404),
        ("GET http://localhost/health", 200),
        ("GET http://evil.example/health", 421),
    ] {
        let answer = exchange(&server, format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await;
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        assert!(status == 200 || answer.body["error"].is_string(), "{line}: {answer:?}");
    }
}

/// Five seconds for each head: the first, and those after it, which the HTTP layer would wait for for ever.
#[tokio::test]
async fn a_head_that_does_not_end_is_408() {
    let server = Server::start();
    let wait = async |earlier: usize, beginning: &[u8]| {
        let mut stream = connect(&server).await;
        stream.write_all(&get("/health").repeat(earlier)).await.unwrap();
        for _ in 0..earlier {
            assert_eq!(answer(&mut stream).await.unwrap().status, 200);
        }
        let began = Instant::now();
        stream.write_all(beginning).await.unwrap();
        let refusal = answer(&mut stream).await.expect("an answer");
        let took = began.elapsed();
        assert_eq!((refusal.status, &refusal.body["error"]), (408, &json!("request_timeout")), "{refusal:?}");
        assert!((4_500..9_000).contains(&took.as_millis()), "{took:?}");
        assert!(ends(&mut stream).await);
    };
    let part = &b"GET /health HTTP/1.1\r\nhost: loc"[..];
    tokio::join!(wait(0, b""), wait(0, part), wait(1, b"G"), wait(3, part));
}

#[tokio::test]
async fn a_head_byte_by_byte_does_not_last() {
    let server = Server::start();
    let mut stream = connect(&server).await;
    let began = Instant::now();
    stream.write_all(b"GET /health HTTP/1.1\r\nx: ").await.unwrap();
    let (mut read, mut write) = stream.split();
    let drip = async {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut start = [0; 12];
    let answer = tokio::io::AsyncReadExt::read_exact(&mut read, &mut start);
    tokio::select! {
        read = answer => drop(read.expect("an answer")),
        () = drip => {}
    }
    assert_eq!(&start, b"HTTP/1.1 408");
    assert!((4_500..9_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_stands_still_is_408_after_five_seconds() {
    let server = Server::start();
    let mut stream = connect(&server).await;
    stream.write_all(&post("host: localhost\r\ncontent-length: 1000\r\n", "{")).await.unwrap();
    let began = Instant::now();
    let refusal = answer(&mut stream).await.unwrap();
    let took = began.elapsed();
    assert_eq!((refusal.status, &refusal.body["error"]), (408, &json!("request_timeout")));
    assert!((4_500..9_000).contains(&took.as_millis()), "{took:?}");
    assert!(ends(&mut stream).await, "what is left of the body is not taken for a request");
}

#[tokio::test]
async fn a_body_that_breaks_off_may_be_sent_again() {
    let server = Server::start();
    for body in ["", "{", "{\"traces\":[]}"] {
        let mut stream = connect(&server).await;
        stream.write_all(&post("host: localhost\r\ncontent-length: 1000\r\n", body)).await.unwrap();
        stream.shutdown().await.unwrap();
        let refusal = answer(&mut stream).await.unwrap();
        assert_eq!((refusal.status, &refusal.body["error"]), (408, &json!("body_incomplete")), "{body}");
        assert!(ends(&mut stream).await);
    }
    let mut stream = connect(&server).await;
    let chunk = "2\r\n{\"\r\n5";
    stream.write_all(&post("host: localhost\r\ntransfer-encoding: chunked\r\n", chunk)).await.unwrap();
    stream.shutdown().await.unwrap();
    let refusal = answer(&mut stream).await.unwrap();
    assert_eq!((refusal.status, &refusal.body["error"]), (408, &json!("body_incomplete")));
}

#[tokio::test]
async fn a_declared_length_takes_no_memory() {
    let server = Server::start();
    let refusal = exchange(&server, &post("host: localhost\r\ncontent-length: 10000000000\r\n", "{")).await;
    assert_eq!((refusal.status, &refusal.body["error"]), (413, &json!("body_too_large")));
    let continued = "expect: 100-continue\r\nhost: localhost\r\ncontent-length: 10000000000\r\n";
    assert_eq!(exchange(&server, &post(continued, "")).await.status, 413);
}
