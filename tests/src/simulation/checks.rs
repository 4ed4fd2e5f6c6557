//! What must hold in a simulated world: after each sync that reached its end, and when all faults have ended.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use super::house::House;
use super::phones::sample_number;
use callout_mobile_sdk::store::captures::{field_test_list, segment_bytes, segment_list};
use callout_mobile_sdk::store::commands::{CommandStanding, OutboxCommand, command_list_of_order};
use callout_mobile_sdk::store::orders::{order_checkpoint, order_list};
use callout_mobile_sdk::store::photos::photo_list_held;
use callout_storage::command_receipts::{CommandReceipt, ReceiptOutcome};
use callout_storage::events::SubjectKind;
use callout_storage::photos::PhotoState;
use callout_storage::{Standing, StorageError};
use callout_sync_protocol::checkpoint::Checkpoint;
use callout_sync_protocol::ids::{CommandId, DeviceId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{SampleColumns, block_open_into, segment_decode};
use std::collections::{BTreeMap, BTreeSet};

/// Syncs that a phone may need after the last fault until nothing waits.
const SYNCS_TO_QUIET: usize = 8;
/// Seconds between them.
const SYNC_PAUSE_SECONDS: i64 = 60;

/// Samples, and where they are, when all is quiet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Commands that phones took.
    pub commands: u64,
    /// Of those, the ones that the server applied.
    pub commands_accepted: u64,
    /// Samples that a phone told its tester were safe.
    pub samples_told_safe: u64,
    /// Samples on the server as evidence.
    pub samples_accepted: u64,
    /// Samples on the server, apart from the evidence.
    pub samples_quarantined: u64,
    /// Samples still on phones, in tests that go on.
    pub samples_on_phones: u64,
    /// Photos on the server.
    pub photos: u64,
}

macro_rules! ensure {
    ($holds:expr, $($words:tt)+) => { if !$holds { return Err(format!($($words)+)); } };
}

impl House {
    /// The phone's orders are just the server's, in the same state: nothing more, nothing less.
    pub fn check_scope(&self, tester: usize) -> Result<(), String> {
        let phone = &self.testers[tester].phone();
        let mut wanted: BTreeMap<_, _> =
            self.scope(self.testers[tester].user).into_iter().map(|order| (order.id, order)).collect();
        for order in order_list(phone.store().connection()).unwrap() {
            let view = order.view;
            if !order.is_in_scope {
                ensure!(
                    view.customer.name.is_empty() && view.customer.phone.is_empty(),
                    "phone {tester} keeps the contact of {} that left (R-PRIVACY-1)",
                    view.number
                );
                continue;
            }
            let Some(server) = wanted.remove(&view.id) else {
                return Err(format!(
                    "phone {tester} has {} ({}), the server gave it to nobody here",
                    view.number, view.state
                ));
            };
            ensure!(
                (view.version, view.state) == (server.version, server.state),
                "phone {tester} has {} as {} version {}, the server as {} version {}",
                view.number,
                view.state,
                view.version,
                server.state,
                server.version
            );
            ensure!(
                view.field_test_id == server.field_test_id
                    && view.photo_consent == server.photo_consent
                    && view.return_reasons == server.return_reasons
                    && view.appointment == server.appointment()
                    && view.address == server.address
                    && !view.customer.phone.is_empty(),
                "phone {tester} has {} otherwise than the server: {view:?} against {server:?}",
                view.number
            );
        }
        ensure!(wanted.is_empty(), "phone {tester} lacks {:?}", wanted.keys());
        Ok(())
    }

    /// The feed's checkpoint, kept change by change, is that of the orders themselves; the phone's is the same.
    fn check_checkpoint(&self, tester: usize) -> Result<(), String> {
        let this = &self.testers[tester];
        let server = Checkpoint::of(self.scope(this.user).into_iter().map(|order| (order.id, order.version)));
        let kept = self.read(|tx| tx.feed_state(this.user)).checkpoint;
        let phone = order_checkpoint(this.phone().store().connection()).unwrap();
        ensure!(
            server == kept && server == phone,
            "phone {tester}: the orders come to {server:?}, the feed says {kept:?}, the phone {phone:?}"
        );
        Ok(())
    }

    /// All faults end; every phone syncs until nothing waits.
    pub fn quiet(&mut self) -> Result<(), String> {
        for tester in 0..self.testers.len() {
            self.testers[tester].is_parted = false;
            if let Some(medium) = self.testers[tester].medium() {
                medium.cut_never();
                medium.make_room();
            }
            self.testers[tester].flush(true).map_err(|error| format!("the last flush failed: {error:?}"))?;
            let mut is_quiet = false;
            for _ in 0..SYNCS_TO_QUIET {
                self.clock.advance_seconds(SYNC_PAUSE_SECONDS);
                let is_done = self.sync(tester, 0, 0, &[])?;
                let status = self.testers[tester].phone().status().map_err(|error| error.to_string())?;
                if is_done && status.commands.waiting == 0 && status.blocks.sealed == 0 && status.photos.waiting == 0 {
                    is_quiet = true;
                    break;
                }
            }
            let status = self.testers[tester].phone().status();
            ensure!(is_quiet, "phone {tester} does not come to rest: {status:?}");
            self.testers[tester].kill()?;
        }
        Ok(())
    }

