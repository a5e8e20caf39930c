//! Drives Chromium over the `WebDriver` protocol, for the tests of the page and for `cargo xtask screenshots`.
//!
//! `process` starts chromedriver and sees to its end, `http` speaks to it, `browser` is what a test says, `pointer` what it
//! does with a mouse, `error` what it hears. Everything blocks, and there is nothing to wait for but the browser: that needs
//! no runtime and no HTTP library, which `xtask` would have to build before its first word.

mod browser;
mod error;
mod http;
mod pointer;
mod process;

pub use self::browser::{Browser, key, testid};
pub use self::error::DriveError;
pub use self::http::{Answer, request};
