//! Profiles: what the dispatch rules know of a user beside the account. Set by an administrator, or by a lead for the own regions.
//!
//! What does not belong here: the account and its roles (`users`), ranking (`candidates`).

use super::App;
use super::access::{Caller, Role};
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::candidates::Skill;
use crate::workflow::dispatches::Seniority;
use crate::workflow::shifts::Shifts;
use callout_storage::user_profiles::UserProfile;
use callout_storage::users::User;
use callout_storage::{RegionScope, StorageError, Tx};
use callout_sync_protocol::ids::{RegionId, UserId};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;

/// How many orders a day somebody takes whose profile does not say.
const DEFAULT_DAILY_CAPACITY: u16 = 6;

/// A profile in the words of the rules.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileSeen {
    /// The user.
    pub user_id: UserId,
    /// The user's name to show.
    pub display_name: String,
    /// The team; empty where there is none.
    pub team: String,
    /// Junior or senior.
    pub seniority: Seniority,
    /// Trained for.
    pub skills: BTreeSet<Skill>,
    /// When the user works.
    pub shifts: Shifts,
    /// Where the user starts from.
    pub home: Option<Position>,
    /// How many orders a day at most.
    pub daily_capacity: u16,
    /// Grows with every change; 0 while nobody set the profile.
    pub version: u64,
    /// When it was set.
    pub updated_at: Option<Timestamp>,
}

/// A profile to set.
#[derive(Clone, Debug)]
pub struct ProfileNew {
    /// The team.
    pub team: String,
    /// Junior or senior.
    pub seniority: Seniority,
    /// Trained for.
    pub skills: BTreeSet<Skill>,
    /// When the user works.
    pub shifts: Shifts,
    /// Where the user starts from.
    pub home: Option<Position>,
    /// How many orders a day at most.
    pub daily_capacity: u16,
}

pub(crate) fn profile_seen(user: &User, profile: Option<UserProfile>) -> AppResult<ProfileSeen> {
    let Some(profile) = profile else {
        return Ok(ProfileSeen {
            user_id: user.id,
            display_name: user.display_name.clone(),
            team: String::new(),
            seniority: Seniority::Senior,
            skills: BTreeSet::new(),
            shifts: Shifts::default(),
            home: None,
            daily_capacity: DEFAULT_DAILY_CAPACITY,
            version: 0,
            updated_at: None,
        });
    };
    let home = profile.home_latitude_e6.zip(profile.home_longitude_e6);
    Ok(ProfileSeen {
        user_id: user.id,
        display_name: user.display_name.clone(),
        team: profile.team,
        seniority: profile.seniority.parse().map_err(AppError::internal)?,
        // A skill that a newer program knows is none that this one could ask for.
        skills: profile.skills.iter().filter_map(|skill| skill.parse().ok()).collect(),
        shifts: serde_json::from_value(profile.shifts).map_err(AppError::internal)?,
        home: home.map(|(latitude_e6, longitude_e6)| Position {
            latitude_e6,
            longitude_e6,
            accuracy_m: None,
            is_mock: false,
        }),
        daily_capacity: u16::try_from(profile.daily_capacity).unwrap_or_default(),
        version: profile.version,
        updated_at: Some(profile.updated_at),
    })
}

fn profile_check(new: &ProfileNew) -> AppResult<()> {
    if new.team.chars().count() > 128 || new.team.contains('\0') {
        return Err(AppError::invalid("team", "must not have more than 128 characters, nor a zero character"));
    }
    if new.home.is_some_and(|home| home.validate().is_err()) {
        return Err(AppError::invalid("home", "must lie within ±90° of latitude and ±180° of longitude"));
    }
    if !(1..=100).contains(&new.daily_capacity) {
        return Err(AppError::invalid("daily_capacity", "must be from 1 to 100"));
    }
    Ok(new.shifts.check()?)
}

impl App {
    /// A user whom the caller may see: any for who sees all regions, else those of the same regions.
    fn user_in_scope(&self, tx: &mut Tx, caller: &Caller, id: UserId) -> AppResult<User> {
        let scope = self.caller_scope(tx, caller)?;
        let user = tx.user_by_id(id)?.ok_or_else(|| AppError::not_found("user"))?;
        let is_seen = match scope {
            RegionScope::All => true,
            RegionScope::Only { region_ids, .. } => {
                tx.user_region_ids(id)?.iter().any(|region| region_ids.contains(region))
            }
        };
        if is_seen { Ok(user) } else { Err(AppError::not_found("user")) }
    }

