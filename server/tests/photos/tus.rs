//! tus 1.0.0, sentence by sentence: tables of headers and what they must lead to.

use crate::photos::pictures::photo_id;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use callout_server::photos::tus::*;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;

const MAX: u64 = 1_000;

/// Headers of a request by their wire names.
fn headers(list: &[(&'static str, &'static str)]) -> Result<TusHeaders<'static>, Rejection> {
    let list = list.to_vec();
    TusHeaders::collect(move |name| {
        list.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_bytes())
    })
}

/// `photo_id` of photo 1, as a header value.
fn metadata() -> &'static str {
    Box::leak(metadata_of(photo_id(1)).into_boxed_str())
}

fn status(refused: Rejection) -> u16 {
    refused.problem.status()
}

#[test]
fn options_tell_what_is_served() {
    let expected = [
        ("Tus-Resumable", "1.0.0"),
        ("Tus-Version", "1.0.0"),
        ("Tus-Extension", "creation,creation-with-upload,checksum,expiration,termination"),
        ("Tus-Checksum-Algorithm", "sha1,sha256"),
        ("Tus-Max-Size", "1000"),
    ];
    let told = options_headers(MAX);
    for (name, value) in expected {
        assert!(told.contains(&(name, value.to_owned())), "{name}: {value} is not in {told:?}");
    }
}

#[test]
fn a_version_that_is_not_served_is_refused_with_412_and_the_list_of_those_that_are() {
    for version in [&[][..], &[("Tus-Resumable", "0.2.2")], &[("Tus-Resumable", "1.0")], &[("Tus-Resumable", "")]] {
        let headers = headers(version).unwrap();
        for refused in [
            check_version(&headers).unwrap_err(),
            read_creation(&headers, MAX).unwrap_err(),
            read_piece(&headers).unwrap_err(),
        ] {
            assert_eq!(refused.problem, ProblemType::UploadVersionUnsupported);
            assert_eq!(status(refused), 412);
        }
    }
    assert!(common_headers().contains(&("Tus-Version", "1.0.0".to_owned())));
}

#[test]
fn the_method_override_replaces_the_method() {
    assert_eq!(TusMethod::of("POST", None), Ok(TusMethod::Post));
    assert_eq!(TusMethod::of("POST", Some("PATCH")), Ok(TusMethod::Patch));
    assert_eq!(TusMethod::of("POST", Some("DELETE")), Ok(TusMethod::Delete));
    assert_eq!(TusMethod::of("GET", None).map_err(status), Err(405));
    assert_eq!(TusMethod::of("POST", Some("patch")).map_err(status), Err(405));
}

#[test]
fn creation() {
    let base = [("Tus-Resumable", "1.0.0"), ("Upload-Length", "100"), ("Upload-Metadata", metadata())];
    let read = |more: &[(&'static str, &'static str)]| {
        // Later ones replace earlier ones; an empty value removes.
        let mut list: Vec<_> = base.iter().filter(|(name, _)| !more.iter().any(|(n, _)| n == name)).copied().collect();
        list.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        headers(&list).and_then(|headers| read_creation(&headers, MAX))
    };
    let plain = read(&[]).unwrap();
    assert_eq!((plain.photo_id, plain.length, plain.metadata.as_str()), (photo_id(1), 100, metadata()));
    assert_eq!(plain.piece, None);
    assert_eq!(read(&[("Content-Length", "0")]).unwrap().piece, None);
    assert_eq!(read(&[("Upload-Length", "1000")]).unwrap().length, MAX);

    let with_upload = read(&[("Content-Type", "application/offset+octet-stream"), ("Content-Length", "5")]).unwrap();
    assert_eq!(with_upload.piece, Some(Piece { offset: 0, length: Some(5), checksum: None }));

    let refused: &[(&[(&str, &str)], u16)] = &[
        (&[("Upload-Length", "")], 400),
        (&[("Upload-Length", "-1")], 400),
        (&[("Upload-Length", "+1")], 400),
        (&[("Upload-Length", "1e3")], 400),
        (&[("Upload-Length", "99999999999999999999")], 400),
        (&[("Upload-Length", "1001")], 413),
        (&[("Upload-Defer-Length", "1")], 400),
        (&[("Upload-Concat", "partial")], 400),
        (&[("Upload-Metadata", "")], 400),
        (&[("Upload-Metadata", "filename d29ybGQ=")], 400),
        (&[("Upload-Metadata", "photo_id")], 400),
        (&[("Upload-Metadata", "photo_id bm90IGEgdXVpZA==")], 400),
        (&[("Upload-Metadata", "photo_id %%%")], 400),
        (&[("Upload-Metadata", "photo_id YQ==,photo_id YQ==")], 400),
        (&[("Upload-Metadata", "photo_id YQ==,,")], 400),
        (&[("Content-Type", "image/jpeg"), ("Content-Length", "5")], 415),
        (&[("Content-Type", "application/offset+octet-stream"), ("Content-Length", "101")], 413),
    ];
    for (more, expected) in refused {
        assert_eq!(read(more).map_err(status).err(), Some(*expected), "{more:?}");
    }
}

#[test]
fn metadata_of_the_specification() {
    let read = parse_metadata("filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential").unwrap();
    assert_eq!(read, vec![("filename", b"world_domination_plan.pdf".to_vec()), ("is_confidential", Vec::new())]);
    assert_eq!(parse_metadata("a YQ==, b").unwrap().len(), 2);
    assert!(parse_metadata(&format!("a {}", "A".repeat(8_000))).is_err());
}

