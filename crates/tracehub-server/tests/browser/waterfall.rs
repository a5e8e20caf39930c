//! The calls of a chain as a picture: what it shows beyond bars, and how it is looked at.

use std::time::Duration;

use serde_json::{Value, json};
use tracehub_webdriver::{key, testid};

use crate::page::{Page, counting};
use crate::story::{Call, HUNG, ORDER, entries, now_ms};
use crate::support::Server;

#[tokio::test]
async fn a_call_shows_both_checkpoints_beside_a_pointer_that_rests_on_it() {
    let page = Page::new();
    let server = Server::start();
    let mut chain = entries("order-1", 10.0, &ORDER);
    chain[4]["data"] = json!({"sku": "lamp-7"});
    chain[5]["data"] = json!({"reserved": true});
    server.ingest(&chain).await;
    page.open_chain(&server.url, "order-1");
    page.point_at(&nth_row(2), (0.9, 0.5)).unwrap();
    page.wait_for(&testid("peek")).unwrap();
    let text = page.text(&testid("peek")).unwrap();
    for part in
        ["stock", "/stock/reserve", "app-2", "30 ms", "Enter", "+10 ms", "lamp-7", "Leave", "+40 ms", "reserved"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    page.point_at(&testid("copy-id"), (0.5, 0.5)).unwrap();
    page.see_count("peek", 0);
    page.assert_no_complaints();
}

#[tokio::test]
async fn data_is_laid_out_to_the_digit_and_can_be_copied() {
    let page = Page::new();
    let server = Server::start();
    let text = r#"{"traces":[{"source_id":"till","correlation_id":"sum","timestamp":1000,"suffix":"1","direction":"->",
        "operation":"REST","endpoint":"/sum","data":{"z":12345678901234567890123,"a":1.10,"list":[{"deep":"ü"}]}}]}"#;
    assert_eq!(server.post("/ingest", text).await.0, 200);
    page.open_chain(&server.url, "sum");
    page.run("navigator.clipboard.writeText = async text => { window.__copied = text }", &[]).unwrap();
    page.click(&testid("call-row")).unwrap();
    page.wait_for(&testid("detail")).unwrap();
    let laid_out = "{\n  \"z\": 12345678901234567890123,\n  \"a\": 1.10,\n  \"list\": [\n    {\n      \"deep\": \"ü\"\n    }\n  ]\n}";
    page.see(&format!("document.querySelector('[data-testid=detail] pre').textContent === {}", json!(laid_out)));
    page.run("document.querySelector('[data-testid=detail] .block .text-button').click()", &[]).unwrap();
    page.see(&format!("window.__copied === {}", json!(laid_out)));
    page.run("document.querySelector('[data-testid=detail] .checkpoint .text-button').click()", &[]).unwrap();
    page.see(
        "window.__copied.includes('\"source_id\": \"till\"') && window.__copied.includes('12345678901234567890123')",
    );
    page.see_text("Never came.");
}

#[tokio::test]
async fn dragging_over_the_strip_zooms_and_there_is_a_way_back() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    // A finger has no keys, so a small window must have all of it too.
    for (width, height) in [(1280, 800), (360, 740)] {
        page.size(width, height).unwrap();
        page.open_chain(&server.url, "order-1");
        let first = bar_width(&page, 2);
        page.drag(&testid("minimap"), 0.05, 0.4).unwrap();
        page.wait_for(&testid("zoom-out")).unwrap();
        let zoomed = bar_width(&page, 2);
        assert!(zoomed > first * 1.5, "{width} pixels: {first} to {zoomed}");
        page.click(&testid("zoom-out")).unwrap();
        page.see_count("zoom-out", 0);
        assert!((bar_width(&page, 2) - first).abs() < 1.0, "{width} pixels");
    }
    page.size(1280, 800).unwrap();
    let first = bar_width(&page, 2);
    page.press("jjjz").unwrap();
    page.wait_for(&testid("zoom-out")).unwrap();
    assert!(bar_width(&page, 2) > first * 2.0);
    let text = page.text(&testid("zoom-out")).unwrap();
    page.press("-").unwrap();
    page.see(&format!("document.querySelector('[data-testid=zoom-out]').innerText !== {}", json!(text)));
    page.press("0").unwrap();
    page.see_count("zoom-out", 0);
    page.press("++").unwrap();
    page.wait_for(&testid("zoom-out")).unwrap();
    page.assert_no_complaints();
}

#[tokio::test]
async fn calls_collapse_one_by_one_by_level_and_all_at_once() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chain(&server.url, "order-1");
    page.see_count("call-row", 4);
    page.click(&format!("{} .fold", nth_row(1))).unwrap();
    page.see_count("call-row", 2);
    assert!(page.text(&nth_row(1)).unwrap().contains('2'), "how many are in it");
    page.see("document.querySelectorAll('[data-testid=call-row]')[1].getAttribute('aria-expanded') === 'false'");
    for (keys, rows) in [("L", 4), ("[", 2), ("[", 1), ("]", 2), ("]", 4), ("H", 1), ("L", 4), ("jh", 1), ("l", 4)] {
        page.press(keys).unwrap();
        page.see_count("call-row", rows);
    }
    page.click(&testid("collapse")).unwrap();
    page.see_count("call-row", 2);
    page.click(&testid("expand")).unwrap();
    page.see_count("call-row", 4);
}

