//! The upload of photos: one session per announced photo, resumable on any server, verified before it counts.
//!
//! A piece is safe before it is acknowledged: its bytes first, then the row that names them. The last piece is acknowledged
//! only when the whole photo is verified and stored, so a crash at any point costs at most the piece under way. What does not
//! belong here: HTTP and its headers (`tus`, `http::photo_uploads`), and announcing a photo, which is a command.

use super::store::{PhotoStore, PhotoStoreError, part_key};
use super::tus::{Creation, Piece, UploadProgress, beyond_the_end, check_offset, metadata_of};
use super::verify::{ImageLimits, ImageProblem, VerifiedPhoto, inspect, verify};
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::{AppError, AppResult};
use crate::app::events::{EventDraft, Subject};
use crate::app::field_tests::perceptual_hash;
use bytes::Bytes;
use callout_storage::photo_uploads::{PhotoUpload, UploadPart};
use callout_storage::photos::{Photo, PhotoState};
use callout_storage::{StorageError, Tx};
use callout_sync_protocol::ids::PhotoId;
use callout_sync_protocol::photos::PhotoHash;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many expired uploads are loaded at a time.
const SWEEP_PAGE: u32 = 100;

/// After how many seconds a phone tries again when the store did not answer.
const STORE_RETRY_SECONDS: u32 = 5;

const MIB: u64 = 1024 * 1024;

/// What the service may use.
#[derive(Clone, Copy, Debug)]
pub struct PhotoSettings {
    /// What is still a photo.
    pub image: ImageLimits,
    /// How long an upload may rest before it must begin anew, in seconds.
    pub upload_lifetime_seconds: i64,
    /// How many photos are decoded at the same time.
    pub decoders: usize,
    /// How much memory decoded pixels may take, all photos together, in bytes; at least one photo's limit.
    pub decoded_bytes: u64,
}

impl Default for PhotoSettings {
    fn default() -> Self {
        Self {
            image: ImageLimits::default(),
            upload_lifetime_seconds: 7 * 24 * 3600,
            decoders: std::thread::available_parallelism().map_or(2, usize::from),
            decoded_bytes: 512 * MIB,
        }
    }
}

/// Why a request of an upload was not done. The upload is as it was, except where the words say that it starts over.
#[derive(Debug)]
pub struct UploadError {
    /// The problem.
    pub error: AppError,
    /// How far the upload is, where there is one; the answer tells it, so that the phone need not ask.
    pub progress: Option<UploadProgress>,
}

impl UploadError {
    fn new(problem: ProblemType, detail: impl Into<String>) -> Self {
        AppError::new(problem, detail).into()
    }

    fn with(mut self, progress: UploadProgress) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl<E: Into<AppError>> From<E> for UploadError {
    fn from(error: E) -> Self {
        Self { error: error.into(), progress: None }
    }
}

impl From<PhotoStoreError> for AppError {
    fn from(error: PhotoStoreError) -> Self {
        let detail = "the photo store does not answer; what was received is safe, try again later";
        Self {
            retry_after_seconds: Some(STORE_RETRY_SECONDS),
            cause: Some(Box::new(error)),
            ..Self::new(ProblemType::Unavailable, detail)
        }
    }
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads whose time was over.
    pub uploads: usize,
    /// Pieces that no upload names.
    pub orphans: usize,
}

/// A photo's row, and that of its unfinished upload.
type Rows = (Photo, Option<PhotoUpload>);

/// The upload service. One per server process; servers share the database and the store and nothing else.
pub struct PhotoService {
    app: App,
    store: PhotoStore,
    settings: PhotoSettings,
    decoders: Semaphore,
    decoded_mib: Semaphore,
}

impl PhotoService {
    /// A service over these parts.
    pub fn new(app: App, store: PhotoStore, settings: PhotoSettings) -> Self {
        let decoded_bytes = settings.decoded_bytes.max(settings.image.max_decoded_bytes);
        Self {
            app,
            store,
            settings,
            decoders: Semaphore::new(settings.decoders.max(1)),
            decoded_mib: Semaphore::new(usize::try_from(decoded_bytes.div_ceil(MIB)).unwrap_or(Semaphore::MAX_PERMITS)),
        }
    }

    /// Where the bytes rest.
    pub fn store(&self) -> &PhotoStore {
        &self.store
    }

