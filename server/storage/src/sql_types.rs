//! SQL types of our own, so that one Rust value has one meaning on both databases:
//!
//! | SQL type | PostgreSQL | SQLite | Rust |
//! |---|---|---|---|
//! | `Id` | uuid | blob of 16: half the bytes of text, and it sorts as PostgreSQL's does | typed ids |
//! | `Instant` | timestamptz | text, fixed width, so that it sorts | `Timestamp` |
//! | `Words` | text | text | strings, enums by name; a zero character is refused on both |
//! | `Json` | jsonb | text | whatever serde writes |
//! | `Digest` | bytea | blob | 32-byte hashes and keys |
//! | `Count` | bigint | integer | `u64`, `u32`, never negative |
//!
//! What does not belong here: records and queries.

use crate::connection::{MultiBackend, MultiRawValue};
use crate::error::{CorruptValue, UnstorableValue};
use callout_sync_protocol::commands::{CommandBody, Findings};
use callout_sync_protocol::ids::*;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::{MediaType, PhotoHash, PhotoPurpose};
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::samples::BlockHash;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{LeftReason, NetworkGeneration, Symptom, Urgency, WorkOrderState};
use diesel::deserialize::{self, FromSql};
use diesel::expression::{AsExpression, TypedExpressionType};
use diesel::internal::derives::as_expression::Bound;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
pub(crate) use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, SmallInt};
use diesel::sql_types::{HasSqlType, SqlType, Text};
use diesel::sqlite::Sqlite;
use std::io::Write;

type SqliteValue<'a> = <Sqlite as diesel::backend::Backend>::RawValue<'a>;

macro_rules! sql_type {
    ($(#[$doc:meta])* $name:ident, $pg_oid:literal, $pg_array_oid:literal, $sqlite:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
        #[diesel(postgres_type(oid = $pg_oid, array_oid = $pg_array_oid))]
        #[diesel(sqlite_type(name = $sqlite))]
        pub struct $name;

        impl HasSqlType<$name> for MultiBackend {
            fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
                Self::lookup_sql_type::<$name>(lookup)
            }
        }
    };
}

/// A value on its way into a statement. The ids and instants are another crate's types, which Diesel's own way in
/// (`AsExpression`) does not admit; this wrapper does for every type that has an encoding.
#[derive(Debug)]
pub(crate) struct Bind<'a, T: ?Sized>(&'a T);

// By hand, because a reference is copied whatever it points to. Conditions of joins must be.
impl<T: ?Sized> Clone for Bind<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Bind<'_, T> {}

/// Puts a value into a statement.
pub(crate) fn bind<T: ?Sized>(value: &T) -> Bind<'_, T> {
    Bind(value)
}

impl<ST, T: ?Sized> AsExpression<ST> for Bind<'_, T>
where
    ST: SqlType + TypedExpressionType,
{
    type Expression = Bound<ST, Self>;

    fn as_expression(self) -> Self::Expression {
        Bound::new(self)
    }
}

impl<ST, DB, T> ToSql<ST, DB> for Bind<'_, T>
where
    DB: diesel::backend::Backend,
    T: ToSql<ST, DB> + std::fmt::Debug + ?Sized,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

/// `column = value` for each column whose name is the record's field's.
macro_rules! row_values {
    ($table:ident, $record:expr, $($column:ident),+ $(,)?) => {
        ( $( $crate::schema::$table::$column.eq($crate::sql_types::bind(&$record.$column)), )+ )
    };
}
pub(crate) use row_values;

sql_type!(/// A UUID.
    Id, 2950, 2951, "Binary");
sql_type!(/// An instant with microseconds.
    Instant, 1184, 1185, "Text");
sql_type!(/// Text.
    Words, 25, 1009, "Text");
sql_type!(/// JSON.
    Json, 3802, 3807, "Text");
sql_type!(/// 32 bytes.
    Digest, 17, 1001, "Binary");
sql_type!(/// A whole number from 0.
    Count, 20, 1016, "Long");

