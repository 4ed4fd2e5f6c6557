//! Sites, clusters, the supervision list, warnings, and the figures' sums.

use super::fixtures::*;
use super::on_both_databases;
use callout_storage::complaint_clusters::ComplaintCluster;
use callout_storage::complaints::{ComplaintClass, ComplaintState};
use callout_storage::jobs::Job;
use callout_storage::kpi_cells::{KpiCause, KpiCell, KpiGroup, KpiSelection, KpiSums};
use callout_storage::kpi_facts::KpiFact;
use callout_storage::seeding::{YearRegion, YearSeed, year_complaint_id};
use callout_storage::site_outages::SiteOutage;
use callout_storage::sites::{Site, SiteFilter};
use callout_storage::supervision_entries::SupervisionEntry;
use callout_storage::warnings::{Warning, WarningFilter};
use callout_storage::{Page, RegionScope, Storage, StorageError};
use callout_sync_protocol::ids::*;
use callout_sync_protocol::work_orders::{Symptom, WorkOrderState};
use serde_json::Value;
use uuid::Uuid;

on_both_databases!(
    sites_and_outages_are_kept_by_code_and_reference,
    located_complaints_take_the_orders_place,
    clusters_keep_their_members,
    supervision_entries_are_listed_and_cleared,
    warnings_are_listed_and_counted,
    facts_replace_each_other_and_know_their_sources,
    sums_are_grouped_by_whatever_is_asked,
    a_recurring_job_stays_one_row,
    a_year_is_made_in_one_go,
);

fn site(number: u64, region_id: Option<RegionId>) -> Site {
    Site {
        id: id(number),
        code: format!("S{number}"),
        name: "武昌站".into(),
        region_id,
        latitude_e6: 30_500_000 + number as i32,
        longitude_e6: 114_300_000,
        kind: "macro".into(),
        is_key: number.is_multiple_of(2),
        plan: if number.is_multiple_of(3) { "relocation" } else { "none" }.into(),
        created_at: at(number as i64),
        updated_at: at(number as i64),
        version: 1,
    }
}

fn sites_and_outages_are_kept_by_code_and_reference(storage: &Storage) {
    let world = world(storage);
    let sites = [site(50, Some(world.region.id)), site(51, None)];
    write(storage, |tx| sites.iter().try_for_each(|site| tx.site_insert(site)));
    assert!(matches!(
        storage.write("test", |tx| tx.site_insert(&Site { id: id(52), ..sites[0].clone() })),
        Err(StorageError::UniqueViolation { .. })
    ));
    let mut changed = write(storage, |tx| tx.site_lock_by_code("S50")).unwrap();
    assert_eq!(changed, sites[0]);
    changed.plan = "planned_build".into();
    write(storage, |tx| tx.site_update(&mut changed.clone()));
    let found = read(storage, |tx| tx.site_by_id(id(50))).unwrap();
    assert_eq!((found.plan.as_str(), found.version), ("planned_build", 2));
    let stale = storage.write("test", |tx| tx.site_update(&mut changed.clone()));
    assert!(matches!(stale, Err(StorageError::Conflict { what: "site" })));
    let list = |scope, is_key, plans: &[&str]| -> Vec<SiteId> {
        let filter = SiteFilter { scope, is_key, plans: plans.iter().map(|&plan| plan.to_owned()).collect() };
        read(storage, |tx| tx.site_list(&filter, &Page::first(9))).iter().map(|site| site.id).collect()
    };
    let here = RegionScope::Only { region_ids: vec![world.region.id], and_unlocated: false };
    assert_eq!(list(RegionScope::All, None, &[]), [id(51), id(50)]);
    assert_eq!(list(here.clone(), None, &[]), [id(50)]);
    assert_eq!(list(RegionScope::All, Some(false), &[]), [id(51)]);
    assert_eq!(list(RegionScope::All, None, &["relocation", "planned_build"]), [id(51), id(50)]);
    let near = read(storage, |tx| tx.site_list_near((30_500_050, 114_300_000), (30_500_050, 114_300_000)));
    assert_eq!(near.iter().map(|site| site.id).collect::<Vec<_>>(), [id(50)]);
    assert_eq!(read(storage, |tx| tx.site_list_by_ids(&[id(51), id(99)])), [sites[1].clone()]);

    let outage = |number: u64, site_id, ended: Option<i64>| SiteOutage {
        id: id(number),
        site_id,
        source_id: world.tester.id,
        reference: format!("alarm-{number}"),
        cause: String::new(),
        began_at: at(number as i64),
        ended_at: ended.map(at),
        created_at: at(1),
        updated_at: at(1),
        version: 1,
    };
    let outages = [outage(60, id(50), Some(70)), outage(61, id(50), None), outage(62, id(51), None)];
    write(storage, |tx| outages.iter().try_for_each(|outage| tx.site_outage_insert(outage)));
    assert_eq!(read(storage, |tx| tx.site_outage_list_by_site(id(50))), [outages[1].clone(), outages[0].clone()]);
    let open = |scope: &RegionScope| -> Vec<SiteOutageId> {
        read(storage, |tx| tx.site_outage_list_open(scope)).iter().map(|(outage, _)| outage.id).collect()
    };
    assert_eq!(open(&RegionScope::All), [id(61), id(62)]);
    assert_eq!(open(&here), [id(61)]);
    let mut ended = write(storage, |tx| tx.site_outage_lock_by_reference(world.tester.id, "alarm-61")).unwrap();
    ended.ended_at = Some(at(80));
    write(storage, |tx| tx.site_outage_update(&mut ended.clone()));
    assert_eq!(open(&here), []);
    let again = SiteOutage { id: id(63), ..outages[0].clone() };
    assert!(matches!(
        storage.write("test", |tx| tx.site_outage_insert(&again)),
        Err(StorageError::UniqueViolation { .. })
    ));
}

