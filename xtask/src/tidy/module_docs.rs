//! Every module says what it is before anything else.

use super::{Finding, Tree};

/// Reports source files whose first line is not a module comment.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let silent = tree.texts_ending("rs").filter(|(_, text)| !opens_with_a_comment(text));
    silent
        .map(|(path, _)| Finding::at(path, 1, "opens without `//!`: what it is, promises and leaves out"))
        .collect()
}

fn opens_with_a_comment(text: &str) -> bool {
    text.lines()
        .next()
        .and_then(|line| line.strip_prefix("//! "))
        .is_some_and(|about| !about.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_count() {
        let files = [("said.rs", "//! What.\nfn f() {}"), ("silent.rs", "fn f() {}"), ("empty.rs", "//! \n")];
        let places: Vec<String> = check(&Tree::of(&files)).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["empty.rs:1", "silent.rs:1"]);
    }
}
