//! What SQLite reads and writes, sealed: pages of the database, records of the rollback journal, frames of the write-ahead log.
//!
//! Every page of our stores has 4,096 bytes, of which SQLite leaves the last 40 to us: room for nonce and tag, so that files keep
//! SQLite's own layout and sizes, and with them its ways of recovering from a kill. SQLite writes pages whole and alone; whatever is
//! not of an expected shape is refused rather than written in the clear. What does not belong here: raw pointers (`vfs`).

use super::{DataKey, SEAL_BYTES, Sealer};
use rusqlite::ffi;
use std::fmt;
use zeroize::Zeroizing;

/// The size of every page.
pub(super) const PAGE_BYTES: usize = 4_096;
/// The write-ahead log's own header: magic, page size, salts. It tells nothing of the content.
const LOG_HEADER_BYTES: usize = 32;
/// Before each page in the log: its number, the database's size, the salts, and SQLite's checksum of the plain page.
const FRAME_HEADER_BYTES: usize = 24;
const FRAME_BYTES: usize = FRAME_HEADER_BYTES + PAGE_BYTES;
/// The journal's other writes (its header, record numbers, checksums) are of one sector at most.
const JOURNAL_PLAIN_BYTES_MAX: usize = 512;

/// A result code of SQLite.
pub(super) type Code = i32;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Database,
    Journal,
    Log,
}

/// The file beneath.
pub(super) trait Raw {
    /// Fills `buffer`; what lies behind the file's end becomes zeros, and the result [`ffi::SQLITE_IOERR_SHORT_READ`].
    fn read(&mut self, buffer: &mut [u8], offset: u64) -> Result<(), Code>;
    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), Code>;
}

/// The keys of one store.
#[derive(Debug)]
pub(super) struct PageKeys {
    pages: Sealer,
    frame_headers: FrameHeaderKey,
}

struct FrameHeaderKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for FrameHeaderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameHeaderKey(…)")
    }
}

impl PageKeys {
    pub fn new(key: &DataKey) -> Self {
        Self { pages: Sealer::new(&key.pages()), frame_headers: FrameHeaderKey(key.frame_headers()) }
    }

    /// Hides or shows a frame's header. SQLite's checksum in it would let somebody who can guess most of a page confirm the guess.
    /// The salts are new whenever the log begins anew; what is written twice at a place in between is the same but the checksum.
    fn frame_header_turn(&self, salts: [u8; 8], offset: u64, header: &mut [u8]) {
        let mut place = [0; 16];
        place[..8].copy_from_slice(&salts);
        place[8..].copy_from_slice(&offset.to_le_bytes());
        let stream = blake3::keyed_hash(&self.frame_headers.0, &place);
        header.iter_mut().zip(stream.as_bytes()).for_each(|(byte, mask)| *byte ^= mask);
    }
}

fn database_place(page_number: u32) -> [u8; 5] {
    let mut place = [1; 5];
    place[1..].copy_from_slice(&page_number.to_be_bytes());
    place
}

fn journal_place(offset: u64, page_number: [u8; 4]) -> [u8; 13] {
    let mut place = [2; 13];
    place[1..9].copy_from_slice(&offset.to_be_bytes());
    place[9..].copy_from_slice(&page_number);
    place
}

/// All of a frame's header but the checksum, which SQLite may write anew for a frame that stays.
fn frame_place(salts: [u8; 8], offset: u64, header: &[u8; FRAME_HEADER_BYTES]) -> [u8; 25] {
    let mut place = [3; 25];
    place[1..9].copy_from_slice(&salts);
    place[9..17].copy_from_slice(&offset.to_be_bytes());
    place[17..].copy_from_slice(&header[..8]);
    place
}

/// An open file.
#[derive(Debug)]
pub(super) struct SealedFile {
    kind: Kind,
    keys: std::sync::Arc<PageKeys>,
    /// The header of the frame whose page comes next, and where it stands.
    frame_header: Option<(u64, [u8; FRAME_HEADER_BYTES])>,
}

impl SealedFile {
    pub fn new(kind: Kind, keys: std::sync::Arc<PageKeys>) -> Self {
        Self { kind, keys, frame_header: None }
    }

