//! What comes while the page is open.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracehub_webdriver::{request, testid};

use crate::page::{PATIENCE, Page, busy, counting};
use crate::story::{Call, HUNG, ORDER, entries, send};
use crate::support::Server;

/// Entries a second, and for how long.
const BURST_RATE: u32 = 1_000;
const BURST_SECONDS: u32 = 3;
const BATCHES_A_SECOND: u32 = 20;
/// The longest time without a frame during a burst, on a machine that does nothing else.
const LONGEST_GAP_MS: f64 = 250.0;
/// How many bursts there are at most: what counts is what the page can do, not what else ran meanwhile.
const MOST_BURSTS: u32 = 3;
/// The most that the page's main thread may take of a second.
const MOST_MS_A_SECOND: f64 = 500.0;

#[test]
fn a_chain_appears_and_grows_without_a_reload() {
    let page = Page::new();
    let server = Server::start();
    page.open_chains(&server.url);
    page.run("window.__same = true", &[]).unwrap();
    send(&server.url, "order-1", &ORDER[..2]);
    page.see_listed(&["order-1"]);
    page.click("[data-testid=chain-row][data-id=order-1]").unwrap();
    page.see_count("call-row", 2);
    send(&server.url, "order-1", &[Call("stock", "app-2", "/stock/late", 300.0, None)]);
    page.see_count("call-row", 3);
    page.wait_for("[data-testid=call-row][data-state=unfinished]").unwrap();
    assert_eq!(page.run("return window.__same", &[]).unwrap(), json!(true), "it was not loaded again");
    page.assert_no_complaints();
}

#[tokio::test]
async fn a_paused_list_stands_still_and_goes_on() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chains(&server.url);
    page.see_listed(&["order-1"]);
    page.click(&testid("pause")).unwrap();
    server.ingest(&entries("order-2", 5.0, &HUNG)).await;
    // As long as it would have taken twice over.
    thread::sleep(Duration::from_millis(1_500));
    assert_eq!(page.listed(), ["order-1"]);
    page.click(&testid("pause")).unwrap();
    page.see_listed(&["order-1", "order-2"]);
    page.assert_no_complaints();
}

#[tokio::test]
async fn entries_that_are_older_than_the_calls_are_waited_for() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    let later = |ago: f64, data: &str| {
        let calls = [Call("till", "app-1", "/sum", 0.0, Some(1.0)), Call("till", "app-1", "/beside", 2.0, None)];
        let mut later = entries("order-1", ago, &calls);
        later[1]["data"] = json!({ "word": data });
        // Outside of all calls.
        later[2]["direction"] = json!("tick");
        later
    };
    page.open(&format!("{}/?chain=order-1&find=/orders", server.url)).unwrap();
    page.see_count("call-row", 2);
    page.answer_with(
        "async (path, ask) => {
            if (path !== '/traces/order-1') return ask();
            window.__old ??= await (await ask()).text();
            return new Response(window.__old);
        }",
    );
    // Whatever looks into entries, in turn.
    for (number, search) in ["/orders", "zz", "/sum", ""].into_iter().enumerate() {
        server.ingest(&later(5.0 - f64::from(u32::try_from(number).unwrap()), "needle")).await;
        page.see(&format!("document.querySelector('.facts')?.innerText.includes('{} entries')", 11 + 3 * number));
        page.fill(&testid("search"), if search.is_empty() { " " } else { search }).unwrap();
        page.see(&format!("(new URL(location).searchParams.get('find') ?? '').trim() === {}", json!(search)));
    }
    page.click("[data-testid=call-row]:last-child").unwrap();
    page.wait_for(&testid("detail")).unwrap();
    page.point_at("[data-testid=call-row]:last-child", (0.5, 0.5)).unwrap();
    for tab in ["tab-log", "tab-sequence"] {
        page.click(&testid(tab)).unwrap();
        page.wait_for(&format!("{}[aria-pressed=true]", testid(tab))).unwrap();
    }
    page.click(&testid("tab-calls")).unwrap();
    page.see_count("broken", 0);

    // Those that are asked for after the calls are young enough.
    page.answer_with(
        "async (path, ask) => {
            if (path === '/traces/order-1') return window.__asks > 0 ? new Response(window.__old) : ask();
            if (path !== '/traces/order-1/calls') return ask();
            window.__asks = (window.__asks ?? 0) + 1;
            return ask().finally(() => (window.__asks -= 1));
        }",
    );
    server.ingest(&later(1.0, "haystack")).await;
    page.fill(&testid("search"), "haystack").unwrap();
    page.see_count("call-row", 1);
    page.assert_no_complaints();
}

