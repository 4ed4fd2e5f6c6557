//! What the database says of its own schema, so that a test can compare the two dialects. What does not belong here: rows.

use crate::connection::{AnyConnection, Tx};
use crate::error::StorageError;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

/// A column, in terms that both databases share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnDescription {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The type as the database calls it, in lower case.
    pub type_name: String,
    /// May be absent.
    pub is_nullable: bool,
}

/// A unique index or primary key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyDescription {
    /// The table.
    pub table: String,
    /// It is the primary key.
    pub is_primary: bool,
    /// The columns in order, separated by commas.
    pub columns: String,
}

/// An index that is not unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexDescription {
    /// The table.
    pub table: String,
    /// The index.
    pub name: String,
    /// The columns in order, separated by commas.
    pub columns: String,
    /// It holds only part of the rows.
    pub is_partial: bool,
}

/// A foreign key of one column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferenceDescription {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The table that it refers to.
    pub target: String,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    first: String,
    #[diesel(sql_type = Text)]
    second: String,
    #[diesel(sql_type = Text)]
    third: String,
    #[diesel(sql_type = Bool)]
    is_so: bool,
}

const OURS_SQLITE: &str = "m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\'";
const OURS_POSTGRES: &str = "n.nspname = 'public' AND t.relkind = 'r' AND t.relname NOT LIKE '\\_\\_%'";

impl Tx {
    fn introspect(&mut self, sqlite: &str, postgres: &str) -> Result<Vec<Row>, StorageError> {
        self.run(|c| match c {
            AnyConnection::Sqlite(c) => diesel::sql_query(sqlite.replace("{ours}", OURS_SQLITE)).load(c),
            AnyConnection::Postgres(c) => diesel::sql_query(postgres.replace("{ours}", OURS_POSTGRES)).load(c),
        })
    }

    /// All columns of our tables.
    pub fn schema_columns(&mut self) -> Result<Vec<ColumnDescription>, StorageError> {
        let rows = self.introspect(
            "SELECT m.name AS first, c.name AS second, lower(c.type) AS third, c.\"notnull\" = 0 AS is_so
             FROM sqlite_master m, pragma_table_info(m.name) c WHERE {ours}",
            "SELECT t.relname::text AS first, a.attname::text AS second, format_type(a.atttypid, NULL) AS third,
                    NOT a.attnotnull AS is_so
             FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE {ours}",
        )?;
        let mut columns: Vec<_> = rows
            .into_iter()
            .map(|row| ColumnDescription {
                table: row.first,
                column: row.second,
                type_name: row.third,
                is_nullable: row.is_so,
            })
            .collect();
        columns.sort();
        Ok(columns)
    }

    /// All primary keys and unique indexes of our tables.
    pub fn schema_keys(&mut self) -> Result<Vec<KeyDescription>, StorageError> {
        let rows = self.introspect(
            "SELECT m.name AS first, '' AS second, i.origin = 'pk' AS is_so,
                    (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) AS third
             FROM sqlite_master m, pragma_index_list(m.name) i WHERE i.\"unique\" AND {ours}",
            "SELECT t.relname::text AS first, '' AS second, i.indisprimary AS is_so,
                    (SELECT string_agg(a.attname::text, ',' ORDER BY k.place)
                     FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) AS third
             FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_index i ON i.indrelid = t.oid
             WHERE i.indisunique AND {ours}",
        )?;
        let mut keys: Vec<_> = rows
            .into_iter()
            .map(|row| KeyDescription { table: row.first, is_primary: row.is_so, columns: row.third })
            .collect();
        keys.sort();
        Ok(keys)
    }

    /// All indexes of our tables that are not unique.
    pub fn schema_indexes(&mut self) -> Result<Vec<IndexDescription>, StorageError> {
        let rows = self.introspect(
            "SELECT m.name AS first, i.name AS second, i.partial AS is_so,
                    (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) AS third
             FROM sqlite_master m, pragma_index_list(m.name) i WHERE NOT i.\"unique\" AND {ours}",
            "SELECT t.relname::text AS first, x.relname::text AS second, i.indpred IS NOT NULL AS is_so,
                    (SELECT string_agg(a.attname::text, ',' ORDER BY k.place)
                     FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) AS third
             FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_index i ON i.indrelid = t.oid
             JOIN pg_class x ON x.oid = i.indexrelid WHERE NOT i.indisunique AND {ours}",
        )?;
        let mut indexes: Vec<_> = rows
            .into_iter()
            .map(|row| IndexDescription {
                table: row.first,
                name: row.second,
                columns: row.third,
                is_partial: row.is_so,
            })
            .collect();
        indexes.sort();
        Ok(indexes)
    }

    /// All foreign keys of our tables.
    pub fn schema_references(&mut self) -> Result<Vec<ReferenceDescription>, StorageError> {
        let rows = self.introspect(
            "SELECT m.name AS first, f.\"from\" AS second, f.\"table\" AS third, 1 AS is_so
             FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE {ours}",
            "SELECT t.relname::text AS first, a.attname::text AS second, o.relname::text AS third, true AS is_so
             FROM pg_constraint f JOIN pg_class t ON t.oid = f.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
             JOIN pg_class o ON o.oid = f.confrelid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = f.conkey[1]
             WHERE f.contype = 'f' AND {ours}",
        )?;
        let mut references: Vec<_> = rows
            .into_iter()
            .map(|row| ReferenceDescription { table: row.first, column: row.second, target: row.third })
            .collect();
        references.sort();
        Ok(references)
    }
}
