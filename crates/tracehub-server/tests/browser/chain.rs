//! One chain: its calls, its log, its picture, and what can be taken away from it.

use serde_json::json;
use tracehub_webdriver::testid;

use crate::page::{Page, counting};
use crate::story::{Call, HUNG, ORDER, entries};
use crate::support::Server;

#[tokio::test]
async fn what_never_came_back_stands_out() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-2", 10.0, &HUNG)).await;
    // A leave without its enter.
    let mut orphan = entries("order-2", 9.0, &[Call("stock", "app-2", "/stock/release", 0.0, Some(1.0))]);
    server.ingest(&orphan.split_off(1)).await;
    page.open_chain(&server.url, "order-2");
    for (state, endpoint) in [("unfinished", "/payment/charge"), ("orphan", "/stock/release")] {
        let selector = format!("{}[data-state={state}]", testid("call-row"));
        page.wait_for(&selector).unwrap();
        assert_eq!(page.count(&selector).unwrap(), 1);
        let text = page.text(&selector).unwrap();
        assert!(text.contains(endpoint), "{state}: {text}");
        assert!(text.to_lowercase().contains(state), "not by colour alone: {text}");
    }
    page.see(&format!("{} === 2", counting("call-row][data-state=finished")));
    page.assert_no_complaints();
}

#[tokio::test]
async fn a_call_tells_its_details_and_the_address_leads_back_to_it() {
    let page = Page::new();
    let server = Server::start();
    let mut calls = entries("order-1", 10.0, &ORDER);
    calls[0]["data"] = json!({"customer": "c-77", "items": [1, 2, {"deep": true}]});
    server.ingest(&calls).await;
    page.open_chain(&server.url, "order-1");
    page.click(&testid("call-row")).unwrap();
    page.see("document.querySelector('[data-testid=detail]')?.innerText.includes('c-77')");
    let detail = page.text(&testid("detail")).unwrap();
    for part in ["gateway", "edge-1", "/api/orders", "c-77", "120"] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    let address = page.url().unwrap();
    page.open("about:blank").unwrap();
    page.open(&address).unwrap();
    page.see("document.querySelector('[data-testid=detail]')?.innerText.includes('c-77')");
    page.assert_no_complaints();
}

#[tokio::test]
async fn a_key_goes_to_what_has_just_opened_however_soon_it_is_pressed() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chain(&server.url, "order-1");
    let pressed = "
        const opened = new MutationObserver(() => {
            if (!document.querySelector('[data-testid=who-panel]')) return;
            opened.disconnect();
            window.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', cancelable: true }));
            done(true);
        });
        opened.observe(document.body, { childList: true, subtree: true });
        document.querySelector('[data-testid=who]').click();";
    page.run_until_done(pressed).unwrap();
    page.see_count("who-panel", 0);
    page.see_count("chain-view", 1);
    page.assert_no_complaints();
}

#[tokio::test]
async fn the_log_and_the_sequence_show_the_same_chain() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chain(&server.url, "order-1");
    page.click(&testid("tab-log")).unwrap();
    page.see_count("log-row", ORDER.len() * 2);
    let texts =
        page.run("return [...document.querySelectorAll('[data-testid=log-row]')].map(row => row.innerText)", &[]);
    let texts = texts.unwrap();
    assert!(texts[0].as_str().unwrap().contains("gateway") && texts[2].as_str().unwrap().contains("stock"), "{texts}");
    page.reload().unwrap();
    page.see_count("log-row", ORDER.len() * 2);
    page.click(&testid("tab-sequence")).unwrap();
    for call in ORDER {
        page.see_text(call.0);
    }
    page.see("document.querySelectorAll('[data-testid=chain-view] svg').length > 0");
    page.assert_no_complaints();
}

#[tokio::test]
async fn searching_finds_calls_by_their_data_too() {
    let page = Page::new();
    let server = Server::start();
    let mut calls = entries("order-1", 10.0, &ORDER);
    calls[4]["data"] = json!({"customer": "needle-77"});
    server.ingest(&calls).await;
    page.open_chain(&server.url, "order-1");
    let search = format!("{} {}", testid("chain-view"), testid("search"));
    page.fill(&search, "needle").unwrap();
    page.see_count("call-row", 1);
    assert!(page.text(&testid("call-row")).unwrap().contains("/stock/reserve"));
    page.fill(&search, "nothing like that").unwrap();
    page.see_count("call-row", 0);
    page.assert_no_complaints();
}

