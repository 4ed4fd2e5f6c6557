//! tus over real sockets, as a phone does it, and the desks looking at what came.

use crate::photos::pictures::*;
use crate::photos::world::*;
use actix_web::web::Data;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use callout_server::app::access::Caller;
use callout_server::http::serve;
use callout_server::photos::tus::metadata_of;
use callout_storage::photos::PhotoState;
use callout_sync_protocol::ids::PhotoId;
use callout_sync_protocol::photos::MediaType;
use image::ImageEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use reqwest::{Method, RequestBuilder, Response};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use tempfile::TempDir;

/// A server on a loopback port, and a phone's way to it.
struct Site {
    world: World,
    address: SocketAddr,
    phone: reqwest::Client,
    _folder: TempDir,
}

impl Site {
    fn start() -> Self {
        let (world, folder) = World::in_folder();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let running = serve(Data::new(world.app()), Data::from(world.server()), listener, 1).unwrap();
        let address = running.addresses[0];
        actix_web::rt::spawn(running.server);
        // Without a TLS provider no client can be built, though nothing here is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { world, address, phone: reqwest::Client::new(), _folder: folder }
    }

    fn as_caller(&self, caller: &Caller, method: Method, path: &str) -> RequestBuilder {
        let request = self.phone.request(method, format!("http://{}{path}", self.address));
        request.bearer_auth(self.world.token(caller))
    }

    /// A request of tester 1's phone.
    fn tus(&self, method: &str, path: &str) -> RequestBuilder {
        self.as_caller(&tester(1), Method::from_bytes(method.as_bytes()).unwrap(), path)
            .header("Tus-Resumable", "1.0.0")
    }

    async fn create(&self, id: PhotoId, length: usize) -> Response {
        let request = self.tus("POST", "/v1/photo-uploads").header("Upload-Length", length);
        request.header("Upload-Metadata", metadata_of(id)).send().await.unwrap()
    }

    fn patch(&self, id: PhotoId, offset: usize, bytes: &[u8]) -> RequestBuilder {
        self.tus("PATCH", &path(id))
            .header("Upload-Offset", offset)
            .header("Content-Type", "application/offset+octet-stream")
            .body(bytes.to_vec())
    }

