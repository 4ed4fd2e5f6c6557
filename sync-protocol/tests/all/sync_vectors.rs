//! Golden messages under `vectors/sync-*.json`: the wire form cannot change by accident, and other implementations can test
//! themselves (`vectors/README.md`).
//!
//! `CALLOUT_WRITE_VECTORS=1 cargo test -p callout-sync-protocol --test all sync_vectors` writes the files anew; that is right only
//! for a compatible addition or a new protocol version (`SPEC.md`, section 8). All people and places in them are made up.

use callout_sync_protocol::checkpoint::Checkpoint;
use callout_sync_protocol::commands::{
    AffectedService, BlockCitation, Command, CommandBody, ContactOutcome, Findings, MissingOperator,
};
use callout_sync_protocol::frame::{FrameError, frame_decode, frame_encode_as, frame_version};
use callout_sync_protocol::ids::{CommandId, DeviceId, FieldTestId, PhotoId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::{MediaType, PhotoHash, PhotoManifest, PhotoPurpose};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::{BlockHash, Position};
use callout_sync_protocol::sync::{
    BlockOutcome, BlockResult, BlockUpload, Change, CommandOutcome, CommandResult, Cursor, Directive, SyncRequest,
    SyncResponse,
};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::version::{
    PROTOCOL_VERSION, PROTOCOL_VERSION_OLDEST, VERSIONS_HEADER, version_in_common, versions_served,
};
use callout_sync_protocol::work_orders::{
    CustomerContact, LeftReason, NetworkGeneration, Symptom, TimeWindow, Urgency, WorkOrderState, WorkOrderView,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// A message that can be read.
#[derive(Serialize, Deserialize)]
struct Vector {
    /// What is special about it.
    about: String,
    /// `request` or `response`.
    message: String,
    /// The payload in CBOR's diagnostic notation (RFC 8949, section 8).
    diagnostic: String,
    /// The frame, not compressed, in hexadecimal.
    frame: String,
    /// The same compressed. Writers may compress otherwise; readers must read it.
    compressed: String,
}

/// A frame that a server refuses, and how.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Refused {
    about: String,
    frame: String,
    /// The problem's name, and the HTTP status.
    problem: String,
    status: u16,
    /// A header of the answer, where there must be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<(String, String)>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Diagnostic notation of the items that the protocol uses.
fn diagnostic(d: &mut minicbor::Decoder<'_>) -> String {
    use minicbor::data::Type;
    match d.datatype().unwrap() {
        Type::Array => {
            let entries: Vec<String> = (0..d.array().unwrap().unwrap()).map(|_| diagnostic(d)).collect();
            format!("[{}]", entries.join(", "))
        }
        Type::Bytes => format!("h'{}'", hex(d.bytes().unwrap())),
        Type::String => serde_json::to_string(d.str().unwrap()).unwrap(),
        Type::Bool => d.bool().unwrap().to_string(),
        Type::Null => {
            d.null().unwrap();
            "null".to_owned()
        }
        _ => d.int().unwrap().to_string(),
    }
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(format!("{name}.json"))
}

/// The file as it stands; written anew first where that is asked for.
fn golden<T: Serialize + for<'de> Deserialize<'de>>(name: &str, made: &T) -> T {
    if std::env::var_os("CALLOUT_WRITE_VECTORS").is_some() {
        std::fs::write(path(name), serde_json::to_string_pretty(made).unwrap() + "\n").unwrap();
    }
    serde_json::from_slice(&std::fs::read(path(name)).unwrap()).unwrap()
}

fn id<T: From<Uuid>>(kind: u8, number: u8) -> T {
    let mut bytes = [number; 16];
    bytes[..6].copy_from_slice(&[0x01, 0x9a, 0xa0, 0x00, 0x00, kind]);
    bytes[6] = 0x70;
    bytes[8] = 0x80;
    T::from(Uuid::from_bytes(bytes))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros(1_795_000_000_000_000 + seconds * 1_000_000 + 123_456).unwrap()
}

fn place() -> Position {
    Position { latitude_e6: 30_540_001, longitude_e6: -114_310_002, accuracy_m: Some(8), is_mock: false }
}

fn command(number: u8, body: CommandBody) -> Command {
    Command { id: id(1, number), work_order_id: id(2, 1), captured_at: at(number.into()), body }
}

fn commands() -> Vec<Command> {
    let test: FieldTestId = id(3, 1);
    let window = TimeWindow { from: at(3_600), until: at(7_200) };
    let findings = Findings {
        problem: "室内弱覆盖 weak indoors".into(),
        generation: NetworkGeneration::Lte,
        service: AffectedService::Both,
        occurs: "evenings".into(),
        address: "港湾一路12号".into(),
        position: Some(place()),
        competitor_coverage: String::new(),
        serving_sites: vec!["eNB 410200".into()],
        planned_sites: vec![],
        shareable_resources: vec![],
        pressing_need: "calls that hold".into(),
        contact_left: true,
        revisit_announced: false,
        volte: None,
    };
    let manifest = PhotoManifest {
        id: id(4, 1),
        field_test_id: test,
        work_order_id: id(2, 1),
        hash: PhotoHash([0xAB; 32]),
        byte_length: 300_000,
        media_type: MediaType::Jpeg,
        purpose: PhotoPurpose::Surroundings,
        captured_at: at(60),
        position: Some(Position { accuracy_m: None, is_mock: true, ..place() }),
    };
    let bodies = [
        CommandBody::Accept {},
        CommandBody::Decline { reason: "too far away".into() },
        CommandBody::Contact {
            outcome: ContactOutcome::Reached,
            appointment: Some(window),
            emergency_reason: None,
            note: Some("ring twice".into()),
        },
        CommandBody::Contact {
            outcome: ContactOutcome::NoAnswer,
            appointment: None,
            emergency_reason: None,
            note: None,
        },
        CommandBody::Arrive { position: place() },
        CommandBody::PhotoConsent { granted: true },
        CommandBody::TestBegin { field_test_id: test },
        CommandBody::FindingsRecord { field_test_id: test, findings },
        CommandBody::PhotoAttach { manifest },
        CommandBody::TestSubmit {
            field_test_id: test,
            blocks: vec![BlockCitation {
                operator: Operator::ChinaMobile,
                sequence: 0,
                hash: BlockHash([0xCD; 32]),
                sample_count: 1_234,
            }],
            photos: vec![id::<PhotoId>(4, 1)],
            missing_operators: vec![MissingOperator { operator: Operator::ChinaTelecom, reason: "no SIM card".into() }],
        },
    ];
    (1..).zip(bodies).map(|(number, body)| command(number, body)).collect()
}

fn requests() -> Vec<(&'static str, SyncRequest)> {
    let empty = SyncRequest {
        device_id: id::<DeviceId>(5, 1),
        phone_time: at(0),
        cursor: None,
        commands: vec![],
        blocks: vec![],
        max_changes: 200,
        checkpoint: None,
    };
    let block = BlockUpload { work_order_id: id(2, 1), bytes: vec![0x43, 0x53, 0x42, 0x01].into() };
    let cursor = Some(Cursor { epoch: 1, number: 42 });
    let checkpoint = Some(Checkpoint::of([(id(2, 1), 7)]));
    vec![
        ("the first sync of a phone", empty.clone()),
        ("nothing to say", SyncRequest { cursor, checkpoint, ..empty.clone() }),
        (
            "nothing to say, and no orders on the phone",
            SyncRequest { cursor, checkpoint: Some(Checkpoint::EMPTY), ..empty.clone() },
        ),
        (
            "every command, and a block",
            SyncRequest { cursor, checkpoint, commands: commands(), blocks: vec![block], ..empty },
        ),
    ]
}

fn order(number: u8) -> WorkOrderView {
    WorkOrderView {
        id: id(2, number),
        version: u64::from(number) + 6,
        number: format!("WO-20261121-{number:05}"),
        state: WorkOrderState::Contacted,
        urgency: Urgency::Urgent,
        symptom: Symptom::WeakSignal,
        generation: Some(NetworkGeneration::Nr),
        description: "客厅没有信号 no bars in the living room".into(),
        address: "港湾一路12号".into(),
        position: Some(place()),
        customer: CustomerContact { name: "测试·王澄".into(), phone: "16900001234".into() },
        appointment: Some(TimeWindow { from: at(3_600), until: at(7_200) }),
        due_at: Some(at(86_400)),
        field_test_id: Some(id(3, 1)),
        return_reasons: vec!["test the bedroom too".into()],
        photo_consent: Some(false),
        utc_offset_minutes: 480,
        rest_hours: None,
        contact_words: None,
        evidence_template: None,
    }
}

fn bare_order() -> WorkOrderView {
    WorkOrderView {
        generation: None,
        position: None,
        appointment: None,
        due_at: None,
        field_test_id: None,
        return_reasons: vec![],
        photo_consent: None,
        utc_offset_minutes: -210,
        ..order(2)
    }
}

fn responses() -> Vec<(&'static str, SyncResponse)> {
    let idle = SyncResponse {
        server_time: at(1),
        outcomes: vec![],
        block_outcomes: vec![],
        reset: false,
        changes: vec![],
        cursor: Cursor { epoch: 1, number: 42 },
        has_more: false,
        directives: vec![],
        checkpoint: Some(Checkpoint::of([(id(2, 1), 7)])),
    };
    let reject = |problem, detail: &str| Rejection::new(problem, detail);
    let outcome = |number, result| CommandOutcome { id: id::<CommandId>(1, number), result };
    let block = |number: u8, result| BlockOutcome { hash: BlockHash([number; 32]), result };
    let outcomes = vec![
        outcome(1, CommandResult::Accepted { state: WorkOrderState::Accepted, version: 7 }),
        outcome(
            2,
            CommandResult::Rejected { rejection: reject(ProblemType::NotAssigned, "it is with another tester") },
        ),
    ];
    let block_outcomes = vec![
        block(1, BlockResult::Stored {}),
        block(2, BlockResult::Quarantined { rejection: reject(ProblemType::BlockInvalid, "the samples are kept") }),
        block(3, BlockResult::Refused { rejection: reject(ProblemType::SignatureInvalid, "not this device's") }),
    ];
    let whole = |number| Change::Changed { order: Box::new(order(number)) };
    let reasons = [
        LeftReason::Reassigned,
        LeftReason::Finished,
        LeftReason::Withdrawn,
        LeftReason::RegionChanged,
        LeftReason::Declined,
    ];
    let left = (10..).zip(reasons).map(|(number, reason)| Change::Left { id: id(2, number), reason });
    let changes = [whole(1), Change::Changed { order: Box::new(bare_order()) }].into_iter().chain(left).collect();
    let directives = vec![
        Directive::WaitBeforeNextSync { seconds: 90 },
        Directive::PhotosWanted { photo_ids: vec![id(4, 1), id(4, 2)] },
        Directive::ClockSkewed { ahead_ms: -86_400_000 },
    ];
    vec![
        ("nothing to say", idle.clone()),
        (
            "every outcome, change and directive",
            SyncResponse {
                outcomes,
                block_outcomes,
                changes,
                directives,
                checkpoint: Some(Checkpoint::of([(id(2, 1), 7), (id(2, 2), 8)])),
                ..idle.clone()
            },
        ),
        (
            "the copy is void, and the first page of more",
            SyncResponse { reset: true, changes: vec![whole(1)], has_more: true, checkpoint: None, ..idle },
        ),
    ]
}

fn vector<T>(version: u8, about: &str, message: &str, value: &T) -> Vector
where
    T: minicbor::Encode<()>,
{
    let payload = minicbor::to_vec(value).unwrap();
    let mut packed = vec![version, 1];
    packed.extend(zstd::bulk::compress(&payload, 6).unwrap());
    Vector {
        about: about.to_owned(),
        message: message.to_owned(),
        diagnostic: diagnostic(&mut minicbor::Decoder::new(&payload)),
        frame: hex(&[vec![version, 0], payload].concat()),
        compressed: hex(&packed),
    }
}

/// The file's frames are this message and the other way round.
fn check<T>(version: u8, found: &Vector, value: &T)
where
    T: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()> + PartialEq + std::fmt::Debug,
{
    let name = &found.about;
    let frame = unhex(&found.frame);
    assert_eq!(frame_version(&frame), Some(version), "{name}");
    assert_eq!(&frame_decode::<T>(&frame).unwrap(), value, "{name}");
    assert_eq!(&frame_decode::<T>(&unhex(&found.compressed)).unwrap(), value, "{name}: compressed");
    assert_eq!(&frame_decode::<T>(&frame_encode_as(version, value)).unwrap(), value, "{name}: round trip");
    let again = vector(version, name, &found.message, value);
    assert_eq!(again.frame, found.frame, "{name}: the wire form changed");
    assert_eq!(again.diagnostic, found.diagnostic, "{name}");
}

#[test]
fn golden_messages_do_not_change() {
    for version in PROTOCOL_VERSION_OLDEST..=PROTOCOL_VERSION {
        let requests: Vec<_> =
            requests().into_iter().map(|(about, message)| (about, message.for_version(version))).collect();
        let responses: Vec<_> =
            responses().into_iter().map(|(about, message)| (about, message.for_version(version))).collect();
        let made: Vec<Vector> = requests
            .iter()
            .map(|(about, message)| vector(version, about, "request", message))
            .chain(responses.iter().map(|(about, message)| vector(version, about, "response", message)))
            .collect();
        let found = golden(&format!("sync-v{version}"), &made);
        assert_eq!(found.len(), made.len());
        let (of_requests, of_responses) = found.split_at(requests.len());
        of_requests.iter().zip(&requests).for_each(|(found, (_, message))| check(version, found, message));
        of_responses.iter().zip(&responses).for_each(|(found, (_, message))| check(version, found, message));
    }
}

/// What a later server may send within the version: readers must take these for what they know of them.
#[test]
fn what_a_newer_server_adds_is_survived() {
    for (about, bytes, problem) in [
        ("a problem number of a newer list", "82190fa06161", ProblemType::Unrecognised),
        ("an entry behind the known ones", "830861610a", ProblemType::IllegalTransition),
    ] {
        let rejection: Rejection = minicbor::decode(&unhex(bytes)).unwrap();
        assert_eq!((rejection.problem, rejection.detail.as_str()), (problem, "a"), "{about}");
    }
    let (_, answer) = responses().swap_remove(1);
    let known = answer.directives.clone();
    let mut payload = minicbor::to_vec(&answer).unwrap();
    // The list of three directives becomes one of four; the new one stands first.
    let first = minicbor::to_vec(&known[0]).unwrap();
    let place = payload.windows(first.len()).position(|window| window == first).unwrap();
    assert_eq!(payload[place - 1], 0x83);
    payload[place - 1] = 0x84;
    payload.splice(place..place, unhex("821863826161f5"));
    let frame = [vec![PROTOCOL_VERSION, 0], payload].concat();
    assert_eq!(frame_decode::<SyncResponse>(&frame).unwrap(), answer, "an unknown directive is left out");
}

/// An answer of version 1 has nothing that its readers would stumble over.
#[test]
fn version_1_gets_only_what_it_knows() {
    for problem in ProblemType::ALL {
        let told = problem.for_version(1);
        assert!(told.number() <= 35, "{problem}");
        assert!(told.status() == problem.status() || told == ProblemType::IllegalTransition, "{problem}");
        assert_eq!(problem.for_version(2), *problem);
        assert_eq!(ProblemType::of_number(problem.number()), *problem);
    }
    let rejection = Rejection::new(ProblemType::Unrecognised, "something new");
    let (_, answer) = responses().swap_remove(1);
    let answer = SyncResponse {
        outcomes: vec![CommandOutcome { id: id(1, 1), result: CommandResult::Rejected { rejection } }],
        ..answer
    };
    let told = answer.for_version(1);
    assert_eq!(told.checkpoint, None);
    let CommandResult::Rejected { rejection } = &told.outcomes[0].result else { panic!("{told:?}") };
    assert_eq!((rejection.problem, rejection.detail.as_str()), (ProblemType::IllegalTransition, "something new"));
}

#[test]
fn versions_are_found_in_common() {
    assert_eq!(version_in_common(&versions_served()), Some(PROTOCOL_VERSION));
    assert_eq!(version_in_common("1-1"), Some(1));
    assert_eq!(version_in_common("2-9"), Some(PROTOCOL_VERSION));
    for none in ["3-4", "0-0", "", "2", "a-b", "2-1", "300-301"] {
        assert_eq!(version_in_common(none), None, "{none}");
    }
}

/// Frames that no server takes; `tests/` sends the same to a real one.
#[test]
fn refused_frames_are_refused_for_the_told_reason() {
    let (_, request) = requests().swap_remove(1);
    let good = frame_encode_as(PROTOCOL_VERSION, &request);
    let with = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = good.clone();
        edit(&mut frame);
        frame
    };
    let too_new = PROTOCOL_VERSION + 1;
    let unsized_zstd = unhex("020128b52ffd005809000080");
    let huge_zstd = unhex("020128b52ffda000000040010000");
    let cases = [
        ("an empty body", vec![], ProblemType::MalformedRequest),
        ("a version that is too old, whatever follows", vec![0, 0xFF, 0xFF], ProblemType::UnsupportedVersion),
        ("a version that is too new", with(&|frame| frame[0] = too_new), ProblemType::UnsupportedVersion),
        ("a version alone", vec![PROTOCOL_VERSION], ProblemType::MalformedRequest),
        ("an unknown flag", with(&|frame| frame[1] = 0x80), ProblemType::MalformedRequest),
        ("no payload", vec![PROTOCOL_VERSION, 0], ProblemType::MalformedRequest),
        ("not CBOR", vec![PROTOCOL_VERSION, 0, 0xFF, 0xFF], ProblemType::MalformedRequest),
        ("half a message", good[..good.len() / 2].to_vec(), ProblemType::MalformedRequest),
        ("a byte behind the message", with(&|frame| frame.push(0)), ProblemType::MalformedRequest),
        ("a required field is missing", vec![PROTOCOL_VERSION, 0, 0x80], ProblemType::MalformedRequest),
        ("said to be compressed, and is not", with(&|frame| frame[1] = 1), ProblemType::MalformedRequest),
        ("a zstd frame that does not say its size", unsized_zstd, ProblemType::MalformedRequest),
        ("a zstd frame that says 1 GiB", huge_zstd, ProblemType::TooLarge),
    ];
    let made: Vec<Refused> = cases
        .iter()
        .map(|(about, frame, problem)| Refused {
            about: (*about).to_owned(),
            frame: hex(frame),
            problem: problem.slug().to_owned(),
            status: problem.status(),
            header: (*problem == ProblemType::UnsupportedVersion)
                .then(|| (VERSIONS_HEADER.to_owned(), versions_served())),
        })
        .collect();
    let found = golden("sync-refused", &made);
    assert_eq!(found, made);
    for refused in &found {
        let error = frame_decode::<SyncRequest>(&unhex(&refused.frame)).unwrap_err();
        let problem = match error {
            FrameError::UnsupportedVersion(_) => ProblemType::UnsupportedVersion,
            FrameError::TooLarge => ProblemType::TooLarge,
            FrameError::NotAFrame | FrameError::Compression | FrameError::Message(_) | FrameError::TrailingBytes => {
                ProblemType::MalformedRequest
            }
        };
        assert_eq!(problem.slug(), refused.problem, "{}", refused.about);
    }
}

#[test]
fn checkpoints_are_the_published_ones() {
    let scopes: [(&str, Vec<(WorkOrderId, u64)>); 4] = [
        ("no orders", vec![]),
        ("one order", vec![(id(2, 1), 1)]),
        ("the same order, changed", vec![(id(2, 1), 2)]),
        ("two orders, in any order", vec![(id(2, 2), u64::MAX), (id(2, 1), 2)]),
    ];
    let made: Vec<Value> = scopes
        .iter()
        .map(|(about, scope)| {
            let orders: Vec<Value> =
                scope.iter().map(|(id, version)| json!({ "id": id, "version": version })).collect();
            json!({ "about": about, "orders": orders, "checkpoint": format!("{:016x}", Checkpoint::of(scope.clone()).0) })
        })
        .collect();
    assert_eq!(golden("checkpoints", &made), made);
    let (first, second) = ((id::<WorkOrderId>(2, 1), 2), (id::<WorkOrderId>(2, 2), 5));
    let both = Checkpoint::of([first, second]);
    assert_eq!(both, Checkpoint::of([second, first]));
    assert_eq!(both.without(first.0, first.1), Checkpoint::of([second]));
    assert_eq!(both.with(id(2, 3), 0), both, "version 0 stands for an order out of scope");
    assert_eq!(both.without(first.0, first.1).without(second.0, second.1), Checkpoint::EMPTY);
}
