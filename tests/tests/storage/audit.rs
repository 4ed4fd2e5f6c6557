//! Anchors over the trail, and what tampering they and the chains find (R-AUDIT-1); what an erasure must reach (R-PRIVACY-1).

use super::fixtures::*;
use super::on_both_databases;
use callout_storage::erasures::{ERASED_COLUMNS, ErasedWords, Erasure, WordsErasure};
use callout_storage::event_search::EventFilter;
use callout_storage::events::{CUSTOMER_ERASED, NewEvent, SubjectKind};
use callout_storage::handoffs::Handoff;
use callout_storage::{Backend, Page, RegionScope, Storage};
use callout_sync_protocol::ids::HandoffId;
use callout_tests::raw_database::execute;
use serde_json::json;
use uuid::Uuid;

on_both_databases!(
    anchors_cover_slices_without_gaps,
    anchors_find_what_chains_do_not,
    two_servers_make_one_anchor,
    one_changed_byte_is_found,
    words_are_removed_or_redacted,
    every_text_is_known_to_erasure,
    erasures_are_recorded_once,
    events_are_searched_in_scope,
);

fn problems(storage: &Storage) -> Vec<&'static str> {
    read(storage, |tx| tx.audit_anchor_verify_all()).problems.into_iter().map(|found| found.problem).collect()
}

fn append(storage: &Storage, numbers: std::ops::Range<u64>) {
    for number in numbers {
        write(storage, |tx| tx.event_append(&event(number, id(1_000 + number % 3), "chased")));
    }
}

fn anchors_cover_slices_without_gaps(storage: &Storage) {
    let anchor = |until: i64, at_most| write(storage, |tx| tx.audit_anchor_append(at(until), at_most, at(until)));
    assert_eq!(anchor(100, 10), None, "nothing happened");
    append(storage, 0..25);
    let first = anchor(20, 10).unwrap();
    assert_eq!((first.number, first.event_count, first.covers_until), (1, 10, at(10)));
    let second = anchor(20, 100).unwrap();
    assert_eq!((second.covers_from, second.covers_until, second.event_count), (at(10), at(20), 10));
    assert_eq!(second.previous_hash, Some(first.hash));
    assert_eq!(second.hash, second.expected_hash());
    assert_eq!(anchor(20, 100), None, "the slice is closed");
    assert_eq!(anchor(19, 100), None);
    assert_eq!(anchor(50, 100).unwrap().event_count, 5);
    // Several at one instant stay together, however many there may be.
    for number in 60..70 {
        let event = NewEvent { happened_at: at(60), ..event(number, id(1_000), "chased") };
        write(storage, |tx| tx.event_append(&event));
    }
    append(storage, 80..82);
    let fourth = anchor(90, 3).unwrap();
    assert_eq!((fourth.event_count, fourth.covers_until), (10, at(80)));
    let found = read(storage, |tx| tx.audit_anchor_verify_all());
    assert_eq!((found.anchors, found.events, found.last, found.problems.len()), (4, 35, Some(fourth), 0));
    assert_eq!(read(storage, |tx| tx.audit_anchor_list(1, 2)).iter().map(|a| a.number).collect::<Vec<_>>(), [2, 3]);
}

