//! Users: people and systems that sign in, their roles and regions. What does not belong here: what a role may do (`app`).

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::{Page, keyset, text_enum, updated};
use crate::schema::{user_regions, users};
use crate::sql_types::{bind, json_value, row_values};
use callout_sync_protocol::ids::{RegionId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

text_enum! {
    /// What a user may do.
    Role {
        /// Takes complaints, dispatches them through EOMS, answers customers.
        CustomerServiceAgent = "customer_service_agent" / "客服",
        /// Locates, classifies, dispatches, replies, hands over.
        T1Dispatcher = "t1_dispatcher" / "T1调度",
        /// The branch: takes over construction and property access.
        T2BranchDesk = "t2_branch_desk" / "T2分公司",
        /// Visits and measures.
        FieldTester = "field_tester" / "现场测试人员",
        /// Reviews tests, decides the plan.
        RegionalLead = "regional_lead" / "区域负责人",
        /// Supervises deadlines and false returns.
        QualityControl = "quality_control" / "质量管控",
        /// Regions, users, devices.
        Administrator = "administrator" / "管理员",
        /// Reads the trail.
        Auditor = "auditor" / "审计",
        /// Another system.
        IntegrationClient = "integration_client" / "集成客户端",
    }
}
json_value!(@codec Vec<Role>);

/// A person or a system that signs in.
#[derive(Clone, PartialEq, Eq, Queryable)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The name to sign in with, as written by the administrator.
    pub user_name: String,
    /// The same in lower case; set by [`Tx::user_insert`] and [`Tx::user_update`].
    pub user_name_folded: String,
    /// The name that others see.
    pub display_name: String,
    /// Argon2id, PHC text.
    pub password_hash: String,
    /// What the user may do.
    pub roles: Vec<Role>,
    /// Bound to no region: all of them.
    pub all_regions: bool,
    /// May sign in.
    pub is_active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl std::fmt::Debug for User {
    /// The password's hash stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl Tx {
    /// Adds a user.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if the name is taken, whatever its case.
    pub fn user_insert(&mut self, user: &User) -> Result<(), StorageError> {
        let user = User { user_name_folded: user.user_name.to_lowercase(), ..user.clone() };
        self.run(|c| {
            diesel::insert_into(users::table)
                .values(row_values!(
                    users,
                    user,
                    id,
                    user_name,
                    user_name_folded,
                    display_name,
                    password_hash,
                    roles,
                    all_regions,
                    is_active,
                    created_at,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a user that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn user_update(&mut self, user: &mut User) -> Result<(), StorageError> {
        let next = User { version: user.version + 1, user_name_folded: user.user_name.to_lowercase(), ..user.clone() };
        let rows = self.run(|c| {
            diesel::update(users::table.find(bind(&user.id)).filter(users::version.eq(bind(&user.version))))
                .set(row_values!(
                    users,
                    next,
                    user_name,
                    user_name_folded,
                    display_name,
                    password_hash,
                    roles,
                    all_regions,
                    is_active,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        updated(rows, "user")?;
        *user = next;
        Ok(())
    }

    /// The user of an id.
    pub fn user_by_id(&mut self, id: UserId) -> Result<Option<User>, StorageError> {
        self.run(|c| users::table.find(bind(&id)).first(c).optional())
    }

    /// The user of a name, whatever its case.
    pub fn user_by_name(&mut self, user_name: &str) -> Result<Option<User>, StorageError> {
        let folded = user_name.to_lowercase();
        self.run(|c| users::table.filter(users::user_name_folded.eq(bind(&folded))).first(c).optional())
    }

    /// Users, newest first.
    pub fn user_list(&mut self, page: &Page<UserId>) -> Result<Vec<User>, StorageError> {
        self.run(|c| keyset!(users::table.into_boxed(), users, created_at, id, page).load(c))
    }

    /// How many users there are.
    pub fn user_count(&mut self) -> Result<u64, StorageError> {
        let count: i64 = self.run(|c| users::table.count().get_result(c))?;
        Ok(count.unsigned_abs())
    }

    /// The active users bound to a region (or to all), at most 500, by display name.
    pub fn user_list_by_region(&mut self, region_id: RegionId) -> Result<Vec<User>, StorageError> {
        self.run(|c| {
            let bound =
                user_regions::table.filter(user_regions::region_id.eq(bind(&region_id))).select(user_regions::user_id);
            users::table
                .filter(users::is_active.eq(true))
                .filter(users::all_regions.eq(true).or(users::id.eq_any(bound)))
                .order((users::display_name, users::id))
                .limit(i64::from(crate::names::MAX_PAGE))
                .load(c)
        })
    }

    /// The names by which people know these users.
    pub fn user_display_names(&mut self, ids: &[UserId]) -> Result<Vec<(UserId, String)>, StorageError> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(crate::names::MAX_PAGE as usize) {
            found.extend(self.run(|c| {
                users::table
                    .filter(users::id.eq_any(chunk.iter().map(bind)))
                    .select((users::id, users::display_name))
                    .load::<(UserId, String)>(c)
            })?);
        }
        Ok(found)
    }

    /// The regions that a user is bound to.
    pub fn user_region_ids(&mut self, user_id: UserId) -> Result<Vec<RegionId>, StorageError> {
        self.run(|c| {
            user_regions::table
                .filter(user_regions::user_id.eq(bind(&user_id)))
                .select(user_regions::region_id)
                .order(user_regions::region_id)
                .load(c)
        })
    }

    /// The regions of these users (at most 500).
    pub fn user_region_ids_by_users(&mut self, ids: &[UserId]) -> Result<Vec<(UserId, RegionId)>, StorageError> {
        self.run(|c| {
            user_regions::table
                .filter(user_regions::user_id.eq_any(ids.iter().take(crate::names::MAX_PAGE as usize).map(bind)))
                .select((user_regions::user_id, user_regions::region_id))
                .order((user_regions::user_id, user_regions::region_id))
                .load(c)
        })
    }

    /// Binds a user to exactly these regions.
    pub fn user_regions_replace(&mut self, user_id: UserId, region_ids: &[RegionId]) -> Result<(), StorageError> {
        self.run(|c| diesel::delete(user_regions::table.filter(user_regions::user_id.eq(bind(&user_id)))).execute(c))?;
        let mut region_ids = region_ids.to_vec();
        region_ids.sort();
        region_ids.dedup();
        for region_id in &region_ids {
            self.run(|c| {
                diesel::insert_into(user_regions::table)
                    .values((user_regions::user_id.eq(bind(&user_id)), user_regions::region_id.eq(bind(region_id))))
                    .execute(c)
            })?;
        }
        Ok(())
    }
}
