//! R-AUDIT-1: every write leaves an event that says who, from where, when and why; auditors see it in their regions; anchors keep it.

mod probes;

use super::dispatching::administrator;
use callout_cli::desk::Desk;
use callout_server::http::routes::routes_all;
use callout_storage::RegionScope;
use callout_storage::event_search::EventFilter;
use callout_storage::events::Event;
use callout_tests::raw_database::execute;
use callout_tests::world::{ROLES, World};
use callout_tests::world_tests;
use probes::{PROBES, WITHOUT_EVENT};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The newest events, newest first, and how many there are in all.
fn events(world: &World) -> (u64, Vec<Event>) {
    let filter = EventFilter::of(RegionScope::All);
    let page = callout_storage::Page::first(500);
    let read = |tx: &mut callout_storage::Tx| {
        Ok::<_, callout_storage::StorageError>((tx.event_verify_all()?.events, tx.event_search(&filter, &page)?))
    };
    world.storage.read("test", read).unwrap()
}

fn read(desk: &Desk, path: &str) -> Value {
    desk.get(path).unwrap()
}

#[test]
fn every_route_that_writes_has_its_probe() {
    let known: BTreeSet<(&str, &str)> = PROBES
        .iter()
        .map(|(method, path, _)| (*method, *path))
        .chain(WITHOUT_EVENT.iter().map(|(method, path, _)| (*method, *path)))
        .collect();
    let routes: BTreeSet<(&str, &str)> =
        routes_all().filter(|route| route.method != "GET").map(|route| (route.method, route.path)).collect();
    let missing: Vec<_> = routes.difference(&known).collect();
    assert!(missing.is_empty(), "R-AUDIT-1: a probe for {missing:?} must be added to PROBES here");
    let stale: Vec<_> = known.difference(&routes).collect();
    assert!(stale.is_empty(), "there are no such routes: {stale:?}");
}

world_tests! {
    /// Who, when, from where, by both clocks where a phone did it.
    fn every_write_leaves_an_event(world) {
        // Everybody comes to work before the clock moves.
        administrator(world);
        ROLES.iter().for_each(|role| drop(world.desk(role)));
        for (method, path, prepare) in PROBES {
            // Sign-ins are counted by the minute, and every probe brings people of its own.
            world.clock.advance_seconds(10);
            let request = prepare(world);
            world.clock.advance_seconds(1);
            let (before, _) = events(world);
            let answer = request.send(world, method);
            let place = format!("{method} {path} → {} {}", answer.status, answer.text());
            assert!((200..300).contains(&answer.status), "{place}");
            let (after, newest) = events(world);
            assert!(after > before, "no event: {place}");
            let new = &newest[..usize::try_from(after - before).unwrap()];
            for event in new {
                assert_eq!(event.happened_at, world.clock.time(), "{place}");
                assert!(!event.action.is_empty(), "{place}");
            }
            if let Some(desk) = &request.desk {
                let by = |event: &&Event| event.actor_id == Some(desk.user_id.into());
                let told = new.iter().find(by).unwrap_or_else(|| panic!("nobody did it: {place}"));
                assert!(told.device_id.is_some() && !told.actor_roles.is_empty(), "from nowhere: {place}");
                assert!(*path != "/v1/sync" || told.captured_at.is_some(), "the phone's time: {place}");
            }
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            if let Some(reason) = body["reason"].as_str() {
                assert!(new.iter().any(|event| event.reason.as_deref() == Some(reason)), "why is not told: {place}");
            }
        }
        let found = world.storage.read("test", callout_storage::Tx::event_verify_all).unwrap();
        assert_eq!(found.problems, vec![]);
    }

    /// Auditors see what happened in their regions, page by page, with the customer masked in what people wrote (R-PRIVACY-1).
    fn auditors_see_their_regions(world) {
        let order = world.order_located();
        world.clock.advance_seconds(1);
        world.customer_service().work_order_withdraw(order, "王澄来电 16900001234, 测试·王澄 moved away").unwrap();
        let auditor = world.desk("auditor");
        let list = read(&auditor, &format!("/v1/audit/events?subject_kind=work_order&subject_id={order}"));
        let items = list["items"].as_array().unwrap();
        assert_eq!(items.len(), 3, "{list}");
        assert_eq!(items[0]["action"], "withdraw");
        let reason = items[0]["reason"].as_str().unwrap();
        assert!(!reason.contains("16900001234") && !reason.contains("测试·王澄") && reason.contains("moved"), "{reason}");
        let agent = world.customer_service().user_id;
        let by_agent = read(&auditor, &format!("/v1/audit/events?actor_id={agent}&action=withdraw"));
        assert_eq!(by_agent["items"].as_array().unwrap().len(), 1);
        let foreign = world.foreign_desk("auditor");
        let path = format!("/v1/audit/events?subject_kind=work_order&subject_id={order}");
        assert_eq!(read(&foreign, &path)["items"], json!([]), "another region's order is not there");

        let mut seen = BTreeSet::new();
        let mut after = String::new();
        loop {
            let page = read(&auditor, &format!("/v1/audit/events?limit=3{after}"));
            for item in page["items"].as_array().unwrap() {
                assert!(seen.insert(item["id"].as_str().unwrap().to_owned()), "twice: {item}");
                assert_ne!(item["subject_kind"], "server");
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert!(seen.len() > 6);
        let all = world.user("auditor-general", "auditor", &world.regions);
        let everything = read(&all, "/v1/audit/events?limit=500")["items"].as_array().unwrap().len();
        assert!(everything >= seen.len());
        assert_eq!(auditor.send("GET", &format!("/v1/audit/events?subject_id={order}"), &[], &[]).unwrap().status, 422);
    }

    /// What happened is anchored by a job, once it is surely committed; a chain that is dropped whole is then missed.
    fn what_happened_is_anchored(world) {
        let order = world.order_located();
        world.clock.advance_seconds(300);
        world.run_due();
        let auditor = world.desk("auditor");
        assert_eq!(read(&auditor, "/v1/audit/anchors")["items"], json!([]), "too young");
        world.clock.advance_seconds(3_600);
        world.run_due();
        let auditor = world.desk("auditor");
        let list = read(&auditor, "/v1/audit/anchors");
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
        assert!(list["items"][0]["event_count"].as_u64().unwrap() > 5);
        world.order_located();
        world.clock.advance_seconds(3_600);
        world.run_due();
        let auditor = world.desk("auditor");
        let second = read(&auditor, "/v1/audit/anchors?after=1");
        assert_eq!(second["items"][0]["previous_hash"], list["items"][0]["hash"]);
        let check = || world.storage.read("test", callout_storage::Tx::audit_anchor_verify_all).unwrap().problems;
        assert_eq!(check(), vec![]);
        let hex = order.simple().to_string();
        let id = match world.storage.backend() {
            callout_storage::Backend::Sqlite => format!("x'{hex}'"),
            callout_storage::Backend::Postgres => format!("'{hex}'"),
        };
        let statements =
            format!("DELETE FROM events WHERE subject_id = {id}; DELETE FROM event_heads WHERE subject_id = {id};");
        execute(world.storage.config(), &statements);
        let chains = world.storage.read("test", callout_storage::Tx::event_verify_all).unwrap();
        assert_eq!(chains.problems, vec![], "the chains do not miss it");
        assert_eq!(check()[0].problem, "events of its slice are missing");
    }
}
