//! What the core does for an app: streams of changes, networks, storage, mending, revocation, diagnosis.

use super::support::server::Fault;
use super::support::{CUSTOMER_PHONE, World, config, findings, folder, order_id, order_view, png, position, sample};
use callout_mobile_sdk::Source;
use callout_mobile_sdk::facade::{
    BackgroundSync, MeteredUse, Network, NotNow, OrderChange, OrderWatch, PhoneError, PhotoProcessing, PhotoRequest,
    StorageLevel,
};
use callout_mobile_sdk::store::commands::CommandStanding;
use callout_sync_protocol::commands::{CommandBody, ContactOutcome};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::Directive;
use callout_sync_protocol::work_orders::{TimeWindow, WorkOrderState};
use std::time::Duration;

fn shown(changes: &[OrderChange]) -> Vec<(u8, WorkOrderState)> {
    let shown = |change: &OrderChange| match change {
        OrderChange::Shown { order } => (order.view.id.as_bytes()[0], order.view.state),
        OrderChange::Gone { id } => panic!("{id} is gone"),
    };
    changes.iter().map(shown).collect()
}

#[test]
fn a_watch_tells_everything_first_and_then_only_what_changed() {
    let mut world = World::synced(&[1, 2, 3]);
    let mut watch = OrderWatch::default();
    let first = world.phone.order_changes(&mut watch).unwrap();
    assert_eq!(first.len(), 3);
    assert!(world.phone.order_changes(&mut watch).unwrap().is_empty());
    let signal = world.phone.change_signal();
    let seen = signal.count();
    world.phone.accept(order_id(2)).unwrap();
    assert!(signal.wait(seen, Duration::ZERO) > seen, "who waits is woken");
    let from = callout_mobile_sdk::Env::now(world.env.as_ref()).plus_seconds(3_600);
    let window = TimeWindow { from, until: from.plus_seconds(3_600) };
    world.phone.contact(order_id(2), ContactOutcome::Reached, Some(window), None, None).unwrap();
    let changes = world.phone.order_changes(&mut watch).unwrap();
    assert_eq!(shown(&changes), [(2, WorkOrderState::Contacted)], "two steps, one change");
    // The server's changes, and another process's, show as well.
    world.server.order_edit(order_id(3), |view| view.address = "14 Lakeside Road".to_owned());
    world.sync();
    let mut other = super::support::open(world.folder.path(), &world.env);
    other.accept(order_id(1)).unwrap();
    let changed: Vec<u8> = shown(&world.phone.order_changes(&mut watch).unwrap()).iter().map(|(id, _)| *id).collect();
    assert_eq!(changed.len(), 3, "{changed:?}");
    // A reset takes away what nothing was done for.
    world.server.epoch = 2;
    world.server.reset_next = true;
    world.server.orders.remove(&order_id(3));
    let views: Vec<_> = world.server.orders.values().cloned().collect();
    world.server.feed_restart(views);
    world.sync();
    let changes = world.phone.order_changes(&mut watch).unwrap();
    assert!(changes.contains(&OrderChange::Gone { id: order_id(3) }), "{changes:?}");
}

#[test]
fn a_wait_for_a_change_ends_when_one_comes_from_another_thread() {
    let mut world = World::synced(&[1]);
    let signal = world.phone.change_signal();
    let seen = signal.count();
    let waiting = std::thread::spawn(move || signal.wait(seen, Duration::from_secs(60)));
    world.phone.accept(order_id(1)).unwrap();
    assert!(waiting.join().unwrap() > seen);
}

#[test]
fn the_app_syncs_by_itself_only_where_it_may() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let photo = PhotoRequest::new(PhotoPurpose::Site);
    world.phone.photo_add_bytes(order_id(1), &png(9_000), photo).unwrap();
    let background = |world: &mut World| world.phone.sync_in_background(&mut world.server, 0, &mut |_| {}).unwrap();
    let before = world.server.syncs();
    world.phone.set_network(Network::Absent);
    assert_eq!(background(&mut world), BackgroundSync::NotNow(NotNow::NoNetwork));
    world.phone.set_network(Network::Metered);
    world.phone.set_metered_use(MeteredUse::WhenAsked).unwrap();
    assert_eq!(background(&mut world), BackgroundSync::NotNow(NotNow::WaitsForWifi));
    assert_eq!(world.server.syncs(), before, "not a byte was sent");
    // A person's wish sends what is small; the wish about photos stands, and survives a restart.
    world.restart();
    world.phone.set_network(Network::Metered);
    let summary = world.sync();
    assert_eq!((summary.commands_accepted, summary.photos_stored), (5, 0));
    world.phone.set_metered_use(MeteredUse::WithoutPhotos).unwrap();
    assert!(matches!(background(&mut world), BackgroundSync::Done(summary) if summary.photos_stored == 0));
    world.phone.set_network(Network::Unmetered);
    assert!(matches!(background(&mut world), BackgroundSync::Done(summary) if summary.photos_stored == 1));
    world.server.directives.push(Directive::WaitBeforeNextSync { seconds: 600 });
    world.sync();
    assert!(matches!(background(&mut world), BackgroundSync::NotNow(NotNow::ServerWish { .. })));
    world.env.advance_ms(600_000);
    assert!(matches!(background(&mut world), BackgroundSync::Done(_)));
}

