//! A source file over 800 lines holds two subjects.

use super::{Finding, Tree};

const MOST_LINES: usize = 800;

/// Reports source files that are too long.
pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.texts_ending("rs")
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(path, lines)| {
            Finding::new(path, format!("{lines} lines, more than {MOST_LINES}: find its second subject"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_hundred_lines_pass_and_one_more_does_not() {
        let longest = "//\n".repeat(MOST_LINES);
        let longer = "//\n".repeat(MOST_LINES + 1);
        let found = check(&Tree::of(&[("a.rs", &longest), ("b.rs", &longer), ("c.md", &longer)]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "b.rs");
    }
}
