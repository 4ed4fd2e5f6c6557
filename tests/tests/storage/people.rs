//! Users, devices, sessions, keys, regions.

use super::fixtures::*;
use super::on_both_databases;
use callout_storage::sessions::{RefreshToken, Session};
use callout_storage::signing_keys::SigningKey;
use callout_storage::users::Role;
use callout_storage::{Page, Storage, StorageError};
use callout_sync_protocol::ids::{SessionId, UserId};

on_both_databases!(
    users_round_trip_and_are_found_whatever_the_case,
    a_user_changed_meanwhile_is_a_conflict,
    users_page_newest_first_and_by_region,
    devices_and_sessions_end,
    devices_that_are_signed_in,
    refresh_tokens_rotate,
    signing_keys_retire,
    regions_are_found_by_bounding_box,
    texts_with_a_zero_character_and_unknown_references_are_typed_errors,
);

fn users_round_trip_and_are_found_whatever_the_case(storage: &Storage) {
    let mut made = user(1);
    made.user_name = "ÄpfelÉ王".to_owned();
    made.user_name_folded = "äpfelé王".to_owned();
    write(storage, |tx| tx.user_insert(&made));
    assert_eq!(read(storage, |tx| tx.user_by_id(made.id)).as_ref(), Some(&made));
    assert_eq!(read(storage, |tx| tx.user_by_name("äPFELÉ王")).as_ref(), Some(&made));
    assert_eq!(read(storage, |tx| tx.user_by_name("apfel")), None);
    assert_eq!(read(storage, |tx| tx.user_count()), 1);

    let mut same_name = user(2);
    same_name.user_name = "ÄPFELÉ王".to_owned();
    let taken = storage.write("test", |tx| tx.user_insert(&same_name)).unwrap_err();
    match taken {
        StorageError::UniqueViolation { what } => assert!(what.contains("user_name_folded"), "{what}"),
        other => panic!("{other:?}"),
    }
}

fn a_user_changed_meanwhile_is_a_conflict(storage: &Storage) {
    let made = user(1);
    write(storage, |tx| tx.user_insert(&made));
    let (mut mine, mut theirs) = (made.clone(), made);
    mine.roles = vec![Role::Auditor];
    write(storage, |tx| tx.user_update(&mut mine.clone()));
    assert!(matches!(
        storage.write("test", |tx| tx.user_update(&mut theirs)),
        Err(StorageError::Conflict { what: "user" })
    ));
    assert_eq!(theirs.version, 1, "a failed update leaves the record as it was");
    mine = read(storage, |tx| tx.user_by_id(mine.id)).unwrap();
    assert_eq!((mine.version, mine.roles.as_slice()), (2, [Role::Auditor].as_slice()));
}

fn users_page_newest_first_and_by_region(storage: &Storage) {
    let places = [region(10, 30, 114), region(11, 31, 114)];
    write(storage, |tx| {
        places.iter().try_for_each(|place| tx.region_insert(place))?;
        for number in 1..=7 {
            let mut made = user(number);
            // Three of the same instant: the id decides.
            made.created_at = at(number as i64 / 3);
            made.all_regions = number == 7;
            made.is_active = number != 6;
            tx.user_insert(&made)?;
            tx.user_regions_replace(made.id, &[places[number as usize % 2].id, places[number as usize % 2].id])?;
        }
        Ok(())
    });
    let mut page = Page::<UserId>::first(2);
    let mut seen = Vec::new();
    loop {
        let users = read(storage, |tx| tx.user_list(&page));
        let Some(last) = users.last() else { break };
        page.after = Some((last.created_at, last.id));
        seen.extend(users.iter().map(|user| user.id));
    }
    assert_eq!(seen, (1..=7).rev().map(id).collect::<Vec<UserId>>());

    let found = read(storage, |tx| tx.user_list_by_region(places[0].id));
    let found: Vec<UserId> = found.iter().map(|user| user.id).collect();
    // Number 6 is inactive; number 7 is bound to the other region, but may work in all.
    assert_eq!(found, [2, 4, 7].map(id).to_vec());
    assert_eq!(read(storage, |tx| tx.user_region_ids(id(3))), vec![places[1].id]);
}

