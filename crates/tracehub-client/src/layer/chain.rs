//! Which chain a span belongs to.

use std::sync::Arc;

use tracehub_core::entry::MAX_NAME_BYTES;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::fields::Fields;
use super::state::{SpanState, States};
use crate::correlation;

/// The field whose value is the chain's id.
pub(super) const FIELD: &str = "correlation_id";

/// The id that fields name, if it may be one.
pub(super) fn named(fields: &Fields) -> Option<Arc<str>> {
    fields.name(FIELD, MAX_NAME_BYTES).map(Arc::from)
}

/// The id that is current, if an entry may have it.
pub(super) fn current() -> Option<Arc<str>> {
    correlation::current().filter(|id| !id.contains('\0'))
}

/// The chain of a span: the one that it or the nearest span around it names, else the current one, else the one of the
/// spans around it. If there is none yet, the outermost of them begins one, so that all in it share it.
pub(super) fn of_span<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, layer: u64) -> Arc<str> {
    let nearest = |found: fn(&SpanState) -> Option<Arc<str>>| {
        let ask = |around: SpanRef<'a, S>| around.extensions().get::<States>()?.of(layer).and_then(found);
        span.scope().find_map(ask)
    };
    nearest(|state| named(&state.fields))
        .or_else(current)
        .or_else(|| nearest(|state| state.chain.clone()))
        .unwrap_or_else(|| begin(span, layer))
}

fn begin<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, layer: u64) -> Arc<str> {
    let id: Arc<str> = correlation::new_id().into();
    let outermost = span.scope().last();
    let mut extensions = outermost.as_ref().map(SpanRef::extensions_mut);
    let state = extensions.as_mut().and_then(|extensions| extensions.get_mut::<States>()?.of_mut(layer));
    // Another thread may have been here first.
    state.map_or_else(|| Arc::clone(&id), |state| Arc::clone(state.chain.get_or_insert(Arc::clone(&id))))
}
