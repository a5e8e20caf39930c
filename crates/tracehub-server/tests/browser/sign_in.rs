//! The way in, where reading asks for a secret.

use serde_json::json;
use tracehub_webdriver::{key, testid};

use crate::page::Page;
use crate::story::ORDER;
use crate::story::entries;
use crate::support::Server;

const SECRET: &str = "the-read-secret";

#[tokio::test]
async fn the_right_secret_opens_the_page_and_shows_nowhere() {
    let page = Page::new();
    let server = Server::start_in(tempfile::tempdir().unwrap(), &["--read-secret", SECRET]);
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open(&server.url).unwrap();
    page.wait_for(&testid("sign-in")).unwrap();
    assert!(!page.text("body").unwrap().contains("order-1"));

    let enter = key::ENTER.to_string();
    page.fill(&testid("sign-in-secret"), "a-wrong-secret").unwrap();
    page.press(&enter).unwrap();
    page.see("/wrong|not valid|not right|incorrect/i.test(document.body.innerText)");
    page.fill(&testid("sign-in-secret"), SECRET).unwrap();
    page.press(&enter).unwrap();
    page.see_listed(&["order-1"]);

    let readable =
        page.run("return [document.cookie, JSON.stringify({...localStorage, ...sessionStorage})]", &[]).unwrap();
    assert_eq!((&readable[0], readable[1].as_str().unwrap().contains(SECRET)), (&json!(""), false));
    assert!(!page.url().unwrap().contains(SECRET));
    let cookies = page.cookies().unwrap();
    assert_eq!(cookies.len(), 1);
    assert_eq!((&cookies[0]["httpOnly"], &cookies[0]["sameSite"]), (&json!(true), &json!("Strict")));

    // What is live comes through the cookie too, and a reload does not ask again.
    page.reload().unwrap();
    page.see_listed(&["order-1"]);
    server.ingest(&entries("order-2", 1.0, &ORDER)).await;
    page.see_listed(&["order-1", "order-2"]);
    page.assert_no_complaints();
}

#[tokio::test]
async fn a_link_to_a_chain_opens_after_signing_in() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chain(&server.url, "order-1");
    let path = page.url().unwrap().replacen(&server.url, "", 1);
    let guarded = Server::start_in(server.kill(), &["--read-secret", SECRET]);
    page.open(&format!("{}{path}", guarded.url)).unwrap();
    page.fill(&testid("sign-in-secret"), SECRET).unwrap();
    page.press(&key::ENTER.to_string()).unwrap();
    page.wait_for(&testid("chain-view")).unwrap();
    page.see_count("call-row", ORDER.len());
}

#[tokio::test]
async fn every_tab_can_sign_out_and_then_asks_again() {
    let page = Page::new();
    let server = Server::start_in(tempfile::tempdir().unwrap(), &["--read-secret", SECRET]);
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open(&server.url).unwrap();
    page.fill(&testid("sign-in-secret"), SECRET).unwrap();
    page.press(&key::ENTER.to_string()).unwrap();
    page.see_listed(&["order-1"]);
    // Another tab has the cookie, and nothing of this tab's own.
    page.run("sessionStorage.clear()", &[]).unwrap();
    page.open("about:blank").unwrap();
    page.open(&server.url).unwrap();
    page.see_listed(&["order-1"]);
    page.click(&testid("sign-out")).unwrap();
    page.wait_for(&testid("sign-in")).unwrap();
    assert!(page.cookies().unwrap().is_empty());
    page.reload().unwrap();
    page.wait_for(&testid("sign-in")).unwrap();
    assert_eq!(page.count(&testid("sign-out")).unwrap(), 0);
}