#[test]
fn an_engine_told_of_a_network_tries_at_once() {
    use callout_mobile_sdk::engine::{Engine, EngineConfig, Event, Instruction, Moment, Progress};
    use callout_mobile_sdk::store::Store;
    use callout_mobile_sdk::store::account::device_load_or_create;
    use callout_mobile_sdk::{DeviceKey, Env as _};
    let world = World::synced(&[1]);
    let mut store = Store::open_with(world.folder.path(), super::support::store_key().as_ref()).unwrap();
    let device = store
        .write(|connection| device_load_or_create(connection, world.env.as_ref(), &DeviceKey::KeptInStore))
        .unwrap();
    let mut engine = Engine::new(EngineConfig::default(), device);
    let moment = Moment { now: world.env.now(), random: 0 };
    let mut tell = |event| engine.handle(&mut store, moment, event).unwrap();
    assert_eq!(tell(Event::NetworkChanged(Network::Absent)), []);
    let told = tell(Event::SyncWanted { by_person: false });
    assert_eq!(told, [Instruction::Report(Progress::NotNow { reason: NotNow::NoNetwork })]);
    let told = tell(Event::NetworkChanged(Network::Unmetered));
    let [Instruction::Http(request)] = told.as_slice() else { panic!("{told:?}") };
    let failed = tell(Event::HttpFailed { id: request.id, reason: "gone".to_owned() });
    assert!(matches!(failed.as_slice(), [_, Instruction::WaitUntil(_)]));
    assert!(matches!(tell(Event::NetworkChanged(Network::Absent)).as_slice(), [Instruction::WaitUntil(_)]));
    let back = tell(Event::NetworkChanged(Network::Metered));
    assert!(matches!(back.as_slice(), [Instruction::Http(_)]), "no waiting once there is a network: {back:?}");
}

/// A command at which the server fails for ever holds up those about its own order only, and is not rejected.
#[test]
fn a_command_that_the_server_fails_at_is_left_aside() {
    let mut world = World::synced(&[1, 2, 3]);
    world.server.failing_kind = Some("decline");
    world.phone.accept(order_id(1)).unwrap();
    world.phone.decline(order_id(2), "too far away").unwrap();
    world.phone.accept(order_id(3)).unwrap();
    let summary = world.sync();
    assert_eq!((summary.commands_accepted, summary.commands_rejected), (2, 0));
    let set_aside = world.phone.set_aside().unwrap();
    assert!(set_aside.commands.is_empty());
    assert_eq!(set_aside.deferred.len(), 1);
    assert!(set_aside.deferred[0].deferred_until.is_some());
    // Left alone by the app until its time, tried at once by a person, and sent as soon as the server is mended.
    let before = world.server.times_failed;
    world.phone.sync_in_background(&mut world.server, 0, &mut |_| {}).unwrap();
    assert_eq!(world.server.times_failed, before);
    world.phone.accept(order_id(2)).unwrap_err();
    world.server.failing_kind = None;
    assert_eq!(world.sync().commands_accepted, 1);
    assert!(world.phone.set_aside().unwrap().deferred.is_empty());
}

#[test]
fn a_server_that_fails_at_everything_costs_no_command_its_place() {
    let mut world = World::synced(&[1]);
    world.phone.accept(order_id(1)).unwrap();
    world.server.faults.extend(std::iter::repeat_n(Fault::Answer(500, "", &[]), 9));
    world.phone.sync(&mut world.server, 5, &mut |_| {}).unwrap_err();
    assert!(world.phone.set_aside().unwrap().deferred.is_empty());
    world.server.faults.clear();
    assert_eq!(world.sync().commands_accepted, 1);
}

