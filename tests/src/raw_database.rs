//! The databases behind the program's back: everything that stands in them as bytes, and statements that no program of ours
//! would send. For tests of what must not be there (R-PRIVACY-1) and of what must be found (R-AUDIT-1).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at what it does not expect")]

use crate::postgres::client_program;
use callout_storage::StorageConfig;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::path::Path;
use std::process::{Command, Output};

fn run(program: &str, url: &str, arguments: &[&str]) -> Output {
    let program = client_program(program).expect("a client comes with the server");
    let output = Command::new(program).args(arguments).arg(url).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Runs statements on a database, one after the other, in one transaction each.
pub fn execute(config: &StorageConfig, statements: &str) {
    match config {
        StorageConfig::Sqlite { path } => Connection::open(path).unwrap().execute_batch(statements).unwrap(),
        StorageConfig::Postgres { url, .. } => {
            run("psql", url, &["-q", "-v", "ON_ERROR_STOP=1", "-c", statements]);
        }
    }
}

/// Every value of every table, as text; of SQLite, also the very bytes of its files.
pub fn everything(config: &StorageConfig) -> Vec<u8> {
    match config {
        StorageConfig::Sqlite { path } => {
            let mut all = logical(&Connection::open(path).unwrap());
            for end in ["", "-wal", "-journal"] {
                let mut name = path.clone().into_os_string();
                name.push(end);
                all.extend(std::fs::read(name).unwrap_or_default());
            }
            all
        }
        StorageConfig::Postgres { url, .. } => run("pg_dump", url, &["--data-only", "--inserts"]).stdout,
    }
}

fn logical(connection: &Connection) -> Vec<u8> {
    let mut all = Vec::new();
    let mut tables = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(tables.len() > 25, "the tables are seen");
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                match row.get_ref(column).unwrap() {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => all.extend_from_slice(bytes),
                    ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => {}
                }
                all.push(b'\n');
            }
        }
    }
    all
}

/// All files beneath a folder, one after the other, with their names.
pub fn files(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return all };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        all.extend_from_slice(path.to_string_lossy().as_bytes());
        all.push(b'\n');
        all.extend(if path.is_dir() { files(&path) } else { std::fs::read(&path).unwrap() });
    }
    all
}

/// Whether a text stands in bytes.
pub fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