#[test]
fn pieces() {
    let base = [
        ("Tus-Resumable", "1.0.0"),
        ("Content-Type", "application/offset+octet-stream"),
        ("Upload-Offset", "70"),
        ("Content-Length", "30"),
    ];
    let read = |more: &[(&'static str, &'static str)]| {
        let mut list: Vec<_> = base.iter().filter(|(name, _)| !more.iter().any(|(n, _)| n == name)).copied().collect();
        list.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        headers(&list).and_then(|headers| read_piece(&headers))
    };
    assert_eq!(read(&[]).unwrap(), Piece { offset: 70, length: Some(30), checksum: None });
    // Chunked transfer has no length.
    assert_eq!(read(&[("Content-Length", "")]).unwrap().length, None);
    assert!(read(&[("Content-Type", "Application/Offset+Octet-Stream; charset=x")]).is_ok());

    let refused: &[(&[(&str, &str)], u16)] = &[
        (&[("Content-Type", "")], 415),
        (&[("Content-Type", "application/octet-stream")], 415),
        (&[("Upload-Offset", "")], 400),
        (&[("Upload-Offset", "-70")], 400),
        (&[("Upload-Offset", "70.0")], 400),
        (&[("Content-Length", "many")], 400),
        (&[("Upload-Checksum", "md5 XUFAKrxLKna5cZ2REBfFkg==")], 400),
        (&[("Upload-Checksum", "sha1")], 400),
        (&[("Upload-Checksum", "sha1 Kq5s")], 400),
        (&[("Upload-Checksum", "sha1 !!!")], 400),
        (&[("Upload-Checksum", "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=")], 400),
    ];
    for (more, expected) in refused {
        assert_eq!(read(more).map_err(status).err(), Some(*expected), "{more:?}");
    }
}

#[test]
fn the_specifications_own_checksum_holds() {
    let list = [
        ("Tus-Resumable", "1.0.0"),
        ("Content-Type", "application/offset+octet-stream"),
        ("Upload-Offset", "0"),
        ("Upload-Checksum", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
    ];
    let checksum = read_piece(&headers(&list).unwrap()).unwrap().checksum.unwrap();
    assert!(checksum.matches(b"hello world"));
    assert!(!checksum.matches(b"hello world!"));
    let sha256 = Checksum::Sha256(
        sha2::Digest::finalize(sha2::Digest::chain_update(<sha2::Sha256 as sha2::Digest>::new(), b"x")).into(),
    );
    assert!(sha256.matches(b"x") && !sha256.matches(b""));
}

#[test]
fn a_piece_continues_where_the_upload_stands_and_stays_inside_it() {
    let piece = |offset, length| Piece { offset, length, checksum: None };
    let cases = [
        (piece(70, Some(30)), 70, None),
        (piece(70, Some(0)), 70, None),
        (piece(70, None), 70, None),
        (piece(0, Some(100)), 0, None),
        (piece(100, Some(0)), 100, None),
        (piece(69, Some(1)), 70, Some(409)),
        (piece(71, Some(1)), 70, Some(409)),
        (piece(0, None), 100, Some(409)),
        (piece(u64::MAX, Some(u64::MAX)), 70, Some(409)),
        (piece(70, Some(31)), 70, Some(413)),
        (piece(100, Some(1)), 100, Some(413)),
    ];
    for (piece, stands_at, expected) in cases {
        assert_eq!(check_offset(&piece, stands_at, 100).map_err(status).err(), expected, "{piece:?} at {stands_at}");
    }
}

#[test]
fn answers_have_the_headers_of_the_specification() {
    let progress = UploadProgress {
        offset: 70,
        length: 100,
        metadata: "photo_id eA==,filename YQ==".to_owned(),
        expires_at: Some("2014-06-25T16:00:00.9Z".parse().unwrap()),
    };
    let has = |headers: &[Header], name: &str, value: &str| {
        assert!(headers.iter().any(|(n, v)| *n == name && v == value), "{name}: {value} is not in {headers:?}");
    };
    for told in
        [creation_headers("/v1/photo-uploads/x", &progress), head_headers(&progress), progress_headers(&progress)]
    {
        has(&told, "Tus-Resumable", "1.0.0");
        has(&told, "Upload-Offset", "70");
        has(&told, "Upload-Expires", "Wed, 25 Jun 2014 16:00:00 GMT");
    }
    has(&creation_headers("/v1/photo-uploads/x", &progress), "Location", "/v1/photo-uploads/x");
    has(&head_headers(&progress), "Upload-Length", "100");
    has(&head_headers(&progress), "Upload-Metadata", "photo_id eA==,filename YQ==");
    has(&head_headers(&progress), "Cache-Control", "no-store");
    let complete = UploadProgress { offset: 100, expires_at: None, ..progress };
    assert!(progress_headers(&complete).iter().all(|(name, _)| *name != "Upload-Expires"));
}

#[test]
fn http_dates() {
    assert_eq!(http_date(Timestamp::EPOCH), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(http_date("1994-11-06T08:49:37Z".parse().unwrap()), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(http_date("2026-02-28T23:59:59Z".parse().unwrap()), "Sat, 28 Feb 2026 23:59:59 GMT");
}

#[test]
fn headers_that_are_no_text_are_refused() {
    for value in [&b"\xFF\xFE"[..], b"a\nSet-Cookie: b", b"a\0"] {
        let refused = TusHeaders::collect(|name| (name == "upload-metadata").then_some(value)).unwrap_err();
        assert_eq!(refused.problem, ProblemType::MalformedRequest);
        assert!(refused.detail.starts_with("upload-metadata"), "{}", refused.detail);
    }
    assert_eq!(BASE64.decode(metadata().split(' ').nth(1).unwrap()).unwrap(), photo_id(1).to_string().into_bytes());
}
