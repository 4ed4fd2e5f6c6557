//! What an app developer sees: one [`Phone`] per data directory.
//!
//! Every act of the tester works offline and is judged at once by the rules that the server will apply; [`Phone::sync`] does the
//! rest whenever there is a network. What does not belong here: the rules (`sync-protocol`), what is sent when (`engine`).

mod accounts;
mod actions;
mod diagnostics;
mod enrolment;
mod evidence;
mod listening;
mod mending;
mod network;
mod photo_file;
mod photo_processing;
mod photos;
mod status;
mod storage;
mod watch;
mod words;

pub use crate::engine::{ListenProgress, Network, NotNow};
pub use crate::store::ChangeSignal;
pub use crate::store::eviction::{Evicted, StoredBytes};
pub use crate::store::settings::MeteredUse;
pub use accounts::{AccountSlot, AccountSlotMalformed, Accounts};
pub use diagnostics::{Diagnostics, StatusCounts};
pub use network::BackgroundSync;
pub use photo_file::PhotoFileError;
pub use photo_processing::PhotoProcessing;
pub use photos::PhotoRequest;
pub use status::{CaptureStatus, CommandCounts, SetAside, Status};
pub use storage::{StorageLevel, StorageUse};
pub use watch::{OrderChange, OrderWatch};

use crate::device_key::DeviceKey;
use crate::engine::{BackoffConfig, Engine, EngineConfig};
use crate::env::Env;
use crate::local_order::{LocalOrder, local_order_get, local_order_list};
use crate::store::account::{Device, device_load_or_create};
use crate::store::lock_file::LockFile;
use crate::store::{Store, StoreError, StoreKey};
use crate::transport::TransportError;
pub use crate::transport::listening::ListenControl;
use callout_sync_protocol::ids::{DeviceId, WorkOrderId};
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Held while a phone's process talks to the server; see [`Phone::sync`].
const SYNC_LOCK_FILE: &str = "sync.lock";

/// What may be set.
#[derive(Clone, Debug)]
pub struct PhoneConfig {
    /// What the administrator sees in the list of devices.
    pub device_name: String,
    /// Where the signing key comes from.
    pub device_key: DeviceKey,
    /// What everything on the phone is sealed with, out of the platform's keystore. Absent only for demonstrations: the data is then
    /// plain. A plain store is sealed when it is first opened with a key.
    pub store_key: Option<StoreKey>,
    /// How long to wait after failures.
    pub backoff: BackoffConfig,
}

impl Default for PhoneConfig {
    fn default() -> Self {
        Self {
            device_name: "phone".to_owned(),
            device_key: DeviceKey::KeptInStore,
            store_key: None,
            backoff: BackoffConfig::default(),
        }
    }
}

