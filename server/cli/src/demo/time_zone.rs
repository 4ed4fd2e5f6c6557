//! Which local time the made-up city has during the demo.
//!
//! The demo runs on the system clock, at any hour, and its testers call customers. Customers are left in peace at noon and at
//! night (R-CONTACT-1); rather than giving every call an emergency reason, the city lies in a zone where it is a decent hour now.

use callout_sync_protocol::field_workflow::RestHours;
use callout_sync_protocol::time::Timestamp;

/// How long the demo's calls may take to happen, in seconds, with much to spare.
const MARGIN_SECONDS: i64 = 20 * 60;

/// Minutes ahead of UTC: China's 480 where that is fine, else the nearest whole hour at which customers may be called.
pub fn utc_offset_choose(now: Timestamp) -> i16 {
    let rest = RestHours::default();
    let is_fine =
        |offset: i16| (0..=MARGIN_SECONDS / 60).all(|minute| !rest.contains(now.plus_seconds(60 * minute), offset));
    // Zones lie between UTC−12 and UTC+14.
    let mut offsets: Vec<i16> = (-12..=14).map(|hours| hours * 60).collect();
    offsets.sort_by_key(|offset| (offset - 480).abs());
    // The zones cover all hours of the day, so one of them is fine; China's is as good as any answer for a clock gone mad.
    offsets.into_iter().find(|&offset| is_fine(offset)).unwrap_or(480)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-CONTACT-1 holds at whatever minute the demo is started.
    #[test]
    fn at_every_minute_of_a_day_there_is_a_zone_where_customers_may_be_called() {
        let midnight: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        for minute in 0..24 * 60 {
            let now = midnight.plus_seconds(60 * minute);
            let offset = utc_offset_choose(now);
            assert!(!RestHours::default().contains(now, offset), "{now} {offset}");
            assert!(!RestHours::default().contains(now.plus_seconds(MARGIN_SECONDS), offset), "{now} {offset}");
        }
        assert_eq!(utc_offset_choose("2026-11-21T02:00:00Z".parse().unwrap()), 480, "ten in the morning in China");
    }
}
