//! R-PRIVACY-1: what is taken out of which text.

use callout_server::workflow::erasures::{
    Eraser, ErasureOptions, RetentionPolicy, StaffWords, erasure_reason_check, known_of,
};
use callout_server::workflow::policies::Policy;
use callout_sync_protocol::commands::{AffectedService, CommandBody, ContactOutcome, Findings, MissingOperator};
use callout_sync_protocol::ids::FieldTestId;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::work_orders::NetworkGeneration;
use proptest::prelude::*;

use crate::workflow::support::at;

fn eraser(staff_words: StaffWords) -> Eraser {
    Eraser { known: known_of("王澄", "+86 169-0000-1234", "港湾一路12号"), staff_words, mark: "[gone]" }
}

#[test]
fn numbers_are_known_in_the_forms_in_which_people_write_them() {
    for (phone, forms) in [
        ("16900001234", vec!["16900001234", "169-0000-1234", "169 0000 1234"]),
        (
            "+86 169-0000-1234",
            vec!["8616900001234", "16900001234", "169-0000-1234", "169 0000 1234", "+86 169-0000-1234"],
        ),
        ("0554-1234567", vec!["0554-1234567", "05541234567"]),
        ("10086", vec!["10086"]),
    ] {
        let mut known = known_of("", phone, "");
        let mut expected: Vec<String> = forms.into_iter().map(str::to_owned).collect();
        known.sort();
        expected.sort();
        // An eleven-digit landline number is grouped like a mobile one, too; more forms do no harm.
        expected.iter().for_each(|form| assert!(known.contains(form), "{phone}: {known:?} lacks {form}"));
    }
    assert_eq!(known_of("王", "", " "), Vec::<String>::new(), "one character stands for too much else");
    let known = known_of("欧阳", "16900001234", "欧阳街1号");
    assert!(known.windows(2).all(|pair| pair[0].len() >= pair[1].len()), "the longer first, or its rest would stay");
}

#[test]
fn staffs_words_are_redacted_or_removed() {
    let text = "王澄 at 港湾一路12号, call 169 0000 1234 or 16900001234";
    assert_eq!(eraser(StaffWords::Redact).staff_text(text), "[gone] at [gone], call [gone] or [gone]");
    assert_eq!(eraser(StaffWords::Remove).staff_text(text), "[gone]");
    assert!(eraser(StaffWords::Redact).is_reason_erased(text));
    assert!(!eraser(StaffWords::Redact).is_reason_erased("down-tilt"));
    assert!(eraser(StaffWords::Remove).is_reason_erased("down-tilt"));
}

#[test]
fn commands_keep_what_is_of_the_network() {
    let findings = Findings {
        problem: "my mother".into(),
        generation: NetworkGeneration::Lte,
        service: AffectedService::Voice,
        occurs: "when I sleep".into(),
        address: "港湾一路12号".into(),
        position: None,
        competitor_coverage: "good at 王澄's".into(),
        serving_sites: vec!["eNB 1, opposite 港湾一路12号".into()],
        planned_sites: vec![],
        shareable_resources: vec!["tower 7".into()],
        pressing_need: "quiet".into(),
        contact_left: true,
        revisit_announced: true,
        volte: None,
    };
    let id = FieldTestId::NIL;
    let contact = |emergency: Option<&str>, note: Option<&str>| CommandBody::Contact {
        outcome: ContactOutcome::Reached,
        appointment: None,
        emergency_reason: emergency.map(str::to_owned),
        note: note.map(str::to_owned),
    };
    let missing = |reason: &str| CommandBody::TestSubmit {
        field_test_id: id,
        blocks: vec![],
        photos: vec![],
        missing_operators: vec![MissingOperator { operator: Operator::ChinaTelecom, reason: reason.into() }],
    };
    let eraser = eraser(StaffWords::Redact);
    let kept = Findings {
        problem: "[gone]".into(),
        occurs: String::new(),
        address: "[gone]".into(),
        competitor_coverage: "good at [gone]'s".into(),
        serving_sites: vec!["eNB 1, opposite [gone]".into()],
        pressing_need: String::new(),
        ..findings.clone()
    };
    for (before, after) in [
        (CommandBody::Accept {}, CommandBody::Accept {}),
        (contact(Some("王澄 is in hospital"), Some("rings twice")), contact(Some("[gone] is in hospital"), None)),
        (
            CommandBody::Decline { reason: "王澄 shouts".into() },
            CommandBody::Decline { reason: "[gone] shouts".into() },
        ),
        (
            CommandBody::FindingsRecord { field_test_id: id, findings },
            CommandBody::FindingsRecord { field_test_id: id, findings: kept },
        ),
        (missing("no SIM, says 王澄"), missing("no SIM, says [gone]")),
    ] {
        let erased = eraser.command(&before);
        assert_eq!(erased, after);
        assert_eq!(eraser.command(&erased), erased, "once is enough");
        let command = callout_sync_protocol::commands::Command {
            id: callout_sync_protocol::ids::CommandId::NIL,
            work_order_id: callout_sync_protocol::ids::WorkOrderId::NIL,
            captured_at: at("2026-11-23T02:00:00Z"),
            body: erased,
        };
        assert_eq!(command.validate(), Ok(()), "what stays can still be read as a command");
    }
}

#[test]
fn reasons_and_policies_have_bounds() {
    let known = known_of("王澄", "16900001234", "");
    assert!(erasure_reason_check("客户书面要求", &known).is_ok());
    for reason in ["", "  ", "王澄要求", "16900001234 called", "a\0b"] {
        assert!(erasure_reason_check(reason, &known).is_err(), "{reason}");
    }
    let policy = |days| RetentionPolicy { customer_data_days: days, options: ErasureOptions::default() };
    for (days, is_good) in
        [(None, true), (Some(29), false), (Some(30), true), (Some(36_500), true), (Some(36_501), false)]
    {
        assert_eq!(policy(days).check().is_ok(), is_good, "{days:?}");
    }
    let now = at("2026-11-23T02:00:00Z");
    assert_eq!(policy(None).due_before(now), None, "nothing goes by itself unless somebody says so");
    assert_eq!(policy(Some(30)).due_before(now), Some(at("2026-10-24T02:00:00Z")));
}

proptest! {
    /// Whatever stands around it, what is known of the customer is not in the text afterwards.
    #[test]
    fn nothing_known_stays(before in ".{0,20}", after in ".{0,20}", which in 0usize..6) {
        let eraser = eraser(StaffWords::Redact);
        let text = format!("{before}{}{after}", eraser.known[which % eraser.known.len()]);
        let erased = eraser.staff_text(&text);
        prop_assert!(eraser.known.iter().all(|known| !erased.contains(known)));
    }
}
