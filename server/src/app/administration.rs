//! What an administrator does on the server's own machine, without signing in: whoever may open the database may do it anyway.
//!
//! What does not belong here: what the API offers to signed-in administrators (`users`).

use super::App;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use super::passwords::{password_hash, password_validate};
use serde_json::json;

impl App {
    /// Sets the password of the user of this name and ends the user's sessions.
    ///
    /// # Errors
    /// `not-found`, `invalid-field`.
    pub fn user_password_set(&self, user_name: &str, password: &str) -> AppResult<()> {
        password_validate(password)?;
        let hash = password_hash(&self.env, self.config.password_cost, password)?;
        let now = self.env.now();
        self.storage.write("user_password_set", |tx| {
            let mut user = tx.user_by_name(user_name)?.ok_or_else(|| AppError::not_found("user"))?;
            user.password_hash.clone_from(&hash);
            user.updated_at = now;
            tx.user_update(&mut user)?;
            tx.session_revoke_by_user(user.id, now, "the password was set on the server's machine")?;
            self.event_append(
                tx,
                EventDraft::new(Subject::User(user.id), "user_changed")
                    .detail(json!({ "password_changed": true }))
                    .reason("set on the server's machine"),
            )
        })
    }
}
