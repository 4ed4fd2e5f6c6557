//! Lookalikes of photos, kept ladders and tracks, demands and the board's meetings.

use super::fixtures::*;
use super::on_both_databases;
use callout_server::workflow::field_tests::MAX_SAME_PHOTO_BITS;
use callout_storage::build_demands::{BuildDemand, BuildDemandDecision, Surroundings};
use callout_storage::field_test_tracks::FieldTestTracks;
use callout_storage::order_ladders::OrderLadder;
use callout_storage::photo_hashes::MAX_DISTANCE;
use callout_storage::review_meetings::ReviewMeeting;
use callout_storage::{Page, RegionScope, Storage, StorageError};
use callout_sync_protocol::evidence::EvidenceTemplate;
use callout_sync_protocol::ids::{BuildDemandId, PhotoId, RegionId, ReviewMeetingId};
use callout_sync_protocol::operators::Operator;
use serde_json::json;

on_both_databases!(
    lookalikes_are_found_up_to_seven_bits_and_no_further,
    what_was_kept_of_a_test_and_of_a_ladder,
    a_meeting_is_one_of_its_region_and_instant,
    demands_go_from_meeting_to_meeting,
    complainants_are_counted_by_customer_and_place,
);

fn lookalikes_are_found_up_to_seven_bits_and_no_further(storage: &Storage) {
    assert_eq!(MAX_DISTANCE, MAX_SAME_PHOTO_BITS, "the rule asks for no more than the index finds");
    let world = world(storage);
    let other = add_order(storage, &world, 31, Some(world.region.id));
    let test = field_test(50, other.id, world.tester.id, world.device.id);
    let hash = 0x0f1e_2d3c_4b5a_6978_u64;
    // Each differs from the hash in its own number of bits, spread over the bands.
    let spread = |bits: u32| (0..bits).fold(hash, |hash, bit| hash ^ 1 << (bit * 9 % 64));
    write(storage, |tx| {
        for bits in 0..=9u32 {
            let photo = photo(100 + u64::from(bits), &test);
            tx.photo_insert(&photo)?;
            tx.photo_hash_put(photo.id, photo.work_order_id, spread(bits))?;
        }
        // Far away in every band.
        let photo = photo(200, &test);
        tx.photo_insert(&photo)?;
        tx.photo_hash_put(photo.id, photo.work_order_id, !hash)
    });
    let found = |distance, other_than| {
        let found = read(storage, |tx| tx.photo_lookalikes(hash, distance, other_than, 100));
        found.into_iter().map(|like| (like.photo_id, like.distance)).collect::<Vec<_>>()
    };
    let expected = |most: u32| (0..=most).map(|bits| (id::<PhotoId>(100 + u64::from(bits)), bits)).collect::<Vec<_>>();
    for distance in 0..=7 {
        assert_eq!(found(distance, world.order.id), expected(distance));
    }
    assert_eq!(found(64, world.order.id), expected(7), "no more than the index promises");
    assert_eq!(found(7, other.id), [], "an order's own photos are no lookalikes");
    let one = read(storage, |tx| tx.photo_lookalikes(hash, 7, world.order.id, 1));
    assert_eq!((one.len(), one[0].perceptual_hash, one[0].work_order_id), (1, hash, other.id));
    // A hash put again replaces the earlier one.
    write(storage, |tx| tx.photo_hash_put(id(200), other.id, hash));
    assert_eq!(found(0, world.order.id), [(id(100), 0), (id(200), 0)]);
}