/// R-TEST-5: refused, shown with its reason, mended, sent again; the refused one stays in the history.
#[test]
fn a_refused_command_is_mended_and_sent_again() {
    let mut world = World::synced(&[1, 2]);
    world.server.order_edit(order_id(1), |view| view.state = WorkOrderState::Withdrawn);
    world.phone.accept(order_id(1)).unwrap();
    world.phone.accept(order_id(2)).unwrap();
    world.sync();
    let refused = world.phone.set_aside().unwrap().commands.remove(0);
    assert!(matches!(&refused.standing, CommandStanding::Rejected { rejection } if !rejection.detail.is_empty()));
    let id = refused.command.id;
    // The world has not changed: the phone says so itself.
    assert!(matches!(world.phone.command_resend(id), Err(PhoneError::Rejected(_))));
    assert_eq!(world.phone.set_aside().unwrap().commands.len(), 1);
    world.server.order_edit(order_id(1), |view| view.state = WorkOrderState::Dispatched);
    world.sync();
    let order = world.phone.command_resend(id).unwrap();
    assert_eq!((order.view.state, order.rejected_commands), (WorkOrderState::Accepted, 0));
    assert_eq!(world.sync().commands_accepted, 1);
    let outbox = world.phone.outbox(order_id(1)).unwrap();
    assert_eq!(outbox.len(), 2);
    assert!(outbox[0].is_settled && outbox[0].command.captured_at == outbox[1].command.captured_at);
    assert!(matches!(world.phone.command_resend(id), Err(PhoneError::NothingToMend)));
    // Another command in a refused one's place, and one that is let be.
    world.server.order_edit(order_id(1), |view| view.state = WorkOrderState::Withdrawn);
    world.phone.decline(order_id(1), "ill").unwrap();
    world.sync();
    let id = world.phone.set_aside().unwrap().commands[0].command.id;
    world.server.order_edit(order_id(1), |view| view.state = WorkOrderState::Accepted);
    world.sync();
    world.phone.command_mend(id, CommandBody::Decline { reason: "ill, back on Monday".to_owned() }).unwrap();
    assert_eq!(world.sync().commands_accepted, 1);
    assert!(matches!(world.phone.command_dismiss(id), Err(PhoneError::NothingToMend)));
}

/// R-VISIT-2: the server learned of a refusal meanwhile; with consent given later, the photo goes after all.
#[test]
fn a_refused_photo_goes_after_its_announcement_is_mended() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    world.phone.photo_consent(order_id(1), true).unwrap();
    world.sync();
    let manifest =
        world.phone.photo_add_bytes(order_id(1), &png(9_000), PhotoRequest::new(PhotoPurpose::Indoors)).unwrap();
    world.server.order_edit(order_id(1), |view| view.photo_consent = Some(false));
    world.server.is_forgetful_of_rejected_photos = true;
    world.sync();
    let set_aside = world.phone.set_aside().unwrap();
    assert_eq!((set_aside.commands.len(), set_aside.photos.len()), (1, 1));
    world.phone.photo_consent(order_id(1), true).unwrap();
    world.phone.command_resend(set_aside.commands[0].command.id).unwrap();
    let summary = world.sync();
    assert_eq!((summary.commands_rejected, summary.photos_stored), (0, 1));
    assert_eq!(world.server.uploads[&manifest.id].bytes.len() as u64, manifest.byte_length);
    assert!(matches!(world.phone.photo_resend(manifest.id), Err(PhoneError::NothingToMend)));
}

/// What the server has may go; what only the phone has never does, and the tester is warned in time.
#[test]
fn a_quota_lets_go_of_confirmed_evidence_only() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let add = |world: &mut World| {
        world.phone.photo_add_bytes(order_id(1), &png(50_000), PhotoRequest::new(PhotoPurpose::Site)).unwrap()
    };
    let first = add(&mut world);
    let second = add(&mut world);
    world.capture(1, Operator::ChinaMobile, 0..700);
    world.phone.capture_seal(order_id(1)).unwrap();
    let (one, unsent) = (first.byte_length, world.phone.storage_use().unwrap().held.unsent);
    assert!(unsent > 2 * one);
    let evicted = world.phone.set_quota(Some(unsent)).unwrap();
    assert_eq!(evicted.bytes, 0, "nothing is confirmed");
    assert_eq!(world.phone.storage_use().unwrap().level, StorageLevel::Full);
    add(&mut world);
    world.phone.set_quota(Some(unsent * 3 / 2)).unwrap();
    assert_eq!(world.phone.storage_use().unwrap().level, StorageLevel::NearlyFull);
    let photos = || std::fs::read_dir(world.folder.path().join("photos")).unwrap().count();
    assert_eq!(photos(), 3);
    world.phone.set_quota(Some(2 * one)).unwrap();
    world.sync();
    let held = world.phone.storage_use().unwrap();
    assert!(held.held.confirmed <= 2 * one && held.held.unsent == 0 && held.level == StorageLevel::Fine, "{held:?}");
    let photos = std::fs::read_dir(world.folder.path().join("photos")).unwrap().count();
    assert!(photos < 3);
    // Everything is with the server, and what is cited stays citable.
    assert_eq!(world.server.uploads.len(), 3);
    world.phone.storage_free().unwrap();
    assert_eq!(world.phone.storage_use().unwrap().held.confirmed, 0);
    world.phone.findings_record(order_id(1), findings()).unwrap();
    let missing = super::support::missing(&[Operator::ChinaUnicom, Operator::ChinaTelecom]);
    world.phone.submit(order_id(1), missing).unwrap();
    // A wish for what is gone from here is not a promise to send it.
    world.server.directives.push(Directive::PhotosWanted { photo_ids: vec![second.id] });
    assert_eq!(world.sync().commands_rejected, 0);
    assert_eq!(world.phone.status().unwrap().photos.waiting, 0);
}

