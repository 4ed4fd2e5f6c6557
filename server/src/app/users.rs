//! People and systems that sign in, and the devices that they enrolled.

use super::App;
use super::access::{Caller, Role, RoleSet};
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use super::passwords::{password_hash, password_validate};
use callout_storage::devices::Device;
use callout_storage::users::User;
use callout_storage::{Page, StorageError, Tx};
use callout_sync_protocol::ids::{DeviceId, RegionId, UserId};
use callout_sync_protocol::problem::ProblemType;
use serde_json::json;
use std::fmt;

/// What a new user needs.
pub struct UserNew {
    /// The name to sign in with.
    pub user_name: String,
    /// The name to show.
    pub display_name: String,
    /// The first password.
    pub password: String,
    /// The roles, at least one.
    pub roles: Vec<Role>,
    /// Sees every region.
    pub all_regions: bool,
    /// The regions, unless all.
    pub region_ids: Vec<RegionId>,
}

impl fmt::Debug for UserNew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserNew({}, password redacted)", self.user_name)
    }
}

/// What changes about a user; absent stays.
#[derive(Default)]
pub struct UserChange {
    /// The name to show.
    pub display_name: Option<String>,
    /// A new password; ends the user's sessions.
    pub password: Option<String>,
    /// The roles.
    pub roles: Option<Vec<Role>>,
    /// Sees every region.
    pub all_regions: Option<bool>,
    /// The regions.
    pub region_ids: Option<Vec<RegionId>>,
    /// May sign in.
    pub is_active: Option<bool>,
}

impl fmt::Debug for UserChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserChange(redacted)")
    }
}

/// A user with the regions.
pub type UserWithRegions = (User, Vec<RegionId>);

fn user_name_validate(name: &str) -> AppResult<()> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if name.is_empty() || name.chars().count() > 128 || !name.chars().all(is_plain) {
        return Err(AppError::invalid("user_name", "must be 1 to 128 letters, digits or any of . _ - @"));
    }
    Ok(())
}

fn display_name_validate(name: &str) -> AppResult<()> {
    if name.trim().is_empty() || name.chars().count() > 128 {
        return Err(AppError::invalid("display_name", "must have 1 to 128 characters"));
    }
    Ok(())
}

fn roles_validate(roles: &[Role]) -> AppResult<Vec<Role>> {
    if roles.is_empty() {
        return Err(AppError::invalid("roles", "must name at least one role"));
    }
    Ok(RoleSet::of(roles).iter().collect())
}

fn regions_set(tx: &mut Tx, user: UserId, regions: &[RegionId]) -> AppResult<()> {
    if regions.len() > 1_000 {
        return Err(AppError::invalid("region_ids", "must not have more than 1000 entries"));
    }
    tx.user_regions_replace(user, regions).map_err(|error| match error {
        StorageError::MissingReference { .. } => AppError::invalid("region_ids", "names a region that does not exist"),
        other => other.into(),
    })
}

impl App {
    /// Makes a user.
    ///
    /// # Errors
    /// `already-exists` when the name is taken; `invalid-field` for what is too short, too long, empty or unknown.
    pub fn user_create(&self, caller: &Caller, new: UserNew) -> AppResult<UserWithRegions> {
        self.user_create_as(Some(caller), new)
    }

