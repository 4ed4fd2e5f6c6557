//! Changes: every one told, none skipped, none too long, and few bytes.

use super::fixture::{Office, Phone};
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::frame::frame_encode;
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::sync::{Change, Cursor, SyncRequest, SyncResponse};
use callout_sync_protocol::work_orders::LeftReason;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a phone holds after applying answers.
#[derive(Default)]
struct Copy {
    orders: BTreeMap<WorkOrderId, u64>,
    cursor: Option<Cursor>,
}

impl Copy {
    fn apply(&mut self, answer: &SyncResponse) {
        if answer.reset {
            self.orders.clear();
        }
        for change in &answer.changes {
            match change {
                Change::Changed { order } => self.orders.insert(order.id, order.version),
                Change::Left { id, .. } => self.orders.remove(id),
            };
        }
        self.cursor = Some(answer.cursor);
    }

    fn pull(&mut self, office: &Office, phone: &Phone, max_changes: u32) -> SyncResponse {
        let answer = phone.send(office, &SyncRequest { cursor: self.cursor, max_changes, ..phone.request(office) });
        self.apply(&answer);
        answer
    }
}

#[test]
fn pages_follow_each_other_and_an_idle_sync_tells_nothing() {
    let office = Office::open();
    let phone = office.phone();
    let orders: Vec<_> = (0..5).map(|_| office.order_dispatched(&phone)).collect();
    let mut copy = Copy::default();
    let page = copy.pull(&office, &phone, 2);
    assert_eq!((page.changes.len(), page.has_more, page.reset), (2, true, false));
    let rest = copy.pull(&office, &phone, 500);
    assert_eq!((rest.changes.len(), rest.has_more), (3, false));
    assert_eq!(copy.orders.len(), 5);
    let idle = copy.pull(&office, &phone, 500);
    assert_eq!((idle.changes.len(), idle.cursor, idle.has_more), (0, rest.cursor, false));
    assert!(frame_encode(&idle).len() < 64, "{}", frame_encode(&idle).len());

    office.app.work_order_withdraw(&office.t1, orders[1], "the customer called it off").unwrap();
    let left = copy.pull(&office, &phone, 500);
    assert_eq!(left.changes, vec![Change::Left { id: orders[1], reason: LeftReason::Withdrawn }]);
}

#[test]
fn a_cursor_of_another_life_or_from_before_the_compaction_starts_over() {
    let office = Office::open();
    let phone = office.phone();
    let (kept, gone) = (office.order_dispatched(&phone), office.order_dispatched(&phone));
    let mut old = Copy::default();
    old.pull(&office, &phone, 500);
    let old_cursor = old.cursor;
    office.app.work_order_withdraw(&office.t1, gone, "the customer called it off").unwrap();
    office.wait_seconds(90 * 86_400);
    let before = office.now();
    office.storage.write("compact", |tx| tx.feed_compact(before)).unwrap();
    let answer = old.pull(&office, &phone, 500);
    assert!(answer.reset, "its tombstone is gone");
    assert_eq!(old.orders.keys().collect::<Vec<_>>(), [&kept]);
    assert!(!old.pull(&office, &phone, 500).reset);

    for cursor in [Cursor { epoch: 77, number: 0 }, Cursor { number: u64::MAX, ..old_cursor.unwrap() }] {
        let mut strange = Copy { cursor: Some(cursor), ..Copy::default() };
        assert!(strange.pull(&office, &phone, 500).reset);
        assert_eq!(strange.orders.keys().collect::<Vec<_>>(), [&kept]);
    }
    // A first sync has nothing that could leave.
    let mut new = Copy::default();
    assert!(!new.pull(&office, &phone, 1).reset);
}

#[test]
fn a_reader_between_writers_misses_nothing() {
    let office = Office::open();
    let phone = office.phone();
    let orders: Vec<_> = (0..24).map(|_| office.order_located()).collect();
    let is_done = AtomicBool::new(false);
    let copy = std::thread::scope(|scope| {
        let writers: Vec<_> = orders
            .chunks(8)
            .map(|orders| {
                let (office, phone) = (&office, &phone);
                scope.spawn(move || {
                    for order in orders {
                        office.dispatch(*order, phone);
                        let accept = office.command(*order, CommandBody::Accept {});
                        phone.send(office, &SyncRequest { commands: vec![accept], ..phone.request(office) });
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut copy = Copy::default();
            loop {
                let is_last = is_done.load(Ordering::SeqCst);
                while copy.pull(&office, &phone, 3).has_more {}
                if is_last {
                    return copy;
                }
            }
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        is_done.store(true, Ordering::SeqCst);
        reader.join().unwrap()
    });
    let versions: BTreeMap<_, _> = orders.iter().map(|id| (*id, office.order(*id).version)).collect();
    assert_eq!(copy.orders, versions);
}

#[test]
fn the_first_sync_of_two_hundred_orders_stays_below_60_kb() {
    let office = Office::open();
    let phone = office.phone();
    for _ in 0..200 {
        office.order_dispatched(&phone);
    }
    let answer = phone.send(&office, &phone.request(&office));
    assert_eq!((answer.changes.len(), answer.has_more), (200, false));
    let bytes = frame_encode(&answer).len();
    assert!(bytes < 60_000, "{bytes} bytes");
    println!("first sync of 200 orders: {bytes} bytes");
}

#[test]
fn very_long_texts_come_in_several_pages() {
    let office = Office::open();
    let phone = office.phone();
    let orders: Vec<_> = (0..3).map(|_| office.order_dispatched(&phone)).collect();
    office
        .storage
        .write("long", |tx| {
            for id in &orders {
                let mut order = tx.work_order_by_id(*id)?.unwrap();
                order.return_reasons = vec!["长".repeat(4_000); 256];
                tx.work_order_update(&mut order)?;
            }
            Ok::<_, callout_storage::StorageError>(())
        })
        .unwrap();
    let mut copy = Copy::default();
    assert!(copy.pull(&office, &phone, 500).has_more);
    while copy.pull(&office, &phone, 500).has_more {}
    assert_eq!(copy.orders.len(), 3);
}
