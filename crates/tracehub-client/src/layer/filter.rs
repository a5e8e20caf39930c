//! Which spans and events the layer wants: decided once for each place in the code, without a look at other layers.

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};

/// The client, and what it sends through. What they do on the client's thread is left out anyway; but a host that uses
/// them too would fill its chains with what is none of its own.
const OWN_TARGETS: [&str; 13] = [
    "tracehub_client",
    "h2",
    "hickory_proto",
    "hickory_resolver",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "mio",
    "reqwest",
    "rustls",
    "tokio",
    "tokio_util",
    "tower",
];

#[derive(Debug, Clone)]
pub(super) struct SpanFilter {
    is_on: bool,
    level: LevelFilter,
    marks: bool,
    /// Empty: all.
    included: Vec<String>,
    excluded: Vec<String>,
}

impl SpanFilter {
    pub(super) fn new(is_on: bool) -> Self {
        let excluded = OWN_TARGETS.map(str::to_owned).into();
        Self { is_on, level: LevelFilter::INFO, marks: false, included: Vec::new(), excluded }
    }

    pub(super) fn set_level(&mut self, level: LevelFilter) {
        self.level = level;
    }

    pub(super) fn set_marks(&mut self, on: bool) {
        self.marks = on;
    }

    pub(super) fn include(&mut self, target: String) {
        self.included.push(target);
    }

    pub(super) fn exclude(&mut self, target: String) {
        self.excluded.push(target);
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        self.is_on
            && (metadata.is_span() || self.marks && metadata.is_event())
            && self.wants_target(*metadata.level(), metadata.target())
    }

    fn wants_target(&self, level: Level, target: &str) -> bool {
        let lies_in = |prefixes: &[String]| prefixes.iter().any(|prefix| is_within(target, prefix));
        level <= self.level && (self.included.is_empty() || lies_in(&self.included)) && !lies_in(&self.excluded)
    }
}

/// Whether a target is `prefix` or lies in it: the prefix must end where a name ends.
fn is_within(target: &str, prefix: &str) -> bool {
    let is_of_name = |character: char| character.is_alphanumeric() || character == '_';
    target
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || !prefix.ends_with(is_of_name) || !rest.starts_with(is_of_name))
}

impl<S> Filter<S> for SpanFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.is_on { self.level } else { LevelFilter::OFF })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_name_ends() {
        for (target, prefix, expected) in [
            ("shop", "shop", true),
            ("shop::orders", "shop", true),
            ("shop.orders", "shop", true),
            ("shopping", "shop", false),
            ("tower_http::trace", "tower", false),
            ("shop::orders", "shop::", true),
            ("shop", "shop::orders", false),
            ("anything", "", true),
        ] {
            assert_eq!(is_within(target, prefix), expected, "{target} in {prefix}");
        }
    }

    #[test]
    fn what_is_excluded_is_out_even_if_it_is_included() {
        let mut filter = SpanFilter::new(true);
        assert!(filter.wants_target(Level::INFO, "shop") && filter.wants_target(Level::ERROR, "shop"));
        assert!(!filter.wants_target(Level::DEBUG, "shop"));
        filter.set_level(LevelFilter::DEBUG);
        filter.include("shop".to_owned());
        filter.include("hyper".to_owned());
        filter.exclude("shop::noise".to_owned());
        assert!(filter.wants_target(Level::DEBUG, "shop::orders"));
        for target in ["other", "shop::noise", "shop::noise::deep", "hyper", "hyper::client", "tracehub_client"] {
            assert!(!filter.wants_target(Level::ERROR, target), "{target}");
        }
        filter.set_level(LevelFilter::OFF);
        assert!(!filter.wants_target(Level::ERROR, "shop"));
    }
}