#[tokio::test]
async fn a_search_that_is_taken_back_while_it_is_typed_stays_so() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chain(&server.url, "order-1");
    let typed = "
        const field = document.querySelector('[data-testid=search]');
        field.focus();
        field.value = 'payment';
        field.dispatchEvent(new Event('input', { bubbles: true }));";
    let escape =
        "field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true }));";
    // Longer than what is typed waits to be searched for.
    page.run_until_done(&format!("{typed} {escape} setTimeout(done, 500)")).unwrap();
    assert_eq!(page.run("return new URL(location).searchParams.get('find')", &[]).unwrap(), json!(null));
    page.see_count("call-row", ORDER.len());
    let legend =
        "[...document.querySelectorAll('.legend button')].find(each => each.innerText.includes('stock')).click();";
    page.run_until_done(&format!("{typed} field.blur(); {legend} setTimeout(done, 500)")).unwrap();
    page.see("new URL(location).searchParams.get('find') === 'source:\"stock\"'");
    page.see("document.querySelector('[data-testid=search]').value === 'source:\"stock\"'");
    page.assert_no_complaints();
}

#[tokio::test]
async fn ids_commands_and_json_can_be_taken_away() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order 1/ü", 10.0, &ORDER)).await;
    page.open_chain(&server.url, "order 1/ü");
    // A window without a person has no clipboard of its own.
    page.run("navigator.clipboard.writeText = async text => { window.__copied = text }", &[]).unwrap();
    page.click(&testid("copy-id")).unwrap();
    page.see("window.__copied === 'order 1/ü'");
    page.click(&testid("copy-curl")).unwrap();
    let curl = page.see("window.__copied !== 'order 1/ü' && window.__copied");
    let curl = curl.as_str().unwrap();
    let output = std::process::Command::new("sh").args(["-c", &curl.replacen("curl ", "echo ", 1)]).output().unwrap();
    let echoed = String::from_utf8_lossy(&output.stdout);
    assert!(curl.starts_with("curl ") && echoed.contains(&server.url) && echoed.contains("order%201%2F"), "{curl}");
    page.click(&testid("raw-json")).unwrap();
    page.see_text("\"correlation_id\"");
    page.see_text("\"order 1/ü\"");
}

#[tokio::test]
async fn an_unknown_id_says_so_and_shows_the_chain_once_it_begins() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chain(&server.url, "order-1");
    let address = page.url().unwrap();
    assert!(address.contains("order-1"), "{address}");
    page.open(&address.replace("order-1", "order-404")).unwrap();
    page.reload().unwrap();
    page.wait_for(&testid("not-found")).unwrap();
    assert!(page.text(&testid("not-found")).unwrap().contains("order-404"));
    server.ingest(&entries("order-404", 1.0, &ORDER)).await;
    page.see_count("call-row", ORDER.len());
    page.assert_no_complaints();
}

#[tokio::test]
async fn two_chains_are_compared() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 20.0, &ORDER)).await;
    server.ingest(&entries("order-2", 10.0, &HUNG)).await;
    page.open_chain(&server.url, "order-1");
    page.click(&testid("compare")).unwrap();
    page.see("document.querySelector('[data-testid=compare-option][data-id=order-2]') !== null");
    page.click("[data-testid=compare-option][data-id=order-2]").unwrap();
    page.wait_for(&testid("comparison")).unwrap();
    // Its address brings it back, and what never came back in the second is said.
    page.reload().unwrap();
    page.wait_for(&testid("comparison")).unwrap();
    page.see("document.querySelectorAll('[data-testid=compare-row]').length > 1");
    let text = page.text(&testid("comparison")).unwrap();
    assert!(text.contains("order-2") && (text.contains("no leave") || text.contains("unfinished")), "{text}");
    page.assert_no_complaints();
}
