//! Erasures of customers' data (R-PRIVACY-1): where free text about a complaint stands, how it is taken away, and that it was.
//!
//! [`ERASED_COLUMNS`] names every column that people's words about a customer can reach; a test holds the whole schema against
//! it, so that a new column cannot be forgotten. What does not belong here: what is taken away when (`workflow::erasures`), and
//! the columns of typed documents, which their nouns save themselves.

use crate::connection::{AnyConnection, Tx, each_backend};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, limit};
use crate::schema::{command_receipts, complaints, erasures, photo_hashes, photos, tracking_tickets, work_orders};
use crate::sql_types::{Digest, Id, Words, bind, row_values};
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::ids::{CommandId, ComplaintId, PhotoId, UserId, WorkOrderId};
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;
use uuid::Uuid;

/// What stands for words that were taken out of a text.
pub const ERASED_MARK: &str = "[erased 已删除]";

/// An erasure on record.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Erasure {
    /// Whose customer.
    pub complaint_id: ComplaintId,
    /// Who demanded it; absent when the retention period ended.
    pub erased_by: Option<UserId>,
    /// Why.
    pub reason: String,
    /// What was to be taken away.
    pub options: serde_json::Value,
    /// How much was.
    pub counts: serde_json::Value,
    /// When.
    pub created_at: Timestamp,
}

/// Whose words a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasedWords {
    /// The customer's, or the customer's own data.
    Customer,
    /// The customer's answer to a revisit.
    Revisit,
    /// What staff wrote about the case.
    Staff,
    /// References that a rule needs; only the customer's known data is taken out of them.
    Reference,
}

/// By what a row is found: a condition of SQL in which `{}` stands for the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasedLink {
    /// By the complaint's id.
    Complaint(&'static str),
    /// By the order's id.
    WorkOrder(&'static str),
}

/// How a column is emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasedForm {
    /// By the noun that owns it, which reads and writes the whole record.
    Typed,
    /// Text that must be there.
    Text,
    /// Text that may be absent.
    OptionalText,
    /// A list in JSON.
    JsonList,
}

/// A column that people's words about a customer can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErasedColumn {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// How its rows are found.
    pub link: ErasedLink,
    /// Whose words it holds.
    pub words: ErasedWords,
    /// How it is emptied.
    pub form: ErasedForm,
}

macro_rules! erased {
    ($($table:ident by $link:ident($condition:literal): $($column:ident $words:ident $form:ident),+;)+) => {
        &[$($(ErasedColumn {
            table: stringify!($table),
            column: stringify!($column),
            link: ErasedLink::$link($condition),
            words: ErasedWords::$words,
            form: ErasedForm::$form,
        }),+),+]
    };
}

/// See the module. A new column with free text about a complaint gets its place here.
pub const ERASED_COLUMNS: &[ErasedColumn] = erased! {
    complaints by Complaint("id = {}"):
        customer_name Customer Typed, customer_phone Customer Typed, description Customer Typed, address Customer Typed,
        occurs Customer Typed, answer Staff Typed;
    work_orders by WorkOrder("id = {}"): address Customer Typed, return_reasons Staff Typed;
    field_tests by WorkOrder("work_order_id = {}"): findings Customer Typed, submission Staff Typed;
    command_receipts by WorkOrder("work_order_id = {}"): body Customer Typed;
    photos by WorkOrder("work_order_id = {}"): exif Customer Typed, object_key Customer Typed, thumbnail_key Customer Typed;
    photo_uploads by WorkOrder("photo_id = {}"): metadata Customer Typed, parts Customer Typed;
    events by WorkOrder("subject_id = {}"): reason Staff Typed;
    reviews by WorkOrder("work_order_id = {}"):
        reasons Staff JsonList, quick_relief Staff OptionalText, cure Staff OptionalText, sections Staff JsonList,
        evidence Reference JsonList, evidence_accepted_because Staff OptionalText;
    handoffs by WorkOrder("work_order_id = {}"): demand Staff Text, answer Staff OptionalText;
    ladder_steps by WorkOrder("work_order_id = {}"): reason Staff Text, evidence Reference JsonList;
    replies by Complaint("complaint_id = {}"): body Staff Text, next_step Staff OptionalText;
    revisits by WorkOrder("work_order_id = {}"): words Revisit OptionalText, what_was_done Staff OptionalText;
    clocks by Complaint("complaint_id = {}"): breach_note Staff OptionalText;
    clock_entries by Complaint("clock_id IN (SELECT id FROM clocks WHERE complaint_id = {})"): reason Reference Text;
    customer_questions by WorkOrder("work_order_id = {}"): question Staff Text, answer Customer OptionalText;
    intakes by Complaint("complaint_id = {}"): decision_reason Staff OptionalText, reasons Reference JsonList;
    escalations by Complaint("complaint_id = {}"): reason Staff Text, words Staff OptionalText;
    major_cases by Complaint("complaint_id = {}"): explanation Staff Text, closing_words Staff OptionalText;
    major_case_members by Complaint("major_case_id IN (SELECT id FROM major_cases WHERE complaint_id = {})"):
        duty Reference Text;
    notices by Complaint("complaint_id = {}"): detail Reference JsonList;
    cases by WorkOrder("work_order_id = {}"):
        title Reference Text, cause Reference Text, what_was_done Reference Text, searched Reference Text;
    appraisal_marks by WorkOrder("work_order_id = {}"): reason Staff Text;
    dispatches by WorkOrder("work_order_id = {}"): ended_reason Staff OptionalText;
    chases by WorkOrder("work_order_id = {}"): note Customer OptionalText;
    branch_questions by WorkOrder("work_order_id = {}"): question Staff Text, answer Staff OptionalText;
    follow_ups by WorkOrder("work_order_id = {}"): what_was_done Staff OptionalText;
    build_demands by WorkOrder("work_order_id = {}"): demand Staff Text, shareable_resources Staff Text;
    build_demand_decisions by WorkOrder("build_demand_id IN (SELECT id FROM build_demands WHERE work_order_id = {})"):
        reason Staff Text;
    review_meetings by WorkOrder("id IN (SELECT review_meeting_id FROM build_demands WHERE work_order_id = {})"):
        minutes Reference OptionalText;
};

