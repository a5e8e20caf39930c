//! What is large: a chain of ten thousand entries opens at once and scrolls like any other; a small window has room.

use serde_json::{Value, json};
use tracehub_webdriver::testid;

use crate::live::FRAME_GAPS;
use crate::page::{Page, busy, counting};
use crate::story::{HUNG, ORDER, entries, now_ms};
use crate::support::Server;

/// How long a chain may take to open: of the main thread however busy the machine is, and by the clock where it is not.
const OPEN_MS: f64 = 500.0;
/// How long it may take from nothing, by a link: the page itself must come first.
const LOAD_MS: f64 = 800.0;
/// The same for a frame while scrolling. A browser draws 60 in a second.
const FRAME_MS: f64 = 1_000.0 / 60.0;
/// Pixels for each frame: as fast as a hand throws a list, 9,000 in a second; and so fast that no row is there twice.
const HAND: u32 = 150;
const LEAP: u32 = 1_100;
/// The longest time without a frame while scrolling, on a machine that does nothing else.
const LONGEST_GAP_MS: f64 = 200.0;
/// By the clock, a timer and what else the browser does count too.
const FRAME_TOLERANCE: f64 = 1.15;
/// How often opening and scrolling are tried: what counts is what the page can do, not what else ran meanwhile.
const TRIES: usize = 3;
/// More rows than any window shows; far fewer than there are.
const MOST_ROWS: u64 = 400;

/// A chain of ten thousand entries: a root, 50 calls in it, and about a hundred in each.
fn large_chain(id: &str) -> Vec<Value> {
    let start = now_ms() - 60_000.0;
    let entry = |name: &str, number: u32, direction: &str, at: f64| {
        json!({
            "source_id": format!("service-{}", number % 7), "correlation_id": id, "timestamp": start + at,
            "suffix": number.to_string(), "direction": direction, "operation": "REST", "endpoint": name,
            "hostname": format!("host-{}", number % 3), "data": {"number": number},
        })
    };
    let mut entries = vec![entry("/root", 0, "->", 0.0)];
    for outer in 0..50_u32 {
        let begin = 1.0 + 1_000.0 * f64::from(outer);
        let number = 1 + 100 * outer;
        entries.push(entry("/outer", number, "->", begin));
        // The root and the last of them make it even.
        for inner in 0..(if outer == 49 { 98 } else { 99 }) {
            let at = begin + 1.0 + 10.0 * f64::from(inner);
            entries.push(entry("/inner", number + 1 + inner, "->", at));
            entries.push(entry("/inner", number + 1 + inner, "<-", at + 8.0));
        }
        entries.push(entry("/outer", number, "<-", begin + 995.0));
    }
    entries.push(entry("/root", 0, "<-", 50_010.0));
    entries
}

#[tokio::test]
async fn ten_thousand_entries_open_at_once_and_scroll() {
    let page = Page::new();
    let server = Server::start();
    let chain = large_chain("large");
    assert_eq!(chain.len(), 10_000);
    server.ingest(&chain).await;
    let busy = busy();
    let least = |figures: [f64; TRIES]| figures.into_iter().fold(f64::INFINITY, f64::min);
    let [mut clicked, mut taken, mut loaded] = [[0.0; TRIES]; 3];
    for turn in 0..TRIES {
        page.open_chains(&server.url);
        page.see_listed(&["large"]);
        let before = page.main_thread_ms().unwrap();
        clicked[turn] = page.run_until_done(OPEN).unwrap().as_f64().unwrap();
        taken[turn] = page.main_thread_ms().unwrap() - before;
        let address = page.url().unwrap();
        page.open("about:blank").unwrap();
        page.open(&address).unwrap();
        // Since the navigation began.
        loaded[turn] = page.see(&format!("{} > 10 && performance.now()", counting("call-row"))).as_f64().unwrap();
    }
    let [clicked, taken, loaded] = [clicked, taken, loaded].map(least);
    println!(
        "a chain of 10,000 entries: {clicked:.0} ms after the click, {taken:.0} ms of them the main thread's; {loaded:.0} ms \
         after the page was asked for (machine {busy:.1} times as busy as it can be)"
    );
    assert!(taken < OPEN_MS, "{taken} ms of the main thread");
    assert!(clicked < OPEN_MS * busy && loaded < LOAD_MS * busy, "{clicked} ms, {loaded} ms, {busy} times too busy");

    for (view, row) in [("the calls", "call-row"), ("the log", "log-row")] {
        if row == "log-row" {
            page.click(&testid("tab-log")).unwrap();
            page.see(&format!("{} > 10", counting(row)));
        }
        for (way, pixels) in [("like a hand", HAND), ("from end to end", LEAP)] {
            let smooth = (1..=TRIES).any(|_| scrolls_smoothly(&page, busy, (view, row), (way, pixels)));
            assert!(smooth, "{view} stood still {way}, {TRIES} times, on a machine {busy} times too busy");
        }
    }
    page.assert_no_complaints();
}

