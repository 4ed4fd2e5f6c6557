//! Pages of lists ordered by (instant, id): `after` holds both, opaque to the caller.

use crate::app::error::{AppError, AppResult};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callout_storage::Page;
use callout_sync_protocol::time::Timestamp;
use uuid::Uuid;

const DEFAULT_LIMIT: u32 = 50;

/// Where a page begins and how long it is.
pub struct PageQuery {
    /// `next` of the page before.
    pub after: Option<String>,
    /// How many at most.
    pub limit: Option<u32>,
}

/// The page that a query asks for.
///
/// # Errors
/// When `after` was not given out by us.
pub fn page_of<Id: From<Uuid>>(query: &PageQuery) -> AppResult<Page<Id>> {
    let bad = || AppError::invalid("after", "must be the `next` of the page before");
    let after = match &query.after {
        None => None,
        Some(text) => {
            let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok().and_then(|b| b.try_into().ok()).ok_or_else(bad)?;
            let (micros, id) = bytes.split_at(8);
            let micros = micros.try_into().map(i64::from_be_bytes).map_err(|_| bad())?;
            let at = Timestamp::from_unix_micros(micros).ok_or_else(bad)?;
            Some((at, Id::from(Uuid::from_slice(id).map_err(|_| bad())?)))
        }
    };
    Ok(Page { after, limit: query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, 500) })
}

/// What the next page's `after` is, when this one is full.
pub fn page_next<Id: Into<Uuid>>(
    page: &Page<Id>,
    shown: impl ExactSizeIterator<Item = (Timestamp, Id)>,
) -> Option<String> {
    if shown.len() < page.limit as usize {
        return None;
    }
    let (at, id) = shown.last()?;
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&at.unix_micros().to_be_bytes());
    bytes[8..].copy_from_slice(id.into().as_bytes());
    Some(URL_SAFE_NO_PAD.encode(bytes))
}
