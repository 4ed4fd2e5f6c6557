//! A simulated tester: the real phone core on a store of its own, and a memory of everything that it told the tester was safe.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use super::chance::{SeededPhoneEnv, VirtualClock};
use super::network::History;
use super::operations::Act;
use crate::medium::{Medium, Survival};
use callout_mobile_sdk::capture::{CaptureError, CaptureSession, Source};
use callout_mobile_sdk::facade::{Phone, PhoneConfig, PhoneError, PhotoRequest};
use callout_mobile_sdk::local_order::LocalOrder;
use callout_mobile_sdk::store::commands::command_list_of_order;
use callout_mobile_sdk::store::orders::{order_leave, order_list, order_put};
use callout_mobile_sdk::store::{StoreError, StoreKey};
use callout_mobile_sdk::synthetic::{PhotoOptions, photo_create};
use callout_sync_protocol::commands::{AffectedService, ContactOutcome, Findings, MissingOperator};
use callout_sync_protocol::ids::{CommandId, DeviceId, PhotoId, UserId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::samples::{Cell, Position, Sample, Technology};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, TimeWindow, WorkOrderState};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Where everything happens: inside the world's region.
pub const PLACE: Position =
    Position { latitude_e6: 37_300_000, longitude_e6: 103_520_000, accuracy_m: Some(5), is_mock: false };

/// The first sample's time; each further one of the whole world is a tenth of a second later, and so known by its time.
const FIRST_SAMPLE_MS: i64 = 1_700_000_000_000;

/// Samples of each operator in a whole visit.
const VISIT_SAMPLES: u8 = 40;
/// So many captures run at once at most.
const CAPTURES_MAX: usize = 4;

/// The sample of a number.
fn sample(number: u64) -> Sample {
    Sample {
        captured_at_ms: FIRST_SAMPLE_MS + number as i64 * 100,
        technology: Technology::Lte,
        // One in 97 is out of range: the phone must refuse it and go on.
        level_dbm: Some(if is_refused(number) { 50 } else { -90 - (number % 30) as i16 }),
        quality_half_db: Some(-20),
        sinr_half_db: Some((number % 40) as i16),
        cell: Cell { cell_identity: Some(1_000 + number / 50), physical_cell_id: Some(17), ..Cell::default() },
        position: Some(PLACE),
        rtt_tenth_ms: Some(400 + (number % 100) as u32),
        downlink_kbps: None,
        uplink_kbps: None,
    }
}

fn is_refused(number: u64) -> bool {
    number % 97 == 96
}

/// The number of a sample by its time.
pub fn sample_number(captured_at_ms: i64) -> u64 {
    ((captured_at_ms - FIRST_SAMPLE_MS) / 100) as u64
}

/// A running capture with the numbers of all samples that it was given.
#[derive(Debug)]
struct Running {
    session: CaptureSession,
    given: Vec<u64>,
    told_safe: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Tester {
    /// Who.
    pub user: UserId,
    /// The phone's process; replaced when it is killed.
    phone: Option<Phone>,
    /// Beneath its store; absent where power cuts cannot be simulated.
    medium: Option<Medium>,
    survival: Survival,
    store_key: Option<StoreKey>,
    device: Option<DeviceId>,
    cuts: u64,
    was_full: bool,
    captured: BTreeSet<Operator>,
    is_unsynced: bool,
    /// Its chance, and its clock with its error.
    pub env: Arc<SeededPhoneEnv>,
    /// Its latest requests.
    pub history: History,
    /// It has no network.
    pub is_parted: bool,
    /// When the server last answered a sync, by the world's clock.
    pub answered_at: Timestamp,
    /// Commands that the phone took, as it told the tester.
    pub told_commands: BTreeSet<CommandId>,
    /// Photos that the phone took, as it told the tester.
    pub told_photos: BTreeSet<PhotoId>,
    /// Numbers of samples that are safe, as it told the tester.
    pub told_samples: BTreeSet<u64>,
    /// Numbers of all samples that it was given.
    pub given_samples: BTreeSet<u64>,
    folder: PathBuf,
    clock: VirtualClock,
    running: Vec<Running>,
    photos: u64,
}

impl Tester {
    /// A phone in a folder, not yet switched on; with a key its store is sealed.
    pub fn new(folder: &Path, user: UserId, clock: &VirtualClock, seed: u64, store_key: Option<StoreKey>) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        Self {
            user,
            phone: None,
            medium: Medium::over(folder),
            survival: Survival::Synced,
            store_key,
            device: None,
            cuts: 0,
            was_full: false,
            captured: BTreeSet::new(),
            is_unsynced: false,
            env: Arc::new(SeededPhoneEnv::new(clock.clone(), seed)),
            history: History::new(),
            is_parted: false,
            answered_at: clock.time(),
            told_commands: BTreeSet::new(),
            told_photos: BTreeSet::new(),
            told_samples: BTreeSet::new(),
            given_samples: BTreeSet::new(),
            folder: folder.to_owned(),
            clock: clock.clone(),
            running: Vec::new(),
            photos: 0,
        }
    }

