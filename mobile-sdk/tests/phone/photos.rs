//! The photo queue: resumable, behind everything else, and no photo in another's way.

use super::support::server::Fault;
use super::support::{World, order_id, photo_file, png};
use callout_mobile_sdk::engine::Progress;
use callout_mobile_sdk::facade::PhotoRequest;
use callout_sync_protocol::photos::{PhotoManifest, PhotoPurpose};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::Directive;

fn photo_add(world: &mut World, bytes: usize) -> PhotoManifest {
    world.phone.photo_add_bytes(order_id(1), &png(bytes), PhotoRequest::new(PhotoPurpose::Site)).unwrap()
}

fn on_site() -> World {
    let mut world = World::synced(&[1, 2]);
    world.go_on_site(1);
    world
}

fn assert_stored(world: &World, manifest: &PhotoManifest) {
    use sha2::{Digest as _, Sha256};
    let upload = &world.server.uploads[&manifest.id];
    assert_eq!(upload.bytes.len() as u64, manifest.byte_length);
    assert_eq!(Sha256::digest(&upload.bytes).as_slice(), manifest.hash.0);
}

#[test]
fn an_upload_goes_on_where_it_broke() {
    let mut world = on_site();
    let manifest = photo_add(&mut world, 1_500_000);
    // Sync, create, a chunk, and then a chunk that arrives by half.
    world.server.faults.extend([Fault::None, Fault::None, Fault::None, Fault::CutUpload]);
    world.server.log.clear();
    assert!(world.phone.sync(&mut world.server, 0, &mut |_| {}).is_err());
    let arrived = world.server.uploads[&manifest.id].bytes.len();
    assert!(arrived > 256 * 1024);
    world.restart();
    world.server.log.clear();
    assert_eq!(world.sync().photos_stored, 1);
    assert!(world.server.log[1].starts_with("HEAD /v1/photo-uploads/"), "{:?}", world.server.log);
    assert_stored(&world, &manifest);
    assert_eq!(world.phone.status().unwrap().photos.stored, 1);
    world.server.log.clear();
    world.sync();
    assert_eq!(world.server.log, ["POST /v1/sync"], "a stored photo is left alone");
}

#[test]
fn any_single_fault_at_any_message_of_an_upload_is_overcome() {
    let faults =
        [Fault::LoseRequest, Fault::LoseAnswer, Fault::CutUpload, Fault::ForgetToken, Fault::Answer(502, "", &[])];
    for fault in faults {
        for at in 1..6 {
            let mut world = on_site();
            let manifest = photo_add(&mut world, 1_000_000);
            world.server.faults.extend(std::iter::repeat_n(Fault::None, at));
            world.server.faults.push_back(fault.clone());
            let summary = world.sync();
            assert_eq!(summary.photos_stored, 1, "{fault:?} at {at}");
            assert_stored(&world, &manifest);
        }
    }
}

#[test]
fn an_upload_that_expired_begins_anew() {
    let mut world = on_site();
    let manifest = photo_add(&mut world, 1_000_000);
    world.server.faults.extend([Fault::None, Fault::None, Fault::None, Fault::LoseRequest]);
    assert!(world.phone.sync(&mut world.server, 0, &mut |_| {}).is_err());
    world.server.uploads.clear();
    assert_eq!(world.sync().photos_stored, 1);
    assert_stored(&world, &manifest);
}

#[test]
fn a_refused_photo_is_shown_and_does_not_hold_up_the_next() {
    let mut world = on_site();
    let refused = photo_add(&mut world, 3_000);
    let next = photo_add(&mut world, 4_000);
    world.server.refuse_photos_of.insert(refused.id);
    let summary = world.sync();
    assert_eq!((summary.photos_stored, summary.photos_refused), (1, 1));
    assert_stored(&world, &next);
    let set_aside = world.phone.set_aside().unwrap();
    assert_eq!(set_aside.photos[0].manifest.id, refused.id);
    assert_eq!(set_aside.photos[0].rejection.problem, ProblemType::ImageInvalid);
    // Its bytes are kept, and go when the server wants them after all.
    world.server.refuse_photos_of.clear();
    world.server.directives.push(Directive::PhotosWanted { photo_ids: vec![refused.id] });
    assert_eq!(world.sync().photos_stored, 1);
    assert_stored(&world, &refused);
}

