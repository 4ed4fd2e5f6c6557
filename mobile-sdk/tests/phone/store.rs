//! The store itself: versions, foreign files, keys, modes.

use super::support::{TestEnv, World, folder};
use callout_mobile_sdk::DeviceKey;
use callout_mobile_sdk::facade::{Phone, PhoneConfig};
use callout_mobile_sdk::store::{Store, StoreError};
use std::fs;
use tempfile::TempDir;

fn set_version(folder: &TempDir, version: i64) {
    let store = Store::open_with(folder.path(), super::support::store_key().as_ref()).unwrap();
    store.connection().pragma_update(None, "user_version", version).unwrap();
    store.checkpoint().unwrap();
}

fn file_bytes(folder: &TempDir) -> Vec<u8> {
    fs::read(folder.path().join("phone.sqlite")).unwrap()
}

#[test]
fn a_newer_schema_is_refused_and_untouched() {
    let folder = folder();
    set_version(&folder, 9_999);
    let before = file_bytes(&folder);
    let ended = Store::open_with(folder.path(), super::support::store_key().as_ref());
    assert!(matches!(ended, Err(StoreError::NewerSchema { found: 9_999, known: 2 })), "{ended:?}");
    assert_eq!(file_bytes(&folder), before);
}

#[test]
fn a_foreign_file_is_refused_and_untouched() {
    let folder = folder();
    let path = folder.path().join("phone.sqlite");
    fs::write(&path, b"a letter to grandmother, long enough to be taken for a header of something else .............")
        .unwrap();
    let before = file_bytes(&folder);
    assert!(matches!(
        Store::open_with(folder.path(), super::support::store_key().as_ref()),
        Err(StoreError::NotAStore { .. })
    ));
    assert_eq!(file_bytes(&folder), before);
    fs::remove_file(&path).unwrap();
    set_version(&folder, 2);
    let store = Store::open_with(folder.path(), super::support::store_key().as_ref()).unwrap();
    store.connection().pragma_update(None, "application_id", 77).unwrap();
    drop(store);
    assert!(matches!(
        Store::open_with(folder.path(), super::support::store_key().as_ref()),
        Err(StoreError::NotAStore { .. })
    ));
}

#[test]
fn a_store_opens_again_as_it_was() {
    let world = World::synced(&[1]);
    let (device, key) = (world.phone.device_id(), world.phone.public_key());
    let again = super::support::open(world.folder.path(), &world.env);
    assert_eq!((again.device_id(), again.public_key()), (device, key));
    assert_eq!(again.orders().unwrap(), world.phone.orders().unwrap());
}

/// What was acknowledged must be on the medium, not in the operating system's memory.
#[test]
fn commits_wait_for_the_medium() {
    let folder = folder();
    let store = Store::open_with(folder.path(), super::support::store_key().as_ref()).unwrap();
    let pragma = |name: &str| {
        store.connection().pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
    };
    assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(2));
    assert_eq!(pragma("journal_mode"), rusqlite::types::Value::Text("wal".to_owned()));
    assert_eq!(pragma("secure_delete"), rusqlite::types::Value::Integer(1));
}

#[test]
fn a_failed_write_changes_nothing() {
    let mut world = World::synced(&[1]);
    world.phone.accept(super::support::order_id(1)).unwrap();
    let mut store = Store::open_with(world.folder.path(), super::support::store_key().as_ref()).unwrap();
    let failed: Result<(), StoreError> = store.write(|connection| {
        connection.execute("DELETE FROM commands", [])?;
        Err(StoreError::Damaged { what: "a test" })
    });
    failed.unwrap_err();
    assert_eq!(world.phone.status().unwrap().commands.waiting, 1);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::synced(&[1]);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.folder.path()), 0o700);
    for name in ["phone.sqlite", "phone.sqlite-wal"] {
        assert_eq!(mode(&world.folder.path().join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_key_from_the_keystore_is_never_written_down() {
    let folder = folder();
    let env = TestEnv::new();
    let secret = [0xA5; 32];
    let open = |key: DeviceKey| {
        Phone::open(folder.path(), PhoneConfig { device_key: key, ..super::support::config() }, env.clone())
    };
    let phone = open(DeviceKey::from_secret_bytes(&secret)).unwrap();
    phone.store().checkpoint().unwrap();
    assert!(!file_bytes(&folder).windows(32).any(|window| window == secret));
    drop(phone);
    assert!(matches!(open(DeviceKey::KeptInStore), Err(StoreError::KeyAbsent)));
    assert!(matches!(open(DeviceKey::from_secret_bytes(&[1; 32])), Err(StoreError::KeyMismatch)));
    open(DeviceKey::from_secret_bytes(&secret)).unwrap();
}
