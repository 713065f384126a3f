//! Two definitions that one name has had, side by side: whoever was trained on the old one goes on reading it.

use std::sync::Arc;

use headwater_base::{Event, FeatureType, FeatureValue, Fields};
use headwater_features::declared::{Aggregate, Attribute, Definition, FieldRef, Part};
use headwater_features::encode::{EncodingSpec, SchemaFitting};
use headwater_features::{FeatureRequest, FeatureSpec, Plan, Views};
use headwater_log::{Batch, Partition};

use super::world::*;

fn version(number: u32, definition: Definition) -> FeatureSpec {
    FeatureSpec { name: "clicks".into(), version: number, definition }
}

/// Clicks of an item within an hour, edited to a day; with the types it reads they share a table, not their tiles.
fn counts(window: i64) -> Definition {
    Definition::Aggregate(aggregate(&[Part::Item], Aggregate::Count, &["click"], Some(window), None))
}

fn live(specs: &[FeatureSpec]) -> Views {
    let views = Views::new(Arc::new(schema()), options(specs));
    let click = |time| interaction("click", user("u"), "i0", Some(time as f32));
    let events: Vec<Event> = [(0, item("i0", "c0"))]
        .into_iter()
        .chain([HOUR, 20 * HOUR, 24 * HOUR].map(|time| (time, click(time))))
        .map(|(time, fact)| event(time, time, fact))
        .collect();
    views.apply(&Batch { partition: Partition(0), first: 0, events: events.into() }).expect("no gap");
    views
}

fn read(views: &Views, columns: &[usize]) -> Vec<FeatureValue> {
    let (actor, context) = (user("u"), Fields::default());
    let request = FeatureRequest { actor: &actor, context: &context, time: at(24 * HOUR + MINUTE) };
    let rows = views.hold().features(&request, columns, &[views.item_index("i0")]).expect("all in memory");
    rows.row(0).cloned().collect()
}

#[test]
fn an_old_artifact_reads_the_old_definition_beside_the_new_one() {
    let specs = [version(2, counts(DAY)), version(1, counts(HOUR))];
    let views = live(&specs);
    assert_eq!(read(&views, &[0, 1]), [FeatureValue::Number(3.0), FeatureValue::Number(1.0)]);

    // The artifact names what it reads, wherever that stands in the store.
    let provided: Vec<_> = views.plan().columns().collect();
    let encoded = |label: &str| {
        let spec = EncodingSpec {
            name: label.into(),
            kind: FeatureType::Number,
            encoder: "number".parse().expect("an encoder"),
        };
        let fitting = SchemaFitting::new(vec![spec]).expect("an encoder that fits");
        let schema = fitting.freeze().expect("a schema");
        let binding = schema.bind(&provided).expect("the store provides it");
        let (mut dense, mut sparse) = (vec![0.0], Vec::new());
        schema
            .encode_bound(&binding, &read(&views, &[0, 1]), &mut dense, &mut sparse)
            .expect("a row that fits");
        dense[0]
    };
    assert_eq!((encoded("clicks@1"), encoded("clicks@2")), (1.0, 3.0));
}

#[test]
fn a_definition_means_the_same_alone_and_among_its_other_versions() {
    let definitions = [
        counts(HOUR),
        counts(DAY),
        Definition::Field(FieldRef::Item("category".into())),
        Definition::Aggregate(aggregate(&[Part::User], Aggregate::Last(Attribute::Item), &[], None, None)),
        Definition::Aggregate(aggregate(&[Part::Item], Aggregate::Count, &["click"], Some(DAY), Some(HOUR))),
        Definition::Aggregate(aggregate(
            &[Part::Item],
            Aggregate::Quantile(0.5),
            &["click"],
            Some(DAY),
            None,
        )),
    ];
    let specs: Vec<FeatureSpec> =
        (1..).zip(definitions).map(|(number, definition)| version(number, definition)).collect();
    let together = read(&live(&specs), &columns(&specs));
    for (spec, among) in specs.iter().zip(&together) {
        let alone = read(&live(std::slice::from_ref(spec)), &[0]);
        assert_eq!(&alone[0], among, "{spec:?}");
        assert!(*among != FeatureValue::Missing, "{spec:?}");
    }
}

/// An edit under the same version never happens; if it did, a checkpoint of the other definition would not be used.
#[test]
fn a_checkpoint_is_used_under_the_same_definitions_only() {
    let plan =
        |specs: &[FeatureSpec]| Plan::new(specs, &schema()).expect("features that compile").fingerprint();
    let first = [version(1, counts(HOUR))];
    for other in [vec![version(1, counts(DAY))], vec![version(2, counts(HOUR))], Vec::new()] {
        assert_ne!(plan(&first), plan(&other));
        let mut bytes = Vec::new();
        live(&first).write_state(&mut bytes).expect("memory takes all");
        let told = Views::read_state(Arc::new(schema()), options(&other), &mut &bytes[..])
            .expect_err("another plan");
        assert!(told.to_string().contains("made under other settings"), "{told}");
        Views::read_state(Arc::new(schema()), options(&first), &mut &bytes[..]).expect("the same plan");
    }
}
