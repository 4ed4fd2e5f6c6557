//! A phone that the demo drives through the SDK's facade, behind a network that can be cut.

use super::material::Log;
use super::proxy::{Direction, Proxy};
use crate::{CommandError, CommandResult};
use callout_mobile_sdk::capture::{CaptureError, Source};
use callout_mobile_sdk::engine::{BackoffConfig, HttpRequest, HttpResponse, SyncSummary};
use callout_mobile_sdk::env::SystemEnv;
use callout_mobile_sdk::facade::{Phone, PhoneConfig, PhoneError, PhotoRequest};
use callout_mobile_sdk::import::{ImportOptions, import_reader, started_at_from_file_name};
use callout_mobile_sdk::synthetic::Complaint;
use callout_mobile_sdk::transport::http_client::{HttpClient, ServerUrl};
use callout_mobile_sdk::transport::{Traffic, Transport, TransportError};
use callout_sync_protocol::commands::{AffectedService, ContactOutcome, Findings};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::volte_walkthrough::{VolteQuestion, VolteStep};
use callout_sync_protocol::work_orders::TimeWindow;
use std::fs::File;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// The path of the sync endpoint, whose bytes are counted apart from the photos'.
const SYNC_PATH: &str = "/v1/sync";

/// The SDK's own HTTP client, with the sync endpoint's bytes counted apart.
#[derive(Debug)]
struct MeteredClient {
    client: HttpClient,
    sync_bytes: SyncBytes,
}

/// Bytes that a phone sent to the sync endpoint, HTTP's own included.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncBytes {
    /// In requests that were answered.
    pub answered: u64,
    /// In requests that the demo's network broke, and that were sent again.
    pub in_vain: u64,
}

impl Transport for MeteredClient {
    fn send(&mut self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let before = self.client.traffic().bytes_sent;
        let result = self.client.send(request);
        if request.path == SYNC_PATH {
            let sent = self.client.traffic().bytes_sent - before;
            match &result {
                Ok(_) => self.sync_bytes.answered += sent,
                Err(_) => self.sync_bytes.in_vain += sent,
            }
        }
        result
    }

    fn traffic(&self) -> Traffic {
        self.client.traffic()
    }
}

/// A tester's phone.
#[derive(Debug)]
pub struct FieldPhone {
    /// Whose it is.
    pub user_name: String,
    phone: Phone,
    network: MeteredClient,
    proxy: Proxy,
}

fn failed(what: impl std::fmt::Display) -> impl FnOnce(PhoneError) -> CommandError {
    move |error| CommandError::because(what, &error)
}

/// The visit that testers agree on: an hour from now on.
pub fn appointment(now: Timestamp) -> TimeWindow {
    TimeWindow { from: now.plus_seconds(600), until: now.plus_seconds(4_200) }
}

/// What testers find at a complaint's place.
pub fn findings(complaint: &Complaint, problem: &str) -> Findings {
    Findings {
        problem: problem.to_owned(),
        generation: complaint.generation,
        service: AffectedService::Both,
        occurs: "晚间室内 evenings, indoors".to_owned(),
        address: complaint.address_zh.clone(),
        position: Some(complaint.position),
        competitor_coverage: "联通 5G 良好，电信室内偏弱 Unicom 5G good, Telecom weak indoors".to_owned(),
        serving_sites: vec!["eNB 410200".to_owned()],
        planned_sites: vec!["规划站 P-17 planned site P-17".to_owned()],
        shareable_resources: vec!["铁塔公司灯杆 lamp post of the tower company".to_owned()],
        pressing_need: "家中能正常通话 calls that hold at home".to_owned(),
        contact_left: true,
        revisit_announced: true,
        volte: None,
    }
}

impl FieldPhone {
    /// A new phone in `folder`, whose network leads to `server`.
    ///
    /// # Errors
    /// When its store or its network cannot be made.
    pub fn new(folder: &Path, user_name: &str, server: SocketAddr) -> CommandResult<Self> {
        let proxy = Proxy::start(server).map_err(|error| CommandError::because("the demo's network", &error))?;
        let url =
            ServerUrl::parse(&proxy.url(), false).map_err(|error| CommandError::because("its address", &error))?;
        let config = PhoneConfig {
            device_name: format!("demo phone of {user_name}"),
            // Seconds would be right in the field; the demo's basement is a short one.
            backoff: BackoffConfig { first_ms: 50, maximum_ms: 200 },
            ..PhoneConfig::default()
        };
        let phone = Phone::open(folder, config, Arc::new(SystemEnv))
            .map_err(|error| CommandError::because("the phone's store", &error))?;
        let network = MeteredClient { client: HttpClient::new(url), sync_bytes: SyncBytes::default() };
        Ok(Self { user_name: user_name.to_owned(), phone, network, proxy })
    }

    /// Signs in.
    ///
    /// # Errors
    /// What the server says.
    pub fn sign_in(&mut self, password: &str) -> CommandResult {
        self.phone
            .sign_in(&mut self.network, &self.user_name, password)
            .map(drop)
            .map_err(failed(format!("{} signs in", self.user_name)))
    }

    /// One sync, without patience.
    ///
    /// # Errors
    /// The phone's own.
    pub fn try_sync(&mut self) -> Result<SyncSummary, PhoneError> {
        self.phone.sync(&mut self.network, 0, &mut |_| ())
    }

