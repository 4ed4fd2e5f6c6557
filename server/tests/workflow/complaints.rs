//! Intake and triage (R-INTAKE-2…4, 8, 9; R-CLASS-1, R-CLASS-2; R-RETURN-4, R-RETURN-5).

use crate::workflow::support::{at, position};
use callout_server::workflow::complaints::*;
use callout_sync_protocol::ids::{ComplaintId, UserId};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::work_orders::{Symptom, Urgency};

fn id(n: u8) -> ComplaintId {
    ComplaintId::from_bytes([n; 16])
}

fn incoming() -> IncomingComplaint {
    IncomingComplaint {
        received_at: at("2026-11-23T02:00:00Z"),
        channel: ComplaintChannel::Phone,
        class: ComplaintClass::Network,
        customer_key: "a".into(),
        symptom: Symptom::CallDrop,
        position: Some(position(30.54, 114.30)),
        adds_facts: None,
        is_key_account: false,
        is_sensitive: false,
    }
}

fn open(n: u8, due_at: &str) -> PastComplaint {
    PastComplaint {
        id: id(n),
        customer_key: "a".into(),
        symptom: Symptom::CallDrop,
        position: Some(position(30.541, 114.30)),
        received_at: at("2026-11-20T02:00:00Z"),
        channel: ComplaintChannel::Phone,
        standing: PastStanding::Open { due_at: Some(at(due_at)) },
    }
}

fn closed(n: u8, closed_at: &str, was_resolved: bool, was_satisfied: Option<bool>) -> PastComplaint {
    PastComplaint {
        received_at: at("2026-09-01T02:00:00Z"),
        standing: PastStanding::Closed { closed_at: at(closed_at), was_resolved, was_satisfied },
        ..open(n, "2026-11-25T02:00:00Z")
    }
}

fn decide(incoming: &IncomingComplaint, past: &[PastComplaint]) -> IntakeDecision {
    complaint_handling(incoming, past, &IntakePolicy::default())
}

#[test]
fn r_intake_2_only_network_complaints_become_work_orders() {
    for (class, handling) in [
        (ComplaintClass::Network, ComplaintHandling::WorkOrder),
        (ComplaintClass::Business, ComplaintHandling::AnswerOrPassOn),
        (ComplaintClass::Service, ComplaintHandling::AnswerOrPassOn),
    ] {
        let decision = decide(&IncomingComplaint { class, ..incoming() }, &[]);
        assert_eq!((decision.relation, decision.handling), (ComplaintRelation::New, handling), "{class}");
        assert_eq!(decision.linked_to, None);
    }
}

#[test]
fn r_intake_3_new_repeat_or_supplementary() {
    let policy = IntakePolicy::default();
    let relation = |c: &IncomingComplaint, past: PastComplaint| complaint_relation(c, &[past], &policy);
    let past = open(1, "2026-11-25T02:00:00Z");
    let repeat = ComplaintRelation::Repeat { of: id(1) };
    assert_eq!(relation(&incoming(), past.clone()), repeat);
    // Another customer, another symptom, another place, too long ago: new.
    let other_customer = IncomingComplaint { customer_key: "b".into(), ..incoming() };
    let other_symptom = IncomingComplaint { symptom: Symptom::SlowData, ..incoming() };
    let other_place = IncomingComplaint { position: Some(position(30.60, 114.30)), ..incoming() };
    for new in [&other_customer, &other_symptom, &other_place] {
        assert_eq!(relation(new, past.clone()), ComplaintRelation::New);
    }
    assert_eq!(relation(&incoming(), closed(1, "2026-08-01T00:00:00Z", true, None)), ComplaintRelation::New);
    // An unclear symptom or an unknown place does not make it new.
    let unclear = IncomingComplaint { symptom: Symptom::Other, position: None, ..incoming() };
    assert_eq!(relation(&unclear, past.clone()), repeat);
    // Facts added to an open one: the agent says so, or a place that the open one lacks.
    let added = ComplaintRelation::Supplementary { of: id(1) };
    assert_eq!(relation(&IncomingComplaint { adds_facts: Some(true), ..incoming() }, past.clone()), added);
    let placeless = PastComplaint { position: None, ..past };
    assert_eq!(relation(&incoming(), placeless.clone()), added);
    assert_eq!(relation(&IncomingComplaint { adds_facts: Some(false), ..incoming() }, placeless), repeat);
    // Nothing can be added to what has ended.
    let ended = closed(1, "2026-11-01T00:00:00Z", true, None);
    assert_eq!(relation(&IncomingComplaint { adds_facts: Some(true), ..incoming() }, ended), repeat);
    // An open one comes before a later closed one.
    let both = [closed(2, "2026-11-22T00:00:00Z", true, None), open(1, "2026-11-25T02:00:00Z")];
    assert_eq!(complaint_relation(&incoming(), &both, &policy), repeat);
}

