//! Other senders, set up as their documentation says, with exporters that count and discard.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use sentry::protocol::{EnvelopeItem, ItemContainer, Log, LogAttribute, LogLevel, Map};
use sentry::transports::{RateLimiter, StdTransportThread, StdTransportThreadOptions};
use sentry::{ClientInitGuard, ClientOptions, Envelope, Hub, Transport, TransportFactory, TransportOptions};

use super::event::{ENDPOINT, Fate, NAME, OPERATION, Order, Sender};

/// How long a flush may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many events an exporter was given.
type Count = Arc<AtomicU64>;

/// OpenTelemetry's tracer with the batch span processor; an event is a span that ends at once.
#[derive(Debug)]
pub(super) struct OpenTelemetry {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    count: Count,
}

#[derive(Debug)]
struct CountingExporter(Count);

impl SpanExporter for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.fetch_add(batch.len() as u64, Ordering::Release);
        Ok(())
    }
}

impl OpenTelemetry {
    #[expect(clippy::unnecessary_wraps, reason = "all senders start the same way")]
    pub(super) fn start() -> Result<Self> {
        let count = Count::default();
        let provider = SdkTracerProvider::builder().with_batch_exporter(CountingExporter(Arc::clone(&count))).build();
        Ok(Self { tracer: provider.tracer(NAME), provider, count })
    }

    fn send(&self, attributes: Vec<KeyValue>) {
        drop(self.tracer.build(SpanBuilder::from_name(NAME).with_attributes(attributes)));
    }
}

impl Sender for OpenTelemetry {
    fn send_bare(&self, correlation_id: &str) {
        self.send(vec![
            KeyValue::new("correlation_id", correlation_id.to_owned()),
            KeyValue::new("operation", OPERATION),
            KeyValue::new("endpoint", ENDPOINT),
        ]);
    }

    fn send_with_data(&self, correlation_id: &str, order: &Order) {
        self.send(vec![
            KeyValue::new("correlation_id", correlation_id.to_owned()),
            KeyValue::new("operation", OPERATION),
            KeyValue::new("endpoint", ENDPOINT),
            KeyValue::new("items", i64::from(order.items)),
            KeyValue::new("customer", order.customer),
            KeyValue::new("paid", order.paid),
        ]);
    }

    fn settle(&self) -> Result<Fate> {
        self.provider.force_flush().context("OpenTelemetry did not flush")?;
        Ok(Fate { reached: self.count.load(Ordering::Acquire), ..Fate::default() })
    }
}

/// Sentry's client with its transport thread; an event is a structured log, the cheapest that it has.
pub(super) struct Sentry {
    guard: ClientInitGuard,
    count: Count,
}

struct CountingTransport(StdTransportThread);

impl Transport for CountingTransport {
    fn send_envelope(&self, envelope: Envelope) {
        self.0.send(envelope);
    }

    fn flush(&self, timeout: Duration) -> bool {
        self.0.flush(timeout)
    }
}

struct CountingFactory(Count);

impl TransportFactory for CountingFactory {
    fn create_transport_with_options(&self, _: TransportOptions) -> Arc<dyn Transport> {
        let count = Arc::clone(&self.0);
        let discard = move |envelope: Envelope, _: &mut RateLimiter| {
            for item in envelope.items() {
                if let EnvelopeItem::ItemContainer(ItemContainer::Logs(logs)) = item {
                    count.fetch_add(logs.len() as u64, Ordering::Release);
                }
            }
        };
        Arc::new(CountingTransport(StdTransportThreadOptions::new(discard).spawn_thread()))
    }
}

impl Sentry {
    #[expect(clippy::unnecessary_wraps, reason = "all senders start the same way")]
    pub(super) fn start() -> Result<Self> {
        let count = Count::default();
        let options = ClientOptions::new().dsn("http://key@127.0.0.1/1").transport(CountingFactory(Arc::clone(&count)));
        Ok(Self { guard: sentry::init(options), count })
    }
}

fn log(correlation_id: &str, data: impl IntoIterator<Item = (String, LogAttribute)>) {
    let mut attributes = Map::new();
    attributes.insert("correlation_id".to_owned(), correlation_id.into());
    attributes.insert("operation".to_owned(), OPERATION.into());
    attributes.insert("endpoint".to_owned(), ENDPOINT.into());
    attributes.extend(data);
    let log = Log {
        level: LogLevel::Info,
        body: NAME.to_owned(),
        trace_id: None,
        timestamp: SystemTime::now(),
        severity_number: None,
        attributes,
    };
    Hub::current().capture_log(log);
}

impl Sender for Sentry {
    fn send_bare(&self, correlation_id: &str) {
        log(correlation_id, []);
    }

    fn send_with_data(&self, correlation_id: &str, order: &Order) {
        let data = [
            ("items".to_owned(), order.items.into()),
            ("customer".to_owned(), order.customer.into()),
            ("paid".to_owned(), order.paid.into()),
        ];
        log(correlation_id, data);
    }

    fn settle(&self) -> Result<Fate> {
        self.guard.flush(Some(PATIENCE));
        Ok(Fate { reached: self.count.load(Ordering::Acquire), ..Fate::default() })
    }
}

/// Fastrace's root spans. It has one reporter for the process, so each start counts from where the last one ended.
#[derive(Debug)]
pub(super) struct Fastrace {
    before: u64,
}

static FASTRACE: OnceLock<Count> = OnceLock::new();

struct CountingReporter(Count);

impl Reporter for CountingReporter {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        self.0.fetch_add(spans.len() as u64, Ordering::Release);
    }
}

impl Fastrace {
    #[expect(clippy::unnecessary_wraps, reason = "all senders start the same way")]
    pub(super) fn start() -> Result<Self> {
        FASTRACE.get_or_init(|| {
            let count = Count::default();
            fastrace::set_reporter(CountingReporter(Arc::clone(&count)), Config::default());
            count
        });
        fastrace::flush();
        Ok(Self { before: reported() })
    }
}

fn reported() -> u64 {
    FASTRACE.get().map_or(0, |count| count.load(Ordering::Acquire))
}

/// A property's name and value.
type Property = (&'static str, Cow<'static, str>);

fn properties(correlation_id: &str) -> [Property; 3] {
    [
        ("correlation_id", correlation_id.to_owned().into()),
        ("operation", OPERATION.into()),
        ("endpoint", ENDPOINT.into()),
    ]
}

impl Sender for Fastrace {
    fn send_bare(&self, correlation_id: &str) {
        drop(fastrace::Span::root(NAME, SpanContext::random()).with_properties(|| properties(correlation_id)));
    }

    fn send_with_data(&self, correlation_id: &str, order: &Order) {
        let data = || {
            let paid = if order.paid { "true" } else { "false" };
            let data: [Property; 3] =
                [("items", order.items.to_string().into()), ("customer", order.customer.into()), ("paid", paid.into())];
            properties(correlation_id).into_iter().chain(data)
        };
        drop(fastrace::Span::root(NAME, SpanContext::random()).with_properties(data));
    }

    fn settle(&self) -> Result<Fate> {
        fastrace::flush();
        Ok(Fate { reached: reported() - self.before, ..Fate::default() })
    }
}
