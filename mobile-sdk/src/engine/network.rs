//! Which network the phone is on, and what may travel over it. The host tells; nothing here asks the platform.

use super::{Engine, Event, Instruction, Instructions, Moment, Phase};
use crate::store::settings::{MeteredUse, settings_get};
use crate::store::{Store, StoreError};
use callout_sync_protocol::time::Timestamp;
use serde::Serialize;

/// The network that the phone is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// None.
    Absent,
    /// One that somebody pays by the byte, such as a mobile network.
    Metered,
    /// One that costs nothing by the byte, such as Wi-Fi. Also what is taken for granted until the host tells.
    #[default]
    Unmetered,
}

/// Why the app does not sync by itself now. A person may always try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum NotNow {
    /// There is no network.
    NoNetwork,
    /// The tester wants nothing sent over a metered network.
    WaitsForWifi,
    /// The server asked to be left alone.
    ServerWish {
        /// Until then.
        until: Timestamp,
    },
}

/// Why the app may do nothing by itself on this network.
pub(super) fn not_now(store: &Store, network: Network) -> Result<Option<NotNow>, StoreError> {
    Ok(match network {
        Network::Absent => Some(NotNow::NoNetwork),
        Network::Metered => {
            (settings_get(store.connection())?.metered_use == MeteredUse::WhenAsked).then_some(NotNow::WaitsForWifi)
        }
        Network::Unmetered => None,
    })
}

impl Engine {
    /// The network that it was told of last.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The network as it is told without an event; for hosts that ask for one sync at a time.
    pub fn network_set(&mut self, network: Network) {
        self.network = network;
    }

    /// Better than before: what waits to be tried again is tried at once.
    pub(super) fn network_changed(&mut self, store: &mut Store, moment: Moment, network: Network) -> Instructions {
        let was_absent = self.network == Network::Absent;
        let was_metered = self.network == Network::Metered;
        self.network = network;
        let is_better = network != Network::Absent && (was_absent || (was_metered && network == Network::Unmetered));
        match self.phase {
            Phase::Waiting { .. } if is_better && self.failures > 0 => {
                self.failures = 0;
                self.next(store, moment)
            }
            Phase::Waiting { until } => Ok(vec![Instruction::WaitUntil(until)]),
            Phase::Idle if is_better => self.handle(store, moment, Event::SyncWanted { by_person: false }),
            Phase::Idle | Phase::InFlight { .. } => Ok(vec![]),
        }
    }

    /// Photos are the bulk of what a tester sends.
    pub(super) fn may_photos_travel(&self, store: &Store) -> Result<bool, StoreError> {
        Ok(match self.network {
            Network::Absent | Network::Unmetered => true,
            Network::Metered => settings_get(store.connection())?.metered_use == MeteredUse::Everything,
        })
    }
}
