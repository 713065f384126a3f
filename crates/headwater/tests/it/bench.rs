//! `headwater bench`, tiny: the documents that scripts rely on.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_headwater"))
        .arg("bench")
        .args(arguments)
        .arg("--json")
        .current_dir(folder)
        .env_remove("HEADWATER_DATA")
        .env_remove("HEADWATER_DATA_DIR")
        .output()
        .expect("the binary runs")
}

fn document(folder: &Path, arguments: &[&str]) -> Value {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one document on standard output")
}

/// Sixty users of two groups, each with eight of the group's thirty items; two more held out.
fn split(folder: &Path) -> String {
    let line = |user: usize, items: std::ops::Range<usize>| {
        let items: Vec<String> =
            items.map(|place| (user % 2 * 30 + (user / 2 + place * 7) % 30).to_string()).collect();
        format!("{user} {}\n", items.join(" "))
    };
    std::fs::write(folder.join("train.txt"), (0..60).map(|user| line(user, 0..8)).collect::<String>())
        .unwrap();
    std::fs::write(folder.join("test.txt"), (0..60).map(|user| line(user, 8..10)).collect::<String>())
        .unwrap();
    folder.to_str().unwrap().to_owned()
}

fn value(document: &Value, figure: &str) -> f64 {
    let figure_value = &document["figures"][figure]["value"];
    figure_value.as_f64().unwrap_or_else(|| panic!("no {figure} in {document}"))
}

#[test]
fn ingest_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["ingest", "--set", "warm_up=0.1", "--set", "seconds=0.3", "--set", "runs=2"];
    let shown = document(folder.path(), &small);
    assert_eq!(shown["bench"], "ingest");
    assert!(value(&shown, "batched_events_per_second") > 100.0, "{shown}");
    assert!(value(&shown, "single_events_per_second") > 10.0, "{shown}");
    assert!(value(&shown, "acknowledged") > 100.0, "{shown}");
    assert_eq!((value(&shown, "lost"), value(&shown, "repeated")), (0.0, 0.0));
    assert_eq!(shown["figures"]["batched_events_per_second"]["unit"], "1/s");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "the data folder is removed");
}

#[test]
fn answers_and_their_freshness_are_measured_on_an_imported_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let path = split(data.path());
    let common = ["--data", &path, "--set", "factors=8", "--set", "connections=2", "--set", "limit=5"];
    let lengths = ["--set", "warm_up=0.1", "--set", "seconds=0.3", "--set", "runs=1"];
    let shown = document(folder.path(), &[&["serve"], &common[..], &lengths[..]].concat());
    for prefix in ["", "cached_"] {
        assert!(value(&shown, &format!("{prefix}answers_per_second")) > 10.0, "{shown}");
        assert!(value(&shown, &format!("{prefix}p99_ms")) > 0.0, "{shown}");
        // Not all of them: on a busy machine some answers reach their deadline.
        assert!(value(&shown, &format!("{prefix}personal_share")) > 0.5, "{shown}");
    }
    let shown = document(folder.path(), &[&["freshness"], &common[..], &["--set", "trials=40"]].concat());
    assert_eq!((value(&shown, "stale"), value(&shown, "trials")), (0.0, 40.0), "{shown}");
    assert!(value(&shown, "p99_ms") > 0.0, "{shown}");
}

#[test]
fn sessions_are_answered_with_and_without_the_decision_log() {
    let folder = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let lines: String =
        (0..300).map(|n| format!("{} {} {}\n", n % 20, (n * 7 + 1) % 20, 20 + n % 9)).collect();
    std::fs::write(data.path().join("train_sessions.txt"), lines).unwrap();
    let path = data.path().to_str().unwrap();
    let small = ["--set", "connections=2", "--set", "warm_up=0.1", "--set", "seconds=0.3", "--set", "runs=1"];
    let shown = document(folder.path(), &[&["sessions", "--data", path], &small[..]].concat());
    for prefix in ["", "unlogged_"] {
        assert!(value(&shown, &format!("{prefix}answers_per_second")) > 10.0, "{shown}");
        assert!(value(&shown, &format!("{prefix}p99_ms")) > 0.0, "{shown}");
        assert!(value(&shown, &format!("{prefix}sessions_share")) > 0.5, "{shown}");
    }
}

#[test]
fn import_and_training_are_timed() {
    let folder = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let path = split(data.path());
    let shown = document(folder.path(), &["import", "--data", &path, "--preset", "split", "--set", "runs=1"]);
    assert!(
        value(&shown, "events_per_second") > 1.0 && value(&shown, "restart_ready_seconds") > 0.0,
        "{shown}"
    );

    let small = ["--set", "factors=4,8", "--set", "iterations=2", "--set", "rounds=1", "--set", "peer=false"];
    let shown = document(folder.path(), &[&["ials", "--data", &path], &small[..]].concat());
    assert_eq!((&shown["bench"], &shown["beside"]), (&"ials".into(), &serde_json::json!({})));
    for factors in [4, 8] {
        assert!(value(&shown, &format!("seconds_per_iteration_{factors}")) > 0.0, "{shown}");
        assert!((0.0..=1.0).contains(&value(&shown, &format!("ndcg@20_{factors}"))), "{shown}");
    }
}

#[test]
fn the_index_is_measured_on_made_up_items() {
    let folder = tempfile::tempdir().unwrap();
    let small =
        ["--set", "items=3000", "--set", "dimensions=16", "--set", "queries=200", "--set", "inserts=20"];
    let shown = document(folder.path(), &[&["index"], &small[..]].concat());
    assert!((0.8..=1.0).contains(&value(&shown, "recall@100_16")), "{shown}");
    assert_eq!(value(&shown, "inserts_in_the_next_answer_16"), 1.0, "{shown}");
    let graph = shown["figures"].get("graph_recall@100_16").is_some();
    assert_eq!(graph, headwater_models::index::GRAPH_BUILT_IN, "{shown}");
    for figure in
        ["exact_queries_per_second", "queries_per_second", "clusters_build_seconds", "clusters_bytes"]
    {
        assert!(value(&shown, &format!("{figure}_16")) > 0.0, "{figure}: {shown}");
    }
}

#[test]
fn what_cannot_be_measured_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, named) in [
        (&["ials"][..], "HEADWATER_DATA"),
        (&["ingest", "--set", "bacth=3"], "batch"),
        (&["serve", "--data", "nowhere"], "nowhere"),
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.contains(named), "{errors}");
    }
}
