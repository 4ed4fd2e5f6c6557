//! Policies: versions are only added, and the newest is in force.

use super::fixtures::*;
use super::on_both_databases;
use callout_storage::policies::PolicyVersion;
use callout_storage::{Page, Storage, StorageError};
use serde_json::json;
use uuid::Uuid;

on_both_databases!(the_newest_version_is_in_force, a_version_is_set_once);

fn version(number: u64, subject: u128, version: u64) -> PolicyVersion {
    PolicyVersion {
        id: id(number),
        subject_id: Uuid::from_u128(subject),
        kind: "limits".into(),
        region_id: None,
        version,
        document: json!({ "name": "工作日", "days": version }),
        reason: "考核".into(),
        created_by: user(1).id,
        created_at: at(number as i64),
    }
}

fn the_newest_version_is_in_force(storage: &Storage) {
    write(storage, |tx| tx.user_insert(&user(1)));
    let made = [version(1, 7, 1), version(2, 8, 1), version(3, 7, 2)];
    write(storage, |tx| made.iter().try_for_each(|made| tx.policy_insert(made)));
    let subject = made[0].subject_id;
    assert_eq!(read(storage, |tx| tx.policy_current(subject)).as_ref(), Some(&made[2]));
    assert_eq!(read(storage, |tx| tx.policy_current(Uuid::from_u128(9))), None);
    let listed = read(storage, |tx| tx.policy_list(Some(subject), &Page::first(10)));
    assert_eq!(listed, [made[2].clone(), made[0].clone()]);
    assert_eq!(read(storage, |tx| tx.policy_list(None, &Page::first(2))).len(), 2);
}

fn a_version_is_set_once(storage: &Storage) {
    write(storage, |tx| tx.user_insert(&user(1)));
    write(storage, |tx| tx.policy_insert(&version(1, 7, 1)));
    let again = storage.write("test", |tx| tx.policy_insert(&version(2, 7, 1)));
    assert!(matches!(again, Err(StorageError::UniqueViolation { .. })), "{again:?}");
}