    /// Begins the upload of an announced photo. Asked again, it tells how far the same upload is.
    pub async fn upload_create(&self, caller: &Caller, creation: &Creation) -> Result<UploadProgress, UploadError> {
        let photo_id = creation.photo_id;
        let (photo, upload) = self.rows_of(caller, photo_id).await?;
        if creation.length != photo.byte_length {
            let (announced, length) = (photo.byte_length, creation.length);
            let detail = format!("Upload-Length: the photo was announced with {announced} bytes, not {length}");
            return Err(UploadError::new(ProblemType::InvalidField, detail));
        }
        let now = self.app.env.now();
        if photo.state != PhotoState::Announced || upload.as_ref().is_some_and(|upload| upload.expires_at > now) {
            return self.status_of(&photo, upload.as_ref());
        }
        if let Some(expired) = &upload {
            self.upload_end(expired).await?;
        }
        let upload = PhotoUpload {
            photo_id,
            tester_id: caller.user_id,
            device_id: caller.device_id,
            byte_length: photo.byte_length,
            byte_offset: 0,
            metadata: creation.metadata.clone(),
            parts: Vec::new(),
            created_at: now,
            expires_at: self.expiry(now),
            version: 1,
        };
        self.write("photo_upload_create", move |tx| Ok(tx.photo_upload_insert(&upload)?)).await?;
        // Read back: another server may have created it, and have received bytes, at the same moment.
        self.upload_status(caller, photo_id).await
    }

    /// Whether a piece would be taken, asked before its bytes are read.
    pub async fn upload_check(&self, caller: &Caller, photo_id: PhotoId, piece: &Piece) -> Result<(), UploadError> {
        let status = self.upload_status(caller, photo_id).await?;
        check_offset(piece, status.offset, status.length).map_err(|rejection| UploadError::from(rejection).with(status))
    }

    /// How far an upload is.
    pub async fn upload_status(&self, caller: &Caller, photo_id: PhotoId) -> Result<UploadProgress, UploadError> {
        let (photo, upload) = self.rows_of(caller, photo_id).await?;
        self.status_of(&photo, upload.as_ref())
    }

    /// Takes a piece. The answer tells how far the upload is; once that is its length, the photo is verified and stored.
    pub async fn upload_append(
        &self,
        caller: &Caller,
        photo_id: PhotoId,
        piece: &Piece,
        bytes: Bytes,
    ) -> Result<UploadProgress, UploadError> {
        let (photo, upload) = self.rows_of(caller, photo_id).await?;
        let status = self.status_of(&photo, upload.as_ref())?;
        check_offset(piece, status.offset, status.length)
            .map_err(|rejection| UploadError::from(rejection).with(status.clone()))?;
        let length = bytes.len() as u64;
        if length > status.length.saturating_sub(status.offset) {
            return Err(UploadError::from(beyond_the_end(status.length)).with(status));
        }
        if piece.checksum.is_some_and(|checksum| !checksum.matches(&bytes)) {
            let detail = "Upload-Checksum: the piece does not have that checksum; it was discarded, send it again";
            return Err(UploadError::new(ProblemType::HashMismatch, detail).with(status));
        }
        let Some(upload) = upload.filter(|_| length > 0) else { return Ok(status) };
        if status.offset + length == status.length {
            let finished = self.upload_finish(caller, photo, upload, bytes).await;
            if finished.is_ok() {
                self.app.metrics().photo_bytes(length);
            }
            return finished;
        }
        let part = UploadPart {
            object_key: part_key(photo_id, status.offset, self.app.env.id()),
            byte_offset: status.offset,
            byte_length: length,
        };
        self.store.part_put(&part, bytes).await?;
        let mut next = upload;
        next.byte_offset += length;
        next.parts.push(part.clone());
        next.expires_at = self.expiry(self.app.env.now());
        let after = progress(&next);
        match self.upload_save(next).await? {
            true => {
                self.app.metrics().photo_bytes(length);
                Ok(after)
            }
            false => {
                // Another request was first; its bytes count, ours are superfluous.
                self.parts_discard(photo_id, std::slice::from_ref(&part)).await;
                Err(self.overtaken(caller, photo_id).await)
            }
        }
    }

    /// Ends an unfinished upload: what was received of it is deleted, the photo stays announced. A stored photo is evidence
    /// and stays.
    pub async fn upload_terminate(&self, caller: &Caller, photo_id: PhotoId) -> Result<(), UploadError> {
        let (photo, upload) = self.rows_of(caller, photo_id).await?;
        match (photo.state, upload) {
            (PhotoState::Stored, _) => {
                let detail = "the photo is stored as evidence and cannot be deleted";
                Err(UploadError::new(ProblemType::IllegalTransition, detail))
            }
            (PhotoState::Announced, Some(upload)) => match self.upload_end(&upload).await? {
                true => Ok(()),
                false => Err(self.overtaken(caller, photo_id).await),
            },
            (PhotoState::Announced | PhotoState::Refused, _) => Err(gone()),
        }
    }

