//! The figures' sums: one row a day, week or month of a region, class, team, and, apart, person (R-KPI-1). What does not belong
//! here: what contributes to them (`workflow`).

use crate::connection::{AnyConnection, Tx, each_backend};
use crate::error::StorageError;
use crate::schema::{kpi_causes, kpi_cells, regions};
use crate::sql_types::{BigInt, Binary, Words, bind, row_values};
use callout_sync_protocol::ids::{RegionId, UserId};
use diesel::prelude::*;
use std::fmt::Write as _;
use uuid::Uuid;

/// Rows of one statement.
const CHUNK: usize = 500;

/// The counts and sums, named once.
macro_rules! kpi_sums {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counts and sums. Signed, since what an order contributed before is taken out again.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct KpiSums { $($(#[$doc])* pub $name: i64),+ }

        impl std::ops::AddAssign for KpiSums {
            fn add_assign(&mut self, other: Self) { $(self.$name += other.$name;)+ }
        }

        impl std::ops::Neg for KpiSums {
            type Output = Self;
            fn neg(self) -> Self { Self { $($name: -self.$name),+ } }
        }

        /// A row: its key, its sums, its handling times.
        #[derive(Clone, Debug, PartialEq, Eq, Queryable)]
        pub struct KpiCell {
            /// Hash of the key.
            pub id: Uuid,
            /// A person's figures, or all of a team's.
            pub is_personal: bool,
            /// 1 a day, 2 a week, 3 a month.
            pub grain: i16,
            /// The region; zeros where none is known.
            pub region_id: RegionId,
            /// First local day of the period, counted from 1970-01-01.
            pub day: i32,
            /// The class.
            pub class: String,
            /// The team; empty without one.
            pub team: String,
            /// The person; zeros where it is nobody's.
            pub person_id: UserId,
            $($(#[$doc])* pub $name: i64,)+
            /// Handling times, as the rules encode them.
            pub handling_times: Vec<u8>,
        }

        impl KpiCell {
            /// Its sums.
            pub fn sums(&self) -> KpiSums { KpiSums { $($name: self.$name),+ } }

            /// The same row with other sums.
            #[must_use]
            pub fn with_sums(self, sums: KpiSums) -> Self { Self { $($name: sums.$name,)+ ..self } }
        }

        macro_rules! cell_values {
            ($cell:expr) => {
                row_values!(kpi_cells, $cell, id, is_personal, grain, region_id, day, class, team, person_id, $($name,)+ handling_times)
            };
        }

        /// A group's sums.
        #[derive(QueryableByName)]
        struct SumRow {
            #[diesel(sql_type = diesel::sql_types::Text)]
            group_key: String,
            $(#[diesel(sql_type = BigInt)] $name: i64),+
        }

        impl SumRow {
            fn split(self) -> (String, KpiSums) { (self.group_key, KpiSums { $($name: self.$name),+ }) }
        }

        const SUM_COLUMNS: &[&str] = &[$(stringify!($name)),+];
    };
}

kpi_sums! {
    /// Complaints received.
    received_count,
    /// Of those, answered within 24 hours.
    responded_count,
    /// Of those, repeats.
    repeat_count,
    /// Complaints whose handling ended.
    closed_count,
    /// Of those, with a limit.
    judged_count,
    /// Of those, inside it.
    on_time_count,
    /// Seconds from receipt to end.
    handling_seconds,
    /// Ended ones that were visited.
    visited_count,
    /// Of those, solved at the first visit.
    first_visit_count,
    /// Held solved and answered by the customer.
    return_count,
    /// Of those, false.
    false_return_count,
    /// Scores given.
    score_count,
    /// Their sum.
    score_sum,
    /// Scores of 9 and 10.
    promoter_count,
    /// Scores up to 6.
    detractor_count,
    /// Went beyond their limit.
    overdue_count,
}

/// A row of the causes of being late.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct KpiCause {
    /// Hash of the key.
    pub id: Uuid,
    /// 1 a day, 3 a month.
    pub grain: i16,
    /// The region; zeros where none is known.
    pub region_id: RegionId,
    /// First local day of the period, counted from 1970-01-01.
    pub day: i32,
    /// The class.
    pub class: String,
    /// The cause; empty where nobody has named it.
    pub cause: String,
    /// How many.
    pub overdue_count: i64,
}

/// What sums are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KpiGroup {
    /// Everything together.
    Total,
    /// Regions.
    Region,
    /// Teams.
    Team,
    /// Persons.
    Person,
    /// Classes.
    Class,
    /// The first days of the periods as they are kept.
    Period,
}

/// Which rows are summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KpiSelection {
    /// Rows of persons, or of teams.
    pub is_personal: bool,
    /// 1 a day, 2 a week, 3 a month.
    pub grain: i16,
    /// First period, inclusive: the number of its first day.
    pub from_day: i32,
    /// Last period, exclusive.
    pub until_day: i32,
    /// The regions; zeros for what has none. None means no row.
    pub region_ids: Vec<RegionId>,
    /// Of this class only; empty means any.
    pub class: String,
    /// Of this team only; empty means any.
    pub team: String,
}

/// A group's key as text, its sums, and the encoded handling times of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KpiGroupSums {
    /// `total`, an id of 32 hexadecimal digits, a team, a class, or a day's number.
    pub key: String,
    /// The sums.
    pub sums: KpiSums,
}

#[derive(QueryableByName)]
struct TimesRow {
    #[diesel(sql_type = diesel::sql_types::Text)]
    group_key: String,
    #[diesel(sql_type = Binary)]
    handling_times: Vec<u8>,
}

#[derive(QueryableByName)]
struct CauseRow {
    #[diesel(sql_type = diesel::sql_types::Text)]
    group_key: String,
    #[diesel(sql_type = BigInt)]
    overdue_count: i64,
}

/// The dialects differ in how an id is written and read as text; everything else is one statement.
fn id_text(is_sqlite: bool, column: &str) -> String {
    if is_sqlite { format!("lower(hex({column}))") } else { format!("replace({column}::text, '-', '')") }
}

fn id_literal(is_sqlite: bool, id: Uuid) -> String {
    if is_sqlite { format!("x'{}'", id.simple()) } else { format!("'{id}'::uuid") }
}

fn group_expression(group: KpiGroup, is_sqlite: bool) -> String {
    match group {
        KpiGroup::Total => "'total'".to_owned(),
        KpiGroup::Region => id_text(is_sqlite, "region_id"),
        KpiGroup::Person => id_text(is_sqlite, "person_id"),
        KpiGroup::Team => "team".to_owned(),
        KpiGroup::Class => "class".to_owned(),
        KpiGroup::Period => "cast(day as text)".to_owned(),
    }
}

impl KpiSelection {
    /// `$1` is the class, `$2` the team; the rest are numbers and ids of ours.
    fn condition(&self, is_sqlite: bool) -> String {
        let mut text = format!(
            "grain = {} and day >= {} and day < {} and ($1 = '' or class = $1)",
            self.grain, self.from_day, self.until_day
        );
        let ids: Vec<String> = self.region_ids.iter().map(|id| id_literal(is_sqlite, (*id).into())).collect();
        // Writing to a string cannot fail.
        let _ = write!(text, " and region_id in ({})", ids.join(", "));
        text
    }
}

impl Tx {
    fn is_sqlite(&self) -> bool {
        matches!(self.connection, AnyConnection::Sqlite(_))
    }

    /// The ids of all regions.
    pub fn region_ids(&mut self) -> Result<Vec<RegionId>, StorageError> {
        self.run(|c| regions::table.select(regions::id).order(regions::id).load(c))
    }

    /// The rows of these keys.
    pub fn kpi_cell_list(&mut self, ids: &[Uuid]) -> Result<Vec<KpiCell>, StorageError> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            found.extend(
                self.run(|c| kpi_cells::table.filter(kpi_cells::id.eq_any(chunk.iter().map(bind))).load::<KpiCell>(c))?,
            );
        }
        Ok(found)
    }

    /// Removes the rows of `ids` and adds `cells`.
    pub fn kpi_cell_replace(&mut self, ids: &[Uuid], cells: &[KpiCell]) -> Result<(), StorageError> {
        for chunk in ids.chunks(CHUNK) {
            self.run(|c| {
                diesel::delete(kpi_cells::table.filter(kpi_cells::id.eq_any(chunk.iter().map(bind)))).execute(c)
            })?;
        }
        for chunk in cells.chunks(CHUNK) {
            self.run(|c| {
                let values: Vec<_> = chunk.iter().map(|cell| cell_values!(cell)).collect();
                each_backend!(c, |c| diesel::insert_into(kpi_cells::table).values(values).execute(c))
            })?;
        }
        Ok(())
    }

    /// The causes' rows of these keys.
    pub fn kpi_cause_list(&mut self, ids: &[Uuid]) -> Result<Vec<KpiCause>, StorageError> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            found.extend(self.run(|c| {
                kpi_causes::table.filter(kpi_causes::id.eq_any(chunk.iter().map(bind))).load::<KpiCause>(c)
            })?);
        }
        Ok(found)
    }

    /// Removes the causes' rows of `ids` and adds `causes`.
    pub fn kpi_cause_replace(&mut self, ids: &[Uuid], causes: &[KpiCause]) -> Result<(), StorageError> {
        for chunk in ids.chunks(CHUNK) {
            self.run(|c| {
                diesel::delete(kpi_causes::table.filter(kpi_causes::id.eq_any(chunk.iter().map(bind)))).execute(c)
            })?;
        }
        for chunk in causes.chunks(CHUNK) {
            self.run(|c| {
                let values: Vec<_> = chunk
                    .iter()
                    .map(|cause| row_values!(kpi_causes, cause, id, grain, region_id, day, class, cause, overdue_count))
                    .collect();
                each_backend!(c, |c| diesel::insert_into(kpi_causes::table).values(values).execute(c))
            })?;
        }
        Ok(())
    }

    /// Removes every sum; the facts know what has to be counted again.
    pub fn kpi_cell_delete_all(&mut self) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::delete(kpi_cells::table).execute(c)?;
            diesel::delete(kpi_causes::table).execute(c)
        })?;
        Ok(())
    }

    /// All sums in the order of their keys, for checks.
    pub fn kpi_cell_list_all(&mut self) -> Result<(Vec<KpiCell>, Vec<KpiCause>), StorageError> {
        self.run(|c| {
            Ok((kpi_cells::table.order(kpi_cells::id).load(c)?, kpi_causes::table.order(kpi_causes::id).load(c)?))
        })
    }

    /// The sums of the selected rows by group.
    pub fn kpi_sums(&mut self, group: KpiGroup, selection: &KpiSelection) -> Result<Vec<KpiGroupSums>, StorageError> {
        if selection.region_ids.is_empty() {
            return Ok(Vec::new());
        }
        let is_sqlite = self.is_sqlite();
        let columns: Vec<String> =
            SUM_COLUMNS.iter().map(|name| format!("cast(sum({name}) as bigint) as {name}")).collect();
        let text = format!(
            "select {} as group_key, {} from kpi_cells where is_personal = {} and {} and ($2 = '' or team = $2) group by 1",
            group_expression(group, is_sqlite),
            columns.join(", "),
            if selection.is_personal { "true" } else { "false" },
            selection.condition(is_sqlite),
        );
        let rows: Vec<SumRow> = self.run(|c| {
            diesel::sql_query(text)
                .bind::<Words, _>(bind(&selection.class))
                .bind::<Words, _>(bind(&selection.team))
                .load(c)
        })?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let (key, sums) = row.split();
                KpiGroupSums { key, sums }
            })
            .collect())
    }

    /// The encoded handling times of the selected rows, each with its group's key.
    pub fn kpi_handling_times(
        &mut self,
        group: KpiGroup,
        selection: &KpiSelection,
    ) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        if selection.region_ids.is_empty() {
            return Ok(Vec::new());
        }
        let is_sqlite = self.is_sqlite();
        let text = format!(
            "select {} as group_key, handling_times from kpi_cells
             where is_personal = {} and {} and ($2 = '' or team = $2) and closed_count > 0",
            group_expression(group, is_sqlite),
            if selection.is_personal { "true" } else { "false" },
            selection.condition(is_sqlite),
        );
        let rows: Vec<TimesRow> = self.run(|c| {
            diesel::sql_query(text)
                .bind::<Words, _>(bind(&selection.class))
                .bind::<Words, _>(bind(&selection.team))
                .load(c)
        })?;
        Ok(rows.into_iter().map(|row| (row.group_key, row.handling_times)).collect())
    }

    /// How many went beyond their limit, by cause; the selection's team does not matter.
    pub fn kpi_cause_sums(&mut self, selection: &KpiSelection) -> Result<Vec<(String, u64)>, StorageError> {
        if selection.region_ids.is_empty() {
            return Ok(Vec::new());
        }
        let text = format!(
            "select cause as group_key, cast(sum(overdue_count) as bigint) as overdue_count from kpi_causes where {} group by 1",
            selection.condition(self.is_sqlite()),
        );
        let rows: Vec<CauseRow> =
            self.run(|c| diesel::sql_query(text).bind::<Words, _>(bind(&selection.class)).load(c))?;
        Ok(rows.into_iter().map(|row| (row.group_key, row.overdue_count.unsigned_abs())).collect())
    }
}
