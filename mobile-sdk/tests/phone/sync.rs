//! The round trip: what is sent, what comes back, and that nothing is lost or done twice.

use super::support::server::Fault;
use super::support::{World, findings, missing, open, order_id, png};
use callout_mobile_sdk::PhoneError;
use callout_mobile_sdk::facade::PhotoRequest;
use callout_mobile_sdk::store::commands::CommandStanding;
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::{CommandResult, Directive};
use callout_sync_protocol::work_orders::WorkOrderState;

/// Everything that a tester does at one order, offline.
fn visit(world: &mut World) {
    world.go_on_site(1);
    world.phone.photo_consent(order_id(1), true).unwrap();
    for operator in Operator::REQUIRED {
        world.capture(1, operator, 0..450);
    }
    world.phone.photo_add_bytes(order_id(1), &png(9_000), PhotoRequest::new(PhotoPurpose::Indoors)).unwrap();
    world.phone.findings_record(order_id(1), findings()).unwrap();
    let order = world.phone.submit(order_id(1), vec![]).unwrap();
    assert_eq!(order.view.state, WorkOrderState::Submitted, "shown at once, offline");
    assert_eq!(order.server_state, WorkOrderState::Dispatched);
}

fn assert_everything_arrived_once(world: &World) {
    let kinds: Vec<_> = world.server.commands.iter().map(|(command, _)| command.body.kind()).collect();
    let expected = [
        "accept",
        "contact",
        "arrive",
        "photo_consent",
        "test_begin",
        "photo_attach",
        "findings_record",
        "test_submit",
    ];
    assert_eq!(kinds, expected, "each applied once, in the tester's order");
    assert!(world.server.commands.iter().all(|(_, result)| matches!(result, CommandResult::Accepted { .. })));
    assert_eq!(world.server.samples_received(), 3 * 450);
    let upload = world.server.uploads.values().next().unwrap();
    assert_eq!(upload.bytes.len() as u64, upload.length);
    let status = world.phone.status().unwrap();
    assert_eq!((status.commands.waiting, status.commands.accepted, status.commands.rejected), (0, 8, 0));
    assert_eq!((status.blocks.sealed, status.blocks.stored, status.photos.waiting, status.photos.stored), (0, 3, 0, 1));
    assert_eq!(world.phone.order(order_id(1)).unwrap().server_state, WorkOrderState::Submitted);
}

#[test]
fn a_whole_visit_goes_in_one_round_trip() {
    let mut world = World::synced(&[1]);
    visit(&mut world);
    let before = world.server.syncs();
    let summary = world.sync();
    assert_eq!(world.server.syncs() - before, 1, "one round trip for commands, blocks and changes");
    assert_eq!((summary.commands_accepted, summary.blocks_stored, summary.photos_stored), (8, 3, 1));
    assert_everything_arrived_once(&world);
    let submit = world.server.commands.iter().find_map(|(command, _)| match &command.body {
        CommandBody::TestSubmit { blocks, photos, .. } => Some((blocks.clone(), photos.clone())),
        _ => None,
    });
    let (blocks, photos) = submit.unwrap();
    assert!(blocks.iter().all(|block| world.server.blocks.contains_key(&block.hash) && block.sample_count == 450));
    assert_eq!((blocks.len(), photos.len()), (3, 1));
}

/// R-TEST-5: whatever the link does to any one message, everything arrives, once.
#[test]
fn any_single_fault_at_any_message_loses_and_repeats_nothing() {
    let faults = [
        Fault::LoseRequest,
        Fault::LoseAnswer,
        Fault::TruncateAnswer,
        Fault::ForgetToken,
        Fault::Answer(503, "", &[]),
        Fault::Answer(500, "oops", &[("content-type", "text/plain")]),
        Fault::Answer(302, "", &[("location", "http://portal.example/login")]),
        Fault::Answer(200, "<html>please pay</html>", &[("content-type", "text/html")]),
        Fault::Answer(403, "<html>forbidden</html>", &[("content-type", "text/html")]),
    ];
    for fault in faults {
        for at in 0..6 {
            let mut world = World::synced(&[1]);
            visit(&mut world);
            world.server.faults.extend(std::iter::repeat_n(Fault::None, at));
            world.server.faults.push_back(fault.clone());
            let ended = world.phone.sync(&mut world.server, 10, &mut |_| {});
            assert!(ended.is_ok(), "{fault:?} at message {at}: {ended:?}");
            assert_everything_arrived_once(&world);
        }
    }
}

