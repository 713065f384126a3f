//! Other engines read the archive, and find in it what we do.

use std::collections::{BTreeMap, BTreeSet};

use headwater::bench::peer::Environment;
use headwater_base::Fact;
use headwater_log::Partition;
use headwater_log::archive::{Archive, Stream};
use serde_json::{Value, json};

use super::busy;

/// What each engine says of the archive in `folder`.
const SCRIPT: &str = include_str!("engines.py");
const PACKAGES: [&str; 4] = ["pyarrow==26.0.1", "duckdb==2.0.1", "polars==2.1.0", "pytz"];

#[test]
#[ignore = "installs pyarrow, DuckDB and Polars from PyPI"]
fn pyarrow_duckdb_and_polars_read_the_same_as_we_do() {
    let site = busy();
    let folder = site.path("headwater-data/archive");
    let expected = ours(&Archive::in_folder(&folder).unwrap());
    let environment = Environment::prepare("archive-engines", &PACKAGES).unwrap();
    let arguments = [folder.to_str().unwrap().to_owned()];
    let mut peer = environment.start(SCRIPT, site.folder.path(), &arguments).unwrap();
    for engine in ["pyarrow", "duckdb", "polars"] {
        assert_eq!(peer.reply().unwrap(), json!({ "engine": engine, "said": expected }));
    }
}

fn ours(archive: &Archive) -> Value {
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    let (mut value, mut tv, mut users, mut days) = (0.0, 0, BTreeSet::new(), BTreeSet::new());
    let (mut events, mut received) = (0, 0);
    for record in archive.read(Stream::Events, Partition(0), 0).unwrap() {
        let event = record.unwrap().1;
        events += 1;
        received = received.max(event.received.as_micros());
        days.insert(event.received.to_string()[..10].to_owned());
        if let Fact::Interaction(interaction) = event.fact {
            *types.entry(interaction.kind.to_string()).or_default() += 1;
            value += f64::from(interaction.value.unwrap_or(0.0));
            let device = interaction.context.get("device");
            tv += u64::from(device == Some(&headwater_base::Value::Categorical("tv".into())));
            users.extend(interaction.actor.user.map(|user| user.to_string()));
        }
    }
    let (mut shown, mut first) = (0, BTreeSet::new());
    for record in archive.read(Stream::Decisions, Partition(0), 0).unwrap() {
        if let Fact::Decision(decision) = record.unwrap().1.fact {
            shown += decision.items.len();
            first.extend(decision.items.first().map(|shown| shown.item.to_string()));
        }
    }
    assert!(shown >= 20 && tv > 100 && users.len() == 22, "the test has something to say");
    json!({
        "events": events, "types": types, "value": value, "tv": tv, "users": users.len(), "days": days,
        "received": received, "shown": shown, "first": first,
    })
}
