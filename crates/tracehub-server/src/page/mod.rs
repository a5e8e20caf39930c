//! The page as bytes: its files, and the HTML that names them. `assets` lists them, `routes/page.rs` serves them.
//!
//! All assets lie under one folder named after the hash of everything in it, so modules import each other by relative
//! path, a browser may keep them for ever, and a page never mixes the files of two versions.

mod assets;

use std::fmt::Write as _;
use std::sync::LazyLock;

use actix_web::web::Bytes;
use sha2::{Digest as _, Sha256};

pub(crate) use self::assets::Asset;
use self::assets::{ASSETS, INDEX, Kind};

/// Hex digits of a hash in an address: enough that two versions never share a folder.
const HASH_DIGITS: usize = 16;
/// What the HTML has in place of the folder of the assets.
const FOLDER_MARK: &str = "{{assets}}";
/// What the HTML has in place of the hints that have the browser fetch all modules at once, not one after the other.
const PRELOADS_MARK: &str = "<!-- modulepreload -->";

/// The page of this program. Put together when it is first asked for: a server that nobody looks at does not need it.
pub(crate) static PAGE: LazyLock<Page> = LazyLock::new(Page::new);

/// The page, ready to be sent.
#[derive(Debug)]
pub(crate) struct Page {
    hash: String,
    html: Bytes,
    etag: String,
}

impl Page {
    /// Puts the page together.
    fn new() -> Self {
        let hash = hash_of(ASSETS.iter().flat_map(|asset| [asset.name.as_bytes(), asset.content]));
        let folder = format!("assets/{hash}");
        let preloads =
            ASSETS.iter().filter(|asset| asset.kind == Kind::Module).fold(String::new(), |mut text, asset| {
                // Writing into a string cannot fail.
                let _ = writeln!(text, "<link rel=\"modulepreload\" href=\"{folder}/{}\">", asset.name);
                text
            });
        let html = INDEX.replace(PRELOADS_MARK, preloads.trim_end()).replace(FOLDER_MARK, &folder);
        let etag = hash_of([html.as_bytes()]);
        Self { hash, html: html.into(), etag }
    }

    /// The HTML.
    pub(crate) fn html(&self) -> Bytes {
        self.html.clone()
    }

    /// The hash of the HTML.
    pub(crate) fn etag(&self) -> &str {
        &self.etag
    }

    /// An asset of this version of the page.
    pub(crate) fn asset(&self, hash: &str, name: &str) -> Option<&'static Asset> {
        ASSETS.iter().find(|asset| hash == self.hash && asset.name == name)
    }
}

/// The hash of some texts, each told from the next.
pub(crate) fn hash_of<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    let mut digits = hasher.finalize().iter().fold(String::new(), |mut digits, byte| {
        // Writing into a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    digits.truncate(HASH_DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_html_names_the_assets_of_its_version_and_holds_no_code() {
        let page = Page::new();
        let html = String::from_utf8(page.html().to_vec()).unwrap();
        assert!(!html.contains("{{") && html.contains("modulepreload"));
        let prefix = format!("assets/{}/", page.hash);
        let named: Vec<&str> = html.split([' ', '>']).filter_map(|word| attribute(word, &["src", "href"])).collect();
        for address in named.iter().filter(|address| !address.starts_with("data:")) {
            let name = address.strip_prefix(&prefix).unwrap_or_else(|| panic!("{address} is not in {prefix}"));
            assert!(page.asset(&page.hash, name).is_some(), "{name}");
        }
        assert!(named.len() > ASSETS.len() / 2);
        // The policy refuses them, so they would only look as if they worked.
        assert!(!html.contains("style=") && !html.contains("onload") && html.matches("<script").count() == 2);
        assert_eq!(html.matches("<script").count(), html.matches("<script src=").count() + 1, "one is a module");
    }

    fn attribute<'a>(word: &'a str, names: &[&str]) -> Option<&'a str> {
        let (name, value) = word.split_once('=')?;
        names.contains(&name).then(|| value.trim_matches('"'))
    }

    #[test]
    fn an_asset_is_found_by_its_hash_and_name_alone() {
        let page = Page::new();
        assert!(page.asset(&page.hash, "page/main.js").is_some());
        for (hash, name) in
            [("0", "page/main.js"), (page.hash.as_str(), "page/README.md"), (&page.hash, "../Cargo.toml")]
        {
            assert!(page.asset(hash, name).is_none(), "{hash} {name}");
        }
    }

    #[test]
    fn any_change_changes_the_hash() {
        let one = hash_of([b"ab".as_slice(), b"c"]);
        assert_eq!(one.len(), HASH_DIGITS);
        assert_ne!(one, hash_of([b"a".as_slice(), b"bc"]));
    }
}
