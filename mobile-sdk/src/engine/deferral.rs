//! A server that fails (5xx) may be failing at one item of ours for ever. So that it does not hold up the others for ever, an empty
//! request is tried after some failures: if that one is answered, the item is found by halving, and left aside for a while, with
//! whatever stands behind it about the same order. It is not rejected: the server has not judged it.

use super::sync_round::SentRound;
use super::{Engine, HttpResponse, Instruction, Moment};
use crate::store::blocks::{block_defer, block_fail};
use crate::store::commands::{command_defer, command_fail};
use crate::store::{Store, StoreError};

/// So many failures at requests that begin with the same item make the items suspect.
const FAILURES_BEFORE_BLAME: u64 = 3;
/// How long an item is left aside at first, seconds; doubles each time.
const ASIDE_SECONDS: i64 = 3_600;
/// Never longer than this, seconds.
const ASIDE_SECONDS_MAX: i64 = 86_400;

impl Engine {
    /// What to do at once after a failure of the server; `None`: wait and try again, as after any other.
    pub(super) fn round_failed(
        &mut self,
        store: &mut Store,
        moment: Moment,
        sent: &SentRound,
        response: &HttpResponse,
    ) -> Result<Option<Vec<Instruction>>, StoreError> {
        // 503 and the like are about the server's load, not about what was sent.
        if !matches!(response.status, 500 | 502 | 504) {
            return Ok(None);
        }
        if sent.item_count() == 0 {
            if let Some(suspects) = self.run.suspects.take() {
                self.run.is_server_failing = true;
                self.limits.items = suspects;
            }
            return Ok(None);
        }
        let failures = store.write(|connection| match (sent.commands.first(), sent.blocks.first()) {
            (Some(id), _) => command_fail(connection, *id),
            (None, Some(hash)) => block_fail(connection, *hash),
            (None, None) => Ok::<_, StoreError>(0),
        })?;
        match sent.item_count() {
            1 if self.run.is_envelope_proven => {
                let doublings = failures.saturating_sub(FAILURES_BEFORE_BLAME).min(10);
                let aside = (ASIDE_SECONDS << doublings).min(ASIDE_SECONDS_MAX);
                let until = moment.now.plus_seconds(aside);
                store.write(|connection| {
                    sent.commands.iter().try_for_each(|id| command_defer(connection, *id, until))?;
                    sent.blocks.iter().try_for_each(|hash| block_defer(connection, *hash, until))
                })?;
            }
            several if self.run.is_envelope_proven => self.limits.items = several / 2,
            several if failures >= FAILURES_BEFORE_BLAME && !self.run.is_server_failing => {
                self.run.suspects = Some(several);
                self.limits.items = 0;
            }
            _ => return Ok(None),
        }
        self.next(store, moment).map(Some)
    }
}
