//! The photo queue's part of the engine: which photo, which step, what an answer means.

use super::photo_upload::{
    UploadAnswer, chunk_answer, chunk_request, create_answer, create_request, is_intact, offset_answer, offset_request,
};
use super::{Engine, HttpRequest, HttpResponse, Instruction, Instructions, Moment, Progress};
use crate::store::photos::{StoredPhoto, photo_decide, photo_get, photo_list_waiting, photo_upload_put};
use crate::store::{Store, StoreError};
use callout_sync_protocol::ids::PhotoId;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use std::collections::BTreeMap;

/// The first chunk of a run; grows while chunks get through, shrinks when one does not.
pub(super) const CHUNK_BYTES_FIRST: u64 = 256 * 1024;
/// Chunks never get smaller.
pub(super) const CHUNK_BYTES_MIN: u64 = 16 * 1024;
/// Chunks never get larger: what is lost must be sent again.
const CHUNK_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// After so many damaged chunks, or uploads that vanished, of one photo in one run it is set aside.
const SETBACKS_MAX: u32 = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PhotoStep {
    photo: PhotoId,
    kind: StepKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StepKind {
    Create,
    AskOffset,
    Chunk,
}

/// What the run has learned of photos.
#[derive(Debug, Default)]
pub(super) struct PhotoRun {
    /// The photo whose offset the server confirmed in this run, so that it need not be asked.
    confirmed: Option<PhotoId>,
    setbacks: BTreeMap<PhotoId, u32>,
    /// Failures that may pass, but that this photo had too many of: it is left for the next run.
    passing: BTreeMap<PhotoId, u32>,
}

impl PhotoRun {
    pub fn forget_offset(&mut self) {
        self.confirmed = None;
    }
}

impl Engine {
    /// The next step of the oldest photo that waits, if there is one.
    pub(super) fn photo_next(
        &mut self,
        store: &mut Store,
        moment: Moment,
        token: &str,
    ) -> Result<Option<(PhotoStep, HttpRequest)>, StoreError> {
        for photo in photo_list_waiting(store.connection())? {
            let id = photo.manifest.id;
            if self.run.photos.passing.get(&id).is_some_and(|&failures| failures >= SETBACKS_MAX) {
                continue;
            }
            let step = |kind| PhotoStep { photo: id, kind };
            let Some(path) = &photo.upload_path else {
                return Ok(Some((step(StepKind::Create), create_request(self.request_id(), token, &photo))));
            };
            if self.run.photos.confirmed != Some(id) {
                return Ok(Some((step(StepKind::AskOffset), offset_request(self.request_id(), token, path))));
            }
            let chunk = store.photo_file_read(&photo, photo.upload_offset, self.chunk_bytes);
            match chunk {
                Ok(chunk) if !chunk.is_empty() => {
                    let request = chunk_request(self.request_id(), token, path, photo.upload_offset, chunk);
                    return Ok(Some((step(StepKind::Chunk), request)));
                }
                // A photo whose file is gone or short stands in nobody's way.
                Ok(_) | Err(StoreError::File { .. }) => {
                    let rejection =
                        Rejection::new(ProblemType::ImageInvalid, "the photo's file on this phone is damaged or gone");
                    self.photo_refuse(store, moment, id, &rejection)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The server failed at this photo; so that it does not hold up those behind it for ever, failures are counted.
    pub(super) fn photo_passing(&mut self, step: &PhotoStep) {
        *self.run.photos.passing.entry(step.photo).or_default() += 1;
    }

    pub(super) fn photo_answered(
        &mut self,
        store: &mut Store,
        moment: Moment,
        step: &PhotoStep,
        response: &HttpResponse,
    ) -> Instructions {
        let Some(photo) = photo_get(store.connection(), step.photo)? else { return Ok(vec![]) };
        let answer = match step.kind {
            StepKind::Create => create_answer(response),
            StepKind::AskOffset => offset_answer(response),
            StepKind::Chunk => chunk_answer(response),
        };
        match answer {
            UploadAnswer::At { path, offset } => {
                self.failures = 0;
                self.run.photos.passing.remove(&step.photo);
                if step.kind == StepKind::Chunk {
                    self.chunk_bytes = (self.chunk_bytes * 2).min(CHUNK_BYTES_MAX);
                }
                let path = path.or(photo.upload_path);
                self.photo_at(store, moment, &photo.manifest, path.as_deref(), offset)
            }
            UploadAnswer::OffsetUnknown => {
                self.run.photos.forget_offset();
                self.photo_setback(store, moment, &photo, &response.problem())
            }
            UploadAnswer::Gone => {
                store.write(|connection| photo_upload_put(connection, step.photo, None, 0))?;
                self.run.photos.forget_offset();
                self.photo_setback(store, moment, &photo, &response.problem())
            }
            UploadAnswer::Damaged => {
                self.run.photos.forget_offset();
                let bytes = store.photo_file_read(&photo, 0, photo.manifest.byte_length);
                if bytes.is_ok_and(|bytes| is_intact(&photo, &bytes)) {
                    return self.photo_setback(store, moment, &photo, &response.problem());
                }
                let rejection =
                    Rejection::new(ProblemType::HashMismatch, "the photo's file on this phone was changed or damaged");
                self.photo_refuse(store, moment, step.photo, &rejection)?;
                Ok(vec![])
            }
            UploadAnswer::Other if step.kind == StepKind::AskOffset => {
                // An answer to HEAD cannot tell its reason; the one to creating the upload again can.
                store.write(|connection| photo_upload_put(connection, step.photo, None, 0))?;
                self.photo_setback(store, moment, &photo, &response.problem())
            }
            UploadAnswer::Other if !response.is_problem() => {
                self.photo_passing(step);
                let reason = "the answer did not come from the server, or not whole".to_owned();
                Ok(self.failed(moment, reason, None))
            }
            UploadAnswer::Other => {
                self.photo_refuse(store, moment, step.photo, &response.problem())?;
                Ok(vec![])
            }
        }
    }

    fn photo_at(
        &mut self,
        store: &mut Store,
        moment: Moment,
        manifest: &callout_sync_protocol::photos::PhotoManifest,
        path: Option<&str>,
        offset: u64,
    ) -> Instructions {
        let (id, length) = (manifest.id, manifest.byte_length);
        let is_whole = offset >= length;
        store.write(|connection| {
            photo_upload_put(connection, id, path, offset.min(length))?;
            if is_whole { photo_decide(connection, id, None, moment.now) } else { Ok(()) }
        })?;
        self.run.photos.confirmed = (!is_whole).then_some(id);
        self.run.summary.photos_stored += u64::from(is_whole);
        Ok(vec![Instruction::Report(Progress::PhotoProgress { id, offset, length })])
    }

    /// Something to be tried again at once, but not for ever.
    fn photo_setback(
        &mut self,
        store: &mut Store,
        moment: Moment,
        photo: &StoredPhoto,
        problem: &Rejection,
    ) -> Instructions {
        let setbacks = self.run.photos.setbacks.entry(photo.manifest.id).or_default();
        *setbacks += 1;
        if *setbacks >= SETBACKS_MAX {
            self.photo_refuse(store, moment, photo.manifest.id, problem)?;
        }
        Ok(vec![])
    }

    fn photo_refuse(
        &mut self,
        store: &mut Store,
        moment: Moment,
        id: PhotoId,
        problem: &Rejection,
    ) -> Result<(), StoreError> {
        self.run.summary.photos_refused += 1;
        self.run.photos.forget_offset();
        store.write(|connection| photo_decide(connection, id, Some(problem), moment.now))
    }
}
