//! Spans of `tracing` as checkpoints: the layer's settings; how it works is in the files beside.

mod chain;
mod fields;
mod filter;
mod recorder;
mod state;

use std::fmt;
use std::sync::Arc;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use self::filter::SpanFilter;
use self::recorder::Recorder;
use crate::checkpoint::CheckpointLogger;

/// Turns spans of `tracing` into checkpoints; [`build`](Self::build) gives the layer.
///
/// A span is entered once, when it is first entered, and left once, when it is closed; in between its future may be
/// polled as often as it likes, on any thread. The leave carries the time of the span's *last exit*, so that a span
/// that somebody holds on to does not look long. A span that is never entered logs nothing.
///
/// | Checkpoint | From the span |
/// |---|---|
/// | operation | field `operation`, else [what is set](Self::operation), else `SPAN` |
/// | endpoint | its name |
/// | data of the enter | the fields that are known by then |
/// | data of the leave | all fields, and `busy_ms` and `idle_ms`: how long its code ran, and how long it waited |
/// | | `"panicked": true`, if a panic went through it |
///
/// The chain is that of the field `correlation_id`, of the span itself or of the nearest span around it that has one;
/// else the [current](crate::correlation::current) id; else that of the span around it; else a new one. An id has 1 to
/// 256 bytes; the field is taken for a field like others if it has not. A span stays in the chain that it was entered
/// in; an id that is recorded later counts for spans that are entered in it from then on. Spans that this layer's
/// filters leave out do not count.
///
/// Numbers and truth values stay what they are, everything else becomes text. A field has at most 8 KiB, all of a span
/// together 64 KiB and 64 in number; `omitted_fields` counts what is beyond. Keys that name secrets are
/// [masked](crate::TraceHubClientBuilder::redact) as in any checkpoint.
///
/// What the client itself does is never logged: neither what runs on its own thread, nor the spans of the HTTP stack
/// (`hyper`, `reqwest`, `tower` and what they stand on), which it may share with the host. Where nothing is logged, the
/// layer costs as much as no layer: with a disabled client, with
/// [checkpoints switched off](crate::TraceHubClientBuilder::checkpoints), and for all spans that its filters leave out,
/// unless another layer wants them. Other layers see what they saw without it.
///
/// Make the subscriber the default of the process, such as with `init()`. Where it is the default of some threads only,
/// a span whose inner spans end on another thread is not closed: the registry of `tracing-subscriber` does not find it.
///
/// ```
/// use tracehub_client::{CheckpointLayer, CheckpointLogger, TestSink};
/// use tracing::Level;
/// use tracing_subscriber::prelude::*;
///
/// #[tracing::instrument(fields(correlation_id = id))]
/// fn place_order(id: &str, items: u32) {
///     tracing::info_span!("orders.insert", operation = "DB").in_scope(|| ());
/// }
///
/// let (client, sink) = TestSink::new();
/// let layer = CheckpointLayer::new(CheckpointLogger::new(client, "MA")).level(Level::INFO).exclude("noisy::module");
/// let subscriber = tracing_subscriber::registry().with(layer.build());
///
/// tracing::subscriber::with_default(subscriber, || place_order("c1", 3));
///
/// let chain = sink.chain("c1");
/// let names: Vec<String> =
///     chain.iter().map(|it| format!("{} {} {}", it.direction(), it.operation(), it.endpoint())).collect();
/// assert_eq!(
///     names,
///     ["-> SPAN place_order", "-> DB orders.insert", "<- DB orders.insert", "<- SPAN place_order"]
/// );
/// ```
#[derive(Debug, Clone)]
#[must_use = "call build() to get the layer"]
pub struct CheckpointLayer {
    logger: CheckpointLogger,
    operation: Arc<str>,
    filter: SpanFilter,
}

impl CheckpointLayer {
    /// Spans become checkpoints of this logger's source.
    pub fn new(logger: CheckpointLogger) -> Self {
        let filter = SpanFilter::new(logger.is_enabled());
        Self { logger, operation: "SPAN".into(), filter }
    }

    /// Sets the least severe level of a span that is logged, such as `Level::DEBUG`; default `INFO`.
    pub fn level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.filter.set_level(level.into());
        self
    }

    /// Logs the spans of this target alone, and of the modules in it: `shop` means `shop` and `shop::orders`, but not
    /// `shopping`. May be called for several. Default: all targets.
    pub fn include(mut self, target: impl Into<String>) -> Self {
        self.filter.include(target.into());
        self
    }

    /// Leaves out the spans of this target, and of the modules in it, also if they are [included](Self::include). May
    /// be called for several.
    pub fn exclude(mut self, target: impl Into<String>) -> Self {
        self.filter.exclude(target.into());
        self
    }

    /// Sets the operation, at most 256 bytes, of spans without a field `operation`; default `SPAN`.
    pub fn operation(mut self, operation: &str) -> Self {
        self.operation = operation.into();
        self
    }

    /// Sets whether events become marks, by the same level and targets; default false. A mark is named by the event's
    /// level, such as `info`; its operation is `EVENT`, its endpoint the event's target, its data the event's fields,
    /// the `message` among them. An event that neither lies in a span of this layer nor finds a
    /// [current](crate::correlation::current) id belongs to no chain, and is left out.
    pub fn marks(mut self, on: bool) -> Self {
        self.filter.set_marks(on);
        self
    }

    /// The layer, for `registry().with(…)`. Add it beside others, such as one that prints: each has filters of its own.
    #[must_use]
    pub fn build<S>(self) -> impl Layer<S> + fmt::Debug + Send + Sync + 'static
    where
        S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    {
        Recorder::new(self.logger, self.operation).with_filter(self.filter)
    }
}