/// The same, with the app killed after the fault instead of waiting.
#[test]
fn a_kill_after_a_lost_answer_sends_the_same_commands_again() {
    let mut world = World::synced(&[1]);
    visit(&mut world);
    world.server.faults.push_back(Fault::LoseAnswer);
    let ended = world.phone.sync(&mut world.server, 0, &mut |_| {});
    assert!(matches!(ended, Err(PhoneError::Network { retry_at: Some(_), .. })), "{ended:?}");
    world.restart();
    world.sync();
    assert!(world.server.times_sent.values().all(|&times| times == 2));
    assert_everything_arrived_once(&world);
}

#[test]
fn an_unreachable_server_leaves_everything_queued() {
    let mut world = World::synced(&[1]);
    visit(&mut world);
    world.server.faults.extend(std::iter::repeat_n(Fault::LoseRequest, 4));
    assert!(world.phone.sync(&mut world.server, 3, &mut |_| {}).is_err());
    let sleeps = world.env.sleeps.lock().unwrap().clone();
    assert_eq!(sleeps.len(), 3);
    for (index, slept) in sleeps.iter().enumerate() {
        let full = 2_000 << index;
        assert!((full / 2..=full).contains(slept), "exponential with jitter: {sleeps:?}");
    }
    assert_eq!(world.phone.status().unwrap().commands.waiting, 8);
    world.sync();
    assert_everything_arrived_once(&world);
}

#[test]
fn a_busy_server_is_left_alone_as_long_as_it_wants() {
    let mut world = World::new(&[1]);
    world.server.faults.push_back(Fault::Answer(429, "", &[("retry-after", "120")]));
    world.sync();
    let slept = world.env.sleeps.lock().unwrap()[0];
    assert!((120_000..=150_000).contains(&slept), "{slept}");
}

#[test]
fn a_rejected_command_stays_visible_and_stops_none_behind_it() {
    let mut world = World::synced(&[1, 2]);
    // The desks withdraw the first order while the tester accepts both, offline.
    world.server.order_edit(order_id(1), |view| view.state = WorkOrderState::Withdrawn);
    world.phone.accept(order_id(1)).unwrap();
    world.phone.accept(order_id(2)).unwrap();
    let summary = world.sync();
    assert_eq!((summary.commands_accepted, summary.commands_rejected), (1, 1));
    let set_aside = world.phone.set_aside().unwrap();
    assert_eq!(set_aside.commands.len(), 1);
    let CommandStanding::Rejected { rejection } = &set_aside.commands[0].standing else { panic!("not rejected") };
    assert_eq!(rejection.problem, ProblemType::IllegalTransition);
    assert_eq!(
        world.phone.order(order_id(1)).unwrap().view.state,
        WorkOrderState::Withdrawn,
        "the server's word counts"
    );
    world.sync();
    assert!(world.server.times_sent.values().all(|&times| times == 1), "a decided command is not sent again");
}

#[test]
fn what_the_server_cannot_read_is_found_and_set_aside() {
    let mut world = World::synced(&[1, 2, 3, 4, 5]);
    world.server.unreadable_kind = Some("decline");
    for number in [1, 2, 4, 5] {
        world.phone.accept(order_id(number)).unwrap();
    }
    world.phone.decline(order_id(3), "too far away").unwrap();
    world.capture(1, Operator::ChinaMobile, 0..300);
    world.phone.capture_seal(order_id(1)).unwrap();
    let summary = world.sync();
    assert_eq!((summary.commands_accepted, summary.commands_rejected, summary.blocks_stored), (5, 1, 1));
    let set_aside = world.phone.set_aside().unwrap();
    assert_eq!(set_aside.commands[0].command.body.kind(), "decline");
    assert!(set_aside.blocks.is_empty());
}

#[test]
fn a_server_that_can_read_nothing_of_this_phone_costs_no_command() {
    let mut world = World::synced(&[1]);
    world.phone.accept(order_id(1)).unwrap();
    world.server.is_unreadable = true;
    let ended = world.phone.sync(&mut world.server, 3, &mut |_| {});
    assert!(matches!(&ended, Err(PhoneError::Server(problem)) if problem.problem == ProblemType::InvalidField));
    assert_eq!(world.phone.status().unwrap().commands.waiting, 1, "the fault is not the command's");
    world.server.is_unreadable = false;
    assert_eq!(world.sync().commands_accepted, 1);
}