    /// Ends uploads whose time is over, and deletes pieces that crashes or lost races left behind.
    pub async fn uploads_sweep(&self) -> Result<Swept, UploadError> {
        let now = self.app.env.now();
        let mut swept = Swept::default();
        loop {
            let expired = self
                .read("photo_uploads_expired", move |tx| Ok(tx.photo_upload_list_expired(now, SWEEP_PAGE)?))
                .await?;
            for upload in &expired {
                swept.uploads += usize::from(self.upload_end(upload).await?);
            }
            if expired.len() < SWEEP_PAGE as usize {
                break;
            }
        }
        // A piece may be a whole lifetime old and still wanted, if later ones kept its upload alive: the row decides. It is
        // written before the row names it, hence the age: what is younger is left alone.
        let mut wanted: HashMap<PhotoId, Vec<UploadPart>> = HashMap::new();
        let mut orphans = Vec::new();
        for found in self.store.parts_found(now.plus_seconds(-self.settings.upload_lifetime_seconds)).await? {
            let photo_id = found.photo_id;
            let parts = match wanted.entry(photo_id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    let upload =
                        self.read("photo_upload_parts", move |tx| Ok(tx.photo_upload_by_id(photo_id)?)).await?;
                    unknown.insert(upload.map_or_else(Vec::new, |upload| upload.parts))
                }
            };
            let is_wanted = parts.iter().any(|part| part.object_key == found.object_key);
            if !is_wanted {
                orphans.push(found.object_key);
            }
        }
        self.store.parts_delete(orphans.iter().map(String::as_str)).await?;
        swept.orphans = orphans.len();
        Ok(swept)
    }

    /// The rows of a photo, if it is the uploader's own. Somebody else's looks like one that was never announced.
    async fn rows_of(&self, caller: &Caller, photo_id: PhotoId) -> Result<Rows, UploadError> {
        let (app, by) = (self.app.clone(), caller.clone());
        let rows = self.read("photo_upload_load", move |tx| {
            // A phone that was shut out uploads nothing more, though its token may still be young.
            app.caller_scope(tx, &by)?;
            match tx.photo_by_id(photo_id)? {
                Some(photo) => Ok(Some((photo, tx.photo_upload_by_id(photo_id)?))),
                None => Ok(None),
            }
        });
        let owned = |(photo, _): &Rows| photo.tester_id == caller.user_id && photo.device_id == caller.device_id;
        rows.await?.filter(owned).ok_or_else(|| {
            UploadError::new(ProblemType::NotFound, "this phone has not announced that photo; sync first, then upload")
        })
    }

    fn status_of(&self, photo: &Photo, upload: Option<&PhotoUpload>) -> Result<UploadProgress, UploadError> {
        match (photo.state, upload) {
            (PhotoState::Stored, _) => Ok(complete(photo)),
            (PhotoState::Refused, _) => Err(photo.refusal.clone().unwrap_or_else(refused_unsaid).into()),
            (PhotoState::Announced, Some(upload)) if upload.expires_at > self.app.env.now() => Ok(progress(upload)),
            (PhotoState::Announced, _) => Err(gone()),
        }
    }

