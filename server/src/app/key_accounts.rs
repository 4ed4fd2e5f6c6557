//! Key accounts (大用户): entered by the administrator, found by telephone or customer number (R-INTAKE-4). The numbers themselves are
//! not kept, only their digests and a masked form (R-PRIVACY-1).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use super::intakes::{customer_number_digest, phone_digest};
use crate::workflow::intakes::{customer_number_normalised, phone_normalised};
use crate::workflow::{bounded_text, required_text};
use callout_storage::key_accounts::{IdentifierKind, KeyAccount, KeyAccountIdentifier};
use callout_storage::{Page, StorageError, Tx};
use callout_sync_protocol::ids::KeyAccountId;
use callout_sync_protocol::problem::ProblemType;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;

/// Most numbers of one account.
const MAX_IDENTIFIERS: usize = 200;

/// What the administrator enters.
#[derive(Clone)]
pub struct KeyAccountDraft {
    /// What it is called.
    pub name: String,
    /// What whoever deals with it must know.
    pub note: String,
    /// Whether it counts.
    pub is_active: bool,
    /// Its telephone numbers; absent leaves those that there are.
    pub phones: Option<Vec<String>>,
    /// Its customer numbers; absent leaves those that there are.
    pub customer_numbers: Option<Vec<String>>,
}

impl fmt::Debug for KeyAccountDraft {
    /// Numbers stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyAccountDraft(redacted)")
    }
}

/// A key account with the numbers by which it is known.
#[derive(Clone, Debug)]
pub struct KeyAccountSeen {
    /// The account.
    pub account: KeyAccount,
    /// Its numbers, masked.
    pub identifiers: Vec<KeyAccountIdentifier>,
}

/// The first and the last two characters of a longer number; of a short one, nothing.
fn mask_number(number: &str) -> String {
    let characters: Vec<char> = number.chars().collect();
    let shown = if characters.len() >= 6 { 2 } else { 0 };
    let ends = |i: usize| i < shown || i + shown >= characters.len();
    characters.iter().enumerate().map(|(i, c)| if ends(i) { *c } else { '*' }).collect()
}

impl KeyAccountDraft {
    fn check(&self) -> AppResult<()> {
        required_text("name", &self.name)?;
        if self.name.chars().count() > 128 {
            return Err(AppError::invalid("name", "must have 1 to 128 characters"));
        }
        bounded_text("note", &self.note)?;
        Ok(())
    }

    /// The numbers that this draft names, of each kind that it names at all.
    fn identifiers(&self, id: KeyAccountId) -> AppResult<BTreeMap<[u8; 32], KeyAccountIdentifier>> {
        let mut all = BTreeMap::new();
        for phone in self.phones.iter().flatten() {
            let digits = phone_normalised(phone);
            if !(3..=20).contains(&digits.len()) {
                return Err(AppError::invalid("phones", "names something that is no telephone number"));
            }
            let (digest, masked) = (phone_digest(phone), mask_number(&digits));
            all.insert(
                digest,
                KeyAccountIdentifier { digest, key_account_id: id, kind: IdentifierKind::Phone, masked },
            );
        }
        for number in self.customer_numbers.iter().flatten() {
            let normal = customer_number_normalised(number);
            if normal.is_empty() || normal.chars().count() > 64 || normal.contains('\0') {
                return Err(AppError::invalid("customer_numbers", "each must have 1 to 64 characters"));
            }
            let (digest, masked) = (customer_number_digest(number), mask_number(&normal));
            let kind = IdentifierKind::CustomerNumber;
            all.insert(digest, KeyAccountIdentifier { digest, key_account_id: id, kind, masked });
        }
        if all.len() > MAX_IDENTIFIERS {
            return Err(AppError::invalid("phones", &format!("a key account has at most {MAX_IDENTIFIERS} numbers")));
        }
        Ok(all)
    }

    fn is_kind_named(&self, kind: IdentifierKind) -> bool {
        match kind {
            IdentifierKind::Phone => self.phones.is_some(),
            IdentifierKind::CustomerNumber => self.customer_numbers.is_some(),
        }
    }
}

