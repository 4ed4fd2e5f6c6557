//! Servers over one database and one store, with a settable clock.

use callout_server::app::access::{Caller, Role, RoleSet};
use callout_server::app::tokens::{SigningKey, TokenKeys};
use callout_server::app::{App, AppConfig};
use callout_server::env::{Clock, Entropy, Env};
use callout_server::photos::service::{PhotoService, PhotoSettings};
use callout_server::photos::store::PhotoStore;
use callout_storage::devices::Device;
use callout_storage::events::SubjectKind;
use callout_storage::photos::{Photo, PhotoState};
use callout_storage::sessions::Session;
use callout_storage::users::User;
use callout_storage::{Standing, Storage, StorageError, TemporaryStorage};
use callout_sync_protocol::ids::{DeviceId, FieldTestId, PhotoId, SessionId, UserId, WorkOrderId, uuid_v7};
use callout_sync_protocol::photos::{MediaType, PhotoHash, PhotoPurpose};
use callout_sync_protocol::time::Timestamp;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tempfile::TempDir;

/// 2026-11-21T00:00:00Z.
const NOW: i64 = 1_795_219_200;
/// How long an upload may rest, in seconds.
pub const LIFETIME: i64 = 7 * 24 * 3_600;

pub fn sha256(bytes: &[u8]) -> PhotoHash {
    PhotoHash(Sha256::digest(bytes).into())
}

/// A clock that stands until it is moved.
pub struct StandingClock(AtomicI64);

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

impl StandingClock {
    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

/// Bytes that never repeat, and never surprise.
pub struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        bytes.iter_mut().rev().zip(count.iter().rev()).for_each(|(byte, count)| *byte = *count);
    }
}

/// An environment whose clock stands at `unix_seconds`, and that clock.
pub fn environment(unix_seconds: i64) -> (Env, Arc<StandingClock>) {
    let clock = Arc::new(StandingClock(AtomicI64::new(unix_seconds * 1_000_000)));
    (Env::new(clock.clone(), Arc::new(CountingEntropy(AtomicU64::new(0)))), clock)
}

/// Tester `number`, signed in on phone `number`.
pub fn tester(number: u8) -> Caller {
    Caller {
        user_id: UserId(uuid_v7(1, [number; 10])),
        session_id: SessionId(uuid_v7(6, [number; 10])),
        device_id: DeviceId(uuid_v7(2, [number; 10])),
        roles: RoleSet::of(&[Role::FieldTester]),
    }
}

/// A lead of all regions.
pub fn lead() -> Caller {
    Caller { roles: RoleSet::of(&[Role::RegionalLead]), ..tester(7) }
}

/// Servers over one database and one store.
pub struct World {
    pub database: TemporaryStorage,
    pub store: PhotoStore,
    pub clock: Arc<StandingClock>,
    env: Env,
}

