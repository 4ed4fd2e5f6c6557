//! Encryption at rest: whose key opens a store, and what each page and file is sealed with.
//!
//! The platform's keystore hands in one key ([`StoreKey`]). It opens the keyring, a small file that holds the store's own key; that
//! one seals every page of the database and its logs ([`vfs`]), and every photo ([`files`]). So a changed keystore key costs one small
//! file, a wrong one is told apart from a damaged store, and destroying the keyring destroys everything at once. Why it is done so,
//! and what it does not protect from: ADR 21. What does not belong here: what is kept (the nouns' modules).

pub(super) mod convert;
pub(super) mod files;
pub(super) mod keyring;
mod pages;
pub(super) mod vfs;

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// What follows the content of a sealed page, and of a piece of a sealed file: a random nonce and the tag.
pub(super) const SEAL_BYTES: usize = NONCE_BYTES + TAG_BYTES;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// The key that opens a store: 32 secret bytes out of the platform's keystore. Never written down here, wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreKey(Zeroizing<[u8; 32]>);

impl StoreKey {
    /// The key that the platform hands in.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A text that is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a store's key is written as 64 hex digits")]
pub struct StoreKeyMalformed;

impl FromStr for StoreKey {
    type Err = StoreKeyMalformed;

    fn from_str(text: &str) -> Result<Self, StoreKeyMalformed> {
        let mut bytes = Zeroizing::new([0; 32]);
        if text.len() != 64 || !text.is_ascii() {
            return Err(StoreKeyMalformed);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let mut digits = digits.iter().map(|digit| char::from(*digit).to_digit(16));
            *byte = digits
                .try_fold(0_u32, |sum, digit| Some(sum << 4 | digit?))
                .and_then(|byte| u8::try_from(byte).ok())
                .ok_or(StoreKeyMalformed)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for StoreKey {
    /// Keys stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(…)")
    }
}

/// Sealing failed: the content, or what it claims to be, is not what was sealed with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsealable;

/// Seals and opens pieces of content with one key.
pub(super) struct Sealer(XChaCha20Poly1305);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// Seals all of `piece` but its last [`SEAL_BYTES`], which take nonce and tag. `place` says what the piece is, so that none can be
    /// passed off as another.
    pub fn seal(&self, place: &[u8], piece: &mut [u8]) -> Result<(), Unsealable> {
        let content_bytes = piece.len().checked_sub(SEAL_BYTES).ok_or(Unsealable)?;
        let (content, seal) = piece.split_at_mut(content_bytes);
        let mut nonce = [0; NONCE_BYTES];
        // Random nonces of 192 bits never meet again; no counter is there to be turned back by a restored backup.
        getrandom::fill(&mut nonce).map_err(|_| Unsealable)?;
        let tag = self.0.encrypt_inout_detached(&XNonce::from(nonce), place, content.into()).map_err(|_| Unsealable)?;
        let (nonce_place, tag_place) = seal.split_at_mut(NONCE_BYTES);
        nonce_place.copy_from_slice(&nonce);
        tag_place.copy_from_slice(&tag);
        Ok(())
    }

    /// Opens what [`Sealer::seal`] sealed; nonce and tag become zeros.
    pub fn open(&self, place: &[u8], piece: &mut [u8]) -> Result<(), Unsealable> {
        let content_bytes = piece.len().checked_sub(SEAL_BYTES).ok_or(Unsealable)?;
        let (content, seal) = piece.split_at_mut(content_bytes);
        let (nonce, tag) = seal.split_at(NONCE_BYTES);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| Unsealable)?;
        let tag: [u8; TAG_BYTES] = tag.try_into().map_err(|_| Unsealable)?;
        self.0
            .decrypt_inout_detached(&XNonce::from(nonce), place, content.into(), &Tag::from(tag))
            .map_err(|_| Unsealable)?;
        seal.fill(0);
        Ok(())
    }
}

/// The store's own key, out of its keyring; every use has a key derived from it.
#[derive(Clone)]
pub(super) struct DataKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl DataKey {
    fn derive(&self, context: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(context, self.0.as_slice()))
    }

    fn pages(&self) -> Zeroizing<[u8; 32]> {
        self.derive("callout 2026-11-22 phone store: pages of the database and its logs")
    }

    fn frame_headers(&self) -> Zeroizing<[u8; 32]> {
        self.derive("callout 2026-11-22 phone store: frame headers of the write-ahead log")
    }

    fn photos(&self) -> Zeroizing<[u8; 32]> {
        self.derive("callout 2026-11-22 phone store: photos")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_piece_opens_only_where_it_was_sealed_and_whole() {
        let sealer = Sealer::new(&[7; 32]);
        let mut piece = vec![0x41; 200];
        sealer.seal(b"page 1", &mut piece).unwrap();
        let sealed = piece.clone();
        assert!(!sealed.windows(8).any(|window| window == [0x41; 8]));
        sealer.open(b"page 1", &mut piece).unwrap();
        assert_eq!(piece[..160], [0x41; 160]);
        assert_eq!(piece[160..], [0; 40]);
        assert_eq!(sealer.open(b"page 2", &mut sealed.clone()), Err(Unsealable));
        assert_eq!(Sealer::new(&[8; 32]).open(b"page 1", &mut sealed.clone()), Err(Unsealable));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open(b"page 1", &mut changed), Err(Unsealable), "byte {at}");
        }
        assert_eq!(sealer.open(b"", &mut [0; 39]), Err(Unsealable));
    }

    #[test]
    fn keys_stay_out_of_logs() {
        let key = StoreKey::from_bytes([0x5A; 32]);
        let shown = format!("{key:?} {:?} {:?}", Sealer::new(&[0x5A; 32]), DataKey(Zeroizing::new([0x5A; 32])));
        assert!(!shown.contains("90") && !shown.to_lowercase().contains("5a"), "{shown}");
    }
}