/// What Diesel wants of a value beside its two encodings: in the enum over both databases, and out of a row.
macro_rules! sql_value {
    (@multi $sql:ident, $rust:ty) => {
        impl diesel::serialize::ToSql<$crate::sql_types::$sql, $crate::connection::MultiBackend> for $rust {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, $crate::connection::MultiBackend>,
            ) -> diesel::serialize::Result {
                out.set_value(($crate::sql_types::$sql, self));
                Ok(diesel::serialize::IsNull::No)
            }
        }

        impl diesel::deserialize::FromSql<$crate::sql_types::$sql, $crate::connection::MultiBackend> for $rust {
            fn from_sql(bytes: $crate::connection::MultiRawValue<'_>) -> diesel::deserialize::Result<Self> {
                bytes.from_sql::<Self, $crate::sql_types::$sql>()
            }
        }
    };
    (@row $sql:ident, $rust:ty) => {
        impl<DB> diesel::deserialize::Queryable<$crate::sql_types::$sql, DB> for $rust
        where
            DB: diesel::backend::Backend,
            $rust: diesel::deserialize::FromSql<$crate::sql_types::$sql, DB>,
        {
            type Row = Self;
            fn build(row: Self) -> diesel::deserialize::Result<Self> {
                Ok(row)
            }
        }
    };
}
pub(crate) use sql_value;

/// An enum that has `as_str` and `FromStr`.
macro_rules! word_value {
    ($rust:ty) => {
        $crate::sql_types::sql_value!(@multi Words, $rust);
        $crate::sql_types::sql_value!(@row Words, $rust);

        impl diesel::serialize::ToSql<$crate::sql_types::Words, diesel::pg::Pg> for $rust {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>) -> diesel::serialize::Result {
                std::io::Write::write_all(out, self.as_str().as_bytes())?;
                Ok(diesel::serialize::IsNull::No)
            }
        }

        impl diesel::serialize::ToSql<$crate::sql_types::Words, diesel::sqlite::Sqlite> for $rust {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, diesel::sqlite::Sqlite>,
            ) -> diesel::serialize::Result {
                out.set_value(self.as_str());
                Ok(diesel::serialize::IsNull::No)
            }
        }

        impl diesel::deserialize::FromSql<$crate::sql_types::Words, diesel::pg::Pg> for $rust {
            fn from_sql(value: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                Ok(std::str::from_utf8(value.as_bytes())?.parse()?)
            }
        }

        impl diesel::deserialize::FromSql<$crate::sql_types::Words, diesel::sqlite::Sqlite> for $rust {
            fn from_sql(
                value: <diesel::sqlite::Sqlite as diesel::backend::Backend>::RawValue<'_>,
            ) -> diesel::deserialize::Result<Self> {
                let text = <String as diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::sqlite::Sqlite>>::from_sql(value)?;
                Ok(text.parse()?)
            }
        }
    };
}
pub(crate) use word_value;

/// Anything that serde writes as JSON and reads back.
macro_rules! json_value {
    (@codec $rust:ty) => {
        $crate::sql_types::sql_value!(@multi Json, $rust);

        impl diesel::serialize::ToSql<$crate::sql_types::Json, diesel::pg::Pg> for $rust {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>) -> diesel::serialize::Result {
                // The leading byte is the version of jsonb's binary form.
                std::io::Write::write_all(out, &[1])?;
                std::io::Write::write_all(out, $crate::sql_types::json_text(self)?.as_bytes())?;
                Ok(diesel::serialize::IsNull::No)
            }
        }

        impl diesel::serialize::ToSql<$crate::sql_types::Json, diesel::sqlite::Sqlite> for $rust {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, diesel::sqlite::Sqlite>,
            ) -> diesel::serialize::Result {
                out.set_value($crate::sql_types::json_text(self)?);
                Ok(diesel::serialize::IsNull::No)
            }
        }

        impl diesel::deserialize::FromSql<$crate::sql_types::Json, diesel::pg::Pg> for $rust {
            fn from_sql(value: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                $crate::sql_types::json_from_jsonb(value.as_bytes())
            }
        }

        impl diesel::deserialize::FromSql<$crate::sql_types::Json, diesel::sqlite::Sqlite> for $rust {
            fn from_sql(
                value: <diesel::sqlite::Sqlite as diesel::backend::Backend>::RawValue<'_>,
            ) -> diesel::deserialize::Result<Self> {
                let text = <String as diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::sqlite::Sqlite>>::from_sql(value)?;
                Ok(serde_json::from_str(&text)?)
            }
        }
    };
    ($rust:ty) => {
        $crate::sql_types::json_value!(@codec $rust);
        $crate::sql_types::sql_value!(@row Json, $rust);
    };
}
pub(crate) use json_value;

