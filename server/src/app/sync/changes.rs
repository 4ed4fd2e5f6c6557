//! What changed for a tester: the feed after the phone's cursor, and what the server wants of the phone.

use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::workflow::contacts::ContactPolicy;
use crate::workflow::evidence_templates::EvidenceTemplates;
use callout_storage::Tx;
use callout_storage::chases::Chase;
use callout_storage::complaints::Complaint;
use callout_storage::feeds::{FeedEntry, FeedEntryKind, FeedState};
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::checkpoint::Checkpoint;
use callout_sync_protocol::contact_words::ContactWords;
use callout_sync_protocol::ids::{PhotoId, RegionId, UserId, WorkOrderId};
use callout_sync_protocol::sync::{Change, Cursor, Directive, SyncRequest};
use callout_sync_protocol::work_orders::{CustomerContact, LeftReason, WorkOrderView};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

/// Photos named in one answer; the others are named when these have come.
const MAX_PHOTOS_WANTED: u32 = 100;

/// A page ends when its texts reach so many bytes. One order's texts take 3 MB at the very most, so that with them a message
/// stays below its bound.
const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// A page of changes.
pub(super) struct ChangesPage {
    /// The phone's copy is void.
    pub reset: bool,
    /// The changes, oldest first.
    pub changes: Vec<Change>,
    /// Where the feed ends after them.
    pub cursor: Cursor,
    /// More wait.
    pub has_more: bool,
    /// What the phone should then hold, where nothing more waits.
    pub checkpoint: Option<Checkpoint>,
    /// Photos of this phone whose bytes are missing.
    pub photos_wanted: Vec<PhotoId>,
}

/// What the server wants of the phone beside the changes.
pub(super) fn directives(photos_wanted: Vec<PhotoId>, clock_ahead_ms: Option<i64>) -> Vec<Directive> {
    let photos = (!photos_wanted.is_empty()).then_some(Directive::PhotosWanted { photo_ids: photos_wanted });
    let clock = clock_ahead_ms.map(|ahead_ms| Directive::ClockSkewed { ahead_ms });
    photos.into_iter().chain(clock).collect()
}

/// Where reading goes on; `None` when the cursor is of another life of the feed, has missed tombstones that are
/// gone, or the phone does not hold what it should at its cursor.
fn cursor_resume(cursor: Cursor, checkpoint: Option<Checkpoint>, feed: &FeedState) -> Option<u64> {
    // Only at the feed's end can the two be compared; a phone that is behind compares when it has caught up.
    let disagrees = cursor.number == feed.last_number && checkpoint.is_some_and(|theirs| theirs != feed.checkpoint);
    let is_good = cursor.epoch == feed.epoch
        && cursor.number >= feed.compacted_through
        // A database restored without telling: it would give numbers again that this phone has passed.
        && cursor.number <= feed.last_number
        && !disagrees;
    is_good.then_some(cursor.number)
}

impl App {
    /// Loads what the views of a page have beside orders and complaints; nothing when the page is empty.
    fn view_extras(&self, tx: &mut Tx, entries: &[(FeedEntry, WorkOrder, Complaint)]) -> AppResult<ViewExtras> {
        let shown = || entries.iter().filter(|(entry, ..)| entry.kind == FeedEntryKind::Changed);
        let ids: Vec<WorkOrderId> = shown().map(|(_, order, _)| order.id).collect();
        if ids.is_empty() {
            return Ok(ViewExtras { chases: Vec::new(), regions: Vec::new() });
        }
        let region_ids: BTreeSet<Option<RegionId>> = shown().map(|(_, order, _)| order.region_id).collect();
        let regions = region_ids
            .into_iter()
            .map(|region_id| {
                let hours: ContactPolicy = self.policy(tx, region_id)?;
                let words: ContactWords = self.policy(tx, region_id)?;
                let extra = ViewExtra {
                    notes: String::new(),
                    rest_hours: (hours != ContactPolicy::default()).then(|| hours.rest_hours().0),
                    contact_words: (words != ContactWords::default()).then_some(words),
                };
                Ok((region_id, extra))
            })
            .collect::<AppResult<_>>()?;
        Ok(ViewExtras { chases: tx.chase_list_by_work_orders(&ids)?, regions })
    }

