//! A storage medium whose power fails, or which is full, beneath everything that a process of ours writes.
//!
//! The C library's calls of this process ([`calls`]) pass through here for files in folders that a [`Medium`] watches: SQLite's, the
//! photos', the keyring's, the names in folders. What is written stays volatile until it is synced; a power cut before the k-th
//! step leaves what was synced and, as chance has it, any part of the rest, torn between sectors. So the code under test has no seams
//! for it, and what it forgets to sync is found. Syncs of watched files cost nothing: the promise is kept by this model.
//!
//! The model is stricter than most file systems: syncing a file does not keep its name, syncing its folder does; names change in
//! order, contents in any. What does not belong here: what must survive (`simulation`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's medium stops at what it does not expect"
)]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod calls;
mod volatile;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use volatile::Volatile;

/// What is left after a power cut of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// All of it, as when only the process is killed.
    Everything,
    /// Nothing.
    Synced,
    /// Any part of it, by the dice of a seed.
    Chance(u64),
}

impl Survival {
    /// One of the three kinds, and its chance.
    pub fn of(seed: u64) -> Self {
        match seed % 4 {
            0 => Self::Everything,
            1 => Self::Synced,
            _ => Self::Chance(seed),
        }
    }
}

/// Folders watched now.
static WATCHED: AtomicUsize = AtomicUsize::new(0);
static NEXT: AtomicU32 = AtomicU32::new(1);
static MEDIA: Mutex<BTreeMap<u32, State>> = Mutex::new(BTreeMap::new());

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    /// The power is off.
    Dead,
    /// No room.
    Full,
}

#[derive(Debug)]
struct State {
    folder: PathBuf,
    content: Volatile,
    steps: u64,
    cut_at: Option<u64>,
    full_from: Option<u64>,
    is_dead: bool,
    was_full: bool,
}

impl State {
    /// Counts a step; the power may fail before it takes effect.
    fn step(&mut self) -> Verdict {
        if self.is_dead {
            return Verdict::Dead;
        }
        self.steps += 1;
        self.is_dead = self.cut_at.is_some_and(|at| self.steps >= at);
        if self.is_dead { Verdict::Dead } else { Verdict::Done }
    }

    /// Whether something that needs room finds none.
    fn is_full(&mut self) -> bool {
        let is_full = self.full_from.is_some_and(|from| self.steps >= from);
        self.was_full |= is_full;
        is_full
    }
}

fn media() -> MutexGuard<'static, BTreeMap<u32, State>> {
    MEDIA.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A watched folder; no longer watched once this is dropped.
#[derive(Debug)]
pub struct Medium {
    id: u32,
    folder: PathBuf,
}