fn devices_and_sessions_end(storage: &Storage) {
    let world = world(storage);
    let session = |number| Session {
        id: id(number),
        user_id: world.tester.id,
        device_id: world.device.id,
        created_at: at(1),
        revoked_at: None,
        revoke_reason: None,
    };
    let mut device = world.device.clone();
    device.revoked_at = Some(at(9));
    write(storage, |tx| {
        tx.session_insert(&session(40))?;
        tx.session_insert(&session(41))?;
        tx.device_seen(device.id, at(8))?;
        device.last_seen_at = at(9);
        tx.device_update(&device)
    });
    assert_eq!(read(storage, |tx| tx.device_list_by_user(world.tester.id)), vec![device.clone()]);
    assert_eq!(read(storage, |tx| tx.device_list(&Page::first(10))).len(), 2);
    let first: SessionId = id(40);
    // The device is shut out, so nothing on it stands, although neither session was ended.
    let standing = read(storage, |tx| tx.session_standing(first)).unwrap();
    assert_eq!((standing.user_id, standing.stands, standing.all_regions), (world.tester.id, false, false));
    device.revoked_at = None;
    write(storage, |tx| tx.device_update(&device));
    assert!(read(storage, |tx| tx.session_standing(first)).unwrap().stands);
    assert_eq!(read(storage, |tx| tx.session_standing(id(99))), None);
    assert!(write(storage, |tx| tx.session_revoke(first, at(5), "signed_out")));
    assert!(!write(storage, |tx| tx.session_revoke(first, at(6), "token_reused")), "the first end stands");
    assert_eq!(write(storage, |tx| tx.session_revoke_by_device(device.id, at(7), "device_revoked")), 1);
    assert_eq!(write(storage, |tx| tx.session_revoke_by_user(world.tester.id, at(7), "left")), 0);
    assert_eq!(read(storage, |tx| tx.session_list_revoked_since(at(5))).len(), 2);
    assert!(!read(storage, |tx| tx.session_list_revoked_since(at(6))).contains(&first));
    assert_eq!(read(storage, |tx| tx.session_list_revoked_since(at(8))), []);
    assert!(!read(storage, |tx| tx.session_standing(first)).unwrap().stands);
    let ended = write(storage, |tx| tx.session_lock(first)).unwrap();
    assert_eq!((ended.revoked_at, ended.revoke_reason.as_deref()), (Some(at(5)), Some("signed_out")));
}

fn refresh_tokens_rotate(storage: &Storage) {
    let world = world(storage);
    let token = |number: u8| RefreshToken {
        token_hash: [number; 32],
        session_id: id(40),
        issued_at: at(1),
        expires_at: at(100 + i64::from(number)),
        used_at: None,
        successor_hash: None,
    };
    write(storage, |tx| {
        tx.session_insert(&Session {
            id: id(40),
            user_id: world.tester.id,
            device_id: world.device.id,
            created_at: at(1),
            revoked_at: None,
            revoke_reason: None,
        })?;
        tx.refresh_token_insert(&token(1))?;
        tx.refresh_token_insert(&token(2))?;
        tx.refresh_token_use(&[1; 32], at(3), &[2; 32])
    });
    let used = read(storage, |tx| tx.refresh_token_by_hash(&[1; 32])).unwrap();
    assert_eq!((used.used_at, used.successor_hash), (Some(at(3)), Some([2; 32])));
    write(storage, |tx| tx.refresh_token_insert(&token(3)));
    assert_eq!(
        write(storage, |tx| tx.refresh_token_supersede(id(40), &[3; 32], at(4))),
        1,
        "of the unused, all but one"
    );
    let superseded = read(storage, |tx| tx.refresh_token_by_hash(&[2; 32])).unwrap();
    assert_eq!((superseded.used_at, superseded.successor_hash), (Some(at(4)), None));
    assert_eq!(read(storage, |tx| tx.refresh_token_by_hash(&[3; 32])), Some(token(3)));
    assert!(matches!(
        storage.write("test", |tx| tx.refresh_token_use(&[9; 32], at(3), &[3; 32])),
        Err(StorageError::NotFound { .. })
    ));
    assert_eq!(write(storage, |tx| tx.refresh_token_delete_expired(at(101))), 0, "until its last instant it is good");
    assert_eq!(write(storage, |tx| tx.refresh_token_delete_expired(at(102))), 1);
}