impl World {
    /// A world without photos, with two testers, [`tester`] 1 and 2, and the [`lead`], signed in.
    pub fn over(store: PhotoStore) -> Self {
        let (env, clock) = environment(NOW);
        let now = env.now();
        let user = |caller: &Caller, user_name: &str| User {
            id: caller.user_id,
            user_name: user_name.into(),
            user_name_folded: user_name.into(),
            display_name: user_name.into(),
            password_hash: "none".into(),
            roles: vec![],
            all_regions: caller.roles.has(Role::RegionalLead),
            is_active: true,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let device = |caller: &Caller| Device {
            id: caller.device_id,
            user_id: caller.user_id,
            name: "phone".into(),
            platform: "android 14".into(),
            public_key: None,
            enrolled_at: now,
            last_seen_at: now,
            revoked_at: None,
        };
        let session = |caller: &Caller| Session {
            id: caller.session_id,
            user_id: caller.user_id,
            device_id: caller.device_id,
            created_at: now,
            revoked_at: None,
            revoke_reason: None,
        };
        let database = Storage::temporary().unwrap();
        let begun = database.storage.write("begin", |tx| {
            for (caller, name) in [(tester(1), "first"), (tester(2), "second"), (lead(), "lead")] {
                tx.user_insert(&user(&caller, name))?;
                tx.device_insert(&device(&caller))?;
                tx.session_insert(&session(&caller))?;
            }
            Ok(())
        });
        begun.map_err(|error: StorageError| error.to_string()).unwrap();
        Self { database, store, clock, env }
    }

    pub fn in_folder() -> (Self, TempDir) {
        let folder = TempDir::new().unwrap();
        (Self::over(PhotoStore::open_folder(folder.path()).unwrap()), folder)
    }

    /// Another server, or the same one after it was killed.
    pub fn server(&self) -> Arc<PhotoService> {
        let settings = PhotoSettings { upload_lifetime_seconds: LIFETIME, ..PhotoSettings::default() };
        Arc::new(PhotoService::new(self.app(), self.store.clone(), settings))
    }

    pub fn app(&self) -> App {
        App::new(self.database.storage.clone(), self.env.clone(), AppConfig::default()).unwrap()
    }

    /// An access token, as a sign-in gives it.
    pub fn token(&self, caller: &Caller) -> String {
        let mut keys = self.database.storage.read("keys", |tx| tx.signing_key_list(self.env.now())).unwrap();
        let key = keys.pop().unwrap();
        TokenKeys::new(SigningKey { id: key.id, secret: key.secret }, vec![]).issue(caller, self.env.now()).unwrap().0
    }

    /// The photo is announced with these bytes, as a sync does it.
    pub fn announce(&self, id: PhotoId, bytes: &[u8], media_type: MediaType) {
        let photo = Photo {
            id,
            field_test_id: FieldTestId(uuid_v7(4, [1; 10])),
            work_order_id: WorkOrderId(uuid_v7(5, [1; 10])),
            tester_id: tester(1).user_id,
            device_id: tester(1).device_id,
            hash: sha256(bytes),
            byte_length: bytes.len() as u64,
            media_type,
            purpose: PhotoPurpose::Surroundings,
            captured_at: self.env.now(),
            latitude_e6: None,
            longitude_e6: None,
            accuracy_m: None,
            is_mock: false,
            state: PhotoState::Announced,
            refusal: None,
            standing: Standing::Accepted,
            standing_reason: None,
            object_key: None,
            thumbnail_key: None,
            width: None,
            height: None,
            exif: None,
            announced_at: self.env.now(),
            stored_at: None,
        };
        assert!(self.database.storage.write("announce", |tx| tx.photo_insert(&photo)).unwrap());
    }

    pub fn photo(&self, id: PhotoId) -> Photo {
        self.database.storage.read("photo", |tx| tx.photo_by_id(id)).unwrap().unwrap()
    }

    /// What the order's trail tells, action by action.
    pub fn trail(&self, photo: &Photo) -> Vec<String> {
        let id = photo.work_order_id.into();
        let events =
            self.database.storage.read("trail", |tx| tx.event_list(SubjectKind::WorkOrder, id, 0, 100)).unwrap();
        events.into_iter().map(|event| event.action).collect()
    }

    /// The administrator shuts a phone out.
    pub fn device_revoke(&self, id: DeviceId) {
        let now = self.env.now();
        let revoked = self.database.storage.write("device_revoke", |tx| {
            let device = tx.device_by_id(id)?.unwrap();
            tx.device_update(&Device { revoked_at: Some(now), ..device })
        });
        revoked.unwrap();
    }

    /// Changes the row directly, as another part of the server does.
    pub fn photo_change(&self, id: PhotoId, mut change: impl FnMut(&mut Photo)) {
        let changed = self.database.storage.write("photo_change", |tx| {
            let mut photo = tx.photo_lock(id)?.unwrap();
            change(&mut photo);
            tx.photo_update(&photo)
        });
        changed.unwrap();
    }
}
