//! The rules of tus 1.0.0 (<https://tus.io/protocols/resumable-upload>): what a request's headers mean, what the answer's say.
//!
//! Pure: no I/O, no framework. Extensions: creation, creation-with-upload, checksum, expiration, termination. What does not
//! belong here: who may upload what (`service`), and the HTTP framework (`http::photo_uploads`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use callout_sync_protocol::ids::PhotoId;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The one version served.
pub const TUS_VERSION: &str = "1.0.0";
/// What is served beyond the core protocol.
pub const TUS_EXTENSIONS: &str = "creation,creation-with-upload,checksum,expiration,termination";
/// The digests that `Upload-Checksum` may name.
pub const CHECKSUM_ALGORITHMS: &str = "sha1,sha256";
/// The content type of a piece.
pub const PIECE_CONTENT_TYPE: &str = "application/offset+octet-stream";
/// The key of `Upload-Metadata` that says which photo it is; its value is the text form of the id, in base64.
pub const PHOTO_ID_KEY: &str = "photo_id";

/// Longest `Upload-Metadata` header, in bytes.
const MAX_METADATA_BYTES: usize = 4096;

/// A header of an answer.
pub type Header = (&'static str, String);

/// A request's method, once `X-HTTP-Method-Override` was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TusMethod {
    /// What does the server offer?
    Options,
    /// Make an upload.
    Post,
    /// How far is it?
    Head,
    /// Here are more bytes.
    Patch,
    /// End it.
    Delete,
}

impl TusMethod {
    /// The method of a request. `X-HTTP-Method-Override`, where present, replaces the real method.
    pub fn of(method: &str, override_header: Option<&str>) -> Result<Self, Rejection> {
        match override_header.unwrap_or(method) {
            "OPTIONS" => Ok(Self::Options),
            "POST" => Ok(Self::Post),
            "HEAD" => Ok(Self::Head),
            "PATCH" => Ok(Self::Patch),
            "DELETE" => Ok(Self::Delete),
            _ => Err(Rejection::new(
                ProblemType::MethodNotAllowed,
                "an upload knows OPTIONS, POST, HEAD, PATCH and DELETE",
            )),
        }
    }
}

/// The headers of a request that tus gives a meaning to, as text.
#[derive(Clone, Copy, Debug, Default)]
pub struct TusHeaders<'a> {
    /// `Tus-Resumable`
    pub tus_resumable: Option<&'a str>,
    /// `Upload-Length`
    pub upload_length: Option<&'a str>,
    /// `Upload-Defer-Length`
    pub upload_defer_length: Option<&'a str>,
    /// `Upload-Offset`
    pub upload_offset: Option<&'a str>,
    /// `Upload-Metadata`
    pub upload_metadata: Option<&'a str>,
    /// `Upload-Checksum`
    pub upload_checksum: Option<&'a str>,
    /// `Upload-Concat`
    pub upload_concat: Option<&'a str>,
    /// `Content-Type`
    pub content_type: Option<&'a str>,
    /// `Content-Length`
    pub content_length: Option<&'a str>,
}

impl<'a> TusHeaders<'a> {
    /// Collects them by name (lower case); a value that is no visible ASCII counts as malformed.
    pub fn collect(get: impl Fn(&'static str) -> Option<&'a [u8]>) -> Result<Self, Rejection> {
        let text = |name: &'static str| match get(name) {
            None => Ok(None),
            Some(value) if value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) => {
                Ok(std::str::from_utf8(value).ok().map(str::trim))
            }
            Some(_) => Err(malformed(format!("{name}: must be visible ASCII"))),
        };
        Ok(Self {
            tus_resumable: text("tus-resumable")?,
            upload_length: text("upload-length")?,
            upload_defer_length: text("upload-defer-length")?,
            upload_offset: text("upload-offset")?,
            upload_metadata: text("upload-metadata")?,
            upload_checksum: text("upload-checksum")?,
            upload_concat: text("upload-concat")?,
            content_type: text("content-type")?,
            content_length: text("content-length")?,
        })
    }
}

/// What a POST asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// The photo.
    pub photo_id: PhotoId,
    /// How many bytes it will have.
    pub length: u64,
    /// The metadata as sent, to be repeated in the answers to HEAD.
    pub metadata: String,
    /// The first piece comes along (creation-with-upload).
    pub piece: Option<Piece>,
}

/// What comes with a PATCH, apart from the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where the client believes that the upload continues.
    pub offset: u64,
    /// How many bytes come, where the request says so.
    pub length: Option<u64>,
    /// The digest of the piece.
    pub checksum: Option<Checksum>,
}

/// A digest promised by `Upload-Checksum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-1, which tus demands at least.
    Sha1([u8; 20]),
    /// SHA-256
    Sha256([u8; 32]),
}

