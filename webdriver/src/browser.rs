//! What a test says to the browser: go there, click this, wait until that.

use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::error::DriveError;
use crate::http::request;
use crate::process::Driver;

/// How long an element may take to appear before a click on it fails.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a wait looks.
const STEP: Duration = Duration::from_millis(20);
/// What the protocol calls a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// As few of the browser's own ways as possible: no background requests, nothing shared with other runs, and nothing that
/// needs what a container lacks (a sandbox as root, a large /dev/shm, a graphics card).
const ARGUMENTS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

/// Keys that are no letters, as the protocol writes them.
pub mod key {
    /// Enter.
    pub const ENTER: char = '\u{e007}';
    /// Escape.
    pub const ESCAPE: char = '\u{e00c}';
    /// Tabulator.
    pub const TAB: char = '\u{e004}';
}

/// A running Chromium with one window. Dropped, it ends.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
    session: String,
}

/// The selector of what a page names for tests.
#[must_use]
pub fn testid(name: &str) -> String {
    format!("[data-testid=\"{name}\"]")
}

impl Browser {
    /// Starts a browser with an empty profile.
    ///
    /// # Errors
    /// [`DriveError`], when it is not installed or does not come up.
    pub fn start() -> Result<Self, DriveError> {
        // The driver's guardian deletes it: also when this process is killed.
        let folder = tempfile::tempdir().map_err(DriveError::Start)?.keep();
        let driver = Driver::start(&folder)?;
        let mut arguments: Vec<String> = ARGUMENTS.iter().map(ToString::to_string).collect();
        arguments.push(format!("--user-data-dir={}", folder.join("profile").display()));
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let mut browser = Self { driver, session: String::new() };
        let answer = browser.ask("POST", "/session", Some(&capabilities))?;
        browser.session = format!("/session/{}", answer["sessionId"].as_str().unwrap_or_default());
        browser.developer("Performance.enable", &json!({"timeDomain": "threadTicks"}))?;
        Ok(browser)
    }

    /// Makes the window like new: no page, no cookies, no emulation, an empty log.
    pub fn reset(&self) -> Result<(), DriveError> {
        self.open("about:blank")?;
        self.developer("Network.clearBrowserCookies", &json!({}))?;
        self.media(&[])?;
        self.size(1280, 800)?;
        self.complaints()?;
        Ok(())
    }

