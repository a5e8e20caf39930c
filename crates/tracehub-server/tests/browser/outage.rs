//! A server that goes and comes: the page says so, and goes on by itself.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;
use tracehub_webdriver::testid;

use crate::page::{PATIENCE, Page, row};
use crate::story::{HUNG, ORDER, entries};
use crate::support::Server;

#[tokio::test]
async fn the_page_says_that_the_server_is_gone_and_goes_on_when_it_is_back() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chains(&server.url);
    page.see_listed(&["order-1"]);
    page.run("window.__same = true", &[]).unwrap();
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    let folder = server.kill();
    page.wait_for(&testid("banner")).unwrap();
    assert_eq!(page.listed(), ["order-1"], "what was there stays");

    let server = Server::start_in(folder, &["--port", &port]);
    server.ingest(&entries("order-2", 1.0, &HUNG)).await;
    page.see("!document.querySelector('[data-testid=banner]')?.checkVisibility()");
    page.see_listed(&["order-1", "order-2"]);
    page.see("window.__same === true");
}

#[tokio::test]
async fn a_server_that_hangs_is_noticed_though_no_connection_breaks() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chains(&server.url);
    page.see_listed(&["order-1"]);
    page.see("document.querySelector('.connection').classList.contains('is-live')");
    signal(&server, "STOP");
    page.wait_until(&format!("document.querySelector({:?}) !== null", testid("banner")), 2 * PATIENCE).unwrap();
    assert_eq!(page.listed(), ["order-1"], "what was there stays");
    signal(&server, "CONT");
    page.see("!document.querySelector('[data-testid=banner]')");
    server.ingest(&entries("order-2", 1.0, &HUNG)).await;
    page.see_listed(&["order-1", "order-2"]);
}

#[tokio::test]
async fn a_server_that_takes_no_entries_is_said_to_and_can_be_read() {
    let page = Page::new();
    // More than any disk has free, in a size that the setting can say.
    let server = Server::start_in(tempfile::tempdir().unwrap(), &["--min-free-bytes", "1000000000000000"]);
    let body = json!({ "traces": entries("order-1", 10.0, &ORDER) }).to_string();
    assert_eq!(server.post("/ingest", body).await.0, 503);
    page.open_chains(&server.url);
    page.wait_for(&testid("degraded")).unwrap();
    page.wait_for(&testid("empty")).unwrap();
    page.see_count("banner", 0);
}

#[tokio::test]
async fn a_server_that_takes_entries_again_is_believed_as_soon_as_one_comes() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chains(&server.url);
    page.see_listed(&["order-1"]);
    let holder = Connection::open(server.database()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let deadline = Instant::now() + 2 * PATIENCE;
    while page.count(&testid("degraded")).unwrap() == 0 {
        assert!(Instant::now() < deadline, "it is not said");
        // As long as nobody tries, the server does not know.
        let body = json!({ "traces": entries("order-2", 5.0, &ORDER) }).to_string();
        assert_eq!(server.post("/ingest", body).await.0, 503);
    }
    holder.execute_batch("ROLLBACK").unwrap();
    // As long as entries come, nothing else would be asked.
    let deadline = Instant::now() + PATIENCE;
    for number in 3.. {
        server.ingest(&entries(&format!("order-{number}"), 1.0, &HUNG)).await;
        thread::sleep(Duration::from_secs(1));
        if page.count(&testid("degraded")).unwrap() == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "it is still said");
    }
    page.assert_no_complaints();
}

#[tokio::test]
async fn a_question_that_hangs_does_not_deny_a_connection_that_stands() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chains(&server.url);
    page.see_listed(&["order-1"]);
    page.run(
        "window.EventSource = class extends EventSource { constructor(...all) { super(...all); window.__source = this; } }",
        &[],
    )
    .unwrap();
    page.answer_with(
        "(path, ask, { signal }) => {
            if (path !== '/health' || window.__hung) return ask();
            window.__hung = true;
            return new Promise((_, fail) => signal.addEventListener('abort', () => {
                fail(signal.reason);
                window.__given_up = true;
            }));
        }",
    );
    page.click(&row("order-1")).unwrap();
    page.see_count("call-row", ORDER.len());
    page.see("document.querySelector('.connection').classList.contains('is-live')");
    // Neither one of this view nor one of the view before.
    for leaves in [false, true] {
        page.run(
            "window.__hung = window.__given_up = false; window.__source.dispatchEvent(new Event('shutdown'))",
            &[],
        )
        .unwrap();
        if leaves {
            page.click(".brand").unwrap();
        }
        page.see("window.__given_up");
        // As long as it takes to be drawn.
        thread::sleep(Duration::from_millis(300));
        page.see_count("banner", 0);
        assert_eq!(page.text(&testid("connection")).unwrap(), "live", "{leaves}");
    }
}

#[tokio::test]
async fn a_comparison_that_failed_is_made_once_the_server_is_well_again() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 20.0, &ORDER)).await;
    server.ingest(&entries("order-2", 10.0, &HUNG)).await;
    page.open_chain(&server.url, "order-1");
    page.click(&testid("compare")).unwrap();
    fail(&page, "/compare", 503);
    page.click("[data-testid=compare-option][data-id=order-2]").unwrap();
    page.see("document.querySelector('[data-testid=chain-view] .fault') !== null");
    fail(&page, "", 0);
    page.wait_for(&testid("comparison")).unwrap();
    page.assert_no_complaints();
}

#[tokio::test]
async fn chains_to_compare_with_are_offered_once_the_server_is_well_again() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 20.0, &ORDER)).await;
    server.ingest(&entries("order-2", 10.0, &HUNG)).await;
    page.open_chain(&server.url, "order-1");
    fail(&page, "/correlations", 503);
    page.click(&testid("compare")).unwrap();
    page.see("window.__failed === true");
    fail(&page, "", 0);
    page.wait_for("[data-testid=compare-option][data-id=order-2]").unwrap();
    page.assert_no_complaints();
}

#[tokio::test]
async fn what_the_server_says_may_be_asked_again_is() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 20.0, &ORDER)).await;
    server.ingest(&entries("order-2", 10.0, &HUNG)).await;
    for status in [408, 429, 503] {
        page.open_chains(&server.url);
        page.see_listed(&["order-1", "order-2"]);
        page.see("document.querySelector('.connection').classList.contains('is-live')");
        fail(&page, "/correlations", status);
        page.click(&testid("only-incomplete")).unwrap();
        page.wait_for(&testid("fault")).unwrap();
        fail(&page, "", 0);
        page.see_listed(&["order-2"]);
        page.see_count("fault", 0);
    }
    page.assert_no_complaints();
}

/// Has the server seem to answer with this status what is asked with this path.
fn fail(page: &Page, path: &str, status: u16) {
    page.answer_with(&format!(
        "async (path, ask) => {{
            if (path !== '{path}') return ask();
            window.__failed = true;
            return new Response('{{}}', {{ status: {status} }});
        }}"
    ));
}

fn signal(server: &Server, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &server.process().to_string()]).status();
    assert!(sent.expect("there is a kill").success(), "{name}");
}