/// JSON text without the zero character, which jsonb cannot hold.
pub(crate) fn json_text<T: serde::Serialize>(value: &T) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let text = serde_json::to_string(value)?;
    if text.contains("\\u0000") && serde_json::from_str(&text).is_ok_and(|value| has_zero_character(&value)) {
        return Err(Box::new(UnstorableValue("a text holds a zero character".to_owned())));
    }
    Ok(text)
}

fn has_zero_character(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(items) => items.iter().any(has_zero_character),
        serde_json::Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.contains('\0') || has_zero_character(value))
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => false,
    }
}

pub(crate) fn json_from_jsonb<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> deserialize::Result<T> {
    match bytes.split_first() {
        Some((1, text)) => Ok(serde_json::from_slice(text)?),
        _ => Err(Box::new(CorruptValue("jsonb of an unknown version".to_owned()))),
    }
}

macro_rules! id_value {
    ($($rust:ty),+ $(,)?) => { $(
        sql_value!(@multi Id, $rust);
        sql_value!(@row Id, $rust);

        impl ToSql<Id, Pg> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                out.write_all(self.as_bytes())?;
                Ok(IsNull::No)
            }
        }

        impl ToSql<Id, Sqlite> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.as_bytes().as_slice());
                Ok(IsNull::No)
            }
        }

        impl FromSql<Id, Pg> for $rust {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                Ok(Self::from(uuid::Uuid::from_slice(value.as_bytes())?))
            }
        }

        impl FromSql<Id, Sqlite> for $rust {
            fn from_sql(value: SqliteValue<'_>) -> deserialize::Result<Self> {
                let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value)?;
                Ok(Self::from(uuid::Uuid::from_slice(&bytes)?))
            }
        }
    )+ };
}

id_value!(
    AppraisalMarkId,
    ArrivalId,
    BranchQuestionId,
    ChaseId,
    BuildDemandId,
    CommandId,
    ComplaintClusterId,
    ComplaintId,
    DeviceId,
    DispatchId,
    EventId,
    FieldTestId,
    FollowUpId,
    HandoffId,
    JobId,
    PhotoId,
    PolicyId,
    RegionId,
    ReplyId,
    ReviewMeetingId,
    RevisitId,
    SessionId,
    SiteId,
    SiteOutageId,
    SupervisionEntryId,
    TrackingTicketId,
    UserId,
    WarningId,
    WorkOrderId,
    uuid::Uuid,
);

word_value!(LeftReason);
word_value!(MediaType);
word_value!(NetworkGeneration);
word_value!(Operator);
word_value!(PhotoPurpose);
word_value!(Symptom);
word_value!(Urgency);
word_value!(WorkOrderState);

json_value!(CommandBody);
json_value!(Findings);
json_value!(callout_sync_protocol::evidence::EvidenceTemplate);
json_value!(Rejection);
json_value!(@codec Vec<FieldTestId>);
json_value!(@codec Vec<String>);
json_value!(@codec serde_json::Value);

macro_rules! digest_value {
    ($rust:ty, $to:expr, $from:expr) => {
        sql_value!(@multi Digest, $rust);
        sql_value!(@row Digest, $rust);

        impl ToSql<Digest, Pg> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                let bytes: fn(&$rust) -> &[u8; 32] = $to;
                out.write_all(bytes(self))?;
                Ok(IsNull::No)
            }
        }

        impl ToSql<Digest, Sqlite> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                let bytes: fn(&$rust) -> &[u8; 32] = $to;
                out.set_value(bytes(self).as_slice());
                Ok(IsNull::No)
            }
        }

        impl FromSql<Digest, Pg> for $rust {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                Ok($from(digest(value.as_bytes())?))
            }
        }

        impl FromSql<Digest, Sqlite> for $rust {
            fn from_sql(value: SqliteValue<'_>) -> deserialize::Result<Self> {
                Ok($from(digest(&<Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value)?)?))
            }
        }
    };
}

