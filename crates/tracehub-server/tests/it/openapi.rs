//! The description of the interface: that it is served, and that real answers are as it says.

use std::collections::BTreeSet;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::access::{READ_SECRET, SECRET, client, guarded};
use crate::description::{Answer, Description};
use crate::raw::{self, connect};
use crate::support::{Server, answer, entry};

/// What no request of a test of this file brings about: the server is in trouble, or busy. Other tests do; see
/// `support::answer`.
const NEEDS_TROUBLE: &[&str] = &[
    "chain_too_large",
    "internal",
    "not_ready",
    "overloaded",
    "query_timeout",
    "rate_limited",
    "request_timeout",
    "shutting_down",
    "storage_busy",
    "storage_full",
    "storage_readonly",
    "storage_unavailable",
    "too_many_connections",
    "too_many_streams",
];

#[tokio::test]
async fn it_is_there_for_everyone_and_asked_for_again_only_when_it_changed() {
    let server = guarded(&[]);
    let answer = server.request(Method::GET, "/openapi.json").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let tag = answer.headers()["etag"].clone();
    let text = answer.text().await.unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&document["openapi"], &document["info"]["version"]),
        (&json!("3.1.0"), &json!(env!("CARGO_PKG_VERSION")))
    );
    assert!(!text.contains(SECRET) && !text.contains(server.folder.path().to_str().unwrap()));
    let ask = async |known: &str| {
        let request = server.request(Method::GET, "/openapi.json").header("if-none-match", known);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["etag"], tag);
        (answer.status().as_u16(), answer.text().await.unwrap().len())
    };
    assert_eq!(ask(tag.to_str().unwrap()).await, (304, 0));
    assert_eq!(ask("\"other\"").await, (200, text.len()));
}

#[tokio::test]
async fn every_example_is_as_its_schema_says() {
    let server = Server::start();
    let description = Description::get(&server.url).await.unwrap();
    let mut examples = 0;
    let mut look = |place: &str, content: &Value| {
        for media_type in content.as_object().into_iter().flat_map(serde_json::Map::values) {
            let named = media_type["examples"].as_object().into_iter().flat_map(serde_json::Map::values);
            for example in named.map(|named| &named["value"]).chain(media_type.get("example")) {
                examples += 1;
                // What is given here as a part is an object of any keys.
                if place != "get /openapi.json 200" {
                    assert_eq!(description.validate(&media_type["schema"], example), Ok(()), "{place}: {example}");
                }
            }
        }
    };
    for (method, path, operation) in description.operations() {
        look(&format!("{method} {path}"), &operation["requestBody"]["content"]);
        for (status, response) in operation["responses"].as_object().unwrap() {
            look(&format!("{method} {path} {status}"), &response["content"]);
        }
    }
    for (name, response) in description.document["components"]["responses"].as_object().unwrap() {
        look(name, &response["content"]);
    }
    assert!(examples > 30, "{examples}");
}

#[tokio::test]
async fn the_methods_of_a_route_are_those_that_it_allows() {
    let server = Server::start();
    let description = Description::get(&server.url).await.unwrap();
    for (path, item) in description.document["paths"].as_object().unwrap() {
        let path = path.replace("{correlation_id}", "c").replace("{hash}", "0").replace("{name}", "x.js");
        let answer = server.request(Method::PATCH, &path).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers()["allow"].to_str().unwrap().to_lowercase();
        let allowed: BTreeSet<&str> = allowed.split(", ").filter(|method| *method != "head").collect();
        assert!(allowed.into_iter().eq(item.as_object().unwrap().keys()), "{path}");
    }
}

/// A request to each operation that goes well.
fn good_request(server: &Server, method: Method, path: &str) -> RequestBuilder {
    let (path, body) = match path {
        "/compare" => ("/compare?a=c&b=d".to_owned(), None),
        "/stream" => ("/stream?timeout=0".to_owned(), None),
        "/assets/{hash}/{name}" => ("/assets/0/x.js".to_owned(), None),
        "/ingest" => (path.to_owned(), Some(json!({ "traces": [entry("c", 1.0, "a", "->")] }))),
        "/ingest/single" => (path.to_owned(), Some(entry("c", 2.0, "a", "<-"))),
        "/login" => (path.to_owned(), Some(json!({ "secret": READ_SECRET }))),
        "/traces/{correlation_id}/stream" => ("/traces/c/stream?timeout=0".to_owned(), None),
        _ => (path.replace("{correlation_id}", "c"), None),
    };
    let request = server.request(method, &path);
    match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    }
}