#[tokio::test]
async fn times_are_since_the_start_or_of_the_clock() {
    let page = Page::new();
    let server = Server::start();
    let mut chain = entries("order-1", 10.0, &ORDER);
    for entry in &mut chain {
        entry["timestamp"] = json!(1_795_424_400_000.0 + entry["data"]["number"].as_f64().unwrap());
    }
    server.ingest(&chain).await;
    page.time_zone("UTC").unwrap();
    page.open(&format!("{}/?chain=order-1&tab=log", server.url)).unwrap();
    page.see_count("log-row", 8);
    page.see_text("+3 ms");
    page.click(&testid("absolute")).unwrap();
    page.see_text("09:00:00.003");
    page.press("t").unwrap();
    page.see("!document.body.innerText.includes('09:00:00.003')");
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_noted_and_shown_as_logged_on_demand() {
    let page = Page::new();
    let server = Server::start();
    let mut calls = vec![Call("gateway", "edge-1", "/api/orders", 0.0, Some(200.0))];
    for (start, endpoint) in [(10.0, "/stock/1"), (70.0, "/stock/2"), (130.0, "/stock/3")] {
        calls.push(Call("gateway", "edge-1", endpoint, start, Some(start + 50.0)));
        calls.push(Call("stock", "app-2", endpoint, start + 10.0 - 430.0, Some(start + 40.0 - 430.0)));
    }
    server.ingest(&entries("skewed", 10.0, &calls)).await;
    page.open_chain(&server.url, "skewed");
    let note = page.text(&testid("skew")).unwrap();
    assert!(note.contains("app-2") && note.contains("+430 ms"), "{note}");
    let nested = "document.querySelectorAll('[data-testid=call-row][aria-level=\"3\"]').length";
    page.see(&format!("{nested} === 3"));
    page.click(&testid("who")).unwrap();
    page.see("document.querySelector('[data-testid=who-panel]').innerText.includes('clock +430 ms')");
    page.press(&key::ESCAPE.to_string()).unwrap();
    page.see_count("who-panel", 0);
    page.click(&testid("skew")).unwrap();
    page.see(&format!("location.search.includes('skew=off') && {nested} === 0"));
    page.assert_no_complaints();
}

#[tokio::test]
async fn long_silences_are_shaded_and_named() {
    let page = Page::new();
    let server = Server::start();
    let calls = [
        Call("gateway", "edge-1", "/api/orders", 0.0, Some(3_000.0)),
        Call("stock", "app-2", "/stock/reserve", 1_000.0, Some(1_100.0)),
        Call("payment", "app-2", "/payment/charge", 2_500.0, Some(2_950.0)),
    ];
    server.ingest(&entries("order-1", 10.0, &calls)).await;
    page.open_chain(&server.url, "order-1");
    page.see(&format!("{} === 2", counting("gap")));
    page.see("[...document.querySelectorAll('[data-testid=gap]')].map(gap => gap.innerText).join() === '1.4 s of silence,1 s of silence'");
    assert!(page.text(&testid("silence")).unwrap().contains("1.4 s of silence"));
    // It leads to what ended it.
    page.click(&testid("silence")).unwrap();
    page.see("document.querySelector('[data-testid=detail]').innerText.includes('/payment/charge')");
}

#[tokio::test]
async fn a_call_that_goes_on_is_hatched_up_to_now() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 3.0, &HUNG[1..])).await;
    page.open_chain(&server.url, "order-1");
    let label = "document.querySelector('[data-state=unfinished] .bar-label').innerText";
    let seconds = |text: &Value| text.as_str().unwrap().split(' ').next().unwrap().parse::<f64>().unwrap();
    let first = seconds(&page.see(&format!("{label}.includes('so far') && {label}")));
    page.see(&format!("parseFloat({label}) > {first} + 0.9"));
    let (edge, hatched) = (
        page.run(
            "return document.querySelector('[data-state=unfinished] .call-track').getBoundingClientRect().right",
            &[],
        ),
        page.run(
            "const bar = document.querySelector('[data-state=unfinished] .bar');
                  return [bar.getBoundingClientRect().right, getComputedStyle(bar).backgroundImage]",
            &[],
        ),
    );
    let hatched = hatched.unwrap();
    assert!((edge.unwrap().as_f64().unwrap() - hatched[0].as_f64().unwrap()).abs() < 1.0);
    assert!(hatched[1].as_str().unwrap().starts_with("repeating-linear-gradient"), "{hatched}");
}