fn signing_keys_retire(storage: &Storage) {
    let key = |name: &str, number| SigningKey {
        id: name.to_owned(),
        secret: vec![0, 1, 0, 255],
        created_at: at(number),
        retire_at: None,
    };
    write(storage, |tx| {
        tx.signing_key_insert(&key("a", 1))?;
        tx.signing_key_insert(&key("b", 2))?;
        tx.signing_key_retire("a", at(10))
    });
    let names = |instant| -> Vec<String> {
        read(storage, |tx| tx.signing_key_list(instant)).into_iter().map(|key| key.id).collect()
    };
    assert_eq!(names(at(9)), ["b", "a"]);
    assert_eq!(names(at(10)), ["b"]);
    assert_eq!(read(storage, |tx| tx.signing_key_list(at(10)))[0].secret, [0, 1, 0, 255]);
}

fn regions_are_found_by_bounding_box(storage: &Storage) {
    let (south, north) = (region(10, 30, 114), region(11, 31, 114));
    write(storage, |tx| {
        tx.region_insert(&south)?;
        tx.region_insert(&north)
    });
    assert_eq!(read(storage, |tx| tx.region_by_id(south.id)).as_ref(), Some(&south));
    let ids = |latitude_e6, longitude_e6| -> Vec<_> {
        let found = read(storage, |tx| tx.region_candidates_at(latitude_e6, longitude_e6));
        found.into_iter().map(|region| region.id).collect()
    };
    assert_eq!(ids(30_500_000, 114_500_000), [south.id]);
    assert_eq!(ids(31_000_000, 114_500_000), [south.id, north.id], "the edge belongs to both boxes");
    assert!(ids(30_500_000, 113_999_999).is_empty());

    let mut changed = north.clone();
    changed.name = south.name.clone();
    assert!(matches!(
        storage.write("test", |tx| tx.region_update(&mut changed)),
        Err(StorageError::UniqueViolation { .. })
    ));
    changed.name = "another".to_owned();
    write(storage, |tx| tx.region_update(&mut changed.clone()));
    assert_eq!(read(storage, |tx| tx.region_list(&Page::first(10)))[0].name, "another");
}

fn texts_with_a_zero_character_and_unknown_references_are_typed_errors(storage: &Storage) {
    let mut made = user(1);
    made.display_name = "a\0b".to_owned();
    let refused = storage.write("test", |tx| tx.user_insert(&made));
    assert!(matches!(refused, Err(StorageError::Unstorable { .. })), "{refused:?}");
    let mut place = region(10, 30, 114);
    place.boundary = serde_json::json!({"type": "\0"});
    let refused = storage.write("test", |tx| tx.region_insert(&place));
    assert!(matches!(refused, Err(StorageError::Unstorable { .. })), "{refused:?}");
    // A backslash before "u0000" is six characters, not a zero character.
    place.boundary = serde_json::json!({"type": "\\u0000"});
    write(storage, |tx| tx.region_insert(&place));
    assert_eq!(read(storage, |tx| tx.region_by_id(place.id)).unwrap().boundary, place.boundary);

    let nobodys = storage.write("test", |tx| tx.device_insert(&device(3, id(99))));
    assert!(matches!(nobodys, Err(StorageError::MissingReference { .. })), "{nobodys:?}");
    assert!(!nobodys.unwrap_err().to_string().to_lowercase().contains("insert"), "no SQL in what people read");
}

fn devices_that_are_signed_in(storage: &Storage) {
    let mut made = user(1);
    write(storage, |tx| tx.user_insert(&made));
    let session = |number: u64, of: u64| Session {
        id: id(100 + number),
        user_id: id(1),
        device_id: id(of),
        created_at: at(2),
        revoked_at: None,
        revoke_reason: None,
    };
    write(storage, |tx| {
        for number in 10..15 {
            tx.device_insert(&device(number, id(1)))?;
            tx.device_seen(id(number), at(number as i64))?;
        }
        // 10 was never signed in; 11 twice; 12 signed out; 13 was shut out.
        for (number, of) in [(1, 11), (2, 11), (3, 12), (4, 13), (5, 14)] {
            tx.session_insert(&session(number, of))?;
        }
        tx.session_revoke(id(103), at(20), "signed out")?;
        let mut lost = tx.device_by_id(id(13))?.unwrap();
        lost.revoked_at = Some(at(21));
        tx.device_update(&lost)
    });
    let signed_in = |user: u64| read(storage, |tx| tx.device_list_signed_in(id(user)));
    assert_eq!(signed_in(1), [id(14), id(11)], "the last one heard of first");
    assert_eq!(signed_in(2), []);
    made.is_active = false;
    write(storage, |tx| tx.user_update(&mut made.clone()));
    assert_eq!(signed_in(1), [], "a user who was shut out");
}
