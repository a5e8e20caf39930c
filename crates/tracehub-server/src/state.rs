//! What every handler may use: handles, each cheap to clone.

use std::sync::Arc;
use std::time::Instant;

use crate::access::Access;
use crate::condition::Condition;
use crate::config::Config;
use crate::extract::room::BodyRoom;
use crate::ingest::Ingest;
use crate::ingest_limit::IngestLimit;
use crate::live::admission::Admission;
use crate::live::hub::Hub;
use crate::metrics::commits::Commits;
use crate::metrics::requests::Requests;
use crate::observe::SlowRequests;
use crate::pulse::Pulse;
use crate::reader::Reader;

/// The handles of one server.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) config: Arc<Config>,
    pub(crate) ingest: Ingest,
    pub(crate) reader: Reader,
    pub(crate) hub: Arc<Hub>,
    pub(crate) condition: Arc<Condition>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) commits: Arc<Commits>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) slow: Arc<SlowRequests>,
    pub(crate) streams: Admission,
    pub(crate) access: Arc<Access>,
    pub(crate) ingest_limit: Option<Arc<IngestLimit>>,
    pub(crate) bodies: BodyRoom,
    pub(crate) started: Instant,
}
