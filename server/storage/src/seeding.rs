//! A made-up year of a province in one go, for measuring at a size that no test reaches through the API. Made inside the database, so
//! that a million orders take minutes and not hours. What does not belong here: anything that a server does.

use crate::connection::{AnyConnection, Tx};
use crate::error::StorageError;
use crate::intakes::{GRID_COLUMNS, GRID_E6};
use callout_sync_protocol::ids::{ComplaintId, DeviceId, RegionId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::connection::SimpleConnection;
use uuid::Uuid;

/// What the year is made of.
#[derive(Clone, Debug)]
pub struct YearSeed {
    /// The regions, each a square of one degree; complaints lie in its middle.
    pub regions: Vec<YearRegion>,
    /// Who pushed the complaints and held the orders solved.
    pub source_id: UserId,
    /// A device of the testers.
    pub device_id: DeviceId,
    /// The first complaint's instant; the last comes a year later.
    pub from: Timestamp,
    /// How many orders the year has.
    pub orders: u64,
}

/// A region of the year.
#[derive(Clone, Debug)]
pub struct YearRegion {
    /// The region.
    pub id: RegionId,
    /// South-west corner, 1e-6 degrees.
    pub corner_e6: (i32, i32),
    /// The testers.
    pub testers: Vec<UserId>,
}

/// How the dialects write what the statements need.
struct Dialect {
    is_sqlite: bool,
}

impl Dialect {
    fn id(&self, kind: u32) -> String {
        if self.is_sqlite {
            format!("unhex('{kind:08x}' || printf('%024x', i))")
        } else {
            format!("('{kind:08x}' || lpad(to_hex(i), 24, '0'))::uuid")
        }
    }

    fn literal(&self, id: Uuid) -> String {
        if self.is_sqlite { format!("x'{}'", id.simple()) } else { format!("'{id}'::uuid") }
    }

    fn instant(&self, seconds: &str) -> String {
        if self.is_sqlite {
            format!("strftime('%Y-%m-%dT%H:%M:%S', {seconds}, 'unixepoch') || '.000000Z'")
        } else {
            format!("to_timestamp({seconds})")
        }
    }

    fn json(&self, text: &str) -> String {
        if self.is_sqlite { format!("'{text}'") } else { format!("'{text}'::jsonb") }
    }

    /// A customer of their own for each order.
    fn customer(&self) -> &'static str {
        if self.is_sqlite { "unhex(printf('%064x', i))" } else { "decode(lpad(to_hex(i), 64, '0'), 'hex')" }
    }

    fn digest(&self) -> &'static str {
        if self.is_sqlite { "zeroblob(32)" } else { "decode(repeat('00', 32), 'hex')" }
    }

    /// The orders' numbers, with what follows from each: region, tester, when it came and how long it took.
    fn numbers(&self, seed: &YearSeed, from: u64, until: u64) -> String {
        let mut places = Vec::new();
        let mut testers = Vec::new();
        for (number, region) in seed.regions.iter().enumerate() {
            let (south, west) = region.corner_e6;
            places.push(format!("({number}, {}, {south}, {west})", self.literal(region.id.into())));
            for (turn, tester) in region.testers.iter().enumerate() {
                testers.push(format!("({number}, {turn}, {})", self.literal((*tester).into())));
            }
        }
        let regions = seed.regions.len().max(1);
        let turns = seed.regions.iter().map(|region| region.testers.len()).min().unwrap_or(0).max(1);
        let begin = seed.from.unix_millis() / 1_000;
        // 365 days, spread evenly; `dice` is a number that looks like chance and is the same on both databases.
        let step = 365 * 86_400;
        let orders = seed.orders.max(1);
        format!(
            "with recursive n(i) as (select cast({from} as bigint) union all select i + 1 from n where i + 1 < {until}),
             place(region, region_id, south, west) as (values {}),
             tester(region, turn, tester_id) as (values {}),
             o as (select i, dice, region_id, tester_id, south + 400000 + (dice / 7) % 200000 as lat,
                          west + 400000 + (dice / 11) % 200000 as lon, received,
                          received + 3600 + dice % 14400 as visited, received + 7200 + dice % 30000 as closed
                   from (select i, (i * 2654435761) % 4294967296 as dice, {begin} + i * {step} / {orders} as received from n) d
                   join place on place.region = dice % {regions}
                   join tester on tester.region = place.region and tester.turn = (dice / 97) % {turns})",
            places.join(", "),
            testers.join(", "),
        )
    }
}

/// The id of the complaint with a number of a made-up year.
pub fn year_complaint_id(number: u64) -> ComplaintId {
    ComplaintId(Uuid::from_u128((u128::from(COMPLAINTS) << 96) | u128::from(number)))
}

/// With what complaints' ids begin.
const COMPLAINTS: u32 = 0x0197_0001;

