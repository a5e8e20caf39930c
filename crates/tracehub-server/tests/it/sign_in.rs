//! The way in of the page: a cookie for the secret, which opens reading and nothing else.

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, Method, Response};
use serde_json::json;

use crate::access::{Asks, READ_SECRET, ROUTES, SECRET, client, guarded};
use crate::support::Server;

async fn sign_in(server: &Server, client: &Client, secret: &str) -> Response {
    let request = client.post(format!("{}/login", server.url)).header("content-type", "application/json");
    request.body(json!({ "secret": secret }).to_string()).send().await.expect("the server answers")
}

/// What the answer sets: `name=value`, and its flags.
fn cookie(answer: &Response) -> (String, Vec<String>) {
    let set = answer.headers().get(SET_COOKIE).expect("a cookie").to_str().expect("text");
    let mut parts = set.split("; ").map(ToOwned::to_owned);
    (parts.next().expect("a name and a value"), parts.collect())
}

#[tokio::test]
async fn the_cookie_opens_reading_and_nothing_else() {
    let server = guarded(&["--read-secret", READ_SECRET]);
    let client = client();
    let answer = sign_in(&server, &client, READ_SECRET).await;
    assert_eq!(answer.status(), 204);
    let (pair, flags) = cookie(&answer);
    assert_eq!(flags, ["HttpOnly", "SameSite=Strict", "Path=/"]);
    assert!(!pair.contains(READ_SECRET));
    for (pattern, method, path, asks) in ROUTES.iter().filter(|(.., asks)| *asks != Asks::Nothing) {
        let request = client.request(method.clone(), format!("{}{path}", server.url)).header(COOKIE, &pair);
        let request = request.header("content-type", "application/json").body(r#"{"traces":[]}"#);
        let status = request.send().await.unwrap().status().as_u16();
        assert_eq!(status == 401, *asks == Asks::Secret, "{pattern}: {status}");
    }
    let wrong = client.get(format!("{}/health", server.url)).header(COOKIE, &pair);
    let wrong = wrong.header("x-tracehub-secret", "a-wrong-secret").send().await.unwrap();
    assert_eq!(wrong.status(), 403, "a secret that is sent counts, whatever the cookie");
}

#[tokio::test]
async fn a_session_ends_by_logging_out_and_by_a_restart() {
    let server = guarded(&[]);
    let status = async |server: &Server, cookie: &str| {
        server.request(Method::GET, "/correlations").header(COOKIE, cookie).send().await.unwrap().status().as_u16()
    };
    let (one, _) = cookie(&sign_in(&server, &client(), SECRET).await);
    let (other, _) = cookie(&sign_in(&server, &client(), SECRET).await);
    assert_eq!((status(&server, &one).await, status(&server, "tracehub_session=0").await), (200, 401));

    let answer = server.request(Method::POST, "/logout").header(COOKIE, &one).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    let (emptied, flags) = cookie(&answer);
    assert_eq!((emptied.as_str(), flags.contains(&"Max-Age=0".to_owned())), ("tracehub_session=", true));
    assert_eq!((status(&server, &one).await, status(&server, &other).await), (401, 200));
    assert_eq!(status(&server, &format!("a=b; {one}; {other}")).await, 200, "other ports set cookies too");

    let again = Server::start_in(server.kill(), &["--secret", SECRET]);
    assert_eq!(status(&again, &other).await, 401);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_counts_as_a_guess() {
    let server = guarded(&["--read-secret", READ_SECRET]);
    let client = client();
    for _ in 0..9 {
        let answer = sign_in(&server, &client, SECRET).await;
        assert_eq!((answer.status().as_u16(), answer.headers().contains_key(SET_COOKIE)), (403, false));
    }
    let header = client.get(format!("{}/health", server.url)).header("x-tracehub-secret", "a-wrong-secret");
    assert_eq!(header.send().await.unwrap().status(), 403);
    let answer = sign_in(&server, &client, "a-wrong-secret").await;
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (429, true));
    assert_eq!(sign_in(&server, &client, READ_SECRET).await.status(), 204);
}

#[tokio::test]
async fn only_json_of_the_page_itself_signs_in() {
    let server = guarded(&[]);
    let body = json!({ "secret": SECRET }).to_string();
    let ask = async |path: &str, headers: &[(&str, &str)], body: &str| {
        let request = server.request(Method::POST, path).body(body.to_owned());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.unwrap();
        assert!(answer.headers().get(SET_COOKIE).is_none());
        answer.status().as_u16()
    };
    let json = ("content-type", "application/json");
    assert_eq!(ask("/login", &[("content-type", "text/plain")], &body).await, 415);
    assert_eq!(ask("/login", &[], &body).await, 415);
    assert_eq!(ask("/login", &[json, ("origin", "https://evil.example")], &body).await, 403);
    assert_eq!(ask("/login", &[json, ("sec-fetch-site", "cross-site")], &body).await, 403);
    assert_eq!(ask("/logout", &[("origin", "https://evil.example")], "").await, 403);
    assert_eq!(ask("/login", &[json], r#"{"secret": 5}"#).await, 422);
    assert_eq!(ask("/login", &[json], "").await, 422);
    assert_eq!(ask("/login", &[json], &format!("{}{body}", " ".repeat(4096))).await, 413);
    for query in ["secret", "token"] {
        assert_eq!(ask(&format!("/login?{query}={SECRET}"), &[json], &body).await, 400);
    }
    assert_eq!(server.get("/login").await.0, 405);
}

#[tokio::test]
async fn without_a_secret_there_is_nothing_to_sign_in_to() {
    let server = Server::start();
    let answer = sign_in(&server, &client(), "whatever-it-is").await;
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key(SET_COOKIE)), (204, false));
}

#[tokio::test]
async fn neither_secrets_nor_sessions_are_logged() {
    let mut server = guarded(&["--log", "trace"]);
    let (pair, _) = cookie(&sign_in(&server, &client(), SECRET).await);
    let id = pair.split_once('=').unwrap().1;
    assert_eq!(sign_in(&server, &client(), "a-wrong-guess").await.status(), 403);
    server.request(Method::GET, "/health").header(COOKIE, &pair).send().await.unwrap();
    server.terminate();
    let (_, log) = server.wait();
    assert!(!log.contains(SECRET) && !log.contains(id) && !log.contains("a-wrong-guess"), "{log}");
}
