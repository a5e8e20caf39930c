//! What nobody should be able to send: markup, scripts and tricks in every field stay text.

use serde_json::{Value, json};
use tracehub_webdriver::{key, testid};

use crate::page::Page;
use crate::support::Server;

/// Each breaks out of another place where a careless page would put it.
const TRICKS: [&str; 6] = [
    r#"<img src=x onerror="window.__x=1;alert(1)">"#,
    "</script><script>window.__x=2;alert(2)</script>",
    r#""onmouseover="window.__x=3"x=""#,
    "javascript:window.__x=4",
    "'-alert(5)-'",
    "${alert(6)}{{alert(7)}}\u{202e}\u{2028}",
];

#[tokio::test]
async fn tricks_in_every_field_stay_text() {
    let page = Page::new();
    let server = Server::start();
    for (number, trick) in TRICKS.into_iter().enumerate() {
        let entry = |direction: &str, at: f64| {
            let mut data = json!({"url": trick, "nested": [{"deep": trick}]});
            data[trick] = Value::from(trick);
            json!({
                "source_id": trick, "correlation_id": format!("{number} {trick}"), "timestamp": 1e12 + at,
                "suffix": trick, "direction": direction, "operation": trick, "endpoint": trick, "hostname": trick,
                "data": data, "raw_line": trick,
            })
        };
        // A mark too: its direction is free text.
        let mark: String = trick.chars().take(3).collect();
        server.ingest(&[entry("->", 0.0), entry(&mark, 1.0), entry("<-", 2.0)]).await;
    }
    for (number, trick) in TRICKS.into_iter().enumerate() {
        let id = format!("{number} {trick}");
        page.open_chain(&server.url, &id);
        page.click(&testid("call-row")).unwrap();
        page.wait_for(&testid("detail")).unwrap();
        assert_is_text(&page, trick, "the calls");
        page.point_at(&testid("copy-id"), (0.5, 0.5)).unwrap();
        page.press(&key::ESCAPE.to_string()).unwrap();
        page.point_at(&testid("call-row"), (0.8, 0.5)).unwrap();
        page.wait_for(&testid("peek")).unwrap();
        assert_is_text(&page, trick, "the call beside the pointer");
        page.click(&testid("who")).unwrap();
        page.wait_for(&testid("who-panel")).unwrap();
        assert_is_text(&page, trick, "the sources and hosts");
        page.press(&key::ESCAPE.to_string()).unwrap();
        for tab in ["tab-log", "tab-sequence", "raw-json", "compare"] {
            if page.count(&testid(tab)).unwrap() > 0 {
                page.click(&testid(tab)).unwrap();
                assert_is_text(&page, trick, tab);
            }
        }
        page.open_chains(&server.url);
        for filter in ["filter-source", "filter-endpoint", "filter-host", "filter-prefix"] {
            page.set(filter, trick);
        }
        page.reload().unwrap();
        page.wait_for(&testid("chains-view")).unwrap();
        assert_is_text(&page, trick, "the filters");
    }
}

/// Nothing ran, nothing was let through, and no element or address was made of it.
fn assert_is_text(page: &Page, trick: &str, place: &str) {
    let found = page.run(
        "return {
            ran: window.__x ?? null,
            images: document.querySelectorAll('img[src=x]').length,
            handlers: [...document.querySelectorAll('*')].filter(element =>
                [...element.attributes].some(attribute => attribute.name.startsWith('on'))).length,
            scripts: [...document.scripts].filter(script => !script.src).length,
            addresses: [...document.querySelectorAll('[href],[src],[action]')].filter(element =>
                /^\\s*javascript:/i.test(element.getAttribute('href') ?? element.getAttribute('src') ?? '')).length,
        }",
        &[],
    );
    let nothing = json!({"ran": null, "images": 0, "handlers": 0, "scripts": 0, "addresses": 0});
    assert_eq!(found.expect("no dialog is open"), nothing, "{trick} in {place}");
    page.assert_no_complaints();
}
