//! The sealed block: one operator's samples of one test, packed, signed by the phone, and never changed again.
//!
//! ```text
//! "CSB" version(1)  test id(16)  device id(16)  operator(1)  sequence  sample count  payload …  signature(64)
//! ```
//! `docs/sample-block.md` is the normative description. The server keeps the very bytes as evidence; their BLAKE3 hash,
//! signature included, is the block's name. What does not belong here: how samples become the payload (`codec`).

use super::codec::{self, CodecError};
use super::columns::SampleColumns;
use crate::ids::{DeviceId, FieldTestId};
use crate::operators::Operator;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// A block holds at most so many samples: three hours of five reports a second.
pub const MAX_SAMPLES_PER_BLOCK: usize = 65_536;
/// A block has at most so many bytes.
pub const MAX_BLOCK_BYTES: usize = 1 << 20;
/// The format that this code writes, and the only one that it reads so far.
pub const BLOCK_VERSION: u8 = 1;

const MAGIC: [u8; 3] = *b"CSB";
const SIGNATURE_BYTES: usize = 64;
/// Keeps a signature of a block from being taken for a signature of anything else that the key signs.
const SIGNATURE_CONTEXT: &[u8; 24] = b"callout sample block v1\n";

/// What a block says of itself before its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockHeader {
    /// The test that the samples belong to.
    pub field_test_id: FieldTestId,
    /// The phone that captured them and whose key signs the block.
    pub device_id: DeviceId,
    /// The operator whose network was measured.
    pub operator: Operator,
    /// The number of the block within (test, operator), from 0.
    pub sequence: u32,
    /// How many samples the block holds, 1 … [`MAX_SAMPLES_PER_BLOCK`].
    pub sample_count: u32,
}

/// Why samples could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There is nothing to seal.
    #[error("a block needs at least one sample")]
    Empty,
    /// Seal the rest in another block.
    #[error("{count} samples are more than a block holds ({MAX_SAMPLES_PER_BLOCK})")]
    TooManySamples {
        /// How many there were.
        count: usize,
    },
    /// Seal fewer samples in a block; only noise comes near this.
    #[error("the packed samples take {bytes} bytes, more than a block may have ({MAX_BLOCK_BYTES})")]
    TooLarge {
        /// How long the block would be.
        bytes: usize,
    },
}

/// Why bytes are no acceptable block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Longer than [`MAX_BLOCK_BYTES`].
    #[error("the block has {bytes} bytes, more than {MAX_BLOCK_BYTES}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Ends before its header and signature are complete.
    #[error("the block ends early")]
    Truncated,
    /// Does not begin as a block does.
    #[error("these bytes are no sample block")]
    NotABlock,
    /// Written by a newer (or no) version of this software.
    #[error("sample block version {version} is not supported, only {BLOCK_VERSION}")]
    Version {
        /// The version that it names.
        version: u8,
    },
    /// Names an operator that does not exist.
    #[error("operator code {code} is unknown")]
    Operator {
        /// The code.
        code: u8,
    },
    /// The number of samples is 0 or too large.
    #[error("a block holds 1 to {MAX_SAMPLES_PER_BLOCK} samples, not {count}")]
    SampleCount {
        /// The number that it names.
        count: u32,
    },
    /// The header's numbers are not in their shortest form.
    #[error("the block header is not in canonical form")]
    NotCanonical,
    /// The key did not sign these bytes.
    #[error("the signature does not match the block and the device's key")]
    Signature,
    /// The packed samples are damaged, not canonical, or hold a value outside its range.
    #[error("the packed samples: {0}")]
    Samples(#[from] CodecError),
}

/// The name of a block: BLAKE3 over all its bytes. Text form: 64 lower-case hexadecimal digits; CBOR: a byte string of 32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockHash(pub [u8; 32]);

crate::hash_newtype!(BlockHash);

/// The bytes of a block that this code sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBlock {
    bytes: Vec<u8>,
}

impl SealedBlock {
    /// The bytes that travel and rest.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes that travel and rest.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The block's name.
    pub fn hash(&self) -> BlockHash {
        block_hash(&self.bytes)
    }
}

/// The name of the block that these bytes are.
pub fn block_hash(bytes: &[u8]) -> BlockHash {
    BlockHash(*blake3::hash(bytes).as_bytes())
}

/// Packs and signs samples. `header.sample_count` is not looked at: the number is that of `columns`.
///
/// # Errors
/// [`SealError`] if there are no samples, or more than a block can hold.
pub fn block_seal(header: &BlockHeader, columns: &SampleColumns, key: &SigningKey) -> Result<SealedBlock, SealError> {
    let count = columns.len();
    if count == 0 {
        return Err(SealError::Empty);
    }
    if count > MAX_SAMPLES_PER_BLOCK {
        return Err(SealError::TooManySamples { count });
    }
    let mut bytes = Vec::with_capacity(256 + count * 6);
    bytes.extend_from_slice(&MAGIC);
    bytes.push(BLOCK_VERSION);
    bytes.extend_from_slice(header.field_test_id.as_bytes());
    bytes.extend_from_slice(header.device_id.as_bytes());
    bytes.push(header.operator.code());
    codec::write_varint(&mut bytes, u64::from(header.sequence));
    codec::write_varint(&mut bytes, count as u64);
    codec::encode(columns, &mut bytes);
    let size = bytes.len() + SIGNATURE_BYTES;
    if size > MAX_BLOCK_BYTES {
        return Err(SealError::TooLarge { bytes: size });
    }
    let signature = key.sign(&signed_message(&bytes));
    bytes.extend_from_slice(&signature.to_bytes());
    Ok(SealedBlock { bytes })
}