    pub fn read(&mut self, raw: &mut dyn Raw, buffer: &mut [u8], offset: u64) -> Result<(), Code> {
        let result = match self.kind {
            Kind::Database => self.database_read(raw, buffer, offset),
            Kind::Journal => self.journal_read(raw, buffer, offset),
            Kind::Log => self.log_read(raw, buffer, offset),
        };
        if result.is_err() {
            // SQLite takes what a short read left in its buffer for zeros.
            buffer.fill(0);
        }
        result
    }

    pub fn write(&mut self, raw: &mut dyn Raw, bytes: &[u8], offset: u64) -> Result<(), Code> {
        match self.kind {
            Kind::Database => self.database_write(raw, bytes, offset),
            Kind::Journal => self.journal_write(raw, bytes, offset),
            Kind::Log => self.log_write(raw, bytes, offset),
        }
    }

    fn seal(&self, place: &[u8], bytes: &[u8]) -> Result<Vec<u8>, Code> {
        let mut sealed = bytes.to_vec();
        self.keys.pages.seal(place, &mut sealed).map_err(|_| ffi::SQLITE_IOERR_WRITE)?;
        Ok(sealed)
    }

    fn open(&self, place: &[u8], page: &mut [u8]) -> Result<(), Code> {
        self.keys.pages.open(place, page).map_err(|_| ffi::SQLITE_IOERR_DATA)
    }

    fn database_read(&self, raw: &mut dyn Raw, buffer: &mut [u8], offset: u64) -> Result<(), Code> {
        let (index, within) = (offset / PAGE_BYTES as u64, (offset % PAGE_BYTES as u64) as usize);
        let place = database_place(page_number(index)?);
        if within == 0 && buffer.len() == PAGE_BYTES {
            raw.read(buffer, offset)?;
            return self.open(&place, buffer);
        }
        let mut page = [0; PAGE_BYTES];
        let wanted = within..within + buffer.len();
        if wanted.end > PAGE_BYTES {
            return Err(ffi::SQLITE_IOERR_READ);
        }
        raw.read(&mut page, offset - within as u64)?;
        // SQLite glances at the header without a lock, when it may be half written, by another process or before a power cut. It
        // looks again under a lock, at the whole page, and there a page that does not open is an error.
        self.open(&place, &mut page).map_err(|_| ffi::SQLITE_IOERR_SHORT_READ)?;
        buffer.copy_from_slice(&page[wanted]);
        Ok(())
    }

    fn database_write(&self, raw: &mut dyn Raw, bytes: &[u8], offset: u64) -> Result<(), Code> {
        if bytes.len() != PAGE_BYTES || !offset.is_multiple_of(PAGE_BYTES as u64) {
            return Err(ffi::SQLITE_IOERR_WRITE);
        }
        let number = page_number(offset / PAGE_BYTES as u64)?;
        check_reserve(number.to_be_bytes(), bytes)?;
        raw.write(&self.seal(&database_place(number), bytes)?, offset)
    }

    fn journal_read(&self, raw: &mut dyn Raw, buffer: &mut [u8], offset: u64) -> Result<(), Code> {
        raw.read(buffer, offset)?;
        if buffer.len() != PAGE_BYTES {
            return Ok(());
        }
        self.open(&journal_place(offset, journal_page_number(raw, offset)?), buffer)
    }

    fn journal_write(&self, raw: &mut dyn Raw, bytes: &[u8], offset: u64) -> Result<(), Code> {
        match bytes.len() {
            PAGE_BYTES => {
                let number = journal_page_number(raw, offset)?;
                check_reserve(number, bytes)?;
                raw.write(&self.seal(&journal_place(offset, number), bytes)?, offset)
            }
            0..=JOURNAL_PLAIN_BYTES_MAX => raw.write(bytes, offset),
            _ => Err(ffi::SQLITE_IOERR_WRITE),
        }
    }

    /// The log's salts now: another process may have begun it anew since.
    fn salts(raw: &mut dyn Raw) -> Result<[u8; 8], Code> {
        let mut salts = [0; 8];
        raw.read(&mut salts, 16)?;
        Ok(salts)
    }