#[tokio::test]
async fn a_chain_is_followed_until_that_is_paused() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 3.0, &ORDER[..1])).await;
    page.open_chain(&server.url, "order-1");
    page.see("document.querySelector('.connection').classList.contains('is-live')");
    page.press("f").unwrap();
    let late = |name: &'static str| entries("order-1", 2.0, &[Call("stock", "app-2", name, 0.0, Some(1.0))]);
    server.ingest(&late("/late/1")).await;
    page.see("document.querySelector('[data-testid=follow]').innerText.includes('2 new')");
    // As long as it would have taken twice over.
    std::thread::sleep(Duration::from_secs(1));
    page.see_count("call-row", 1);
    page.press("f").unwrap();
    page.see_count("call-row", 2);
    // The call that keys have gone to stays that, though another one is drawn above it from now on.
    page.press("j").unwrap();
    page.see("document.querySelector('.call-row.is-active').innerText.includes('/api/orders')");
    server.ingest(&entries("order-1", 60.0, &[Call("stock", "app-2", "/early", 0.0, Some(1.0))])).await;
    page.see_count("call-row", 3);
    page.see("document.querySelector('[data-testid=call-row]').innerText.includes('/early')");
    page.see("document.querySelector('.call-row.is-active').innerText.includes('/api/orders')");
}

#[tokio::test]
async fn many_sources_leave_room_for_the_calls_and_lead_to_them() {
    let page = Page::new();
    let server = Server::start();
    let start = now_ms() - 10_000.0;
    let entry = |number: u32, direction: &str, at: f64| {
        json!({"source_id": format!("service-{number}"), "correlation_id": "wide", "timestamp": start + at, "suffix": "1",
               "direction": direction, "operation": "RPC", "endpoint": format!("/part/{number}"),
               "hostname": format!("node-{number}")})
    };
    let chain = (0..120).flat_map(|number| {
        let at = f64::from(number) * 10.0;
        [entry(number, "->", at), entry(number, "<-", at + 500.0 + at)]
    });
    server.ingest(&chain.collect::<Vec<_>>()).await;
    page.open_chain(&server.url, "wide");
    page.see("document.querySelector('[data-testid=call-row]').getBoundingClientRect().top < 300");
    page.click(&testid("more-sources")).unwrap();
    page.wait_for(&testid("who-panel")).unwrap();
    page.see("document.querySelectorAll('[data-testid=who-panel] .who-line').length === 240");
    page.run(
        "[...document.querySelectorAll('.who-line')].find(line => line.innerText.includes('node-1\\n')).click()",
        &[],
    )
    .unwrap();
    // That one alone, and not node-10 too.
    page.see_count("call-row", 1);
    assert!(page.text(&testid("call-row")).unwrap().contains("service-1"));
    page.see("document.querySelector('[data-testid=search]').value === 'host:\"node-1\"'");
    // The diagram draws the lifelines in sight alone.
    page.press(&key::ESCAPE.to_string()).unwrap();
    page.press("3").unwrap();
    page.see(
        "document.querySelectorAll('.lane-name').length > 4 && document.querySelectorAll('.lane-name').length < 20",
    );
    page.assert_no_complaints();
}

#[tokio::test]
async fn a_sequence_is_searched_and_walked_through() {
    let page = Page::new();
    let server = Server::start();
    let mut chain = entries("order-1", 10.0, &ORDER);
    let mut mark = |at: f64| {
        let mut mark = chain[0].clone();
        (mark["direction"], mark["suffix"]) = (json!("tick"), json!(format!("mark {at}")));
        mark["timestamp"] = json!(mark["timestamp"].as_f64().unwrap() + at);
        chain.push(mark);
    };
    mark(-50.0);
    mark(500.0);
    server.ingest(&chain).await;
    page.open(&format!("{}/?chain=order-1&tab=sequence", server.url)).unwrap();
    page.see(
        "document.querySelectorAll('.event').length === 10 && document.querySelectorAll('.lane-name').length === 4",
    );
    // Two marks outside of all calls are not each other's, nor what a pointer is on.
    assert_eq!(page.count(".event.is-hovered, .event.is-selected").unwrap(), 0);
    page.press("jjj").unwrap();
    page.see("document.querySelectorAll('.event.is-active').length === 2");
    page.press(&key::ENTER.to_string()).unwrap();
    page.see("document.querySelector('[data-testid=detail]').innerText.includes('/stock/reserve')");
    page.press(&key::ESCAPE.to_string()).unwrap();
    page.fill(&testid("search"), "/stock").unwrap();
    page.see("document.querySelectorAll('.event').length === 2");
}

/// The selector of a row of the waterfall.
fn nth_row(number: usize) -> String {
    // The grid lies under all of them.
    format!(".virtual-row:nth-of-type({}) {}", number + 2, testid("call-row"))
}

fn bar_width(page: &Page, row: usize) -> f64 {
    let script = "return document.querySelectorAll('[data-testid=call-row]')[arguments[0]].querySelector('.bar')
        .getBoundingClientRect().width";
    let width = page.run(script, &[json!(row)]).expect("the row is drawn");
    width.as_f64().expect("a number")
}