fn located_complaints_take_the_orders_place(storage: &Storage) {
    let world = world(storage);
    let here = Some(world.region.id);
    let mut apart = complaint(70, world.tester.id, here);
    apart.longitude_e6 = Some(114_000_000);
    apart.received_at = at(5);
    apart.symptom = Symptom::SlowData;
    let business = |number, class, state| {
        let mut other = complaint(number, world.tester.id, here);
        (other.longitude_e6, other.class, other.state) = (Some(1), class, state);
        other
    };
    let others = [
        business(71, Some(ComplaintClass::Business), ComplaintState::Answered),
        business(72, None, ComplaintState::Withdrawn),
        complaint(73, world.tester.id, here),
        business(74, None, ComplaintState::Received),
    ];
    let mut elsewhere = complaint(75, world.tester.id, None);
    elsewhere.longitude_e6 = Some(1);
    write(storage, |tx| {
        tx.complaint_insert(&apart)?;
        others.iter().try_for_each(|other| tx.complaint_insert(other))?;
        tx.complaint_insert(&elsewhere)
    });
    let found = read(storage, |tx| tx.complaint_list_located(world.region.id, at(0)));
    let places: Vec<_> = found.iter().map(|found| (found.id, found.position.longitude_e6, found.order)).collect();
    assert_eq!(
        places,
        [
            // Its own longitude is unknown: the order's place counts.
            (world.complaint.id, 114_300_000, Some((world.order.id, WorkOrderState::Located))),
            (id(74), 1, None),
            (apart.id, 114_000_000, None),
        ]
    );
    assert_eq!(read(storage, |tx| tx.complaint_list_located(world.region.id, at(1))).len(), 1);
    let mut counts = read(storage, |tx| tx.complaint_count_by_symptom(world.region.id, at(0), at(6)));
    counts.sort();
    assert_eq!(counts, [(Symptom::NoSignal, 5), (Symptom::SlowData, 1)]);
    assert_eq!(read(storage, |tx| tx.complaint_count_by_symptom(world.region.id, at(1), at(5))), []);
    assert!(write(storage, |tx| tx.region_overview_lock(world.region.id)));
    assert!(!write(storage, |tx| tx.region_overview_lock(id(99))));
}

fn cluster(number: u64, region_id: RegionId) -> ComplaintCluster {
    ComplaintCluster {
        id: id(number),
        region_id,
        state: "active".into(),
        centre_latitude_e6: 30_500_000,
        centre_longitude_e6: 114_300_000,
        radius_m: 420,
        complaint_count: 3,
        first_at: at(1),
        last_at: at(2),
        found_at: at(number as i64),
        dissolved_at: None,
        successor_id: None,
        updated_at: at(3),
        version: 1,
    }
}