#[tokio::test]
async fn a_view_that_nobody_sees_takes_no_connection_until_it_is_seen() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chains(&server.url);
    page.see_listed(&["order-1"]);
    page.run("Object.defineProperty(document, 'hidden', { value: true, configurable: true })", &[]).unwrap();
    page.click("[data-testid=chain-row]").unwrap();
    page.see_count("call-row", ORDER.len());
    let deadline = Instant::now() + PATIENCE;
    // That the list's own has ended is seen when something is to be sent on it.
    for number in 0.. {
        server.ingest(&entries(&format!("visit-{number}"), 1.0, &HUNG)).await;
        if server.get("/stats").await.1["streams"] == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "it keeps a stream");
        thread::sleep(Duration::from_millis(100));
    }
    page.run("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))", &[]).unwrap();
    page.see("document.querySelector('.connection').classList.contains('is-live')");
    server.ingest(&entries("order-1", 1.0, &HUNG[..1])).await;
    page.see_count("call-row", ORDER.len() + 1);
    page.assert_no_complaints();
}

#[tokio::test]
async fn the_rate_line_knows_what_came_while_the_page_was_left() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chains(&server.url);
    page.see_listed(&["order-1"]);
    page.see("document.querySelector('.connection').classList.contains('is-live')");
    page.see("document.querySelector('.rate-edge') !== null");
    page.run("window.dispatchEvent(new Event('pagehide'))", &[]).unwrap();
    let burst: Vec<_> = (0..75).flat_map(|number| entries(&format!("later-{number}"), 0.0, &ORDER[..2])).collect();
    server.ingest(&burst).await;
    // The line goes by seconds.
    tokio::time::sleep(Duration::from_secs(3)).await;
    page.run("window.dispatchEvent(new Event('pageshow'))", &[]).unwrap();
    // 300 entries within half a minute.
    page.see("/at most (9|10) in a second/.test(document.querySelector('[data-testid=rate]').title)");
    page.assert_no_complaints();
}

#[tokio::test]
async fn a_burst_does_not_freeze_the_list() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chains(&server.url);
    page.see_listed(&["order-1"]);
    // Ten entries for each of so many chains.
    let batch = |batch: u32| {
        let calls: Vec<Call> =
            (0..5).map(|call| Call("load", "app-1", "/burst", f64::from(call), Some(f64::from(call) + 0.5))).collect();
        let chains = BURST_RATE / 10 / BATCHES_A_SECOND;
        (0..chains).flat_map(|chain| entries(&format!("burst-{}", batch * chains + chain), 0.0, &calls)).collect()
    };
    let bursts = withstands(&page, &server, "the list", batch);
    page.see(&format!("{} > 9", counting("chain-row")));
    // The last of them arrives too.
    let last = format!("burst-{}", bursts * BURST_RATE * BURST_SECONDS / 10 - 1);
    page.see(&format!("!!document.querySelector('[data-testid=chain-row][data-id={last}]')"));
    page.assert_no_complaints();
}