/// R-PRIVACY-1 and R-TEST-5 at once: contacts and confirmed evidence go, unsent evidence stays and is sent by the same person.
#[test]
fn a_revoked_phone_gives_up_contacts_and_keeps_unsent_evidence() {
    let mut world = World::synced(&[1, 2]);
    world.go_on_site(1);
    let request = PhotoRequest::new(PhotoPurpose::Site);
    world.phone.photo_add_bytes(order_id(1), &png(9_000), request).unwrap();
    world.capture(1, Operator::ChinaMobile, 0..300);
    world.phone.capture_seal(order_id(1)).unwrap();
    world.sync();
    let unsent = world.phone.photo_add_bytes(order_id(1), &png(12_000), request).unwrap();
    world.capture(1, Operator::ChinaUnicom, 0..400);
    world.phone.capture_seal(order_id(1)).unwrap();
    let former = world.phone.device_id();
    world.server.device_revoke();
    let ended = world.phone.sync(&mut world.server, 3, &mut |_| {});
    assert!(matches!(ended, Err(PhoneError::DeviceRevoked)), "{ended:?}");
    for _ in 0..2 {
        assert!(world.phone.revoked_at().unwrap().is_some());
        assert!(world.phone.orders().unwrap().is_empty());
        assert!(matches!(world.phone.order(order_id(1)), Err(PhoneError::DeviceRevoked)));
        let status = world.phone.status().unwrap();
        assert_eq!((status.commands.waiting, status.blocks.sealed, status.photos.waiting), (1, 1, 1));
        assert_eq!((status.blocks.stored, status.photos.stored), (0, 0), "the server has those");
        assert!(!status.is_signed_in);
        for file in ["phone.sqlite", "phone.sqlite-wal"] {
            let bytes = std::fs::read(world.folder.path().join(file)).unwrap_or_default();
            for word in [CUSTOMER_PHONE, "Made-up Customer", "Lakeside Road", "no bars in the kitchen"] {
                assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word} in {file}");
            }
        }
        world.restart();
    }
    // Enrolled anew in the same folder, under another id; what was sealed under the former one is sent as it is.
    world.phone.sign_in(&mut world.server, "tester", "correct horse").unwrap();
    assert_ne!(world.phone.device_id(), former);
    let summary = world.sync();
    assert_eq!((summary.commands_accepted, summary.blocks_stored, summary.photos_stored), (1, 1, 1), "{summary:?}");
    assert_eq!(world.server.samples_received(), 700);
    assert_eq!(world.server.uploads[&unsent.id].bytes.len() as u64, unsent.byte_length);
    assert_eq!(world.phone.order(order_id(1)).unwrap().view.customer.phone, CUSTOMER_PHONE);
    world.restart();
    assert!(world.phone.revoked_at().unwrap().is_none());
}

#[test]
fn a_revoked_phone_that_nobody_told_is_enrolled_anew_at_sign_in() {
    let mut world = World::synced(&[1]);
    world.phone.accept(order_id(1)).unwrap();
    let former = world.phone.device_id();
    world.server.device_revoke();
    world.phone.sign_in(&mut world.server, "tester", "correct horse").unwrap();
    assert_ne!(world.phone.device_id(), former);
    assert_eq!(world.sync().commands_accepted, 1);
}