    /// The phone, which is on.
    pub fn phone(&self) -> &Phone {
        self.phone.as_ref().expect("the phone is on")
    }

    /// The phone, to do something.
    pub fn phone_mut(&mut self) -> &mut Phone {
        self.phone.as_mut().expect("the phone is on")
    }

    /// Beneath the store.
    pub fn medium(&self) -> Option<&Medium> {
        self.medium.as_ref()
    }

    /// What survives the next power cut.
    pub fn survive(&mut self, survival: Survival) {
        self.survival = survival;
    }

    /// The phone's power has failed.
    pub fn is_dead(&self) -> bool {
        self.medium.as_ref().is_some_and(Medium::is_dead)
    }

    /// The store does not sync what it writes, as if somebody had forgotten to have it do so.
    pub fn sync_never(&mut self, is_so: bool) {
        self.is_unsynced = is_so;
    }

    /// How often the power failed, or the process died.
    pub fn cuts(&self) -> u64 {
        self.cuts
    }

    /// There is room again.
    pub fn room_make(&mut self) {
        if let Some(medium) = &self.medium {
            self.was_full |= medium.was_full();
            medium.make_room();
        }
    }

    /// Something found no room, now or before.
    pub fn was_full(&self) -> bool {
        self.was_full || self.medium.as_ref().is_some_and(Medium::was_full)
    }

    /// Whether an error is what a full storage must be told as, and the storage was full.
    pub fn is_told_full(&self, error: &PhoneError) -> bool {
        let is_full = matches!(
            error,
            PhoneError::Store(StoreError::Full)
                | PhoneError::Capture(CaptureError::Full | CaptureError::Store(StoreError::Full))
        );
        is_full && self.medium.as_ref().is_some_and(Medium::was_full)
    }

    /// Opens the store, however often the power fails meanwhile.
    ///
    /// # Errors
    /// Why it does not open.
    pub fn switch_on(&mut self) -> Result<(), String> {
        loop {
            let config = PhoneConfig { store_key: self.store_key.clone(), ..PhoneConfig::default() };
            let opened = Phone::open(&self.folder, config, self.env.clone());
            match (opened, &self.medium) {
                (Ok(phone), _) => {
                    let device = *self.device.get_or_insert(phone.device_id());
                    if device != phone.device_id() {
                        return Err(format!("the phone was {device} and is now {}", phone.device_id()));
                    }
                    if self.is_unsynced {
                        phone.store().connection().pragma_update(None, "synchronous", "off").unwrap();
                    }
                    self.phone = Some(phone);
                    return Ok(());
                }
                (Err(_), Some(medium)) if medium.is_dead() => {
                    self.cuts += 1;
                    medium.power_cycle(self.survival);
                }
                (Err(StoreError::Full), Some(medium)) if medium.was_full() => self.room_make(),
                (Err(error), _) => return Err(format!("the store does not open: {error:?}")),
            }
        }
    }