#[test]
fn a_photo_whose_file_is_gone_does_not_hold_up_the_next() {
    let mut world = on_site();
    let gone = photo_add(&mut world, 3_000);
    let next = photo_add(&mut world, 4_000);
    std::fs::remove_file(world.folder.path().join("photos").join(photo_file(gone.id))).unwrap();
    let summary = world.sync();
    assert_eq!((summary.photos_stored, summary.photos_refused), (1, 1));
    assert_stored(&world, &next);
}

#[test]
fn a_photo_that_the_server_fails_at_does_not_hold_up_the_next_for_ever() {
    let mut world = on_site();
    photo_add(&mut world, 3_000);
    let next = photo_add(&mut world, 4_000);
    world.server.faults.push_back(Fault::None);
    world.server.faults.extend(std::iter::repeat_n(Fault::Answer(500, "", &[]), 4));
    assert_eq!(world.sync().photos_stored, 1);
    assert_stored(&world, &next);
    assert_eq!(world.phone.status().unwrap().photos.waiting, 1, "tried again by the next sync");
    assert_eq!(world.sync().photos_stored, 1);
}

#[test]
fn a_photo_changed_on_the_phone_is_not_passed_off_as_the_one_promised() {
    let mut world = on_site();
    let manifest = photo_add(&mut world, 3_000);
    let path = world.folder.path().join("photos").join(photo_file(manifest.id));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let summary = world.sync();
    assert_eq!((summary.photos_stored, summary.photos_refused), (0, 1));
    // A sealed file that was changed does not even open.
    let told = if super::support::is_sealed() { ProblemType::ImageInvalid } else { ProblemType::HashMismatch };
    assert_eq!(world.phone.set_aside().unwrap().photos[0].rejection.problem, told);
}

#[test]
fn a_huge_photo_does_not_delay_an_order() {
    let mut world = on_site();
    photo_add(&mut world, 2_000_000);
    let mut other = super::support::open(world.folder.path(), &world.env);
    let mut given = false;
    world.server.log.clear();
    world
        .phone
        .sync(&mut world.server, 0, &mut |progress| {
            // While the photo is on its way, the tester takes another order.
            if let Progress::PhotoProgress { offset, .. } = progress
                && *offset > 0
                && !given
            {
                other.accept(order_id(2)).unwrap();
                given = true;
            }
        })
        .unwrap();
    let log = &world.server.log;
    let second_sync = log.iter().rposition(|line| line == "POST /v1/sync").unwrap();
    assert!(second_sync < log.len() - 1, "the order goes between two chunks: {log:?}");
    assert!(world.server.commands.iter().any(|(command, _)| command.work_order_id == order_id(2)));
}

/// R-PRIVACY-1: a picture whose photo was not yet recorded, or no longer, when the power failed is on nobody's list. It goes at the next
/// start; the others stay.
#[test]
fn a_file_that_no_photo_names_goes_at_the_next_start() {
    let mut world = on_site();
    let manifest = photo_add(&mut world, 1_000);
    let photos = world.folder.path().join("photos");
    let stray = photos.join("01a20109-0000-7000-8000-000000000001.png.sealed");
    std::fs::write(&stray, [7; 5_000]).unwrap();
    world.restart();
    assert!(!stray.exists());
    assert!(photos.join(photo_file(manifest.id)).exists());
    assert_eq!(world.sync().photos_stored, 1);
    assert_stored(&world, &manifest);
}