    /// Goes to an address and waits until it has loaded.
    pub fn open(&self, url: &str) -> Result<(), DriveError> {
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    /// Loads the page again.
    pub fn reload(&self) -> Result<(), DriveError> {
        self.post("/refresh", &json!({})).map(drop)
    }

    /// The address that the window shows.
    pub fn url(&self) -> Result<String, DriveError> {
        let url = self.ask("GET", &format!("{}/url", self.session), None)?;
        Ok(url.as_str().unwrap_or_default().to_owned())
    }

    /// Runs a script in the page: the body of a function that returns something.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Result<Value, DriveError> {
        self.post("/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// Runs a script that calls `done(value)` at its end.
    pub fn run_until_done(&self, script: &str) -> Result<Value, DriveError> {
        let script = format!("const done = arguments[arguments.length - 1];\n{script}");
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true in the page; gives what it is then.
    pub fn wait_until(&self, condition: &str, within: Duration) -> Result<Value, DriveError> {
        let deadline = Instant::now() + within;
        loop {
            let value = self.run(&format!("return {condition}"), &[])?;
            if !matches!(value, Value::Null | Value::Bool(false)) && value != json!(0) && value != json!("") {
                return Ok(value);
            }
            if Instant::now() > deadline {
                let page = self.run("return document.body.innerText.slice(0, 1500)", &[])?;
                let page = page.as_str().unwrap_or_default().to_owned();
                return Err(DriveError::Timeout { condition: condition.to_owned(), within, page });
            }
            thread::sleep(STEP);
        }
    }

    /// Waits until a selector finds something that is drawn.
    pub fn wait_for(&self, selector: &str) -> Result<(), DriveError> {
        let condition = format!("document.querySelector({})?.checkVisibility()", json!(selector));
        self.wait_until(&condition, PATIENCE).map(drop)
    }

    /// How many elements a selector finds.
    pub fn count(&self, selector: &str) -> Result<usize, DriveError> {
        let count = self.run("return document.querySelectorAll(arguments[0]).length", &[json!(selector)])?;
        Ok(count.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
    }

    /// The text of the first element that a selector finds; empty if there is none.
    pub fn text(&self, selector: &str) -> Result<String, DriveError> {
        let text = self.run("return document.querySelector(arguments[0])?.innerText", &[json!(selector)])?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Clicks the first element that a selector finds, as a person would: it must be there, drawn and not covered.
    pub fn click(&self, selector: &str) -> Result<(), DriveError> {
        let element = self.find(selector)?;
        self.post(&format!("/element/{element}/click"), &json!({})).map(drop)
    }

    /// Types into an element in the place of what it holds.
    pub fn fill(&self, selector: &str, text: &str) -> Result<(), DriveError> {
        let element = self.find(selector)?;
        self.post(&format!("/element/{element}/clear"), &json!({}))?;
        self.post(&format!("/element/{element}/value"), &json!({ "text": text })).map(drop)
    }

    /// Chooses the option of a `select` that has this value.
    pub fn choose(&self, selector: &str, value: &str) -> Result<(), DriveError> {
        self.click(&format!("{selector} option[value={}]", json!(value)))
    }

    /// Presses keys one after the other, wherever the focus is.
    pub fn press(&self, keys: &str) -> Result<(), DriveError> {
        let strokes = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() })));
        let strokes: Vec<Value> = strokes.collect();
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]})).map(drop)
    }

    /// Makes the page so large, in CSS pixels, however small a window may be.
    pub fn size(&self, width: u32, height: u32) -> Result<(), DriveError> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.developer("Emulation.setDeviceMetricsOverride", &metrics).map(drop)
    }

    /// Says what the person prefers, such as `("prefers-color-scheme", "dark")`; nothing takes it back.
    pub fn media(&self, features: &[(&str, &str)]) -> Result<(), DriveError> {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.developer("Emulation.setEmulatedMedia", &json!({ "features": features })).map(drop)
    }

    /// Has the page tell times as they are in a time zone, such as `UTC`.
    pub fn time_zone(&self, name: &str) -> Result<(), DriveError> {
        self.developer("Emulation.setTimezoneOverride", &json!({ "timezoneId": name })).map(drop)
    }

    /// The window as a PNG.
    pub fn screenshot(&self) -> Result<Vec<u8>, DriveError> {
        let path = format!("{}/screenshot", self.session);
        let picture = self.ask("GET", &path, None)?;
        let decoded = base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap_or_default());
        decoded.map_err(|err| refused(&path, "no picture", err.to_string()))
    }

    /// What the page's console complained of since the last time: errors, refusals of its security policy.
    pub fn complaints(&self) -> Result<Vec<String>, DriveError> {
        let log = self.post("/se/log", &json!({ "type": "browser" }))?;
        let lines = log.as_array().into_iter().flatten().filter(|line| line["level"] == "SEVERE");
        Ok(lines.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// The processor's time that the page's main thread has taken so far, in milliseconds: what the page costs, however busy
    /// the machine is with other things.
    pub fn main_thread_ms(&self) -> Result<f64, DriveError> {
        let metrics = self.developer("Performance.getMetrics", &json!({}))?;
        let metrics = metrics["metrics"].as_array().into_iter().flatten();
        let seconds =
            metrics.filter(|metric| metric["name"] == "TaskDuration").find_map(|metric| metric["value"].as_f64());
        seconds.map(|seconds| seconds * 1_000.0).ok_or_else(|| refused("Performance.getMetrics", "no TaskDuration", ""))
    }

    /// The cookies of the page, those too that no script can read.
    pub fn cookies(&self) -> Result<Vec<Value>, DriveError> {
        let cookies = self.ask("GET", &format!("{}/cookie", self.session), None)?;
        Ok(cookies.as_array().cloned().unwrap_or_default())
    }

    /// Waits for an element; gives its reference.
    fn find(&self, selector: &str) -> Result<String, DriveError> {
        self.wait_until(&format!("document.querySelector({}) !== null", json!(selector)), PATIENCE)?;
        let element = self.post("/element", &json!({ "using": "css selector", "value": selector }))?;
        Ok(element[ELEMENT].as_str().unwrap_or_default().to_owned())
    }

    /// A command of the developer tools, for what the protocol has no word for.
    fn developer(&self, command: &str, parameters: &Value) -> Result<Value, DriveError> {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, DriveError> {
        self.ask("POST", &format!("{}{path}", self.session), Some(body))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, DriveError> {
        let body = body.map(Value::to_string);
        let answer = request(&self.driver.address, method, path, body.as_deref());
        let answer = answer.map_err(|source| DriveError::Connection {
            command: path.to_owned(),
            address: self.driver.address.clone(),
            source,
        })?;
        let mut value: Value =
            serde_json::from_str(&answer.body).map_err(|err| refused(path, "no JSON", err.to_string()))?;
        let value = value["value"].take();
        match value["error"].as_str() {
            Some(error) if answer.status != 200 => {
                let message = value["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
                Err(refused(path, error, message))
            }
            _ => Ok(value),
        }
    }
}

fn refused(command: &str, error: &str, message: impl Into<String>) -> DriveError {
    DriveError::Refused { command: command.to_owned(), error: error.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "data:text/html,<button data-testid=a onclick=\"this.append('!');console.error('oh')\">a</button>\
                        <input onkeydown=\"document.title=event.key\">";

    #[test]
    fn a_page_is_driven_and_nothing_is_left() {
        let browser = Browser::start().unwrap();
        let folder = browser.driver.folder.clone();
        browser.reset().unwrap();
        browser.open(PAGE).unwrap();
        browser.wait_for(&testid("a")).unwrap();
        browser.click(&testid("a")).unwrap();
        assert_eq!(browser.text(&testid("a")).unwrap(), "a!");
        assert!(browser.complaints().unwrap().iter().any(|line| line.contains("oh")));
        browser.fill("input", "text").unwrap();
        browser.press("x").unwrap();
        assert_eq!(
            browser.run("return [document.title, document.querySelector('input').value]", &[]).unwrap(),
            json!(["x", "textx"])
        );
        browser.size(360, 740).unwrap();
        browser.media(&[("prefers-color-scheme", "dark")]).unwrap();
        let seen = browser.run("return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]", &[]).unwrap();
        assert_eq!(seen, json!([360, true]));
        assert!(browser.screenshot().unwrap().starts_with(b"\x89PNG"));
        browser.run("addEventListener('pointerup', event => document.title = event.clientX)", &[]).unwrap();
        browser.drag("body", 0.1, 0.5).unwrap();
        browser.point_at("body", (0.9, 0.5)).unwrap();
        let dropped = browser.run("return Number(document.title)", &[]).unwrap().as_f64().unwrap();
        assert!((150.0..210.0).contains(&dropped), "{dropped}");
        let before = browser.main_thread_ms().unwrap();
        browser.run("const end = performance.now() + 50; while (performance.now() < end);", &[]).unwrap();
        assert!(browser.main_thread_ms().unwrap() > before);
        let timeout = browser.wait_until("document.title === 'y'", Duration::ZERO).unwrap_err();
        assert!(timeout.to_string().contains("'y'"), "{timeout}");
        assert!(matches!(browser.run("throw 1", &[]), Err(DriveError::Refused { .. })));
        drop(browser);
        assert!(!folder.exists());
    }
}