#[test]
fn an_answer_without_outcomes_does_not_loop() {
    let mut world = World::synced(&[1]);
    world.phone.accept(order_id(1)).unwrap();
    world.server.is_silent = true;
    let before = world.server.syncs();
    world.sync();
    assert!(world.server.syncs() - before <= 2);
    assert_eq!(world.phone.status().unwrap().commands.waiting, 1);
    world.server.is_silent = false;
    assert_eq!(world.sync().commands_accepted, 1);
}

#[test]
fn changes_come_in_pages() {
    let mut world = World::new(&[1, 2, 3, 4, 5, 6, 7]);
    world.server.changes_per_answer = 3;
    let summary = world.sync();
    assert_eq!((summary.rounds, summary.orders_changed), (3, 7));
    assert_eq!(world.phone.orders().unwrap().len(), 7);
}

#[test]
fn an_expired_token_is_renewed_with_proof() {
    let mut world = World::synced(&[1]);
    world.env.advance_ms(1_000_000);
    world.phone.accept(order_id(1)).unwrap();
    world.server.log.clear();
    world.sync();
    assert_eq!(world.server.log, ["POST /v1/sessions/refresh", "POST /v1/sync"], "renewed before it is refused");
}

#[test]
fn a_lost_answer_to_a_renewal_is_no_theft() {
    let mut world = World::synced(&[1]);
    world.server.faults.extend([Fault::ForgetToken, Fault::LoseAnswer]);
    world.phone.accept(order_id(1)).unwrap();
    assert_eq!(world.sync().commands_accepted, 1);
    assert_eq!(world.server.log.iter().filter(|line| line.contains("refresh")).count(), 2);
}

#[test]
fn a_revoked_session_loses_nothing() {
    let mut world = World::synced(&[1]);
    visit(&mut world);
    world.server.session_revoke();
    assert!(matches!(world.phone.sync(&mut world.server, 3, &mut |_| {}), Err(PhoneError::SignInNeeded)));
    assert!(!world.phone.status().unwrap().is_signed_in);
    world.phone.accept(order_id(1)).unwrap_err();
    world.phone.sign_in(&mut world.server, "tester", "correct horse").unwrap();
    world.sync();
    assert_everything_arrived_once(&world);
}

/// A session is given up only when its refresh is refused: whatever else says 401, the password is not needed for it.
#[test]
fn a_token_refused_right_after_its_renewal_does_not_end_the_session() {
    let mut world = World::synced(&[1]);
    world.phone.accept(order_id(1)).unwrap();
    world.server.faults.extend([Fault::ForgetToken, Fault::None, Fault::ForgetToken]);
    let ended = world.phone.sync(&mut world.server, 3, &mut |_| {});
    assert!(matches!(&ended, Err(PhoneError::Server(problem)) if problem.problem == ProblemType::Unauthenticated));
    assert!(world.phone.status().unwrap().is_signed_in);
    assert_eq!(world.sync().commands_accepted, 1);
}

#[test]
fn a_wrong_password_is_told_and_nothing_is_kept() {
    let mut world = World::new(&[]);
    let ended = world.phone.sign_in(&mut world.server, "tester", "wrong");
    assert!(matches!(&ended, Err(PhoneError::Server(problem)) if problem.problem == ProblemType::WrongCredentials));
}

#[test]
fn a_phone_too_old_is_told_so_and_keeps_everything() {
    let mut world = World::synced(&[1]);
    world.phone.accept(order_id(1)).unwrap();
    let problem = r#"{"type":"urn:callout:problem:unsupported-version","title":"t","status":426}"#;
    let problem: &'static str = Box::leak(problem.to_owned().into_boxed_str());
    world.server.faults.push_back(Fault::Answer(426, problem, &[("content-type", "application/problem+json")]));
    let ended = world.phone.sync(&mut world.server, 3, &mut |_| {});
    assert!(matches!(&ended, Err(PhoneError::Server(problem)) if problem.problem == ProblemType::UnsupportedVersion));
    assert_eq!(world.phone.status().unwrap().commands.waiting, 1);
}