impl App {
    fn key_account_save_identifiers(
        &self,
        tx: &mut Tx,
        id: KeyAccountId,
        draft: &KeyAccountDraft,
    ) -> AppResult<Vec<KeyAccountIdentifier>> {
        let mut all = draft.identifiers(id)?;
        for kept in tx.key_account_identifiers_list(&[id])? {
            if !draft.is_kind_named(kept.kind) {
                all.insert(kept.digest, kept);
            }
        }
        let all: Vec<KeyAccountIdentifier> = all.into_values().collect();
        tx.key_account_identifiers_replace(id, &all).map_err(|error| match error {
            StorageError::UniqueViolation { .. } => AppError::new(
                ProblemType::AlreadyExists,
                "phones: another key account is known by one of these numbers",
            ),
            other => other.into(),
        })?;
        Ok(all)
    }

    fn key_account_event(&self, caller: &Caller, action: &str, seen: &KeyAccountSeen) -> EventDraft {
        EventDraft::new(Subject::KeyAccount(seen.account.id), action).by(caller).detail(json!({
            "name": seen.account.name, "is_active": seen.account.is_active, "numbers": seen.identifiers.len(),
        }))
    }

    /// Enters a key account.
    ///
    /// # Errors
    /// `already-exists` when another one is known by one of the numbers; `invalid-field`.
    pub fn key_account_create(&self, caller: &Caller, draft: &KeyAccountDraft) -> AppResult<KeyAccountSeen> {
        draft.check()?;
        let now = self.env.now();
        let account = KeyAccount {
            id: self.env.id(),
            name: draft.name.trim().to_owned(),
            note: draft.note.trim().to_owned(),
            is_active: draft.is_active,
            created_by: caller.user_id,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        self.storage.write("key_account_create", |tx| {
            self.caller_scope(tx, caller)?;
            tx.key_account_insert(&account)?;
            let identifiers = self.key_account_save_identifiers(tx, account.id, draft)?;
            let seen = KeyAccountSeen { account: account.clone(), identifiers };
            self.event_append(tx, self.key_account_event(caller, "key_account_created", &seen))?;
            Ok(seen)
        })
    }

    /// Changes a key account. Complaints keep what was decided when they were taken.
    ///
    /// # Errors
    /// As for [`Self::key_account_create`]; `not-found`.
    pub fn key_account_change(
        &self,
        caller: &Caller,
        id: KeyAccountId,
        draft: &KeyAccountDraft,
    ) -> AppResult<KeyAccountSeen> {
        draft.check()?;
        self.storage.write("key_account_change", |tx| {
            self.caller_scope(tx, caller)?;
            let mut account = tx.key_account_by_id(id)?.ok_or_else(|| AppError::not_found("key account"))?;
            account.name = draft.name.trim().to_owned();
            account.note = draft.note.trim().to_owned();
            account.is_active = draft.is_active;
            account.updated_at = self.env.now();
            tx.key_account_update(&mut account)?;
            let identifiers = self.key_account_save_identifiers(tx, id, draft)?;
            let seen = KeyAccountSeen { account, identifiers };
            self.event_append(tx, self.key_account_event(caller, "key_account_changed", &seen))?;
            Ok(seen)
        })
    }

    /// A key account.
    pub fn key_account_show(&self, caller: &Caller, id: KeyAccountId) -> AppResult<KeyAccountSeen> {
        self.storage.read("key_account_show", |tx| {
            self.caller_scope(tx, caller)?;
            let account = tx.key_account_by_id(id)?.ok_or_else(|| AppError::not_found("key account"))?;
            Ok(KeyAccountSeen { account, identifiers: tx.key_account_identifiers_list(&[id])? })
        })
    }

    /// Key accounts, newest first.
    pub fn key_account_list(&self, caller: &Caller, page: Page<KeyAccountId>) -> AppResult<Vec<KeyAccountSeen>> {
        self.storage.read("key_account_list", |tx| {
            self.caller_scope(tx, caller)?;
            let accounts = tx.key_account_list(&page)?;
            let ids: Vec<KeyAccountId> = accounts.iter().map(|account| account.id).collect();
            let mut identifiers: BTreeMap<KeyAccountId, Vec<KeyAccountIdentifier>> = BTreeMap::new();
            for identifier in tx.key_account_identifiers_list(&ids)? {
                identifiers.entry(identifier.key_account_id).or_default().push(identifier);
            }
            Ok(accounts
                .into_iter()
                .map(|account| KeyAccountSeen {
                    identifiers: identifiers.remove(&account.id).unwrap_or_default(),
                    account,
                })
                .collect())
        })
    }
}
