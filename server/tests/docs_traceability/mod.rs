//! `server/docs/traceability.md`: which rule of `server/docs/rules.md` is cited by which code and which tests; made by reading all
//! of our Rust, and checked.
//!
//! `CALLOUT_BLESS=1` rewrites the file. What does not belong here: whether the rule is right (its own tests).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Where our Rust is.
const ROOTS: [&str; 5] = ["sync-protocol", "server", "mobile-sdk", "tests", "console"];
/// Other text that cites rules.
const DOCUMENTS: [&str; 3] = ["server/docs", "sync-protocol/docs", "mobile-sdk/docs"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The ids that a text cites, those of a range like `R-ROUTE-1…5` each.
fn cited(text: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for (place, _) in text.match_indices("R-") {
        if text[..place].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            continue;
        }
        let rest = &text[place + 2..];
        let group: String = rest.chars().take_while(char::is_ascii_uppercase).collect();
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        let Some(after) = rest[group.len()..].strip_prefix('-') else { continue };
        let first = digits(after);
        let (Ok(from), false) = (first.parse::<u32>(), group.is_empty()) else { continue };
        let until = after[first.len()..].strip_prefix('…').and_then(|end| digits(end).parse().ok()).unwrap_or(from);
        ids.extend((from..=until.min(from + 50)).map(|number| format!("R-{group}-{number}")));
    }
    ids
}

/// What a file's code cites, and what its tests cite.
fn cited_by(path: &str, text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let is_test = path.split('/').any(|part| part == "tests" || part == "tests.rs" || part == "benches");
    if is_test {
        return (BTreeSet::new(), cited(text));
    }
    let (code, tests) = text.split_once("#[cfg(test)]").unwrap_or((text, ""));
    (cited(code), cited(tests))
}

fn files(folder: &Path, ends: &[&str], found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "node_modules", "dist", "fuzz"].contains(&name.as_str()) && !name.starts_with('.') {
                files(&path, ends, found);
            }
        } else if ends.iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
}

/// Rule → the files of code, the files of tests.
type Citations = BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>;

fn citations() -> Citations {
    let root = workspace();
    let mut found = Vec::new();
    ROOTS.iter().for_each(|folder| files(&root.join(folder), &[".rs", ".ts", ".tsx"], &mut found));
    assert!(found.len() > 200, "our Rust is seen");
    let mut citations = Citations::new();
    for file in found {
        let path = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        // This one cites rules only to say that nobody does.
        if path.ends_with("server/tests/docs_traceability/mod.rs") {
            continue;
        }
        let (code, tests) = cited_by(&path, &std::fs::read_to_string(&file).unwrap());
        code.into_iter().for_each(|id| _ = citations.entry(id).or_default().0.insert(path.clone()));
        tests.into_iter().for_each(|id| _ = citations.entry(id).or_default().1.insert(path.clone()));
    }
    citations
}

/// The rules of `rules.md` with their words in English, in the document's order.
fn rules() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(workspace().join("server/docs/rules.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| R-")?.strip_suffix(" |")?.split(" | ").collect();
        assert_eq!(cells.len(), 3, "id, English, Chinese: {line}");
        assert!(cells.iter().all(|cell| !cell.trim().is_empty()), "{line}");
        Some((format!("R-{}", cells[0]), cells[1].to_owned()))
    });
    rows.collect()
}

fn ids() -> BTreeSet<String> {
    rules().into_iter().map(|(id, _)| id).collect()
}

fn rendered(citations: &Citations) -> String {
    let mut out = String::from(
        "# Which rule is where\n\nGenerated from the rules' ids in code and tests; `CALLOUT_BLESS=1 cargo test -p callout-server --test all docs` rewrites it.\n\
         The rules in full words are in [`rules.md`](rules.md). A file is named where it cites the rule's id.\n\n\
         | rule | code | tests |\n|---|---|---|\n",
    );
    let list = |files: &BTreeSet<String>| match files.is_empty() {
        true => "—".to_owned(),
        false => files.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join("<br>"),
    };
    for (id, words) in rules() {
        let (code, tests) = citations.get(&id).cloned().unwrap_or_default();
        writeln!(out, "| **{id}** {words} | {} | {} |", list(&code), list(&tests)).unwrap();
    }
    out
}

#[test]
fn docs_traceability_md_is_what_the_sources_cite() {
    let path = workspace().join("server/docs/traceability.md");
    let text = rendered(&citations());
    if std::env::var_os("CALLOUT_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).find(|(kept, now)| kept != now).map(|(_, now)| now);
    assert!(
        kept == text,
        "docs/traceability.md is stale; run again with CALLOUT_BLESS=1. First difference: {differs:?}"
    );
}

#[test]
fn docs_every_rule_has_code_and_a_test() {
    let citations = citations();
    let standing = |id: &str| {
        let (code, tests) = citations.get(id).cloned().unwrap_or_default();
        (!code.is_empty(), !tests.is_empty())
    };
    let lacking: Vec<String> = ids()
        .into_iter()
        .filter(|id| standing(id) != (true, true))
        .map(|id| format!("{id} (code, tests: {:?})", standing(&id)))
        .collect();
    assert!(lacking.is_empty(), "rules without code or without a test that cites them: {lacking:#?}");
}

#[test]
fn docs_cite_no_rule_that_does_not_exist() {
    let known = ids();
    let mut unknown: Vec<String> = citations()
        .into_iter()
        .filter(|(id, _)| !known.contains(id))
        .map(|(id, (code, tests))| format!("{id}: {:?}", code.into_iter().chain(tests).collect::<Vec<_>>()))
        .collect();
    let mut found = vec![workspace().join("README.md"), workspace().join("CHANGELOG.md")];
    DOCUMENTS.iter().for_each(|folder| files(&workspace().join(folder), &[".md"], &mut found));
    for file in found {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        unknown.extend(cited(&text).difference(&known).map(|id| format!("{id}: {}", file.display())));
    }
    assert!(unknown.is_empty(), "no such rules: {unknown:#?}");
}

/// The list here and the domain document have the same rules, where the latter is at hand.
#[test]
fn docs_rules_are_those_of_the_domain() {
    let rules = rules();
    assert_eq!(rules.len(), ids().len(), "each rule stands once");
    assert!(rules.len() >= 46);
    let Some(shared) = std::env::var_os("CALLOUT_SHARED_DATA") else { return };
    let Ok(domain) = std::fs::read_to_string(Path::new(&shared).join("../domain.md")) else { return };
    let stated: Vec<String> = domain
        .lines()
        .filter_map(|line| cited(line.strip_prefix("- ")?.split_whitespace().next()?).into_iter().next())
        .collect();
    assert_eq!(rules.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), stated);
}

#[test]
fn ranges_and_neighbours_are_read_right() {
    let read = |text: &str| cited(text).into_iter().collect::<Vec<_>>();
    assert_eq!(read("R-ROUTE-1…3, (R-TEST-5)"), ["R-ROUTE-1", "R-ROUTE-2", "R-ROUTE-3", "R-TEST-5"]);
    assert_eq!(read("OR-1 R-x R--1 XR-A-1 R-A R-A-"), [""; 0]);
    assert_eq!(cited_by("server/src/a.rs", "R-A-1 #[cfg(test)] R-B-2").1.len(), 1);
    assert_eq!(cited_by("server/tests/a.rs", "R-A-1").0.len(), 0);
}
