//! Real measurements, which are not part of the repository: `CALLOUT_SHARED_DATA`, or `shared/data` beside the workspace.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at what it does not expect")]

use callout_mobile_sdk::import::{ImportOptions, import_reader, started_at_from_file_name};
use callout_sync_protocol::samples::SampleColumns;
use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};

/// The folder with the real logs; says on the terminal what is skipped where there is none.
pub fn folder(what_for: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CALLOUT_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    if folder.join("three-operator-walks").is_dir() {
        return Some(folder);
    }
    // Not `eprintln!`, which the test runner hides when the test passes.
    let _ =
        writeln!(std::io::stderr(), "skipped: {what_for}: no real logs here (set CALLOUT_SHARED_DATA to their folder)");
    None
}

/// All logs of all walks and all CSVs, sorted by path.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for place in ["three-operator-walks/rural", "three-operator-walks/urban", "gnettrack"] {
        let entries = std::fs::read_dir(folder.join(place)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
    }
    files.sort();
    files
}

/// The samples of one log.
pub fn samples(path: &Path) -> SampleColumns {
    let name = path.file_name().unwrap().to_string_lossy();
    let options = ImportOptions { started_at: started_at_from_file_name(&name), ..ImportOptions::default() };
    let mut columns = SampleColumns::new();
    import_reader(BufReader::new(File::open(path).unwrap()), options, |imported| {
        columns.push(&imported.sample).unwrap();
    })
    .unwrap();
    columns
}
