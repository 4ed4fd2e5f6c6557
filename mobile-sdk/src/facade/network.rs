//! When and over what the phone syncs: now, by itself, over Wi-Fi only.

use super::{Phone, PhoneError};
use crate::engine::{Network, NotNow, Progress, SyncSummary};
use crate::store::StoreError;
use crate::store::settings::{MeteredUse, settings_get, settings_put};
use crate::store::sync_history::sync_record_add;
use crate::store::sync_state::sync_state_get;
use crate::transport::{SyncEnd, Transport, drive};

/// How a sync of the app's own accord ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackgroundSync {
    /// Everything that may travel has.
    Done(SyncSummary),
    /// It is not the time; nothing was sent.
    NotNow(NotNow),
}

impl Phone {
    /// Tells the phone which network it is on. Until told, it takes an unmetered one for granted.
    pub fn set_network(&mut self, network: Network) {
        self.engine.network_set(network);
    }

    /// What may travel over a metered network.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn metered_use(&self) -> Result<MeteredUse, PhoneError> {
        Ok(settings_get(self.store.connection())?.metered_use)
    }

    /// Sets what may travel over a metered network; kept.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn set_metered_use(&mut self, metered_use: MeteredUse) -> Result<(), PhoneError> {
        Ok(self.store.write(|connection| {
            let settings = settings_get(connection)?;
            settings_put(connection, &crate::store::settings::Settings { metered_use, ..settings })
        })?)
    }

    /// Sends everything that waits and fetches everything that is new, because a person wants it now: orders first, then samples, then
    /// photos. Gives up after `waits_max` waits in a row without anything getting through.
    ///
    /// # Errors
    /// [`PhoneError::SignInNeeded`], [`PhoneError::DeviceRevoked`], [`PhoneError::Server`], [`PhoneError::Network`]; whatever got
    /// through until then is done. [`PhoneError::SyncRunning`]: two processes that renew the same token would look like a theft to
    /// the server.
    pub fn sync(
        &mut self,
        transport: &mut dyn Transport,
        waits_max: u32,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<SyncSummary, PhoneError> {
        match self.sync_run(transport, true, waits_max, on_progress)? {
            BackgroundSync::Done(summary) => Ok(summary),
            // Only what the app wants by itself is put off.
            BackgroundSync::NotNow(_) => Ok(SyncSummary::default()),
        }
    }

    /// As [`Phone::sync`], but of the app's own accord: not without a network, not against the tester's wish about metered ones, and
    /// not while the server wants to be left alone.
    ///
    /// # Errors
    /// As [`Phone::sync`].
    pub fn sync_in_background(
        &mut self,
        transport: &mut dyn Transport,
        waits_max: u32,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<BackgroundSync, PhoneError> {
        // The engine would wait; a job of the platform's scheduler should rather end and come again.
        let until = sync_state_get(self.store.connection())?.not_before.filter(|until| *until > self.env.now());
        if let Some(until) = until {
            return Ok(BackgroundSync::NotNow(NotNow::ServerWish { until }));
        }
        self.sync_run(transport, false, waits_max, on_progress)
    }

    fn sync_run(
        &mut self,
        transport: &mut dyn Transport,
        by_person: bool,
        waits_max: u32,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<BackgroundSync, PhoneError> {
        let _lock = self.sync_lock()?;
        let env = self.env.clone();
        let end = drive(&mut self.engine, &mut self.store, env.as_ref(), transport, by_person, waits_max, on_progress)?;
        self.sync_note(&end)?;
        match end {
            SyncEnd::Finished(summary) => {
                self.storage_tidy()?;
                Ok(BackgroundSync::Done(summary))
            }
            SyncEnd::NotNow(reason) => Ok(BackgroundSync::NotNow(reason)),
            SyncEnd::Revoked => Err(PhoneError::DeviceRevoked),
            SyncEnd::SignInNeeded => Err(PhoneError::SignInNeeded),
            SyncEnd::Stopped(problem) => Err(PhoneError::Server(problem)),
            SyncEnd::GaveUp { reason, retry_at, .. } => Err(PhoneError::Network { reason, retry_at: Some(retry_at) }),
        }
    }

    fn sync_note(&mut self, end: &SyncEnd) -> Result<(), StoreError> {
        let (ended, problem, summary) = match end {
            SyncEnd::Finished(summary) => ("finished", None, *summary),
            SyncEnd::GaveUp { summary, .. } => ("gave_up", None, *summary),
            SyncEnd::Stopped(rejection) => ("stopped", Some(rejection.problem), SyncSummary::default()),
            SyncEnd::SignInNeeded => ("sign_in_needed", None, SyncSummary::default()),
            SyncEnd::Revoked => ("revoked", None, SyncSummary::default()),
            SyncEnd::NotNow(_) => return Ok(()),
        };
        let now = self.env.now();
        let counts = (summary.rounds, summary.commands_rejected, summary.photos_stored);
        self.store.write(|connection| sync_record_add(connection, now, ended, problem, counts))
    }
}
