//! Who can use it at all: axe finds nothing serious in any view, in light and in dark.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::json;
use tracehub_webdriver::{key, testid};

use crate::page::Page;
use crate::story::{HUNG, ORDER, entries};
use crate::support::Server;

/// The script that looks; `cargo xtask setup` installs it.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/axe.min.js");
    std::fs::read_to_string(path).expect("axe is installed; `cargo xtask setup` does that")
});

#[tokio::test]
async fn nothing_serious_in_any_view_light_or_dark() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    server.ingest(&entries("order-2", 5.0, &HUNG)).await;
    let empty = Server::start();
    let guarded = Server::start_in(tempfile::tempdir().unwrap(), &["--read-secret", "the-read-secret"]);
    let mut found = Vec::new();
    for scheme in ["light", "dark"] {
        page.media(&[("prefers-color-scheme", scheme)]).unwrap();
        let mut check =
            |view: &str| found.extend(violations(&page).into_iter().map(|what| format!("{view}, {scheme}: {what}")));
        page.open_chains(&server.url);
        page.see_listed(&["order-1", "order-2"]);
        check("the list");
        page.press("?").unwrap();
        page.wait_for(&testid("help")).unwrap();
        check("the help");
        page.open_chain(&server.url, "order-2");
        check("the calls");
        page.click(&testid("call-row")).unwrap();
        page.wait_for(&testid("detail")).unwrap();
        check("the details");
        let address = page.url().unwrap();
        page.click(&testid("who")).unwrap();
        page.wait_for(&testid("who-panel")).unwrap();
        check("the sources and hosts");
        for tab in ["tab-log", "tab-sequence", "raw-json", "compare"] {
            page.open_chain(&server.url, "order-2");
            page.click(&testid(tab)).unwrap();
            check(tab);
        }
        page.wait_for(&testid("compare-option")).unwrap();
        check("what to compare with");
        page.click(&testid("compare-option")).unwrap();
        page.wait_for(&testid("comparison")).unwrap();
        check("a comparison");
        page.open(&format!("{}/?min_duration_ms=soon", server.url)).unwrap();
        page.wait_for(&testid("fault")).unwrap();
        check("a refusal");
        page.open(&address.replace("order-2", "order-404")).unwrap();
        page.reload().unwrap();
        page.wait_for(&testid("not-found")).unwrap();
        check("an unknown id");
        page.open_chains(&empty.url);
        page.wait_for(&testid("empty")).unwrap();
        check("an empty server");
        page.open(&guarded.url).unwrap();
        page.wait_for(&testid("sign-in")).unwrap();
        check("the way in");
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn light_and_dark_follow_the_system_and_can_be_chosen() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    let brightness = || {
        let color = page.run("return getComputedStyle(document.body).backgroundColor", &[]).unwrap();
        let numbers = color.as_str().unwrap().split(|character: char| !character.is_ascii_digit());
        numbers.filter_map(|number| number.parse::<u32>().ok()).take(3).sum::<u32>()
    };
    page.open_chains(&server.url);
    page.see_listed(&["order-1"]);
    let light = brightness();
    page.media(&[("prefers-color-scheme", "dark")]).unwrap();
    let dark = brightness();
    assert!(light > 600 && dark < 200, "{light} {dark}");
    // However many steps it takes to come round to light.
    for _ in 0..3 {
        page.click(&testid("theme")).unwrap();
        if brightness() > 600 {
            break;
        }
    }
    assert!(brightness() > 600);
    page.reload().unwrap();
    page.see_listed(&["order-1"]);
    assert!(brightness() > 600, "the choice stays");
    page.run("localStorage.clear()", &[]).unwrap();
}

#[tokio::test]
async fn who_asks_for_less_motion_gets_none() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-2", 5.0, &HUNG)).await;
    page.media(&[("prefers-reduced-motion", "reduce")]).unwrap();
    page.open_chain(&server.url, "order-2");
    let moving = page.run(
        "return document.getAnimations().filter(animation => animation.effect.getTiming().iterations === Infinity).length",
        &[],
    );
    assert_eq!(moving.unwrap(), json!(0));
}

/// What axe calls serious or critical: the rule, and the first places.
fn violations(page: &Page) -> Vec<String> {
    if page.run("return typeof axe", &[]).is_ok_and(|kind| kind != "object") {
        page.run(&AXE, &[]).expect("axe is loaded");
    }
    let found = page.run_until_done(
        "axe.run({ resultTypes: ['violations'] }).then(result => done(result.violations
            .filter(violation => ['serious', 'critical'].includes(violation.impact))
            .map(violation => violation.id + ': ' + violation.nodes.slice(0, 3)
                .map(node => `${node.html.slice(0, 200)} (${node.any[0]?.message})`).join(' | '))))",
    );
    let found = found.expect("axe comes to an end");
    found.as_array().into_iter().flatten().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn the_focus_is_seen_wherever_a_key_takes_it() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-2", 5.0, &HUNG)).await;
    for address in [server.url.clone(), format!("{}/?chain=order-2", server.url)] {
        page.open(&address).unwrap();
        page.see("document.querySelector('[data-testid=chain-row], [data-testid=call-row]') !== null");
        let mut seen = 0;
        for _ in 0..14 {
            page.press(&key::TAB.to_string()).unwrap();
            let ring = page.run(
                "const at = document.activeElement, style = element => getComputedStyle(element);
                 if (at === document.body) return null;
                 const around = at.closest('.field, .go-to') ?? at;
                 const has = style(at).outlineStyle !== 'none' || style(around).boxShadow !== 'none'
                     || style(at.querySelector('.is-active') ?? at).boxShadow !== 'none';
                 return [has, at.getAttribute('aria-label') || at.innerText || at.title, at.outerHTML.slice(0, 200)]",
                &[],
            );
            let ring = ring.unwrap();
            if ring.is_null() {
                continue;
            }
            assert_eq!(ring[0], json!(true), "no ring: {ring}");
            assert!(ring[1].as_str().is_some_and(|name| !name.trim().is_empty()), "no name: {ring}");
            seen += 1;
        }
        assert!(seen >= 12, "{seen}");
    }
}
