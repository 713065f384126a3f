//! Names that say nothing, and marks of work left undone.

use super::{Finding, Tree};

const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "manager", "v2"];

/// Reports files with a name that could hold anything, and comments that put something off.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut findings = Vec::new();
    for (path, text) in tree.texts_ending("rs") {
        let parts = path.trim_end_matches(".rs").split('/');
        for part in parts.filter(|part| EMPTY_NAMES.contains(part)) {
            findings.push(Finding::new(path, format!("`{part}` could hold anything: name the idea")));
        }
        for (number, line) in text.lines().enumerate() {
            let comment = line.split_once("//").map(|(_, comment)| comment).unwrap_or_default();
            if let Some(mark) = marks.iter().find(|mark| comment.contains(**mark)) {
                findings.push(Finding::at(
                    path,
                    number + 1,
                    format!("`{mark}`: finish it, or file an issue"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_and_postponed_work_are_found() {
        let postponed = format!("//! A.\n// {}: later\n", concat!("TO", "DO"));
        let found =
            check(&Tree::of(&[("crates/x/src/utils.rs", "//! A."), ("crates/x/src/codec.rs", &postponed)]));
        let places: Vec<&str> = found.iter().map(|finding| finding.place.as_str()).collect();
        assert_eq!(places, ["crates/x/src/codec.rs:2", "crates/x/src/utils.rs"]);
    }
}