#[test]
fn many_blocks_go_in_several_rounds_and_orders_do_not_wait_for_them() {
    let mut world = World::synced(&[1, 2]);
    world.go_on_site(1);
    // Noise, so that blocks are large.
    let mut session =
        world.phone.capture_begin(order_id(1), Operator::ChinaMobile, &callout_mobile_sdk::Source::Live).unwrap();
    let mut state = 1u64;
    for index in 0..80_000 {
        let mut sample = super::support::sample(index);
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        sample.rtt_tenth_ms = Some((state >> 40) as u32 % 6_000_000);
        sample.downlink_kbps = Some((state >> 34) as u32 % 1_000_000_000);
        sample.uplink_kbps = Some((state >> 33) as u32 % 1_000_000_000);
        world.phone.capture_push(&mut session, &sample).unwrap();
    }
    world.phone.capture_flush(&mut session).unwrap();
    let blocks = world.phone.capture_seal(order_id(1)).unwrap();
    let summary = world.sync();
    assert_eq!(summary.blocks_stored, blocks as u64);
    assert!(summary.rounds > 1, "more than a request's budget: {summary:?}");
    assert_eq!(world.server.samples_received(), 80_000);
}

#[test]
fn the_servers_wish_to_be_left_alone_binds_the_app_and_not_the_person() {
    use callout_mobile_sdk::engine::{Engine, EngineConfig, Event, Instruction, Moment};
    use callout_mobile_sdk::store::Store;
    use callout_mobile_sdk::store::account::device_load_or_create;
    use callout_mobile_sdk::{DeviceKey, Env as _};
    let mut world = World::new(&[1]);
    world.server.directives.push(Directive::WaitBeforeNextSync { seconds: 600 });
    world.sync();
    let mut store = Store::open_with(world.folder.path(), super::support::store_key().as_ref()).unwrap();
    let device = store
        .write(|connection| device_load_or_create(connection, world.env.as_ref(), &DeviceKey::KeptInStore))
        .unwrap();
    let mut engine = Engine::new(EngineConfig::default(), device);
    let moment = Moment { now: world.env.now(), random: 0 };
    let until = moment.now.plus_seconds(600);
    let by_app = engine.handle(&mut store, moment, Event::SyncWanted { by_person: false }).unwrap();
    assert_eq!(by_app, [Instruction::WaitUntil(until)]);
    assert_eq!(engine.handle(&mut store, moment, Event::TimerFired).unwrap(), [Instruction::WaitUntil(until)]);
    let by_person = engine.handle(&mut store, moment, Event::SyncWanted { by_person: true }).unwrap();
    assert!(matches!(by_person.as_slice(), [Instruction::Http(_)]));
}

#[test]
fn an_answer_that_comes_twice_or_to_nobody_changes_nothing() {
    use callout_mobile_sdk::engine::{Engine, EngineConfig, Event, Instruction, Moment, RequestId};
    use callout_mobile_sdk::store::Store;
    use callout_mobile_sdk::store::account::device_load_or_create;
    use callout_mobile_sdk::transport::Transport as _;
    use callout_mobile_sdk::{DeviceKey, Env as _};
    let mut world = World::new(&[1]);
    let mut store = Store::open_with(world.folder.path(), super::support::store_key().as_ref()).unwrap();
    let device = store
        .write(|connection| device_load_or_create(connection, world.env.as_ref(), &DeviceKey::KeptInStore))
        .unwrap();
    let mut engine = Engine::new(EngineConfig::default(), device);
    let moment = Moment { now: world.env.now(), random: 0 };
    let wanted = engine.handle(&mut store, moment, Event::SyncWanted { by_person: true }).unwrap();
    let [Instruction::Http(request)] = wanted.as_slice() else { panic!("{wanted:?}") };
    let response = world.server.send(request).unwrap();
    let stray = Event::HttpDone { id: RequestId(999), response: response.clone() };
    assert!(engine.handle(&mut store, moment, stray).unwrap().is_empty());
    let done = Event::HttpDone { id: request.id, response };
    assert!(!engine.handle(&mut store, moment, done.clone()).unwrap().is_empty());
    assert!(engine.is_idle());
    assert!(engine.handle(&mut store, moment, done).unwrap().is_empty());
    let failed = Event::HttpFailed { id: request.id, reason: String::new() };
    assert!(engine.handle(&mut store, moment, failed).unwrap().is_empty());
}

#[test]
fn two_syncs_of_one_phone_do_not_run_at_once() {
    let mut world = World::new(&[1]);
    let mut other = open(world.folder.path(), &world.env);
    let mut refused = false;
    // The other one tries while the first is in the middle: at its first report.
    let mut other_server = super::support::server::Server::new(world.env.clone());
    world
        .phone
        .sync(&mut world.server, 0, &mut |_| {
            refused |= matches!(other.sync(&mut other_server, 0, &mut |_| {}), Err(PhoneError::SyncRunning));
        })
        .unwrap();
    assert!(refused);
}

