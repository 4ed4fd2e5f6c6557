//! What the desks make of what came in: figures, samples, review, quarantine.

use super::fixture::{Office, Phone, citation, submit, upload};
use callout_server::app::quarantine::{QuarantinePosition, Quarantined};
use callout_server::app::reviews::ReviewVerdict;
use callout_server::http::samples_csv;
use callout_server::workflow::field_tests::TestFinding;
use callout_server::workflow::reviews::{PlanKind, ReturnReasons, ReviewPlan};
use callout_storage::Standing;
use callout_storage::field_tests::FieldTestState;
use callout_storage::photos::PhotoState;
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::Change;
use callout_sync_protocol::work_orders::{LeftReason, WorkOrderState};

fn approve() -> ReviewVerdict {
    ReviewVerdict::Approve(ReviewPlan {
        quick_relief: "adjust the tilt of cell 2".into(),
        cure: "a new sector".into(),
        kind: PlanKind::Retrofit,
        ladder_step: None,
        evidence_accepted_because: Some("one network is enough to see the fault".into()),
        sections: vec![],
    })
}

fn handed_in(office: &Office, phone: &mut Phone) -> (WorkOrderId, FieldTestId) {
    let (order, test) = (office.order_dispatched(phone), office.id());
    let (commands, blocks) = office.work(phone, order, test);
    phone.sync(office, commands, blocks);
    (order, test)
}

#[test]
fn a_test_shows_its_figures_side_by_side_and_its_samples_one_by_one() {
    let office = Office::open();
    let mut phone = office.phone();
    let (order, test) = handed_in(&office, &mut phone);
    // A second block of one operator: the figures are those of both.
    let more = office.block(&phone, test, Operator::ChinaUnicom, 1, 30);
    phone.sync(&office, vec![], vec![upload(order, more)]);
    let seen = office.app.field_test_show(&office.lead, test).unwrap();
    let samples: Vec<_> = seen.operators.iter().map(|(operator, kpi)| (*operator, kpi.total.samples)).collect();
    assert_eq!(samples, [(Operator::ChinaMobile, 120), (Operator::ChinaUnicom, 150), (Operator::ChinaTelecom, 120)]);
    assert!(seen.missing_blocks.is_empty());
    assert_eq!(seen.automatic_findings, vec![], "a walk at the place, long enough, all three networks");
    assert_eq!(office.app.field_test_list(&office.lead, order).unwrap().len(), 1);
    let elsewhere = office.lead_elsewhere();
    let problems = [
        office.app.field_test_show(&elsewhere, test).unwrap_err(),
        office.app.field_test_list(&elsewhere, order).unwrap_err(),
        office.app.field_test_blocks(&elsewhere, test, None).unwrap_err(),
        office.app.field_test_review(&elsewhere, test, &approve()).unwrap_err(),
    ];
    assert!(problems.iter().all(|error| error.problem == ProblemType::NotFound), "{problems:?}");

    let blocks = office.app.field_test_blocks(&office.lead, test, Some(Operator::ChinaUnicom)).unwrap();
    let text: String = blocks
        .iter()
        .map(|block| samples_csv::rows(block, &office.app.sample_block_open(&block.hash).unwrap().unwrap()))
        .collect();
    let columns = samples_csv::HEADER.trim_end().split(',').count();
    assert_eq!(text.lines().count(), 150);
    assert!(text.lines().all(|line| line.split(',').count() == columns));
    let first = text.lines().next().unwrap().splitn(4, ',').nth(3).unwrap();
    assert_eq!(
        first,
        "2026-11-23T09:00:00.000000Z,lte,-90,-10,10,12345600,77,28672,1300,30.540000,114.310000,8,false,35,,"
    );
}

