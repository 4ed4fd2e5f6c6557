//! Several people on one phone: each has a store of their own, sealed with a key of their own, in a folder with a meaningless name.
//!
//! What belongs to whom is never mixed, because nothing is shared: another account is another folder and another key. The names of the
//! people are inside the stores only. The host keeps a key for each [`AccountSlot`] in the platform's keystore, under the slot's text.

use super::{Phone, PhoneConfig, PhoneError};
use crate::env::{Env, uuid_new};
use crate::store::{Store, StoreError, durable, file_error};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use uuid::Uuid;

const ACCOUNTS_FOLDER: &str = "accounts";
const CURRENT_FILE: &str = "current-account";

/// One account's place on the phone; its text is a good name for its key in the keystore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountSlot(Uuid);

impl fmt::Display for AccountSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that names no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account slot is written as a UUID")]
pub struct AccountSlotMalformed;

impl FromStr for AccountSlot {
    type Err = AccountSlotMalformed;

    fn from_str(text: &str) -> Result<Self, AccountSlotMalformed> {
        text.trim().parse().map(Self).map_err(|_| AccountSlotMalformed)
    }
}

/// The accounts beneath one folder.
#[derive(Clone, Debug)]
pub struct Accounts {
    root: PathBuf,
}

impl Accounts {
    /// The accounts in `root`, which is made if it is absent.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let folder = root.join(ACCOUNTS_FOLDER);
        fs::create_dir_all(&folder).map_err(file_error(&folder))?;
        Ok(Self { root: root.to_owned() })
    }

    /// The accounts in `root`, if any account was ever added there.
    pub fn find(root: &Path) -> Option<Self> {
        root.join(ACCOUNTS_FOLDER).is_dir().then(|| Self { root: root.to_owned() })
    }

    fn folder(&self, slot: AccountSlot) -> PathBuf {
        self.root.join(ACCOUNTS_FOLDER).join(slot.to_string())
    }

    /// Every account, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn list(&self) -> Result<Vec<AccountSlot>, StoreError> {
        let folder = self.root.join(ACCOUNTS_FOLDER);
        let mut slots = Vec::new();
        for entry in fs::read_dir(&folder).map_err(file_error(&folder))? {
            let name = entry.map_err(file_error(&folder))?.file_name();
            slots.extend(name.to_str().and_then(|name| name.parse::<AccountSlot>().ok()));
        }
        // UUIDv7 sorts by the time when it was made.
        slots.sort_unstable();
        Ok(slots)
    }

    /// A place for another account, which is the current one from now on.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn add(&self, env: &dyn Env) -> Result<AccountSlot, StoreError> {
        let slot = AccountSlot(uuid_new(env));
        let folder = self.folder(slot);
        fs::create_dir_all(&folder).map_err(file_error(&folder))?;
        self.switch(slot)?;
        Ok(slot)
    }

    /// The account that was switched to last, if it is still there.
    pub fn current(&self) -> Option<AccountSlot> {
        let slot: AccountSlot = fs::read_to_string(self.root.join(CURRENT_FILE)).ok()?.parse().ok()?;
        self.folder(slot).is_dir().then_some(slot)
    }

    /// Makes an account the current one.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn switch(&self, slot: AccountSlot) -> Result<(), StoreError> {
        durable::replace(&self.root.join(CURRENT_FILE), slot.to_string().as_bytes())
    }

    /// No account is the current one from now on.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn leave(&self) -> Result<(), StoreError> {
        let path = self.root.join(CURRENT_FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file_error(&path)(error)),
            _ => Ok(()),
        }
    }

    /// The account's phone; `config` brings its key.
    ///
    /// # Errors
    /// As [`Phone::open`].
    pub fn phone(&self, slot: AccountSlot, config: PhoneConfig, env: Arc<dyn Env>) -> Result<Phone, StoreError> {
        Phone::open(&self.folder(slot), config, env)
    }

    /// Removes an account and everything of it from the phone, its key first. The host then removes the key from its keystore.
    ///
    /// # Errors
    /// [`PhoneError::UnsentWork`] while something is on the phone that the server has not; sync first (R-TEST-5).
    pub fn remove(&self, slot: AccountSlot, phone: Phone) -> Result<(), PhoneError> {
        if phone.folder != self.folder(slot) {
            return Err(StoreError::NotAStore { path: phone.folder }.into());
        }
        let status = phone.status()?;
        let items = status.commands.waiting
            + status.blocks.sealed
            + status.blocks.refused
            + status.captures.unsealed_samples
            + status.photos.waiting
            + status.photos.refused;
        if items > 0 {
            return Err(PhoneError::UnsentWork { items });
        }
        drop(phone);
        Ok(Store::destroy(&self.folder(slot))?)
    }
}
