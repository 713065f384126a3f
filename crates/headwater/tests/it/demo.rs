//! `headwater demo`, short, as a script would run it.

use std::process::Command;

use serde_json::Value;

/// Runs the binary and returns its document.
fn demo(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .arg("demo")
        .args(arguments)
        .arg("--json")
        .env_remove("HEADWATER_DATA_DIR")
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one document on standard output")
}

#[test]
fn a_short_simulated_demo_shows_both_arms_and_is_never_stale() {
    let shown = demo(&["--seconds", "5", "--users", "400", "--items", "300", "--seed", "11"]);
    assert_eq!(
        (&shown["demo"], &shown["seed"], &shown["stale"]),
        (&"simulated".into(), &11.into(), &0.into())
    );
    assert!(shown["events"].as_u64().unwrap() > 100, "{shown}");
    assert!(shown["event_to_answer_p99_ms"].as_f64().unwrap() > 0.0, "{shown}");
    assert!(shown["items"].as_u64().unwrap() > 300, "items arrived: {shown}");
    assert!(shown["trainings"].as_array().unwrap().len() > 1, "it was trained again: {shown}");
    for arm in ["popularity", "personal"] {
        let arm = &shown["arms"][arm];
        assert!(arm["shown"].as_u64().unwrap() > 100, "{shown}");
        for phase in ["before", "after"] {
            let rate = arm["click_rate"][phase]["value"].as_f64().unwrap();
            assert!(rate > 0.0 && rate < 1.0, "{shown}");
        }
    }
    let rate = |arm: &str| shown["arms"][arm]["click_rate"]["before"]["value"].as_f64().unwrap();
    assert!(rate("personal") > rate("popularity"), "{shown}");
}

#[test]
fn real_interactions_are_replayed_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    // Two groups of users go round two groups of ten items: what comes next is of the own group.
    let lines: String = (0..40)
        .flat_map(|user| (0..9).map(move |step| (user, user % 2 * 10 + (user / 2 + step) % 10)))
        .map(|(user, item)| format!("{user} {item}\n"))
        .collect();
    std::fs::write(folder.path().join("visits.txt"), lines).unwrap();
    let path = folder.path().to_str().unwrap();
    let shown = demo(&["--data", path, "--preset", "sequence", "--seconds", "20"]);
    assert_eq!((&shown["demo"], &shown["interactions"]), (&"replay".into(), &360.into()));
    assert_eq!((&shown["history"], &shown["replayed"]), (&180.into(), &180.into()));
    assert!(shown["judged"].as_u64().unwrap() > 50, "{shown}");
    let rate = |arm: &str| shown["arms"][arm]["hit_rate@20"]["value"].as_f64().unwrap();
    assert!(rate("personal") > 0.9, "all twenty items fit into an answer: {shown}");
    assert!(rate("popularity") > 0.9, "all twenty items fit into an answer: {shown}");
}