fn what_was_kept_of_a_test_and_of_a_ladder(storage: &Storage) {
    let world = world(storage);
    let mut test = field_test(50, world.order.id, world.tester.id, world.device.id);
    test.evidence_template = Some(EvidenceTemplate {
        code: "volte".to_owned(),
        operators: Operator::REQUIRED.to_vec(),
        samples_per_operator: 20,
        photos: vec![],
        needs_volte_walkthrough: true,
        test_calls: 3,
    });
    assert!(write(storage, |tx| tx.field_test_insert(&test)));
    assert_eq!(read(storage, |tx| tx.field_test_by_id(test.id)).as_ref(), Some(&test));
    assert_eq!(read(storage, |tx| tx.field_test_tracks_by_test(test.id)), None);
    let mut tracks = FieldTestTracks {
        field_test_id: test.id,
        fingerprint: [1; 32],
        tracks: json!([{ "operator": "china_mobile" }]),
        computed_at: at(60),
    };
    write(storage, |tx| tx.field_test_tracks_put(&tracks));
    tracks.fingerprint = [2; 32];
    tracks.tracks = json!([]);
    write(storage, |tx| tx.field_test_tracks_put(&tracks));
    assert_eq!(read(storage, |tx| tx.field_test_tracks_by_test(test.id)), Some(tracks));

    let first = OrderLadder { work_order_id: world.order.id, ladder: json!({ "steps": [] }), begun_at: at(1) };
    assert_eq!(read(storage, |tx| tx.order_ladder_by_work_order(world.order.id)), None);
    write(storage, |tx| tx.order_ladder_insert(&first));
    write(storage, |tx| tx.order_ladder_insert(&OrderLadder { begun_at: at(2), ladder: json!(1), ..first.clone() }));
    assert_eq!(
        read(storage, |tx| tx.order_ladder_by_work_order(world.order.id)),
        Some(first),
        "an order keeps the one with which it began (R-LADDER-1)"
    );
}

fn meeting(number: u64, region_id: RegionId) -> ReviewMeeting {
    ReviewMeeting {
        id: id(number),
        region_id,
        state: "planned".to_owned(),
        starts_at: at(number as i64),
        agenda_at: at(number as i64 - 10),
        minutes: None,
        closed_by: None,
        closed_at: None,
        created_at: at(1),
        version: 1,
    }
}