fn anchors_find_what_chains_do_not(storage: &Storage) {
    append(storage, 0..30);
    while write(storage, |tx| tx.audit_anchor_append(at(100), 10, at(100))).is_some() {}
    assert_eq!(problems(storage), [""; 0]);
    let literal = |id: Uuid| match storage.backend() {
        Backend::Sqlite => format!("x'{}'", id.simple()),
        Backend::Postgres => format!("'{id}'"),
    };
    let keep = "CREATE TABLE kept_events AS SELECT * FROM events; CREATE TABLE kept_heads AS SELECT * FROM event_heads;
                CREATE TABLE kept_anchors AS SELECT * FROM audit_anchors;";
    let restore = "DELETE FROM events; INSERT INTO events SELECT * FROM kept_events; DELETE FROM event_heads;
                   INSERT INTO event_heads SELECT * FROM kept_heads; DELETE FROM audit_anchors;
                   INSERT INTO audit_anchors SELECT * FROM kept_anchors;";
    execute(storage.config(), keep);
    let subject = literal(id(1_001));
    let drop_chain = format!(
        "DELETE FROM events WHERE subject_id = {subject}; DELETE FROM event_heads WHERE subject_id = {subject};"
    );
    let cases: [(&str, &dyn Fn(), &str); 6] = [
        (&drop_chain, &|| (), "events of its slice are missing"),
        // Written anew from the beginning, with a head that fits: the chain itself is perfect.
        (
            &drop_chain,
            &|| {
                for number in (1..30).step_by(3) {
                    let forged = NewEvent { action: "forged".into(), ..event(number, id(1_001), "x") };
                    write(storage, |tx| tx.event_append(&forged));
                }
            },
            "events of its slice are not those that were there",
        ),
        (
            "",
            &|| {
                let late = NewEvent { happened_at: at(5), ..event(500, id(1_001), "late") };
                write(storage, |tx| tx.event_append(&late));
            },
            "its slice has events that were not there",
        ),
        ("UPDATE audit_anchors SET event_count = event_count + 1 WHERE number = 2", &|| (), "it was changed"),
        ("DELETE FROM audit_anchors WHERE number = 2", &|| (), "the anchors before it are missing"),
        (
            "UPDATE audit_anchors SET previous_hash = NULL WHERE number = 3",
            &|| (),
            "it does not continue the anchor before",
        ),
    ];
    for (statement, more, problem) in cases {
        if !statement.is_empty() {
            execute(storage.config(), statement);
        }
        more();
        let chains = read(storage, |tx| tx.event_verify_all());
        assert_eq!(chains.problems, vec![], "the chains find nothing: {statement}");
        assert!(problems(storage).contains(&problem), "{statement}: {:?}", problems(storage));
        execute(storage.config(), restore);
        assert_eq!(problems(storage), [""; 0]);
    }
}

fn two_servers_make_one_anchor(storage: &Storage) {
    append(storage, 0..30);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| while write(storage, |tx| tx.audit_anchor_append(at(100), 5, at(100))).is_some() {});
        }
    });
    let found = read(storage, |tx| tx.audit_anchor_verify_all());
    assert_eq!((found.anchors, found.events, found.problems), (6, 30, vec![]));
}

/// A statement that changes one byte of a column, where it is not absent; the byte is the first or the last.
fn changed(backend: Backend, column: &str, type_name: &str, is_last: bool) -> String {
    let position = if is_last { format!("length({column})") } else { "1".to_owned() };
    let value = match (backend, type_name) {
        (_, "bigint" | "integer") => format!("{column} + 256"),
        (Backend::Sqlite, "text") => format!(
            "substr({column}, 1, {position} - 1) || char(unicode(substr({column}, {position}, 1)) + 1)
             || substr({column}, {position} + 1)"
        ),
        // SQLite has no arithmetic on blobs: another hexadecimal digit at the byte's place.
        (Backend::Sqlite, _) => format!(
            "unhex(substr(hex({column}), 1, 2 * {position} - 1) ||
             CASE substr(hex({column}), 2 * {position}, 1) WHEN '0' THEN '1' ELSE '0' END ||
             substr(hex({column}), 2 * {position} + 1))"
        ),
        (Backend::Postgres, "text") => {
            format!("overlay({column} placing chr(ascii(substr({column}, {position}, 1)) + 1) from {position} for 1)")
        }
        (Backend::Postgres, "bytea") => {
            format!("set_byte({column}, {position} - 1, get_byte({column}, {position} - 1) # 1)")
        }
        (Backend::Postgres, "uuid") => {
            let byte = if is_last { 15 } else { 0 };
            format!(
                "encode(set_byte(uuid_send({column}), {byte}, get_byte(uuid_send({column}), {byte}) # 1), 'hex')::uuid"
            )
        }
        (Backend::Postgres, _) => format!("{column} + interval '1 microsecond'"),
    };
    format!("UPDATE events SET {column} = {value} WHERE number = 2 AND {column} IS NOT NULL;")
}