/// Packs and signs any number of samples in as many blocks as they need, `header.sequence` being the first one's.
///
/// # Errors
/// [`SealError::Empty`]; the others only if a single sample were too large for a block, which none is.
pub fn blocks_seal(
    header: &BlockHeader,
    columns: &SampleColumns,
    key: &SigningKey,
) -> Result<Vec<SealedBlock>, SealError> {
    let mut blocks = Vec::new();
    let mut begin = 0;
    let mut most = MAX_SAMPLES_PER_BLOCK;
    loop {
        let part = columns.part(begin..columns.len().min(begin + most));
        let header = BlockHeader { sequence: header.sequence.saturating_add(blocks.len() as u32), ..*header };
        match block_seal(&header, &part, key) {
            Err(SealError::TooLarge { .. }) if part.len() > 1 => most = part.len() / 2,
            Err(error) => return Err(error),
            Ok(block) => {
                blocks.push(block);
                begin += part.len();
                if begin == columns.len() {
                    return Ok(blocks);
                }
            }
        }
    }
}

/// Reads what a block says of itself. Neither the signature nor the samples are looked at.
///
/// # Errors
/// [`BlockError`] if the bytes cannot be a block of a known version.
pub fn block_header(bytes: &[u8]) -> Result<BlockHeader, BlockError> {
    Ok(split(bytes)?.0)
}

/// Checks that the device's key signed these very bytes (strictly: RFC 8032 without malleable or weak-key signatures).
///
/// # Errors
/// [`BlockError::Signature`], or what [`block_header`] finds first.
pub fn block_verify(bytes: &[u8], key: &VerifyingKey) -> Result<(), BlockError> {
    split(bytes)?;
    let (signed, signature) = bytes.split_last_chunk::<SIGNATURE_BYTES>().ok_or(BlockError::Truncated)?;
    key.verify_strict(&signed_message(signed), &Signature::from_bytes(signature)).map_err(|_| BlockError::Signature)
}

/// Unpacks a block and checks every value. The signature is not looked at: see [`block_verify`].
///
/// # Errors
/// [`BlockError`]; the work and memory spent are bounded by [`MAX_SAMPLES_PER_BLOCK`] whatever the bytes.
pub fn block_open(bytes: &[u8]) -> Result<(BlockHeader, SampleColumns), BlockError> {
    let mut columns = SampleColumns::new();
    let header = block_open_into(bytes, &mut columns)?;
    Ok((header, columns))
}

/// [`block_open`] into columns whose memory is used again; on an error they are left empty.
///
/// # Errors
/// As [`block_open`].
pub fn block_open_into(bytes: &[u8], columns: &mut SampleColumns) -> Result<BlockHeader, BlockError> {
    let (header, payload) = match split(bytes) {
        Ok(parts) => parts,
        Err(error) => {
            columns.clear();
            return Err(error);
        }
    };
    codec::decode(payload, header.sample_count as usize, columns)?;
    Ok(header)
}

/// The header and the payload.
fn split(bytes: &[u8]) -> Result<(BlockHeader, &[u8]), BlockError> {
    if bytes.len() > MAX_BLOCK_BYTES {
        return Err(BlockError::TooLarge { bytes: bytes.len() });
    }
    let (magic, rest) = bytes.split_first_chunk::<3>().ok_or(BlockError::Truncated)?;
    if *magic != MAGIC {
        return Err(BlockError::NotABlock);
    }
    let (&version, rest) = rest.split_first().ok_or(BlockError::Truncated)?;
    if version != BLOCK_VERSION {
        return Err(BlockError::Version { version });
    }
    let (field_test_id, rest) = rest.split_first_chunk::<16>().ok_or(BlockError::Truncated)?;
    let (device_id, rest) = rest.split_first_chunk::<16>().ok_or(BlockError::Truncated)?;
    let (&code, mut rest) = rest.split_first().ok_or(BlockError::Truncated)?;
    let operator = Operator::from_code(code).ok_or(BlockError::Operator { code })?;
    let sequence = read_header_number(&mut rest)?;
    let sample_count = read_header_number(&mut rest)?;
    if sample_count == 0 || sample_count as usize > MAX_SAMPLES_PER_BLOCK {
        return Err(BlockError::SampleCount { count: sample_count });
    }
    let (payload, _) = rest.split_last_chunk::<SIGNATURE_BYTES>().ok_or(BlockError::Truncated)?;
    let header = BlockHeader {
        field_test_id: FieldTestId::from_bytes(*field_test_id),
        device_id: DeviceId::from_bytes(*device_id),
        operator,
        sequence,
        sample_count,
    };
    Ok((header, payload))
}

fn read_header_number(bytes: &mut &[u8]) -> Result<u32, BlockError> {
    let number = codec::read_varint(bytes).map_err(|error| match error {
        CodecError::Truncated => BlockError::Truncated,
        _ => BlockError::NotCanonical,
    })?;
    u32::try_from(number).map_err(|_| BlockError::NotCanonical)
}

/// What is signed: the context and the BLAKE3 hash of everything before the signature.
fn signed_message(signed: &[u8]) -> [u8; 56] {
    let mut message = [0; 56];
    message[..24].copy_from_slice(SIGNATURE_CONTEXT);
    message[24..].copy_from_slice(blake3::hash(signed).as_bytes());
    message
}
