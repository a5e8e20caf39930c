//! The settings of a client: defaults, ranges, and the one place that reads the environment.

use std::env;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracehub_core::redact::Redactor;

use self::knobs::{
    BATCH_SIZE, FLUSH_INTERVAL, Lookup, MAX_BYTES, QUEUE_CAPACITY, RETRY_COUNT, SPOOL_MAX_BYTES, Seconds, TIMEOUT,
    path_variable, switch, text_variable,
};
use crate::client::TraceHubClient;
use crate::complaint::{Complaint, ErrorHook};
use crate::error::BuildError;
use crate::guard::Handle;
use crate::http::{BaseUrl, Secret, URL_FORM};
use crate::transport::Transport;
use crate::trust::Trust;
use crate::worker::{self, Shared};

mod knobs;

const URL_VARIABLE: &str = "TRACEHUB_URL";
const SECRET_VARIABLE: &str = "TRACEHUB_SECRET";
const SPOOL_VARIABLE: &str = "TRACEHUB_SPOOL_DIR";
#[cfg(feature = "tls")]
const TLS_CA_VARIABLE: &str = "TRACEHUB_TLS_CA";
const CHECKPOINT_VARIABLE: &str = "CHECKPOINT_TRACING";

/// What the worker needs to know, checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) url: BaseUrl,
    pub(crate) trust: Trust,
    pub(crate) secret: Option<Secret>,
    pub(crate) batch_size: usize,
    pub(crate) flush_interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) retry_count: u32,
    pub(crate) redactor: Redactor,
    pub(crate) on_error: Option<ErrorHook>,
    pub(crate) spool: Option<SpoolSettings>,
}

/// Where entries wait on disk, and how many bytes of them.
#[derive(Debug, Clone)]
pub(crate) struct SpoolSettings {
    pub(crate) folder: PathBuf,
    pub(crate) max_bytes: u64,
}

/// Collects the settings of a [`TraceHubClient`]; [`build`](Self::build) checks them and starts the worker.
///
/// ```no_run
/// use std::time::Duration;
/// use tracehub_client::TraceHubClient;
///
/// let client = TraceHubClient::builder("http://127.0.0.1:8099")
///     .batch_size(50)
///     .timeout(Duration::from_secs(2))
///     .build()?;
/// # Ok::<(), tracehub_client::BuildError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "call build() to get the client"]
pub struct TraceHubClientBuilder {
    url: String,
    #[cfg(feature = "tls")]
    tls_ca: Option<PathBuf>,
    secret: Option<Secret>,
    batch_size: usize,
    flush_interval: Duration,
    timeout: Duration,
    retry_count: u32,
    queue_capacity: usize,
    max_bytes: usize,
    drop_deadline: Duration,
    takes_checkpoints: bool,
    redactor: Redactor,
    on_error: Option<ErrorHook>,
    spool_dir: Option<PathBuf>,
    spool_max_bytes: u64,
}