fn clusters_keep_their_members(storage: &Storage) {
    let world = world(storage);
    let (old, new) = (cluster(80, world.region.id), cluster(81, world.region.id));
    let others: Vec<ComplaintId> = (600..1_250).map(id).collect();
    write(storage, |tx| {
        for number in 600..1_250 {
            tx.complaint_insert(&complaint(number, world.tester.id, None))?;
        }
        tx.complaint_cluster_insert(&old)?;
        tx.complaint_cluster_insert(&new)?;
        tx.complaint_cluster_members_replace(old.id, &others)
    });
    assert_eq!(read(storage, |tx| tx.complaint_cluster_members(old.id)), others);
    write(storage, |tx| tx.complaint_cluster_members_replace(old.id, &others[..2]));
    assert_eq!(read(storage, |tx| tx.complaint_cluster_members(old.id)), others[..2]);
    let mut gone = old.clone();
    gone.state = "dissolved".into();
    gone.dissolved_at = Some(at(9));
    gone.successor_id = Some(new.id);
    write(storage, |tx| tx.complaint_cluster_update(&mut gone.clone()));
    gone.version = 2;
    assert_eq!(read(storage, |tx| tx.complaint_cluster_by_id(old.id)), Some(gone.clone()));
    assert_eq!(
        read(storage, |tx| tx.complaint_cluster_list_by_region(world.region.id, "active")),
        std::slice::from_ref(&new)
    );
    let all = read(storage, |tx| tx.complaint_cluster_list(&RegionScope::All, None, &Page::first(5)));
    assert_eq!(all, [new, gone]);
    let nowhere = RegionScope::Only { region_ids: vec![], and_unlocated: true };
    assert_eq!(read(storage, |tx| tx.complaint_cluster_list(&nowhere, Some("active"), &Page::first(5))), []);
}

fn supervision_entries_are_listed_and_cleared(storage: &Storage) {
    let world = world(storage);
    let entry = |number: u64, site_id| SupervisionEntry {
        id: id(number),
        region_id: world.region.id,
        cluster_id: id(80),
        reason: "faulty_site".into(),
        site_id,
        state: "listed".into(),
        complaint_count: 3,
        is_cause_standing: true,
        listed_at: at(number as i64),
        cleared_at: None,
        cleared_by: None,
        what_cleared_it: None,
        updated_at: at(number as i64),
        version: 1,
    };
    let entries = [entry(90, Some(id(50))), entry(91, None)];
    write(storage, |tx| {
        tx.site_insert(&site(50, None))?;
        tx.complaint_cluster_insert(&cluster(80, world.region.id))?;
        entries.iter().try_for_each(|entry| tx.supervision_entry_insert(entry))
    });
    assert_eq!(read(storage, |tx| tx.supervision_entry_list_by_region(world.region.id, "listed")), entries);
    let mut cleared = write(storage, |tx| tx.supervision_entry_lock(id(90))).unwrap();
    cleared.state = "cleared".into();
    cleared.cleared_at = Some(at(99));
    cleared.cleared_by = Some(world.tester.id);
    cleared.what_cleared_it = Some("电力恢复".into());
    write(storage, |tx| tx.supervision_entry_update(&mut cleared.clone()));
    cleared.version = 2;
    assert_eq!(read(storage, |tx| tx.supervision_entry_by_id(id(90))), Some(cleared.clone()));
    let list = |state| read(storage, |tx| tx.supervision_entry_list(&RegionScope::All, state, &Page::first(5)));
    assert_eq!(list(None), [entries[1].clone(), cleared]);
    assert_eq!(list(Some("listed")), [entries[1].clone()]);
    assert!(matches!(
        storage.write("test", |tx| tx.supervision_entry_update(&mut entries[0].clone())),
        Err(StorageError::Conflict { what: "supervision entry" })
    ));
}