fn a_meeting_is_one_of_its_region_and_instant(storage: &Storage) {
    let world = world(storage);
    let elsewhere = region(11, 31, 114);
    write(storage, |tx| tx.region_insert(&elsewhere));
    let mut first = meeting(100, world.region.id);
    let second = meeting(200, world.region.id);
    let foreign = meeting(150, elsewhere.id);
    for meeting in [&first, &second, &foreign] {
        assert!(write(storage, |tx| tx.review_meeting_insert(meeting)));
    }
    let same_time = ReviewMeeting { id: id(300), ..first.clone() };
    assert!(!write(storage, |tx| tx.review_meeting_insert(&same_time)), "one of a region at an instant");
    assert_eq!(read(storage, |tx| tx.review_meeting_at(world.region.id, at(100))), Some(first.clone()));
    assert_eq!(read(storage, |tx| tx.review_meeting_at(elsewhere.id, at(100))), None);
    let stale = first.clone();
    first.state = "closed".to_owned();
    first.minutes = Some("五人到会".to_owned());
    first.closed_by = Some(world.tester.id);
    first.closed_at = Some(at(101));
    storage.write::<_, StorageError>("test", |tx| tx.review_meeting_update(&mut first)).unwrap();
    assert_eq!(first.version, 2);
    assert_eq!(write(storage, |tx| tx.review_meeting_lock(first.id)).as_ref(), Some(&first));
    assert!(storage.write("test", |tx| tx.review_meeting_update(&mut stale.clone())).is_err());
    let listed = |scope: RegionScope, page: Page<ReviewMeetingId>| {
        read(storage, |tx| tx.review_meeting_list(&scope, &page)).into_iter().map(|m| m.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(RegionScope::All, Page::first(10)), [second.id, foreign.id, first.id]);
    let own = RegionScope::Only { region_ids: vec![world.region.id], and_unlocated: true };
    assert_eq!(listed(own.clone(), Page::first(1)), [second.id]);
    assert_eq!(listed(own, Page { after: Some((second.starts_at, second.id)), limit: 10 }), [first.id]);
}

fn demands_go_from_meeting_to_meeting(storage: &Storage) {
    let world = world(storage);
    let (first, second) = (meeting(100, world.region.id), meeting(200, world.region.id));
    let mut demand = BuildDemand {
        id: id(300),
        number: "BD-20261123-00001".to_owned(),
        work_order_id: world.order.id,
        region_id: world.region.id,
        state: "filed".to_owned(),
        demand: "新建站点".to_owned(),
        latitude_e6: 30_500_000,
        longitude_e6: 114_300_000,
        field_tests: vec![id(50), id(51)],
        shareable_resources: "铁塔 300 米".to_owned(),
        affected_customers: 3,
        review_meeting_id: first.id,
        deferred_count: 0,
        filed_by: world.tester.id,
        filed_at: at(50),
        updated_at: at(50),
        version: 1,
    };
    write(storage, |tx| {
        tx.review_meeting_insert(&first)?;
        tx.review_meeting_insert(&second)?;
        tx.build_demand_insert(&demand)
    });
    let decision = BuildDemandDecision {
        id: id(400),
        build_demand_id: demand.id,
        review_meeting_id: first.id,
        decision: "defer".to_owned(),
        reason: "现场再核".to_owned(),
        decided_by: world.other_tester.id,
        decided_at: at(101),
    };
    write(storage, |tx| tx.build_demand_decision_insert(&decision));
    let twice = BuildDemandDecision { id: id(401), ..decision.clone() };
    let refused = storage.write("test", |tx| tx.build_demand_decision_insert(&twice));
    assert!(matches!(refused, Err(StorageError::UniqueViolation { .. })), "a meeting decides once: {refused:?}");
    let stale = demand.clone();
    demand.state = "deferred".to_owned();
    demand.review_meeting_id = second.id;
    demand.deferred_count = 1;
    demand.updated_at = at(102);
    storage.write::<_, StorageError>("test", |tx| tx.build_demand_update(&mut demand)).unwrap();
    assert!(storage.write("test", |tx| tx.build_demand_update(&mut stale.clone())).is_err());
    assert_eq!(write(storage, |tx| tx.build_demand_lock(demand.id)).as_ref(), Some(&demand));
    assert_eq!(read(storage, |tx| tx.build_demand_by_id(demand.id)).as_ref(), Some(&demand));
    assert_eq!(read(storage, |tx| tx.build_demand_list_by_work_order(world.order.id)), [demand.clone()]);
    assert_eq!(read(storage, |tx| tx.build_demand_list_by_meeting(first.id)), []);
    assert_eq!(read(storage, |tx| tx.build_demand_list_by_meeting(second.id)), [demand.clone()]);
    assert_eq!(read(storage, |tx| tx.build_demand_decision_list(demand.id)), std::slice::from_ref(&decision));
    assert_eq!(read(storage, |tx| tx.build_demand_decision_list_by_meeting(first.id)), [decision]);
    let listed = |scope: &RegionScope, state| {
        read(storage, |tx| tx.build_demand_list(scope, state, &Page::<BuildDemandId>::first(10))).len()
    };
    let nowhere = RegionScope::Only { region_ids: vec![], and_unlocated: true };
    assert_eq!(listed(&RegionScope::All, None), 1);
    assert_eq!(listed(&RegionScope::All, Some("deferred")), 1);
    assert_eq!(listed(&RegionScope::All, Some("filed")), 0);
    assert_eq!(listed(&nowhere, None), 0);
}

fn complainants_are_counted_by_customer_and_place(storage: &Storage) {
    let world = world(storage);
    // The fixture's complaints are all of one telephone number and place.
    for number in [31, 32] {
        add_order(storage, &world, number, Some(world.region.id));
    }
    let mut stranger = complaint(33, world.tester.id, None);
    stranger.customer_phone = "13900000000".to_owned();
    let mut erased = [complaint(34, world.tester.id, None), complaint(35, world.tester.id, None)];
    erased.iter_mut().for_each(|complaint| complaint.customer_phone = String::new());
    let mut away = complaint(36, world.tester.id, None);
    away.customer_phone = "13700000000".to_owned();
    write(storage, |tx| {
        for (number, complaint) in (1_000..).zip([&stranger, &erased[0], &erased[1], &away]) {
            tx.complaint_insert(complaint)?;
            let mut order = work_order(number, complaint);
            if complaint.id == away.id {
                order.latitude_e6 = Some(30_600_000);
            }
            tx.work_order_insert(&order)?;
        }
        Ok(())
    });
    let place = Surroundings { south_e6: 30_499_000, north_e6: 30_501_000, west_e6: 114_299_000, east_e6: 114_301_000 };
    let near = read(storage, |tx| tx.complainants_near(&place, at(0)));
    assert_eq!(near.len(), 6, "three of one customer, a stranger, two who were erased; not the one away");
    let customers: std::collections::BTreeSet<usize> = near.iter().map(|(_, _, customer)| *customer).collect();
    assert_eq!(customers.len(), 4);
    assert!(near.iter().all(|(latitude, longitude, _)| (*latitude, *longitude) == (30_500_000, 114_300_000)));
    assert_eq!(read(storage, |tx| tx.complainants_near(&place, at(2_000))).len(), 0, "only since then");
}
