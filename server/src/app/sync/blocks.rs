//! Sealed blocks before they are filed: hash, seal, samples, figures. CPU work, outside any write transaction.
//!
//! What does not belong here: whether a block counts (`filing`).

use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::{AppError, AppResult};
use callout_storage::Standing;
use callout_sync_protocol::ids::{DeviceId, WorkOrderId};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::{
    BlockError, BlockHash, BlockHeader, KpiPolicy, SampleColumns, block_hash, block_header, block_open_into,
    block_verify, kpis_compute,
};
use callout_sync_protocol::sync::{BlockOutcome, BlockResult, BlockUpload};
use callout_sync_protocol::time::Timestamp;
use ed25519_dalek::VerifyingKey;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A block of the request, and what its bytes say.
pub(super) struct ExaminedBlock<'a> {
    /// Its content address.
    pub hash: BlockHash,
    /// The order that the phone measured it for.
    pub work_order_id: WorkOrderId,
    /// The bytes.
    pub bytes: &'a [u8],
    /// What they say.
    pub finding: Finding,
}

/// What the bytes of a block say.
pub(super) enum Finding {
    /// This device did not seal it.
    Refused(Rejection),
    /// It has come before, and was judged then.
    Known,
    /// This device sealed it.
    Sealed {
        /// What it says of itself.
        header: BlockHeader,
        /// What its samples are, or why they cannot be read.
        content: Result<BlockContent, Rejection>,
    },
}

/// What was computed of a block's samples.
pub(super) struct BlockContent {
    /// The figures, as they are kept.
    pub kpi: Value,
    /// The first sample's time, by the phone's clock.
    pub captured_from: Timestamp,
    /// The last sample's time, by the phone's clock.
    pub captured_until: Timestamp,
}

impl ExaminedBlock<'_> {
    /// Something is to be written for it.
    pub fn is_new(&self) -> bool {
        matches!(self.finding, Finding::Sealed { .. })
    }
}

/// What is answered for a block that is here, by its standing.
pub(super) fn block_result(standing: Standing, reason: Option<Rejection>) -> BlockResult {
    match (standing, reason) {
        (Standing::Accepted, _) => BlockResult::Stored {},
        (Standing::Quarantined, Some(rejection)) => BlockResult::Quarantined { rejection },
        (Standing::Quarantined, None) => BlockResult::Quarantined {
            rejection: Rejection::new(ProblemType::BlockInvalid, "the block is kept, but is no evidence"),
        },
    }
}

/// What is answered for a block that is on record already.
pub(super) type Standings = HashMap<BlockHash, (Standing, Option<Rejection>)>;

/// The answer for blocks of which none is new.
fn settled_outcome(block: &ExaminedBlock<'_>, standings: &Standings) -> AppResult<BlockOutcome> {
    let result = match &block.finding {
        Finding::Refused(rejection) => BlockResult::Refused { rejection: rejection.clone() },
        Finding::Known | Finding::Sealed { .. } => known_result(&block.hash, standings)?,
    };
    Ok(BlockOutcome { hash: block.hash, result })
}

/// The answer for a block that has come before. Blocks are never deleted.
pub(super) fn known_result(hash: &BlockHash, standings: &Standings) -> AppResult<BlockResult> {
    let (standing, reason) =
        standings.get(hash).cloned().ok_or_else(|| AppError::internal("a block that was here is gone"))?;
    Ok(block_result(standing, reason))
}

