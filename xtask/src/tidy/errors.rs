//! The page of error codes says what the server's table says: every code, its status, its meaning.
//!
//! The table is read as text, a `code("name", status, "meaning")` a row, so that `xtask` need not build the server.

use std::collections::BTreeMap;

use super::{Finding, Tree};

const TABLE: &str = "crates/server/src/codes.rs";
const PAGE: &str = "docs/errors.md";

/// Reports codes that the page lacks, tells otherwise, or made up.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(table) = tree.text(TABLE) else { return Vec::new() };
    let Some(page) = tree.text(PAGE) else { return vec![Finding::new(PAGE, "the page is missing")] };
    let codes: BTreeMap<&str, (&str, &str)> = table.split("code(").skip(1).filter_map(row_of_table).collect();
    let described: BTreeMap<&str, (&str, &str)> = page.lines().filter_map(row_of_page).collect();
    let mut findings = Vec::new();
    for (code, (status, meaning)) in &codes {
        if described.get(code) != Some(&(*status, *meaning)) {
            let wanted =
                format!("`{code}` needs a row that begins `| \\`{code}\\` | {status} | {meaning} |`");
            findings.push(Finding::new(PAGE, wanted));
        }
    }
    for code in described.keys().filter(|code| !codes.contains_key(*code)) {
        findings.push(Finding::new(PAGE, format!("`{code}` is described and not in {TABLE}")));
    }
    findings
}

/// `"name", 422, "meaning"...`, on one line or several.
fn row_of_table(rest: &str) -> Option<(&str, (&str, &str))> {
    let (code, rest) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
    let (status, rest) = rest.trim_start_matches([',', ' ', '\n']).split_once(',')?;
    let (meaning, _) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
    Some((code, (status.trim(), meaning)))
}

/// `| ˋnameˋ | 422 | meaning | ... |`, with backticks.
fn row_of_page(line: &str) -> Option<(&str, (&str, &str))> {
    let (code, rest) = line.strip_prefix("| `")?.split_once('`')?;
    let mut cells = rest.split('|').skip(1).map(str::trim);
    Some((code, (cells.next()?, cells.next()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: (&str, &str) = (
        TABLE,
        "const fn code(code: &'static str) {}\n[\n code(\"too_long\", 422, \"An id is too long\"),\n code(\n \"internal\", 500, \"Failed\"),\n]",
    );

    fn messages(page: &str) -> Vec<String> {
        check(&Tree::of(&[CODES, (PAGE, page)])).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_page_that_says_the_same_passes() {
        let page =
            "| `too_long` | 422 | An id is too long | shorten |\n| `internal` | 500 | Failed | report |";
        assert_eq!(messages(page), Vec::<String>::new());
    }

    #[test]
    fn other_words_missing_and_invented_codes_are_found() {
        let found = messages("| `too_long` | 400 | An id is too long | x |\n| `too_short` | 422 | No | x |");
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("`internal` needs a row"), "{}", found[0]);
        assert!(found[1].starts_with("`too_long` needs a row"), "{}", found[1]);
        assert!(found[2].starts_with("`too_short` is described"), "{}", found[2]);
    }
}
