//! Capture: samples from a running test onto the medium, in segments, each safe before it is acknowledged.
//!
//! A session holds the samples since the last flush in memory and nothing else, so that hours of capture cost the same as
//! seconds. A segment and the place in the source that it reaches are written in one transaction: after a kill, the capture of
//! the same log goes on exactly behind the last safe sample. Sealing into blocks is in `seal`.
//! What does not belong here: reading logs (`import`), deciding whether a test may begin (`facade`).

pub mod seal;

use crate::store::captures::{Capture, capture_insert, capture_list, segment_append};
use crate::store::{Store, StoreError};
use callout_sync_protocol::ids::FieldTestId;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{OutOfRange, Sample, SampleColumns, SealError, segment_encode};
use callout_sync_protocol::time::Timestamp;
use std::io::{self, Read};

/// Samples are flushed when so many are unsafe …
pub const FLUSH_SAMPLES: usize = 200;
/// … or when the oldest unsafe one has waited so long, in milliseconds.
pub const FLUSH_AFTER_MS: i64 = 1_000;

/// So many unsafe samples are held while the medium cannot be written.
const HELD_MAX: usize = 20_000;

/// By so many first bytes a log is known again.
const SOURCE_PREFIX_BYTES: u64 = 1_024;

/// What samples come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The phone's own radio, now. Every session is a new source.
    Live,
    /// A log: capturing it again goes on where the store's copy of it ends.
    Log {
        /// Shown to people.
        name: String,
        /// The log's first bytes, at most 1,024.
        prefix: Vec<u8>,
    },
}

impl Source {
    /// Reads a log's first bytes from `reader`, which must stand at its beginning.
    ///
    /// # Errors
    /// What reading gives.
    pub fn log(name: impl Into<String>, reader: impl Read) -> io::Result<Self> {
        let mut prefix = Vec::new();
        reader.take(SOURCE_PREFIX_BYTES).read_to_end(&mut prefix)?;
        Ok(Self::Log { name: name.into(), prefix })
    }
}

/// Why a sample or a segment could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The sample holds a value that its standard does not allow; it is counted as refused, the session goes on.
    #[error("the sample was refused: {0}")]
    Refused(#[from] OutOfRange),
    /// The store could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The samples could not be packed.
    #[error("the samples could not be packed: {0}")]
    Pack(#[from] SealError),
    /// The medium has refused to be written for so long that no more is held in memory; this sample was not taken.
    #[error("the phone's store cannot be written; free some space and try again")]
    Full,
    /// Another process captures the same source; what this session had not flushed is in that one's hands.
    #[error("another capture of the same source is running")]
    Elsewhere,
}

/// A running capture of one operator's samples.
#[derive(Debug)]
pub struct CaptureSession {
    capture: Capture,
    field_test_id: FieldTestId,
    operator: Operator,
    open: SampleColumns,
    open_refused: u64,
    open_since: Option<Timestamp>,
}

impl CaptureSession {
    /// Begins a capture, or goes on with the one of the same log.
    pub(crate) fn begin(
        store: &mut Store,
        field_test_id: FieldTestId,
        operator: Operator,
        source: &Source,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let capture = store.write(|connection| match source {
            Source::Live => capture_insert(connection, field_test_id, operator, "live", None, now),
            Source::Log { name, prefix } => {
                // A log that was still growing when it was first seen is known by what it had then.
                let known = capture_list(connection, field_test_id, operator)?.into_iter().find(|capture| {
                    usize::try_from(capture.source_prefix_bytes)
                        .ok()
                        .and_then(|length| prefix.get(..length))
                        .is_some_and(|begin| capture.source_prefix_hash == Some(*blake3::hash(begin).as_bytes()))
                });
                match known {
                    Some(capture) => Ok(capture),
                    None => {
                        let identity = (prefix.len() as u64, *blake3::hash(prefix).as_bytes());
                        capture_insert(connection, field_test_id, operator, name, Some(identity), now)
                    }
                }
            }
        })?;
        Ok(Self { capture, field_test_id, operator, open: SampleColumns::new(), open_refused: 0, open_since: None })
    }

    /// How many samples of the source are safe on the medium, refused ones included: where a capture of the same log goes on.
    pub fn source_samples_safe(&self) -> u64 {
        self.capture.source_samples
    }

    /// The test that the samples belong to.
    pub fn field_test_id(&self) -> FieldTestId {
        self.field_test_id
    }

    /// Whose network is measured.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// Takes a sample. It is acknowledged (survives a power cut) once [`CaptureSession::source_samples_safe`] covers it. Says
    /// whether this sample led to a flush.
    ///
    /// # Errors
    /// [`CaptureError::Refused`] counts the sample as seen and refused; any other error means that samples since the last flush
    /// are still in memory, and the next push tries again.
    pub fn push(&mut self, store: &mut Store, sample: &Sample, now: Timestamp) -> Result<bool, CaptureError> {
        if self.open.len() >= HELD_MAX {
            self.flush(store).map_err(|_| CaptureError::Full)?;
        }
        let refused = self.open.push(sample).err();
        if refused.is_some() {
            self.open_refused += 1;
        }
        let since = *self.open_since.get_or_insert(now);
        // A clock set back must not postpone the flush.
        let has_waited = now < since || now.micros_since(since) >= FLUSH_AFTER_MS * 1_000;
        let is_due = self.open.len() >= FLUSH_SAMPLES || has_waited;
        if is_due {
            self.flush(store)?;
        }
        match refused {
            Some(error) => Err(error.into()),
            None => Ok(is_due),
        }
    }

    /// Makes everything taken so far safe.
    ///
    /// # Errors
    /// The samples stay in memory then, except with [`CaptureError::Elsewhere`].
    pub fn flush(&mut self, store: &mut Store) -> Result<(), CaptureError> {
        let samples = self.open.len() as u64;
        if samples + self.open_refused == 0 {
            return Ok(());
        }
        let bytes = segment_encode(&self.open)?;
        let (id, from, refused) = (self.capture.id, self.capture.source_samples, self.open_refused);
        let is_ours = store.write(|connection| segment_append(connection, id, from, samples, refused, &bytes))?;
        self.open.clear();
        self.open_refused = 0;
        self.open_since = None;
        if !is_ours {
            return Err(CaptureError::Elsewhere);
        }
        self.capture.source_samples += samples + refused;
        Ok(())
    }
}