/// The path and the query of an address.
fn target(url: &reqwest::Url) -> &str {
    &url.as_str()[url.origin().ascii_serialization().len()..]
}

/// Requests that the gate, the routing or the reading of a body refuses.
fn refused_requests(server: &Server, method: &Method, path: &str, has_body: bool) -> Vec<RequestBuilder> {
    let secret = if path.starts_with("/ingest") || path == "/cleanup" { SECRET } else { READ_SECRET };
    let good = || good_request(server, method.clone(), path);
    let open = || good().header("x-tracehub-secret", secret);
    let url = good().build().expect("a request").url().clone();
    let target = target(&url);
    let parameter = if url.query().is_some() { "&token=x" } else { "?token=x" };
    let mut requests = vec![
        good(),
        open().header("host", "evil.example"),
        open().header("origin", "https://evil.example"),
        open().header("x-long", "x".repeat(33 << 10)),
        server.request(method.clone(), &format!("{target}{parameter}{}", "x".repeat(17 << 10))),
        server.request(Method::PATCH, target).header("x-tracehub-secret", secret),
        server.request(method.clone(), &format!("{target}{parameter}")).header("x-tracehub-secret", secret),
    ];
    if has_body {
        let post = || server.request(Method::POST, path).header("x-tracehub-secret", secret);
        let json = || post().header("content-type", "application/json");
        requests.extend([
            post().header("content-type", "text/plain").body("x"),
            json().header("content-encoding", "br").body("x"),
            json().body(" ".repeat((8 << 20) + 1)),
            json().body("{"),
        ]);
        if path == "/ingest" {
            let entries: Vec<Value> = (0..10_001_u32).map(|n| entry("c", f64::from(n), "s", "->")).collect();
            requests.push(json().body(json!({ "traces": entries }).to_string()));
        }
    }
    requests
}

