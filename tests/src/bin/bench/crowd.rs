//! Many testers with a phone each and orders in their feeds, made beside the server: signing thousands in over HTTP would take an hour
//! at the rate that the server allows.

use crate::house::{House, now, silent_tester};
use crate::wire::Wire;
use callout_server::app::access::Role;
use callout_server::app::passwords::PasswordCost;
use callout_server::app::sessions::SignIn;
use callout_server::app::users::UserNew;
use callout_server::app::{App, AppConfig};
use callout_server::env::Env;
use callout_storage::sync_seeding::{FeedSeed, seeded_order_id};
use callout_storage::users::User;
use callout_storage::{Storage, StorageError};
use callout_sync_protocol::ids::{DeviceId, RegionId, UserId, WorkOrderId};
use callout_sync_protocol::sync::SyncRequest;
use callout_tests::world::{DeviceKeys, PASSWORD};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Orders made by one statement.
const CHUNK: u64 = 50_000;
/// Makers of accounts at a time, so that they share flushes of the disk.
const MAKERS: usize = 8;
/// The number of the next order, of all crowds of this process.
static NEXT_ORDER: AtomicU64 = AtomicU64::new(0);
/// Crowds so far, for users' names.
static CROWDS: AtomicUsize = AtomicUsize::new(0);

/// One of them.
#[derive(Debug)]
pub struct CrowdPhone {
    /// Its connection.
    pub wire: Wire,
    /// The phone.
    pub device_id: DeviceId,
    /// The tester's orders.
    pub orders: Vec<WorkOrderId>,
}

impl CrowdPhone {
    /// The same phone on a connection more.
    pub fn again(&self) -> Self {
        Self { wire: self.wire.again(), device_id: self.device_id, orders: self.orders.clone() }
    }

    /// An empty request.
    pub fn request(&self) -> SyncRequest {
        SyncRequest {
            device_id: self.device_id,
            phone_time: now(),
            cursor: None,
            commands: Vec::new(),
            blocks: Vec::new(),
            max_changes: 500,
            checkpoint: None,
        }
    }
}

/// Makes so many testers with so many orders each, signed in.
pub fn crowd(house: &House, phones: usize, orders_each: u64) -> Vec<CrowdPhone> {
    let storage = house.storage();
    let crowd = CROWDS.fetch_add(1, Ordering::SeqCst);
    let config = AppConfig { password_cost: PasswordCost { memory_kib: 8, passes: 1 }, ..AppConfig::default() };
    let app = App::new(storage.clone(), Env::system(), config).unwrap();
    let next = AtomicUsize::new(0);
    let mut made: Vec<(UserId, DeviceId, String)> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..MAKERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut made = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        if number >= phones {
                            return made;
                        }
                        made.push(account(&app, house.region(), &format!("crowd-{crowd}-{number}")));
                    }
                })
            })
            .collect();
        makers.into_iter().flat_map(|maker| maker.join().unwrap()).collect()
    });
    made.sort_by_key(|(user, _, _)| *user);
    let testers = made.iter().map(|(user, _, _)| *user).collect();
    let (first, count) = seed(house, &storage, testers, phones as u64 * orders_each);
    let phone = |(turn, (_, device_id, token)): (usize, (UserId, DeviceId, String))| CrowdPhone {
        wire: Wire::new(house.address(), &token),
        device_id,
        orders: (first + turn as u64..first + count).step_by(phones).map(seeded_order_id).collect(),
    };
    made.into_iter().enumerate().map(phone).collect()
}

fn account(app: &App, region: RegionId, name: &str) -> (UserId, DeviceId, String) {
    let (user, _) = app
        .user_create_as(
            None,
            UserNew {
                user_name: name.to_owned(),
                display_name: name.to_owned(),
                password: PASSWORD.to_owned(),
                roles: vec![Role::FieldTester],
                all_regions: false,
                region_ids: vec![region],
            },
        )
        .unwrap();
    let device = DeviceKeys::new();
    let signed_in = app
        .session_sign_in(SignIn {
            user_name: name.to_owned(),
            password: PASSWORD.to_owned(),
            device_id: DeviceId(device.device_id),
            device_name: "bench".to_owned(),
            platform: "bench".to_owned(),
            public_key: Some(*device.key.verifying_key().as_bytes()),
        })
        .unwrap();
    (user.id, DeviceId(device.device_id), signed_in.access_token)
}

/// Makes so many orders of testers who have none; says with which number they begin, and how many.
pub fn seed(house: &House, storage: &Storage, testers: Vec<UserId>, orders: u64) -> (u64, u64) {
    let first = NEXT_ORDER.fetch_add(orders, Ordering::SeqCst);
    let seed = FeedSeed {
        source_id: UserId(house.admin().user_id),
        region_id: house.region(),
        corner_e6: (37_400_000, 103_400_000),
        testers,
        at: now().plus_seconds(-3_600),
        first,
        until: first + orders,
    };
    for from in (first..seed.until).step_by(CHUNK as usize) {
        let until = (from + CHUNK).min(seed.until);
        storage.write("seed_feed_orders", |tx| tx.seed_feed_orders(&seed, from, until)).unwrap();
    }
    storage.write("seed_feed_ends", |tx| tx.seed_feed_ends(&seed)).unwrap();
    storage.write("statistics_make", |tx| tx.statistics_make()).unwrap();
    (first, orders)
}

/// Testers who never sign in, for the orders of a whole country.
pub fn others(house: &House, storage: &Storage, count: usize) -> Vec<UserId> {
    let testers: Vec<User> = (0..count).map(|number| silent_tester(format!("other-{number}"))).collect();
    storage
        .write("other_testers", |tx| {
            for tester in &testers {
                tx.user_insert(tester)?;
                tx.user_regions_replace(tester.id, &[house.region()])?;
            }
            Ok::<_, StorageError>(())
        })
        .unwrap();
    testers.into_iter().map(|tester| tester.id).collect()
}