    /// One sync that must succeed.
    ///
    /// # Errors
    /// When it does not.
    pub fn sync(&mut self) -> CommandResult<SyncSummary> {
        let what = format!("{} syncs", self.user_name);
        self.try_sync().map_err(failed(what))
    }

    /// Walks into a basement: no connection from now on.
    pub fn network_cut(&self) {
        self.proxy.cut();
    }

    /// The network will break in the middle of a message.
    pub fn network_cut_after(&self, direction: Direction, bytes: u64) {
        self.proxy.restore();
        self.proxy.cut_after(direction, bytes);
    }

    /// Back in the open.
    pub fn network_restore(&self) {
        self.proxy.restore();
    }

    /// How often the network broke.
    pub fn network_cuts(&self) -> u64 {
        self.proxy.cuts()
    }

    /// Bytes sent to the sync endpoint.
    pub fn sync_bytes(&self) -> SyncBytes {
        self.network.sync_bytes
    }

    /// The facade, for what the story asks beside the field work.
    pub fn phone(&self) -> &Phone {
        &self.phone
    }

    /// Samples that this phone acknowledged to its tester: on the medium, sealed or not, sent or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn captured_samples(&self) -> CommandResult<u64> {
        Ok(self.phone.status().map_err(failed("the phone's status"))?.captures.samples)
    }

    /// Takes the order, agrees on a visit, arrives.
    ///
    /// # Errors
    /// When the rules do not allow it.
    pub fn visit(&mut self, order: WorkOrderId, complaint: &Complaint, now: Timestamp) -> CommandResult {
        let what = format!("{} visits", self.user_name);
        let acts = |phone: &mut Phone| {
            phone.accept(order)?;
            phone.contact(
                order,
                ContactOutcome::Reached,
                Some(appointment(now)),
                None,
                Some("已约好 agreed".into()),
            )?;
            phone.arrive(order, complaint.position)?;
            phone.photo_consent(order, true)?;
            Ok(())
        };
        acts(&mut self.phone).map_err(failed(what))
    }

    /// Takes the order and nothing more.
    ///
    /// # Errors
    /// When the rules do not allow it.
    pub fn accept(&mut self, order: WorkOrderId) -> CommandResult {
        self.phone.accept(order).map(drop).map_err(failed("accepting"))
    }

    /// Captures one operator's log; says how many of its samples this phone holds now.
    ///
    /// # Errors
    /// When the log cannot be read or the samples not be kept.
    pub fn capture(&mut self, order: WorkOrderId, log: &Log) -> CommandResult<u64> {
        let name = log.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let open = || File::open(&log.path).map_err(|error| CommandError::because(log.path.display(), &error));
        let source = Source::log(&*name, open()?).map_err(|error| CommandError::because(log.path.display(), &error))?;
        let phone = &mut self.phone;
        let mut session = phone.capture_begin(order, log.operator, &source).map_err(failed("capturing"))?;
        let options = ImportOptions {
            started_at: started_at_from_file_name(&name),
            skip_samples: session.source_samples_safe(),
            ..ImportOptions::default()
        };
        let mut problem: Option<CaptureError> = None;
        import_reader(BufReader::new(open()?), options, |imported| {
            if problem.is_none() {
                problem = phone.capture_push(&mut session, &imported.sample).err();
            }
        })
        .map_err(|error| CommandError::because(log.path.display(), &error))?;
        match problem {
            Some(problem) => Err(CommandError::because("capturing", &problem)),
            None => {
                phone.capture_flush(&mut session).map_err(|error| CommandError::because("capturing", &error))?;
                Ok(session.source_samples_safe())
            }
        }
    }

    /// Adds a photo.
    ///
    /// # Errors
    /// When the file is no photo, or the rules do not allow it.
    pub fn photo(&mut self, order: WorkOrderId, path: &Path, purpose: PhotoPurpose) -> CommandResult {
        self.phone.photo_add_file(order, path, PhotoRequest::new(purpose)).map(drop).map_err(failed("adding a photo"))
    }

    /// Answers the VoLTE walk where the order's template asks for it (R-TEST-4): registered, and one call of ten drops.
    fn volte_walk(&mut self, order: WorkOrderId) -> Result<(), PhoneError> {
        let template = self.phone.order(order)?.view.evidence_template;
        if !template.is_some_and(|template| template.needs_volte_walkthrough) {
            return Ok(());
        }
        while let VolteStep::Ask { question, .. } = self.phone.volte_next(order)? {
            let value = match question.question {
                VolteQuestion::SimService
                | VolteQuestion::HandsetSupport
                | VolteQuestion::SettingsOn
                | VolteQuestion::Registered
                | VolteQuestion::CallsDropped => 1,
                VolteQuestion::CallsAttempted => 10,
                VolteQuestion::CallsNotSetUp | VolteQuestion::CallsFellBack => 0,
                VolteQuestion::MosHundredths => 372,
            };
            self.phone.volte_answer(order, question.question, value)?;
        }
        Ok(())
    }

    /// Records the findings and hands the test in.
    ///
    /// # Errors
    /// When the rules do not allow it.
    pub fn submit(&mut self, order: WorkOrderId, findings: Findings) -> CommandResult {
        self.volte_walk(order).map_err(failed("the VoLTE walk"))?;
        self.phone.findings_record(order, findings).map_err(failed("recording findings"))?;
        self.phone.submit(order, Vec::new()).map(drop).map_err(failed("handing in"))
    }
}
