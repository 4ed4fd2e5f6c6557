//! The two dialects make the same schema, and names follow the house.

use super::on_both_databases;
use callout_storage::introspection::{ColumnDescription, IndexDescription, KeyDescription, ReferenceDescription};
use callout_storage::{Storage, StorageError};
use callout_tests::postgres as cluster;
use std::collections::BTreeSet;

on_both_databases!(names_follow_the_house);

struct Schema {
    columns: Vec<ColumnDescription>,
    keys: Vec<KeyDescription>,
    indexes: Vec<IndexDescription>,
    references: Vec<ReferenceDescription>,
}

fn schema(storage: &Storage) -> Schema {
    storage
        .read("test", |tx| -> Result<_, StorageError> {
            Ok(Schema {
                columns: tx.schema_columns()?,
                keys: tx.schema_keys()?,
                indexes: tx.schema_indexes()?,
                references: tx.schema_references()?,
            })
        })
        .unwrap()
}

/// What a column of PostgreSQL must be on SQLite.
fn sqlite_type(postgres_type: &str) -> &'static str {
    match postgres_type {
        "uuid" | "bytea" => "blob",
        "text" | "jsonb" | "timestamp with time zone" => "text",
        "boolean" | "smallint" | "integer" | "bigint" => "integer",
        other => panic!("the lint does not know the type {other}"),
    }
}

#[test]
fn both_dialects_make_the_same_schema() {
    let Some(postgres) = cluster::fresh_storage("the schema lint").unwrap() else { return };
    let temporary = Storage::temporary().unwrap();
    let (sqlite, mut postgres) = (schema(&temporary.storage), schema(&postgres));
    for column in &mut postgres.columns {
        column.type_name = sqlite_type(&column.type_name).to_owned();
    }
    assert!(sqlite.columns.len() > 250, "the lint sees the columns");
    assert_eq!(sqlite.columns, postgres.columns);
    assert_eq!(sqlite.keys, postgres.keys);
    assert!(sqlite.keys.iter().filter(|key| key.is_primary).count() >= 27);
    assert_eq!(sqlite.indexes, postgres.indexes);
    assert_eq!(sqlite.references, postgres.references);
    assert!(sqlite.references.len() > 30, "the lint sees the foreign keys");
}

/// Ids end in `_id` and are uuids, instants end in `_at`, `_from` or `_until`; every table has a primary key.
fn names_follow_the_house(storage: &Storage) {
    let schema = schema(storage);
    for column in &schema.columns {
        let name = column.column.as_str();
        if matches!(column.type_name.as_str(), "timestamp with time zone") {
            assert!(
                ["_at", "_from", "_until"].iter().any(|end| name.ends_with(end)),
                "{}.{name} is an instant",
                column.table
            );
        }
        if name.ends_with("_id") || (name == "id" && column.table != "signing_keys") {
            assert!(["uuid", "blob"].contains(&column.type_name.as_str()), "{}.{name} is an id", column.table);
        }
        if column.type_name == "boolean" {
            let is_question = name.starts_with("is_")
                || ["all_regions", "neighbours_affected", "photo_consent", "solved"].contains(&name);
            assert!(is_question, "{}.{name} is a yes or no", column.table);
        }
    }
    let tables: BTreeSet<_> = schema.columns.iter().map(|column| &column.table).collect();
    let keyed: BTreeSet<_> = schema.keys.iter().filter(|key| key.is_primary).map(|key| &key.table).collect();
    assert_eq!(tables, keyed);
}
