//! The upload service over a real store in a folder: cuts, repeats, races, lies, and what must never be lost.

use crate::photos::pictures::*;
use crate::photos::world::*;
use bytes::Bytes;
use callout_server::app::access::Caller;
use callout_server::photos::service::{PhotoService, Swept, UploadError};
use callout_server::photos::store::{PhotoStore, PhotoStoreError, part_key, photo_key};
use callout_server::photos::tus::{Checksum, Creation, Piece, UploadProgress, metadata_of};
use callout_storage::Standing;
use callout_storage::photo_uploads::UploadPart;
use callout_storage::photos::PhotoState;
use callout_sync_protocol::ids::PhotoId;
use callout_sync_protocol::photos::MediaType;
use callout_sync_protocol::problem::ProblemType;
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

pub type Service = Arc<PhotoService>;

pub fn me() -> Caller {
    tester(1)
}

pub async fn create(server: &Service, id: PhotoId, length: usize) -> Result<UploadProgress, UploadError> {
    let creation = Creation { photo_id: id, length: length as u64, metadata: metadata_of(id), piece: None };
    server.upload_create(&me(), &creation).await
}

pub async fn send(server: &Service, id: PhotoId, offset: u64, bytes: &[u8]) -> Result<UploadProgress, UploadError> {
    let piece = Piece { offset, length: Some(bytes.len() as u64), checksum: None };
    server.upload_append(&me(), id, &piece, Bytes::copy_from_slice(bytes)).await
}

pub async fn read(store: &PhotoStore, key: &str) -> Vec<u8> {
    let stored = store.get(key).await.unwrap();
    let bytes: Vec<Bytes> = stored.stream.try_collect().await.unwrap();
    let bytes = bytes.concat();
    assert_eq!(bytes.len() as u64, stored.length);
    bytes
}

fn problem(result: Result<UploadProgress, UploadError>) -> (ProblemType, Option<u64>) {
    let error = result.unwrap_err();
    (error.error.problem, error.progress.map(|progress| progress.offset))
}

/// Files below `staging/`, whole or half-written.
fn staged_files(folder: &Path) -> usize {
    fn count(folder: &Path) -> usize {
        std::fs::read_dir(folder).map_or(0, |entries| {
            entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        })
    }
    count(&folder.join("staging"))
}

/// The whole way of one photo in pieces over two servers, then what is kept of it. Holds for every kind of store.
pub async fn photo_arrives_in_pieces_over_two_servers(world: &World) {
    let bytes = jpeg(320, 240);
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    let servers = [world.server(), world.server()];
    let begun = create(&servers[0], id, bytes.len()).await.unwrap();
    assert_eq!((begun.offset, begun.length), (0, bytes.len() as u64));
    let mut offset = 0;
    for (number, piece) in bytes.chunks(1_000).enumerate() {
        let after = send(&servers[number % 2], id, offset, piece).await.unwrap();
        offset += piece.len() as u64;
        assert_eq!(after.offset, offset);
    }
    let photo = world.photo(id);
    assert_eq!((photo.state, photo.width, photo.height), (PhotoState::Stored, Some(320), Some(240)));
    assert_eq!(world.trail(&photo), ["photo_stored"]);
    let facts = photo.exif.unwrap();
    assert_eq!((&facts["orientation"], facts["perceptual_hash"].as_str().map(str::len)), (&1.into(), Some(16)));
    assert_eq!(photo.object_key, Some(photo_key(sha256(&bytes), MediaType::Jpeg)));
    assert_eq!(read(&world.store, &photo.object_key.unwrap()).await, bytes);
    let thumbnail = read(&world.store, &photo.thumbnail_key.unwrap()).await;
    assert_eq!(image::load_from_memory(&thumbnail).unwrap().width(), 320);
    let far_future = "2100-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(world.store.parts_found(far_future).await.unwrap(), vec![], "no piece is left behind");

    // Everything again, as a phone does that never got the answers: success without effect.
    assert_eq!(create(&servers[0], id, bytes.len()).await.unwrap().offset, offset);
    assert_eq!(servers[1].upload_status(&me(), id).await.unwrap().offset, offset);
    assert_eq!(problem(send(&servers[0], id, 0, &bytes).await), (ProblemType::OffsetConflict, Some(offset)));

    // Another photo of the same content shares the object.
    let twin = photo_id(2);
    world.announce(twin, &bytes, MediaType::Jpeg);
    create(&servers[0], twin, bytes.len()).await.unwrap();
    assert_eq!(send(&servers[0], twin, 0, &bytes).await.unwrap().offset, offset);
}

