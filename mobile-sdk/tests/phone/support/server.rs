//! A small server in memory: it keeps the protocol, judges by the shared rules, and fails on demand.

use super::TestEnv;
use callout_mobile_sdk::Env;
use callout_mobile_sdk::engine::{HttpRequest, HttpResponse, Method};
use callout_mobile_sdk::transport::{Traffic, Transport, TransportError};
use callout_sync_protocol::checkpoint::Checkpoint;
use callout_sync_protocol::commands::{Command, CommandBody};
use callout_sync_protocol::field_workflow::{FieldEffect, FieldFacts, RestHours, field_transition};
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::ids::{CommandId, PhotoId, UserId, WorkOrderId};
use callout_sync_protocol::photos::PhotoManifest;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::{BlockHash, block_header, block_open, block_verify};
use callout_sync_protocol::sync::{
    BlockOutcome, BlockResult, Change, CommandOutcome, CommandResult, Cursor, Directive, SyncRequest, SyncResponse,
};
use callout_sync_protocol::version::{MEDIA_TYPE, VERSIONS_HEADER};
use callout_sync_protocol::work_orders::{LeftReason, WorkOrderView};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What happens to one request.
#[derive(Clone, Debug)]
pub enum Fault {
    None,
    /// It does not arrive.
    LoseRequest,
    /// It arrives; the answer does not.
    LoseAnswer,
    /// The answer arrives without its second half.
    TruncateAnswer,
    /// Something in between answers.
    Answer(u16, &'static str, &'static [(&'static str, &'static str)]),
    /// The first half of the body arrives, and no answer (as a proxy that passes bytes on).
    CutUpload,
    /// The server knows the token no more.
    ForgetToken,
}

