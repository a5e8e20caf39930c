//! Which route a path belongs to, told without allocating: requests are counted and slow ones named by it. Whatever is no
//! route shares one place.

/// Routes whose path is always the same, those asked for most first.
const FIXED: [&str; 16] = [
    "/ingest",
    "/ingest/single",
    "/correlations",
    "/recent",
    "/stream",
    "/healthz",
    "/readyz",
    "/metrics",
    "/health",
    "/stats",
    "/compare",
    "/cleanup",
    "/login",
    "/logout",
    "/openapi.json",
    "/",
];
/// Routes whose path holds something, and what is none.
const OTHERS: [&str; 5] = [
    "/traces/{correlation_id}",
    "/traces/{correlation_id}/calls",
    "/traces/{correlation_id}/stream",
    "/assets/{hash}/{name:.*}",
    "other",
];

/// A route of this server, or none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route(usize);

impl Route {
    /// How many there are.
    pub(crate) const COUNT: usize = FIXED.len() + OTHERS.len();
    const CHAIN: Self = Self(FIXED.len());
    const CALLS: Self = Self(FIXED.len() + 1);
    const CHAIN_STREAM: Self = Self(FIXED.len() + 2);
    const ASSET: Self = Self(FIXED.len() + 3);
    const OTHER: Self = Self(FIXED.len() + 4);

    /// The route of a path.
    pub(crate) fn of(path: &str) -> Self {
        if let Some(rest) = path.strip_prefix("/traces/") {
            return match rest.split_once('/') {
                None if !rest.is_empty() => Self::CHAIN,
                Some((id, "calls")) if !id.is_empty() => Self::CALLS,
                Some((id, "stream")) if !id.is_empty() => Self::CHAIN_STREAM,
                _ => Self::OTHER,
            };
        }
        if let Some(rest) = path.strip_prefix("/assets/") {
            return if rest.contains('/') { Self::ASSET } else { Self::OTHER };
        }
        FIXED.iter().position(|fixed| *fixed == path).map_or(Self::OTHER, Self)
    }

    /// Every one.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Whether it is a route at all.
    pub(crate) fn is_known(self) -> bool {
        self != Self::OTHER
    }

    /// Whether its answers may go on for as long as somebody listens.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self.pattern(), "/stream" | "/traces/{correlation_id}/stream")
    }

    /// Its place among all.
    pub(crate) fn index(self) -> usize {
        self.0
    }

    /// The path with names for what varies.
    pub(crate) fn pattern(self) -> &'static str {
        FIXED.iter().chain(&OTHERS).nth(self.0).unwrap_or(&"other")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_is_found_by_a_path_of_it() {
        for fixed in FIXED {
            assert_eq!(Route::of(fixed).pattern(), fixed);
        }
        for (path, pattern) in [
            ("/traces/a", "/traces/{correlation_id}"),
            ("/traces/a%2Fb/calls", "/traces/{correlation_id}/calls"),
            ("/traces/a/stream", "/traces/{correlation_id}/stream"),
            ("/assets/1/page/main.js", "/assets/{hash}/{name:.*}"),
        ] {
            assert_eq!(Route::of(path).pattern(), pattern);
        }
        for path in ["", "/ingest/", "/traces", "/traces/", "/traces//calls", "/traces/a/b", "/assets/1", "*", "/etc"] {
            assert!(!Route::of(path).is_known(), "{path}");
        }
        assert_eq!(Route::of("/nowhere").pattern(), "other");
        assert_eq!(Route::all().count(), Route::COUNT);
    }
}
