//! The protocol's version and the bounds that both sides keep.
//!
//! Compatible changes (a new optional field at the end of an array, a new problem number, a new directive) keep the number.
//! Anything that an older reader would misread or refuse raises it; the server serves the current and the previous one.
//!
//! Version 2 brought checkpoints, and the duty of every reader to live with problem numbers and directives that it does not
//! know. A reader of version 1 refuses the whole answer then, so an answer of version 1 never has one.

/// The version that this crate speaks.
pub const PROTOCOL_VERSION: u8 = 2;

/// The oldest version that the server still serves.
pub const PROTOCOL_VERSION_OLDEST: u8 = 1;

/// Response header with the versions that the server serves, `oldest-newest`, beside problem `unsupported-version`.
pub const VERSIONS_HEADER: &str = "callout-protocol-versions";

/// What [`VERSIONS_HEADER`] says here.
pub fn versions_served() -> String {
    format!("{PROTOCOL_VERSION_OLDEST}-{PROTOCOL_VERSION}")
}

/// The newest version that this crate and a server that serves `header` both speak; `None` if there is none.
pub fn version_in_common(header: &str) -> Option<u8> {
    let (oldest, newest) = header.trim().split_once('-')?;
    let (oldest, newest): (u8, u8) = (oldest.parse().ok()?, newest.parse().ok()?);
    let common = newest.min(PROTOCOL_VERSION);
    (common >= oldest && common >= PROTOCOL_VERSION_OLDEST).then_some(common)
}

/// The media type of a framed sync message.
pub const MEDIA_TYPE: &str = "application/vnd.callout.sync";

/// Largest framed request or response, in bytes as they travel.
pub const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// Largest message after decompression, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// Most commands in one request.
pub const MAX_COMMANDS: usize = 512;

/// Most sealed blocks in one request.
pub const MAX_BLOCKS: usize = 256;

/// Most changes in one response.
pub const MAX_CHANGES: usize = 500;

/// Longest free text that a command may carry, in Unicode scalar values.
pub const MAX_TEXT_CHARS: usize = 4_000;

/// Most entries of any list inside a command.
pub const MAX_LIST_ITEMS: usize = 256;
