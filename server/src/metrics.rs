//! What the server counts about itself, for Prometheus: how much, how long, how often refused. Labels are words of ours (route
//! templates, kinds, outcomes), never an id, a name or anything else that somebody sent, so that they are few and say nothing of
//! anybody. What does not belong here: serving them (`http::metrics`), logs.

use callout_storage::StorageFigures;
use callout_storage::jobs::JobBacklog;
use callout_sync_protocol::time::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    status: u16,
}

/// A route, for how long its answers take.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: &'static str,
}

/// What became of something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// A job that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    kind: String,
    outcome: &'static str,
}

/// A kind of jobs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: String,
}

type Outcomes = Family<OutcomeLabels, Counter>;
type Seconds = Counter<f64, AtomicU64>;

/// From a millisecond to half a minute.
const LATENCY_BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

fn latencies() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

/// The counters of one server. Cheap to count into; nothing is read until somebody scrapes.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    syncs: Outcomes,
    commands: Outcomes,
    blocks: Outcomes,
    photo_bytes: Counter,
    turn_seconds: Histogram,
    sync_refusals: Outcomes,
    sync_pauses: Counter,
    jobs: Family<JobLabels, Counter>,
    pushes: Outcomes,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("callout"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(latencies),
            syncs: Outcomes::default(),
            commands: Outcomes::default(),
            blocks: Outcomes::default(),
            photo_bytes: Counter::default(),
            turn_seconds: latencies(),
            sync_refusals: Outcomes::default(),
            sync_pauses: Counter::default(),
            jobs: Family::default(),
            pushes: Outcomes::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("http_requests", "Requests answered, by route and status", metrics.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time until an answer begins",
            Unit::Seconds,
            metrics.request_seconds.clone(),
        );
        registry.register("syncs", "Syncs answered; idle: nothing was said either way", metrics.syncs.clone());
        registry.register("commands", "Commands of phones, also repeated ones", metrics.commands.clone());
        registry.register("blocks", "Sample blocks of phones, also repeated ones", metrics.blocks.clone());
        registry.register_with_unit("photo", "Bytes of photos received", Unit::Bytes, metrics.photo_bytes.clone());
        registry.register_with_unit(
            "sync_turn_wait",
            "How long syncs waited for their turn",
            Unit::Seconds,
            metrics.turn_seconds.clone(),
        );
        registry.register("sync_refusals", "Syncs not let in, by reason", metrics.sync_refusals.clone());
        registry.register("sync_pauses", "Answers that asked a phone to stay away", metrics.sync_pauses.clone());
        registry.register("jobs", "Jobs begun, by kind and outcome", metrics.jobs.clone());
        registry.register("pushes", "Calls of the operator's push service, by outcome", metrics.pushes.clone());
        metrics
    }
}

/// Why a sync was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncRefusal {
    /// The device has too much in flight.
    InFlight,
    /// The device sends much while others wait.
    Rate,
    /// The device sent too much that could not be read.
    Rubbish,
    /// The server holds too many bytes.
    Memory,
    /// The line is too long.
    LineFull,
    /// The line did not move.
    LineSlow,
}

impl SyncRefusal {
    fn as_str(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Rate => "rate",
            Self::Rubbish => "rubbish",
            Self::Memory => "memory",
            Self::LineFull => "line_full",
            Self::LineSlow => "line_slow",
        }
    }
}

fn count(outcomes: &Outcomes, outcome: &'static str, times: usize) {
    if times > 0 {
        outcomes.get_or_create(&OutcomeLabels { outcome }).inc_by(times as u64);
    }
}

impl Metrics {
    /// An answer began. `route` is a template of the route table.
    pub fn request(&self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
        self.request_seconds.get_or_create(&RouteLabels { method, route }).observe(took.as_secs_f64());
    }

    /// A sync was answered; with how many changes.
    pub(crate) fn sync(&self, said: SyncSaid) {
        count(&self.syncs, if said.is_nothing() { "idle" } else { "busy" }, 1);
        count(&self.commands, "accepted", said.commands_accepted);
        count(&self.commands, "rejected", said.commands_rejected);
        count(&self.blocks, "stored", said.blocks_stored);
        count(&self.blocks, "quarantined", said.blocks_quarantined);
        count(&self.blocks, "refused", said.blocks_refused);
    }

    /// Bytes of a photo are safe.
    pub(crate) fn photo_bytes(&self, bytes: u64) {
        self.photo_bytes.inc_by(bytes);
    }

    /// A sync waited so long for its turn.
    pub(crate) fn turn(&self, waited: Duration) {
        self.turn_seconds.observe(waited.as_secs_f64());
    }

    /// A sync was not let in.
    pub(crate) fn sync_refused(&self, refusal: SyncRefusal) {
        count(&self.sync_refusals, refusal.as_str(), 1);
    }

    /// A phone was asked to stay away for a while.
    pub(crate) fn sync_paused(&self) {
        self.sync_pauses.inc();
    }

    /// A job ended: `done`, `failed` (it comes again) or `given_up`.
    pub(crate) fn job(&self, kind: &str, outcome: &'static str) {
        self.jobs.get_or_create(&JobLabels { kind: kind.to_owned(), outcome }).inc();
    }