/// R-AUDIT-1: one byte anywhere in an event.
fn one_changed_byte_is_found(storage: &Storage) {
    let full = |number: u64| NewEvent {
        captured_at: Some(at(3)),
        actor_id: Some(id(7)),
        device_id: Some(id(8)),
        ..event(number, id(30), "located")
    };
    write(storage, |tx| (1..4).try_for_each(|number| tx.event_append(&full(number)).map(drop)));
    execute(storage.config(), "CREATE TABLE kept AS SELECT * FROM events;");
    let columns: Vec<_> =
        read(storage, |tx| tx.schema_columns()).into_iter().filter(|column| column.table == "events").collect();
    assert_eq!(columns.len(), 16);
    let is_whole = || read_result(storage).is_ok_and(|found| found.problems.is_empty() && found.events == 3);
    for column in &columns {
        for is_last in [false, true] {
            let change = changed(storage.backend(), &column.column, &column.type_name, is_last);
            execute(storage.config(), &change);
            assert!(!is_whole(), "not found: {change}");
            execute(storage.config(), "DELETE FROM events; INSERT INTO events SELECT * FROM kept;");
            assert!(is_whole());
        }
        if column.is_nullable {
            execute(storage.config(), &format!("UPDATE events SET {} = NULL WHERE number = 2;", column.column));
            assert!(!is_whole(), "not found: {} is absent", column.column);
            execute(storage.config(), "DELETE FROM events; INSERT INTO events SELECT * FROM kept;");
        }
    }
}

fn read_result(storage: &Storage) -> Result<callout_storage::events::EventVerification, callout_storage::StorageError> {
    storage.read("test", |tx| tx.event_verify_all())
}

fn handoff(world: &World, demand: &str, answer: &str) -> Handoff {
    Handoff {
        id: id::<HandoffId>(50),
        work_order_id: world.order.id,
        tracking_ticket_id: None,
        target: "branch".into(),
        demand: demand.into(),
        state: "answered".into(),
        outcome: Some("done".into()),
        answer: Some(answer.into()),
        answered_by: None,
        answered_at: None,
        due_at: None,
        created_by: world.tester.id,
        created_at: at(1),
        version: 1,
    }
}

fn words_are_removed_or_redacted(storage: &Storage) {
    let world = world(storage);
    let other = add_order(storage, &world, 21, Some(world.region.id));
    let step = |order| callout_storage::ladder_steps::LadderStep {
        work_order_id: order,
        step: 1,
        outcome: "not_enough".into(),
        evidence: json!([{"kind": "reference", "value": "call 张\"三 138"}]),
        reason: "张\"三 says no".into(),
        recorded_by: world.tester.id,
        recorded_at: at(1),
    };
    write(storage, |tx| {
        tx.handoff_insert(&handoff(&world, "ring 13800000000, it is 张\"三", "张\"三 was kind"))?;
        tx.ladder_step_upsert(&step(world.order.id))?;
        tx.ladder_step_upsert(&step(other.id))
    });
    let known = ["13800000000".to_owned(), "张\"三".to_owned()];
    let erase = |removes: &[ErasedWords]| {
        let erasure = WordsErasure {
            complaint_id: world.complaint.id,
            work_order_id: Some(world.order.id),
            removes,
            known: &known,
        };
        write(storage, |tx| tx.erasure_of_words(&erasure))
    };
    let of = |order| read(storage, |tx| tx.ladder_step_list(order)).remove(0);
    assert_eq!(erase(&[ErasedWords::Customer]), 5);
    let handed = read(storage, |tx| tx.handoff_by_id(id(50))).unwrap();
    assert_eq!(handed.demand, "ring [erased 已删除], it is [erased 已删除]");
    assert_eq!(handed.answer.as_deref(), Some("[erased 已删除] was kind"));
    assert!(handed.version > 1, "whoever read it before cannot save it over");
    assert_eq!(of(world.order.id).reason, "[erased 已删除] says no");
    assert_eq!(of(world.order.id).evidence, json!([{"kind": "reference", "value": "call [erased 已删除] 138"}]));
    assert_eq!(of(other.id).reason, "张\"三 says no", "another case is another's");
    assert_eq!(erase(&[ErasedWords::Customer]), 0, "nothing is left to take out");

    assert_eq!(erase(&[ErasedWords::Customer, ErasedWords::Staff]), 3);
    let handed = read(storage, |tx| tx.handoff_by_id(id(50))).unwrap();
    assert_eq!((handed.demand.as_str(), handed.answer), ("", None));
    assert_eq!(of(world.order.id).reason, "");
    assert_eq!(of(world.order.id).evidence[0]["kind"], "reference", "what a rule needs stays");
}

