//! The list of chains: what it shows, how it is filtered, and that its address says all of that.

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tracehub_webdriver::{key, testid};

use crate::page::{Page, counting, row};
use crate::story::{Call, HUNG, ORDER, entries, send};
use crate::support::Server;

#[test]
fn a_chain_that_a_service_sends_is_listed_and_opens() {
    let page = Page::new();
    let server = Server::start();
    send(&server.url, "order-1", &ORDER);
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
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 30.0, &ORDER)).await;
    server.ingest(&entries("order-2", 20.0, &HUNG)).await;
    server.ingest(&entries("visit-1", 10.0, &[Call("web", "edge-2", "/home", 0.0, Some(3.0))])).await;
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
async fn a_filter_that_is_cleared_while_it_is_typed_stays_so() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 30.0, &ORDER)).await;
    server.ingest(&entries("visit-1", 10.0, &[Call("web", "edge-2", "/home", 0.0, Some(3.0))])).await;
    page.open(&format!("{}/?q=order", server.url)).unwrap();
    page.see_listed(&["order-1"]);
    // Longer than what is typed waits to be asked for.
    let cleared = "
        const field = document.querySelector('[data-testid=filter-source]');
        field.focus();
        field.value = 'stock';
        field.dispatchEvent(new Event('input', { bubbles: true }));
        document.querySelector('[data-testid=clear-filters]').click();
        setTimeout(done, 600);";
    page.run_until_done(cleared).unwrap();
    page.see_listed(&["order-1", "visit-1"]);
    let left =
        "return location.search + [...document.querySelectorAll('.filters input')].map(field => field.value).join('')";
    assert_eq!(page.run(left, &[]).unwrap(), json!(""));
    page.assert_no_complaints();
}

#[tokio::test]
async fn filters_together_and_back_again() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 30.0, &ORDER)).await;
    server.ingest(&entries("order-2", 20.0, &HUNG)).await;
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
    let page = Page::new();
    let server = Server::start();
    page.open_chains(&server.url);
    page.wait_for(&testid("empty")).unwrap();
    page.run("navigator.clipboard.writeText = async text => { window.__copied = text }", &[]).unwrap();
    page.click(&testid("copy-first")).unwrap();
    let command = page.see("window.__copied");
    // What a shell makes of it, sent as curl would.
    let script = format!(
        "curl() {{ printf '%s\\n' \"$1\"; while [ \"$1\" != -d ]; do shift; done; printf %s \"$2\"; }}\n{}",
        command.as_str().unwrap()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let (address, body) = std::str::from_utf8(&output.stdout).unwrap().split_once('\n').unwrap();
    assert_eq!(address, format!("{}/ingest/single", server.url));
    assert_eq!(server.post("/ingest/single", body.to_owned()).await, (200, json!({"inserted": true})), "{body}");
    page.see_listed(&["order-42"]);
    page.assert_no_complaints();
}

#[tokio::test]
async fn an_incomplete_chain_names_what_it_waits_for_and_how_long() {
    let page = Page::new();
    let server = Server::start();
    let long = format!("order-2-{}", "x".repeat(200));
    server.ingest(&entries("order-1", 65.0, &HUNG)).await;
    server.ingest(&entries(&long, 65.0, &HUNG)).await;
    page.open_chains(&server.url);
    page.see("document.querySelectorAll('.oldest').length === 2");
    for id in ["order-1", &long] {
        let text = page.text(&row(id)).unwrap();
        assert!(text.contains("incomplete") && text.contains("/payment/charge") && text.contains("open 1m "), "{text}");
        // However long the id is, it runs into nothing else.
        let fits = format!(
            "(row => row.querySelector('.oldest-age').getBoundingClientRect().right
                <= row.querySelector('.cell-sources').getBoundingClientRect().left)(document.querySelector({}))",
            json!(row(id))
        );
        page.see(&fits);
    }
}