    /// The push service was called.
    pub(crate) fn push(&self, outcome: &'static str) {
        count(&self.pushes, outcome, 1);
    }

    /// All of it as text, with what stands just now.
    ///
    /// # Errors
    /// None that a string could give; the encoder's type has one.
    pub fn render(&self, standing: Standing) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode_registry(&mut text, &self.registry)?;
        let mut now = Registry::with_prefix("callout");
        now.register_collector(Box::new(standing));
        prometheus_client::encoding::text::encode(&mut text, &now)?;
        Ok(text)
    }
}

/// What one sync said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SyncSaid {
    pub commands_accepted: usize,
    pub commands_rejected: usize,
    pub blocks_stored: usize,
    pub blocks_quarantined: usize,
    pub blocks_refused: usize,
    pub changes: usize,
}

impl SyncSaid {
    fn is_nothing(&self) -> bool {
        self.commands_accepted
            + self.commands_rejected
            + self.blocks_stored
            + self.blocks_quarantined
            + self.blocks_refused
            + self.changes
            == 0
    }
}

/// What stands at the moment of a scrape.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Now.
    pub now: Timestamp,
    /// Which database.
    pub backend: &'static str,
    /// What the storage did, and its connections.
    pub storage: StorageFigures,
    /// Jobs that are due; absent when the database did not answer.
    pub jobs: Option<Vec<JobBacklog>>,
    /// Who listens for wake-ups.
    pub listeners: usize,
    /// Syncs that wait for their turn.
    pub sync_waiting: usize,
    /// Syncs that may work at the same time.
    pub sync_slots: usize,
    /// Those that do.
    pub sync_working: usize,
    /// Bytes of requests held, rounded to KiB.
    pub sync_held_bytes: u64,
}

impl Standing {
    fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
        let gauge = ConstGauge::new(value);
        gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
    }

    fn count(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
    }
}

impl Collector for Standing {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        Self::gauge(encoder, "wake_up_listeners", "Phones and consoles that listen here", self.listeners as f64)?;
        Self::gauge(encoder, "sync_waiting", "Syncs that wait for their turn", self.sync_waiting as f64)?;
        Self::gauge(encoder, "sync_slots", "Syncs that may work at the same time", self.sync_slots as f64)?;
        Self::gauge(encoder, "sync_working", "Syncs that work", self.sync_working as f64)?;
        Self::gauge(encoder, "sync_held_bytes", "Bytes of requests held", self.sync_held_bytes as f64)?;
        let up = if self.jobs.is_some() { 1.0 } else { 0.0 };
        Self::gauge(encoder, "database_up", "Whether the database answered this scrape", up)?;
        let figures = &self.storage;
        let connections = f64::from(figures.connections);
        Self::gauge(encoder, "database_connections", "Open connections of the pool", connections)?;
        let idle = f64::from(figures.connections_idle);
        Self::gauge(encoder, "database_connections_idle", "Connections that nobody uses", idle)?;
        Self::count(encoder, "database_statements", "Statements sent", figures.statements)?;
        Self::count(encoder, "database_units_of_work", "Units of work begun", figures.units_of_work)?;
        Self::count(encoder, "database_reruns", "Units of work that ran again after a conflict", figures.reruns)?;
        let help = "Times that a connection was waited for, however shortly";
        Self::count(encoder, "database_connection_waits", help, figures.connection_waits)?;
        let help = "Times that no connection came free in time";
        Self::count(encoder, "database_connection_timeouts", help, figures.connection_timeouts)?;
        let waited = Seconds::default();
        waited.inc_by(figures.connection_waited_micros as f64 / 1e6);
        let help = "Time spent waiting for connections";
        waited.encode(encoder.encode_descriptor(
            "database_connection_wait",
            help,
            Some(&Unit::Seconds),
            waited.metric_type(),
        )?)?;
        let (due, ages) = (Family::<KindLabels, GaugeF64>::default(), Family::<KindLabels, GaugeF64>::default());
        for backlog in self.jobs.iter().flatten() {
            let kind = KindLabels { kind: backlog.kind.clone() };
            due.get_or_create(&kind).set(backlog.due as f64);
            let age = self.now.micros_since(backlog.oldest_run_at) as f64 / 1e6;
            ages.get_or_create(&kind).set(age.max(0.0));
        }
        let help = "Jobs that are due and not done";
        due.encode(encoder.encode_descriptor("jobs_due", help, None, due.metric_type())?)?;
        let help = "For how long the job that waits longest is due";
        ages.encode(encoder.encode_descriptor(
            "jobs_oldest_due_age",
            help,
            Some(&Unit::Seconds),
            ages.metric_type(),
        )?)?;
        let build = Family::<BuildLabels, GaugeF64>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION"), database: self.backend }).set(1.0);
        build.encode(encoder.encode_descriptor("build", "What runs here", None, build.metric_type())?)
    }
}

type GaugeF64 = prometheus_client::metrics::gauge::Gauge<f64, AtomicU64>;

/// What runs here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    database: &'static str,
}