#[tokio::test]
async fn every_route_answers_as_described_whether_it_goes_well_or_is_refused() {
    let server = guarded(&["--read-secret", READ_SECRET]);
    let description = Description::get(&server.url).await.unwrap();
    for (method, path, operation) in description.operations() {
        let secret = if operation["security"].to_string().contains("session") { READ_SECRET } else { SECRET };
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut see = |(status, body): (u16, Value)| {
            seen.insert(body["error"].as_str().map_or_else(|| status.to_string(), str::to_owned));
        };
        let (status, body) =
            answer(good_request(&server, method.clone(), path).header("x-tracehub-secret", secret)).await;
        assert!(status < 300 || path == "/assets/{hash}/{name}", "{path}: {status} {body}");
        see((status, body));
        for request in refused_requests(&server, &method, path, operation.get("requestBody").is_some()) {
            see(answer(request).await);
        }
        if operation.get("requestBody").is_some() {
            let mut stream = connect(&server).await;
            let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nx-tracehub-secret: {secret}\r\n");
            let cut_off = format!("{head}content-type: application/json\r\ncontent-length: 9\r\n\r\n{{");
            stream.write_all(cut_off.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let answer = raw::answer(&mut stream).await.unwrap();
            see((answer.status, answer.body));
        }
        // One address guesses until it has to wait.
        let one_address = client();
        let guesses = if path == "/login" || operation["security"] != json!([]) { 11 } else { 0 };
        for _ in 0..guesses {
            let mut guess = good_request(&server, method.clone(), path).build().unwrap();
            guess.headers_mut().insert("x-tracehub-secret", "a-wrong-secret".parse().unwrap());
            if path == "/login" {
                *guess.body_mut() = Some(json!({ "secret": "a-wrong-secret" }).to_string().into());
            }
            see(answer(RequestBuilder::from_parts(one_address.clone(), guess)).await);
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            match parameter["in"].as_str().unwrap() {
                "header" => {
                    let request = good_request(&server, method.clone(), path).header("x-tracehub-secret", secret);
                    see(answer(request.header(parameter["name"].as_str().unwrap(), "*")).await);
                }
                "path" if parameter["name"] == "correlation_id" => {
                    for id in ["%00", "%ff"] {
                        let request = server.request(Method::GET, &path.replace("{correlation_id}", id));
                        see(answer(request.header("x-tracehub-secret", secret)).await);
                    }
                }
                "path" => {}
                _ => check_parameter(&server, path, parameter, &mut see).await,
            }
        }
        let described = described_answers(description, operation);
        let unseen: Vec<&String> =
            described.difference(&seen).filter(|code| !NEEDS_TROUBLE.contains(&code.as_str())).collect();
        assert!(unseen.is_empty(), "{method} {path} never answers {unseen:?}");
    }
}

/// The codes of the refusals of an operation, and the statuses of its other answers.
fn described_answers(description: &Description, operation: &Value) -> BTreeSet<String> {
    let mut described = BTreeSet::new();
    for status in operation["responses"].as_object().expect("an object").keys() {
        let response = description
            .response(operation, StatusCode::from_bytes(status.as_bytes()).expect("a status"))
            .expect("it is described");
        match response["content"]["application/json"]["examples"].as_object() {
            Some(examples) => described.extend(examples.keys().cloned()),
            None if status == "200" && operation["operationId"] == "get_asset" => {}
            None => drop(described.insert(status.clone())),
        }
    }
    described
}

/// Asks with values at the limits of a parameter of the query, which go well, and beyond them, which do not.
async fn check_parameter(server: &Server, path: &str, parameter: &Value, see: &mut impl FnMut((u16, Value))) {
    let (name, schema) = (parameter["name"].as_str().expect("a text"), &parameter["schema"]);
    let mut asked = async |value: &str| {
        let good = good_request(server, Method::GET, path).build().expect("a request");
        let mut url = good.url().clone();
        let others = url
            .query_pairs()
            .filter(|(other, _)| other != name)
            .map(|(key, value)| (key.into_owned(), value.into_owned()));
        let others: Vec<(String, String)> = others.collect();
        url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
        let is_stream = path.ends_with("/stream");
        let request = server.request(Method::GET, target(&url)).header("x-tracehub-secret", READ_SECRET);
        if is_stream && name == "timeout" && value.len() > 1 && !value.starts_with('-') && value != "x" {
            // It goes on for as long as was asked for; its head is what counts here.
            return request.send().await.expect("an answer").status() == 200;
        }
        let (status, body) = answer(request).await;
        see((status, body));
        status == 200
    };
    match schema["type"].as_str().expect("a text") {
        "integer" => {
            for limit in ["minimum", "maximum"] {
                let value = i128::from(schema[limit].as_i64().expect("a number"));
                assert!(asked(&value.to_string()).await, "{path} {name}={value}");
                let beyond = if limit == "minimum" { value - 1 } else { value + 1 };
                assert!(!asked(&beyond.to_string()).await, "{path} {name}={beyond}");
            }
            assert!(!asked("x").await && !asked("1.5").await, "{path} {name}");
        }
        "number" => assert!(asked("-1.5e3").await && !asked("x").await && !asked("inf").await, "{path} {name}"),
        _ if schema.get("enum").is_some() => {
            for word in schema["enum"].as_array().expect("a list") {
                assert!(asked(word.as_str().expect("a text")).await, "{path} {name}={word}");
            }
            assert!(!asked("x").await, "{path} {name}");
        }
        _ => {
            assert!(asked("any text").await, "{path} {name}");
            assert_eq!(asked("").await, parameter["required"] != true, "{path} {name}");
        }
    }
    if parameter["required"] == true {
        let request = server.request(Method::GET, path).header("x-tracehub-secret", READ_SECRET);
        assert_eq!(answer(request).await.0, 422);
    }
}

#[tokio::test]
async fn what_is_not_described_is_noticed() {
    let server = Server::start();
    let description = Description::get(&server.url).await.unwrap();
    let health = json!({ "status": "healthy", "service": "tracehub", "db": "x", "retention_hours": 24 });
    let checked = |path: &str, status: u16, content_type: &str, body: &Value| {
        let answer =
            Answer { method: &Method::GET, path, status: StatusCode::from_u16(status).unwrap(), content_type, body };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| description.check(&answer))).is_ok()
    };
    let json = "application/json";
    assert!(checked("/health", 200, json, &health));
    let mut more = health.clone();
    more["more"] = json!(1);
    let mut less = health.clone();
    less.as_object_mut().unwrap().remove("db");
    for body in [&more, &less, &json!([])] {
        assert!(!checked("/health", 200, json, body), "{body}");
    }
    assert!(!checked("/health", 200, "text/plain", &health));
    assert!(!checked("/health", 418, json, &health));
    assert!(!checked("/elsewhere", 200, json, &health));
    let refusal = |code: &str| json!({ "error": code, "message": "x" });
    assert!(checked("/health", 401, json, &refusal("unauthorized")));
    assert!(!checked("/health", 401, json, &refusal("forbidden")));
    assert!(!checked("/health", 429, json, &refusal("too_many_attempts")), "it says when again");
}
