//! Files and names as they are, and as the medium would give them back after a power cut.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's medium stops at what it does not expect"
)]

use super::Survival;
use crate::simulation::Dice;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a medium writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A file or folder, whatever its name.
pub(super) type NodeId = u32;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Resize(usize),
}

#[derive(Debug, Default)]
struct Node {
    is_folder: bool,
    /// How long the file is, as everybody sees it.
    length: usize,
    kept: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
struct NameChange {
    /// Syncing this one keeps it.
    folder: PathBuf,
    gone: Option<PathBuf>,
    came: Option<(PathBuf, NodeId)>,
}

/// The content of one watched folder.
#[derive(Debug, Default)]
pub(super) struct Volatile {
    nodes: BTreeMap<NodeId, Node>,
    last: NodeId,
    names: BTreeMap<PathBuf, NodeId>,
    kept_names: BTreeMap<PathBuf, NodeId>,
    unsynced_names: Vec<NameChange>,
}

fn parent(path: &Path) -> PathBuf {
    path.parent().expect("a watched file is in a folder").to_owned()
}

fn change(content: &mut Vec<u8>, change: &Change, mut survives: impl FnMut() -> bool) {
    match change {
        Change::Resize(length) => {
            if survives() {
                content.resize(*length, 0);
            }
        }
        Change::Write { offset, bytes } => {
            // Sectors of the file, not of the write.
            let mut at = 0;
            while at < bytes.len() {
                let until = (at + SECTOR_BYTES - (offset + at) % SECTOR_BYTES).min(bytes.len());
                if survives() {
                    if content.len() < offset + until {
                        content.resize(offset + until, 0);
                    }
                    content[offset + at..offset + until].copy_from_slice(&bytes[at..until]);
                }
                at = until;
            }
        }
    }
}

fn names_change(names: &mut BTreeMap<PathBuf, NodeId>, change: &NameChange) {
    let Some(gone) = &change.gone else {
        names.extend(change.came.clone());
        return;
    };
    // A folder goes with what is in it.
    let moved: Vec<(PathBuf, NodeId)> = names
        .range(gone.clone()..)
        .take_while(|(path, _)| path.starts_with(gone))
        .map(|(p, n)| (p.clone(), *n))
        .collect();
    for (path, node) in moved {
        names.remove(&path);
        if let (Some((to, _)), Ok(rest)) = (&change.came, path.strip_prefix(gone))
            && !rest.as_os_str().is_empty()
        {
            names.insert(to.join(rest), node);
        }
    }
    names.extend(change.came.clone());
}

impl Volatile {
    /// What is in a folder now, all of it kept.
    pub fn read(folder: &Path) -> Self {
        let mut content = Self::default();
        content.read_into(folder);
        content.kept_names = content.names.clone();
        content
    }

    fn read_into(&mut self, folder: &Path) {
        let id = self.insert(Node { is_folder: true, ..Node::default() });
        self.names.insert(folder.to_owned(), id);
        let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                self.read_into(&path);
                continue;
            }
            let kept = fs::read(&path).unwrap();
            let id = self.insert(Node { length: kept.len(), kept, ..Node::default() });
            self.names.insert(path, id);
        }
    }

    fn insert(&mut self, node: Node) -> NodeId {
        self.last += 1;
        self.nodes.insert(self.last, node);
        self.last
    }

    pub fn find(&self, path: &Path) -> Option<NodeId> {
        self.names.get(path).copied()
    }

    pub fn length(&self, node: NodeId) -> usize {
        self.nodes.get(&node).map_or(0, |node| node.length)
    }

    pub fn create(&mut self, path: &Path, is_folder: bool) -> NodeId {
        if let Some(known) = self.find(path) {
            return known;
        }
        let node = self.insert(Node { is_folder, ..Node::default() });
        self.name_change(parent(path), None, Some((path.to_owned(), node)));
        node
    }

    pub fn link(&mut self, node: NodeId, path: &Path) {
        if self.find(path).is_some() {
            return;
        }
        self.name_change(parent(path), None, Some((path.to_owned(), node)));
    }

    pub fn remove(&mut self, path: &Path) {
        self.name_change(parent(path), Some(path.to_owned()), None);
    }

    pub fn rename(&mut self, from: &Path, to: &Path) {
        let Some(node) = self.find(from) else { return };
        self.name_change(parent(to), Some(from.to_owned()), Some((to.to_owned(), node)));
    }

    fn name_change(&mut self, folder: PathBuf, gone: Option<PathBuf>, came: Option<(PathBuf, NodeId)>) {
        let change = NameChange { folder, gone, came };
        names_change(&mut self.names, &change);
        self.unsynced_names.push(change);
    }

    pub fn write(&self, folder: &Path) {
        for (path, node) in &self.names {
            let node = &self.nodes[node];
            if node.is_folder {
                if path != folder {
                    fs::create_dir(path).unwrap();
                }
            } else {
                fs::write(path, &node.kept).unwrap();
            }
        }
    }

    pub fn file_write(&mut self, node: NodeId, offset: usize, bytes: &[u8]) {
        let Some(node) = self.nodes.get_mut(&node) else { return };
        node.length = node.length.max(offset + bytes.len());
        node.unsynced.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub fn file_resize(&mut self, node: NodeId, length: usize) {
        let Some(node) = self.nodes.get_mut(&node) else { return };
        node.length = length;
        node.unsynced.push(Change::Resize(length));
    }

    pub fn sync(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if !node.is_folder {
            for unsynced in std::mem::take(&mut node.unsynced) {
                change(&mut node.kept, &unsynced, || true);
            }
            return;
        }
        let Some(folder) = self.names.iter().find(|(_, known)| **known == id).map(|(path, _)| path.clone()) else {
            return;
        };
        let (synced, unsynced) =
            std::mem::take(&mut self.unsynced_names).into_iter().partition(|change| change.folder == folder);
        self.unsynced_names = unsynced;
        let synced: Vec<NameChange> = synced;
        synced.iter().for_each(|change| names_change(&mut self.kept_names, change));
    }

    /// The power fails; what survives is all there is, and kept.
    pub fn fail(&mut self, survival: Survival) {
        let mut dice = Dice::new(match survival {
            Survival::Chance(seed) => seed,
            Survival::Everything | Survival::Synced => 0,
        });
        let mut names = std::mem::take(&mut self.kept_names);
        let changes = std::mem::take(&mut self.unsynced_names);
        let survivors = match survival {
            Survival::Everything => changes.len(),
            Survival::Synced => 0,
            Survival::Chance(_) => dice.below(changes.len() as u64 + 1) as usize,
        };
        changes[..survivors].iter().for_each(|change| names_change(&mut names, change));
        // What lies in a folder without a name is gone with it.
        let mut reachable: BTreeMap<PathBuf, NodeId> = BTreeMap::new();
        for (path, node) in names {
            if reachable.is_empty() || reachable.contains_key(&parent(&path)) {
                reachable.insert(path, node);
            }
        }
        let mut nodes = std::mem::take(&mut self.nodes);
        nodes.retain(|id, _| reachable.values().any(|named| named == id));
        for node in nodes.values_mut() {
            for unsynced in std::mem::take(&mut node.unsynced) {
                change(&mut node.kept, &unsynced, || match survival {
                    Survival::Everything => true,
                    Survival::Synced => false,
                    Survival::Chance(_) => dice.percent(50),
                });
            }
            node.length = node.kept.len();
        }
        self.nodes = nodes;
        self.kept_names = reachable.clone();
        self.names = reachable;
    }
}