impl Checksum {
    /// Whether the bytes have that digest.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Sha1(promised) => Sha1::digest(bytes).as_slice() == promised,
            Self::Sha256(promised) => Sha256::digest(bytes).as_slice() == promised,
        }
    }

    /// Reads `<algorithm> <base64>`.
    fn parse(text: &str) -> Result<Self, Rejection> {
        let wrong = |detail: &str| malformed(format!("Upload-Checksum: {detail}"));
        let (algorithm, digest) =
            text.split_once(' ').ok_or_else(|| wrong("must be an algorithm and a base64 digest"))?;
        let digest = BASE64.decode(digest.trim()).map_err(|_| wrong("the digest is not base64"))?;
        let length = || wrong("the digest has the wrong length");
        match algorithm {
            "sha1" => digest.try_into().map(Self::Sha1).map_err(|_| length()),
            "sha256" => digest.try_into().map(Self::Sha256).map_err(|_| length()),
            _ => Err(wrong("the algorithm must be sha1 or sha256")),
        }
    }
}

/// What the answers tell of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadProgress {
    /// How many bytes are safe.
    pub offset: u64,
    /// How many bytes it will have.
    pub length: u64,
    /// The metadata of its creation.
    pub metadata: String,
    /// Until when it may be continued; absent once it is complete.
    pub expires_at: Option<Timestamp>,
}

/// Checks `Tus-Resumable`, which every request but OPTIONS must have. The answer to a refusal needs `Tus-Version`, which
/// [`common_headers`] has.
pub fn check_version(headers: &TusHeaders<'_>) -> Result<(), Rejection> {
    match headers.tus_resumable {
        Some(TUS_VERSION) => Ok(()),
        _ => Err(Rejection::new(
            ProblemType::UploadVersionUnsupported,
            format!("Tus-Resumable: only version {TUS_VERSION} of the upload protocol is served"),
        )),
    }
}

/// Reads a POST. `max_length` is the longest photo, in bytes.
pub fn read_creation(headers: &TusHeaders<'_>, max_length: u64) -> Result<Creation, Rejection> {
    check_version(headers)?;
    if headers.upload_concat.is_some() {
        return Err(malformed("Upload-Concat: uploads cannot be concatenated here"));
    }
    if headers.upload_defer_length.is_some() {
        return Err(malformed("Upload-Defer-Length: the length must be known at creation; send Upload-Length"));
    }
    let length = headers.upload_length.ok_or_else(|| malformed("Upload-Length: is missing"))?;
    let length = number("Upload-Length", length)?;
    if length > max_length {
        return Err(Rejection::new(ProblemType::TooLarge, format!("Upload-Length: at most {max_length} bytes")));
    }
    let metadata = headers.upload_metadata.ok_or_else(|| malformed("Upload-Metadata: photo_id is missing"))?;
    let photo_id = parse_metadata(metadata)?
        .into_iter()
        .find_map(|(key, value)| (key == PHOTO_ID_KEY).then_some(value))
        .ok_or_else(|| malformed("Upload-Metadata: photo_id is missing"))?;
    let photo_id = std::str::from_utf8(&photo_id)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| malformed("Upload-Metadata: photo_id must be the text of a UUID, in base64"))?;
    let body_length = content_length(headers)?;
    let piece = match headers.content_type.map(media_type) {
        Some(found) if found.eq_ignore_ascii_case(PIECE_CONTENT_TYPE) => {
            Some(Piece { offset: 0, length: body_length, checksum: checksum(headers)? })
        }
        _ if body_length.unwrap_or(0) == 0 => None,
        _ => return Err(wrong_content_type()),
    };
    if piece.as_ref().and_then(|piece| piece.length).is_some_and(|piece| piece > length) {
        return Err(beyond_the_end(length));
    }
    Ok(Creation { photo_id, length, metadata: metadata.to_owned(), piece })
}

/// Reads a PATCH. Whether the offset is the upload's is for [`check_offset`], once the upload is loaded.
pub fn read_piece(headers: &TusHeaders<'_>) -> Result<Piece, Rejection> {
    check_version(headers)?;
    if !headers.content_type.is_some_and(|found| media_type(found).eq_ignore_ascii_case(PIECE_CONTENT_TYPE)) {
        return Err(wrong_content_type());
    }
    let offset = headers.upload_offset.ok_or_else(|| malformed("Upload-Offset: is missing"))?;
    Ok(Piece {
        offset: number("Upload-Offset", offset)?,
        length: content_length(headers)?,
        checksum: checksum(headers)?,
    })
}

/// Checks a piece against the upload: it must continue exactly where the upload stands, and not go beyond its end.
pub fn check_offset(piece: &Piece, offset: u64, length: u64) -> Result<(), Rejection> {
    if piece.offset != offset {
        return Err(Rejection::new(
            ProblemType::OffsetConflict,
            format!("Upload-Offset: the upload continues at {offset}, not at {}", piece.offset),
        ));
    }
    match piece.length {
        Some(piece) if piece > length.saturating_sub(offset) => Err(beyond_the_end(length)),
        _ => Ok(()),
    }
}

