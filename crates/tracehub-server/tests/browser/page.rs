//! The browser that all tests share: it takes a second to start, and only one test at a time may look at a clock.

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tracehub_webdriver::{Browser, testid};

static BROWSER: Mutex<Option<Browser>> = Mutex::new(None);

/// How long the page may take to show something, on a machine that is busy with other things too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The browser, like new, for as long as a test holds it. A test takes it before all else: what it stores for the page would
/// grow older than it thinks while it waits for the tests before it.
pub(crate) struct Page(MutexGuard<'static, Option<Browser>>);

impl Page {
    pub(crate) fn new() -> Self {
        // A test that failed has left nothing that `reset` does not put right.
        let mut browser = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
        let reset = browser.get_or_insert_with(|| Browser::start().expect("the browser starts")).reset();
        if reset.is_err() {
            // A dialog that is open refuses everything, for example.
            *browser = Some(Browser::start().expect("the browser starts again"));
        }
        Self(browser)
    }

    /// Opens an address of the server and waits for the list of chains.
    pub(crate) fn open_chains(&self, url: &str) {
        self.open(url).expect("the page loads");
        self.wait_for(&testid("chains-view")).expect("the list of chains");
    }

    /// Opens a chain as a person does: from the list.
    pub(crate) fn open_chain(&self, url: &str, id: &str) {
        self.open_chains(url);
        self.click(&row(id)).expect("the chain is listed");
        self.wait_for(&testid("chain-view")).expect("the chain");
        self.see(&format!("{} > 0", counting("call-row")));
    }

    /// Sets a filter, whether it is typed or chosen.
    pub(crate) fn set(&self, name: &str, value: &str) {
        let selector = testid(name);
        self.wait_for(&selector).expect("the filter is shown");
        let chosen = self.run("return document.querySelector(arguments[0]).tagName === 'SELECT'", &[json!(selector)]);
        let set = if chosen.is_ok_and(|chosen| chosen == true) {
            self.choose(&selector, value)
        } else {
            self.fill(&selector, value)
        };
        set.unwrap_or_else(|err| panic!("{name}: {err}"));
    }

    /// Waits until an expression is true in the page; gives what it is.
    pub(crate) fn see(&self, condition: &str) -> Value {
        self.wait_until(condition, PATIENCE).unwrap_or_else(|err| panic!("{err}"))
    }

    /// Waits until the page shows so many of what it names for tests.
    pub(crate) fn see_count(&self, name: &str, count: usize) {
        self.see(&format!("{} === {count}", counting(name)));
    }

    /// Waits until the whole text of the page has this in it.
    pub(crate) fn see_text(&self, text: &str) {
        self.see(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// The ids of the chains that are listed, from the top.
    pub(crate) fn listed(&self) -> Vec<String> {
        let rows = "return [...document.querySelectorAll('[data-testid=chain-row]')].map(row => row.dataset.id)";
        let ids = self.run(rows, &[]).expect("the rows are read");
        ids.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    }

    /// Waits until exactly these chains are listed, in whatever order.
    pub(crate) fn see_listed(&self, ids: &[&str]) {
        let mut wanted = ids.to_vec();
        wanted.sort_unstable();
        let rows = "[...document.querySelectorAll('[data-testid=chain-row]')].map(row => row.dataset.id).sort()";
        self.see(&format!("JSON.stringify({rows}) === JSON.stringify({})", json!(wanted)));
    }

    /// Has a function answer what the page asks the server from now on. It gets the path, and what really asks.
    pub(crate) fn answer_with(&self, function: &str) {
        let script = format!(
            "window.__fetch ??= window.fetch.bind(window);
            const answer = {function};
            window.fetch = (url, options) => answer(new URL(url).pathname, () => window.__fetch(url, options), options);"
        );
        self.run(&script, &[]).expect("it is a function");
    }

    /// Fails if the console has complained: an exception, or something that the security policy has refused. That a request
    /// failed is said there too, and is no fault of the page.
    pub(crate) fn assert_no_complaints(&self) {
        let complaints = self.complaints().expect("the console is read");
        let complaints: Vec<_> = complaints.iter().filter(|line| !line.contains("Failed to load resource")).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

impl Deref for Page {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        self.0.as_ref().expect("it is there from `new` on")
    }
}

/// How many times as much there is to do as the machine can do, 1 at the least: what takes a time when it is alone takes so
/// many times as long.
pub(crate) fn busy() -> f64 {
    let load = std::fs::read_to_string("/proc/loadavg").ok();
    let load = load.and_then(|text| text.split(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (load / cores as f64).max(1.0)
}

/// The selector of a listed chain.
pub(crate) fn row(id: &str) -> String {
    format!("{}[data-id={}]", testid("chain-row"), json!(id))
}

/// The expression that counts what the page names for tests.
pub(crate) fn counting(name: &str) -> String {
    format!("document.querySelectorAll('[data-testid={name}]').length")
}