/// Text that no customer's data can reach: names of things, words of rules, settings, keys, and people of the operator.
const IMPERSONAL: &[(&str, &[&str])] = &[
    ("appraisal_marks", &["kind"]),
    ("arrivals", &["punctuality"]),
    ("audit_anchors", &[]),
    ("branch_questions", &[]),
    ("build_demand_decisions", &["decision"]),
    ("build_demands", &["number", "state", "field_tests"]),
    ("cases", &["state", "symptom", "generation", "place_kind", "ladder_steps"]),
    ("chases", &["reference", "urgency"]),
    ("clock_entries", &["event"]),
    (
        "clocks",
        &["kind", "measure", "limit_key", "standing", "suggested_cause", "breach_cause", "outcome", "time_by_stage"],
    ),
    ("command_receipts", &["kind", "outcome"]),
    ("complaint_cells", &[]),
    ("complaint_cluster_members", &[]),
    ("complaint_clusters", &["state"]),
    ("complaints", &["reference", "channel", "class", "state", "symptom", "generation"]),
    ("counters", &["name"]),
    ("customer_questions", &[]),
    ("devices", &["name", "platform"]),
    ("dispatches", &["state"]),
    ("erasures", &["reason", "options", "counts"]),
    ("escalations", &["level", "cause", "outcome"]),
    ("event_heads", &["subject_kind"]),
    ("events", &["subject_kind", "actor_roles", "action", "detail"]),
    ("feeds", &[]),
    ("feed_entries", &["kind", "left_reason"]),
    ("field_test_tracks", &["tracks"]),
    ("field_tests", &["standing", "standing_reason", "state", "evidence_template"]),
    ("follow_ups", &["state"]),
    ("handoffs", &["target", "state", "outcome"]),
    ("intakes", &["symptom", "channel", "relation", "handling", "urgency"]),
    ("jobs", &["kind", "payload", "lease_owner", "last_error"]),
    // Accounts of companies; their numbers are digests.
    ("key_account_identifiers", &["kind", "masked"]),
    ("key_accounts", &["name", "note"]),
    ("kpi_causes", &["class", "cause"]),
    ("kpi_cells", &["class", "team"]),
    ("kpi_dirty", &[]),
    ("kpi_facts", &["class", "taken_team", "tester_team", "returned_team", "overdue_cause"]),
    ("ladder_steps", &["outcome"]),
    ("major_case_members", &[]),
    ("major_cases", &["state", "reasons"]),
    ("notices", &["kind"]),
    ("order_ladders", &["ladder"]),
    ("photo_hashes", &[]),
    ("photos", &["media_type", "purpose", "state", "refusal", "standing", "standing_reason"]),
    ("policies", &["kind", "document", "reason"]),
    ("pushes", &[]),
    ("refresh_tokens", &[]),
    ("regions", &["name", "boundary"]),
    ("replies", &["kind", "channel"]),
    ("review_meetings", &["state"]),
    ("reviews", &["decision", "rung", "reason_codes", "ladder_step"]),
    ("revisits", &["state", "channel"]),
    ("sample_blocks", &["operator", "kpi", "standing", "standing_reason"]),
    ("server_meta", &["key", "value"]),
    ("sessions", &["revoke_reason"]),
    ("signing_keys", &["id"]),
    ("site_outages", &["reference", "cause"]),
    ("sites", &["code", "name", "kind", "plan"]),
    // Of places, not of customers.
    ("supervision_entries", &["reason", "state", "what_cleared_it"]),
    ("tracking_tickets", &["number", "state"]),
    ("user_profiles", &["team", "seniority", "skills", "shifts"]),
    ("users", &["user_name", "user_name_folded", "display_name", "password_hash", "roles"]),
    ("warnings", &["symptom", "state", "level", "review_note", "recipients", "dismiss_reason"]),
    ("work_orders", &["number", "state", "urgency"]),
];

/// R-PRIVACY-1: no new column is forgotten.
fn every_text_is_known_to_erasure(storage: &Storage) {
    // On SQLite, instants are text, too; PostgreSQL tells them apart.
    let is_instant = |name: &str| ["_at", "_from", "_until"].iter().any(|end| name.ends_with(end));
    for column in read(storage, |tx| tx.schema_columns()) {
        let is_text = matches!(column.type_name.as_str(), "text" | "jsonb") && !is_instant(&column.column);
        let (table, name) = (column.table.as_str(), column.column.as_str());
        let is_erased = ERASED_COLUMNS.iter().any(|erased| (erased.table, erased.column) == (table, name));
        let is_impersonal = IMPERSONAL.iter().any(|(listed, columns)| *listed == table && columns.contains(&name));
        assert!(
            !is_text || is_erased != is_impersonal,
            "{table}.{name}: can people's words about a customer reach it? Then put it into ERASED_COLUMNS \
             (storage/src/erasures.rs), else into IMPERSONAL here"
        );
    }
}