/// Why an act did not happen. Nothing was changed, nothing is lost.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The rules do not allow it; the server would say the same.
    #[error("{0}")]
    Rejected(#[from] Rejection),
    /// The server said no.
    #[error("the server refused: {0}")]
    Server(Rejection),
    /// Nobody is signed in, or the session ended.
    #[error("sign in first")]
    SignInNeeded,
    /// An administrator revoked this device. Contacts, and everything that the server has, are gone from it; what is unsent is kept
    /// and goes when the same person signs in again.
    #[error("this device was revoked; what it has not sent is kept until you sign in again")]
    DeviceRevoked,
    /// The item is not one that the server refused, or was dealt with already.
    #[error("there is nothing to mend: the server did not refuse this, or it was dealt with")]
    NothingToMend,
    /// Something is only on this phone.
    #[error("{items} things on this phone were not sent yet; sync first")]
    UnsentWork {
        /// How many.
        items: u64,
    },
    /// The data directory belongs to somebody else.
    #[error("this phone's data belongs to {user_name}; use another data directory")]
    OtherUser {
        /// Who.
        user_name: String,
    },
    /// No order is called so.
    #[error("no order is called {0}")]
    OrderUnknown(String),
    /// Several orders are called so.
    #[error("several orders begin with {0}; give more of it")]
    OrderAmbiguous(String),
    /// Findings that lack something.
    #[error("the findings are kept as a draft; still missing: {}", .0.join(", "))]
    FindingsIncomplete(Vec<&'static str>),
    /// The network did not work; what is queued stays queued.
    #[error("{reason}")]
    Network {
        /// Why.
        reason: String,
        /// When trying again makes sense.
        retry_at: Option<Timestamp>,
    },
    /// Another process of this phone is talking to the server.
    #[error("another sync of this phone is running")]
    SyncRunning,
    /// The file is no photo that can be sent.
    #[error("{path}: {cause}")]
    Photo {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: PhotoFileError,
    },
    /// The samples could not be kept.
    #[error(transparent)]
    Capture(#[from] crate::capture::CaptureError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<TransportError> for PhoneError {
    fn from(error: TransportError) -> Self {
        Self::Network { reason: error.to_string(), retry_at: None }
    }
}

/// One tester's phone.
#[derive(Debug)]
pub struct Phone {
    store: Store,
    env: Arc<dyn Env>,
    config: PhoneConfig,
    device: Device,
    engine: Engine,
    folder: PathBuf,
}

impl Phone {
    /// Opens the phone's data in `folder`, making it at the first start.
    ///
    /// # Errors
    /// [`StoreError`]; a newer schema is left untouched.
    pub fn open(folder: &Path, config: PhoneConfig, env: Arc<dyn Env>) -> Result<Self, StoreError> {
        let mut store = Store::open_with(folder, config.store_key.as_ref())?;
        let device = store.write(|connection| device_load_or_create(connection, env.as_ref(), &config.device_key))?;
        let engine = Engine::new(EngineConfig { backoff: config.backoff }, device.clone());
        Ok(Self { store, env, config, device, engine, folder: folder.to_owned() })
    }

    /// A second handle on the same data, for a host with several threads: one syncs for as long as it takes while the tester goes on
    /// with the other. Writes through either raise the same [`ChangeSignal`].
    ///
    /// # Errors
    /// As [`Phone::open`].
    pub fn beside(&self) -> Result<Self, StoreError> {
        let mut beside = Self::open(&self.folder, self.config.clone(), self.env.clone())?;
        beside.store.signal_share(self.store.change_signal());
        Ok(beside)
    }

    /// This installation's id, as enrolled with the server.
    pub fn device_id(&self) -> DeviceId {
        self.device.id
    }

    /// The public half of the key that signs this phone's blocks.
    pub fn public_key(&self) -> [u8; 32] {
        self.device.signing_key.verifying_key().to_bytes()
    }

    /// The store, for hosts that drive the engine themselves, and for diagnosis.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Let go of when it is dropped, or the process ends in whatever way.
    fn sync_lock(&self) -> Result<LockFile, PhoneError> {
        LockFile::open(&self.folder.join(SYNC_LOCK_FILE))?.try_lock()?.ok_or(PhoneError::SyncRunning)
    }

    /// Every order of this phone, the most urgent first; those that left at the end.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn orders(&self) -> Result<Vec<LocalOrder>, PhoneError> {
        if self.revoked_at()?.is_some() {
            return Ok(vec![]);
        }
        Ok(local_order_list(self.store.connection())?)
    }

    /// One order.
    ///
    /// # Errors
    /// [`PhoneError::OrderUnknown`].
    pub fn order(&self, id: WorkOrderId) -> Result<LocalOrder, PhoneError> {
        if self.revoked_at()?.is_some() {
            return Err(PhoneError::DeviceRevoked);
        }
        local_order_get(self.store.connection(), id)?.ok_or_else(|| PhoneError::OrderUnknown(id.to_string()))
    }

    /// The order that people call so: by its id, its number, or a beginning of one of them that no other order has.
    ///
    /// # Errors
    /// [`PhoneError::OrderUnknown`], [`PhoneError::OrderAmbiguous`].
    pub fn order_find(&self, name: &str) -> Result<WorkOrderId, PhoneError> {
        let name = name.trim();
        let orders = self.orders()?;
        let exact = orders.iter().find(|order| order.view.number == name || order.view.id.to_string() == name);
        if let Some(order) = exact {
            return Ok(order.view.id);
        }
        let wanted = name.to_ascii_lowercase();
        let mut matches = orders.iter().filter(|order| {
            let number = order.view.number.to_ascii_lowercase();
            order.view.id.to_string().starts_with(&wanted) || number.starts_with(&wanted) || number.ends_with(&wanted)
        });
        match (matches.next(), matches.next()) {
            _ if wanted.is_empty() => Err(PhoneError::OrderUnknown(name.to_owned())),
            (Some(order), None) => Ok(order.view.id),
            (Some(_), Some(_)) => Err(PhoneError::OrderAmbiguous(name.to_owned())),
            (None, _) => Err(PhoneError::OrderUnknown(name.to_owned())),
        }
    }
}
