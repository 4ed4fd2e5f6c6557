//! What the rules leave to be set: every such document is a [`Policy`] with a default that the sources or we chose.
//!
//! Each kind's type stands with the rule that reads it. What does not belong here: which versions there are (`app::policies`).

use callout_sync_protocol::problem::Rejection;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A document that an administrator may replace, for all regions or for one.
///
/// Its serde form is the API's: unknown fields are refused, absent ones have their default.
pub trait Policy: Serialize + DeserializeOwned + Default + Clone {
    /// The kind's name in API and database, such as `limits`.
    const KIND: &'static str;

    /// Whether a region may have one of its own.
    const PER_REGION: bool = true;

    /// Refuses values that no rule can work with.
    ///
    /// # Errors
    /// `invalid-field` that names the field.
    fn check(&self) -> Result<(), Rejection> {
        Ok(())
    }
}