impl Medium {
    /// Watches a folder, which must exist and not be open in any way. What is in it counts as synced. `None` on platforms whose C
    /// library's calls are not known here.
    pub fn over(folder: &Path) -> Option<Self> {
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            return None;
        }
        let folder = fs::canonicalize(folder).expect("a watched folder exists");
        let id = NEXT.fetch_add(1, Ordering::SeqCst);
        let state = State {
            folder: folder.clone(),
            content: Volatile::read(&folder),
            steps: 0,
            cut_at: None,
            full_from: None,
            is_dead: false,
            was_full: false,
        };
        media().insert(id, state);
        WATCHED.fetch_add(1, Ordering::SeqCst);
        Some(Self { id, folder })
    }

    /// The folder, as the calls name it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(media().get_mut(&self.id).expect("watched until dropped"))
    }

    /// Writes, syncs and changes of names so far.
    pub fn steps(&self) -> u64 {
        self.with(|state| state.steps)
    }

    /// The power fails before the `steps`-th step from now takes effect (1 is the next).
    pub fn cut_after(&self, steps: u64) {
        self.with(|state| state.cut_at = Some(state.steps + steps.max(1)));
    }

    /// It does not fail after all.
    pub fn cut_never(&self) {
        self.with(|state| state.cut_at = None);
    }

    /// The power fails now.
    pub fn cut(&self) {
        self.with(|state| state.is_dead = true);
    }

    /// The power has failed: every further call fails.
    pub fn is_dead(&self) -> bool {
        self.with(|state| state.is_dead)
    }

    /// From the `steps`-th step on nothing finds room any more; what is there can be changed in place.
    pub fn fill_after(&self, steps: u64) {
        self.with(|state| state.full_from = Some(state.steps + steps));
    }

    /// There is room again.
    pub fn make_room(&self) {
        self.with(|state| {
            state.full_from = None;
            state.was_full = false;
        });
    }

    /// Something found no room since there was some last.
    pub fn was_full(&self) -> bool {
        self.with(|state| state.was_full)
    }

    /// The power fails now, unless it has, and is there again; the folder holds what survived. Whoever had files open there must
    /// have let go of them.
    pub fn power_cycle(&self, survival: Survival) {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        self.closed_wait();
        // Unknown to the calls meanwhile: what is written now is what lay on the medium.
        let mut state = media().remove(&self.id).expect("watched until dropped");
        state.content.fail(survival);
        empty(&self.folder);
        state.content.write(&self.folder);
        state.cut_at = None;
        state.is_dead = false;
        media().insert(self.id, state);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
impl Medium {
    /// A pool of connections may be opening one in a thread of its own just when it is given up; that ends by itself.
    fn closed_wait(&self) {
        let is_closed = calls::closed_wait(self.id, std::time::Duration::from_secs(5));
        assert!(is_closed, "somebody has files open in {}", self.folder.display());
    }
}

impl Drop for Medium {
    fn drop(&mut self) {
        media().remove(&self.id);
        WATCHED.fetch_sub(1, Ordering::SeqCst);
    }
}

fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { fs::remove_dir_all(&path).unwrap() } else { fs::remove_file(&path).unwrap() }
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write as _;

    fn watched() -> (tempfile::TempDir, Medium) {
        let folder = tempfile::tempdir().unwrap();
        let medium = Medium::over(folder.path()).unwrap();
        (folder, medium)
    }

    fn sync_folder(path: &Path) {
        File::open(path).unwrap().sync_all().unwrap();
    }

    /// What the model would be worth nothing without: it sees what the standard library writes, and forgets what was not synced.
    #[test]
    fn only_what_was_synced_survives_and_only_under_a_name_that_was() {
        let (_folder, medium) = watched();
        let at = |name: &str| medium.folder().join(name);
        fs::write(at("unsynced"), b"gone").unwrap();
        File::create(at("synced")).and_then(|mut file| file.write_all(b"kept").and_then(|()| file.sync_all())).unwrap();
        sync_folder(medium.folder());
        fs::rename(at("synced"), at("renamed")).unwrap();
        let nameless = |mut file: File| file.write_all(b"nameless").and_then(|()| file.sync_all());
        File::create(at("nameless")).and_then(nameless).unwrap();
        medium.power_cycle(Survival::Synced);
        assert_eq!(fs::read(at("synced")).unwrap(), b"kept");
        assert_eq!(fs::read(at("unsynced")).unwrap(), b"");
        assert!(!at("renamed").exists() && !at("nameless").exists());
        fs::write(at("late"), b"there").unwrap();
        medium.power_cycle(Survival::Everything);
        assert_eq!(fs::read(at("late")).unwrap(), b"there");
    }

    #[test]
    fn the_power_fails_at_the_step_that_was_asked_for() {
        let (_folder, medium) = watched();
        let mut file = File::create(medium.folder().join("file")).unwrap();
        file.sync_all().unwrap();
        sync_folder(medium.folder());
        let steps = medium.steps();
        medium.cut_after(2);
        file.write_all(b"first").unwrap();
        file.sync_all().unwrap_err();
        file.write_all(b"second").unwrap_err();
        assert!(medium.is_dead());
        assert_eq!(medium.steps(), steps + 2);
        drop(file);
        medium.power_cycle(Survival::Synced);
        assert_eq!(fs::read(medium.folder().join("file")).unwrap(), b"");
    }

    #[test]
    fn chance_tears_between_sectors_and_repeats() {
        let survivors = |seed: u64| {
            let (_folder, medium) = watched();
            let path = medium.folder().join("file");
            let mut file = File::create(&path).unwrap();
            file.write_all(&[1; 8_192]).unwrap();
            file.sync_all().unwrap();
            drop(file);
            sync_folder(medium.folder());
            fs::File::options().write(true).open(&path).unwrap().write_all(&[2; 8_192]).unwrap();
            medium.power_cycle(Survival::Chance(seed));
            fs::read(&path).unwrap()
        };
        let torn = survivors(7);
        assert_eq!(torn, survivors(7));
        assert!(torn.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        assert!((0..8).any(|seed| survivors(seed).contains(&1) && survivors(seed).contains(&2)));
    }

    #[test]
    fn a_full_medium_takes_nothing_more_until_there_is_room() {
        let (_folder, medium) = watched();
        let path = medium.folder().join("file");
        let mut file = File::create(&path).unwrap();
        file.write_all(&[1; 100]).unwrap();
        medium.fill_after(0);
        let error = file.write_all(&[2; 100]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        assert!(File::create(medium.folder().join("other")).is_err() && medium.was_full());
        File::options().write(true).open(&path).unwrap().write_all(&[3; 50]).unwrap();
        medium.make_room();
        file.write_all(&[4; 100]).unwrap();
        assert!(!medium.was_full());
    }
}
