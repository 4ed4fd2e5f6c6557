//! Testers of a city. Most have a light phone: the real messages, commands and sealed, signed blocks, but without the SDK's store.
//! The others have the real phone core, which costs some fifty times as much.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use super::office::Office;
use crate::simulation::chance::Dice;
use callout_mobile_sdk::synthetic::{Coverage, OperatorProfile, SyntheticWalk, WalkOptions};
use callout_sync_protocol::commands::{AffectedService, BlockCitation, Command, CommandBody, ContactOutcome, Findings};
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::ids::{CommandId, FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{BlockHeader, Position, SampleColumns, block_seal};
use callout_sync_protocol::sync::{BlockResult, BlockUpload, CommandResult, SyncRequest, SyncResponse};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::version::MEDIA_TYPE;
use callout_sync_protocol::work_orders::{NetworkGeneration, TimeWindow};
use uuid::Uuid;

/// Samples of one operator in one visit.
pub const SAMPLES: u64 = 40;

/// An id of a phone's making.
pub fn id_new<T: From<Uuid>>(dice: &mut Dice, now: Timestamp) -> T {
    let mut random = [0; 10];
    random.iter_mut().for_each(|byte| *byte = dice.below(256) as u8);
    let millis = u64::try_from(now.unix_millis()).unwrap_or_default();
    T::from(callout_sync_protocol::ids::uuid_v7(millis, random))
}

/// What a tester found.
pub fn findings(place: Position, address: &str) -> Findings {
    Findings {
        problem: "室内弱覆盖 weak indoors".to_owned(),
        generation: NetworkGeneration::Lte,
        service: AffectedService::Both,
        occurs: "晚上 evenings".to_owned(),
        address: address.to_owned(),
        position: Some(place),
        competitor_coverage: "China Unicom is 6 dB better".to_owned(),
        serving_sites: vec!["eNB 410200".to_owned()],
        planned_sites: Vec::new(),
        shareable_resources: vec!["tower 17".to_owned()],
        pressing_need: "calls that hold".to_owned(),
        contact_left: true,
        revisit_announced: true,
        volte: None,
    }
}

/// Samples of one operator around a place, until an instant.
fn columns(place: Position, operator: Operator, seed: u64, until: Timestamp) -> SampleColumns {
    let walk = SyntheticWalk::new(WalkOptions {
        seed,
        started_at: until.plus_seconds(-i64::try_from(SAMPLES).unwrap_or(0)),
        centre: place,
        profile: OperatorProfile::new(
            operator,
            if seed.is_multiple_of(3) { Coverage::Good } else { Coverage::WeakIndoors },
        ),
        sample_count: SAMPLES,
        utc_offset_minutes: 480,
        dirty: false,
    });
    let mut columns = SampleColumns::new();
    walk.samples().for_each(|sample| columns.push(&sample).unwrap());
    columns
}

/// A tester's visit on a light phone.
pub struct Visit<'a> {
    /// The tester's name.
    pub tester: &'a str,
    /// The order.
    pub order: WorkOrderId,
    /// The order's current test, if it was sent back.
    pub test: Option<FieldTestId>,
    /// Where it is.
    pub place: Position,
    /// Where it is, in words.
    pub address: &'a str,
}

fn sync(office: &mut Office, tester: &str, request: &SyncRequest) -> Result<SyncResponse, String> {
    let answer = office.send_as(tester, "POST", "/v1/sync", MEDIA_TYPE, &frame_encode(request));
    if answer.status != 200 {
        return Err(format!("{tester}'s sync was answered with {}", answer.status));
    }
    frame_decode(&answer.body).map_err(|error| error.to_string())
}