#[derive(Debug, Default)]
pub struct Upload {
    pub length: u64,
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
pub struct Server {
    env: Arc<TestEnv>,
    pub faults: VecDeque<Fault>,
    /// Method and path of everything that arrived.
    pub log: Vec<String>,
    pub orders: BTreeMap<WorkOrderId, WorkOrderView>,
    pub with_findings: BTreeSet<WorkOrderId>,
    feed: Vec<Change>,
    pub epoch: u64,
    pub reset_next: bool,
    /// It tells checkpoints, and looks at the phone's.
    pub has_checkpoints: bool,
    /// Added to what the checkpoint should be.
    pub checkpoint_error: u64,
    /// How often it sent a reset.
    pub resets: u64,
    /// The only protocol version that it serves, if not all.
    pub only_version: Option<u8>,
    pub changes_per_answer: usize,
    pub directives: Vec<Directive>,
    /// In the order in which they were applied or rejected; each once.
    pub commands: Vec<(Command, CommandResult)>,
    pub times_sent: BTreeMap<CommandId, u32>,
    pub blocks: BTreeMap<BlockHash, Vec<u8>>,
    pub manifests: BTreeMap<PhotoId, PhotoManifest>,
    pub uploads: BTreeMap<PhotoId, Upload>,
    /// A request with a command of this kind is answered by 422.
    pub unreadable_kind: Option<&'static str>,
    /// Every sync is answered by 422.
    pub is_unreadable: bool,
    pub refuse_photos_of: BTreeSet<PhotoId>,
    /// The next outcomes are left out of an answer.
    pub is_silent: bool,
    pub key: Option<VerifyingKey>,
    /// The keys of all devices that ever signed in.
    keys: Vec<VerifyingKey>,
    device: Option<String>,
    revoked_devices: BTreeSet<String>,
    /// A request with a command of this kind is answered by 500.
    pub failing_kind: Option<&'static str>,
    /// How often it was.
    pub times_failed: u32,
    /// A photo whose announcement is rejected is not known.
    pub is_forgetful_of_rejected_photos: bool,
    access: Option<String>,
    refresh: Option<String>,
    refresh_before: Option<String>,
    tokens_made: u32,
    pub access_lifetime_seconds: i64,
    /// Who signs in.
    pub user: u8,
    /// Who signs in instead, where it is somebody in particular.
    pub user_id: Option<UserId>,
}

fn problem(kind: ProblemType, detail: &str) -> HttpResponse {
    let body = json!({ "type": kind.uri(), "title": kind.title_en(), "status": kind.status(), "detail": detail });
    HttpResponse {
        status: kind.status(),
        headers: vec![("content-type".to_owned(), "application/problem+json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

fn plain(status: u16, headers: &[(&str, String)]) -> HttpResponse {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    HttpResponse { status, headers, body: vec![] }
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

fn base64_decode(text: &str, url_safe: bool) -> Vec<u8> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    if url_safe { URL_SAFE_NO_PAD.decode(text).unwrap() } else { STANDARD.decode(text).unwrap() }
}

impl Server {
    pub fn new(env: Arc<TestEnv>) -> Self {
        Self {
            env,
            faults: VecDeque::new(),
            log: vec![],
            orders: BTreeMap::new(),
            with_findings: BTreeSet::new(),
            feed: vec![],
            epoch: 1,
            reset_next: false,
            has_checkpoints: false,
            checkpoint_error: 0,
            resets: 0,
            only_version: None,
            changes_per_answer: 100,
            directives: vec![],
            commands: vec![],
            times_sent: BTreeMap::new(),
            blocks: BTreeMap::new(),
            manifests: BTreeMap::new(),
            uploads: BTreeMap::new(),
            unreadable_kind: None,
            is_unreadable: false,
            refuse_photos_of: BTreeSet::new(),
            is_silent: false,
            key: None,
            keys: vec![],
            device: None,
            revoked_devices: BTreeSet::new(),
            failing_kind: None,
            times_failed: 0,
            is_forgetful_of_rejected_photos: false,
            access: None,
            refresh: None,
            refresh_before: None,
            tokens_made: 0,
            access_lifetime_seconds: 900,
            user: 9,
            user_id: None,
        }
    }

    pub fn order_put(&mut self, view: WorkOrderView) {
        self.feed.push(Change::Changed { order: Box::new(view.clone()) });
        self.orders.insert(view.id, view);
    }

    /// The desks change an order.
    pub fn order_edit(&mut self, id: WorkOrderId, edit: impl FnOnce(&mut WorkOrderView)) {
        let mut view = self.orders[&id].clone();
        edit(&mut view);
        view.version += 1;
        self.order_put(view);
    }

    /// The feed begins anew with these orders.
    pub fn feed_restart(&mut self, views: Vec<WorkOrderView>) {
        self.feed.clear();
        views.into_iter().for_each(|view| self.order_put(view));
    }

    /// The order goes to somebody else.
    pub fn order_take_away(&mut self, id: WorkOrderId) {
        self.orders.remove(&id);
        self.feed.push(Change::Left { id, reason: LeftReason::Reassigned });
    }

    /// An administrator revokes the device that signed in last.
    pub fn device_revoke(&mut self) {
        self.revoked_devices.extend(self.device.clone());
        self.access = None;
    }

    pub fn session_revoke(&mut self) {
        (self.access, self.refresh, self.refresh_before) = (None, None, None);
    }

    pub fn syncs(&self) -> usize {
        self.log.iter().filter(|line| *line == "POST /v1/sync").count()
    }

    pub fn samples_received(&self) -> u64 {
        self.blocks.values().map(|bytes| u64::from(block_header(bytes).unwrap().sample_count)).sum()
    }

    fn tokens(&mut self) -> Value {
        self.tokens_made += 1;
        let access = format!("access-{}", self.tokens_made);
        let refresh = format!("refresh-{}", self.tokens_made);
        let now = self.env.now();
        let answer = json!({
            "access_token": access, "access_expires_at": now.plus_seconds(self.access_lifetime_seconds),
            "refresh_token": refresh, "refresh_expires_at": now.plus_seconds(86_400),
            "session_id": WorkOrderId::NIL, "a_field_of_tomorrow": true,
            "user": { "id": self.user_id.unwrap_or(UserId::from_bytes([self.user; 16])), "display_name": "Tester", "roles": ["field_tester"] },
        });
        self.access = Some(access);
        self.refresh = Some(refresh);
        answer
    }

    fn sign_in(&mut self, request: &HttpRequest) -> HttpResponse {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if body["password"] != "correct horse" {
            return problem(ProblemType::WrongCredentials, "user name or password is wrong");
        }
        let device = body["device"]["id"].as_str().unwrap().to_owned();
        if self.revoked_devices.contains(&device) {
            return problem(ProblemType::DeviceRevoked, "this device was revoked; enrol it with a new device id");
        }
        self.device = Some(device);
        let key = base64_decode(body["device"]["public_key"].as_str().unwrap(), true);
        self.key = Some(VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap());
        self.keys.extend(self.key);
        HttpResponse { status: 200, headers: vec![], body: self.tokens().to_string().into_bytes() }
    }

    fn refresh(&mut self, request: &HttpRequest) -> HttpResponse {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let token = body["refresh_token"].as_str().unwrap();
        let is_known = [&self.refresh, &self.refresh_before].into_iter().any(|known| known.as_deref() == Some(token));
        let proof = base64_decode(body["proof"].as_str().unwrap(), true);
        let signed = format!("callout-refresh-v1\n{token}");
        let signature = Signature::from_slice(&proof).unwrap();
        if !is_known || self.key.unwrap().verify_strict(signed.as_bytes(), &signature).is_err() {
            return problem(ProblemType::SessionRevoked, "the session was ended");
        }
        if self.revoked_devices.contains(body["device_id"].as_str().unwrap()) {
            return problem(ProblemType::DeviceRevoked, "this device was revoked");
        }
        self.refresh_before = Some(token.to_owned());
        HttpResponse { status: 200, headers: vec![], body: self.tokens().to_string().into_bytes() }
    }

    fn judge(&mut self, command: &Command) -> CommandResult {
        if let Some((_, result)) = self.commands.iter().find(|(known, _)| known.id == command.id) {
            return result.clone();
        }
        let judged = match self.orders.get(&command.work_order_id) {
            None => Err(Rejection::new(ProblemType::NotAssigned, "the order is with somebody else now")),
            Some(view) => {
                let facts = FieldFacts {
                    is_assignee: true,
                    captured_at: command.captured_at,
                    utc_offset_minutes: view.utc_offset_minutes,
                    photo_consent: view.photo_consent,
                    field_test_id: view.field_test_id,
                    has_findings: self.with_findings.contains(&view.id),
                    rest_hours: RestHours::default(),
                };
                field_transition(view.state, &command.body, &facts)
            }
        };
        let result = match judged {
            Err(rejection) => CommandResult::Rejected { rejection },
            Ok(transition) => {
                self.order_edit(command.work_order_id, |view| {
                    view.state = transition.state;
                    match &command.body {
                        CommandBody::TestBegin { field_test_id } => view.field_test_id = Some(*field_test_id),
                        CommandBody::PhotoConsent { granted } => view.photo_consent = Some(*granted),
                        CommandBody::Contact { appointment, .. } => view.appointment = *appointment,
                        _ => {}
                    }
                });
                if transition.effects.contains(&FieldEffect::FindingsReplaced) {
                    self.with_findings.insert(command.work_order_id);
                }
                let view = &self.orders[&command.work_order_id];
                CommandResult::Accepted { state: view.state, version: view.version }
            }
        };
        let is_forgotten = self.is_forgetful_of_rejected_photos && matches!(result, CommandResult::Rejected { .. });
        if let CommandBody::PhotoAttach { manifest } = &command.body
            && !is_forgotten
        {
            self.manifests.insert(manifest.id, manifest.clone());
        }
        self.commands.push((command.clone(), result.clone()));
        result
    }

    /// What a phone that has the whole feed should hold.
    fn checkpoint(&self) -> Checkpoint {
        let mut scope = BTreeMap::new();
        for change in &self.feed {
            match change {
                Change::Changed { order } => scope.insert(order.id, order.version),
                Change::Left { id, .. } => scope.remove(id),
            };
        }
        Checkpoint(Checkpoint::of(scope).0.wrapping_add(self.checkpoint_error))
    }

    fn sync(&mut self, request: &HttpRequest) -> HttpResponse {
        if let Some(version) = self.only_version
            && request.body[0] != version
        {
            let mut answer = problem(ProblemType::UnsupportedVersion, "another version, please");
            answer.headers.push((VERSIONS_HEADER.to_owned(), format!("{version}-{version}")));
            return answer;
        }
        let Ok(message) = frame_decode::<SyncRequest>(&request.body) else {
            return problem(ProblemType::MalformedRequest, "not a sync message");
        };
        let is_poisoned = message.commands.iter().any(|command| Some(command.body.kind()) == self.unreadable_kind);
        if message.commands.iter().any(|command| Some(command.body.kind()) == self.failing_kind) {
            self.times_failed += 1;
            return problem(ProblemType::Internal, "something went wrong on our side");
        }
        if self.is_unreadable || is_poisoned {
            return problem(ProblemType::InvalidField, "something in it is not valid");
        }
        let outcomes = message
            .commands
            .iter()
            .map(|command| {
                *self.times_sent.entry(command.id).or_default() += 1;
                CommandOutcome { id: command.id, result: self.judge(command) }
            })
            .collect();
        let block_outcomes = message
            .blocks
            .iter()
            .map(|block| {
                let hash = callout_sync_protocol::samples::block_hash(&block.bytes);
                let result = if self.keys.iter().all(|key| block_verify(&block.bytes, key).is_err())
                    || block_open(&block.bytes).is_err()
                {
                    BlockResult::Refused { rejection: Rejection::new(ProblemType::SignatureInvalid, "not yours") }
                } else {
                    self.blocks.insert(hash, block.bytes.to_vec());
                    if self.orders.contains_key(&block.work_order_id) {
                        BlockResult::Stored {}
                    } else {
                        let detail = "the order went to somebody else";
                        BlockResult::Quarantined { rejection: Rejection::new(ProblemType::NotAssigned, detail) }
                    }
                };
                BlockOutcome { hash, result }
            })
            .collect();
        let reset = std::mem::take(&mut self.reset_next);
        let from = match message.cursor {
            Some(cursor) if cursor.epoch == self.epoch && !reset => cursor.number as usize,
            _ => 0,
        };
        let disagrees = from == self.feed.len() && message.checkpoint.is_some_and(|theirs| theirs != self.checkpoint());
        let (reset, from) = if self.has_checkpoints && disagrees { (true, 0) } else { (reset, from) };
        self.resets += u64::from(reset);
        let until = self.feed.len().min(from + self.changes_per_answer);
        let response = SyncResponse {
            server_time: self.env.now(),
            outcomes: if self.is_silent { vec![] } else { outcomes },
            block_outcomes,
            reset,
            changes: self.feed[from..until].to_vec(),
            cursor: Cursor { epoch: self.epoch, number: until as u64 },
            has_more: until < self.feed.len(),
            directives: std::mem::take(&mut self.directives),
            checkpoint: (self.has_checkpoints && until == self.feed.len()).then(|| self.checkpoint()),
        };
        HttpResponse {
            status: 200,
            headers: vec![("content-type".to_owned(), MEDIA_TYPE.to_owned())],
            body: frame_encode(&response),
        }
    }

    fn photo(&mut self, request: &HttpRequest) -> HttpResponse {
        assert_eq!(header(request, "tus-resumable"), Some("1.0.0"));
        if request.method == Method::Post {
            let metadata = header(request, "upload-metadata").unwrap().strip_prefix("photo_id ").unwrap();
            let id: PhotoId = String::from_utf8(base64_decode(metadata, false)).unwrap().parse().unwrap();
            let length = header(request, "upload-length").unwrap().parse().unwrap();
            if self.refuse_photos_of.contains(&id) {
                return problem(ProblemType::ImageInvalid, "not an image");
            }
            if !self.manifests.contains_key(&id) {
                return problem(ProblemType::NotFound, "no such photo was announced");
            }
            self.uploads.entry(id).or_insert(Upload { length, bytes: vec![] });
            return plain(201, &[("location", format!("http://elsewhere.example/v1/photo-uploads/{id}"))]);
        }
        let id: PhotoId = request.path.strip_prefix("/v1/photo-uploads/").unwrap().parse().unwrap();
        let hash = self.manifests[&id].hash;
        let Some(upload) = self.uploads.get_mut(&id) else { return problem(ProblemType::UploadGone, "gone") };
        if request.method == Method::Head {
            return plain(200, &[("upload-offset", upload.bytes.len().to_string())]);
        }
        if header(request, "upload-offset").unwrap().parse::<usize>().unwrap() != upload.bytes.len() {
            return problem(ProblemType::OffsetConflict, "another offset");
        }
        let checksum = header(request, "upload-checksum").unwrap().strip_prefix("sha256 ").unwrap();
        if base64_decode(checksum, false) != Sha256::digest(&request.body).as_slice() {
            return problem(ProblemType::HashMismatch, "the piece is damaged");
        }
        upload.bytes.extend_from_slice(&request.body);
        if upload.bytes.len() as u64 == upload.length && Sha256::digest(&upload.bytes).as_slice() != hash.0 {
            upload.bytes.clear();
            return problem(ProblemType::HashMismatch, "the whole is damaged");
        }
        plain(204, &[("upload-offset", upload.bytes.len().to_string())])
    }

    fn answer(&mut self, request: &HttpRequest) -> HttpResponse {
        self.log.push(format!("{} {}", request.method.as_str(), request.path));
        match request.path.as_str() {
            "/v1/sign-in" => return self.sign_in(request),
            "/v1/sessions/refresh" => return self.refresh(request),
            _ => {}
        }
        let token = header(request, "authorization").and_then(|value| value.strip_prefix("Bearer "));
        if token.is_none() || token != self.access.as_deref() {
            return problem(ProblemType::Unauthenticated, "sign in first");
        }
        match request.path.as_str() {
            "/v1/sync" => self.sync(request),
            _ => self.photo(request),
        }
    }
}

impl Transport for Server {
    fn send(&mut self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let lost = || TransportError("the connection broke".to_owned());
        match self.faults.pop_front().unwrap_or(Fault::None) {
            Fault::None => Ok(self.answer(request)),
            Fault::LoseRequest => Err(lost()),
            Fault::LoseAnswer => {
                self.answer(request);
                Err(lost())
            }
            Fault::TruncateAnswer => {
                let mut response = self.answer(request);
                response.body.truncate(response.body.len() / 2);
                Ok(response)
            }
            Fault::Answer(status, body, headers) => {
                self.log.push(format!("{} {}", request.method.as_str(), request.path));
                Ok(HttpResponse {
                    status,
                    headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
                    body: body.as_bytes().to_vec(),
                })
            }
            Fault::CutUpload => {
                if let Some(upload) = request
                    .path
                    .strip_prefix("/v1/photo-uploads/")
                    .and_then(|id| self.uploads.get_mut(&id.parse().unwrap()))
                {
                    upload.bytes.extend_from_slice(&request.body[..request.body.len() / 2]);
                }
                Err(lost())
            }
            Fault::ForgetToken => {
                self.access = None;
                Ok(self.answer(request))
            }
        }
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}
