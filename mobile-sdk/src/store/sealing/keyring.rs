//! The keyring file: the store's own key, sealed with the platform's.
//!
//! Written whole beside the old one and renamed over it, so that a kill leaves the one or the other.

use super::{DataKey, SEAL_BYTES, Sealer, StoreKey};
use crate::store::{StoreError, durable};
use std::fs;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The keyring's name inside the data directory.
const KEYRING_FILE: &str = "phone.keys";
/// Every keyring begins so; the number is the version of its form.
const MAGIC: &[u8; 16] = b"callout-keys \x00\x00\x01";
/// The key, and how far the store is.
const CONTENT_BYTES: usize = 33;

/// How far a store is on its way to being sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Stage {
    /// The database may still be a plain one, from before there was a key.
    Sealing,
    /// The database is sealed. A plain one in its place was put there by somebody else.
    Sealed,
}

/// An opened keyring.
#[derive(Debug)]
pub(in crate::store) struct Keyring {
    pub data_key: DataKey,
    pub stage: Stage,
}

fn path(folder: &Path) -> PathBuf {
    folder.join(KEYRING_FILE)
}

pub(in crate::store) fn keyring_exists(folder: &Path) -> bool {
    path(folder).exists()
}

/// Makes a key for a new store.
pub(in crate::store) fn keyring_create(folder: &Path, key: &StoreKey) -> Result<Keyring, StoreError> {
    let mut data_key = Zeroizing::new([0; 32]);
    getrandom::fill(data_key.as_mut_slice()).map_err(|_| StoreError::RandomAbsent)?;
    let keyring = Keyring { data_key: DataKey(data_key), stage: Stage::Sealing };
    keyring_write(folder, key, &keyring)?;
    Ok(keyring)
}

/// Opens the keyring.
///
/// # Errors
/// [`StoreError::StoreKeyWrong`] for another key than it was sealed with, [`StoreError::Damaged`] for a file of another form.
pub(in crate::store) fn keyring_open(folder: &Path, key: &StoreKey) -> Result<Keyring, StoreError> {
    let path = path(folder);
    let bytes = fs::read(&path).map_err(|cause| StoreError::File { path, cause })?;
    let damaged = StoreError::Damaged { what: "its keyring" };
    let Some((magic, sealed)) = bytes.split_first_chunk::<16>() else { return Err(damaged) };
    if magic != MAGIC || sealed.len() != CONTENT_BYTES + SEAL_BYTES {
        return Err(damaged);
    }
    let mut content = Zeroizing::new(sealed.to_vec());
    Sealer::new(key.bytes()).open(MAGIC, &mut content).map_err(|_| StoreError::StoreKeyWrong)?;
    let (Some(data_key), Some(stage)) = (content.first_chunk::<32>(), content.get(32)) else { return Err(damaged) };
    let stage = if *stage == 1 { Stage::Sealed } else { Stage::Sealing };
    Ok(Keyring { data_key: DataKey(Zeroizing::new(*data_key)), stage })
}

/// Writes the keyring, replacing what was there.
pub(in crate::store) fn keyring_write(folder: &Path, key: &StoreKey, keyring: &Keyring) -> Result<(), StoreError> {
    let mut content = Zeroizing::new(vec![0; CONTENT_BYTES + SEAL_BYTES]);
    content[..32].copy_from_slice(keyring.data_key.0.as_slice());
    content[32] = u8::from(keyring.stage == Stage::Sealed);
    Sealer::new(key.bytes()).seal(MAGIC, &mut content).map_err(|_| StoreError::RandomAbsent)?;
    let bytes = [MAGIC.as_slice(), &content].concat();
    durable::replace(&path(folder), &bytes)
}

/// Destroys the keyring, and with it everything that the store holds.
pub(in crate::store) fn keyring_destroy(folder: &Path) -> Result<(), StoreError> {
    durable::destroy(&path(folder))
}