/// More bytes came than the upload has room for.
pub fn beyond_the_end(length: u64) -> Rejection {
    Rejection::new(
        ProblemType::TooLarge,
        format!("the photo was announced with {length} bytes; the request goes beyond"),
    )
}

/// The headers that every answer has, whatever its status.
pub fn common_headers() -> Vec<Header> {
    vec![("Tus-Resumable", TUS_VERSION.to_owned()), ("Tus-Version", TUS_VERSION.to_owned())]
}

/// The headers of the answer to OPTIONS.
pub fn options_headers(max_length: u64) -> Vec<Header> {
    let mut headers = common_headers();
    headers.push(("Tus-Extension", TUS_EXTENSIONS.to_owned()));
    headers.push(("Tus-Checksum-Algorithm", CHECKSUM_ALGORITHMS.to_owned()));
    headers.push(("Tus-Max-Size", max_length.to_string()));
    headers
}

/// The headers of the answer to a POST (201). `location` is the upload's URL, absolute or relative.
pub fn creation_headers(location: &str, progress: &UploadProgress) -> Vec<Header> {
    let mut headers = progress_headers(progress);
    headers.push(("Location", location.to_owned()));
    headers
}

/// The headers of the answer to a HEAD (200).
pub fn head_headers(progress: &UploadProgress) -> Vec<Header> {
    let mut headers = progress_headers(progress);
    headers.push(("Upload-Length", progress.length.to_string()));
    headers.push(("Upload-Metadata", progress.metadata.clone()));
    headers.push(("Cache-Control", "no-store".to_owned()));
    headers
}

/// The headers of the answer to a PATCH (204), and of one that was refused while the upload stands.
pub fn progress_headers(progress: &UploadProgress) -> Vec<Header> {
    let mut headers = common_headers();
    headers.push(("Upload-Offset", progress.offset.to_string()));
    if let Some(expires_at) = progress.expires_at {
        headers.push(("Upload-Expires", http_date(expires_at)));
    }
    headers
}

/// Reads `Upload-Metadata`: comma-separated pairs of a key and a base64 value; a key without a value has an empty one.
pub fn parse_metadata(text: &str) -> Result<Vec<(&str, Vec<u8>)>, Rejection> {
    let wrong = |detail: &str| malformed(format!("Upload-Metadata: {detail}"));
    if text.len() > MAX_METADATA_BYTES {
        return Err(wrong("must not be longer than 4096 bytes"));
    }
    let mut pairs: Vec<(&str, Vec<u8>)> = Vec::new();
    for pair in text.split(',').map(str::trim) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        if key.is_empty() {
            return Err(wrong("a key is empty"));
        }
        if pairs.iter().any(|(known, _)| *known == key) {
            return Err(wrong("a key stands twice"));
        }
        let value = BASE64.decode(value.trim()).map_err(|_| wrong("a value is not base64"))?;
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// The metadata that names a photo and nothing else.
pub fn metadata_of(photo_id: PhotoId) -> String {
    format!("{PHOTO_ID_KEY} {}", BASE64.encode(photo_id.to_string()))
}

/// An instant as HTTP writes it (RFC 9110 §5.6.7, IMF-fixdate), rounded down to seconds.
pub fn http_date(instant: Timestamp) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let t = instant.to_offset_date_time();
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[usize::from(t.weekday().number_days_from_monday()) % 7],
        t.day(),
        MONTHS[(usize::from(u8::from(t.month())) - 1) % 12],
        t.year(),
        t.hour(),
        t.minute(),
        t.second()
    )
}

/// A non-negative whole number without sign or blanks.
fn number(name: &str, text: &str) -> Result<u64, Rejection> {
    let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(value) if digits_only => Ok(value),
        _ => Err(malformed(format!("{name}: must be a non-negative whole number"))),
    }
}

fn content_length(headers: &TusHeaders<'_>) -> Result<Option<u64>, Rejection> {
    headers.content_length.map(|text| number("Content-Length", text)).transpose()
}

fn checksum(headers: &TusHeaders<'_>) -> Result<Option<Checksum>, Rejection> {
    headers.upload_checksum.map(Checksum::parse).transpose()
}

/// A content type without its parameters.
fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or("").trim()
}

fn wrong_content_type() -> Rejection {
    Rejection::new(ProblemType::UnsupportedMediaType, format!("Content-Type: must be {PIECE_CONTENT_TYPE}"))
}

fn malformed(detail: impl Into<String>) -> Rejection {
    Rejection::new(ProblemType::MalformedRequest, detail)
}