#[test]
fn a_test_sent_back_is_amended_and_handed_in_again() {
    let mut world = World::synced(&[1]);
    visit(&mut world);
    world.sync();
    let refused = world.phone.capture_begin(order_id(1), Operator::ChinaMobile, &callout_mobile_sdk::Source::Live);
    assert!(matches!(refused, Err(PhoneError::Rejected(_))), "the test is with the lead");
    world.server.order_edit(order_id(1), |view| {
        view.state = WorkOrderState::SentBack;
        view.return_reasons = vec!["too few samples".to_owned()];
    });
    world.sync();
    assert_eq!(world.phone.order(order_id(1)).unwrap().view.return_reasons, ["too few samples"]);
    world.capture(1, Operator::ChinaMobile, 450..900);
    world.phone.submit(order_id(1), missing(&[])).unwrap();
    world.sync();
    let Some(CommandBody::TestSubmit { blocks, .. }) = world.server.commands.last().map(|(command, _)| &command.body)
    else {
        panic!("no submission")
    };
    let mobile: Vec<_> = blocks.iter().filter(|block| block.operator == Operator::ChinaMobile).collect();
    assert_eq!(mobile.iter().map(|block| block.sequence).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(blocks.len(), 4);
    assert_eq!(world.server.samples_received(), 4 * 450);
}

/// The phone and the server tell in eight bytes that they disagree; one more round makes it good, and unsent work stays.
#[test]
fn a_copy_that_went_wrong_is_found_and_made_good() {
    use callout_mobile_sdk::Env as _;
    use callout_mobile_sdk::store::orders::{order_get, order_leave, order_put};
    let mut world = World::new(&[1, 2, 3]);
    world.server.has_checkpoints = true;
    world.sync();
    world.sync();
    assert_eq!(world.server.resets, 0, "they agree");
    let now = world.env.now();
    // As a fault of the phone's storage would do it: one order lost, one of an older version.
    let connection = world.phone.store().connection();
    order_leave(connection, order_id(2), None, now).unwrap();
    let mut stale = order_get(connection, order_id(3)).unwrap().unwrap().view;
    order_leave(connection, order_id(3), None, now).unwrap();
    stale.version = 0;
    stale.address = "a ruin".to_owned();
    assert!(order_put(connection, &stale).unwrap());
    world.phone.accept(order_id(1)).unwrap();
    let before = world.server.syncs();
    world.sync();
    assert_eq!(world.server.resets, 1);
    assert!(world.server.syncs() - before <= 2, "one round finds it, one makes it good");
    let orders = world.phone.orders().unwrap();
    assert!(orders.iter().all(|order| order.is_in_scope && !order.view.address.contains("ruin")), "{orders:?}");
    assert_eq!(orders.iter().find(|order| order.view.id == order_id(1)).unwrap().view.state, WorkOrderState::Accepted);
    world.sync();
    assert_eq!(world.server.resets, 1, "they agree again");
}

/// A fault that no reset mends must not make the phone ask for ever.
#[test]
fn a_server_that_always_disagrees_is_asked_once_more_and_no_oftener() {
    let mut world = World::new(&[1, 2]);
    world.server.has_checkpoints = true;
    world.server.changes_per_answer = 1;
    world.server.checkpoint_error = 1;
    world.sync();
    let first = world.server.syncs();
    assert!(first <= 4, "{first} rounds");
    world.sync();
    assert!(world.server.syncs() - first <= 4);
}

/// A server that is not updated yet is spoken to in the version before.
#[test]
fn an_older_server_gets_the_older_version() {
    let mut world = World::new(&[1]);
    world.server.only_version = Some(1);
    world.sync();
    assert_eq!(world.phone.orders().unwrap().len(), 1);
    // One that the phone does not speak at all: told once, everything kept.
    world.phone.accept(order_id(1)).unwrap();
    world.server.only_version = Some(9);
    let before = world.server.syncs();
    let ended = world.phone.sync(&mut world.server, 3, &mut |_| {});
    assert!(matches!(&ended, Err(PhoneError::Server(problem)) if problem.problem == ProblemType::UnsupportedVersion));
    assert_eq!(world.server.syncs() - before, 1);
    assert_eq!(world.phone.status().unwrap().commands.waiting, 1);
    world.server.only_version = None;
    assert_eq!(world.sync().commands_accepted, 1);
}
