//! The checklist and the VoLTE walk, made without a network (R-TEST-1, R-TEST-4).

use super::support::*;
use callout_mobile_sdk::FindingsDraft;
use callout_mobile_sdk::facade::{PhoneError, PhotoRequest};
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::evidence::{EvidenceKind, EvidenceTemplate, PhotoRequirement};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::volte_walkthrough::{VolteConclusion, VolteQuestion as Q, VolteStep};
use callout_sync_protocol::work_orders::WorkOrderView;

fn with_template(number: u8) -> WorkOrderView {
    let template = EvidenceTemplate {
        code: "volte".to_owned(),
        operators: vec![Operator::ChinaMobile, Operator::ChinaUnicom],
        samples_per_operator: 30,
        photos: vec![PhotoRequirement { purpose: Some(PhotoPurpose::Screen), at_least: 1 }],
        needs_volte_walkthrough: true,
        test_calls: 5,
    };
    WorkOrderView { evidence_template: Some(template), ..order_view(number) }
}

fn draft() -> FindingsDraft {
    let full = findings();
    FindingsDraft {
        problem: Some(full.problem),
        generation: Some(full.generation),
        service: Some(full.service),
        address: Some(full.address),
        ..FindingsDraft::default()
    }
}

fn lacking(world: &World) -> Vec<EvidenceKind> {
    let items = world.phone.evidence_checklist(order_id(1)).unwrap();
    items.iter().filter(|item| !item.is_met()).map(|item| item.kind).collect()
}

#[test]
fn the_checklist_shrinks_as_the_tester_works() {
    let mut world = World::new(&[]);
    world.server.order_put(with_template(1));
    world.sync();
    world.go_on_site(1);
    use EvidenceKind as K;
    assert_eq!(lacking(&world), [K::Samples, K::Samples, K::Photos, K::VolteWalkthrough, K::TestCalls]);
    world.capture(1, Operator::ChinaMobile, 0..40);
    world.capture(1, Operator::ChinaUnicom, 40..60);
    assert_eq!(lacking(&world), [K::Samples, K::Photos, K::VolteWalkthrough, K::TestCalls]);
    world.phone.photo_add_bytes(order_id(1), &png(3_000), PhotoRequest::new(PhotoPurpose::Screen)).unwrap();
    world.capture(1, Operator::ChinaUnicom, 60..80);
    assert_eq!(lacking(&world), [K::VolteWalkthrough, K::TestCalls]);

    let order = order_id(1);
    let refused = world.phone.volte_answer(order, Q::CallsDropped, 0);
    assert!(matches!(refused, Err(PhoneError::Rejected(_))), "R-TEST-4: in order: {refused:?}");
    for question in [Q::SimService, Q::HandsetSupport, Q::SettingsOn, Q::Registered] {
        world.phone.volte_answer(order, question, 1).unwrap();
    }
    world.phone.volte_answer(order, Q::CallsAttempted, 6).unwrap();
    world.phone.volte_answer(order, Q::CallsNotSetUp, 5).unwrap();
    assert!(
        matches!(world.phone.volte_back(order).unwrap(), VolteStep::Ask { question, .. } if question.question == Q::CallsNotSetUp)
    );
    world.restart();
    world.phone.volte_answer(order, Q::CallsNotSetUp, 0).unwrap();
    world.phone.volte_answer(order, Q::CallsDropped, 2).unwrap();
    // The findings are recorded before the walk ends, and again by themselves when it does.
    world.phone.findings_record(order, findings()).unwrap();
    world.phone.findings_write(order, draft()).unwrap();
    world.phone.volte_answer(order, Q::MosHundredths, 360).unwrap();
    let step = world.phone.volte_answer(order, Q::CallsFellBack, 0).unwrap();
    assert_eq!(step, VolteStep::Concluded(VolteConclusion::CallsDrop));
    assert_eq!(lacking(&world), []);
    world.sync();
    let recorded: Vec<_> = world
        .server
        .commands
        .iter()
        .filter_map(|(command, _)| match &command.body {
            CommandBody::FindingsRecord { findings, .. } => Some(findings.volte.clone().unwrap()),
            _ => None,
        })
        .collect();
    assert_eq!(recorded.first().unwrap().conclusion, None, "recorded while the walk went on");
    assert_eq!(recorded.last().unwrap().conclusion, Some(VolteConclusion::CallsDrop));
}

#[test]
fn an_order_without_a_template_has_no_checklist() {
    let world = World::synced(&[1]);
    assert!(world.phone.evidence_checklist(order_id(1)).unwrap().is_empty());
    assert!(matches!(world.phone.evidence_checklist(order_id(9)), Err(PhoneError::OrderUnknown(_))));
}
