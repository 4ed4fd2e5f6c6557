//! Made-up orders in testers' feeds in one go, for measuring syncs at a size that no test reaches through the API. Made inside the
//! database. What does not belong here: anything that a server does.

use crate::connection::{AnyConnection, Tx};
use crate::error::StorageError;
use crate::schema::feeds;
use crate::sql_types::bind;
use callout_sync_protocol::checkpoint::Checkpoint;
use callout_sync_protocol::ids::{RegionId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use uuid::Uuid;

/// What is made. Order `i` is the tester's whose turn `i` is, in the given order of testers.
#[derive(Clone, Debug)]
pub struct FeedSeed {
    /// Who pushed the complaints.
    pub source_id: UserId,
    /// Where they are: the region, and a corner inside it in 1e-6 degrees, from which they spread by a tenth of a degree.
    pub region_id: RegionId,
    /// Latitude and longitude.
    pub corner_e6: (i32, i32),
    /// Who has the orders; nobody of them has a feed yet.
    pub testers: Vec<UserId>,
    /// When everything happened.
    pub at: Timestamp,
    /// The orders' numbers; another seed must have others.
    pub first: u64,
    /// The number after the last.
    pub until: u64,
}

/// With what ids of complaints and of orders begin.
const COMPLAINTS: u32 = 0x0197_1001;
const ORDERS: u32 = 0x0197_1002;
/// The version that every order has.
const VERSION: u64 = 3;
const EPOCH: u64 = 1;

/// Multipliers that make numbers look like chance.
const SCATTER: [u64; 2] = [2_654_435_761, 2_246_822_519];

/// The order of a number. Ids come in order of time, as real ones do, and end with eight bytes of chance, which no compression makes
/// smaller.
pub fn seeded_order_id(number: u64) -> WorkOrderId {
    let scattered = |by: u64| u128::from(number.wrapping_mul(by) & 0xFFFF_FFFF);
    let chance = (scattered(SCATTER[0]) << 32) | scattered(SCATTER[1]);
    WorkOrderId(Uuid::from_u128((u128::from(ORDERS) << 96) | (u128::from(number) << 64) | chance))
}

impl FeedSeed {
    /// A tester's place in the line, and the orders that are theirs.
    fn orders_of(&self, turn: usize) -> impl Iterator<Item = u64> {
        (self.first + turn as u64..self.until).step_by(self.testers.len().max(1))
    }
}

impl Tx {
    /// Makes complaints, dispatched orders and feed entries with the numbers from `from` to `until` (exclusive), which lie within the
    /// seed's.
    pub fn seed_feed_orders(&mut self, seed: &FeedSeed, from: u64, until: u64) -> Result<(), StorageError> {
        let is_sqlite = matches!(self.connection, AnyConnection::Sqlite(_));
        let chance = SCATTER.map(|by| format!("(i * {by}) % 4294967296"));
        let id = |kind: u32| match is_sqlite {
            true => format!("unhex('{kind:08x}' || printf('%08x%08x%08x', i, {}))", chance.join(", ")),
            false => {
                let hex = |number: &str| format!("lpad(to_hex({number}), 8, '0')");
                format!("('{kind:08x}' || {} || {} || {})::uuid", hex("i"), hex(&chance[0]), hex(&chance[1]))
            }
        };
        let literal = |id: Uuid| match is_sqlite {
            true => format!("x'{}'", id.simple()),
            false => format!("'{id}'::uuid"),
        };
        let seconds = seed.at.unix_millis() / 1_000;
        let at = match is_sqlite {
            true => format!("strftime('%Y-%m-%dT%H:%M:%S', {seconds}, 'unixepoch') || '.000000Z'"),
            false => format!("to_timestamp({seconds})"),
        };
        let (digest, none) = match is_sqlite {
            true => ("zeroblob(32)", "'[]'"),
            false => ("decode(repeat('00', 32), 'hex')", "'[]'::jsonb"),
        };
        let testers: Vec<String> = (seed.testers.iter().enumerate())
            .map(|(turn, tester)| format!("({turn}, {})", literal((*tester).into())))
            .collect();
        let (south, west) = seed.corner_e6;
        let (source, region) = (literal(seed.source_id.into()), literal(seed.region_id.into()));
        let (first, testers_count) = (seed.first, seed.testers.len().max(1));
        // `dice` looks like chance and is the same on both databases. A complaint's words hold some forty bytes that no compression
        // makes smaller; two dozen characters picked at random hold as much, so that what travels is as long as in earnest.
        let character = if is_sqlite { "char" } else { "chr" };
        let picked: Vec<String> = (0..24)
            .map(|place| {
                // A multiplier of its own for each place, lest one order's words be another's moved by one.
                let by = (SCATTER[1] * (2 * place + 1)) & 0xFFFF_FFFF;
                format!("{character}(cast(19968 + ((i + 7) * {by} / 65536) % 2500 as integer))")
            })
            .collect();
        let picked = picked.join(" || ");
        let numbers = format!(
            "with recursive n(i) as (select cast({from} as bigint) union all select i + 1 from n where i + 1 < {until}),
             tester(turn, tester_id) as (values {}),
             o as (select i, dice, tester_id, (i - {first}) / {testers_count} + 1 as number, {south} + dice % 100000 as lat,
                          {west} + (dice / 13) % 100000 as lon
                   from (select i, (i * 2654435761) % 4294967296 as dice from n) d
                   join tester on tester.turn = (i - {first}) % {testers_count})",
            testers.join(", "),
        );
        let (complaint, order) = (id(COMPLAINTS), id(ORDERS));
        let words = "case dice % 4 when 0 then '在家打电话经常断，晚上尤其明显' when 1 then '手机没有信号，出门就好' \
                     when 2 then '视频卡顿，网页打不开' else '地下车库完全没有信号' end || '，' || dice || ' ' || \
                     case (dice / 5) % 3 when 0 then 'calls drop' when 1 then 'no service indoors' else 'slow data' end";
        let words = format!("{words} || '：' || {picked}");
        let address = "case (dice / 3) % 3 when 0 then '人民路' when 1 then '港湾一路' else '建设大道' end || dice % 997 || '号' || \
                       (dice / 997) % 40 || '室'";
        let statements = [
            format!(
                "insert into complaints (id, source_id, reference, content_digest, channel, class, state, received_at, customer_name,
                 customer_phone, description, symptom, generation, address, occurs, neighbours_affected, latitude_e6, longitude_e6,
                 region_id, answer, created_at, updated_at, version)
                 {numbers} select {complaint}, {source}, 'FEED-' || i, {digest}, 'phone', 'network', 'in_progress', {at},
                 '测试' || dice % 1000, '1' || (6900000000 + dice % 90000000), {words}, 'call_drop', '4g', {address}, '', false, lat, lon,
                 {region}, null, {at}, {at}, 3 from o"
            ),
            format!(
                "insert into work_orders (id, complaint_id, number, state, urgency, region_id, assigned_to, assigned_at, appointment_from,
                 appointment_until, due_at, field_test_id, photo_consent, return_reasons, utc_offset_minutes, address, latitude_e6,
                 longitude_e6, reopened_count, false_return_count, version, created_at, updated_at)
                 {numbers} select {order}, {complaint}, 'WO-FEED-' || i, 'dispatched', 'normal', {region}, tester_id, {at}, null, null, null,
                 null, null, {none}, 480, {address}, lat, lon, 0, 0, {VERSION}, {at}, {at} from o"
            ),
            format!(
                "insert into feed_entries (tester_id, work_order_id, number, kind, left_reason, changed_at, order_version)
                 {numbers} select tester_id, {order}, number, 'changed', null, {at}, {VERSION} from o"
            ),
        ];
        self.run(|c| match c {
            AnyConnection::Sqlite(c) => statements.iter().try_for_each(|statement| c.batch_execute(statement)),
            AnyConnection::Postgres(c) => statements.iter().try_for_each(|statement| c.batch_execute(statement)),
        })
    }

    /// Makes the testers' feeds, which end with their last order.
    pub fn seed_feed_ends(&mut self, seed: &FeedSeed) -> Result<(), StorageError> {
        for (turn, tester) in seed.testers.iter().enumerate() {
            let checkpoint = Checkpoint::of(seed.orders_of(turn).map(|number| (seeded_order_id(number), VERSION)));
            let last = seed.orders_of(turn).count();
            self.run(|c| {
                diesel::insert_into(feeds::table)
                    .values((
                        feeds::tester_id.eq(bind(tester)),
                        feeds::epoch.eq(bind(&EPOCH)),
                        feeds::last_number.eq(last as i64),
                        feeds::compacted_through.eq(bind(&0u64)),
                        feeds::checkpoint.eq(Some(checkpoint.0.cast_signed())),
                    ))
                    .execute(c)
            })?;
        }
        Ok(())
    }
}
