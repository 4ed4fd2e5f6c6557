//! Key accounts (大用户, R-INTAKE-4): whom they are, and by which numbers they are known. Of the numbers only digests are kept, and
//! a masked form to show. What does not belong here: what a key account deserves (`workflow`).

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::{Page, keyset, text_enum, updated};
use crate::schema::{key_account_identifiers, key_accounts};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{KeyAccountId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

text_enum! {
    /// By what a key account is known.
    IdentifierKind {
        /// A telephone number.
        Phone = "phone" / "电话号码",
        /// The operator's own number of the customer.
        CustomerNumber = "customer_number" / "客户编号",
    }
}

/// A key account.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct KeyAccount {
    /// Its id.
    pub id: KeyAccountId,
    /// What it is called.
    pub name: String,
    /// What whoever deals with it must know.
    pub note: String,
    /// Whether it counts.
    pub is_active: bool,
    /// Who entered it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

/// One number by which a key account is known.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct KeyAccountIdentifier {
    /// The digest of the number.
    pub digest: [u8; 32],
    /// Whose.
    pub key_account_id: KeyAccountId,
    /// What kind of number.
    pub kind: IdentifierKind,
    /// What may be shown of it.
    pub masked: String,
}

impl Tx {
    /// Adds a key account.
    pub fn key_account_insert(&mut self, account: &KeyAccount) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(key_accounts::table)
                .values(row_values!(
                    key_accounts,
                    account,
                    id,
                    name,
                    note,
                    is_active,
                    created_by,
                    created_at,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a key account that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn key_account_update(&mut self, account: &mut KeyAccount) -> Result<(), StorageError> {
        let next = KeyAccount { version: account.version + 1, ..account.clone() };
        let rows = self.run(|c| {
            diesel::update(
                key_accounts::table.find(bind(&account.id)).filter(key_accounts::version.eq(bind(&account.version))),
            )
            .set(row_values!(key_accounts, next, name, note, is_active, updated_at, version))
            .execute(c)
        })?;
        updated(rows, "key account")?;
        *account = next;
        Ok(())
    }

    /// The key account of an id.
    pub fn key_account_by_id(&mut self, id: KeyAccountId) -> Result<Option<KeyAccount>, StorageError> {
        self.run(|c| key_accounts::table.find(bind(&id)).first(c).optional())
    }

    /// The active key account that is known by one of these digests.
    pub fn key_account_by_digests(&mut self, digests: &[[u8; 32]]) -> Result<Option<KeyAccount>, StorageError> {
        self.run(|c| {
            key_accounts::table
                .inner_join(
                    key_account_identifiers::table.on(key_account_identifiers::key_account_id.eq(key_accounts::id)),
                )
                .filter(key_account_identifiers::digest.eq_any(digests.iter().map(bind)))
                .filter(key_accounts::is_active.eq(true))
                .select(key_accounts::all_columns)
                .order(key_accounts::id)
                .first(c)
                .optional()
        })
    }

    /// Key accounts, newest first.
    pub fn key_account_list(&mut self, page: &Page<KeyAccountId>) -> Result<Vec<KeyAccount>, StorageError> {
        self.run(|c| keyset!(key_accounts::table.into_boxed(), key_accounts, created_at, id, page).load(c))
    }

    /// The numbers by which these key accounts (at most 500) are known.
    pub fn key_account_identifiers_list(
        &mut self,
        ids: &[KeyAccountId],
    ) -> Result<Vec<KeyAccountIdentifier>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = &ids[..ids.len().min(crate::names::MAX_PAGE as usize)];
        self.run(|c| {
            key_account_identifiers::table
                .filter(key_account_identifiers::key_account_id.eq_any(ids.iter().map(bind)))
                .order((
                    key_account_identifiers::kind,
                    key_account_identifiers::masked,
                    key_account_identifiers::digest,
                ))
                .load(c)
        })
    }

    /// A key account is known by exactly these numbers.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if another account is known by one of them.
    pub fn key_account_identifiers_replace(
        &mut self,
        id: KeyAccountId,
        identifiers: &[KeyAccountIdentifier],
    ) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::delete(key_account_identifiers::table.filter(key_account_identifiers::key_account_id.eq(bind(&id))))
                .execute(c)
        })?;
        for identifier in identifiers {
            self.run(|c| {
                diesel::insert_into(key_account_identifiers::table)
                    .values(row_values!(key_account_identifiers, identifier, digest, key_account_id, kind, masked))
                    .execute(c)
            })?;
        }
        Ok(())
    }
}
