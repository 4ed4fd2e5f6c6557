//! Photos of 300 KB by resumable upload: created, sent, hashed, decoded, thumbnailed, stored, acknowledged.

use crate::Plan;
use crate::house::{BenchTester, House, id, now};
use crate::load;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callout_mobile_sdk::synthetic::{PhotoOptions, photo_create};
use callout_sync_protocol::commands::{Command, CommandBody};
use callout_sync_protocol::ids::{FieldTestId, PhotoId, WorkOrderId};
use callout_sync_protocol::photos::{MediaType, PhotoHash, PhotoManifest, PhotoPurpose};
use callout_sync_protocol::sync::{CommandResult, SyncRequest};
use callout_tests::phones::PLACE;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

struct Phone {
    tester: BenchTester,
    photos: Vec<(PhotoId, Vec<u8>)>,
}

/// The same picture as another photo: a comment (JPEG's COM segment) after the first marker makes its bytes its own.
fn variant(jpeg: &[u8], comment: &[u8; 16]) -> Vec<u8> {
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend_from_slice(&[0xFF, 0xFE, 0, 18]);
    bytes.extend_from_slice(comment);
    bytes.extend_from_slice(&jpeg[2..]);
    bytes
}

fn announce(tester: &BenchTester, order: WorkOrderId, test: FieldTestId, photos: &[(PhotoId, Vec<u8>)]) {
    for part in photos.chunks(100) {
        let commands = part
            .iter()
            .map(|(photo_id, bytes)| {
                let manifest = PhotoManifest {
                    id: *photo_id,
                    field_test_id: test,
                    work_order_id: order,
                    hash: PhotoHash(Sha256::digest(bytes).into()),
                    byte_length: bytes.len() as u64,
                    media_type: MediaType::Jpeg,
                    purpose: PhotoPurpose::Surroundings,
                    captured_at: now(),
                    position: Some(PLACE),
                };
                Command {
                    id: id(),
                    work_order_id: order,
                    captured_at: now(),
                    body: CommandBody::PhotoAttach { manifest },
                }
            })
            .collect();
        let response = tester.sync(&SyncRequest { commands, ..tester.request() });
        let is_accepted = |result: &CommandResult| matches!(result, CommandResult::Accepted { .. });
        assert!(response.outcomes.iter().all(|outcome| is_accepted(&outcome.result)), "{response:?}");
    }
}

fn upload(tester: &BenchTester, photo_id: PhotoId, bytes: &[u8]) {
    let length = bytes.len().to_string();
    let metadata = format!("photo_id {}", STANDARD.encode(photo_id.to_string()));
    let resumable = ("tus-resumable", "1.0.0");
    let created = tester.send(
        "POST",
        "/v1/photo-uploads",
        &[resumable, ("upload-length", length.as_str()), ("upload-metadata", metadata.as_str())],
        &[],
    );
    assert_eq!(created.status, 201, "{}", created.text());
    let piece = [resumable, ("upload-offset", "0"), ("content-type", "application/offset+octet-stream")];
    let sent = tester.send("PATCH", &format!("/v1/photo-uploads/{photo_id}"), &piece, bytes);
    assert_eq!(sent.status, 204, "{}", sent.text());
}

/// Photos stored per second.
pub fn measure(house: &House, plan: &Plan) -> Value {
    let picture = photo_create(&PhotoOptions::new(1, now(), PLACE)).unwrap();
    let phones: Vec<Phone> = (0..plan.phones)
        .map(|_| {
            let tester = house.tester();
            let order = house.order(&tester);
            let test = tester.test_begin(order);
            let photos: Vec<_> = (0..plan.photos)
                .map(|_| {
                    let photo_id: PhotoId = id();
                    let bytes = variant(&picture, photo_id.as_bytes());
                    (photo_id, bytes)
                })
                .collect();
            announce(&tester, order, test, &photos);
            Phone { tester, photos }
        })
        .collect();
    let load = load::run(phones, plan.duration, |phone, number| {
        let (photo_id, bytes) = phone.photos.get(number)?;
        upload(&phone.tester, *photo_id, bytes);
        Some(1)
    });
    json!({
        "photos_per_second": load.per_second(),
        "megabytes_per_second": (load.per_second() * picture.len() as f64 / 1e5).round() / 10.0,
        "photo_bytes": picture.len(),
        "requests": load.requests(),
    })
}