    /// The phone is switched off; gives a copy of what lies on its medium.
    pub fn switch_off(&mut self) -> TempDir {
        self.running.clear();
        self.phone = None;
        let image = tempfile::tempdir().unwrap();
        copy(&self.folder, image.path());
        image
    }

    /// Puts a copy on the medium of the phone, which is off, and a key in its keystore.
    pub fn image_put(&mut self, image: &Path, store_key: Option<StoreKey>) {
        self.phone = None;
        self.medium = None;
        std::fs::remove_dir_all(&self.folder).unwrap();
        copy(image, &self.folder);
        self.medium = Medium::over(&self.folder);
        self.store_key = store_key;
        self.was_full = false;
    }

    /// The power fails (if it has not yet) and is there again: what was only in memory is gone, and of what was not synced, too, as
    /// chance has it.
    ///
    /// # Errors
    /// Why the store does not open.
    pub fn reboot(&mut self) -> Result<(), String> {
        self.running.clear();
        self.cuts += 1;
        if let Some(medium) = &self.medium {
            medium.cut();
        }
        self.phone = None;
        if let Some(medium) = &self.medium {
            medium.power_cycle(self.survival);
        }
        self.switch_on()
    }

    /// The process dies and is started again: what was only in memory is gone.
    ///
    /// # Errors
    /// Why the store does not open.
    pub fn kill(&mut self) -> Result<(), String> {
        let is_dead = self.is_dead();
        let survival = std::mem::replace(&mut self.survival, Survival::Everything);
        if is_dead {
            self.survival = survival;
        }
        let result = self.reboot();
        self.survival = survival;
        result
    }

