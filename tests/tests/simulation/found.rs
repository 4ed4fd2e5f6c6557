//! Lists of operations that once broke something, shrunk; each must hold for ever.

use super::{Database, Setting, run};
use callout_tests::simulation::{Fault, Operation};

#[track_caller]
fn holds(operations: &[Operation]) {
    let result = run(1, &Setting::of(Database::Sqlite), operations);
    let report = result.expect("SQLite is always there").unwrap_or_else(|failure| panic!("{failure:?}"));
    assert!(report.messages > 0);
}

/// A renewal of tokens arrived twice and the phone heard the first answer, whose token the second renewal had dropped: the next
/// renewal signed the phone out.
#[test]
fn a_renewal_that_arrives_twice_keeps_the_phone_signed_in() {
    holds(&[
        Operation::Advance { minutes: 64 },
        Operation::Sync { phone: 2, server: 1, patience: 1, faults: vec![Fault::TwiceFirstHeard] },
        Operation::Advance { minutes: 42 },
    ]);
}

/// The same by reordering: a renewal overtaken by its own repetition arrives when the phone has heard the repetition's answer.
#[test]
fn a_renewal_overtaken_by_its_repetition_keeps_the_phone_signed_in() {
    holds(&[
        Operation::Advance { minutes: 64 },
        Operation::Sync { phone: 0, server: 0, patience: 1, faults: vec![Fault::RequestLost] },
        Operation::Replay { phone: 0, server: 1, back: 1 },
        Operation::Advance { minutes: 42 },
        Operation::Sync { phone: 0, server: 0, patience: 0, faults: vec![] },
    ]);
}

/// A compaction removed a tombstone that stood behind a page of older entries: whoever began anew got a cursor before the
/// tombstone with the first page, was told to begin anew, and never saw the second page.
#[test]
fn a_first_sync_after_a_compaction_gets_beyond_its_first_page() {
    let make = |tester| Operation::OrderMake { tester };
    holds(&[
        make(1),
        make(1),
        make(1),
        make(0),
        make(2),
        make(1),
        Operation::Reassign { order: 978, tester: 0 },
        make(0),
        make(0),
        Operation::Reassign { order: 811, tester: 1 },
        Operation::Compact { hours: 0 },
    ]);
}
