//! Photos at rest: sealed in pieces, so that an upload reads a part without opening the whole.

use super::{DataKey, SEAL_BYTES, Sealer, Unsealable};
use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Result, Seek as _, SeekFrom};

/// What a sealed file's name ends with.
pub(in crate::store) const SEALED_SUFFIX: &str = ".sealed";
const MAGIC: &[u8; 16] = b"callout-photo\x00\x00\x01";
const HEADER_BYTES: usize = 24;
/// Content of each piece but the last, which has the rest.
const PIECE_BYTES: usize = 64 * 1024;

/// Seals and opens the files of one store.
#[derive(Debug)]
pub(in crate::store) struct FileSealer(Sealer);

/// What a piece is: of which file, which one, and how long the file is, so that none can be moved, dropped or added.
fn place(name: &str, length: u64, index: u64) -> Vec<u8> {
    let name = name.strip_suffix(SEALED_SUFFIX).unwrap_or(name);
    [b"photo".as_slice(), &length.to_be_bytes(), &index.to_be_bytes(), name.as_bytes()].concat()
}

fn damaged(_: Unsealable) -> Error {
    Error::new(ErrorKind::InvalidData, "the file is not what was sealed")
}

impl FileSealer {
    pub fn new(key: &DataKey) -> Self {
        Self(Sealer::new(&key.photos()))
    }

    /// The sealed form of a file's content.
    pub fn seal(&self, name: &str, content: &[u8]) -> Result<Vec<u8>> {
        let length = content.len() as u64;
        let mut sealed =
            Vec::with_capacity(HEADER_BYTES + content.len() + content.len().div_ceil(PIECE_BYTES) * SEAL_BYTES);
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&length.to_be_bytes());
        for (index, piece) in (0_u64..).zip(content.chunks(PIECE_BYTES)) {
            let begin = sealed.len();
            sealed.extend_from_slice(piece);
            sealed.resize(sealed.len() + SEAL_BYTES, 0);
            self.0.seal(&place(name, length, index), &mut sealed[begin..]).map_err(damaged)?;
        }
        Ok(sealed)
    }

    /// Up to `length` bytes of the content from `offset`; fewer where it ends.
    pub fn read(&self, name: &str, file: &mut File, offset: u64, length: u64) -> Result<Vec<u8>> {
        let mut header = [0; HEADER_BYTES];
        file.rewind()?;
        file.read_exact(&mut header)?;
        let Some((magic, total)) = header.split_first_chunk::<16>() else { return Err(damaged(Unsealable)) };
        if magic != MAGIC {
            return Err(damaged(Unsealable));
        }
        let total = total.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let end = offset.saturating_add(length).min(total);
        let mut content = Vec::new();
        let mut at = offset;
        while at < end {
            let index = at / PIECE_BYTES as u64;
            let begin = index * PIECE_BYTES as u64;
            let piece_bytes = (total - begin).min(PIECE_BYTES as u64) as usize;
            let mut piece = vec![0; piece_bytes + SEAL_BYTES];
            file.seek(SeekFrom::Start(HEADER_BYTES as u64 + index * (PIECE_BYTES + SEAL_BYTES) as u64))?;
            file.read_exact(&mut piece)?;
            self.0.open(&place(name, total, index), &mut piece).map_err(damaged)?;
            let (from, until) = ((at - begin) as usize, ((end - begin) as usize).min(piece_bytes));
            content.extend_from_slice(&piece[from..until]);
            at = begin + until as u64;
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::Write as _;
    use zeroize::Zeroizing;

    #[test]
    fn any_part_of_a_sealed_file_reads_as_it_was() {
        let sealer = FileSealer::new(&DataKey(Zeroizing::new([3; 32])));
        for length in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 77] {
            let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut file = tempfile::tempfile().unwrap();
            let sealed = sealer.seal("a.jpg", &content).unwrap();
            file.write_all(&sealed).unwrap();
            for (offset, wanted) in
                [(0, length), (0, 1), (length / 2, PIECE_BYTES), (length, 5), (length.saturating_sub(3), 9)]
            {
                let read = sealer.read("a.jpg.sealed", &mut file, offset as u64, wanted as u64).unwrap();
                assert_eq!(read, content[offset..(offset + wanted).min(length)], "{length}: {wanted} from {offset}");
            }
            if length > 0 {
                assert!(sealer.read("b.jpg", &mut file, 0, 1).is_err(), "another file's content");
                file.set_len(sealed.len() as u64 - 1).unwrap();
                assert!(sealer.read("a.jpg", &mut file, 0, length as u64).is_err(), "cut");
            }
        }
    }
}