fn erasures_are_recorded_once(storage: &Storage) {
    let world = world(storage);
    let erasure = Erasure {
        complaint_id: world.complaint.id,
        erased_by: Some(world.tester.id),
        reason: "asked".into(),
        options: json!({"revisit_words": true}),
        counts: json!({"photos": 1}),
        created_at: at(9),
    };
    let mut ended = world.complaint.clone();
    ended.state = callout_storage::complaints::ComplaintState::Resolved;
    ended.updated_at = at(5);
    write(storage, |tx| tx.complaint_update(&mut ended));
    assert_eq!(read(storage, |tx| tx.erasure_list_due(at(5), 10)), []);
    assert_eq!(read(storage, |tx| tx.erasure_list_due(at(6), 10)), [world.complaint.id]);
    write(storage, |tx| tx.erasure_insert(&erasure));
    assert_eq!(read(storage, |tx| tx.erasure_by_complaint(world.complaint.id)), Some(erasure.clone()));
    assert!(storage.write("test", |tx| tx.erasure_insert(&erasure)).is_err(), "once");
    assert_eq!(read(storage, |tx| tx.erasure_list_due(at(6), 10)), []);

    let subject: Uuid = world.order.id.into();
    write(storage, |tx| {
        tx.event_append(&event(300, subject, "withdraw"))?;
        tx.event_append(&NewEvent { reason: Some("other".into()), ..event(301, subject, "chase") })?;
        assert_eq!(tx.event_reasons_erase(SubjectKind::WorkOrder, subject, &|reason| reason == "because")?, 1);
        tx.event_append(&event(302, subject, CUSTOMER_ERASED))
    });
    let events = read(storage, |tx| tx.event_list(SubjectKind::WorkOrder, subject, 0, 10));
    let reasons: Vec<_> = events.iter().map(|event| event.reason.as_deref()).collect();
    assert_eq!(reasons, [None, Some("other"), Some("because")]);
    let found = read(storage, |tx| tx.event_verify_all());
    assert_eq!((found.problems, found.erased_reasons), (vec![], 1));
    storage.journal_empty().unwrap();
}

fn events_are_searched_in_scope(storage: &Storage) {
    let world = world(storage);
    let unlocated = add_order(storage, &world, 22, None);
    write(storage, |tx| {
        tx.user_regions_replace(world.tester.id, &[world.region.id])?;
        let about = |number: u64, kind, subject: Uuid| NewEvent { subject_kind: kind, ..event(number, subject, "did") };
        tx.event_append(&about(400, SubjectKind::WorkOrder, world.order.id.into()))?;
        tx.event_append(&about(401, SubjectKind::Complaint, world.complaint.id.into()))?;
        tx.event_append(&about(402, SubjectKind::User, world.tester.id.into()))?;
        tx.event_append(&about(403, SubjectKind::Region, world.region.id.into()))?;
        tx.event_append(&about(404, SubjectKind::WorkOrder, unlocated.id.into()))?;
        tx.event_append(&about(405, SubjectKind::Server, Uuid::nil()))
    });
    let found = |filter: &EventFilter| -> Vec<i64> {
        let page = Page::first(10);
        let list = read(storage, |tx| tx.event_search(filter, &page));
        list.iter().map(|event| (event.happened_at.unix_micros() - at(0).unix_micros()) / 1_000_000).collect()
    };
    let scope = |and_unlocated| RegionScope::Only { region_ids: vec![world.region.id], and_unlocated };
    assert_eq!(found(&EventFilter::of(RegionScope::All)), [405, 404, 403, 402, 401, 400]);
    assert_eq!(found(&EventFilter::of(scope(false))), [403, 402, 401, 400]);
    assert_eq!(found(&EventFilter::of(scope(true))), [404, 403, 402, 401, 400]);
    let none = RegionScope::Only { region_ids: vec![], and_unlocated: false };
    assert_eq!(found(&EventFilter::of(none)), [0; 0]);
    let some = EventFilter {
        subject_kind: Some(SubjectKind::WorkOrder),
        happened_from: Some(at(400)),
        happened_until: Some(at(404)),
        action: Some("did".into()),
        ..EventFilter::of(RegionScope::All)
    };
    assert_eq!(found(&some), [400]);
    assert_eq!(found(&EventFilter { actor_id: Some(id(1)), ..some }), [0; 0]);
}