    /// The names of the photos' files, sorted.
    pub fn photo_files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.join("photos")).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The order that an operation means: one in scope, or, where there is none, any.
    fn order_pick(&self, index: u8, act: Act) -> Option<LocalOrder> {
        let mut orders = self.phone().orders().unwrap();
        let is_open = |order: &LocalOrder| order.is_in_scope && order.view.state != WorkOrderState::Submitted;
        if matches!(act, Act::Next(_)) && orders.iter().any(is_open) {
            orders.retain(is_open);
        }
        let in_scope = orders.iter().filter(|order| order.is_in_scope).count();
        // Now and then one that has left, so that the phone must say no.
        let among = if in_scope == 0 || index == 7 { orders.len() } else { in_scope };
        (among > 0).then(|| orders.swap_remove(usize::from(index) % among))
    }

    /// An order in scope goes back to an older version, as a fault of the storage would do it; says whether there was one.
    ///
    /// # Errors
    /// The storage took no more.
    pub fn order_spoil(&self, index: u8) -> Result<bool, PhoneError> {
        let connection = self.phone().store().connection();
        let mut orders = order_list(connection)?;
        orders.retain(|order| order.is_in_scope);
        if orders.is_empty() {
            return Ok(false);
        }
        let mut view = orders.swap_remove(usize::from(index) % orders.len()).view;
        let transaction = connection.unchecked_transaction().map_err(StoreError::from)?;
        order_leave(&transaction, view.id, None, self.clock.time())?;
        view.version -= 1;
        let is_put = order_put(&transaction, &view)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(is_put)
    }

    /// The tester acts. What the rules refuse is refused; anything else that fails is returned.
    pub fn act(&mut self, index: u8, act: Act, samples_so_far: &mut u64) -> Result<(), PhoneError> {
        let Some(order) = self.order_pick(index, act) else { return Ok(()) };
        let id = order.view.id;
        let act = if let Act::Next(choice) = act { self.next_act(&order, choice) } else { act };
        let result = match act {
            Act::Accept => self.phone_mut().accept(id).map(drop),
            Act::Decline => self.phone_mut().decline(id, "too far away").map(drop),
            Act::Contact => self.contact(id),
            Act::Arrive => self.phone_mut().arrive(id, PLACE).map(drop),
            Act::Consent(granted) => self.phone_mut().photo_consent(id, granted).map(drop),
            Act::Capture(operator, count) => self.capture(id, operator, count, samples_so_far),
            Act::Findings => self.phone_mut().findings_record(id, findings()).map(drop),
            Act::Photo => self.photo(id),
            Act::Seal => self.phone_mut().capture_seal(id).map(drop),
            Act::Submit => {
                let missing = |operator| MissingOperator { operator, reason: "no time left".to_owned() };
                self.phone_mut().submit(id, Operator::REQUIRED.into_iter().map(missing).collect()).map(drop)
            }
            Act::Next(_) => Ok(()),
        };
        match result {
            Ok(()) | Err(PhoneError::Rejected(_)) => {}
            Err(error) => return Err(error),
        }
        let listed = command_list_of_order(self.phone().store().connection(), id)?;
        self.told_commands.extend(listed.into_iter().map(|outbox| outbox.command.id));
        Ok(())
    }

    fn next_act(&self, order: &LocalOrder, choice: u8) -> Act {
        match order.view.state {
            WorkOrderState::Dispatched => Act::Accept,
            WorkOrderState::Accepted => Act::Contact,
            WorkOrderState::Contacted => Act::Arrive,
            WorkOrderState::OnSite | WorkOrderState::SentBack => match choice % 4 {
                0 if choice.is_multiple_of(16) => Act::Photo,
                0 | 1 => Act::Capture(choice / 4 % 3, choice),
                _ if !order.has_findings => Act::Findings,
                _ => Act::Submit,
            },
            _ => Act::Capture(choice % 3, choice),
        }
    }

    fn contact(&mut self, order: WorkOrderId) -> Result<(), PhoneError> {
        let now = self.clock.time();
        let window = TimeWindow { from: now.plus_seconds(600), until: now.plus_seconds(4_200) };
        let reason = Some("the customer asked for it".to_owned());
        self.phone_mut().contact(order, ContactOutcome::Reached, Some(window), reason, None).map(drop)
    }

    fn photo(&mut self, order: WorkOrderId) -> Result<(), PhoneError> {
        self.photos += 1;
        let options = PhotoOptions {
            width: 64,
            height: 48,
            target_bytes: 2_000,
            ..PhotoOptions::new(self.photos, self.clock.time(), PLACE)
        };
        let bytes = photo_create(&options).unwrap();
        let request = PhotoRequest::new(PhotoPurpose::Surroundings);
        let manifest = self.phone_mut().photo_add_bytes(order, &bytes, request)?;
        self.told_photos.insert(manifest.id);
        Ok(())
    }

    fn capture(
        &mut self,
        order: WorkOrderId,
        operator: u8,
        count: u8,
        samples_so_far: &mut u64,
    ) -> Result<(), PhoneError> {
        let operator = Operator::REQUIRED[usize::from(operator) % Operator::REQUIRED.len()];
        let session = self.phone_mut().capture_begin(order, operator, &Source::Live)?;
        if self.running.len() == CAPTURES_MAX {
            let mut oldest = self.running.remove(0);
            if let Err(error) = self.make_safe(&mut oldest) {
                self.running.insert(0, oldest);
                return Err(error.into());
            }
        }
        let mut running = Running { session, given: Vec::new(), told_safe: 0 };
        self.push(&mut running, count, samples_so_far)?;
        self.running.push(running);
        Ok(())
    }

    fn push(&mut self, running: &mut Running, count: u8, samples_so_far: &mut u64) -> Result<(), CaptureError> {
        for _ in 0..count {
            let number = *samples_so_far;
            *samples_so_far += 1;
            running.given.push(number);
            self.given_samples.insert(number);
            match self.phone_mut().capture_push(&mut running.session, &sample(number)) {
                Ok(_) => assert!(!is_refused(number), "a sample out of range was taken"),
                Err(CaptureError::Refused(_)) => assert!(is_refused(number), "a sound sample was refused"),
                Err(error) => {
                    if matches!(error, CaptureError::Full) {
                        // It was not taken.
                        running.given.pop();
                    }
                    return Err(error);
                }
            }
        }
        self.listen(running);
        Ok(())
    }

    fn make_safe(&mut self, running: &mut Running) -> Result<(), CaptureError> {
        self.phone_mut().capture_flush(&mut running.session)?;
        self.listen(running);
        assert_eq!(running.told_safe, running.given.len(), "a flush left samples unsafe");
        Ok(())
    }

    /// What the phone says is safe is remembered.
    fn listen(&mut self, running: &mut Running) {
        let safe = usize::try_from(running.session.source_samples_safe()).unwrap();
        let news = &running.given[running.told_safe..safe];
        self.told_samples.extend(news.iter().copied().filter(|number| !is_refused(*number)));
        running.told_safe = safe;
    }

    /// Every running capture takes some more.
    pub fn stream(&mut self, count: u8, samples_so_far: &mut u64) -> Result<(), PhoneError> {
        let mut all = std::mem::take(&mut self.running);
        let result = all.iter_mut().try_for_each(|running| self.push(running, count, samples_so_far));
        self.running = all;
        Ok(result?)
    }

    /// Every running capture is made safe, and ended if so asked.
    pub fn flush(&mut self, close: bool) -> Result<(), PhoneError> {
        let mut all = std::mem::take(&mut self.running);
        let result = all.iter_mut().try_for_each(|running| self.make_safe(running));
        if !close || result.is_err() {
            self.running = all;
        }
        Ok(result?)
    }

    /// What a whole visit to the one order still needs; `None` once it is handed in.
    pub fn visit_next(&self) -> Option<VisitStep> {
        let order = self.phone().orders().unwrap().into_iter().find(|order| order.is_in_scope)?;
        let step = match order.view.state {
            WorkOrderState::Dispatched => VisitStep::Act(Act::Accept),
            WorkOrderState::Accepted => VisitStep::Act(Act::Contact),
            WorkOrderState::Contacted => VisitStep::Act(Act::Arrive),
            WorkOrderState::OnSite if order.view.photo_consent.is_none() => VisitStep::Act(Act::Consent(true)),
            WorkOrderState::OnSite => {
                let uncaptured = Operator::REQUIRED.into_iter().find(|operator| !self.captured.contains(operator));
                match uncaptured {
                    Some(operator) => VisitStep::Capture(operator),
                    None if self.told_photos.is_empty() => VisitStep::Act(Act::Photo),
                    None if !order.has_findings => VisitStep::Act(Act::Findings),
                    None => VisitStep::Submit(order.view.id),
                }
            }
            _ => return None,
        };
        Some(step)
    }

    /// Does it.
    pub fn visit_step(&mut self, step: VisitStep, samples_so_far: &mut u64) -> Result<(), PhoneError> {
        match step {
            VisitStep::Act(act) => self.act(0, act, samples_so_far),
            VisitStep::Capture(operator) => {
                let number = Operator::REQUIRED.iter().position(|known| *known == operator).unwrap_or(0);
                if self.running.is_empty() {
                    self.act(0, Act::Capture(number as u8, VISIT_SAMPLES), samples_so_far)?;
                }
                self.flush(true)?;
                self.captured.insert(operator);
                Ok(())
            }
            VisitStep::Submit(order) => self.phone_mut().submit(order, Vec::new()).map(drop),
        }
    }
}

/// One step of a whole visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitStep {
    /// Something that every tester does.
    Act(Act),
    /// Samples of one operator, made safe.
    Capture(Operator),
    /// The test is handed in with everything.
    Submit(WorkOrderId),
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { std::fs::copy(&path, to).map(drop).unwrap() }
    }
}

fn findings() -> Findings {
    Findings {
        problem: "weak indoors".to_owned(),
        generation: NetworkGeneration::Lte,
        service: AffectedService::Both,
        occurs: "evenings".to_owned(),
        address: "港湾一路12号".to_owned(),
        position: Some(PLACE),
        competitor_coverage: String::new(),
        serving_sites: Vec::new(),
        planned_sites: Vec::new(),
        shareable_resources: Vec::new(),
        pressing_need: "calls that hold".to_owned(),
        contact_left: true,
        revisit_announced: true,
        volte: None,
    }
}