    /// Everything that must hold when all is quiet.
    pub fn check_all(&self) -> Result<Tally, String> {
        let mut tally = Tally::default();
        ensure!(
            self.spoiled > 0 || self.record.disagreements == 0,
            "phone and server disagreed {} times although no copy was spoiled",
            self.record.disagreements
        );
        for tester in 0..self.testers.len() {
            self.check_scope(tester)?;
            self.check_checkpoint(tester)?;
            self.check_commands(tester, &mut tally)?;
        }
        self.check_samples(&mut tally)?;
        self.check_trail()?;
        self.check_photos(&mut tally)?;
        Ok(tally)
    }

    fn read<T>(&self, work: impl FnMut(&mut callout_storage::Tx) -> Result<T, StorageError>) -> T {
        self.storage().read("simulation", work).unwrap()
    }

    /// What the phone took is decided, on both sides alike, and what was rejected is visible on both.
    fn check_commands(&self, tester: usize, tally: &mut Tally) -> Result<(), String> {
        let this = &self.testers[tester];
        let connection = this.phone().store().connection();
        let mut outbox: BTreeMap<CommandId, OutboxCommand> = BTreeMap::new();
        for order in &self.orders {
            let commands = command_list_of_order(connection, *order).unwrap();
            outbox.extend(commands.into_iter().map(|entry| (entry.command.id, entry)));
        }
        let lost: Vec<_> = this.told_commands.iter().filter(|id| !outbox.contains_key(id)).collect();
        ensure!(lost.is_empty(), "phone {tester} lost commands that it took: {lost:?}");
        let ids: Vec<CommandId> = outbox.keys().copied().collect();
        let mut receipts: BTreeMap<CommandId, CommandReceipt> = BTreeMap::new();
        for ids in ids.chunks(200) {
            let found = self.read(|tx| tx.command_receipt_list_by_ids(ids));
            receipts.extend(found.into_iter().map(|receipt| (receipt.command_id, receipt)));
        }
        let set_aside = this.phone().set_aside().map_err(|error| error.to_string())?;
        let shown: BTreeSet<CommandId> = set_aside.commands.iter().map(|entry| entry.command.id).collect();
        for (id, entry) in &outbox {
            tally.commands += 1;
            let Some(receipt) = receipts.get(id) else {
                return Err(format!("phone {tester}: the server does not know {:?}", entry.command));
            };
            ensure!(
                receipt.tester_id == this.user && receipt.work_order_id == entry.command.work_order_id,
                "the receipt of {id} names somebody else"
            );
            match (&entry.standing, &receipt.outcome) {
                (CommandStanding::Accepted { order_version }, ReceiptOutcome::Accepted { version, .. }) => {
                    tally.commands_accepted += 1;
                    ensure!(order_version == version, "{id}: version {order_version} here, {version} there");
                }
                (CommandStanding::Rejected { rejection }, ReceiptOutcome::Rejected { rejection: theirs }) => {
                    ensure!(rejection == theirs, "{id}: {rejection} here, {theirs} there");
                    ensure!(shown.contains(id), "{id} was rejected and is not shown on the phone");
                    ensure!(receipt.body == entry.command.body, "{id}: the server keeps another content");
                }
                (here, there) => return Err(format!("{id}: {here:?} here, {there:?} there")),
            }
        }
        Ok(())
    }