#[test]
fn r_intake_3_the_handling_that_each_deserves() {
    use ComplaintHandling as H;
    let in_time = open(1, "2026-11-25T02:00:00Z");
    let overdue = open(1, "2026-11-22T02:00:00Z");
    let paused = PastComplaint { standing: PastStanding::Open { due_at: None }, ..in_time.clone() };
    for (past, handling, is_false_return) in [
        (in_time.clone(), H::TellProgress, false),
        (overdue, H::Manager, false),
        (paused, H::TellProgress, false),
        (closed(1, "2026-11-10T00:00:00Z", true, Some(true)), H::CompareWithRecord, true),
        (closed(1, "2026-11-10T00:00:00Z", true, Some(false)), H::Reopen, true),
        (closed(1, "2026-11-10T00:00:00Z", true, None), H::Reopen, true),
        (closed(1, "2026-10-01T00:00:00Z", true, Some(true)), H::CompareWithRecord, false),
        (closed(1, "2026-10-01T00:00:00Z", true, Some(false)), H::Senior, false),
        (closed(1, "2026-11-10T00:00:00Z", false, None), H::Senior, false),
    ] {
        let decision = decide(&incoming(), std::slice::from_ref(&past));
        assert_eq!((decision.handling, decision.is_false_return), (handling, is_false_return), "{past:?}");
    }
    let adds = IncomingComplaint { adds_facts: Some(true), ..incoming() };
    assert_eq!(decide(&adds, &[in_time]).handling, H::AddToOpen);
    assert_eq!(comparison_handling(true), H::TellProgress);
    assert_eq!(comparison_handling(false), H::Manager);
}

#[test]
fn r_intake_4_key_accounts_go_to_a_senior_at_once() {
    let key = IncomingComplaint { is_key_account: true, ..incoming() };
    for past in [vec![], vec![open(1, "2026-11-22T02:00:00Z")]] {
        let decision = decide(&key, &past);
        assert_eq!((decision.handling, decision.urgency), (ComplaintHandling::Senior, Urgency::Urgent));
    }
}

#[test]
fn r_intake_8_a_refusal_is_explained_and_can_be_contested() {
    assert_eq!(complaint_refuse(" ", true).unwrap_err().problem, ProblemType::InvalidField);
    assert_eq!(complaint_refuse("no coverage was promised at sea", true).unwrap().goes_to, None);
    let contested = complaint_refuse("no coverage was promised at sea", false).unwrap();
    assert_eq!(contested.goes_to, Some(ComplaintHandling::Manager));
    assert_eq!(contested.explanation, "no coverage was promised at sea", "it is on record");
}

#[test]
fn r_intake_9_higher_doors_link_raise_and_are_answered_there() {
    let first = PastComplaint { received_at: at("2026-11-18T02:00:00Z"), ..open(1, "2026-11-25T02:00:00Z") };
    let second = open(2, "2026-11-25T02:00:00Z");
    for channel in [ComplaintChannel::GroupHotline, ComplaintChannel::Regulator] {
        let decision = decide(&IncomingComplaint { channel, ..incoming() }, &[second.clone(), first.clone()]);
        assert_eq!(decision.linked_to, Some(id(1)), "to the first one of the chain");
        assert_eq!(decision.urgency, Urgency::Critical);
        assert_eq!(decision.answer_by, channel);
        assert!(decision.needs_coordination, "R-RETURN-5: it came by several channels");
    }
    assert!(!decide(&incoming(), &[first]).needs_coordination);
    assert!(decide(&IncomingComplaint { is_sensitive: true, ..incoming() }, &[]).needs_coordination);
}

#[test]
fn r_class_1_major_escalated_complaints() {
    let policy = IntakePolicy::default();
    let none = ComplaintWeight::default();
    let rising = ComplaintWeight { failed_handlings: 3, is_rising: true, disturbs_business: true, ..none };
    for (weight, reasons) in [
        (none, vec![]),
        (ComplaintWeight { shows_serious_gap: true, ..none }, vec![MajorReason::SeriousGap]),
        (ComplaintWeight { shows_serious_gap: true, gap_closes_soon: true, ..none }, vec![]),
        (rising, vec![MajorReason::StillRising]),
        (ComplaintWeight { failed_handlings: 2, ..rising }, vec![]),
        (ComplaintWeight { is_rising: false, ..rising }, vec![]),
        (ComplaintWeight { disturbs_business: false, ..rising }, vec![]),
        (ComplaintWeight { has_wide_reach: true, ..none }, vec![MajorReason::WideReach]),
        (ComplaintWeight { joint_customers: 2, ..none }, vec![]),
        (ComplaintWeight { joint_customers: 3, ..none }, vec![MajorReason::Joint]),
        (
            ComplaintWeight { has_wide_reach: true, joint_customers: 9, ..rising },
            vec![MajorReason::StillRising, MajorReason::WideReach, MajorReason::Joint],
        ),
    ] {
        assert_eq!(major_reasons(&weight, &policy), reasons, "{weight:?}");
    }
}

#[test]
fn r_class_2_a_major_complaint_gets_a_named_team() {
    let user = |n: u8| UserId::from_bytes([n; 16]);
    let team = |leader: u8, members: &[(u8, &str)]| MajorTeam {
        leader: user(leader),
        members: members.iter().map(|(n, duty)| (user(*n), (*duty).to_owned())).collect(),
    };
    assert!(major_team_check(&team(1, &[(2, "optimises")])).is_ok());
    for wrong in [team(1, &[]), team(1, &[(2, " ")]), team(1, &[(1, "leads")]), team(1, &[(2, "a"), (2, "b")])] {
        assert_eq!(major_team_check(&wrong).unwrap_err().problem, ProblemType::InvalidField);
    }
}
