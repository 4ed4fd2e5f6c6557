//! Framing: one byte version, one byte flags, then the message in CBOR, compressed with zstd where that is shorter.
//!
//! The version stands before anything that could be misread, so that an old phone can always be told that it is old.

use crate::version::{MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, PROTOCOL_VERSION, PROTOCOL_VERSION_OLDEST};
use minicbor::{Decode, Encode};

/// Flag: the payload is a zstd frame (RFC 8878) that says its content size.
const FLAG_ZSTD: u8 = 1;

/// Messages shorter than this are not worth a try at compression.
const COMPRESS_FROM_BYTES: usize = 160;

/// Fast enough for a phone, and most of what higher levels gain on such messages.
const ZSTD_LEVEL: i32 = 6;

/// Why a frame cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Fewer than two bytes, or unknown flags.
    #[error("not a sync frame")]
    NotAFrame,
    /// The version is not served.
    #[error(
        "protocol version {0} is not served, only {PROTOCOL_VERSION_OLDEST} to {PROTOCOL_VERSION}; nothing was changed"
    )]
    UnsupportedVersion(u8),
    /// More bytes than [`MAX_FRAME_BYTES`] or, decompressed, [`MAX_MESSAGE_BYTES`].
    #[error("the message is too large")]
    TooLarge,
    /// The zstd frame is damaged or does not say its size.
    #[error("the payload cannot be decompressed")]
    Compression,
    /// Not the expected CBOR.
    #[error("the message cannot be read: {0}")]
    Message(#[from] minicbor::decode::Error),
    /// Something stands behind the message.
    #[error("bytes follow the message")]
    TrailingBytes,
}

/// Frames a message in the version that this crate speaks.
pub fn frame_encode<T: Encode<()>>(message: &T) -> Vec<u8> {
    frame_encode_as(PROTOCOL_VERSION, message)
}

/// Frames a message for a reader of a version; the message must have only what that version has (`for_version`).
pub fn frame_encode_as<T: Encode<()>>(version: u8, message: &T) -> Vec<u8> {
    let mut plain = vec![version, 0];
    if minicbor::encode(message, &mut plain).is_err() {
        // Writing into a Vec is infallible, and no derived encoding fails by itself.
        unreachable!("encoding into memory cannot fail");
    }
    if plain.len() >= COMPRESS_FROM_BYTES
        && let Ok(packed) = zstd::bulk::compress(&plain[2..], ZSTD_LEVEL)
        && packed.len() + 2 < plain.len()
    {
        let mut frame = Vec::with_capacity(packed.len() + 2);
        frame.extend_from_slice(&[version, FLAG_ZSTD]);
        frame.extend_from_slice(&packed);
        return frame;
    }
    plain
}

/// The version of a frame, whatever follows.
pub fn frame_version(frame: &[u8]) -> Option<u8> {
    frame.first().copied()
}

/// Reads a frame. Memory is bounded by [`MAX_MESSAGE_BYTES`] whatever the frame promises.
///
/// # Errors
/// See [`FrameError`]; a version outside the served ones is told apart from rubbish.
pub fn frame_decode<T: for<'b> Decode<'b, ()>>(frame: &[u8]) -> Result<T, FrameError> {
    let (&version, rest) = frame.split_first().ok_or(FrameError::NotAFrame)?;
    if !(PROTOCOL_VERSION_OLDEST..=PROTOCOL_VERSION).contains(&version) {
        return Err(FrameError::UnsupportedVersion(version));
    }
    if frame.len() > MAX_FRAME_BYTES {
        return Err(FrameError::TooLarge);
    }
    let (&flags, payload) = rest.split_first().ok_or(FrameError::NotAFrame)?;
    match flags {
        0 => message_decode(payload),
        FLAG_ZSTD => {
            let size =
                zstd::zstd_safe::get_frame_content_size(payload).ok().flatten().ok_or(FrameError::Compression)?;
            let size = usize::try_from(size).map_err(|_| FrameError::TooLarge)?;
            if size > MAX_MESSAGE_BYTES {
                return Err(FrameError::TooLarge);
            }
            let message = zstd::bulk::decompress(payload, size).map_err(|_| FrameError::Compression)?;
            message_decode(&message)
        }
        _ => Err(FrameError::NotAFrame),
    }
}

fn message_decode<T: for<'b> Decode<'b, ()>>(message: &[u8]) -> Result<T, FrameError> {
    let mut decoder = minicbor::Decoder::new(message);
    let decoded = decoder.decode()?;
    if decoder.position() != message.len() {
        return Err(FrameError::TrailingBytes);
    }
    Ok(decoded)
}