#[test]
fn diagnostics_help_without_naming_anybody() {
    let mut world = World::synced(&[1, 2]);
    world.server.order_edit(order_id(2), |view| view.state = WorkOrderState::Withdrawn);
    world.phone.accept(order_id(2)).unwrap();
    world.go_on_site(1);
    world.phone.photo_add_bytes(order_id(1), &png(9_000), PhotoRequest::new(PhotoPurpose::Site)).unwrap();
    world.sync();
    world.server.faults.push_back(Fault::LoseRequest);
    world.phone.sync(&mut world.server, 0, &mut |_| {}).unwrap_err();
    let bundle = world.phone.diagnostics().unwrap();
    assert_eq!(bundle.refusals["illegal-transition"], 1);
    assert_eq!(bundle.syncs[0].ended, "gave_up");
    assert_eq!(bundle.syncs[1].ended, "finished");
    assert!(bundle.is_store_sound);
    assert_eq!(bundle.is_sealed, super::support::is_sealed());
    let text = serde_json::to_string(&bundle).unwrap();
    let view = order_view(1);
    let (order, number) = (view.id.to_string(), view.number);
    let secrets =
        [CUSTOMER_PHONE, "Made-up", "Lakeside", "tester", "Tester", "kitchen", "access-", "refresh-", "30.54"];
    for secret in secrets.into_iter().chain([order.as_str(), number.as_str()]) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn a_photo_is_turned_upright_and_made_smaller_if_asked() {
    use callout_mobile_sdk::synthetic::{PhotoOptions, photo_create};
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let taken_at = callout_mobile_sdk::Env::now(world.env.as_ref()).plus_seconds(-600);
    // As a phone held upright writes it: lying, with an EXIF that says so.
    let jpeg = photo_create(&PhotoOptions::new(5, taken_at, position())).unwrap();
    let size = |bytes: &[u8]| image::load_from_memory(bytes).map(|image| (image.width(), image.height())).unwrap();
    let (width, height) = size(&jpeg);
    assert!(width > height);
    let processing = PhotoProcessing::Upright { side_max: 100, quality: 70 };
    let request = PhotoRequest { processing, ..PhotoRequest::new(PhotoPurpose::Site) };
    let manifest = world.phone.photo_add_bytes(order_id(1), &jpeg, request).unwrap();
    assert!(manifest.position.is_some(), "time and place are read before EXIF goes");
    assert_eq!(world.sync().photos_stored, 1);
    let sent = &world.server.uploads[&manifest.id].bytes;
    let (width, height) = size(sent);
    assert!(width < height && height == 100, "{width}x{height}");
    assert!(!sent.windows(4).any(|window| window == b"Exif"));
    let png = world.phone.photo_add_bytes(order_id(1), &png(3_000), request).unwrap();
    assert_eq!(png.media_type, callout_sync_protocol::photos::MediaType::Jpeg);
    let broken = world.phone.photo_add_bytes(order_id(1), &jpeg[..jpeg.len() / 3], request);
    assert!(matches!(broken, Err(PhoneError::Photo { .. })) || broken.is_ok(), "told, never a panic");
}

/// Hours of capture in the memory of seconds, while a session runs.
#[test]
fn hours_of_capture_take_no_more_memory_than_minutes() {
    use crate::memory::peak_during;
    let mut world = World::new(&[1]);
    let place = folder();
    world.phone = callout_mobile_sdk::Phone::open(place.path(), config(), world.env.clone()).unwrap();
    world.phone.sign_in(&mut world.server, "tester", "correct horse").unwrap();
    world.sync();
    world.go_on_site(1);
    let mut session = world.phone.capture_begin(order_id(1), Operator::ChinaMobile, &Source::Live).unwrap();
    let mut push = |world: &mut World, range: std::ops::Range<u64>| {
        peak_during(|| {
            for index in range {
                world.phone.capture_push(&mut session, &sample(index)).unwrap();
            }
        })
    };
    let minutes = push(&mut world, 0..6_000);
    let hours = push(&mut world, 6_000..78_000);
    assert!(hours <= minutes + 64 * 1_024, "two hours: {hours} bytes, ten minutes: {minutes} bytes");
}

#[test]
fn a_failure_that_is_the_servers_wish_blames_nobody() {
    let mut world = World::synced(&[1]);
    world.phone.accept(order_id(1)).unwrap();
    world.server.faults.extend(std::iter::repeat_n(Fault::Answer(503, "", &[("retry-after", "5")]), 4));
    assert_eq!(world.sync().commands_accepted, 1);
    assert!(world.phone.set_aside().unwrap().deferred.is_empty());
    assert_eq!(ProblemType::DeviceRevoked.status(), 401);
}
