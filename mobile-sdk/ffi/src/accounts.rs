//! Several people on one phone, each with a store and a key of their own.

use crate::PhoneError;
use crate::phone::{PhoneCore, PhoneSettings};
use callout_mobile_sdk::SystemEnv;
use callout_mobile_sdk::facade::{AccountSlot, Accounts};
use std::path::Path;
use std::sync::Arc;

/// The accounts beneath one folder. A slot is a text without meaning, a good name for the account's key in the platform's keystore.
#[derive(uniffi::Object)]
pub struct AccountsCore {
    accounts: Accounts,
}

fn slot_read(slot: &str) -> Result<AccountSlot, PhoneError> {
    Ok(slot.parse::<AccountSlot>()?)
}

#[uniffi::export]
impl AccountsCore {
    /// The accounts in `folder`, which is made if it is absent.
    #[uniffi::constructor]
    pub fn open(folder: &str) -> Result<Arc<Self>, PhoneError> {
        Ok(Arc::new(Self { accounts: Accounts::open(Path::new(folder))? }))
    }

    /// Every account's slot, the oldest first.
    pub fn list(&self) -> Result<Vec<String>, PhoneError> {
        Ok(self.accounts.list()?.iter().map(ToString::to_string).collect())
    }

    /// A slot for another account, which is the current one from now on.
    pub fn add(&self) -> Result<String, PhoneError> {
        Ok(self.accounts.add(&SystemEnv)?.to_string())
    }

    /// The account that was switched to last, if it is still there.
    pub fn current(&self) -> Option<String> {
        self.accounts.current().map(|slot| slot.to_string())
    }

    /// Makes an account the current one.
    pub fn switch_to(&self, slot: &str) -> Result<(), PhoneError> {
        Ok(self.accounts.switch(slot_read(slot)?)?)
    }

    /// Opens the account's phone with its own key.
    pub fn open_phone(
        &self,
        slot: &str,
        store_key: Vec<u8>,
        settings: PhoneSettings,
    ) -> Result<Arc<PhoneCore>, PhoneError> {
        let client = settings.client()?;
        let phone = self.accounts.phone(slot_read(slot)?, settings.config(store_key)?, Arc::new(SystemEnv))?;
        PhoneCore::with(phone, client)
    }

    /// Removes an account and everything of it from the phone, its key first; `phone` is shut then. Refused while something is on it
    /// that the server has not. Remove the key from the platform's keystore afterwards.
    pub fn remove(&self, slot: &str, phone: Arc<PhoneCore>) -> Result<(), PhoneError> {
        let slot = slot_read(slot)?;
        phone.inner.give_up(|phone| self.accounts.remove(slot, phone))
    }
}
