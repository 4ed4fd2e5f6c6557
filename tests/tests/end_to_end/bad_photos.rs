//! Photo uploads (tus 1.0): half ones resume, wrong ones are refused, and what is no image is never served.

use super::support::{RawTester, assert_problem, command, id};
use callout_cli::desk::Answer;
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::ids::{FieldTestId, PhotoId, WorkOrderId};
use callout_sync_protocol::photos::{MediaType, PhotoHash, PhotoManifest, PhotoPurpose};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::CommandResult;
use callout_tests::phones::photo;
use callout_tests::world::World;
use callout_tests::world_tests;
use sha2::{Digest as _, Sha256};

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
const PIECE: (&str, &str) = ("content-type", "application/offset+octet-stream");

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

struct Upload<'a> {
    tester: &'a RawTester,
    photo_id: PhotoId,
}

impl Upload<'_> {
    fn path(&self) -> String {
        format!("/v1/photo-uploads/{}", self.photo_id)
    }

    fn create(&self, length: u64) -> Answer {
        let metadata = format!("photo_id {}", base64(self.photo_id.to_string().as_bytes()));
        let length = length.to_string();
        let headers = [TUS, ("upload-length", length.as_str()), ("upload-metadata", metadata.as_str())];
        self.tester.desk.send("POST", "/v1/photo-uploads", &headers, &[]).unwrap()
    }

    fn piece(&self, offset: u64, bytes: &[u8], more: &[(&str, &str)]) -> Answer {
        let offset = offset.to_string();
        let mut headers = vec![TUS, PIECE, ("upload-offset", offset.as_str())];
        headers.extend_from_slice(more);
        self.tester.desk.send("PATCH", &self.path(), &headers, bytes).unwrap()
    }

    fn offset(&self) -> Option<u64> {
        let answer = self.tester.desk.send("HEAD", &self.path(), &[TUS], &[]).unwrap();
        answer.header("upload-offset").map(|offset| offset.parse().unwrap())
    }
}

/// A tester with a test under way.
fn tester(world: &World, name: &str) -> (RawTester, WorkOrderId, FieldTestId) {
    let tester = RawTester::new(world, name);
    let order = world.order_dispatched(tester.user_id);
    let test: FieldTestId = id();
    tester.commands(
        world,
        vec![
            command(world, order, CommandBody::Accept {}),
            command(world, order, CommandBody::TestBegin { field_test_id: test }),
        ],
    );
    (tester, order, test)
}

/// Announces bytes as a photo.
fn announce(
    world: &World,
    (tester, order, test): &(RawTester, WorkOrderId, FieldTestId),
    bytes: &[u8],
    media_type: MediaType,
) -> PhotoId {
    let manifest = PhotoManifest {
        id: id(),
        field_test_id: *test,
        work_order_id: *order,
        hash: PhotoHash(Sha256::digest(bytes).into()),
        byte_length: bytes.len() as u64,
        media_type,
        purpose: PhotoPurpose::Surroundings,
        captured_at: world.clock.time(),
        position: None,
    };
    let photo_id = manifest.id;
    let results = tester.commands(world, vec![command(world, *order, CommandBody::PhotoAttach { manifest })]);
    assert!(matches!(results[0], CommandResult::Accepted { .. }), "{results:?}");
    photo_id
}

/// A PNG whose header promises 50 000 × 50 000 pixels, in a few bytes.
fn png_bomb() -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        png.extend_from_slice(&(data.len() as u32).to_be_bytes());
        let mut checked = kind.to_vec();
        checked.extend_from_slice(data);
        png.extend_from_slice(&checked);
        png.extend_from_slice(&crc32(&checked).to_be_bytes());
    };
    let mut header = Vec::new();
    header.extend_from_slice(&50_000_u32.to_be_bytes());
    header.extend_from_slice(&50_000_u32.to_be_bytes());
    header.extend_from_slice(&[8, 6, 0, 0, 0]);
    chunk(b"IHDR", &header);
    chunk(b"IDAT", &[0x78, 0x9C, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]);
    chunk(b"IEND", &[]);
    png
}

/// CRC-32 as PNG has it (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