#[tokio::test]
async fn a_photo_arrives_in_pieces_over_two_servers() {
    let (world, folder) = World::in_folder();
    photo_arrives_in_pieces_over_two_servers(&world).await;
    assert_eq!(staged_files(folder.path()), 0);
}

#[tokio::test]
async fn a_photo_arrives_whatever_byte_it_is_cut_at() {
    let bytes = png(24, 18);
    let (world, _folder) = World::in_folder();
    let mut number = 0;
    let last = bytes.len() - 1;
    for cuts in [vec![1], vec![last], vec![1, 2], vec![last - 1, last], vec![8, 16, 33], vec![bytes.len() / 2]] {
        number += 1;
        let id = photo_id(number);
        world.announce(id, &bytes, MediaType::Png);
        create(&world.server(), id, bytes.len()).await.unwrap();
        let mut from = 0;
        for to in cuts.iter().copied().chain([bytes.len()]) {
            // Each piece meets a server that was just started, and asks where to go on.
            let server = world.server();
            let offset = server.upload_status(&me(), id).await.unwrap().offset;
            assert_eq!(offset, from as u64, "cut at {cuts:?}");
            send(&server, id, offset, &bytes[from..to]).await.unwrap();
            from = to;
        }
        assert_eq!(world.photo(id).state, PhotoState::Stored, "cut at {cuts:?}");
    }
}

