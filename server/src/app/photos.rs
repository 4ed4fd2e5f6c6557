//! Photos as the desks see them. What does not belong here: their upload (`photos::service`) and their bytes (`photos::store`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use callout_storage::photos::Photo;
use callout_sync_protocol::ids::PhotoId;

impl App {
    /// A photo of an order of the caller's regions; also one that does not count. What belongs to no known order is seen by
    /// those who see what has no region.
    ///
    /// # Errors
    /// `not-found` for what does not exist and for what lies outside the caller's regions alike.
    pub fn photo_show(&self, caller: &Caller, id: PhotoId) -> AppResult<Photo> {
        self.storage.read("photo_show", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let photo = tx.photo_by_id(id)?.ok_or_else(|| AppError::not_found("photo"))?;
            let region = tx.work_order_by_id(photo.work_order_id)?.and_then(|order| order.region_id);
            scope.contains(region).then_some(photo).ok_or_else(|| AppError::not_found("photo"))
        })
    }
}