world_tests! {
    /// Half an upload, then the rest from where the server is; created again it is the same upload.
    fn half_an_upload_resumes(world) {
        let field = tester(world, "tester-1");
        let bytes = photo(1, 20_000, &world.clock);
        let upload = Upload { tester: &field.0, photo_id: announce(world, &field, &bytes, MediaType::Jpeg) };
        let length = bytes.len() as u64;
        assert_eq!(upload.create(length).status, 201);
        let half = bytes.len() / 2;
        assert_eq!(upload.piece(0, &bytes[..half], &[]).status, 204);
        assert_eq!(upload.offset(), Some(half as u64));
        let again = upload.create(length);
        assert!((200..300).contains(&again.status), "{}", again.text());
        assert_eq!(upload.offset(), Some(half as u64), "what is there stays");
        assert_problem(&upload.piece(0, &bytes[..half], &[]), ProblemType::OffsetConflict);
        assert_problem(&upload.piece(half as u64 + 1, &bytes[half + 1..], &[]), ProblemType::OffsetConflict);
        let wrong = format!("sha256 {}", base64(&[0; 32]));
        let refused = upload.piece(half as u64, &bytes[half..], &[("upload-checksum", wrong.as_str())]);
        assert_problem(&refused, ProblemType::HashMismatch);
        assert_eq!(upload.offset(), Some(half as u64), "a piece with a wrong checksum is dropped");
        let right = format!("sha256 {}", base64(&Sha256::digest(&bytes[half..])));
        assert_eq!(upload.piece(half as u64, &bytes[half..], &[("upload-checksum", right.as_str())]).status, 204);

        let lead = world.lead();
        let stored = lead.send("GET", &format!("/v1/photos/{}", upload.photo_id), &[], &[]).unwrap();
        assert_eq!((stored.status, stored.content_type.as_str()), (200, "image/jpeg"));
        assert_eq!(stored.body, bytes, "the very bytes");
        let thumbnail = lead.send("GET", &format!("/v1/photos/{}/thumbnail", upload.photo_id), &[], &[]).unwrap();
        assert_eq!((thumbnail.status, thumbnail.content_type.as_str()), (200, "image/jpeg"));
    }

    /// Bytes that are not what was promised, or no acceptable image, are refused; nobody is served them as a photo.
    fn what_is_no_image_is_refused(world) {
        let field = tester(world, "tester-1");
        let jpeg = photo(2, 20_000, &world.clock);
        let mut cut = jpeg.clone();
        cut.truncate(jpeg.len() / 3);
        let cases = [
            ("a text", b"GIF89a? No: just some words.".to_vec(), MediaType::Jpeg),
            ("a page", b"<html><script>alert(1)</script></html>".to_vec(), MediaType::Png),
            ("a decompression bomb", png_bomb(), MediaType::Png),
            ("a JPEG that says PNG", jpeg.clone(), MediaType::Png),
            ("only the beginning of an image", cut, MediaType::Jpeg),
        ];
        for (name, bytes, media_type) in cases {
            let upload = Upload { tester: &field.0, photo_id: announce(world, &field, &bytes, media_type) };
            assert_eq!(upload.create(bytes.len() as u64).status, 201, "{name}");
            let answer = upload.piece(0, &bytes, &[]);
            let problem = answer.problem().unwrap_or_else(|| panic!("{name}: {} {}", answer.status, answer.text()));
            assert_eq!(problem.name(), "image-invalid", "{name}");
            // R-TEST-5: the bytes are kept and can be fetched, but no browser is led to take them for a picture or a page.
            let served = world.lead().send("GET", &format!("/v1/photos/{}", upload.photo_id), &[], &[]).unwrap();
            assert_eq!((served.status, served.content_type.as_str()), (200, "application/octet-stream"), "{name}");
            assert_eq!(served.header("content-disposition"), Some("attachment"), "{name}");
            assert_eq!(served.header("x-content-type-options"), Some("nosniff"), "{name}");
            assert_eq!(served.body, bytes, "{name}");
            let thumbnail = format!("/v1/photos/{}/thumbnail", upload.photo_id);
            assert_problem(&world.lead().send("GET", &thumbnail, &[], &[]).unwrap(), ProblemType::NotFound);
        }
        // Another photo's bytes, of the same length: the hash tells.
        let mut other = jpeg.clone();
        let last = other.len() - 3;
        other[last] ^= 1;
        let upload = Upload { tester: &field.0, photo_id: announce(world, &field, &jpeg, MediaType::Jpeg) };
        upload.create(jpeg.len() as u64);
        assert_problem(&upload.piece(0, &other, &[]), ProblemType::HashMismatch);
        upload.create(jpeg.len() as u64);
        assert_eq!(upload.piece(upload.offset().unwrap(), &jpeg, &[]).status, 204, "the right bytes are still welcome");
    }

    /// Requests that make no sense, and other people's uploads.
    fn bad_uploads_are_typed_problems(world) {
        let field = tester(world, "tester-1");
        let bytes = photo(3, 20_000, &world.clock);
        let length = bytes.len() as u64;
        let upload = Upload { tester: &field.0, photo_id: announce(world, &field, &bytes, MediaType::Jpeg) };
        let send = |headers: &[(&str, &str)], body: &[u8]| {
            field.0.desk.send("POST", "/v1/photo-uploads", headers, body).unwrap()
        };
        for (name, answer) in [
            ("no length", send(&[TUS, ("upload-metadata", "photo_id YQ==")], &[])),
            ("no metadata", send(&[TUS, ("upload-length", "10")], &[])),
            ("metadata is rubbish", send(&[TUS, ("upload-length", "10"), ("upload-metadata", "photo_id !!!")], &[])),
            ("no number", send(&[TUS, ("upload-length", "ten"), ("upload-metadata", "photo_id YQ==")], &[])),
            ("negative", send(&[TUS, ("upload-length", "-1"), ("upload-metadata", "photo_id YQ==")], &[])),
            ("another length than announced", upload.create(length + 1)),
            ("no photo of that id", Upload { tester: &field.0, photo_id: id() }.create(length)),
        ] {
            assert!(answer.problem().is_some(), "{name}: {} {}", answer.status, answer.text());
            assert!((400..500).contains(&answer.status), "{name}: {}", answer.status);
        }
        assert_problem(&upload.create(1 << 40), ProblemType::TooLarge);
        assert_eq!(upload.create(length).status, 201);
        let no_type = field.0.desk.send("PATCH", &upload.path(), &[TUS, ("upload-offset", "0")], &bytes).unwrap();
        assert_problem(&no_type, ProblemType::UnsupportedMediaType);
        let more = [bytes.clone(), vec![0; 10]].concat();
        let too_much = upload.piece(0, &more, &[]);
        assert_problem(&too_much, ProblemType::TooLarge);
        let algorithm = upload.piece(0, &bytes, &[("upload-checksum", "md5 AAAA")]);
        assert!((400..500).contains(&algorithm.status) && algorithm.problem().is_some(), "{}", algorithm.text());
        assert_eq!(upload.offset(), Some(0), "nothing of all that arrived");

        let stranger = RawTester::new(world, "tester-2");
        let theirs = Upload { tester: &stranger, photo_id: upload.photo_id };
        assert_problem(&theirs.piece(0, &bytes, &[]), ProblemType::NotFound);
        assert_eq!(theirs.offset(), None);
        assert_eq!(upload.piece(0, &bytes, &[]).status, 204, "the tester's own upload is unharmed");
    }

    /// Termination and expiration end an upload; the announced photo can be uploaded anew.
    fn an_ended_upload_can_be_made_anew(world) {
        let field = tester(world, "tester-1");
        let bytes = photo(4, 20_000, &world.clock);
        let length = bytes.len() as u64;
        let upload = Upload { tester: &field.0, photo_id: announce(world, &field, &bytes, MediaType::Jpeg) };
        upload.create(length);
        upload.piece(0, &bytes[..100], &[]);
        let ended = field.0.desk.send("DELETE", &upload.path(), &[TUS], &[]).unwrap();
        assert_eq!(ended.status, 204, "{}", ended.text());
        assert_eq!(upload.offset(), None);
        assert!((200..300).contains(&upload.create(length).status));
        assert_eq!(upload.offset(), Some(0));
        assert_eq!(upload.piece(0, &bytes, &[]).status, 204);
    }
}
