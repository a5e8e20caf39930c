//! The layer itself: what happens to a span becomes checkpoints.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tracehub_core::entry::MAX_NAME_BYTES;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::chain;
use super::fields::Fields;
use super::state::{Begun, Now, SpanState, States};
use crate::checkpoint::{CheckpointLogger, unix_ms};
use crate::item::{PAIR, Way};
use crate::worker;

/// The field whose value is the operation.
const OPERATION: &str = "operation";
/// The operation of a mark.
const EVENT: &str = "EVENT";
/// The least by which a leave is later than its enter. They share a suffix, so the time must tell them apart; a double
/// of this size still holds it.
const LEAST_MS: f64 = 0.001;

/// Never holds the lock of a span's extensions while code of the host runs, as that may come back here.
#[derive(Debug)]
pub(super) struct Recorder {
    logger: CheckpointLogger,
    operation: Arc<str>,
    /// Tells layers of this kind apart that see the same spans.
    number: u64,
}

impl Recorder {
    pub(super) fn new(logger: CheckpointLogger, operation: Arc<str>) -> Self {
        static LAYERS: AtomicU64 = AtomicU64::new(0);
        Self { logger, operation, number: LAYERS.fetch_add(1, Ordering::Relaxed) }
    }

    /// Does something to the state of a span, under its lock.
    fn with_state<'a, S: LookupSpan<'a>, R>(
        &self,
        span: &SpanRef<'a, S>,
        change: impl FnOnce(&mut SpanState) -> R,
    ) -> Option<R> {
        span.extensions_mut().get_mut::<States>()?.of_mut(self.number).map(change)
    }

    /// Logs one end of a span.
    fn log(&self, span: &str, chain: &str, begun: &Begun, fields: &Fields, is_leave: bool) {
        let names = [chain, begun.operation.as_deref().unwrap_or(&self.operation), span];
        let left = is_leave.then_some(begun);
        let data = Data { fields, left, shown: &names };
        let (way, timestamp) =
            if is_leave { (Way::Leave, begun.leave.max(begun.enter + LEAST_MS)) } else { (Way::Enter, begun.enter) };
        self.logger.log_stamped(way, begun.number, || timestamp, names, &data);
    }
}

impl<S> Layer<S> for Recorder
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if worker::is_worker() {
            return;
        }
        let fields = Fields::taken(|visitor| attributes.record(visitor));
        if let Some(span) = context.span(id) {
            States::insert(&mut span.extensions_mut(), self.number, SpanState::new(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let fields = Fields::taken(|visitor| values.record(visitor));
        if let Some(span) = context.span(id) {
            self.with_state(&span, |state| Arc::make_mut(&mut state.fields).extend(fields));
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let now = Instant::now();
        let is_worker = worker::is_worker();
        let begun = self.with_state(&span, |state| {
            let mut first = None;
            if state.begun.is_none() && !is_worker {
                let operation = state.fields.name(OPERATION, MAX_NAME_BYTES).map(Arc::from);
                let begun = Begun::new(next_pair(), operation, Now { unix_ms: unix_ms(), instant: now });
                first = Some((begun.clone(), Arc::clone(&state.fields)));
                state.begun = Some(begun);
            }
            if let Some(begun) = &mut state.begun {
                begun.enter(now, thread::panicking());
            }
            first
        });
        if let Some(Some((begun, fields))) = begun {
            let chain = chain::of_span(&span, self.number);
            self.with_state(&span, |state| state.chain = Some(Arc::clone(&chain)));
            self.log(span.name(), &chain, &begun, &fields, false);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let now = Now { unix_ms: unix_ms(), instant: Instant::now() };
        self.with_state(&span, |state| {
            if let Some(begun) = &mut state.begun {
                begun.exit(now, thread::panicking());
            }
        });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let state = States::remove(&mut span.extensions_mut(), self.number);
        if let Some(SpanState { fields, chain: Some(chain), begun: Some(begun) }) = state {
            self.log(span.name(), &chain, &begun, &fields, true);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if worker::is_worker() {
            return;
        }
        let timestamp = unix_ms();
        let fields = Fields::taken(|visitor| event.record(visitor));
        let around = || context.event_span(event).map(|span| chain::of_span(&span, self.number));
        let Some(chain) = chain::named(&fields).or_else(around).or_else(chain::current) else { return };
        let metadata = event.metadata();
        let names = [&*chain, EVENT, metadata.target()];
        let data = Data { fields: &fields, left: None, shown: &names };
        self.logger.log_stamped(mark(*metadata.level()), 0, || timestamp, names, &data);
    }
}

/// A number that no other pair of this process has.
fn next_pair() -> u64 {
    static PAIRS: AtomicU64 = AtomicU64::new(0);
    PAIR | PAIRS.fetch_add(1, Ordering::Relaxed)
}

fn mark(level: Level) -> Way {
    match level {
        Level::ERROR => Way::Error,
        Level::WARN => Way::Warn,
        Level::INFO => Way::Info,
        Level::DEBUG => Way::Debug,
        Level::TRACE => Way::Trace,
    }
}

/// Fields as an object, or null if there are none; for a leave, with what became of the span.
struct Data<'a> {
    fields: &'a Fields,
    left: Option<&'a Begun>,
    /// Chain and operation, which need not be repeated.
    shown: &'a [&'a str; 3],
}

impl Data<'_> {
    fn is_wanted(&self, field: &str) -> bool {
        let is_shown = |place: usize| self.fields.name(field, MAX_NAME_BYTES).as_deref() == Some(self.shown[place]);
        match field {
            chain::FIELD => !is_shown(0),
            OPERATION => !is_shown(1),
            // A leave has its own.
            "busy_ms" | "idle_ms" => self.left.is_none(),
            "panicked" => self.left.is_none_or(|left| !left.panicked),
            _ => true,
        }
    }
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.left.is_none() && !self.fields.is_any(|field| self.is_wanted(field)) {
            return serializer.serialize_unit();
        }
        let mut map = serializer.serialize_map(None)?;
        if let Some(left) = self.left {
            map.serialize_entry("busy_ms", &milliseconds(left.busy()))?;
            map.serialize_entry("idle_ms", &milliseconds(left.idle()))?;
            if left.panicked {
                map.serialize_entry("panicked", &true)?;
            }
        }
        self.fields.write(&mut map, |field| self.is_wanted(field))?;
        map.end()
    }
}

/// In milliseconds, to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
