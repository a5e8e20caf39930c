//! What a listener wants to hear of.

use std::sync::Arc;

use tracehub_core::EntryRef;
use tracehub_core::query::PlaceFilter;

/// What a stream is about.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// One chain.
    Chain(Arc<str>),
    /// Every chain, as far as its entries are wanted.
    All(Arc<Filter>),
}

/// Which entries are wanted. What is not given is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Filter {
    pub(crate) place: PlaceFilter,
    /// What the correlation id begins with.
    pub(crate) prefix: Option<String>,
}

impl Filter {
    pub(crate) fn wants(&self, entry: &EntryRef<'_>) -> bool {
        self.place.matches(entry)
            && self.prefix.as_deref().is_none_or(|prefix| entry.correlation_id.starts_with(prefix))
    }
}