    fn log_read(&self, raw: &mut dyn Raw, buffer: &mut [u8], offset: u64) -> Result<(), Code> {
        let Some(behind_header) = offset.checked_sub(LOG_HEADER_BYTES as u64) else {
            let is_header = offset as usize + buffer.len() <= LOG_HEADER_BYTES;
            return if is_header { raw.read(buffer, offset) } else { Err(ffi::SQLITE_IOERR_READ) };
        };
        let within = (behind_header % FRAME_BYTES as u64) as usize;
        let wanted = within..within + buffer.len();
        if wanted.end > FRAME_BYTES {
            return Err(ffi::SQLITE_IOERR_READ);
        }
        let frame_offset = offset - within as u64;
        let salts = Self::salts(raw)?;
        let mut frame = [0; FRAME_BYTES];
        let needed = if wanted.end <= FRAME_HEADER_BYTES { FRAME_HEADER_BYTES } else { FRAME_BYTES };
        raw.read(&mut frame[..needed], frame_offset)?;
        let mut header = [0; FRAME_HEADER_BYTES];
        header.copy_from_slice(&frame[..FRAME_HEADER_BYTES]);
        self.keys.frame_header_turn(salts, frame_offset, &mut header);
        frame[..FRAME_HEADER_BYTES].copy_from_slice(&header);
        if needed == FRAME_BYTES {
            let page = &mut frame[FRAME_HEADER_BYTES..];
            if let Err(code) = self.open(&frame_place(salts, frame_offset, &header), page) {
                // Frames are read whole to find the log's end after a kill, where half-written ones are to be expected: zeros fail
                // SQLite's checksum, and the log ends there. A page that is read alone must be whole.
                if within != 0 {
                    return Err(code);
                }
                page.fill(0);
            }
        }
        buffer.copy_from_slice(&frame[wanted]);
        Ok(())
    }

    fn log_write(&mut self, raw: &mut dyn Raw, bytes: &[u8], offset: u64) -> Result<(), Code> {
        let Some(behind_header) = offset.checked_sub(LOG_HEADER_BYTES as u64) else {
            let is_header = offset == 0 && bytes.len() == LOG_HEADER_BYTES;
            return if is_header { raw.write(bytes, 0) } else { Err(ffi::SQLITE_IOERR_WRITE) };
        };
        let within = (behind_header % FRAME_BYTES as u64) as usize;
        let frame_offset = offset - within as u64;
        let salts = Self::salts(raw)?;
        match (within, bytes.len()) {
            (0, FRAME_HEADER_BYTES) => {
                let mut header = [0; FRAME_HEADER_BYTES];
                header.copy_from_slice(bytes);
                self.frame_header = Some((frame_offset, header));
                self.keys.frame_header_turn(salts, frame_offset, &mut header);
                raw.write(&header, offset)
            }
            (FRAME_HEADER_BYTES, PAGE_BYTES) => {
                let header = match self.frame_header.take() {
                    Some((known, header)) if known == frame_offset => header,
                    // A page that changed again in the same transaction: its header stands there already.
                    _ => {
                        let mut header = [0; FRAME_HEADER_BYTES];
                        raw.read(&mut header, frame_offset)?;
                        self.keys.frame_header_turn(salts, frame_offset, &mut header);
                        header
                    }
                };
                let [a, b, c, d, ..] = header;
                check_reserve([a, b, c, d], bytes)?;
                raw.write(&self.seal(&frame_place(salts, frame_offset, &header), bytes)?, offset)
            }
            _ => Err(ffi::SQLITE_IOERR_WRITE),
        }
    }
}

fn page_number(index: u64) -> Result<u32, Code> {
    u32::try_from(index + 1).map_err(|_| ffi::SQLITE_FULL)
}

fn journal_page_number(raw: &mut dyn Raw, offset: u64) -> Result<[u8; 4], Code> {
    let mut number = [0; 4];
    raw.read(&mut number, offset.checked_sub(4).ok_or(ffi::SQLITE_IOERR_READ)?)?;
    Ok(number)
}

/// The first page says how pages are laid out; one that leaves no room for the seal must never get here, for the seal would
/// overwrite content.
fn check_reserve(page_number: [u8; 4], page: &[u8]) -> Result<(), Code> {
    if page_number != [0, 0, 0, 1] {
        return Ok(());
    }
    let page_bytes = page.get(16..18).map(|bytes| usize::from(bytes[0]) << 8 | usize::from(bytes[1]));
    let has_room = page_bytes == Some(PAGE_BYTES) && page.get(20).copied() == Some(SEAL_BYTES as u8);
    if has_room { Ok(()) } else { Err(ffi::SQLITE_IOERR_WRITE) }
}