    /// The tester's changes after the request's cursor. Three queries when there are none.
    pub(super) fn changes_read(&self, tx: &mut Tx, caller: &Caller, request: &SyncRequest) -> AppResult<ChangesPage> {
        self.caller_standing(tx, caller)?;
        let feed = tx.feed_state(caller.user_id)?;
        let resumed = request.cursor.and_then(|cursor| cursor_resume(cursor, request.checkpoint, &feed));
        let after = resumed.unwrap_or(0);
        let wanted = request.changes_wanted();
        let entries = if after < feed.last_number {
            tx.feed_page(caller.user_id, after, u32::try_from(wanted).unwrap_or(u32::MAX))?
        } else {
            Vec::new()
        };
        let is_full = entries.len() >= wanted;
        let extras = self.view_extras(tx, &entries)?;
        let mut changes = Vec::with_capacity(entries.len());
        let (mut number, mut bytes, mut is_cut) = (after, 0, false);
        // One look for each region of the page.
        let mut templates: HashMap<Option<RegionId>, EvidenceTemplates> = HashMap::new();
        for (entry, order, complaint) in entries {
            if bytes > MAX_PAGE_BYTES {
                is_cut = true;
                break;
            }
            number = entry.number;
            let region_id = order.region_id;
            let extra = extras.of(&order);
            bytes += text_bytes(&order, &complaint) + extra.notes.len();
            let mut change = change_of(&entry, order, complaint, extra, caller.user_id);
            if let Change::Changed { order } = &mut change {
                let templates = match templates.entry(region_id) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(unknown) => unknown.insert(self.policy::<EvidenceTemplates>(tx, region_id)?),
                };
                let rule = templates.template_of(order.symptom, order.generation);
                order.evidence_template = rule.map(|rule| rule.requires.clone());
            }
            // Who begins anew has nothing that could leave.
            if resumed.is_some() || matches!(change, Change::Changed { .. }) {
                changes.push(change);
            }
        }
        if !is_full && !is_cut {
            // All there is was read, from one snapshot.
            number = feed.last_number;
        }
        let photos_wanted = tx.photo_ids_wanted(caller.user_id, caller.device_id, MAX_PHOTOS_WANTED)?;
        Ok(ChangesPage {
            reset: request.cursor.is_some() && resumed.is_none(),
            changes,
            cursor: Cursor { epoch: feed.epoch, number },
            has_more: number < feed.last_number,
            checkpoint: (number >= feed.last_number).then_some(feed.checkpoint),
            photos_wanted,
        })
    }
}

/// What a view has beside the order and its complaint.
#[derive(Clone, Default)]
struct ViewExtra {
    /// What customer service added, below the customer's words (R-ROUTE-4).
    notes: String,
    /// Where the region has others than the ordinary ones (R-CONTACT-1).
    rest_hours: Option<Vec<(u16, u16)>>,
    /// Where the region has others than the ordinary ones (R-CONTACT-2).
    contact_words: Option<ContactWords>,
}

/// The extras of a page's orders.
struct ViewExtras {
    chases: Vec<Chase>,
    /// One for each region of the page; what is ordinary is left out.
    regions: Vec<(Option<RegionId>, ViewExtra)>,
}

impl ViewExtras {
    fn of(&self, order: &WorkOrder) -> ViewExtra {
        let region = self.regions.iter().find(|(region_id, _)| *region_id == order.region_id);
        let notes = self.chases.iter().filter(|chase| chase.work_order_id == order.id).filter_map(|chase| {
            let note = chase.note.as_deref().filter(|note| !note.is_empty())?;
            Some(format!("\n[追单 chase {}] {note}", chase.created_at))
        });
        ViewExtra { notes: notes.collect(), ..region.map(|(_, extra)| extra.clone()).unwrap_or_default() }
    }
}

fn text_bytes(order: &WorkOrder, complaint: &Complaint) -> usize {
    complaint.description.len() + order.address.len() + order.return_reasons.iter().map(String::len).sum::<usize>()
}

fn change_of(entry: &FeedEntry, order: WorkOrder, complaint: Complaint, extra: ViewExtra, tester: UserId) -> Change {
    match entry.kind {
        FeedEntryKind::Changed if order.assigned_to == Some(tester) => {
            Change::Changed { order: Box::new(work_order_view(order, complaint, extra)) }
        }
        // Whoever does not have the order does not get the customer's contact, whatever the entry says (R-PRIVACY-1).
        FeedEntryKind::Changed => Change::Left { id: order.id, reason: LeftReason::Reassigned },
        FeedEntryKind::Left => Change::Left { id: order.id, reason: entry.left_reason.unwrap_or(LeftReason::Finished) },
    }
}

/// The order as its tester's phone holds it, with the customer's contact.
fn work_order_view(order: WorkOrder, complaint: Complaint, extra: ViewExtra) -> WorkOrderView {
    WorkOrderView {
        position: order.position(),
        appointment: order.appointment(),
        id: order.id,
        version: order.version,
        number: order.number,
        state: order.state,
        urgency: order.urgency,
        symptom: complaint.symptom,
        generation: complaint.generation,
        description: complaint.description + &extra.notes,
        address: order.address,
        customer: CustomerContact { name: complaint.customer_name, phone: complaint.customer_phone },
        due_at: order.due_at,
        field_test_id: order.field_test_id,
        return_reasons: order.return_reasons,
        photo_consent: order.photo_consent,
        utc_offset_minutes: order.utc_offset_minutes,
        rest_hours: extra.rest_hours,
        contact_words: extra.contact_words,
        // Added where the region's templates are at hand.
        evidence_template: None,
    }
}
