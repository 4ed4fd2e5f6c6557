//! Every schema that was ever released opens, with its unsent work whole; a newer one is left untouched.

use crate::plain::support::server::Server;
use crate::plain::support::{TestEnv, folder};
use callout_mobile_sdk::facade::{Phone, PhoneConfig};
use callout_mobile_sdk::store::blocks::block_list_sealed;
use callout_mobile_sdk::store::orders::order_list;
use callout_mobile_sdk::store::photos::photo_list_held;
use callout_mobile_sdk::store::{Connection, Store, StoreError};
use callout_mobile_sdk::{Env as _, StoreKey};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{block_open, block_verify};
use ed25519_dalek::VerifyingKey;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A phone's folder as the release of schema `number` left it.
fn fixture(number: u32) -> TempDir {
    let place = folder();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/phone/fixtures/schema-{number:04}"));
    fs::create_dir_all(place.path().join("photos")).unwrap();
    let connection = Connection::open(place.path().join("phone.sqlite")).unwrap();
    connection.execute_batch(&fs::read_to_string(from.join("store.sql")).unwrap()).unwrap();
    for photo in fs::read_dir(from.join("photos")).unwrap().flatten() {
        fs::copy(photo.path(), place.path().join("photos").join(photo.file_name())).unwrap();
    }
    place
}

fn keys() -> [Option<StoreKey>; 2] {
    [None, Some(StoreKey::from_bytes([0x3C; 32]))]
}

#[test]
fn schema_1_migrates_with_its_unsent_work() {
    for store_key in keys() {
        let place = fixture(1);
        let env = TestEnv::new();
        let config = || PhoneConfig { store_key: store_key.clone(), ..PhoneConfig::default() };
        let mut phone = Phone::open(place.path(), config(), env.clone()).unwrap();
        let status = phone.status().unwrap();
        assert_eq!((status.commands.waiting, status.commands.accepted), (12, 2));
        assert_eq!((status.captures.samples, status.captures.unsealed_samples), (361, 130));
        assert_eq!((status.blocks.sealed, status.blocks.samples, status.photos.waiting), (2, 231, 1));
        let connection = phone.store().connection();
        let key = VerifyingKey::from_bytes(&phone.public_key()).unwrap();
        for (_, upload) in block_list_sealed(connection, env.now(), 10, usize::MAX).unwrap() {
            block_verify(&upload.bytes, &key).unwrap();
            assert!(!block_open(&upload.bytes).unwrap().1.is_empty());
        }
        let (photo, is_confirmed) = photo_list_held(connection).unwrap().remove(0);
        assert!(!is_confirmed);
        let orders = phone.orders().unwrap();
        assert!(orders.iter().all(|order| order.is_in_scope && order.view.customer.phone == "13912345678"));
        let drafts = orders.iter().filter_map(|order| phone.findings_draft(order.view.id).unwrap());
        let problems: Vec<_> = drafts.filter_map(|draft| draft.problem).collect();
        assert!(problems.contains(&"no signal at all".to_owned()), "{problems:?}");
        // All of it reaches a server that knows these orders, once.
        let mut server = Server::new(env.clone());
        server.user_id = status.user_id;
        for order in order_list(connection).unwrap() {
            server.order_put(order.view);
        }
        phone.sign_in(&mut server, "tester", "correct horse").unwrap();
        let unsealed =
            orders.iter().find(|order| order.view.state == callout_sync_protocol::work_orders::WorkOrderState::OnSite);
        assert_eq!(phone.capture_seal(unsealed.unwrap().view.id).unwrap(), 1);
        let summary = phone.sync(&mut server, 3, &mut |_| {}).unwrap();
        assert_eq!((summary.commands_accepted, summary.commands_rejected), (12, 0));
        assert_eq!((summary.blocks_stored, summary.photos_stored), (3, 1));
        assert_eq!(server.samples_received(), 361);
        assert_eq!(server.uploads[&photo.manifest.id].bytes.len() as u64, photo.manifest.byte_length);
        // And work goes on with what is new since.
        let session =
            phone.capture_begin(unsealed.unwrap().view.id, Operator::ChinaTelecom, &callout_mobile_sdk::Source::Live);
        session.unwrap();
        drop(phone);
        Phone::open(place.path(), config(), env).unwrap();
    }
}

/// Killed before the migration's commit, the store has its old schema; asked again, it migrates.
#[test]
fn a_migration_is_done_whole_or_not_at_all() {
    let place = fixture(1);
    let path = place.path().join("phone.sqlite");
    let connection = Connection::open(&path).unwrap();
    // Something in the way of the last step: all steps before it are taken back.
    connection.execute_batch("CREATE TABLE sync_history (other INTEGER)").unwrap();
    assert!(matches!(Store::open(place.path()), Err(StoreError::Sqlite(_))));
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let columns: i64 = connection
        .query_row("SELECT count(*) FROM pragma_table_info('commands') WHERE name = 'failures'", [], |row| row.get(0))
        .unwrap();
    assert_eq!((version, columns), (1, 0));
    connection.execute_batch("DROP TABLE sync_history").unwrap();
    drop(connection);
    Store::open(place.path()).unwrap();
}

/// Of a version that does not exist yet: refused by name, nothing changed, no key made for it.
#[test]
fn a_newer_schema_is_left_untouched_with_and_without_a_key() {
    for store_key in keys() {
        let place = fixture(1);
        let path = place.path().join("phone.sqlite");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 77).unwrap();
        drop(connection);
        let before = fs::read(&path).unwrap();
        let opened = Store::open_with(place.path(), store_key.as_ref());
        assert!(matches!(opened, Err(StoreError::NewerSchema { found: 77, .. })), "{opened:?}");
        assert_eq!(fs::read(&path).unwrap(), before);
        assert!(!place.path().join("phone.keys").exists());
    }
}