    /// Makes a user from the command line or at the first start, when there is nobody yet who could.
    pub fn user_create_as(&self, caller: Option<&Caller>, new: UserNew) -> AppResult<UserWithRegions> {
        user_name_validate(&new.user_name)?;
        display_name_validate(&new.display_name)?;
        password_validate(&new.password)?;
        let roles = roles_validate(&new.roles)?;
        let hash = password_hash(&self.env, self.config.password_cost, &new.password)?;
        let now = self.env.now();
        let user = User {
            id: self.env.id(),
            user_name_folded: new.user_name.to_lowercase(),
            user_name: new.user_name,
            display_name: new.display_name.trim().to_owned(),
            password_hash: hash,
            roles,
            all_regions: new.all_regions,
            is_active: true,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        self.storage.write("user_create", |tx| {
            if let Some(caller) = caller {
                self.caller_scope(tx, caller)?;
            }
            tx.user_insert(&user).map_err(|error| match error {
                StorageError::UniqueViolation { .. } => {
                    AppError::new(ProblemType::AlreadyExists, "user_name: this name is taken")
                }
                other => other.into(),
            })?;
            regions_set(tx, user.id, &new.region_ids)?;
            let draft = EventDraft::new(Subject::User(user.id), "user_created")
                .detail(json!({ "roles": user.roles, "all_regions": user.all_regions, "region_ids": new.region_ids }));
            self.event_append(tx, caller.into_iter().fold(draft, EventDraft::by))?;
            Ok::<_, AppError>(())
        })?;
        Ok((user, new.region_ids))
    }

    /// Changes a user. A new password, fewer roles or a closed account end the user's sessions at once.
    pub fn user_change(&self, caller: &Caller, id: UserId, change: UserChange) -> AppResult<UserWithRegions> {
        if let Some(name) = &change.display_name {
            display_name_validate(name)?;
        }
        let hash = match &change.password {
            Some(password) => {
                password_validate(password)?;
                Some(password_hash(&self.env, self.config.password_cost, password)?)
            }
            None => None,
        };
        let roles = change.roles.as_deref().map(roles_validate).transpose()?;
        let now = self.env.now();
        self.storage.write("user_change", |tx| {
            self.caller_scope(tx, caller)?;
            let mut user = tx.user_by_id(id)?.ok_or_else(|| AppError::not_found("user"))?;
            let ends_sessions = hash.is_some()
                || change.is_active == Some(false)
                || roles.as_ref().is_some_and(|roles| *roles != user.roles);
            if let Some(name) = &change.display_name {
                user.display_name = name.trim().to_owned();
            }
            if let Some(hash) = &hash {
                user.password_hash.clone_from(hash);
            }
            if let Some(roles) = &roles {
                user.roles.clone_from(roles);
            }
            user.all_regions = change.all_regions.unwrap_or(user.all_regions);
            user.is_active = change.is_active.unwrap_or(user.is_active);
            user.updated_at = now;
            tx.user_update(&mut user)?;
            if let Some(regions) = &change.region_ids {
                regions_set(tx, id, regions)?;
            }
            if ends_sessions {
                tx.session_revoke_by_user(id, now, "the account was changed")?;
            }
            self.event_append(
                tx,
                EventDraft::new(Subject::User(id), "user_changed").by(caller).detail(json!({
                    "roles": user.roles, "all_regions": user.all_regions, "is_active": user.is_active,
                    "region_ids": change.region_ids, "password_changed": hash.is_some(),
                })),
            )?;
            let regions = tx.user_region_ids(id)?;
            Ok((user, regions))
        })
    }

    /// A user.
    pub fn user_show(&self, caller: &Caller, id: UserId) -> AppResult<UserWithRegions> {
        self.storage.read("user_show", |tx| {
            self.caller_scope(tx, caller)?;
            let user = tx.user_by_id(id)?.ok_or_else(|| AppError::not_found("user"))?;
            let regions = tx.user_region_ids(id)?;
            Ok((user, regions))
        })
    }

    /// Users, newest first.
    pub fn user_list(&self, caller: &Caller, page: Page<UserId>) -> AppResult<Vec<UserWithRegions>> {
        self.storage.read("user_list", |tx| {
            self.caller_scope(tx, caller)?;
            let users = tx.user_list(&page)?;
            users
                .into_iter()
                .map(|user| {
                    let regions = tx.user_region_ids(user.id)?;
                    Ok((user, regions))
                })
                .collect()
        })
    }

    /// The caller's own account.
    pub fn user_own(&self, caller: &Caller) -> AppResult<UserWithRegions> {
        self.user_show(caller, caller.user_id)
    }

    /// The regions of a user who just proved to be it.
    pub fn user_regions(&self, id: UserId) -> AppResult<Vec<RegionId>> {
        self.storage.read("user_regions", |tx| Ok(tx.user_region_ids(id)?))
    }

    /// Enrolled devices, of one user (all of them) or of all (a page), newest first.
    pub fn device_list(&self, caller: &Caller, user: Option<UserId>, page: Page<DeviceId>) -> AppResult<Vec<Device>> {
        self.storage.read("device_list", |tx| {
            self.caller_scope(tx, caller)?;
            Ok(match user {
                Some(user) => tx.device_list_by_user(user)?,
                None => tx.device_list(&page)?,
            })
        })
    }

    /// Bars a device: its sessions end, and nothing that it signs from now on is taken.
    pub fn device_revoke(&self, caller: &Caller, id: DeviceId, reason: &str) -> AppResult<()> {
        if reason.trim().is_empty() || reason.chars().count() > 1_000 {
            return Err(AppError::invalid("reason", "must have 1 to 1000 characters"));
        }
        let now = self.env.now();
        self.storage.write("device_revoke", |tx| {
            self.caller_scope(tx, caller)?;
            let mut device = tx.device_by_id(id)?.ok_or_else(|| AppError::not_found("device"))?;
            device.revoked_at = device.revoked_at.or(Some(now));
            tx.device_update(&device)?;
            tx.session_revoke_by_device(id, now, "the device was revoked")?;
            self.event_append(
                tx,
                EventDraft::new(Subject::User(device.user_id), "device_revoked").by(caller).device(id).reason(reason),
            )
        })
    }

    /// Makes the first administrator with a random password, if there is nobody at all; returns name and password.
    pub fn user_first(&self) -> AppResult<Option<(String, String)>> {
        let exists = self.storage.read("user_first_check", |tx| Ok::<_, AppError>(tx.user_count()? > 0))?;
        if exists {
            return Ok(None);
        }
        let password: String =
            self.env.random::<20>().iter().map(|byte| PASSWORD_LETTERS[usize::from(byte % 32)] as char).collect();
        self.user_create_as(
            None,
            UserNew {
                user_name: "admin".into(),
                display_name: "Administrator 管理员".into(),
                password: password.clone(),
                roles: vec![Role::Administrator],
                all_regions: true,
                region_ids: vec![],
            },
        )?;
        Ok(Some(("admin".into(), password)))
    }
}

/// 32 letters and digits that nobody mistakes for one another.
const PASSWORD_LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
