//! How the page is served: its headers, its version, and that all of it is there.

use std::collections::{BTreeSet, VecDeque};

use reqwest::{Method, Response};

use crate::support::{Server, command};

async fn get(server: &Server, path: &str) -> Response {
    server.request(Method::GET, path).send().await.expect("the server answers")
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().expect("a header is text"))
}

/// The addresses in quotes after some words of a text.
fn named<'a>(text: &'a str, words: &[&str]) -> Vec<&'a str> {
    let found = words.iter().flat_map(|word| text.split(word).skip(1));
    found.filter_map(|rest| rest.split(['"', '\'']).next()).collect()
}

fn extension(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

/// `address` as a browser takes it on a page at `base`, both without a host.
fn resolved(base: &str, address: &str) -> String {
    let mut parts: Vec<&str> = base.split('/').collect();
    parts.pop();
    for part in address.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[tokio::test]
async fn the_html_says_what_a_browser_may_do_with_it() {
    let server = Server::start();
    let answer = get(&server, "/").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&answer, "cache-control"), "no-cache");
    assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    assert_eq!(header(&answer, "referrer-policy"), "no-referrer");
    let policy = header(&answer, "content-security-policy");
    for directive in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"] {
        assert!(policy.split("; ").any(|each| each == directive), "{policy}");
    }
    for directive in ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "font-src 'none'"] {
        assert!(policy.split("; ").any(|each| each == directive), "{policy}");
    }
    for directive in ["require-trusted-types-for 'script'", "trusted-types 'none'"] {
        assert!(policy.split("; ").any(|each| each == directive), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    let html = answer.text().await.unwrap();
    assert!(html.starts_with("<!doctype html>") && html.contains("<title>TraceHub</title>"));
}

#[tokio::test]
async fn a_browser_that_has_the_html_is_told_so() {
    let server = Server::start();
    let tag = header(&get(&server, "/").await, "etag").to_owned();
    assert!(tag.len() > 10 && tag.starts_with('"'), "{tag}");
    let ask = async |known: &str| {
        let answer = server.request(Method::GET, "/?chain=c").header("if-none-match", known).send().await.unwrap();
        assert_eq!(header(&answer, "etag"), tag, "{known}");
        let policy = answer.headers().contains_key("content-security-policy");
        (answer.status().as_u16(), policy, answer.text().await.unwrap().len())
    };
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        assert_eq!(ask(&known).await, (304, true, 0), "{known}");
    }
    for other in ["\"other\"", "", "nonsense"] {
        let (status, _, length) = ask(other).await;
        assert!(status == 200 && length > 500, "{other}");
    }
}

#[tokio::test]
async fn everything_that_the_page_asks_for_is_there_for_ever() {
    let server = Server::start();
    let html = get(&server, "/").await.text().await.unwrap();
    let mut wanted: VecDeque<String> =
        named(&html, &["src=\"", "href=\""]).iter().map(|address| resolved("/", address)).collect();
    let mut seen = BTreeSet::new();
    while let Some(path) = wanted.pop_front() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = get(&server, &path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(header(&answer, "cache-control"), "public, max-age=31536000, immutable", "{path}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
        assert!(header(&answer, "content-security-policy").starts_with("default-src 'none'"), "{path}");
        let kind = match extension(&path) {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(header(&answer, "content-type"), kind, "{path}");
        let text = answer.text().await.unwrap();
        if extension(&path) == "js" && !path.contains("/vendor/") {
            wanted.extend(named(&text, &["from '", "import '"]).iter().map(|address| resolved(&path, address)));
        }
    }
    let modules = seen.iter().filter(|path| extension(path) == "js").count();
    assert!(modules > 20 && seen.iter().any(|path| path.ends_with("/vendor/preact-htm.js")), "{seen:#?}");
}

#[tokio::test]
async fn nothing_else_is_there() {
    let server = Server::start();
    let html = get(&server, "/").await.text().await.unwrap();
    let main = named(&html, &["type=\"module\" src=\""])[0];
    let hash = main.split('/').nth(1).unwrap();
    for path in [
        "/assets",
        "/assets/",
        "/assets/0000000000000000/page/main.js",
        &format!("/assets/{hash}"),
        &format!("/assets/{hash}/"),
        &format!("/assets/{hash}/page"),
        &format!("/assets/{hash}/page/index.html"),
        &format!("/assets/{hash}/page/README.md"),
        &format!("/assets/{hash}/page/main.js.map"),
        &format!("/assets/{hash}/..%2f..%2fCargo.toml"),
        &format!("/assets/{hash}/page%2fmain.js/"),
    ] {
        let answer = get(&server, path).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert!(answer.text().await.unwrap().contains(r#""error":"not_found""#), "{path}");
    }
    for path in ["/", &format!("/{main}")] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = server.request(method.clone(), path).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), header(&answer, "allow")), (405, "GET, HEAD"), "{method} {path}");
        }
        let answer = server.request(Method::HEAD, path).send().await.unwrap();
        assert!(answer.status() == 200 && header(&answer, "content-length").parse::<usize>().unwrap() > 100);
    }
}

#[tokio::test]
async fn the_page_opens_without_a_secret_and_shows_nothing_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(&folder.path().join("tracehub.db"));
    command.env("TRACEHUB_SECRET", "the-secret");
    let server = Server::spawn(folder, &mut command);
    let html = get(&server, "/").await;
    assert_eq!(html.status(), 200);
    let html = html.text().await.unwrap();
    let main = named(&html, &["type=\"module\" src=\""])[0];
    assert_eq!(get(&server, &format!("/{main}")).await.status(), 200);
    assert_eq!(server.get("/correlations").await.0, 401);
}