fn warnings_are_listed_and_counted(storage: &Storage) {
    let world = world(storage);
    let warning = |number: u64, symptom, day| Warning {
        id: id(number),
        region_id: world.region.id,
        symptom,
        state: "draft".into(),
        level: "severe".into(),
        window_from: at(1),
        window_until: at(2),
        complaint_count: 7,
        peak_count: 9,
        half_year_count: 182,
        base_thousandths: 1_000,
        raised_day: day,
        raised_at: at(number as i64),
        reviewed_by: None,
        reviewed_at: None,
        review_note: None,
        published_by: None,
        published_at: None,
        recipients: vec![],
        dismissed_by: None,
        dismissed_at: None,
        dismiss_reason: None,
        recovered_at: None,
        updated_at: at(number as i64),
        version: 1,
    };
    let warnings = [
        warning(95, Symptom::NoData, 20_000),
        warning(96, Symptom::NoData, 20_000),
        warning(97, Symptom::CallDrop, 20_001),
    ];
    write(storage, |tx| warnings.iter().try_for_each(|warning| tx.warning_insert(warning)));
    let mut over = write(storage, |tx| tx.warning_lock(id(95))).unwrap();
    over.state = "recovered".into();
    over.recipients = vec!["someone".into()];
    over.recovered_at = Some(at(99));
    write(storage, |tx| tx.warning_update(&mut over.clone()));
    over.version = 2;
    assert_eq!(read(storage, |tx| tx.warning_by_id(id(95))), Some(over.clone()));
    assert_eq!(read(storage, |tx| tx.warning_list_standing(world.region.id)), warnings[1..]);
    let list = |state: Option<&str>, symptom| -> Vec<WarningId> {
        let filter = WarningFilter { scope: RegionScope::All, state: state.map(str::to_owned), symptom };
        read(storage, |tx| tx.warning_list(&filter, &Page::first(5))).iter().map(|warning| warning.id).collect()
    };
    assert_eq!(list(None, None), [id(97), id(96), id(95)]);
    assert_eq!(list(Some("draft"), Some(Symptom::NoData)), [id(96)]);
    let counts = read(storage, |tx| tx.warning_count(&RegionScope::All, 20_000, 20_000));
    assert_eq!(counts.len(), 2, "by state");
    assert_eq!(read(storage, |tx| tx.warning_count(&RegionScope::All, 20_001, 20_009))[0].count, 1);
    let nowhere = RegionScope::Only { region_ids: vec![], and_unlocated: true };
    assert_eq!(read(storage, |tx| tx.warning_count(&nowhere, 0, 30_000)), []);
}

fn fact(world: &World) -> KpiFact {
    KpiFact {
        complaint_id: world.complaint.id,
        work_order_id: Some(world.order.id),
        region_id: Some(world.region.id),
        class: "network".into(),
        utc_offset_minutes: 480,
        received_at: at(0),
        taken_by: Some(world.tester.id),
        taken_team: "一组".into(),
        responded_at: Some(at(5)),
        is_repeat: true,
        closed_at: None,
        is_on_time: Some(false),
        visit_count: 2,
        is_solved_at_first_visit: false,
        tester_id: None,
        tester_team: String::new(),
        return_count: 1,
        false_return_count: 1,
        returned_at: Some(at(6)),
        returned_by: None,
        returned_team: String::new(),
        score: Some(3),
        overdue_at: Some(at(7)),
        overdue_cause: Some("物业".into()),
        is_counted: true,
    }
}

fn facts_replace_each_other_and_know_their_sources(storage: &Storage) {
    let world = world(storage);
    let marks: Vec<(Uuid, ComplaintId)> = (200..203).map(|number| (id(number), world.complaint.id)).collect();
    write(storage, |tx| tx.kpi_dirty_mark(&marks, at(1)));
    assert_eq!(read(storage, |tx| tx.kpi_dirty_list(2)), marks[..2]);
    write(storage, |tx| tx.kpi_dirty_delete(&[marks[0].0, marks[1].0]));
    assert_eq!(read(storage, |tx| tx.kpi_dirty_count()), 1);

    let first = fact(&world);
    let second = KpiFact { score: None, closed_at: Some(at(9)), ..first.clone() };
    write(storage, |tx| tx.kpi_fact_replace(std::slice::from_ref(&first)));
    write(storage, |tx| tx.kpi_fact_replace(std::slice::from_ref(&second)));
    let found = read(storage, |tx| tx.kpi_fact_list(&[world.complaint.id, id(99)]));
    assert_eq!(found, std::slice::from_ref(&second));
    write(storage, |tx| tx.kpi_fact_uncount_all());
    assert_eq!(read(storage, |tx| tx.kpi_fact_list(&[world.complaint.id])), [KpiFact { is_counted: false, ..second }]);

    let sources = read(storage, |tx| tx.kpi_source_list(&[world.complaint.id, id(99)]));
    assert_eq!(sources.len(), 1);
    let source = &sources[0];
    assert_eq!(
        (source.source_id, source.region_offset_minutes, source.state),
        (world.tester.id, Some(480), ComplaintState::Received)
    );
    let order = source.order.as_ref().unwrap();
    assert_eq!((order.id, order.visits.len(), order.revisits.len()), (world.order.id, 0, 0));
    assert_eq!(read(storage, |tx| tx.complaint_ids_after(ComplaintId::NIL, 5)), [world.complaint.id]);
    assert_eq!(read(storage, |tx| tx.complaint_ids_after(world.complaint.id, 5)), []);
    let names = read(storage, |tx| tx.user_display_names(&[world.tester.id, id(99)]));
    assert_eq!(names, [(world.tester.id, "测试员 1".to_owned())]);
}