    /// Every sample that was told to be safe is in just one place, and none is anywhere that was never given.
    fn check_samples(&self, tally: &mut Tally) -> Result<(), String> {
        let mut places: BTreeMap<u64, u32> = BTreeMap::new();
        let mut columns = SampleColumns::new();
        let devices: BTreeMap<DeviceId, usize> =
            self.testers.iter().enumerate().map(|(index, tester)| (tester.phone().device_id(), index)).collect();
        for order in &self.orders {
            for test in self.read(|tx| tx.field_test_list_by_work_order(*order)) {
                for block in self.read(|tx| tx.sample_block_list_by_test(test.id)) {
                    let bytes = self.read(|tx| tx.sample_block_bytes(&block.hash)).unwrap_or_default();
                    block_open_into(&bytes, &mut columns)
                        .map_err(|error| format!("a kept block is damaged: {error}"))?;
                    let samples = columns.len() as u64;
                    match block.standing {
                        Standing::Accepted => tally.samples_accepted += samples,
                        Standing::Quarantined => tally.samples_quarantined += samples,
                    }
                    ensure!(
                        samples == u64::from(block.sample_count),
                        "a block holds another number of samples than said"
                    );
                    let tester = devices.get(&block.device_id).ok_or("a block of an unknown phone")?;
                    for at in columns.captured_at_ms() {
                        let number = sample_number(*at);
                        let is_given = self.testers[*tester].given_samples.contains(&number);
                        ensure!(is_given, "sample {number} came from a phone that never had it");
                        *places.entry(number).or_default() += 1;
                    }
                }
            }
        }
        for (index, tester) in self.testers.iter().enumerate() {
            let connection = tester.phone().store().connection();
            let set_aside = tester.phone().set_aside().map_err(|error| error.to_string())?;
            let refused = set_aside.blocks.iter().filter(|block| !block.is_held_by_server).count();
            ensure!(refused == 0, "phone {index}: the server refused {refused} sound blocks");
            for (test, _) in field_test_list(connection).unwrap() {
                for operator in Operator::ALL {
                    for segment in segment_list(connection, test, operator).unwrap() {
                        let bytes = segment_bytes(connection, segment.position).unwrap().unwrap_or_default();
                        let columns = segment_decode(&bytes).map_err(|error| error.to_string())?;
                        tally.samples_on_phones += columns.len() as u64;
                        for at in columns.captured_at_ms() {
                            *places.entry(sample_number(*at)).or_default() += 1;
                        }
                    }
                }
            }
        }
        if let Some((number, count)) = places.iter().find(|(_, count)| **count > 1) {
            return Err(format!("sample {number} is there {count} times"));
        }
        for (index, tester) in self.testers.iter().enumerate() {
            tally.samples_told_safe += tester.told_samples.len() as u64;
            let lost = tester.told_samples.iter().filter(|number| !places.contains_key(number)).count();
            ensure!(lost == 0, "phone {index} lost {lost} of {} safe samples", tester.told_samples.len());
        }
        Ok(())
    }

    /// The trail tells of every accepted command just once (nothing was applied twice), and its chains hold.
    fn check_trail(&self) -> Result<(), String> {
        let found = self.read(callout_storage::Tx::event_verify_all);
        ensure!(found.problems.is_empty(), "the audit trail does not hold: {:?}", found.problems.len());
        for order in &self.orders {
            let mut told: BTreeMap<(String, bool), u32> = BTreeMap::new();
            let mut after = 0;
            loop {
                let events = self.read(|tx| tx.event_list(SubjectKind::WorkOrder, order.0, after, 500));
                let Some(last) = events.last() else { break };
                after = last.number;
                for event in events {
                    let detail: serde_json::Value = serde_json::from_str(&event.detail).unwrap_or_default();
                    if let Some(id) = detail["command_id"].as_str() {
                        *told.entry((id.to_owned(), event.action != "command_rejected")).or_default() += 1;
                    }
                }
            }
            if let Some(((id, _), count)) = told.iter().find(|(_, count)| **count > 1) {
                return Err(format!("the trail of {order} tells {count} times of command {id}"));
            }
            for receipt in self.read(|tx| tx.command_receipt_list_by_work_order(*order)) {
                let key = (receipt.command_id.to_string(), receipt.is_accepted);
                ensure!(
                    told.remove(&key).is_some(),
                    "the trail of {order} does not tell of command {}",
                    receipt.command_id
                );
            }
            ensure!(told.is_empty(), "the trail of {order} tells of commands that nobody has: {told:?}");
        }
        Ok(())
    }

    /// Every photo that a phone let go of is whole on the server.
    fn check_photos(&self, tally: &mut Tally) -> Result<(), String> {
        let mut stored = BTreeSet::new();
        for order in &self.orders {
            for photo in self.read(|tx| tx.photo_list_by_work_order(*order)) {
                ensure!(photo.state == PhotoState::Stored, "photo {} is {:?} when all is quiet", photo.id, photo.state);
                tally.photos += 1;
                stored.insert(photo.id);
            }
        }
        for (index, tester) in self.testers.iter().enumerate() {
            let refused = tester.phone().set_aside().map_err(|error| error.to_string())?.photos.len();
            ensure!(refused == 0, "phone {index}: the server refused {refused} sound photos");
            let diagnostics = tester.phone().diagnostics().map_err(|error| error.to_string())?;
            ensure!(diagnostics.is_store_sound, "phone {index}: SQLite finds the store damaged");
            // One whose announcement was refused stays on the phone.
            let held = photo_list_held(tester.phone().store().connection()).unwrap();
            let held: BTreeSet<_> = held.into_iter().map(|(photo, _)| photo.manifest.id).collect();
            let files = tester.photo_files();
            // The phone has just started: files that belong to no photo are gone.
            let is_held = |name: &String| held.iter().any(|id| name.starts_with(&id.to_string()));
            ensure!(files.iter().all(is_held), "phone {index} keeps files of photos that it does not have: {files:?}");
            let lost: Vec<_> = tester
                .told_photos
                .difference(&stored)
                .filter(|id| !held.contains(id) || !files.iter().any(|name| name.starts_with(&id.to_string())))
                .collect();
            ensure!(lost.is_empty(), "phone {index} lost photos that it took: {lost:?}");
        }
        Ok(())
    }
}