    fn expiry(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.settings.upload_lifetime_seconds)
    }

    /// The error of a request that another one has overtaken, with the offset as it is now.
    async fn overtaken(&self, caller: &Caller, photo_id: PhotoId) -> UploadError {
        match self.upload_status(caller, photo_id).await {
            Ok(now) => {
                let detail = format!("another request was first; the upload continues at {}", now.offset);
                UploadError::new(ProblemType::OffsetConflict, detail).with(now)
            }
            Err(error) => error,
        }
    }

    /// Saves an upload unless another request changed it meanwhile; tells whether it was saved.
    async fn upload_save(&self, upload: PhotoUpload) -> Result<bool, UploadError> {
        self.write("photo_upload_save", move |tx| match tx.photo_upload_update(&mut upload.clone()) {
            Ok(()) => Ok(true),
            Err(StorageError::Conflict { .. } | StorageError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// Ends an upload unless another request changed it meanwhile, and deletes its pieces; tells whether it was ended.
    async fn upload_end(&self, upload: &PhotoUpload) -> Result<bool, UploadError> {
        let (photo_id, version) = (upload.photo_id, upload.version);
        let ended = self
            .write("photo_upload_end", move |tx| match tx.photo_upload_lock(photo_id)? {
                Some(now) if now.version == version => Ok(tx.photo_upload_delete(photo_id)?),
                _ => Ok(false),
            })
            .await?;
        if ended {
            self.parts_discard(photo_id, &upload.parts).await;
        }
        Ok(ended)
    }

    /// Saves what became of a photo and ends its upload, unless another request changed that meanwhile; tells whether it did.
    async fn photo_save(&self, caller: &Caller, photo: Photo, upload_version: u64) -> Result<bool, UploadError> {
        let action = if photo.state == PhotoState::Stored { "photo_stored" } else { "photo_refused" };
        let detail = json!({ "photo_id": photo.id, "hash": photo.hash, "byte_length": photo.byte_length });
        let mut event = EventDraft::new(Subject::WorkOrder(photo.work_order_id), action)
            .by(caller)
            .captured_at(photo.captured_at)
            .detail(detail);
        if let Some(refusal) = &photo.refusal {
            event = event.reason(refusal.detail.clone());
        }
        let app = self.app.clone();
        self.write("photo_save", move |tx| {
            let Some(row) = tx.photo_lock(photo.id)? else { return Ok(false) };
            match tx.photo_upload_lock(photo.id)? {
                Some(upload) if upload.version == upload_version => {
                    // The sync decides whether a photo counts, maybe at this very moment: that stays as the row has it.
                    let (standing, standing_reason) = (row.standing, row.standing_reason);
                    tx.photo_update(&Photo { standing, standing_reason, ..photo.clone() })?;
                    if let Some(hash) = perceptual_hash(&photo).filter(|_| photo.state == PhotoState::Stored) {
                        tx.photo_hash_put(photo.id, photo.work_order_id, hash)?;
                    }
                    tx.photo_upload_delete(photo.id)?;
                    app.event_append(tx, event.clone())?;
                    Ok(true)
                }
                _ => Ok(false),
            }
        })
        .await
    }

    /// Deletes pieces that no row names any more. A failure is no error of the request: the sweep comes back for them.
    async fn parts_discard(&self, photo_id: PhotoId, parts: &[UploadPart]) {
        if let Err(error) = self.store.parts_delete(parts.iter().map(|part| part.object_key.as_str())).await {
            tracing::warn!(%photo_id, error = &error as &dyn Error, "pieces of an upload were left for the sweep");
        }
    }

    /// The last piece is here: checks hash and picture, stores the photo, ends the upload.
    async fn upload_finish(
        &self,
        caller: &Caller,
        photo: Photo,
        upload: PhotoUpload,
        last: Bytes,
    ) -> Result<UploadProgress, UploadError> {
        let photo_id = photo.id;
        let _decoder = permit(&self.decoders, 1).await?;
        let whole = match upload.parts.is_empty() {
            true => last,
            false => match self.store.parts_read(&upload.parts).await {
                Ok(mut whole) => {
                    whole.extend_from_slice(&last);
                    whole.freeze()
                }
                Err(error @ (PhotoStoreError::NotFound { .. } | PhotoStoreError::Damaged { .. })) => {
                    tracing::error!(%photo_id, error = &error as &dyn Error, "a received piece was lost by the store");
                    let detail = "a piece received earlier was lost; the upload starts over at offset 0";
                    let problem = Rejection::new(ProblemType::OffsetConflict, detail);
                    return Err(self.start_over(caller, upload, problem).await);
                }
                Err(error) => return Err(error.into()),
            },
        };
        let mut judged = photo;
        let outcome = match self.photo_judge(&judged, &whole).await? {
            Judgement::OtherHash => {
                let detail = "the photo's bytes do not have the announced SHA-256; the upload starts over at offset 0";
                let problem = Rejection::new(ProblemType::HashMismatch, detail);
                return Err(self.start_over(caller, upload, problem).await);
            }
            Judgement::NoPhoto(problem) => {
                tracing::info!(%photo_id, ?problem, "a photo is refused and its bytes are quarantined");
                // The very bytes that the tester captured; what is refused is kept all the same (R-TEST-5).
                judged.object_key = Some(self.store.quarantine_put(judged.hash, whole).await?);
                let rejection = Rejection::new(ProblemType::ImageInvalid, problem.to_string());
                judged.state = PhotoState::Refused;
                judged.refusal = Some(rejection.clone());
                Err(rejection.into())
            }
            Judgement::Photo(verified) => {
                let VerifiedPhoto { facts, thumbnail } = *verified;
                judged.object_key = Some(self.store.photo_put(judged.hash, facts.media_type, whole).await?);
                judged.thumbnail_key = Some(self.store.thumbnail_put(judged.hash, thumbnail.into()).await?);
                judged.state = PhotoState::Stored;
                judged.width = i32::try_from(facts.width).ok();
                judged.height = i32::try_from(facts.height).ok();
                judged.exif = Some(facts.to_json());
                judged.stored_at = Some(self.app.env.now());
                Ok(complete(&judged))
            }
        };
        if self.photo_save(caller, judged, upload.version).await? {
            self.parts_discard(photo_id, &upload.parts).await;
            return outcome;
        }
        // A repeated request may have completed the same photo meanwhile, which is as good.
        match self.upload_status(caller, photo_id).await {
            Ok(status) if status.offset == status.length => Ok(status),
            _ => Err(self.overtaken(caller, photo_id).await),
        }
    }

    /// Sets the upload back to offset 0, so that the phone can send the photo once more. Gives the error that tells so.
    async fn start_over(&self, caller: &Caller, upload: PhotoUpload, problem: Rejection) -> UploadError {
        let photo_id = upload.photo_id;
        let expires_at = self.expiry(self.app.env.now());
        let fresh = PhotoUpload { byte_offset: 0, parts: Vec::new(), expires_at, ..upload.clone() };
        match self.upload_save(fresh.clone()).await {
            Ok(true) => {
                self.parts_discard(photo_id, &upload.parts).await;
                UploadError::from(problem).with(progress(&fresh))
            }
            Ok(false) => self.overtaken(caller, photo_id).await,
            Err(error) => error,
        }
    }

    /// Hashes and decodes off the async workers, within the bounds of memory.
    async fn photo_judge(&self, photo: &Photo, whole: &Bytes) -> Result<Judgement, UploadError> {
        let (promised, media_type, limits) = (photo.hash, photo.media_type, self.settings.image);
        let bytes = whole.clone();
        let inspected = blocking(move || match PhotoHash(Sha256::digest(&bytes).into()) == promised {
            true => Some(inspect(&bytes, media_type, &limits)),
            false => None,
        })
        .await?;
        let inspected = match inspected {
            None => return Ok(Judgement::OtherHash),
            Some(Err(problem)) => return Ok(Judgement::NoPhoto(problem)),
            Some(Ok(inspected)) => inspected,
        };
        let mib = u32::try_from(inspected.outline.decoded_bytes.div_ceil(MIB)).unwrap_or(u32::MAX);
        let _memory = permit(&self.decoded_mib, mib).await?;
        let bytes = whole.clone();
        Ok(match blocking(move || verify(&bytes, &inspected)).await? {
            Ok(verified) => Judgement::Photo(Box::new(verified)),
            Err(problem) => Judgement::NoPhoto(problem),
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnMut(&mut Tx) -> AppResult<T> + Send + 'static,
    ) -> Result<T, UploadError> {
        let storage = self.app.storage.clone();
        Ok(blocking(move || storage.read(name, work)).await??)
    }

    async fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnMut(&mut Tx) -> AppResult<T> + Send + 'static,
    ) -> Result<T, UploadError> {
        let storage = self.app.storage.clone();
        Ok(blocking(move || storage.write(name, work)).await??)
    }
}

/// What the bytes of a complete upload turned out to be.
enum Judgement {
    OtherHash,
    NoPhoto(ImageProblem),
    Photo(Box<VerifiedPhoto>),
}

async fn permit(semaphore: &Semaphore, count: u32) -> Result<SemaphorePermit<'_>, UploadError> {
    // Only a closed semaphore fails, and nobody closes these.
    semaphore.acquire_many(count).await.map_err(|error| AppError::internal(error).into())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, UploadError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| AppError::internal(error).into())
}

fn gone() -> UploadError {
    UploadError::new(ProblemType::UploadGone, "the upload was not begun, was ended, or rested too long; begin it anew")
}

/// For a refused photo whose row says not why; none is written so.
fn refused_unsaid() -> Rejection {
    Rejection::new(ProblemType::ImageInvalid, "the photo was refused")
}

fn progress(upload: &PhotoUpload) -> UploadProgress {
    UploadProgress {
        offset: upload.byte_offset,
        length: upload.byte_length,
        metadata: upload.metadata.clone(),
        expires_at: Some(upload.expires_at),
    }
}

/// A stored photo; its upload and what metadata that had are gone.
fn complete(photo: &Photo) -> UploadProgress {
    let length = photo.byte_length;
    UploadProgress { offset: length, length, metadata: metadata_of(photo.id), expires_at: None }
}