    /// A user's profile; the default one while nobody set it.
    pub fn user_profile_show(&self, caller: &Caller, id: UserId) -> AppResult<ProfileSeen> {
        self.storage.read("user_profile_show", |tx| {
            let user = self.user_in_scope(tx, caller, id)?;
            let profile = tx.user_profile_by_user(id)?;
            profile_seen(&user, profile)
        })
    }

    /// The profiles of a region's active users, by name.
    pub fn user_profile_list(&self, caller: &Caller, region_id: RegionId) -> AppResult<Vec<ProfileSeen>> {
        self.storage.read("user_profile_list", |tx| {
            if !self.caller_scope(tx, caller)?.contains(Some(region_id)) {
                return Err(AppError::not_found("region"));
            }
            let users = tx.user_list_by_region(region_id)?;
            let ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
            let mut profiles = tx.user_profile_list_by_users(&ids)?;
            users
                .iter()
                .map(|user| {
                    let place = profiles.iter().position(|profile| profile.user_id == user.id);
                    profile_seen(user, place.map(|place| profiles.swap_remove(place)))
                })
                .collect()
        })
    }

    /// Sets a user's profile.
    ///
    /// # Errors
    /// `not-found` for users outside the caller's regions; `forbidden` for a lead who sets the own one; `invalid-field`.
    pub fn user_profile_set(&self, caller: &Caller, id: UserId, new: &ProfileNew) -> AppResult<ProfileSeen> {
        profile_check(new)?;
        let shifts = serde_json::to_value(&new.shifts).map_err(AppError::internal)?;
        let now = self.env.now();
        self.storage.write("user_profile_set", |tx| {
            let user = self.user_in_scope(tx, caller, id)?;
            if id == caller.user_id && !caller.roles.has(Role::Administrator) {
                return Err(AppError::forbidden("somebody else sets one's own profile"));
            }
            let profile = UserProfile {
                user_id: id,
                team: new.team.trim().to_owned(),
                seniority: new.seniority.as_str().into(),
                skills: new.skills.iter().map(|skill| skill.as_str().to_owned()).collect(),
                shifts: shifts.clone(),
                home_latitude_e6: new.home.map(|home| home.latitude_e6),
                home_longitude_e6: new.home.map(|home| home.longitude_e6),
                daily_capacity: i16::try_from(new.daily_capacity).map_err(AppError::internal)?,
                updated_by: caller.user_id,
                updated_at: now,
                version: 1,
            };
            let profile = match tx.user_profile_by_user(id)? {
                None => {
                    tx.user_profile_insert(&profile).map_err(|error| match error {
                        StorageError::UniqueViolation { .. } => StorageError::Conflict { what: "user profile" }.into(),
                        other => AppError::from(other),
                    })?;
                    profile
                }
                Some(before) => {
                    let mut profile = UserProfile { version: before.version, ..profile };
                    tx.user_profile_update(&mut profile)?;
                    profile
                }
            };
            // Where somebody lives and when somebody is away is nobody's business in the trail (R-PRIVACY-1).
            let draft = EventDraft::new(Subject::User(id), "user_profile_set").by(caller);
            self.event_append(
                tx,
                draft.detail(json!({
                    "team": profile.team, "seniority": profile.seniority, "skills": profile.skills,
                    "daily_capacity": profile.daily_capacity, "version": profile.version,
                })),
            )?;
            profile_seen(&user, Some(profile))
        })
    }

    /// Whether the caller is a junior whose dispatches may need a check (R-ROUTE-5). A lead never is; nor is who has no profile.
    pub(crate) fn caller_is_junior(&self, tx: &mut Tx, caller: &Caller) -> AppResult<bool> {
        if caller.roles.has(Role::RegionalLead) {
            return Ok(false);
        }
        let profile = tx.user_profile_by_user(caller.user_id)?;
        Ok(profile.is_some_and(|profile| profile.seniority == Seniority::Junior.as_str()))
    }
}