impl Tx {
    /// Makes the orders from `from` to `until` (exclusive) of a year with all that belongs to them: complaint, intake, order, clock,
    /// visit, stage and final reply, revisit. Nine in ten are closed, the rest are open.
    pub fn seed_year(&mut self, seed: &YearSeed, from: u64, until: u64) -> Result<(), StorageError> {
        let dialect = Dialect { is_sqlite: matches!(self.connection, AnyConnection::Sqlite(_)) };
        let numbers = dialect.numbers(seed, from, until);
        let (source, device) = (dialect.literal(seed.source_id.into()), dialect.literal(seed.device_id.into()));
        let (received, visited, closed) =
            (dialect.instant("received"), dialect.instant("visited"), dialect.instant("closed"));
        let (complaint, order, test, stage, last, revisit) = (
            dialect.id(COMPLAINTS),
            dialect.id(0x0197_0002),
            dialect.id(0x0197_0003),
            dialect.id(0x0197_0004),
            dialect.id(0x0197_0005),
            dialect.id(0x0197_0006),
        );
        let (clock, customer) = (dialect.id(0x0197_0007), dialect.customer());
        let (due, empty) = (dialect.instant("received + 259200"), dialect.json("{}"));
        let (none, digest) = (dialect.json("[]"), dialect.digest());
        let symptom = "case dice % 5 when 0 then 'no_signal' when 1 then 'weak_signal' when 2 then 'call_drop' when 3 then 'slow_data' else 'no_data' end";
        let statements = [
            format!(
                "insert into complaints (id, source_id, reference, content_digest, channel, class, state, received_at, customer_name,
                 customer_phone, description, symptom, generation, address, occurs, neighbours_affected, latitude_e6, longitude_e6,
                 region_id, answer, created_at, updated_at, version)
                 {numbers} select {complaint}, {source}, 'YEAR-' || i, {digest}, 'phone', 'network',
                 case when dice % 10 = 0 then 'in_progress' else 'resolved' end, {received}, '测试', '16900001234', '信号差', {symptom},
                 '4g', '人民路1号', '', false, lat, lon, region_id, null, {received}, {closed}, 3 from o"
            ),
            format!(
                "insert into work_orders (id, complaint_id, number, state, urgency, region_id, assigned_to, assigned_at, appointment_from,
                 appointment_until, due_at, field_test_id, photo_consent, return_reasons, utc_offset_minutes, address, latitude_e6,
                 longitude_e6, reopened_count, false_return_count, version, created_at, updated_at)
                 {numbers} select {order}, {complaint}, 'WO-YEAR-' || i, case when dice % 10 = 0 then 'approved' else 'resolved' end,
                 'normal', region_id, tester_id, {received}, null, null, null, {test}, true, {none}, 480, '人民路1号', lat, lon, 0,
                 case when dice % 33 = 0 then 1 else 0 end, 5, {received}, {closed} from o"
            ),
            format!(
                "insert into field_tests (id, work_order_id, tester_id, device_id, standing, standing_reason, state, begun_at, findings,
                 submission, submitted_at, submission_count, version)
                 {numbers} select {test}, {order}, tester_id, {device}, 'accepted', null, 'approved', {visited}, null, null, {visited}, 1,
                 2 from o"
            ),
            format!(
                "insert into replies (id, complaint_id, work_order_id, kind, body, next_step, created_by, created_at)
                 {numbers} select {stage}, {complaint}, {order}, 'stage', '已安排测试', '上门测试', {source}, {visited} from o"
            ),
            format!(
                "insert into replies (id, complaint_id, work_order_id, kind, body, next_step, created_by, created_at)
                 {numbers} select {last}, {complaint}, {order}, 'final_resolved', '已恢复', null, {source}, {closed} from o
                 where dice % 10 <> 0"
            ),
            format!(
                "insert into revisits (id, work_order_id, tracking_ticket_id, state, channel, token_hash, expires_at, solved, score, words,
                 answered_at, answered_by, created_by, created_at)
                 {numbers} select {revisit}, {order}, null, 'confirmed', 'phone', null, {closed}, true, 4 + dice % 7, null, {closed},
                 {source}, tester_id, {closed} from o where dice % 10 <> 0"
            ),
            format!(
                "insert into clocks (id, kind, complaint_id, work_order_id, region_id, utc_offset_minutes, measure, budget_micros, limit_key,
                 is_major, standing, started_at, due_at, warn_at, warned_at, breached_at, breach_recorded_at, suggested_cause, breach_cause,
                 breach_note, cause_named_by, cause_named_at, stopped_at, outcome, used_micros, time_by_stage, version)
                 {numbers} select {clock}, 'handling', {complaint}, {order}, region_id, 480, 'working_days', 259200000000, 'quality', false,
                 case when dice % 10 = 0 then 'running' else 'stopped' end, {received}, {due}, {due}, null,
                 case when dice % 31 = 0 then {due} else null end, case when dice % 31 = 0 then {due} else null end, null,
                 case when dice % 31 <> 0 then null when dice % 8 < 5 then 'waiting_for_branch' when dice % 8 < 7 then 'no_tester' else 'weather' end,
                 null, null, null, case when dice % 10 = 0 then null else {closed} end, case when dice % 10 = 0 then null else 'met' end, 0,
                 {empty}, 2 from o"
            ),
            format!(
                "insert into intakes (complaint_id, first_contact_id, customer_digest, key_account_id, is_sensitive, is_disturbing,
                 joint_customers, symptom, channel, received_at, latitude_e6, longitude_e6, grid_cell, relation, related_id, first_id,
                 handled_under_id, handling, urgency, reasons, is_false_return, decided_by, decided_at, decision_reason, version)
                 {numbers} select {complaint}, {source}, {customer}, null, false, false, 1, {symptom}, 'phone', {received}, lat, lon,
                 (lat / {GRID_E6}) * {GRID_COLUMNS} + lon / {GRID_E6}, case when dice % 14 = 0 then 'repeat' else 'new' end, null, null, null,
                 'work_order', 'normal', {none}, false, null, null, null, 1 from o"
            ),
        ];
        self.run(|c| match c {
            AnyConnection::Sqlite(c) => statements.iter().try_for_each(|statement| c.batch_execute(statement)),
            AnyConnection::Postgres(c) => statements.iter().try_for_each(|statement| c.batch_execute(statement)),
        })
    }
}