/// Sends a tester's commands and blocks; what became of the commands.
///
/// # Errors
/// What is wrong with the answer.
pub fn commands_send(
    office: &mut Office,
    tester: &str,
    commands: Vec<Command>,
    blocks: Vec<BlockUpload>,
) -> Result<Vec<CommandResult>, String> {
    let (device_id, _) = office.device(tester);
    let request = SyncRequest {
        device_id,
        phone_time: office.clock.time(),
        cursor: None,
        commands,
        blocks,
        // What a light phone does not keep costs nobody anything.
        max_changes: 1,
        checkpoint: None,
    };
    let response = sync(office, tester, &request)?;
    // Whose commands are all refused has no business with the order: what was captured is kept aside (R-TEST-5).
    let is_stranger = !response.outcomes.iter().any(|outcome| matches!(outcome.result, CommandResult::Accepted { .. }));
    let is_kept = |result: &BlockResult| match result {
        BlockResult::Stored {} => true,
        BlockResult::Quarantined { .. } => is_stranger,
        BlockResult::Refused { .. } => false,
    };
    if let Some(bad) = response.block_outcomes.iter().find(|outcome| !is_kept(&outcome.result)) {
        return Err(format!("a sound block was not kept as it should be: {bad:?}"));
    }
    Ok(response.outcomes.into_iter().map(|outcome| outcome.result).collect())
}

impl Visit<'_> {
    fn command(&self, dice: &mut Dice, at: Timestamp, body: CommandBody) -> Command {
        Command { id: id_new::<CommandId>(dice, at), work_order_id: self.order, captured_at: at, body }
    }

    /// Declines the order.
    pub fn decline(&self, office: &mut Office, dice: &mut Dice, reason: &str) -> Result<Vec<CommandResult>, String> {
        let body = CommandBody::Decline { reason: reason.to_owned() };
        let command = self.command(dice, office.clock.time(), body);
        commands_send(office, self.tester, vec![command], Vec::new())
    }

    /// Everything from taking the order (or from where the review sent it back) to handing the test in, done offline over the last
    /// hour and a half and sent in one round trip.
    pub fn whole(&self, office: &mut Office, dice: &mut Dice) -> Result<Vec<CommandResult>, String> {
        let now = office.clock.time();
        let ago = |minutes: i64| now.plus_seconds(-60 * minutes);
        let (device_id, key) = office.device(self.tester);
        let mut commands = Vec::new();
        let test = match self.test {
            Some(test) => test,
            None => {
                let window = TimeWindow { from: ago(50), until: ago(5) };
                commands.push(self.command(dice, ago(90), CommandBody::Accept {}));
                commands.push(self.command(
                    dice,
                    ago(88),
                    CommandBody::Contact {
                        outcome: ContactOutcome::Reached,
                        appointment: Some(window),
                        emergency_reason: None,
                        note: None,
                    },
                ));
                commands.push(self.command(dice, ago(61), CommandBody::Arrive { position: self.place }));
                commands.push(self.command(dice, ago(60), CommandBody::PhotoConsent { granted: false }));
                let test = id_new::<FieldTestId>(dice, ago(58));
                commands.push(self.command(dice, ago(58), CommandBody::TestBegin { field_test_id: test }));
                test
            }
        };
        let sequence = u32::from(self.test.is_some()) * (1 + dice.below(1_000) as u32);
        let mut blocks = Vec::new();
        let mut citations = Vec::new();
        for operator in Operator::REQUIRED {
            let header = BlockHeader { field_test_id: test, device_id, operator, sequence, sample_count: 0 };
            let columns = columns(self.place, operator, dice.roll(), ago(10));
            let block = block_seal(&header, &columns, &key).map_err(|error| error.to_string())?;
            let sample_count = u32::try_from(columns.len()).unwrap_or(u32::MAX);
            citations.push(BlockCitation { operator, sequence, hash: block.hash(), sample_count });
            blocks.push(BlockUpload { work_order_id: self.order, bytes: block.into_bytes().into() });
        }
        let findings = findings(self.place, self.address);
        commands.push(self.command(dice, ago(7), CommandBody::FindingsRecord { field_test_id: test, findings }));
        let submit = CommandBody::TestSubmit {
            field_test_id: test,
            blocks: citations,
            photos: vec![],
            missing_operators: vec![],
        };
        commands.push(self.command(dice, ago(5), submit));
        commands_send(office, self.tester, commands, blocks)
    }
}
