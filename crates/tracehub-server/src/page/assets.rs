//! The files of the page, taken into the binary.

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A JavaScript module.
    Module,
    /// JavaScript that runs before anything is drawn.
    Script,
    Style,
    Image,
}

/// A file of the page.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Its path in `assets/`.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) content: &'static [u8],
}

impl Asset {
    pub(crate) fn content_type(&self) -> &'static str {
        match self.kind {
            Kind::Module | Kind::Script => "text/javascript; charset=utf-8",
            Kind::Style => "text/css; charset=utf-8",
            Kind::Image => "image/svg+xml",
        }
    }
}

macro_rules! assets {
    ($($kind:ident: $($name:literal)*;)*) => {
        &[$($(Asset {
            name: $name,
            kind: Kind::$kind,
            content: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $name)),
        },)*)*]
    };
}

/// The HTML, with marks for what depends on the assets.
pub(super) const INDEX: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/page/index.html"));

/// Every file that is served; the tests see to it that none is left out.
pub(super) const ASSETS: &[Asset] = assets! {
    Image: "page/icon.svg";
    Style:
        "page/style/base.css"
        "page/style/chain.css"
        "page/style/chains.css"
        "page/style/frame.css"
        "page/style/panes.css"
        "page/style/tokens.css"
        "page/style/waterfall.css";
    Script: "page/theme-first.js";
    Module:
        "page/app.js"
        "page/base/api.js"
        "page/base/clipboard.js"
        "page/base/colours.js"
        "page/base/format.js"
        "page/base/hooks.js"
        "page/base/icons.js"
        "page/base/json-text.js"
        "page/base/keyboard.js"
        "page/base/paced.js"
        "page/base/router.js"
        "page/base/store.js"
        "page/base/stream.js"
        "page/base/theme.js"
        "page/base/use-answer.js"
        "page/base/virtual-list.js"
        "page/chain/call-row.js"
        "page/chain/calls.js"
        "page/chain/compare-picker.js"
        "page/chain/compare.js"
        "page/chain/detail.js"
        "page/chain/diagram.js"
        "page/chain/folding.js"
        "page/chain/head.js"
        "page/chain/load.js"
        "page/chain/log.js"
        "page/chain/minimap.js"
        "page/chain/model.js"
        "page/chain/not-found.js"
        "page/chain/peek.js"
        "page/chain/raw-json.js"
        "page/chain/scale.js"
        "page/chain/search.js"
        "page/chain/sequence.js"
        "page/chain/toolbar.js"
        "page/chain/use-chain.js"
        "page/chain/use-zoom.js"
        "page/chain/view.js"
        "page/chain/who.js"
        "page/chains/empty.js"
        "page/chains/filters.js"
        "page/chains/list.js"
        "page/chains/rate-history.js"
        "page/chains/rate.js"
        "page/chains/row.js"
        "page/chains/unfinished.js"
        "page/chains/view.js"
        "page/frame/banner.js"
        "page/frame/broken.js"
        "page/frame/header.js"
        "page/frame/help.js"
        "page/frame/notice.js"
        "page/frame/session.js"
        "page/frame/sign-in.js"
        "page/main.js"
        "vendor/preact-htm.js";
};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn list(folder: &Path, root: &Path, names: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                list(&path, root, names);
            } else {
                names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_file_is_served_but_for_those_that_explain() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        let mut names = Vec::new();
        list(&root, &root, &mut names);
        names.retain(|name| !["md", "txt", "html"].iter().any(|extension| name.ends_with(extension)));
        names.sort();
        let mut served: Vec<&str> = ASSETS.iter().map(|asset| asset.name).collect();
        served.sort_unstable();
        assert_eq!(served, names);
    }

    #[test]
    fn what_is_not_ours_is_what_its_note_says() {
        use sha2::{Digest as _, Sha256};

        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/vendor");
        let note = std::fs::read_to_string(folder.join("README.md")).unwrap();
        for asset in ASSETS.iter().filter(|asset| asset.name.starts_with("vendor/")) {
            let digest =
                Sha256::digest(asset.content).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
            let name = asset.name.trim_start_matches("vendor/");
            let line = note.lines().find(|line| line.contains(&format!("`{name}`"))).expect("the note names it");
            assert!(line.contains(&digest), "{name} is {digest}");
        }
        for licence in ["LICENSE-htm.txt", "LICENSE-preact.txt"] {
            assert!(note.contains(licence) && folder.join(licence).exists(), "{licence}");
        }
    }

    #[test]
    fn every_file_of_ours_says_first_what_it_is_for_and_asks_for_nothing_elsewhere() {
        for asset in ASSETS.iter().filter(|asset| asset.name.starts_with("page/") && asset.kind != Kind::Image) {
            let text = std::str::from_utf8(asset.content).unwrap();
            let opening = if asset.kind == Kind::Style { "/* " } else { "// " };
            assert!(text.starts_with(opening), "{}", asset.name);
            for word in ["http://", "https://", "innerHTML", "insertAdjacentHTML", "document.write", "eval(", "@import"]
            {
                assert!(!text.contains(word), "{} has {word}", asset.name);
            }
        }
    }
}