#[test]
fn nothing_is_approved_on_evidence_that_nobody_has() {
    let office = Office::open();
    let mut phone = office.phone();
    let (order, test): (_, FieldTestId) = (office.order_dispatched(&phone), office.id());
    let block = office.block(&phone, test, Operator::ChinaMobile, 0, 90);
    let photo = office.photo(order, test, PhotoPurpose::Indoors);
    let mut commands = office.visit(order, test);
    let cited = vec![citation(Operator::ChinaMobile, &block, 90)];
    commands.extend(
        office.commands(
            order,
            [CommandBody::PhotoAttach { manifest: photo.clone() }, submit(test, cited, vec![photo.id])],
        ),
    );
    phone.sync(&office, commands, vec![]);
    let seen = office.app.field_test_show(&office.lead, test).unwrap();
    assert_eq!(seen.missing_blocks, [block.hash()]);
    let excused = |operator| TestFinding::OperatorMissing { operator, is_excused: true };
    assert!(seen.automatic_findings.contains(&excused(Operator::ChinaTelecom)), "{:?}", seen.automatic_findings);
    let refused = || office.app.field_test_review(&office.lead, test, &approve()).unwrap_err().problem;
    assert_eq!(refused(), ProblemType::EvidenceMissing);
    assert_eq!(office.app.field_test_show(&office.lead, test).unwrap().test.state, FieldTestState::Submitted);

    phone.sync(&office, vec![], vec![upload(order, block)]);
    assert_eq!(refused(), ProblemType::EvidenceMissing, "the photo's bytes are still on the phone");
    office
        .storage
        .write("stored", |tx| {
            let mut photo = tx.photo_lock(photo.id)?.unwrap();
            photo.state = PhotoState::Stored;
            tx.photo_update(&photo)
        })
        .unwrap();
    let seen = office.app.field_test_review(&office.lead, test, &approve()).unwrap();
    assert_eq!(seen.test.state, FieldTestState::Approved);
    assert_eq!(seen.reviews[0].rung.as_deref(), Some("retrofit"));
    assert_eq!(office.order(order).state, WorkOrderState::Approved);
    let answer = phone.sync(&office, vec![], vec![]);
    assert_eq!(answer.changes, vec![Change::Left { id: order, reason: LeftReason::Finished }]);
}

#[test]
fn a_test_sent_back_is_mended_and_handed_in_again() {
    let office = Office::open();
    let mut phone = office.phone();
    let (order, test) = handed_in(&office, &mut phone);
    let send_back = ReviewVerdict::SendBack(ReturnReasons { codes: vec![], words: vec!["no samples indoors".into()] });
    let seen = office.app.field_test_review(&office.lead, test, &send_back).unwrap();
    assert_eq!(seen.test.state, FieldTestState::SentBack);
    let again = office.app.field_test_review(&office.lead, test, &approve()).unwrap_err();
    assert_eq!(again.problem, ProblemType::IllegalTransition);
    let answer = phone.sync(&office, vec![], vec![]);
    let [Change::Changed { order: view }] = answer.changes.as_slice() else { panic!("{:?}", answer.changes) };
    assert_eq!(view.return_reasons, ["no samples indoors"]);

    let blocks: Vec<_> = Operator::REQUIRED.map(|operator| office.block(&phone, test, operator, 1, 80)).into();
    let cited =
        Operator::REQUIRED.iter().zip(&blocks).map(|(operator, block)| citation(*operator, block, 80)).collect();
    let uploads = blocks.iter().map(|block| upload(order, block.clone())).collect();
    let answer = phone.sync(&office, office.commands(order, [submit(test, cited, vec![])]), uploads);
    let [Change::Changed { order: view }] = answer.changes.as_slice() else { panic!("{:?}", answer.changes) };
    assert!(view.return_reasons.is_empty());
    let seen = office.app.field_test_review(&office.lead, test, &approve()).unwrap();
    assert_eq!(seen.test.submission_count, 2);
    let judged: Vec<_> = seen.reviews.iter().map(|review| review.submission_number).collect();
    assert_eq!(judged, [1, 2]);
}

#[test]
fn the_quarantine_shows_all_three_kinds_page_by_page() {
    let office = Office::open();
    let (mut first, second) = (office.phone(), office.phone());
    let (order, test) = (office.order_dispatched(&first), office.id());
    office.reassign(order, &second);
    let blocks = (0..3).map(|i| upload(order, office.block(&first, test, Operator::ChinaMobile, i, 40))).collect();
    first.sync(&office, office.visit(order, test), blocks);
    let mut position = QuarantinePosition::default();
    let mut found = Vec::new();
    loop {
        let page = office.app.quarantine_list(&office.lead, position, 4).unwrap();
        assert!(page.items.len() <= 4);
        found.extend(page.items);
        match page.next {
            Some(next) => position = next,
            None => break,
        }
    }
    let count = |is: fn(&Quarantined) -> bool| found.iter().filter(|item| is(item)).count();
    assert_eq!(count(|item| matches!(item, Quarantined::Command(_))), 6);
    assert_eq!(count(|item| matches!(item, Quarantined::Block(_))), 3);
    assert_eq!(count(|item| matches!(item, Quarantined::FieldTest(_))), 1);
    // The test is there to be looked at beside the order's others, marked; its figures are nobody's evidence.
    let seen = office.app.field_test_list(&office.lead, order).unwrap().remove(0);
    assert_eq!((seen.test.standing, seen.operators.len(), seen.blocks.len()), (Standing::Quarantined, 0, 3));
    assert!(office.app.sample_block_open(&seen.blocks[0].hash).unwrap().is_some());
}
