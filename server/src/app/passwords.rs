//! Passwords: argon2id (RFC 9106), the only form in which they are kept.
//!
//! What does not belong here: who may sign in (`sessions`).

use super::error::{AppError, AppResult};
use crate::env::Env;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// Shortest password of a person, in characters (NIST SP 800-63B §5.1.1).
pub const MIN_PASSWORD_CHARS: usize = 10;
/// Longest password, in bytes; bounds the work of hashing.
pub const MAX_PASSWORD_BYTES: usize = 512;

/// How hard hashing is.
#[derive(Clone, Copy, Debug)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for PasswordCost {
    /// 19 MiB, two passes: OWASP's recommendation for argon2id on one lane.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

fn argon2(cost: PasswordCost) -> AppResult<Argon2<'static>> {
    let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|e| AppError::internal(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Checks a new password's length.
pub fn password_validate(password: &str) -> AppResult<()> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(AppError::invalid("password", "must have at least 10 characters"));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(AppError::invalid("password", "must not have more than 512 bytes"));
    }
    Ok(())
}

/// Hashes a password into its PHC string.
pub fn password_hash(env: &Env, cost: PasswordCost, password: &str) -> AppResult<String> {
    let salt: [u8; 16] = env.random();
    argon2(cost)?
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|e| AppError::internal(e.to_string()))
}

/// Whether the password is the one behind the PHC string. A string that cannot be read is a wrong password.
pub fn password_matches(password: &str, phc: &str) -> bool {
    password.len() <= MAX_PASSWORD_BYTES
        && PasswordHash::new(phc)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}