/// Scrolls once; whether a frame came each time that one was due. Whatever else the machine does, the page itself must have
/// been quick, and shown rows.
#[expect(clippy::print_stdout, reason = "the figures are for whoever asks for them")]
fn scrolls_smoothly(page: &Page, busy: f64, (view, row): (&str, &str), (way, pixels): (&str, u32)) -> bool {
    let before = page.main_thread_ms().expect("the browser counts");
    let scroll = format!("{FRAME_GAPS} {SCROLL} scroll('{row}', {pixels}).then(done)");
    let scrolled = page.run_until_done(&scroll).expect("it scrolls");
    let [longest, median, frames, top] =
        ["longest", "median", "frames", "top"].map(|name| scrolled[name].as_f64().expect("a number"));
    let taken = (page.main_thread_ms().expect("the browser counts") - before) / frames;
    let (rows, elements) =
        (scrolled["rows"].as_u64().expect("a number"), scrolled["elements"].as_u64().expect("a number"));
    println!(
        "{view} of 10,000 entries, scrolled {way}: {top:.0} pixels in {frames} frames, one each {median:.1} ms and \
         {longest:.0} ms at the most, each {taken:.1} ms of the main thread; {rows} rows and {elements} elements"
    );
    assert_eq!(scrolled["blank"], json!(0), "{view}: frames without a row");
    assert!(rows < MOST_ROWS, "{view}: {rows} rows at once");
    assert!(pixels != HAND || taken < FRAME_MS, "{view}: {taken} ms of the main thread for a frame");
    longest < LONGEST_GAP_MS * busy && (pixels != HAND || median < FRAME_MS * FRAME_TOLERANCE * busy)
}

/// Clicks the chain in the list; gives the time until its calls are drawn.
const OPEN: &str = "
const started = performance.now();
document.querySelector('[data-testid=chain-row][data-id=large]').click();
const look = () => document.querySelectorAll('[data-testid=call-row]').length > 10
    ? requestAnimationFrame(() => setTimeout(() => done(performance.now() - started)))
    : requestAnimationFrame(look);
look();";

/// Scrolls from the top for a moment, so many pixels for each frame, looking at each.
const SCROLL: &str = "
const scroll = async (name, pixels) => {
    const rows = () => document.querySelectorAll(`[data-testid=${name}]`);
    let box = rows()[0];
    const scrolls = element => element.scrollHeight > element.clientHeight + 100
        && /auto|scroll/.test(getComputedStyle(element).overflowY);
    while (box && !scrolls(box)) box = box.parentElement;
    box ??= document.scrollingElement;
    const end = box.scrollHeight - box.clientHeight;
    if (end < 10000) throw new Error(`there is nothing to scroll: ${end}`);
    box.scrollTop = 0;
    let most = 0, elements = 0, blank = 0;
    const gaps = await frameGaps(1200, frame => {
        most = Math.max(most, rows().length);
        elements = Math.max(elements, document.querySelectorAll('*').length);
        blank += rows().length === 0 ? 1 : 0;
        box.scrollTop = Math.min(end, frame * pixels);
    });
    return { ...gaps, rows: most, elements, blank, top: box.scrollTop };
};";

#[tokio::test]
async fn a_small_window_has_no_sideways_scroll() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1-with-an-id-that-goes-on-for-quite-a-while-0123456789abcdef", 20.0, &ORDER)).await;
    server.ingest(&entries("order-2", 10.0, &HUNG)).await;
    page.size(360, 740).unwrap();
    let fits = |place: &str| {
        let width = page.run("return document.documentElement.scrollWidth", &[]).unwrap();
        assert_eq!(width, json!(360), "{place}");
    };
    page.open_chains(&server.url);
    page.see(&format!("{} === 2", counting("chain-row")));
    fits("the list");
    page.open_chain(&server.url, "order-2");
    fits("the calls");
    page.click(&testid("who")).unwrap();
    page.wait_for(&testid("who-panel")).unwrap();
    fits("the hosts");
    page.open_chain(&server.url, "order-2");
    page.click(&testid("call-row")).unwrap();
    page.wait_for(&testid("detail")).unwrap();
    fits("the details");
    for tab in ["tab-log", "tab-sequence", "raw-json", "compare"] {
        page.open_chain(&server.url, "order-2");
        page.click(&testid(tab)).unwrap();
        fits(tab);
    }
    page.wait_for(&testid("compare-option")).unwrap();
    let height = page.run("return document.querySelector('[data-testid=compare-option]').offsetHeight", &[]).unwrap();
    assert!(height.as_f64().unwrap() < 120.0, "an id is read along, not down: {height}");
    page.click(&testid("compare-option")).unwrap();
    page.wait_for(&testid("comparison")).unwrap();
    fits("a comparison");
    page.press("?").unwrap();
    page.wait_for(&testid("help")).unwrap();
    fits("the help");
}
