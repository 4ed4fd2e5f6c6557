//! What the dispatch rules know of users: team, seniority, skills, shifts, start, capacity. What does not belong here: the account
//! itself (`users`).

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::{MAX_PAGE, updated};
use crate::schema::user_profiles;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::UserId;
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// What the dispatch rules know of a user beside the account: team, seniority, skills, shifts, start, capacity.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct UserProfile {
    /// The user; at most one profile each.
    pub user_id: UserId,
    /// The team, as people call it; empty where there is none.
    pub team: String,
    /// In the word of the rules (`junior`, `senior`).
    pub seniority: String,
    /// In the words of the rules (`volte` …).
    pub skills: Vec<String>,
    /// Weekly shifts and their exceptions; a document of the rules.
    pub shifts: serde_json::Value,
    /// Where the user starts from, in 1e-6 degrees; with the longitude or not at all.
    pub home_latitude_e6: Option<i32>,
    /// Longitude in 1e-6 degrees.
    pub home_longitude_e6: Option<i32>,
    /// How many orders a day at most.
    pub daily_capacity: i16,
    /// Who set it.
    pub updated_by: UserId,
    /// When.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Tx {
    /// Adds a profile.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if the user has one, [`StorageError::MissingReference`] if there is no such user.
    pub fn user_profile_insert(&mut self, profile: &UserProfile) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(user_profiles::table)
                .values(row_values!(
                    user_profiles,
                    profile,
                    user_id,
                    team,
                    seniority,
                    skills,
                    shifts,
                    home_latitude_e6,
                    home_longitude_e6,
                    daily_capacity,
                    updated_by,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a profile that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn user_profile_update(&mut self, profile: &mut UserProfile) -> Result<(), StorageError> {
        let version = profile.version + 1;
        let rows = self.run(|c| {
            diesel::update(
                user_profiles::table
                    .find(bind(&profile.user_id))
                    .filter(user_profiles::version.eq(bind(&profile.version))),
            )
            .set((
                row_values!(
                    user_profiles,
                    profile,
                    team,
                    seniority,
                    skills,
                    shifts,
                    home_latitude_e6,
                    home_longitude_e6,
                    daily_capacity,
                    updated_by,
                    updated_at
                ),
                user_profiles::version.eq(bind(&version)),
            ))
            .execute(c)
        })?;
        updated(rows, "user profile")?;
        profile.version = version;
        Ok(())
    }

    /// A user's profile.
    pub fn user_profile_by_user(&mut self, user_id: UserId) -> Result<Option<UserProfile>, StorageError> {
        self.run(|c| user_profiles::table.find(bind(&user_id)).first(c).optional())
    }

    /// The profiles of these users (at most 500), by user.
    pub fn user_profile_list_by_users(&mut self, ids: &[UserId]) -> Result<Vec<UserProfile>, StorageError> {
        self.run(|c| {
            user_profiles::table
                .filter(user_profiles::user_id.eq_any(ids.iter().take(MAX_PAGE as usize).map(bind)))
                .order(user_profiles::user_id)
                .load(c)
        })
    }

    /// The teams of all users who have a profile.
    pub fn user_teams(&mut self) -> Result<Vec<(UserId, String)>, StorageError> {
        self.run(|c| user_profiles::table.select((user_profiles::user_id, user_profiles::team)).load(c))
    }
}