/// What is done to the words about one complaint.
#[derive(Clone, Copy, Debug)]
pub struct WordsErasure<'a> {
    /// The complaint.
    pub complaint_id: ComplaintId,
    /// Its order.
    pub work_order_id: Option<WorkOrderId>,
    /// Whose words go altogether.
    pub removes: &'a [ErasedWords],
    /// The customer's known data, which is taken out of the words that stay; the longer before the shorter.
    pub known: &'a [String],
}

/// Runs a statement on either connection, with the values bound in the order in which their numbers first stand in it: SQLite
/// counts so.
macro_rules! execute_sql {
    ($tx:expr, $sql:expr $(, $type:ty = $value:expr)*) => {
        $tx.run(|c| each_backend!(c, |c| diesel::sql_query($sql)$(.bind::<$type, _>(bind($value)))*.execute(c)))
    };
}

impl Tx {
    /// Puts an erasure on record.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if the complaint has one.
    pub fn erasure_insert(&mut self, erasure: &Erasure) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(erasures::table)
                .values(row_values!(erasures, erasure, complaint_id, erased_by, reason, options, counts, created_at))
                .execute(c)
        })?;
        Ok(())
    }

    /// The erasure of a complaint's customer.
    pub fn erasure_by_complaint(&mut self, id: ComplaintId) -> Result<Option<Erasure>, StorageError> {
        self.run(|c| erasures::table.find(bind(&id)).first(c).optional())
    }

    /// Complaints whose last change is from before an instant, which have ended with all that follows from them, and whose
    /// customer is not erased; the oldest first, at most 500.
    pub fn erasure_list_due(&mut self, before: Timestamp, at_most: u32) -> Result<Vec<ComplaintId>, StorageError> {
        use crate::complaints::ComplaintState as S;
        let closed_before = Some(before);
        self.run(|c| {
            let has_ended = [S::Answered, S::Resolved, S::Withdrawn];
            let has_erasure = diesel::dsl::exists(
                erasures::table.filter(erasures::complaint_id.eq(complaints::id)).select(erasures::complaint_id),
            );
            let has_closed_ticket = diesel::dsl::exists(
                tracking_tickets::table
                    .inner_join(work_orders::table.on(work_orders::id.eq(tracking_tickets::work_order_id)))
                    .filter(work_orders::complaint_id.eq(complaints::id))
                    .filter(tracking_tickets::closed_at.lt(bind(&closed_before)))
                    .select(tracking_tickets::id),
            );
            complaints::table
                .filter(complaints::updated_at.lt(bind(&before)))
                .filter(diesel::dsl::not(has_erasure))
                .filter(
                    complaints::state
                        .eq_any(has_ended.iter().map(bind))
                        .or(complaints::state.eq(bind(&S::Unresolved)).and(has_closed_ticket)),
                )
                .order((complaints::updated_at, complaints::id))
                .limit(limit(at_most))
                .select(complaints::id)
                .load(c)
        })
    }

    /// Empties the columns that no noun empties itself, and takes the customer's known data out of what stays. Returns how many
    /// texts changed.
    pub fn erasure_of_words(&mut self, erasure: &WordsErasure<'_>) -> Result<u64, StorageError> {
        let mut count = 0;
        for column in ERASED_COLUMNS.iter().filter(|column| column.form != ErasedForm::Typed) {
            let (link, id) = match (column.link, erasure.work_order_id) {
                (ErasedLink::Complaint(link), _) => (link, Uuid::from(erasure.complaint_id)),
                (ErasedLink::WorkOrder(link), Some(order)) => (link, Uuid::from(order)),
                (ErasedLink::WorkOrder(_), None) => continue,
            };
            count += if erasure.removes.contains(&column.words) {
                self.words_remove(column, link, id)?
            } else {
                self.words_redact(column, link, id, erasure.known)?
            };
        }
        Ok(count)
    }

    fn words_remove(&mut self, column: &ErasedColumn, link: &str, id: Uuid) -> Result<u64, StorageError> {
        let ErasedColumn { table, column: name, form, .. } = column;
        let empty = match form {
            ErasedForm::Text => "''",
            ErasedForm::OptionalText | ErasedForm::Typed => "NULL",
            ErasedForm::JsonList => "'[]'",
        };
        let is_there = match form {
            ErasedForm::Text | ErasedForm::JsonList => format!("{name} <> {empty}"),
            ErasedForm::OptionalText | ErasedForm::Typed => format!("{name} IS NOT NULL"),
        };
        let version = version_raise(table);
        let link = link.replace("{}", "$1");
        let sql = format!("UPDATE {table} SET {name} = {empty}{version} WHERE {link} AND {is_there}");
        Ok(execute_sql!(self, sql.as_str(), Id = &id)? as u64)
    }

    fn words_redact(
        &mut self,
        column: &ErasedColumn,
        link: &str,
        id: Uuid,
        known: &[String],
    ) -> Result<u64, StorageError> {
        let ErasedColumn { table, column: name, form, .. } = column;
        let is_json = *form == ErasedForm::JsonList;
        let is_postgres = matches!(self.connection, AnyConnection::Postgres(_));
        let (text, back) = if is_json && is_postgres { ("::text", "::jsonb") } else { ("", "") };
        let position = if is_postgres { "strpos" } else { "instr" };
        let version = version_raise(table);
        let mark = ERASED_MARK.to_owned();
        let link = link.replace("{}", "$3");
        let mut count = 0;
        for known in known {
            // As it stands inside a JSON string, without the quotes.
            let escaped = serde_json::Value::from(known.as_str()).to_string();
            let searched = if is_json { escaped[1..escaped.len() - 1].to_owned() } else { known.clone() };
            let sql = format!(
                "UPDATE {table} SET {name} = replace({name}{text}, $1, $2){back}{version}
                 WHERE {link} AND {position}({name}{text}, $1) > 0"
            );
            count += execute_sql!(self, sql.as_str(), Words = &searched, Words = &mark, Id = &id)? as u64;
        }
        Ok(count)
    }

    /// The contents of an order's receipts after an id, in the order of their ids, at most 500.
    pub fn command_receipt_contents(
        &mut self,
        order: WorkOrderId,
        after: CommandId,
    ) -> Result<Vec<(CommandId, CommandBody)>, StorageError> {
        self.run(|c| {
            command_receipts::table
                .filter(command_receipts::work_order_id.eq(bind(&order)))
                .filter(command_receipts::command_id.gt(bind(&after)))
                .order(command_receipts::command_id)
                .limit(limit(MAX_PAGE))
                .select((command_receipts::command_id, command_receipts::body))
                .load(c)
        })
    }

    /// All photos of an order with one of these purposes, in the order of their ids, so that they can be locked in it.
    pub fn photo_ids_of_purposes(
        &mut self,
        order: WorkOrderId,
        purposes: &[PhotoPurpose],
    ) -> Result<Vec<PhotoId>, StorageError> {
        self.run(|c| {
            photos::table
                .filter(photos::work_order_id.eq(bind(&order)))
                .filter(photos::purpose.eq_any(purposes.iter().map(bind)))
                .order(photos::id)
                .select(photos::id)
                .load(c)
        })
    }

    /// Forgets by which number the customer of a complaint is known again: its digest could be found by trying all numbers.
    pub fn intake_customer_forget(&mut self, id: ComplaintId) -> Result<(), StorageError> {
        let nobody = *blake3::hash(id.as_bytes()).as_bytes();
        let sql = "UPDATE intakes SET customer_digest = $1, version = version + 1 WHERE complaint_id = $2";
        execute_sql!(self, sql, Digest = &nobody, Id = &id)?;
        Ok(())
    }

    /// Forgets what an erased photo looked like.
    pub fn photo_look_forget(&mut self, id: PhotoId) -> Result<(), StorageError> {
        self.run(|c| diesel::delete(photo_hashes::table.find(bind(&id))).execute(c))?;
        Ok(())
    }

    /// Puts another content into a command's receipt, for an erasure; its digest, by which a repetition is known, stays.
    pub fn command_receipt_content_set(&mut self, id: CommandId, body: &CommandBody) -> Result<(), StorageError> {
        let rows = self.run(|c| {
            diesel::update(command_receipts::table.find(bind(&id)))
                .set(command_receipts::body.eq(bind(body)))
                .execute(c)
        })?;
        if rows == 1 { Ok(()) } else { Err(StorageError::NotFound { what: "command receipt" }) }
    }
}

/// A record that somebody read before must not be saved over what is gone.
fn version_raise(table: &str) -> &'static str {
    let has_version = [
        "handoffs",
        "follow_ups",
        "build_demands",
        "review_meetings",
        "clocks",
        "intakes",
        "escalations",
        "major_cases",
        "cases",
    ];
    if has_version.contains(&table) { ", version = version + 1" } else { "" }
}
