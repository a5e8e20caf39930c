//! The list of chains: what it shows, how it is filtered, and that its address says all of that.

use serde_json::json;
use tracehub_webdriver::{key, testid};

use crate::page::{Page, counting, row};
use crate::story::{Call, HUNG, ORDER, entries, send};
use crate::support::Server;

#[test]
fn a_chain_that_a_service_sends_is_listed_and_opens() {
    let server = Server::start();
    send(&server.url, "order-1", &ORDER);
    let page = Page::new();
    page.open_chain(&server.url, "order-1");
    page.see_count("call-row", ORDER.len());
    for call in ORDER {
        page.see_text(call.0);
        page.see_text(call.2);
    }
    page.assert_no_complaints();
}

#[tokio::test]
async fn each_filter_narrows_the_list_and_a_reload_keeps_it() {
    let server = Server::start();
    server.ingest(&entries("order-1", 30.0, &ORDER)).await;
    server.ingest(&entries("order-2", 20.0, &HUNG)).await;
    server.ingest(&entries("visit-1", 10.0, &[Call("web", "edge-2", "/home", 0.0, Some(3.0))])).await;
    let page = Page::new();
    for (filter, value, listed) in [
        ("filter-source", "stock", &["order-1"][..]),
        ("filter-endpoint", "/home", &["visit-1"]),
        ("filter-host", "edge-1", &["order-1", "order-2"]),
        ("filter-status", "incomplete", &["order-2"]),
        ("filter-min-duration", "500", &["order-2"]),
        ("filter-prefix", "order", &["order-1", "order-2"]),
    ] {
        page.open_chains(&server.url);
        page.see_listed(&["order-1", "order-2", "visit-1"]);
        page.set(filter, value);
        page.see_listed(listed);
        page.see(&format!("location.href.includes({})", json!(value.trim_start_matches('/'))));
        let address = page.url().unwrap();
        page.reload().unwrap();
        page.see_listed(listed);
        page.open("about:blank").unwrap();
        page.open(&address).unwrap();
        page.see_listed(listed);
        let held = page.run("return document.querySelector(arguments[0]).value", &[json!(testid(filter))]).unwrap();
        assert_eq!(held, json!(value), "{filter}");
    }
    page.assert_no_complaints();
}

#[tokio::test]
async fn filters_together_and_back_again() {
    let server = Server::start();
    server.ingest(&entries("order-1", 30.0, &ORDER)).await;
    server.ingest(&entries("order-2", 20.0, &HUNG)).await;
    let page = Page::new();
    page.open_chains(&server.url);
    page.set("filter-source", "payment");
    page.see_listed(&["order-1", "order-2"]);
    page.set("filter-status", "incomplete");
    page.see_listed(&["order-2"]);
    page.click(&row("order-2")).unwrap();
    page.wait_for(&testid("chain-view")).unwrap();
    page.run("history.back()", &[]).unwrap();
    page.see_listed(&["order-2"]);
    page.set("filter-source", "nobody");
    page.see_listed(&[]);
    page.wait_for(&testid("empty")).unwrap();
}

#[tokio::test]
async fn an_empty_server_says_how_to_begin() {
    let server = Server::start();
    let page = Page::new();
    page.open_chains(&server.url);
    page.wait_for(&testid("empty")).unwrap();
    assert!(!page.text(&testid("empty")).unwrap().is_empty());
    server.ingest(&entries("order-1", 0.0, &ORDER)).await;
    page.see_listed(&["order-1"]);
    page.assert_no_complaints();
}

#[tokio::test]
async fn there_is_a_next_page_and_nothing_is_on_both() {
    let server = Server::start();
    let chains =
        (0..300).flat_map(|number| entries(&format!("order-{number:03}"), 300.0 - f64::from(number), &HUNG[..1]));
    server.ingest(&chains.collect::<Vec<_>>()).await;
    let page = Page::new();
    page.open_chains(&server.url);
    page.see(&format!("{} > 9", counting("chain-row")));
    let first = page.listed();
    assert_eq!(first[0], "order-299", "the newest comes first");
    page.click(&testid("next-page")).unwrap();
    page.see(&format!("{} > 9 && !document.querySelector({})", counting("chain-row"), json!(row("order-299"))));
    let second = page.listed();
    assert!(second.iter().all(|id| !first.contains(id)), "{second:?}");
    page.reload().unwrap();
    page.see(&format!("!!document.querySelector({})", json!(row(&second[0]))));
    page.assert_no_complaints();
}

#[tokio::test]
async fn the_keyboard_is_enough() {
    let server = Server::start();
    for number in 1..=3 {
        server.ingest(&entries(&format!("order-{number}"), 10.0 - f64::from(number), &ORDER)).await;
    }
    let page = Page::new();
    page.open_chains(&server.url);
    page.see_listed(&["order-1", "order-2", "order-3"]);
    page.press("jj").unwrap();
    page.press("k").unwrap();
    page.press(&key::ENTER.to_string()).unwrap();
    page.wait_for(&testid("chain-view")).unwrap();
    page.see_count("call-row", ORDER.len());
    page.press("j").unwrap();
    page.press(&key::ENTER.to_string()).unwrap();
    page.wait_for(&testid("detail")).unwrap();
    page.press(&key::ESCAPE.to_string()).unwrap();
    page.see("!document.querySelector('[data-testid=detail]')?.checkVisibility()");
    page.press(&key::ESCAPE.to_string()).unwrap();
    page.wait_for(&testid("chains-view")).unwrap();
    page.press("?").unwrap();
    page.wait_for(&testid("help")).unwrap();
    page.press(&key::ESCAPE.to_string()).unwrap();
    page.see("!document.querySelector('[data-testid=help][open], dialog[open], [role=dialog]')");
    page.press("/").unwrap();
    page.see("document.activeElement.matches('input')");
    page.press("order-2").unwrap();
    page.see_listed(&["order-2"]);
    page.assert_no_complaints();
}
