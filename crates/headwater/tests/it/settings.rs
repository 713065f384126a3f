//! Settings as people get them wrong, and what they are told.

use headwater_models::index::GRAPH_BUILT_IN;

use crate::support::{Site, text};

fn report(toml: &str) -> String {
    let site = Site::new();
    site.write("headwater.toml", toml);
    let output = site.command(&["check"]).env("NO_COLOR", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    text(&output.stderr)
}

#[test]
fn every_mistake_is_shown_in_its_place() {
    insta::assert_snapshot!(report(
        "[interactions.click]\nweigth = 2.0\n\n[items.fields]\ncategory = \"categoric\"\n\n[views]\nneighbours = \"many\"\n\n[featurs]\n"
    ));
}

#[test]
fn a_wrong_duration_says_what_one_looks_like() {
    insta::assert_snapshot!(report("[interactions.click]\n\n[surfaces.home]\ndeadline = \"5 weeks\"\n"));
}

#[test]
fn what_contradicts_is_shown_where_it_is_said() {
    insta::assert_snapshot!(report(
        "[interactions.click]\nweight = -1.0\n\n[items.fields]\nprice = \"numeric\"\n\n[surfaces.home]\nsources = [\"neighbors\"]\n\n[server]\nlisten = \"everywhere\"\n"
    ));
}

#[test]
fn malformed_toml_is_shown_in_its_place() {
    insta::assert_snapshot!(report("[interactions.click\nweight = 1.0\n"));
}

#[test]
fn a_graph_is_refused_where_none_is_built_in() {
    let site = Site::new();
    site.write("headwater.toml", "[interactions.click]\n\n[index]\nkind = \"graph\"\n");
    let output = site.command(&["check"]).output().unwrap();
    if GRAPH_BUILT_IN {
        assert_eq!(output.status.code(), Some(0));
    } else {
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("--features graph-index"), "{}", text(&output.stderr));
    }
}

#[test]
fn every_template_passes_the_check() {
    for template in ["shop", "video", "news", "music"] {
        let checked = Site::of(template).json(&["check"]);
        assert_eq!(checked["path"], "headwater.toml");
        assert!(checked["settings"]["interactions"].as_object().is_some_and(|types| types.len() >= 3));
    }
}

#[test]
fn the_environment_overrides_the_file_and_says_so() {
    let site = Site::of("shop");
    let output = site.command(&["check"]).env("HEADWATER_LIMITS__BATCH", "7").output().unwrap();
    assert!(
        text(&output.stdout).contains("batch = 7  # from HEADWATER_LIMITS__BATCH"),
        "{}",
        text(&output.stdout)
    );
    for (name, value, told) in [
        ("HEADWATER_LIMIT__BATCH", "7", "did you mean `limits`?"),
        ("HEADWATER_LIMITS__BATCH", "many", "`limits.batch` must be a whole number, not a text"),
        (
            "HEADWATER_LIMITS__BATCH",
            "0",
            "`limits.batch` must be at least 1 (set by HEADWATER_LIMITS__BATCH)",
        ),
    ] {
        let output = site.command(&["check", "--json"]).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}={value}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.contains(told), "{message}");
    }
}

#[test]
fn the_committed_json_schema_is_the_generated_one() {
    let generated = format!("{:#}\n", headwater::settings::Settings::json_schema());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/headwater.schema.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        generated == committed,
        "docs/headwater.schema.json is stale: `cargo run -- check --schema > docs/headwater.schema.json`"
    );
}

#[test]
fn init_replaces_nothing_unasked() {
    let site = Site::of("shop");
    assert_eq!(site.fails(&["init"], 1)["code"], "file_exists");
    assert_eq!(site.json(&["init", "--force", "--template", "news"])["template"], "news");
}

#[test]
fn without_settings_commands_say_how_to_get_some() {
    let error = Site::new().fails(&["serve"], 1);
    assert_eq!(error["code"], "no_settings");
    assert!(error["help"].as_str().unwrap().contains("headwater init"), "{error}");
}