#[tokio::test]
async fn an_older_answer_does_not_replace_what_is_known_of_a_chain() {
    let page = Page::new();
    let server = Server::start();
    page.open_chains(&server.url);
    page.wait_for(&testid("empty")).unwrap();
    page.answer_with(
        "async (path, ask) => {
            if (path !== '/traces/order-1/calls') return ask();
            const first = !window.__asked;
            window.__asked = true;
            const answer = await ask();
            const text = await answer.text();
            if (first) await new Promise(resolve => window.__release = resolve);
            return new Response(text);
        }",
    );
    // A chain is looked into when it stands still and another grows.
    let call = |endpoint| Call("stock", "app-2", endpoint, 0.0, None);
    server.ingest(&entries("order-1", 10.0, &[call("/first")])).await;
    page.see_listed(&["order-1"]);
    server.ingest(&entries("visit-1", 10.0, &ORDER)).await;
    page.see("window.__release !== undefined");
    let mut second = entries("order-1", 5.0, &[Call("stock", "app-2", "/first", 0.0, Some(1.0)), call("/second")]);
    server.ingest(&second.split_off(1)).await;
    page.see(&format!(
        "document.querySelector({:?}).textContent.trim() === '3 entries'",
        row("order-1") + " .cell-entries"
    ));
    server.ingest(&entries("visit-2", 1.0, &ORDER)).await;
    let text = format!("document.querySelector({:?}).innerText", row("order-1"));
    page.see(&format!("{text}.includes('/second')"));
    page.run_until_done("window.__release(); setTimeout(done, 500)").unwrap();
    let said = page.text(&row("order-1")).unwrap();
    assert!(said.contains("/second"), "{said}");
    page.assert_no_complaints();
}

#[tokio::test]
async fn the_rate_line_knows_what_came_before_the_page_was_opened() {
    let page = Page::new();
    let server = Server::start();
    let burst: Vec<_> = (0..100).flat_map(|number| entries(&format!("order-{number}"), 0.0, &ORDER[..3])).collect();
    server.ingest(&burst).await;
    // The line goes by seconds: those of the burst must be over.
    tokio::time::sleep(Duration::from_secs(2)).await;
    page.open_chains(&server.url);
    // 600 entries within half a minute.
    page.see("document.querySelector('[data-testid=rate]').title.includes('at most 20 in a second')");
    page.see("Math.min(...document.querySelector('.rate-edge').getAttribute('points').split(' ').map(point => point.split(',')[1])) === 2");
    let calls = [Call("till", "app-1", "/sum", 0.0, Some(1.0)); 1];
    let later: Vec<_> = (0..45).flat_map(|number| entries(&format!("later-{number}"), 0.0, &calls)).collect();
    server.ingest(&later).await;
    page.see("parseFloat(document.querySelector('.rate-figure').innerText) > 20");
}

#[tokio::test]
async fn what_the_server_refuses_is_said_and_can_be_undone() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 30.0, &ORDER)).await;
    server.ingest(&entries("..", 30.0, &ORDER)).await;
    page.open(&format!("{}/?min_duration_ms=soon", server.url)).unwrap();
    page.wait_for(&testid("fault")).unwrap();
    assert!(page.text(&testid("fault")).unwrap().contains("min_duration_ms"));
    assert_eq!(page.count(".loading").unwrap(), 0, "nothing is on its way");
    page.click(&format!("{} button", testid("fault"))).unwrap();
    page.see_listed(&["order-1", ".."]);
    // An id that means a folder in an address.
    page.open(&format!("{}/?chain=..", server.url)).unwrap();
    page.see_text("A browser cannot ask for this id");
    page.assert_no_complaints();
}

#[tokio::test]
async fn there_is_a_next_page_and_nothing_is_on_both() {
    let page = Page::new();
    let server = Server::start();
    let chains =
        (0..300).flat_map(|number| entries(&format!("order-{number:03}"), 300.0 - f64::from(number), &HUNG[..1]));
    server.ingest(&chains.collect::<Vec<_>>()).await;
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
    let page = Page::new();
    let server = Server::start();
    for number in 1..=3 {
        server.ingest(&entries(&format!("order-{number}"), 10.0 - f64::from(number), &ORDER)).await;
    }
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
