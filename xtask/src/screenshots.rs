//! `cargo xtask screenshots`: the pictures of the page in docs/images, from a story that is the same every time.

mod story;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tracehub_webdriver::{Browser, request, testid};

use crate::process::{Interrupt, Service, built_program, cargo, root, stage};
use crate::setup;

/// Where they go.
const FOLDER: &str = "docs/images";
/// More would make cloning the repository slow for a picture.
const MOST_BYTES: usize = 200_000;
/// How long the page may take to show something.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a picture is taken.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// What its file name ends with.
    name: &'static str,
    scheme: &'static str,
    size: (u32, u32),
}

const LIGHT: Look = Look { name: "light", scheme: "light", size: (1280, 720) };
const DARK: Look = Look { name: "dark", scheme: "dark", size: (1280, 720) };
const SMALL: Look = Look { name: "small", scheme: "light", size: (360, 740) };

/// Takes all of them.
pub(crate) fn run() -> Result<()> {
    stage("setup", setup::install)?;
    let interrupt = Interrupt::listen()?;
    stage("building the server (dev build)", || cargo(["build", "--quiet", "--package", "tracehub-server"]).run())?;
    stage("screenshots", || take_all(&interrupt))
}

fn take_all(interrupt: &Interrupt) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let database = folder.path().join("tracehub.db");
    let settings = [("TRACEHUB_PORT", "0"), ("TRACEHUB_DB", &database.to_string_lossy())];
    let server = Service::start(&built_program("tracehub-server"), &[], &settings, interrupt)?;
    let answer = request(server.address(), "POST", "/ingest", Some(&story::morning().to_string()))?;
    ensure!(answer.status == 200, "the server does not take the story: {}", answer.body);

    let browser = Browser::start()?;
    let studio = Studio { browser: &browser, url: format!("http://{}", server.address()) };
    fs::create_dir_all(root().join(FOLDER))?;
    for look in [LIGHT, DARK, SMALL] {
        browser.reset()?;
        browser.time_zone("UTC")?;
        browser.size(look.size.0, look.size.1)?;
        browser.media(&[("prefers-color-scheme", look.scheme), ("prefers-reduced-motion", "reduce")])?;
        interrupt.check()?;
        studio.chains()?;
        studio.take("chains", look)?;
        studio.chain(story::HUNG)?;
        studio.take("chain", look)?;
        if look.name == SMALL.name {
            continue;
        }
        studio.details(story::SLOW)?;
        studio.take("details", look)?;
        studio.tab("log", story::HUNG)?;
        studio.take("log", look)?;
        studio.tab("sequence", story::GOOD)?;
        studio.take("sequence", look)?;
        studio.comparison(story::GOOD, story::SLOW)?;
        studio.take("comparison", look)?;
        studio.json(story::GOOD)?;
        studio.take("json", look)?;
        studio.hosts(story::HUNG)?;
        studio.take("hosts", look)?;
    }
    drop(browser);
    server.end()
}

/// The browser, and where the page is.
struct Studio<'a> {
    browser: &'a Browser,
    url: String,
}

impl Studio<'_> {
    fn chains(&self) -> Result<()> {
        self.browser.open(&self.url)?;
        self.see("document.querySelectorAll('[data-testid=chain-row]').length > 3")
    }

    fn chain(&self, order: u32) -> Result<()> {
        self.chains()?;
        self.browser.click(&row(order))?;
        self.see("document.querySelectorAll('[data-testid=call-row]').length > 3")
    }

    /// The slowest call's details.
    fn details(&self, order: u32) -> Result<()> {
        self.chain(order)?;
        self.browser.run("document.querySelectorAll('[data-testid=call-row]')[4].click()", &[])?;
        Ok(self.browser.wait_for(&testid("detail"))?)
    }

    fn tab(&self, name: &str, order: u32) -> Result<()> {
        self.chain(order)?;
        Ok(self.browser.click(&testid(&format!("tab-{name}")))?)
    }

    fn json(&self, order: u32) -> Result<()> {
        self.chain(order)?;
        self.browser.click(&testid("raw-json"))?;
        self.see("document.querySelectorAll('.json-line').length > 10")
    }

    /// All sources and hosts, over the calls.
    fn hosts(&self, order: u32) -> Result<()> {
        self.chain(order)?;
        self.browser.click(&testid("who"))?;
        Ok(self.browser.wait_for(&testid("who-panel"))?)
    }

    fn comparison(&self, one: u32, other: u32) -> Result<()> {
        self.chain(one)?;
        self.browser.click(&testid("compare"))?;
        let option = format!("[data-testid=compare-option][data-id=\"{}\"]", story::id(other));
        self.see(&format!("document.querySelector({}) !== null", json!(option)))?;
        self.browser.click(&option)?;
        Ok(self.browser.wait_for(&testid("comparison"))?)
    }

    fn see(&self, condition: &str) -> Result<()> {
        self.browser.wait_until(condition, PATIENCE)?;
        Ok(())
    }

    /// Writes a picture of what is shown.
    fn take(&self, view: &str, look: Look) -> Result<()> {
        // No pointer over a row, no ring around it, and everything that moves has come to rest.
        self.browser.run_until_done(
            "document.activeElement.blur(); Promise.all(document.getAnimations().map(each => each.finished.catch(() => {})))\
             .then(() => requestAnimationFrame(() => setTimeout(done, 300)))",
        )?;
        let name = format!("{FOLDER}/{view}-{}.png", look.name);
        let picture = self.browser.screenshot()?;
        ensure!(picture.len() < MOST_BYTES, "{name} has {} bytes, more than {MOST_BYTES}", picture.len());
        fs::write(root().join(Path::new(&name)), &picture).with_context(|| format!("cannot write {name}"))?;
        eprintln!("    {name}: {} kB", picture.len() / 1000);
        Ok(())
    }
}

fn row(order: u32) -> String {
    format!("{}[data-id=\"{}\"]", testid("chain-row"), story::id(order))
}