    async fn offset(&self, id: PhotoId) -> u64 {
        let response = self.tus("HEAD", &path(id)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        header(&response, "Upload-Offset").parse().unwrap()
    }
}

fn path(id: PhotoId) -> String {
    format!("/v1/photo-uploads/{id}")
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

/// The problem's name, after the checks that every refusal must pass.
async fn problem(response: Response, status: u16) -> String {
    assert_eq!(response.status(), status);
    assert_eq!(header(&response, "Content-Type"), "application/problem+json");
    assert_eq!(header(&response, "Tus-Resumable"), "1.0.0");
    let body: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    body["type"].as_str().unwrap().trim_start_matches("urn:callout:problem:").to_owned()
}

/// A PNG of noise, which no compression shortens: about three bytes a pixel.
fn noise_png(width: u32, height: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let pixels: Vec<u8> = (0..width * height * 3)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::NoFilter)
        .write_image(&pixels, width, height, image::ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

#[actix_web::test]
async fn a_photo_arrives_by_tus_and_the_desk_sees_it() {
    let site = Site::start();
    let bytes = jpeg(800, 600);
    let id = photo_id(1);
    site.world.announce(id, &bytes, MediaType::Jpeg);

    let options = site.phone.request(Method::OPTIONS, format!("http://{}/v1/photo-uploads", site.address));
    let options = options.send().await.unwrap();
    assert_eq!(options.status(), 204);
    assert_eq!(header(&options, "Tus-Version"), "1.0.0");
    assert_eq!(header(&options, "Tus-Max-Size"), "33554432");

    let created = site.create(id, bytes.len()).await;
    assert_eq!(created.status(), 201);
    assert_eq!(header(&created, "Location"), path(id));
    assert!(header(&created, "Upload-Expires").ends_with(" GMT"));
    assert_eq!(site.create(id, bytes.len()).await.status(), 201, "creating again is the same upload");

    let first = site.patch(id, 0, &bytes[..5_000]).send().await.unwrap();
    assert_eq!((first.status().as_u16(), header(&first, "Upload-Offset").as_str()), (204, "5000"));
    let head = site.tus("HEAD", &path(id)).send().await.unwrap();
    assert_eq!(header(&head, "Upload-Offset"), "5000");
    assert_eq!(header(&head, "Upload-Length"), bytes.len().to_string());
    assert_eq!(header(&head, "Upload-Metadata"), metadata_of(id));
    assert_eq!(header(&head, "Cache-Control"), "no-store");

    let desk = |path: &str| site.as_caller(&lead(), Method::GET, path);
    let early = desk(&format!("/v1/photos/{id}")).send().await.unwrap();
    assert_eq!(early.status(), 404, "the bytes have not arrived");

    // The rest comes by POST from a phone behind a proxy that knows no PATCH, with a checksum.
    let rest = &bytes[5_000..];
    let last = site
        .tus("POST", &path(id))
        .header("X-HTTP-Method-Override", "PATCH")
        .header("Upload-Offset", 5_000)
        .header("Content-Type", "application/offset+octet-stream")
        .header("Upload-Checksum", format!("sha1 {}", BASE64.encode(Sha1::digest(rest))))
        .body(rest.to_vec())
        .send()
        .await
        .unwrap();
    assert_eq!(last.status(), 204);
    assert_eq!(header(&last, "Upload-Offset"), bytes.len().to_string());
    assert_eq!(header(&last, "Upload-Expires"), "");
    assert_eq!(site.world.photo(id).state, PhotoState::Stored);

    let photo = desk(&format!("/v1/photos/{id}")).send().await.unwrap();
    assert_eq!((photo.status().as_u16(), header(&photo, "Content-Type").as_str()), (200, "image/jpeg"));
    assert_eq!(header(&photo, "Content-Length"), bytes.len().to_string());
    assert_eq!(header(&photo, "X-Content-Type-Options"), "nosniff");
    let tag = header(&photo, "ETag");
    assert_eq!(photo.bytes().await.unwrap(), bytes);
    let again = desk(&format!("/v1/photos/{id}")).header("If-None-Match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    let thumbnail = desk(&format!("/v1/photos/{id}/thumbnail")).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(image::load_from_memory(&thumbnail).unwrap().width(), 512);
    let tester_looks = site.as_caller(&tester(1), Method::GET, &format!("/v1/photos/{id}")).send().await.unwrap();
    assert_eq!(tester_looks.status(), 403);
}

#[actix_web::test]
async fn a_photo_may_come_whole_with_its_creation() {
    let site = Site::start();
    let bytes = png(40, 30);
    let id = photo_id(1);
    site.world.announce(id, &bytes, MediaType::Png);
    let request = || {
        site.tus("POST", "/v1/photo-uploads")
            .header("Upload-Length", bytes.len())
            .header("Upload-Metadata", metadata_of(id))
            .header("Content-Type", "application/offset+octet-stream")
            .body(bytes.clone())
    };
    for _ in 0..2 {
        let created = request().send().await.unwrap();
        assert_eq!((created.status().as_u16(), header(&created, "Upload-Offset")), (201, bytes.len().to_string()));
    }
    assert_eq!(site.world.photo(id).state, PhotoState::Stored);
}

#[actix_web::test]
async fn refusals_say_why_and_how_far_the_upload_is() {
    let site = Site::start();
    let bytes = jpeg(64, 48);
    let id = photo_id(1);
    site.world.announce(id, &bytes, MediaType::Jpeg);
    assert_eq!(problem(site.patch(id, 0, &bytes).send().await.unwrap(), 410).await, "upload-gone");
    assert_eq!(problem(site.create(photo_id(9), 5).await, 404).await, "not-found");
    assert_eq!(problem(site.create(id, bytes.len() + 1).await, 422).await, "invalid-field");
    assert_eq!(problem(site.create(id, 40_000_000).await, 413).await, "too-large");
    site.create(id, bytes.len()).await;
    site.patch(id, 0, &bytes[..10]).send().await.unwrap();

    let conflict = site.patch(id, 0, &bytes).send().await.unwrap();
    assert_eq!(header(&conflict, "Upload-Offset"), "10");
    assert_eq!(problem(conflict, 409).await, "offset-conflict");
    let checksum = format!("sha256 {}", BASE64.encode(Sha256::digest(b"other")));
    let damaged = site.patch(id, 10, &bytes[10..20]).header("Upload-Checksum", checksum).send().await.unwrap();
    assert_eq!(header(&damaged, "Upload-Offset"), "10");
    assert_eq!(problem(damaged, 460).await, "hash-mismatch");
    let mut longer = bytes[10..].to_vec();
    longer.push(0);
    assert_eq!(problem(site.patch(id, 10, &longer).send().await.unwrap(), 413).await, "too-large");
    let mut old = site.patch(id, 10, b"x").build().unwrap();
    old.headers_mut().insert("Tus-Resumable", "0.2.2".parse().unwrap());
    let old = site.phone.execute(old).await.unwrap();
    assert_eq!(header(&old, "Tus-Version"), "1.0.0");
    assert_eq!(problem(old, 412).await, "upload-version-unsupported");
    let untyped = site.tus("PATCH", &path(id)).header("Upload-Offset", 10).body("x").send().await.unwrap();
    assert_eq!(problem(untyped, 415).await, "unsupported-media-type");
    let stranger = site.as_caller(&tester(2), Method::HEAD, &path(id)).header("Tus-Resumable", "1.0.0");
    assert_eq!(stranger.send().await.unwrap().status(), 404);
    let nobody = site.phone.patch(format!("http://{}{}", site.address, path(id))).body("x").send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    assert_eq!(site.as_caller(&lead(), Method::HEAD, &path(id)).send().await.unwrap().status(), 403);
    assert_eq!(site.tus("HEAD", "/v1/photo-uploads/no-uuid").send().await.unwrap().status(), 404);
    assert_eq!(site.offset(id).await, 10, "nothing of this changed the upload");

    assert_eq!(site.tus("DELETE", &path(id)).send().await.unwrap().status(), 204);
    assert_eq!(problem(site.tus("DELETE", &path(id)).send().await.unwrap(), 410).await, "upload-gone");
}

#[actix_web::test]
async fn a_long_photo_in_one_request_is_taken_in_pieces_unless_it_has_a_checksum() {
    let site = Site::start();
    let bytes = noise_png(2_000, 1_600);
    assert!(bytes.len() > 9_000_000);
    let id = photo_id(1);
    site.world.announce(id, &bytes, MediaType::Png);
    site.create(id, bytes.len()).await;
    let checksum = format!("sha1 {}", BASE64.encode(Sha1::digest(&bytes)));
    let refused = site.patch(id, 0, &bytes).header("Upload-Checksum", checksum).send().await;
    // The server may stop reading before the phone has stopped sending; then there is no answer to read.
    if let Ok(refused) = refused {
        assert_eq!(problem(refused, 413).await, "too-large");
    }
    assert_eq!(site.offset(id).await, 0);
    let taken = site.patch(id, 0, &bytes).send().await.unwrap();
    assert_eq!((taken.status().as_u16(), header(&taken, "Upload-Offset")), (204, bytes.len().to_string()));
    assert_eq!(site.world.photo(id).state, PhotoState::Stored);
}

#[actix_web::test]
async fn what_arrives_before_a_cut_is_kept() {
    let site = Site::start();
    let bytes = jpeg(320, 240);
    let id = photo_id(1);
    site.world.announce(id, &bytes, MediaType::Jpeg);
    site.create(id, bytes.len()).await;
    let mut line = TcpStream::connect(site.address).unwrap();
    let request = format!(
        "PATCH {} HTTP/1.1\r\nHost: callout\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: {}\r\n\r\n",
        path(id),
        site.world.token(&tester(1)),
        bytes.len()
    );
    line.write_all(request.as_bytes()).unwrap();
    line.write_all(&bytes[..3_000]).unwrap();
    drop(line);
    // The server learns of the cut in its own time; what must hold is that it keeps what it had.
    let mut offset = 0;
    for _ in 0..500 {
        offset = site.offset(id).await;
        if offset > 0 {
            break;
        }
    }
    assert_eq!(offset, 3_000);
    assert_eq!(site.patch(id, 3_000, &bytes[3_000..]).send().await.unwrap().status(), 204);
    assert_eq!(site.world.photo(id).state, PhotoState::Stored);
}

#[actix_web::test]
async fn a_refused_photo_can_be_fetched_as_a_file_and_never_shows_as_a_picture() {
    let site = Site::start();
    let bytes = b"<script>alert(1)</script>".to_vec();
    let id = photo_id(1);
    site.world.announce(id, &bytes, MediaType::Jpeg);
    site.create(id, bytes.len()).await;
    assert_eq!(problem(site.patch(id, 0, &bytes).send().await.unwrap(), 422).await, "image-invalid");
    let file = site.as_caller(&lead(), Method::GET, &format!("/v1/photos/{id}")).send().await.unwrap();
    assert_eq!(header(&file, "Content-Type"), "application/octet-stream");
    assert_eq!(header(&file, "Content-Disposition"), "attachment");
    assert_eq!(file.bytes().await.unwrap(), bytes);
    let thumbnail = site.as_caller(&lead(), Method::GET, &format!("/v1/photos/{id}/thumbnail")).send().await.unwrap();
    assert_eq!(thumbnail.status(), 404);
}