#[tokio::test]
async fn a_server_killed_between_bytes_and_row_loses_only_the_piece_under_way() {
    let bytes = jpeg(64, 48);
    let (world, folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    create(&world.server(), id, bytes.len()).await.unwrap();
    send(&world.server(), id, 0, &bytes[..100]).await.unwrap();
    // Killed after the piece was written and before the row named it; and after the photo was written, before its row.
    let part_id = uuid::Uuid::from_u128(7);
    let part = UploadPart { object_key: part_key(id, 100, part_id), byte_offset: 100, byte_length: 50 };
    world.store.part_put(&part, bytes[100..150].to_vec().into()).await.unwrap();
    world.store.photo_put(sha256(&bytes), MediaType::Jpeg, bytes.clone().into()).await.unwrap();
    let again = world.server();
    assert_eq!(again.upload_status(&me(), id).await.unwrap().offset, 100);
    send(&again, id, 100, &bytes[100..200]).await.unwrap();
    send(&again, id, 200, &bytes[200..]).await.unwrap();
    assert_eq!(world.photo(id).state, PhotoState::Stored);
    assert_eq!(read(&world.store, &photo_key(sha256(&bytes), MediaType::Jpeg)).await, bytes);

    // The piece that no row names waits for the sweep, which leaves young ones alone.
    assert_eq!(world.server().uploads_sweep().await.unwrap(), Swept::default());
    assert_eq!(staged_files(folder.path()), 1);
    world.clock.advance_seconds(20 * 365 * 24 * 3_600);
    assert_eq!(world.server().uploads_sweep().await.unwrap(), Swept { uploads: 0, orphans: 1 });
    assert_eq!(staged_files(folder.path()), 0);
}

#[tokio::test]
async fn the_sweep_keeps_old_pieces_of_a_living_upload() {
    let bytes = jpeg(64, 48);
    let (world, folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    // By the store's clock, which is the machine's, the pieces are as old as the world is late.
    world.clock.advance_seconds(20 * 365 * 24 * 3_600);
    let server = world.server();
    create(&server, id, bytes.len()).await.unwrap();
    send(&server, id, 0, &bytes[..100]).await.unwrap();
    assert_eq!(server.uploads_sweep().await.unwrap(), Swept::default());
    assert_eq!(staged_files(folder.path()), 1);
    assert_eq!(send(&server, id, 100, &bytes[100..]).await.unwrap().offset, bytes.len() as u64);
}

#[tokio::test]
async fn a_photo_whose_order_went_to_another_tester_is_still_taken_and_its_standing_stays() {
    let bytes = jpeg(64, 48);
    let (world, _folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    let server = world.server();
    create(&server, id, bytes.len()).await.unwrap();
    world.photo_change(id, |photo| photo.standing = Standing::Quarantined);
    send(&server, id, 0, &bytes).await.unwrap();
    let photo = world.photo(id);
    assert_eq!((photo.state, photo.standing), (PhotoState::Stored, Standing::Quarantined));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_requests_at_the_same_offset_one_wins_and_the_photo_is_whole() {
    let bytes = jpeg(200, 150);
    let (world, _folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    create(&world.server(), id, bytes.len()).await.unwrap();
    let mut offset = 0_u64;
    while offset < bytes.len() as u64 {
        let tasks: Vec<_> = (1..=6)
            .map(|size: usize| {
                let (server, bytes) = (world.server(), bytes.clone());
                let to = (offset as usize + size * 500).min(bytes.len());
                tokio::spawn(async move { send(&server, id, offset, &bytes[offset as usize..to]).await })
            })
            .collect();
        let mut won = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(after) => won.push(after.offset),
                Err(error) => assert_eq!(error.error.problem, ProblemType::OffsetConflict),
            }
        }
        let now = world.server().upload_status(&me(), id).await.unwrap().offset;
        // Several may have brought the last piece; that is one success told several times.
        assert!(won.len() == 1 || now == bytes.len() as u64, "{won:?} won");
        assert!(won.iter().all(|told| *told == now));
        offset = now;
    }
    assert_eq!(read(&world.store, &photo_key(sha256(&bytes), MediaType::Jpeg)).await, bytes);
}

#[tokio::test]
async fn a_piece_with_a_wrong_checksum_is_discarded_and_the_offset_stays() {
    let bytes = jpeg(64, 48);
    let (world, _folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    let server = world.server();
    create(&server, id, bytes.len()).await.unwrap();
    send(&server, id, 0, &bytes[..10]).await.unwrap();
    let checksum = Some(Checksum::Sha256(Sha256::digest(&bytes[10..20]).into()));
    let piece = Piece { offset: 10, length: Some(10), checksum };
    let damaged = Bytes::copy_from_slice(&bytes[11..21]);
    assert_eq!(problem(server.upload_append(&me(), id, &piece, damaged).await), (ProblemType::HashMismatch, Some(10)));
    assert_eq!(server.upload_status(&me(), id).await.unwrap().offset, 10);
    let whole = Bytes::copy_from_slice(&bytes[10..20]);
    assert_eq!(server.upload_append(&me(), id, &piece, whole).await.unwrap().offset, 20);
}

#[tokio::test]
async fn bytes_of_another_hash_start_over_and_may_come_again() {
    let bytes = jpeg(64, 48);
    let (world, folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    let server = world.server();
    create(&server, id, bytes.len()).await.unwrap();
    let mut damaged = bytes.clone();
    damaged[500] ^= 1;
    send(&server, id, 0, &damaged[..300]).await.unwrap();
    assert_eq!(problem(send(&server, id, 300, &damaged[300..]).await), (ProblemType::HashMismatch, Some(0)));
    assert_eq!(server.upload_status(&me(), id).await.unwrap().offset, 0);
    assert_eq!(staged_files(folder.path()), 0);
    assert!(matches!(
        world.store.get(&photo_key(sha256(&damaged), MediaType::Jpeg)).await,
        Err(PhotoStoreError::NotFound { .. })
    ));
    send(&server, id, 0, &bytes).await.unwrap();
    assert_eq!(world.photo(id).state, PhotoState::Stored);
}

#[tokio::test]
async fn what_is_no_image_is_refused_for_good_and_its_bytes_are_kept() {
    let (world, _folder) = World::in_folder();
    let text = b"not a photo at all".to_vec();
    let mislabelled = png(16, 16);
    for (number, bytes) in [(1, &text), (2, &mislabelled)] {
        let id = photo_id(number);
        world.announce(id, bytes, MediaType::Jpeg);
        let server = world.server();
        create(&server, id, bytes.len()).await.unwrap();
        send(&server, id, 0, &bytes[..5]).await.unwrap();
        assert_eq!(problem(send(&server, id, 5, &bytes[5..]).await).0, ProblemType::ImageInvalid);
        let photo = world.photo(id);
        assert_eq!((photo.state, photo.refusal.unwrap().problem), (PhotoState::Refused, ProblemType::ImageInvalid));
        // R-TEST-5: nothing captured is ever lost, not even what the server refuses.
        assert_eq!(&read(&world.store, &photo.object_key.unwrap()).await, bytes);
        // The phone learns the same reason however it asks.
        assert_eq!(problem(create(&server, id, bytes.len()).await).0, ProblemType::ImageInvalid);
        assert_eq!(problem(server.upload_status(&me(), id).await).0, ProblemType::ImageInvalid);
        assert_eq!(problem(send(&server, id, 0, bytes).await).0, ProblemType::ImageInvalid);
    }
}

#[tokio::test]
async fn only_the_phone_that_announced_a_photo_uploads_it() {
    let bytes = jpeg(16, 16);
    let (world, _folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    let server = world.server();
    create(&server, id, bytes.len()).await.unwrap();
    let other_phone = Caller { device_id: tester(2).device_id, ..me() };
    let other_tester = Caller { device_id: me().device_id, ..tester(2) };
    let piece = Piece { offset: 0, length: None, checksum: None };
    for stranger in [other_phone, other_tester, tester(2)] {
        let sent = server.upload_append(&stranger, id, &piece, Bytes::copy_from_slice(&bytes)).await;
        assert_eq!(problem(sent), (ProblemType::NotFound, None));
        assert_eq!(problem(server.upload_status(&stranger, id).await), (ProblemType::NotFound, None));
        assert_eq!(server.upload_terminate(&stranger, id).await.unwrap_err().error.problem, ProblemType::NotFound);
    }
    // Neither is a photo that no sync has announced; the words say what to do.
    let error = create(&server, photo_id(9), 5).await.unwrap_err();
    assert_eq!(error.error.problem, ProblemType::NotFound);
    assert!(error.error.detail.contains("sync first"));
    assert_eq!(server.upload_status(&me(), id).await.unwrap().offset, 0);
}

#[tokio::test]
async fn a_phone_that_was_shut_out_uploads_nothing_more() {
    let bytes = jpeg(16, 16);
    let (world, _folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    let server = world.server();
    create(&server, id, bytes.len()).await.unwrap();
    world.device_revoke(me().device_id);
    assert_eq!(problem(send(&server, id, 0, &bytes).await).0, ProblemType::SessionRevoked);
    assert_eq!(world.photo(id).state, PhotoState::Announced);
}

#[tokio::test]
async fn lengths_that_contradict_the_announcement_are_refused() {
    let bytes = jpeg(16, 16);
    let (world, _folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    let server = world.server();
    assert_eq!(problem(create(&server, id, bytes.len() + 1).await), (ProblemType::InvalidField, None));
    assert_eq!(problem(server.upload_status(&me(), id).await).0, ProblemType::UploadGone);
    create(&server, id, bytes.len()).await.unwrap();
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(problem(send(&server, id, 0, &longer).await), (ProblemType::TooLarge, Some(0)));
    // The same without a Content-Length to warn of it.
    let piece = Piece { offset: 0, length: None, checksum: None };
    assert_eq!(problem(server.upload_append(&me(), id, &piece, longer.into()).await), (ProblemType::TooLarge, Some(0)));
    assert_eq!(problem(send(&server, id, 5, &bytes[5..]).await), (ProblemType::OffsetConflict, Some(0)));
    assert_eq!(send(&server, id, 0, &[]).await.unwrap().offset, 0);
}

#[tokio::test]
async fn an_upload_that_rests_too_long_is_gone_and_begins_anew() {
    let bytes = jpeg(64, 48);
    let (world, folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    let server = world.server();
    create(&server, id, bytes.len()).await.unwrap();
    send(&server, id, 0, &bytes[..10]).await.unwrap();
    // Every piece gives it a whole lifetime more.
    world.clock.advance_seconds(LIFETIME - 1);
    assert!(send(&server, id, 10, &bytes[10..20]).await.unwrap().expires_at.is_some());
    world.clock.advance_seconds(LIFETIME - 1);
    assert_eq!(server.uploads_sweep().await.unwrap(), Swept::default());
    assert_eq!(server.upload_status(&me(), id).await.unwrap().offset, 20);
    world.clock.advance_seconds(1);
    assert_eq!(problem(server.upload_status(&me(), id).await).0, ProblemType::UploadGone);
    assert_eq!(problem(send(&server, id, 20, &bytes[20..]).await).0, ProblemType::UploadGone);
    assert_eq!(server.uploads_sweep().await.unwrap().uploads, 1);
    assert_eq!(staged_files(folder.path()), 0);
    assert_eq!(create(&server, id, bytes.len()).await.unwrap().offset, 0);
    send(&server, id, 0, &bytes).await.unwrap();
    assert_eq!(world.photo(id).state, PhotoState::Stored);
}

#[tokio::test]
async fn an_expired_upload_begins_anew_even_before_the_sweep() {
    let bytes = jpeg(64, 48);
    let (world, folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    let server = world.server();
    create(&server, id, bytes.len()).await.unwrap();
    send(&server, id, 0, &bytes[..10]).await.unwrap();
    world.clock.advance_seconds(LIFETIME);
    assert_eq!(create(&server, id, bytes.len()).await.unwrap().offset, 0);
    assert_eq!(staged_files(folder.path()), 0);
}

#[tokio::test]
async fn a_terminated_upload_is_gone_but_a_stored_photo_stays() {
    let bytes = jpeg(64, 48);
    let (world, folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    let server = world.server();
    create(&server, id, bytes.len()).await.unwrap();
    send(&server, id, 0, &bytes[..10]).await.unwrap();
    server.upload_terminate(&me(), id).await.unwrap();
    assert_eq!(staged_files(folder.path()), 0);
    assert_eq!(problem(server.upload_status(&me(), id).await).0, ProblemType::UploadGone);
    assert_eq!(server.upload_terminate(&me(), id).await.unwrap_err().error.problem, ProblemType::UploadGone);
    create(&server, id, bytes.len()).await.unwrap();
    send(&server, id, 0, &bytes).await.unwrap();
    assert_eq!(server.upload_terminate(&me(), id).await.unwrap_err().error.problem, ProblemType::IllegalTransition);
    assert_eq!(read(&world.store, &photo_key(sha256(&bytes), MediaType::Jpeg)).await, bytes);
}

#[tokio::test]
async fn a_store_that_fails_costs_nothing_received_and_one_that_forgets_starts_over() {
    let bytes = jpeg(64, 48);
    let (world, folder) = World::in_folder();
    let id = photo_id(1);
    world.announce(id, &bytes, MediaType::Jpeg);
    let server = world.server();
    create(&server, id, bytes.len()).await.unwrap();
    send(&server, id, 0, &bytes[..10]).await.unwrap();
    let (there, away) = (folder.path().join("staging"), folder.path().join("away"));
    std::fs::rename(&there, &away).unwrap();
    std::fs::write(&there, "a file where the folder was").unwrap();
    let error = send(&server, id, 10, &bytes[10..20]).await.unwrap_err();
    assert_eq!(error.error.problem, ProblemType::Unavailable);
    assert!(
        !error.error.to_string().contains(folder.path().to_str().unwrap()),
        "the cause is for the log: {}",
        error.error
    );
    assert_eq!(server.upload_status(&me(), id).await.unwrap().offset, 10);
    std::fs::remove_file(&there).unwrap();
    std::fs::rename(&away, &there).unwrap();
    assert_eq!(send(&server, id, 10, &bytes[10..20]).await.unwrap().offset, 20);

    std::fs::remove_dir_all(&there).unwrap();
    assert_eq!(problem(send(&server, id, 20, &bytes[20..]).await), (ProblemType::OffsetConflict, Some(0)));
    send(&server, id, 0, &bytes).await.unwrap();
    assert_eq!(world.photo(id).state, PhotoState::Stored);
}

#[tokio::test]
async fn a_stored_object_of_the_wrong_length_is_mended() {
    let bytes = jpeg(64, 48);
    let (world, folder) = World::in_folder();
    let hex = sha256(&bytes).to_string();
    let path = folder.path().join("photos").join(&hex[..2]).join(format!("{hex}.jpg"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, &bytes[..7]).unwrap();
    world.store.photo_put(sha256(&bytes), MediaType::Jpeg, bytes.clone().into()).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}
