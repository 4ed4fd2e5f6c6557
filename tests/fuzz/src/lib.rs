//! Everything that reads bytes from outside, as fuzz targets: none panics, none takes more memory than it says, on any input.
//!
//! A target is a plain function of bytes, so that the committed corpus, a seeded campaign and a coverage-guided fuzzer (`fuzz.sh`)
//! run the same. The corpus of what phone and server say to each other is the smallest set of inputs that reaches all the code that
//! coverage-guided runs found; the server's and the logs' are made by hand, one for each thing that such a file can do wrong. Each checks more than that nothing panics: what was read and is written again reads the same. What does not
//! belong here: requests over sockets (`callout-tests`).

mod mutate;
#[cfg(feature = "phone")]
mod phone;
mod protocol;
#[cfg(feature = "server")]
mod server;

pub use mutate::Mutator;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A decoder under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and the name of its corpus.
    pub name: &'static str,
    /// Reads the input; panics where something does not hold.
    pub run: fn(&[u8]),
    /// Valid inputs, beside the committed ones.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The most bytes that reading an input of this length may hold at any time.
    pub memory_bound: fn(usize) -> usize,
}

/// All targets.
pub fn targets() -> Vec<Target> {
    let mut targets = protocol::TARGETS.to_vec();
    #[cfg(feature = "server")]
    targets.extend(server::TARGETS);
    #[cfg(feature = "phone")]
    targets.extend(phone::TARGETS);
    targets
}

/// Where a target's committed inputs lie.
pub fn corpus_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

/// The committed inputs of a target, by name; none if it has no folder.
///
/// # Errors
/// When a file cannot be read.
pub fn corpus(name: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let folder = corpus_folder(name);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.sort();
    files.into_iter().map(|path| fs::read(&path).map(|bytes| (path, bytes))).collect()
}

/// The byte strings in the protocol's published vectors: whatever is hexadecimal there, messages and blocks among them.
fn vector_bytes() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sync-protocol/vectors");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut found = Vec::new();
    for text in files.iter().filter_map(|file| fs::read_to_string(file).ok()) {
        if let Ok(value) = serde_json::from_str(&text) {
            hexadecimal(&value, &mut found);
        }
    }
    found
}

fn hexadecimal(value: &serde_json::Value, found: &mut Vec<Vec<u8>>) {
    match value {
        serde_json::Value::String(text) if text.len() >= 8 && text.len() < 200_000 => {
            let bytes: Option<Vec<u8>> = (0..text.len())
                .step_by(2)
                .map(|at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
                .collect();
            found.extend(bytes);
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| hexadecimal(value, found)),
        serde_json::Value::Object(fields) => fields.values().for_each(|value| hexadecimal(value, found)),
        _ => {}
    }
}