fn sums_are_grouped_by_whatever_is_asked(storage: &Storage) {
    let world = world(storage);
    let cell = |number: u64, day, team: &str, class: &str, received_count| {
        KpiCell {
            id: id(number),
            is_personal: false,
            grain: 1,
            region_id: if number.is_multiple_of(2) { world.region.id } else { RegionId::NIL },
            day,
            class: class.into(),
            team: team.into(),
            person_id: UserId::NIL,
            received_count: 0,
            responded_count: 0,
            repeat_count: 0,
            closed_count: 1,
            judged_count: 0,
            on_time_count: 0,
            handling_seconds: 0,
            visited_count: 0,
            first_visit_count: 0,
            return_count: 0,
            false_return_count: 0,
            score_count: 0,
            score_sum: 0,
            promoter_count: 0,
            detractor_count: 0,
            overdue_count: 0,
            handling_times: vec![number as u8, 1],
        }
        .with_sums(KpiSums { received_count, closed_count: 1, score_sum: 1 << 40, ..KpiSums::default() })
    };
    let cells = [
        cell(300, 20_000, "一组", "network", 5),
        cell(301, 20_001, "o'b", "network", 7),
        cell(302, 20_002, "一组", "service", 11),
        cell(304, 20_003, "一组", "service", 100),
    ];
    write(storage, |tx| tx.kpi_cell_replace(&[], &cells));
    let selection = KpiSelection {
        is_personal: false,
        grain: 1,
        from_day: 20_000,
        until_day: 20_003,
        region_ids: vec![world.region.id, RegionId::NIL],
        class: String::new(),
        team: String::new(),
    };
    let sums = |group, selection: &KpiSelection| {
        let mut found: Vec<(String, i64)> = read(storage, |tx| tx.kpi_sums(group, selection))
            .into_iter()
            .map(|group| (group.key, group.sums.received_count))
            .collect();
        found.sort();
        found
    };
    let told = |pairs: &[(&str, i64)]| pairs.iter().map(|(key, sum)| ((*key).to_owned(), *sum)).collect::<Vec<_>>();
    let region = Uuid::from(world.region.id).simple().to_string();
    assert_eq!(sums(KpiGroup::Total, &selection), told(&[("total", 23)]));
    assert_eq!(sums(KpiGroup::Region, &selection), told(&[(&Uuid::nil().simple().to_string(), 7), (&region, 16)]));
    assert_eq!(sums(KpiGroup::Team, &selection), told(&[("o'b", 7), ("一组", 16)]));
    assert_eq!(sums(KpiGroup::Class, &selection), told(&[("network", 12), ("service", 11)]));
    assert_eq!(sums(KpiGroup::Period, &selection), told(&[("20000", 5), ("20001", 7), ("20002", 11)]));
    assert_eq!(sums(KpiGroup::Person, &KpiSelection { is_personal: true, ..selection.clone() }), told(&[]));
    assert_eq!(
        sums(KpiGroup::Total, &KpiSelection { class: "service".into(), ..selection.clone() }),
        told(&[("total", 11)])
    );
    assert_eq!(sums(KpiGroup::Total, &KpiSelection { team: "o'b".into(), ..selection.clone() }), told(&[("total", 7)]));
    assert_eq!(sums(KpiGroup::Total, &KpiSelection { region_ids: vec![], ..selection.clone() }), told(&[]));
    let total = read(storage, |tx| tx.kpi_sums(KpiGroup::Total, &selection));
    assert_eq!(total[0].sums.score_sum, 3 << 40, "beyond 32 bits");
    let mut times = read(storage, |tx| tx.kpi_handling_times(KpiGroup::Team, &selection));
    times.sort();
    assert_eq!(times.len(), 3);
    assert_eq!(times[0], ("o'b".to_owned(), vec![45, 1]));

    let changed = cell(300, 20_000, "一组", "network", 6);
    write(storage, |tx| tx.kpi_cell_replace(&[id(300), id(301)], std::slice::from_ref(&changed)));
    assert_eq!(read(storage, |tx| tx.kpi_cell_list(&[id(300), id(301)])), [changed]);

    let cause = |number: u64, cause: &str, overdue_count| KpiCause {
        id: id(number),
        grain: 1,
        region_id: world.region.id,
        day: 20_000,
        class: "network".into(),
        cause: cause.into(),
        overdue_count,
    };
    write(storage, |tx| tx.kpi_cause_replace(&[], &[cause(310, "物业", 52), cause(311, "", 31)]));
    let mut causes = read(storage, |tx| tx.kpi_cause_sums(&selection));
    causes.sort();
    assert_eq!(causes, [(String::new(), 31), ("物业".to_owned(), 52)]);
    assert_eq!(read(storage, |tx| tx.kpi_cause_list(&[id(311)])), [cause(311, "", 31)]);
    write(storage, |tx| tx.kpi_cell_delete_all());
    assert_eq!(read(storage, |tx| tx.kpi_cell_list_all()), (vec![], vec![]));
}

