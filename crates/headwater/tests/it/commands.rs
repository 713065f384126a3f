//! The shapes of `--json`, exit codes, models and keys.

use serde_json::json;

use crate::support::{Site, text};

#[test]
fn bad_usage_ends_with_2_and_help_with_0() {
    let site = Site::new();
    assert_eq!(site.run(&["imprt"]).status.code(), Some(2));
    assert_eq!(site.run(&["models"]).status.code(), Some(2));
    let error = site.fails(&["models", "promote"], 2);
    assert_eq!(error["code"], "usage");
    let help = site.run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for command in
        ["init", "check", "serve", "import", "export", "train", "evaluate", "models", "features", "keys"]
    {
        assert!(text(&help.stdout).contains(&format!("\n  {command} ")), "{command}");
    }
}

#[test]
fn keys_are_made_listed_and_revoked() {
    let site = Site::new();
    let created = site.json(&["keys", "create", "shop front", "--scopes", "read"]);
    assert!(created["secret"].as_str().unwrap().starts_with("hw_"));
    assert_eq!((&created["label"], &created["scopes"]), (&json!("shop front"), &json!(["read"])));
    let id = created["id"].as_str().unwrap();
    let listed = site.json(&["keys", "list"]);
    assert_eq!(listed["keys"][0]["id"], id);
    assert!(listed["keys"][0].get("secret").is_none());
    assert!(
        site.json(&["keys", "revoke", id])["revoked"].is_string()
            || site.json(&["keys", "list"])["keys"][0]["revoked"].is_number()
    );
    assert_eq!(site.fails(&["keys", "revoke", "k_nobody"], 1)["code"], "registry");
    assert_eq!(site.run(&["keys", "create", "x", "--scopes", "everything"]).status.code(), Some(2));
}

#[test]
fn models_are_listed_shown_and_promoted() {
    let site = Site::of("shop");
    assert_eq!(site.json(&["models", "list"])["models"], json!([]));
    assert_eq!(site.fails(&["models", "show", "ials"], 1)["code"], "registry");
    assert_eq!(site.fails(&["train"], 1)["code"], "empty_log");
    let rows: String = (0..100).map(|n| format!("view,u{},i{}\n", n % 10, n / 10)).collect();
    site.write("events.csv", &format!("type,user,item\n{rows}"));
    site.json(&["import", "events.csv"]);
    assert_eq!(site.fails(&["train", "--set", "factor=4"], 2)["code"], "usage");
    let first = site.json(&["train", "--set", "factors=4"]);
    assert_eq!(
        (&first["promoted"], &first["users"], &first["items"]),
        (&json!(true), &json!(10), &json!(10))
    );
    assert_eq!(site.json(&["train", "--set", "factors=4"])["promoted"], false);
    assert_eq!(site.json(&["models", "promote", "ials@2"])["after"], 2);
    let shown = site.json(&["models", "show", "ials"]);
    assert_eq!((&shown["version"], &shown["aliases"]), (&json!(2), &json!(["champion"])));
    assert_eq!(shown["history"].as_array().unwrap().len(), 2);
    assert_eq!(site.fails(&["models", "promote", "ials@7"], 1)["code"], "registry");
    assert_eq!(site.fails(&["models", "promote", "ials@x"], 2)["code"], "usage");
}

#[test]
fn evaluate_prints_the_promised_document() {
    let site = Site::new();
    let line = |user: usize, items: std::ops::Range<usize>| {
        let items: Vec<String> =
            items.map(|step| (user % 2 * 30 + (user / 2 + step * 7) % 30).to_string()).collect();
        format!("{user} {}\n", items.join(" "))
    };
    site.write("train.txt", &(0..60).map(|user| line(user, 0..8)).collect::<String>());
    site.write("test.txt", &(0..60).map(|user| line(user, 8..10)).collect::<String>());
    let arguments = [
        "evaluate",
        "--model",
        "ials",
        "--preset",
        "split",
        "--data",
        ".",
        "--set",
        "factors=4",
        "--at",
        "5",
    ];
    let report = site.json(&arguments);
    assert_eq!(
        (&report["model"], &report["split"], &report["users"]),
        (&json!("ials"), &json!("given"), &json!(60))
    );
    for figure in [&report["metrics"]["recall@5"], &report["beside"]["popular"]["ndcg@5"]] {
        let (low, value, high) = (figure["low"].as_f64(), figure["value"].as_f64(), figure["high"].as_f64());
        assert!(low <= value && value <= high && value.is_some(), "{figure}");
    }
    assert!(report["train_seconds"].is_number() && report["peak_memory_bytes"].is_number());
    assert_eq!(
        site.run(&["evaluate", "--model", "ialz", "--preset", "split", "--data", "."]).status.code(),
        Some(2)
    );
}
