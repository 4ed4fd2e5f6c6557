//! What testers do with the network, and what becomes of it where something fails meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use super::house::{House, PASSWORD};
use super::network::Wire;
use super::operations::Fault;
use crate::medium::Survival;
use callout_mobile_sdk::facade::PhoneError;
use callout_storage::Storage;
use std::collections::VecDeque;

/// Pages are so short that most syncs after a pause need several.
const CHANGES_A_PAGE: u32 = 3;
/// Refresh tokens are good for 30 days; a phone that stayed away for nearly so long may have to sign in again.
const AWAY_SECONDS: i64 = 29 * 24 * 3_600;

impl House {
    /// A tester signs in; says whether that reached its end.
    ///
    /// # Errors
    /// What should not be.
    pub fn tester_sign_in(&mut self, tester: usize) -> Result<bool, String> {
        let this = &mut self.testers[tester];
        let mut history = std::mem::take(&mut this.history);
        let mut wire = Wire {
            server: &self.servers[0],
            clock: &self.clock,
            history: &mut history,
            record: &mut self.record,
            changes_a_page: CHANGES_A_PAGE,
            is_parted: false,
            faults: VecDeque::new(),
            ends: &mut self.ends,
        };
        // A person signs in; only what the phone sends by itself comes again.
        let result = this.phone_mut().sign_in(&mut wire, &format!("tester-{tester}"), PASSWORD);
        this.answered_at = self.clock.time();
        let survival = Survival::of(self.record.messages);
        self.servers_mend(0, survival);
        self.settle(tester, "the sign-in", result.map(drop))
    }

    /// What a phone's act came to, where its storage may have failed: a phone without power starts again, a full storage must be told
    /// as such. Says whether the act was done.
    ///
    /// # Errors
    /// What should not be.
    pub fn settle(&mut self, tester: usize, what: &str, result: Result<(), PhoneError>) -> Result<bool, String> {
        let this = &mut self.testers[tester];
        if this.is_dead() {
            self.failures.phone_power += 1;
            this.reboot()?;
            return Ok(result.is_ok());
        }
        match result {
            Ok(()) => Ok(true),
            Err(PhoneError::Network { .. }) => Ok(false),
            Err(error) if this.is_told_full(&error) => {
                self.failures.phone_full += 1;
                Ok(false)
            }
            Err(error) => Err(format!("phone {tester}: {what} ended with: {error:?}")),
        }
    }

    /// One sync; says whether it reached its end.
    pub fn sync(&mut self, tester: usize, server: u8, patience: u8, faults: &[Fault]) -> Result<bool, String> {
        let server = usize::from(server) % self.servers.len();
        let now = self.clock.time();
        let this = &mut self.testers[tester];
        let is_long_away = now > this.answered_at.plus_seconds(AWAY_SECONDS);
        let mut history = std::mem::take(&mut this.history);
        let mut wire = Wire {
            server: &self.servers[server],
            clock: &self.clock,
            history: &mut history,
            record: &mut self.record,
            changes_a_page: CHANGES_A_PAGE,
            is_parted: this.is_parted,
            faults: faults.iter().copied().collect(),
            ends: &mut self.ends,
        };
        let result = this.phone_mut().sync(&mut wire, patience.into(), &mut |_| ());
        this.history = history;
        let survival = Survival::of(self.record.messages);
        self.servers_mend(server, survival);
        if matches!(result, Err(PhoneError::SignInNeeded)) && is_long_away {
            self.tester_sign_in(tester)?;
            return Ok(false);
        }
        let is_done = self.settle(tester, "the sync", result.map(drop))?;
        if is_done {
            self.testers[tester].answered_at = self.clock.time();
            self.check_scope(tester)?;
        }
        Ok(is_done)
    }

    /// Does all of a visit that needs no network; says whether nothing stopped it.
    ///
    /// # Errors
    /// What should not be.
    pub fn visit_offline(&mut self, tester: usize) -> Result<bool, String> {
        while let Some(step) = self.testers[tester].visit_next() {
            self.clock.advance_seconds(60);
            let result = self.testers[tester].visit_step(step, &mut self.samples);
            if !self.settle(tester, &format!("{step:?}"), result)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Goes on with a whole visit to a tester's one order; says whether nothing is left of it to do. It stops where something failed
    /// that may.
    ///
    /// # Errors
    /// What should not be.
    pub fn visit(&mut self, tester: usize, is_signed_in: &mut bool) -> Result<bool, String> {
        if !*is_signed_in {
            *is_signed_in = self.tester_sign_in(tester)?;
        }
        if !*is_signed_in {
            return Ok(false);
        }
        self.clock.advance_seconds(120);
        if self.testers[tester].phone().orders().unwrap().is_empty() && !self.sync(tester, 0, 0, &[])? {
            return Ok(false);
        }
        if !self.visit_offline(tester)? {
            return Ok(false);
        }
        for _ in 0..3 {
            self.clock.advance_seconds(120);
            if !self.sync(tester, 0, 0, &[])? {
                return Ok(false);
            }
            let status = self.testers[tester].phone().status().map_err(|error| error.to_string())?;
            if status.commands.waiting == 0 && status.blocks.sealed == 0 && status.photos.waiting == 0 {
                return Ok(true);
            }
        }
        Err(format!("phone {tester} does not get rid of what it has: {:?}", self.testers[tester].phone().status()))
    }

    /// What ended in the middle of a request starts again: a server's process, or all of them with their machine.
    pub fn servers_mend(&mut self, spoken_to: usize, survival: Survival) {
        if let (true, Some(medium), Some(config)) = (self.ends.is_without_power(), &self.ends.medium, &self.sqlite) {
            self.failures.server_power += 1;
            let count = self.servers.len();
            self.servers.clear();
            self.storage = None;
            medium.power_cycle(survival);
            self.storage = Some(Storage::open(config).unwrap());
            self.servers = (0..count).map(|_| self.server_start()).collect();
        } else if self.ends.is_killed {
            self.failures.servers_killed += 1;
            self.servers[spoken_to] = self.server_start();
        }
        self.ends.is_killed = false;
    }
}