fn a_recurring_job_stays_one_row(storage: &Storage) {
    let job = Job::new(id(1), "round", Uuid::nil(), at(0), Value::Null, at(0));
    write(storage, |tx| tx.job_insert(&job));
    assert!(read(storage, |tx| tx.job_is_waiting("round", Uuid::nil())));
    assert!(!read(storage, |tx| tx.job_is_waiting("square", Uuid::nil())));
    for round in 1..4 {
        let now = at(100 * round);
        let claimed = write(storage, |tx| tx.job_claim_due(now, at(100 * round + 50), "me", 5));
        assert_eq!((claimed.len(), claimed[0].attempts), (1, 1), "a fresh start each time");
        assert!(!write(storage, |tx| tx.job_repeat(job.id, "somebody else", at(0))));
        assert!(write(storage, |tx| tx.job_repeat(job.id, "me", at(100 * (round + 1)))));
        assert!(!write(storage, |tx| tx.job_repeat(job.id, "me", at(0))), "the lease is given back");
    }
    assert_eq!(read(storage, |tx| tx.job_list_by_subject(Uuid::nil())).len(), 1);
}

/// What `bench overview` measures on.
fn a_year_is_made_in_one_go(storage: &Storage) {
    let world = world(storage);
    let seed = YearSeed {
        regions: vec![YearRegion {
            id: world.region.id,
            corner_e6: (30_000_000, 114_000_000),
            testers: vec![world.tester.id, world.other_tester.id],
        }],
        source_id: world.tester.id,
        device_id: world.device.id,
        from: at(0),
        orders: 100,
    };
    write(storage, |tx| {
        tx.seed_year(&seed, 0, 60)?;
        tx.seed_year(&seed, 60, 100)?;
        tx.statistics_make()
    });
    write(storage, |tx| tx.statistics_refresh());
    let ids: Vec<ComplaintId> = (0..100).map(year_complaint_id).collect();
    let sources = read(storage, |tx| tx.kpi_source_list(&ids));
    assert_eq!(sources.len(), 100);
    for source in &sources {
        let order = source.order.as_ref().unwrap();
        let is_closed = source.state == ComplaintState::Resolved;
        assert_eq!(
            (order.visits.len(), order.revisits.len(), source.replies.len()),
            (1, is_closed.into(), 1 + usize::from(is_closed))
        );
        assert!([world.tester.id, world.other_tester.id].contains(&order.visits[0].0));
        assert!(source.handling.is_some());
    }
    assert!((70..100).contains(&sources.iter().filter(|source| source.state == ComplaintState::Resolved).count()));
    // Received at whole seconds, the first one within the second in which the year begins.
    let since = at(0).plus_seconds(-1);
    let located = read(storage, |tx| tx.complaint_list_located(world.region.id, since));
    assert_eq!(located.iter().filter(|found| ids.contains(&found.id)).count(), 100);
    assert!(read(storage, |tx| tx.intake_by_complaint(ids[99])).unwrap().grid_cell.is_some());
}