impl TraceHubClientBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            #[cfg(feature = "tls")]
            tls_ca: None,
            secret: None,
            batch_size: 10,
            flush_interval: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            retry_count: 2,
            queue_capacity: 8_192,
            max_bytes: 16 << 20,
            // What the original allowed its last flush.
            drop_deadline: Duration::from_secs(5),
            takes_checkpoints: true,
            redactor: Redactor::default(),
            on_error: None,
            spool_dir: None,
            spool_max_bytes: 256 << 20,
        }
    }

    /// Starts from the environment; what is set afterwards in code wins. Variables that are not set, or are empty,
    /// leave the default: `TRACEHUB_URL` (none: disabled), `TRACEHUB_BATCH_SIZE`, `TRACEHUB_FLUSH_INTERVAL` and
    /// `TRACEHUB_TIMEOUT` (seconds, with a fraction if need be), `TRACEHUB_RETRY_COUNT`, `TRACEHUB_SECRET`,
    /// `TRACEHUB_SPOOL_DIR`, `TRACEHUB_TLS_CA` (with the feature `tls`), and `CHECKPOINT_TRACING` (`0` switches [checkpoints](Self::checkpoints) off).
    ///
    /// # Errors
    /// [`BuildError::InvalidVariable`] names the variable, its value (but not the secret's) and what was expected.
    pub fn from_env() -> Result<Self, BuildError> {
        Self::from_lookup(&|variable| env::var_os(variable))
    }

    fn from_lookup(lookup: &Lookup<'_>) -> Result<Self, BuildError> {
        let expected_url = URL_FORM;
        let url = text_variable(URL_VARIABLE, expected_url, lookup)?.unwrap_or_default();
        if !url.is_empty()
            && let Err(problem) = BaseUrl::parse(&url)
        {
            return Err(BuildError::InvalidVariable {
                variable: URL_VARIABLE,
                value: Some(problem.url),
                expected: format!("{expected_url} ({})", problem.reason),
            });
        }
        let expected_secret = "text that an HTTP header can carry";
        let secret = text_variable(SECRET_VARIABLE, expected_secret, lookup)?.map(Secret::new);
        if secret.as_ref().is_some_and(|secret| secret.header().is_none()) {
            return Err(BuildError::InvalidVariable {
                variable: SECRET_VARIABLE,
                value: None,
                expected: expected_secret.to_owned(),
            });
        }
        let defaults = Self::new(&url);
        Ok(Self {
            #[cfg(feature = "tls")]
            tls_ca: path_variable(TLS_CA_VARIABLE, lookup),
            secret,
            batch_size: BATCH_SIZE.read(lookup)?.unwrap_or(defaults.batch_size),
            flush_interval: FLUSH_INTERVAL.read(lookup)?.map_or(defaults.flush_interval, |it| it.0),
            timeout: TIMEOUT.read(lookup)?.map_or(defaults.timeout, |it| it.0),
            retry_count: RETRY_COUNT.read(lookup)?.unwrap_or(defaults.retry_count),
            takes_checkpoints: switch(CHECKPOINT_VARIABLE, lookup)?.unwrap_or(defaults.takes_checkpoints),
            spool_dir: path_variable(SPOOL_VARIABLE, lookup),
            ..defaults
        })
    }

    /// Sets the server's address, `http://host[:port][/prefix]`, or `https` with the feature `tls`. Empty: the client is
    /// disabled.
    pub fn url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.url);
        self
    }

    /// Takes only the word of the authorities in this file of PEM certificates for the certificate of an `https` server;
    /// default: of the system's. [`build`](Self::build) reads the file.
    #[cfg(feature = "tls")]
    pub fn tls_ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls_ca = Some(file.into());
        self
    }

    /// Sets the secret, sent as `X-TraceHub-Secret`. An empty one is none, the default. It is never shown.
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        let secret = secret.into();
        self.secret = (!secret.is_empty()).then(|| Secret::new(secret));
        self
    }

    /// Sets how many waiting entries are worth a request: 1 to 10,000, default 10. Under load a request carries more,
    /// up to 500 or as many as this, and up to 256 KiB.
    pub fn batch_size(mut self, entries: usize) -> Self {
        self.batch_size = entries;
        self
    }

    /// Sets how long an entry waits for others: up to an hour, default 1 s. The worker looks every 20 ms.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// Sets how long one request may take: 1 ms to an hour, default 5 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how often a request is sent again when the server cannot be reached or is overloaded: 0 to 1,000,
    /// default 2. Then its entries are dropped.
    pub fn retry_count(mut self, retries: u32) -> Self {
        self.retry_count = retries;
        self
    }

    /// Sets how many entries may wait, those on their way included: 1 to 1,048,576, default 8,192. Enters are refused
    /// when nine tenths wait. The memory for the places (about 250 bytes each) is taken at once.
    pub fn queue_capacity(mut self, entries: usize) -> Self {
        self.queue_capacity = entries;
        self
    }

    /// Sets how many bytes of entries may wait, those on their way included: 1 KiB to 1 GiB, default 16 MiB. Enters are
    /// refused at nine tenths.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how long dropping the last handle may block to deliver what waits; default 5 s.
    pub fn drop_deadline(mut self, deadline: Duration) -> Self {
        self.drop_deadline = deadline;
        self
    }

    /// Sets whether [checkpoint loggers](crate::CheckpointLogger) log; default true. Switched off, a checkpoint costs a
    /// nanosecond. Entries that are sent by hand still go.
    pub fn checkpoints(mut self, on: bool) -> Self {
        self.takes_checkpoints = on;
        self
    }

    /// Masks the values of these keys too, in the data of every entry, before it leaves the process. A key counts if it
    /// ends with one of them, whatever its case, `_` and `-`. The [keys that are masked anyway] name passwords, tokens
    /// and the like.
    ///
    /// [keys that are masked anyway]: tracehub_core::redact::DEFAULT_KEYS
    pub fn redact<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        keys.into_iter().for_each(|key| self.redactor.add(key.as_ref()));
        self
    }

    /// Calls `hook` whenever entries are delayed, dropped or refused, on the client's own thread. It should be quick:
    /// meanwhile nothing is sent. A panic in it is caught.
    pub fn on_error(mut self, hook: impl Fn(&Complaint) + Send + Sync + 'static) -> Self {
        self.on_error = Some(ErrorHook::new(hook));
        self
    }

    /// Keeps entries in this folder until the server has them; default none. Each is on disk within some 20 ms, so that
    /// it survives an outage of the server, and an end of this process that leaves no time, `kill -9` included. (A power
    /// cut may take the last seconds: nothing is synced.) Processes may share a folder; the next one that starts sends
    /// what an ended one has left. With a spool, retries have no end. While the disk takes nothing, entries are sent from
    /// memory.
    pub fn spool_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spool_dir = Some(folder.into());
        self
    }

    /// Sets how many bytes this client may keep in the spool, those it has taken over included: 64 KiB to 1 TiB, default
    /// 256 MiB. Beyond it the oldest entries are dropped and counted. What is being sent or written right now, a megabyte
    /// at most unless single entries are larger, may come on top.
    pub fn spool_max_bytes(mut self, bytes: u64) -> Self {
        self.spool_max_bytes = bytes;
        self
    }

    /// Checks the settings and starts the worker thread. With an empty URL, gives a disabled client: no thread, and
    /// every call returns at once.
    ///
    /// # Errors
    /// [`BuildError`]; the settings are checked also when the URL is empty.
    pub fn build(self) -> Result<TraceHubClient, BuildError> {
        self.build_on(worker::connect_http)
    }

    /// The same with another wire.
    pub(crate) fn build_on<T: Transport>(
        self,
        connect: impl FnOnce(&Settings) -> io::Result<T> + Send + 'static,
    ) -> Result<TraceHubClient, BuildError> {
        BATCH_SIZE.check(self.batch_size)?;
        FLUSH_INTERVAL.check(Seconds(self.flush_interval))?;
        TIMEOUT.check(Seconds(self.timeout))?;
        RETRY_COUNT.check(self.retry_count)?;
        QUEUE_CAPACITY.check(self.queue_capacity)?;
        MAX_BYTES.check(self.max_bytes)?;
        SPOOL_MAX_BYTES.check(self.spool_max_bytes)?;
        if self.secret.as_ref().is_some_and(|secret| secret.header().is_none()) {
            return Err(BuildError::InvalidSecret);
        }
        let trust = self.trust()?;
        if self.url.is_empty() {
            return Ok(TraceHubClient::disabled());
        }
        let url = BaseUrl::parse(&self.url)
            .map_err(|problem| BuildError::InvalidUrl { url: problem.url, reason: problem.reason })?;
        let shared = Arc::new(Shared::new(self.queue_capacity, self.max_bytes));
        let settings = Settings {
            url,
            trust,
            secret: self.secret,
            batch_size: self.batch_size,
            flush_interval: self.flush_interval,
            timeout: self.timeout,
            retry_count: self.retry_count,
            redactor: self.redactor,
            on_error: self.on_error,
            spool: self.spool_dir.map(|folder| SpoolSettings { folder, max_bytes: self.spool_max_bytes }),
        };
        worker::start(&settings, Arc::clone(&shared), connect)?;
        let handle = Handle::new(shared, settings.url, self.takes_checkpoints, self.drop_deadline);
        Ok(TraceHubClient::with_worker(handle))
    }

    /// Whose word for the server's certificate is taken.
    #[cfg(feature = "tls")]
    fn trust(&self) -> Result<Trust, BuildError> {
        let Some(file) = &self.tls_ca else { return Ok(Trust::default()) };
        Trust::read(file).map_err(|source| BuildError::Authorities { file: file.clone(), source })
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same as with TLS")]
    fn trust(&self) -> Result<Trust, BuildError> {
        Ok(Trust::default())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<TraceHubClientBuilder, BuildError> {
        TraceHubClientBuilder::from_lookup(&|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn each_variable_sets_its_setting() {
        let builder = from(&[
            ("TRACEHUB_URL", "http://hub:8099/"),
            ("TRACEHUB_BATCH_SIZE", "25"),
            ("TRACEHUB_FLUSH_INTERVAL", "0.25"),
            ("TRACEHUB_TIMEOUT", "2.5"),
            ("TRACEHUB_RETRY_COUNT", "0"),
            ("TRACEHUB_SECRET", "hunter2"),
            ("TRACEHUB_SPOOL_DIR", "/var/spool/shop"),
            ("CHECKPOINT_TRACING", "off"),
        ])
        .unwrap();
        assert_eq!(builder.spool_dir.as_deref(), Some(std::path::Path::new("/var/spool/shop")));
        assert!(!builder.takes_checkpoints);
        assert_eq!(builder.url, "http://hub:8099/");
        assert_eq!(builder.batch_size, 25);
        assert_eq!(builder.flush_interval, Duration::from_millis(250));
        assert_eq!(builder.timeout, Duration::from_millis(2_500));
        assert_eq!(builder.retry_count, 0);
        assert_eq!(builder.secret, Some(Secret::new("hunter2")));
        assert!(!format!("{builder:?}").contains("hunter2"));
    }

    #[test]
    fn unset_and_empty_variables_leave_the_defaults() {
        let empty = [("TRACEHUB_URL", ""), ("TRACEHUB_BATCH_SIZE", ""), ("TRACEHUB_SECRET", "")];
        for variables in [&[][..], &empty[..]] {
            let builder = from(variables).unwrap();
            assert_eq!((builder.batch_size, builder.retry_count), (10, 2));
            assert_eq!(builder.flush_interval, Duration::from_secs(1));
            assert_eq!(builder.timeout, Duration::from_secs(5));
            assert_eq!(builder.secret, None);
            assert!(!builder.build().unwrap().is_enabled());
        }
    }

    #[test]
    fn a_bad_variable_is_named_with_its_value_and_what_was_expected() {
        const ONLY: &str =
            if cfg!(feature = "tls") { "must start with http:// or https://" } else { "must start with http://" };
        let url = format!("TRACEHUB_URL must be {URL_FORM} ({ONLY}), is \"hub:8099\"");
        let cases = [
            ("TRACEHUB_URL", "hub:8099", url.as_str()),
            ("TRACEHUB_BATCH_SIZE", "ten", "TRACEHUB_BATCH_SIZE must be a whole number from 1 to 10000, is \"ten\""),
            ("TRACEHUB_BATCH_SIZE", "0", "TRACEHUB_BATCH_SIZE must be a whole number from 1 to 10000, is \"0\""),
            (
                "TRACEHUB_FLUSH_INTERVAL",
                "nan",
                "TRACEHUB_FLUSH_INTERVAL must be a number of seconds from 0 to 3600, is \"nan\"",
            ),
            (
                "TRACEHUB_FLUSH_INTERVAL",
                "-1",
                "TRACEHUB_FLUSH_INTERVAL must be a number of seconds from 0 to 3600, is \"-1\"",
            ),
            ("TRACEHUB_TIMEOUT", "0", "TRACEHUB_TIMEOUT must be a number of seconds from 0.001 to 3600, is \"0\""),
            ("TRACEHUB_RETRY_COUNT", "-1", "TRACEHUB_RETRY_COUNT must be a whole number from 0 to 1000, is \"-1\""),
            ("TRACEHUB_SECRET", "two\nlines", "TRACEHUB_SECRET must be text that an HTTP header can carry"),
            (
                "CHECKPOINT_TRACING",
                "maybe",
                "CHECKPOINT_TRACING must be 1, true, yes, on, 0, false, no or off, is \"maybe\"",
            ),
        ];
        for (variable, value, expected) in cases {
            assert_eq!(from(&[(variable, value)]).unwrap_err().to_string(), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_is_not_unicode_is_not_repeated() {
        use std::os::unix::ffi::OsStringExt;

        let raw = |name: &str| (name == SECRET_VARIABLE).then(|| OsString::from_vec(b"hunter\xff".to_vec()));
        let err = TraceHubClientBuilder::from_lookup(&raw).unwrap_err();
        assert!(!format!("{err} {err:?}").contains("hunter"), "{err:?}");
    }

    #[test]
    fn settings_outside_their_range_are_refused_also_when_disabled() {
        let builder = || TraceHubClientBuilder::new("");
        for (builder, setting) in [
            (builder().batch_size(0), "batch_size"),
            (builder().flush_interval(Duration::MAX), "flush_interval"),
            (builder().timeout(Duration::ZERO), "timeout"),
            (builder().retry_count(1_001), "retry_count"),
            (builder().queue_capacity(0), "queue_capacity"),
            (builder().max_bytes(usize::MAX), "max_bytes"),
            (builder().spool_max_bytes(1), "spool_max_bytes"),
        ] {
            let err = builder.build().unwrap_err();
            assert!(matches!(err, BuildError::InvalidSetting { setting: named, .. } if named == setting), "{err}");
        }
        assert!(matches!(builder().secret("\n").build(), Err(BuildError::InvalidSecret)));
        let ftp = builder().url("ftp://hub").build();
        assert!(matches!(ftp, Err(BuildError::InvalidUrl { .. })));
    }
}
