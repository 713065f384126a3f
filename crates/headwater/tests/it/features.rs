//! Declared features from outside: listed, shown, checked.

use serde_json::json;

use crate::support::{Site, text};

const SETTINGS: &str = "
[interactions.click]
[interactions.impression]
[items.fields]
category = \"categorical\"
[features.ctr]
entity = \"item\"
aggregate = { rate = [\"click\", \"impression\"], prior = [1, 20] }
window = \"1h\"
[features.favourites]
entity = \"user\"
aggregate = { top_k = \"*\", of = \"item.category\", k = 3 }
[features.hour]
time = \"hour_of_week\"
[surfaces.home]
features = [\"ctr\", \"favourites\"]
[surfaces.quiet]
logged_share = 0
";

#[test]
fn features_are_listed_with_what_they_are_and_who_reads_them() {
    let site = Site::new();
    site.write("headwater.toml", SETTINGS);
    let listed = site.json(&["features", "list"]);
    let features = listed["features"].as_array().unwrap();
    let of = |key: &str| features.iter().map(|one| one[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("name"), ["ctr", "favourites", "hour"]);
    assert_eq!(of("version"), [1, 1, 1]);
    assert_eq!(of("type"), ["number", "words", "number"]);
    assert_eq!(of("subtractable"), [json!(true), json!(false), json!(null)]);
    assert_eq!(of("surfaces"), [json!(["home", "quiet"]), json!(["home", "quiet"]), json!(["quiet"])]);
    assert!(!site.path("headwater-data").exists(), "looking makes nothing");
    insta::assert_snapshot!(text(&site.run(&["features", "list"]).stdout));
}

#[test]
fn a_feature_is_shown_with_its_definition_and_an_unknown_one_refused() {
    let site = Site::new();
    site.write("headwater.toml", SETTINGS);
    let shown = site.json(&["features", "show", "ctr"]);
    assert_eq!((&shown["name"], &shown["versions"][0]["current"]), (&json!("ctr"), &json!(true)));
    assert_eq!(shown["versions"][0]["definition"]["aggregate"]["entity"], json!(["item"]));
    insta::assert_snapshot!(text(&site.run(&["features", "show", "ctr"]).stdout));
    let error = site.fails(&["features", "show", "ctx"], 2);
    assert!(error["message"].as_str().unwrap().ends_with("expected ctr, favourites or hour"), "{error}");
}

#[test]
fn a_feature_that_nobody_reads_is_a_warning() {
    let site = Site::new();
    site.write("headwater.toml", SETTINGS);
    let warning =
        "nobody reads the feature `hour`: no surface that logs vectors lists it, and no champion needs it";
    assert_eq!(site.json(&["check"])["warnings"], json!([warning]));
    let output = site.run(&["check"]);
    assert!(text(&output.stderr).contains(&format!("warning: {warning}\n")), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    for line in
        ["[features.ctr.aggregate]\n", "rate = [\"click\", \"impression\"]\n", "time = \"hour_of_week\"\n"]
    {
        assert!(printed.contains(line), "{printed}");
    }
    // What is printed is settings again, and the same ones.
    let again = Site::new();
    again.write("headwater.toml", &printed);
    assert_eq!(again.json(&["check"])["hash"], site.json(&["check"])["hash"]);
}

#[test]
fn wrong_features_are_shown_in_their_place() {
    let site = Site::new();
    let wrong = SETTINGS
        .replace("\"item\"\n", "[\"item\", \"item.category\"]\n")
        .replace("k = 3", "k = 300")
        .replace("\"hour_of_week\"", "\"hour_of_week\"\nwindow = \"1h\"")
        .replace("[\"ctr\",", "[\"crt\",");
    site.write("headwater.toml", &wrong);
    let output = site.command(&["check"]).env("NO_COLOR", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(text(&output.stderr));
}