fn digest(bytes: &[u8]) -> deserialize::Result<[u8; 32]> {
    bytes.try_into().map_err(|_| CorruptValue(format!("a hash of {} bytes instead of 32", bytes.len())).into())
}

digest_value!([u8; 32], |value| value, std::convert::identity);
digest_value!(BlockHash, |value| &value.0, BlockHash);
digest_value!(PhotoHash, |value| &value.0, PhotoHash);

/// 2000-01-01T00:00:00Z, from which PostgreSQL counts, in microseconds since the Unix epoch.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

sql_value!(@multi Instant, Timestamp);
sql_value!(@row Instant, Timestamp);

impl ToSql<Instant, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&(self.unix_micros() - POSTGRES_EPOCH_MICROS).to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<Instant, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.to_string());
        Ok(IsNull::No)
    }
}

impl FromSql<Instant, Pg> for Timestamp {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros = i64::from_be_bytes(value.as_bytes().try_into()?);
        micros
            .checked_add(POSTGRES_EPOCH_MICROS)
            .and_then(Self::from_unix_micros)
            .ok_or_else(|| CorruptValue("an instant outside the years 1 to 9999".to_owned()).into())
    }
}

impl FromSql<Instant, Sqlite> for Timestamp {
    fn from_sql(value: SqliteValue<'_>) -> deserialize::Result<Self> {
        Ok(<String as FromSql<Text, Sqlite>>::from_sql(value)?.parse()?)
    }
}

fn checked_words(text: &str) -> Result<&str, UnstorableValue> {
    if text.contains('\0') { Err(UnstorableValue("a text holds a zero character".to_owned())) } else { Ok(text) }
}

impl ToSql<Words, MultiBackend> for str {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
        out.set_value((Text, checked_words(self)?));
        Ok(IsNull::No)
    }
}

impl ToSql<Words, Pg> for str {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(checked_words(self)?.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<Words, Sqlite> for str {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(checked_words(self)?);
        Ok(IsNull::No)
    }
}

impl ToSql<Words, MultiBackend> for String {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
        <str as ToSql<Words, MultiBackend>>::to_sql(self, out)
    }
}

impl ToSql<Words, Pg> for String {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <str as ToSql<Words, Pg>>::to_sql(self, out)
    }
}

impl ToSql<Words, Sqlite> for String {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        <str as ToSql<Words, Sqlite>>::to_sql(self, out)
    }
}

impl FromSql<Words, MultiBackend> for String {
    fn from_sql(bytes: MultiRawValue<'_>) -> deserialize::Result<Self> {
        bytes.from_sql::<Self, Words>()
    }
}

impl FromSql<Words, Pg> for String {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(std::str::from_utf8(value.as_bytes())?.to_owned())
    }
}

impl FromSql<Words, Sqlite> for String {
    fn from_sql(value: SqliteValue<'_>) -> deserialize::Result<Self> {
        <Self as FromSql<Text, Sqlite>>::from_sql(value)
    }
}

macro_rules! count_value {
    ($($rust:ty),+) => { $(
        sql_value!(@multi Count, $rust);

        impl ToSql<Count, Pg> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                out.write_all(&count_to_i64(*self)?.to_be_bytes())?;
                Ok(IsNull::No)
            }
        }

        impl ToSql<Count, Sqlite> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(count_to_i64(*self)?);
                Ok(IsNull::No)
            }
        }

        impl FromSql<Count, Pg> for $rust {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                Ok(i64::from_be_bytes(value.as_bytes().try_into()?).try_into()?)
            }
        }

        impl FromSql<Count, Sqlite> for $rust {
            fn from_sql(value: SqliteValue<'_>) -> deserialize::Result<Self> {
                Ok(<i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?.try_into()?)
            }
        }
    )+ };
}

fn count_to_i64(value: impl TryInto<i64>) -> Result<i64, UnstorableValue> {
    value.try_into().map_err(|_| UnstorableValue("a number above 2^63".to_owned()))
}

count_value!(u32, u64);