impl App {
    /// Looks at every block of a request: what is here already is not opened again.
    pub(super) fn blocks_examine<'a>(
        &self,
        caller: &Caller,
        uploads: &'a [BlockUpload],
    ) -> AppResult<Vec<ExaminedBlock<'a>>> {
        if uploads.is_empty() {
            return Ok(Vec::new());
        }
        let hashes: Vec<BlockHash> = uploads.iter().map(|upload| block_hash(&upload.bytes)).collect();
        // A phone that was enrolled anew still has blocks that it sealed under its former id; they are the same person's evidence.
        let sealers: BTreeSet<DeviceId> = uploads
            .iter()
            .filter_map(|upload| Some(block_header(&upload.bytes).ok()?.device_id))
            .chain([caller.device_id])
            .collect();
        let (keys, known) = self.storage.read("sync_blocks_known", |tx| {
            self.caller_standing(tx, caller)?;
            let mut keys = SealerKeys::new();
            for id in &sealers {
                let device = tx.device_by_id(*id)?.filter(|device| device.user_id == caller.user_id);
                if let Some(device) = device {
                    keys.insert(*id, device.public_key.and_then(|key| VerifyingKey::from_bytes(&key).ok()));
                }
            }
            Ok::<_, AppError>((keys, tx.sample_block_standings(&hashes)?))
        })?;
        let known: HashSet<BlockHash> = known.into_iter().map(|(hash, _, _)| hash).collect();
        let policy = KpiPolicy::default();
        // Its memory serves one block after the other.
        let mut columns = SampleColumns::new();
        Ok(uploads
            .iter()
            .zip(hashes)
            .map(|(upload, hash)| {
                let is_known = known.contains(&hash);
                let finding = block_examine(&keys, &upload.bytes, is_known, &policy, &mut columns);
                ExaminedBlock { hash, work_order_id: upload.work_order_id, bytes: &upload.bytes, finding }
            })
            .collect())
    }

    /// The outcomes of blocks of which none is new.
    pub(super) fn blocks_answer(&self, blocks: &[ExaminedBlock<'_>]) -> AppResult<Vec<BlockOutcome>> {
        let known: Vec<BlockHash> =
            blocks.iter().filter(|block| matches!(block.finding, Finding::Known)).map(|block| block.hash).collect();
        let standings = if known.is_empty() {
            Standings::new()
        } else {
            let rows = self.storage.read("sync_blocks_answer", |tx| tx.sample_block_standings(&known))?;
            rows.into_iter().map(|(hash, standing, reason)| (hash, (standing, reason))).collect()
        };
        blocks.iter().map(|block| settled_outcome(block, &standings)).collect()
    }
}

/// The caller's devices that sealed something here, each with its key, if it enrolled one.
type SealerKeys = BTreeMap<DeviceId, Option<VerifyingKey>>;

fn block_examine(
    keys: &SealerKeys,
    bytes: &[u8],
    is_known: bool,
    policy: &KpiPolicy,
    columns: &mut SampleColumns,
) -> Finding {
    let refused = |problem, detail: String| Finding::Refused(Rejection::new(problem, detail));
    let header = match block_header(bytes) {
        Ok(header) => header,
        Err(error) => return refused(ProblemType::BlockInvalid, error.to_string()),
    };
    let Some(key) = keys.get(&header.device_id) else {
        return refused(ProblemType::SignatureInvalid, "the block names a device that is not the sender's".into());
    };
    if is_known {
        return Finding::Known;
    }
    let Some(key) = key else {
        return refused(ProblemType::SignatureInvalid, "the device has no enrolled key; sign in again".into());
    };
    if let Err(error) = block_verify(bytes, key) {
        return refused(ProblemType::SignatureInvalid, error.to_string());
    }
    let content = block_content(bytes, policy, columns)
        .map_err(|error| Rejection::new(ProblemType::BlockInvalid, error.to_string()));
    Finding::Sealed { header, content }
}

/// Why a block's samples cannot be counted.
#[derive(Debug, thiserror::Error)]
enum ContentError {
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error("the figures cannot be kept")]
    Figures(#[from] serde_json::Error),
    #[error("the block holds no instant")]
    Instants,
}

fn block_content(bytes: &[u8], policy: &KpiPolicy, columns: &mut SampleColumns) -> Result<BlockContent, ContentError> {
    block_open_into(bytes, columns)?;
    let kpis = kpis_compute(columns, policy);
    let (from, until) = kpis.captured_ms.ok_or(ContentError::Instants)?;
    let instant = |ms| Timestamp::from_unix_millis(ms).ok_or(ContentError::Instants);
    Ok(BlockContent {
        captured_from: instant(from)?,
        captured_until: instant(until)?,
        kpi: serde_json::to_value(&kpis)?,
    })
}