#[tokio::test]
async fn a_burst_does_not_freeze_the_chain_that_it_is_for() {
    let page = Page::new();
    let server = Server::start();
    server.ingest(&entries("order-1", 10.0, &ORDER)).await;
    page.open_chain(&server.url, "order-1");
    // Half as many calls, one after the other.
    let batch = |batch: u32| {
        let of_batch = BURST_RATE / 2 / BATCHES_A_SECOND;
        let calls = (0..of_batch).map(|call| {
            let start = 1_000.0 + f64::from(batch * of_batch + call);
            Call("load", "app-1", "/burst", start, Some(start + 0.5))
        });
        let mut entries = entries("order-1", 10.0, &calls.collect::<Vec<_>>());
        for (number, entry) in entries.iter_mut().enumerate() {
            entry["suffix"] = json!(format!("{batch} {}", number / 2));
        }
        entries
    };
    let bursts = withstands(&page, &server, "a chain", batch);
    let calls = bursts * BURST_RATE * BURST_SECONDS / 2 + 4;
    page.see(&format!(
        "document.querySelector('.facts').innerText.includes('{},{:03} calls')",
        calls / 1000,
        calls % 1000
    ));
    page.assert_no_complaints();
}

/// Sends bursts while the page draws, until it goes on drawing through one of them; gives their number.
fn withstands(page: &Page, server: &Server, view: &str, batch: impl Fn(u32) -> Vec<Value> + Sync) -> u32 {
    let batches = BURST_SECONDS * BATCHES_A_SECOND;
    let withstood = |burst: &u32| withstands_one(page, server, view, |number| batch((burst - 1) * batches + number));
    (1..=MOST_BURSTS).find(withstood).unwrap_or_else(|| panic!("{view} stood still in each of {MOST_BURSTS} bursts"))
}

/// Sends one; whether a frame came each time that one was due. Whatever else the machine does, the page itself must have been
/// quick.
#[expect(clippy::print_stdout, reason = "the figures are for whoever asks for them")]
fn withstands_one(page: &Page, server: &Server, view: &str, batch: impl Fn(u32) -> Vec<Value> + Sync) -> bool {
    let address = server.url.trim_start_matches("http://");
    let taken = || page.main_thread_ms().expect("the browser counts");
    let (busy, before) = (busy(), taken());
    let gaps = thread::scope(|scope| {
        scope.spawn(|| {
            let started = Instant::now();
            for number in 0..BURST_SECONDS * BATCHES_A_SECOND {
                let body = json!({ "traces": batch(number) }).to_string();
                let answer = request(address, "POST", "/ingest", Some(&body)).expect("the server answers");
                assert_eq!(answer.status, 200, "{}", answer.body);
                let next = Duration::from_secs(1) / BATCHES_A_SECOND * (number + 1);
                thread::sleep(next.saturating_sub(started.elapsed()));
            }
        });
        page.run_until_done(&format!("{FRAME_GAPS} frameGaps({}).then(done)", BURST_SECONDS * 1_000))
            .expect("the page goes on")
    });
    let [longest, frames] = ["longest", "frames"].map(|name| gaps[name].as_f64().expect("a number"));
    let taken = (taken() - before) / f64::from(BURST_SECONDS);
    println!(
        "{view}: {BURST_RATE} entries/s for {BURST_SECONDS} s: {frames} frames, the longest gap {longest:.0} ms, the main thread \
         took {taken:.0} ms a second (machine {busy:.1} times as busy as it can be)"
    );
    assert!(taken < MOST_MS_A_SECOND, "{view}: {taken} ms of each second");
    longest < LONGEST_GAP_MS * busy
}

/// Gives a promise of how many frames there were in a time, and the longest and the median time between two, in milliseconds.
pub(crate) const FRAME_GAPS: &str = "
const frameGaps = (milliseconds, each = () => {}) => new Promise(resolve => {
    const started = performance.now();
    let last = started, frames = 0;
    const gaps = [];
    const frame = () => {
        const now = performance.now();
        gaps.push(now - last);
        last = now;
        frames += 1;
        each(frames);
        if (now - started < milliseconds) requestAnimationFrame(frame);
        else {
            gaps.sort((a, b) => a - b);
            resolve({ longest: gaps.at(-1), median: gaps[gaps.length >> 1], frames });
        }
    };
    requestAnimationFrame(frame);
});";
