//! Policies: documents that an administrator sets, each version kept. What does not belong here: what they mean (`workflow`).

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::{Page, keyset};
use crate::schema::policies;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{PolicyId, RegionId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;
use uuid::Uuid;

/// One version of a policy.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct PolicyVersion {
    /// This version's id.
    pub id: PolicyId,
    /// One of a kind and region, the same for all versions.
    pub subject_id: Uuid,
    /// What it is about, in the word of the rules (`limits` …).
    pub kind: String,
    /// Where it holds; absent: wherever a region has none of its own.
    pub region_id: Option<RegionId>,
    /// From 1.
    pub version: u64,
    /// The document.
    pub document: serde_json::Value,
    /// Why it was set.
    pub reason: String,
    /// Who set it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
}

impl Tx {
    /// Adds a version.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if somebody else set the same version.
    pub fn policy_insert(&mut self, policy: &PolicyVersion) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(policies::table)
                .values(row_values!(
                    policies, policy, id, subject_id, kind, region_id, version, document, reason, created_by,
                    created_at
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// The version in force, if the policy was ever set.
    pub fn policy_current(&mut self, subject_id: Uuid) -> Result<Option<PolicyVersion>, StorageError> {
        self.run(|c| {
            policies::table
                .filter(policies::subject_id.eq(bind(&subject_id)))
                .order(policies::version.desc())
                .first(c)
                .optional()
        })
    }

    /// The versions of a policy, newest first; or those of all policies.
    pub fn policy_list(
        &mut self,
        subject_id: Option<Uuid>,
        page: &Page<PolicyId>,
    ) -> Result<Vec<PolicyVersion>, StorageError> {
        self.run(|c| {
            let mut query = policies::table.into_boxed();
            if let Some(subject_id) = &subject_id {
                query = query.filter(policies::subject_id.eq(bind(subject_id)));
            }
            keyset!(query, policies, created_at, id, page).load(c)
        })
    }
}
