//! Champions that read features: computed for as long as they serve, refused where they cannot be.

use std::sync::Arc;

use headwater::clock::SystemClock;
use headwater_base::{FeatureType, Timestamp};
use headwater_features::{EncoderSpec, EncodingSpec};
use headwater_registry::Registry;
use headwater_training::encoded;
use serde_json::{Value, json};

use crate::support::{Server, Site, text};

const SETTINGS: &str = "
[interactions.view]
[items.fields]
category = \"categorical\"
[surfaces.home]
sources = [\"ials\", \"popular\"]
[features.views]
entity = \"item\"
aggregate = { count = \"view\" }
window = \"1h\"
[features.category]
field = \"item.category\"
";

/// Registers the newest version of the factorisation once more, reading `features`, and makes it the champion.
fn reading(site: &Site, features: &[(&str, FeatureType)]) -> u64 {
    let registry = Registry::open(&site.path("headwater-data"), Arc::new(SystemClock)).unwrap();
    let newest = registry.latest("ials").unwrap().unwrap();
    let mut bundle = registry.load("ials", newest).unwrap();
    let spec = |(name, kind): &(&str, FeatureType)| EncodingSpec {
        name: (*name).into(),
        kind: *kind,
        encoder: EncoderSpec::default_for(*kind),
    };
    let schema = encoded::fit(features.iter().map(spec).collect(), &[], Timestamp::EPOCH).unwrap();
    encoded::attach(&mut bundle, &schema);
    let version = registry.register("ials", bundle).unwrap().version;
    registry.promote("ials", version, "test").unwrap();
    version
}

fn serving(server: &Server) -> Value {
    let ask = json!({ "surface": "home", "user": "u1", "limit": 3 });
    let (status, answer) = server.request("POST", "/v1/recommend", "", &ask);
    assert_eq!(status, 200, "{answer}");
    answer["model"].clone()
}

fn trained() -> Site {
    let site = Site::new();
    site.write("headwater.toml", SETTINGS);
    let mut rows = String::from("type,user,item\n");
    for n in 0..200 {
        rows += &format!("view,u{},i{}\n", n % 20, n * 7 % 31);
    }
    site.write("events.csv", &rows);
    site.json(&["import", "events.csv"]);
    assert_eq!(site.json(&["train", "--set", "factors=4"])["version"], 1);
    site
}

#[test]
fn a_model_is_refused_that_reads_what_the_store_does_not_compute() {
    let site = trained();
    let mut server = site.serve(&["--open"]);
    assert_eq!(serving(&server), "ials@1");

    let both = [("views@1", FeatureType::Number), ("category@1", FeatureType::Word)];
    assert_eq!(reading(&site, &both), 2);
    server.logs("ials@2");
    assert_eq!(serving(&server), "ials@2");

    // Of another type, of another version: what serves goes on serving.
    reading(&site, &[("category@1", FeatureType::Words)]);
    server.logs("the model reads feature `category@1` of type words, which the store provides as word");
    reading(&site, &[("views@1", FeatureType::Number), ("views@2", FeatureType::Number)]);
    server.logs("the model reads feature `views@2` of type number, which the store does not provide");
    assert_eq!(serving(&server), "ials@2");
    drop(server);

    // Nothing serves yet: the rest does without it.
    let mut server = site.serve(&["--open"]);
    server.logs("feature `views` has no version 2");
    server.logs("the store does not provide");
    assert_eq!(serving(&server), "");
}

#[test]
fn a_champion_keeps_reading_the_definition_it_was_trained_on() {
    let site = trained();
    drop(site.serve(&["--open"]));
    reading(&site, &[("views@1", FeatureType::Number)]);
    let shown = site.run(&["models", "show", "ials@2"]);
    assert!(text(&shown.stdout).contains("reads     views@1"), "{}", text(&shown.stdout));

    site.write("headwater.toml", &SETTINGS.replace("1h", "1d"));
    let server = site.serve(&["--open"]);
    assert_eq!(serving(&server), "ials@2");
    drop(server);

    // The domain has changed under it.
    reading(&site, &[("category@1", FeatureType::Word)]);
    let without = SETTINGS.replace("category = \"categorical\"", "brand = \"categorical\"");
    site.write("headwater.toml", &without.replace("item.category", "item.brand"));
    let mut server = site.serve(&["--open"]);
    server.logs("a champion's feature cannot be computed");
    server.logs("the model reads feature `category@1` of type word, which the store does not provide");
    assert_eq!(serving(&server), "");
}
