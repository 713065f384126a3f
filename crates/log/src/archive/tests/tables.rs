//! Every record comes back as it was, from any offset, in files of any size.

use std::sync::Arc;

use headwater_base::{Event, Fact, FeatureValue, LoggedFeatures, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::{ArchiveError, Stream};
use super::{Records, all, in_memory, open, read};
use crate::codec::tests::{decision, event, text};

fn feature() -> impl Strategy<Value = FeatureValue> {
    prop_oneof![
        Just(FeatureValue::Missing),
        any::<f32>().prop_map(FeatureValue::number),
        text().prop_map(FeatureValue::Word),
        vec(text(), 0..4).prop_map(|words| FeatureValue::Words(words.into())),
    ]
}

fn features() -> impl Strategy<Value = Option<Box<LoggedFeatures>>> {
    let rows = vec(vec(feature(), 0..5), 0..14);
    option::of((any::<u64>(), any::<i64>(), 0.01f32..=1.0, rows).prop_map(|(schema, time, share, rows)| {
        Box::new(LoggedFeatures { schema, time: Timestamp::from_micros(time), share, rows })
    }))
}

/// What the event log holds.
fn an_event() -> impl Strategy<Value = Event> {
    event().prop_map(|mut event| {
        if matches!(event.fact, Fact::Decision(_)) {
            event.fact = Fact::Erased;
        }
        event
    })
}

/// What the stream of decisions holds.
fn a_decision() -> impl Strategy<Value = Event> {
    (event(), decision(), features(), prop::bool::weighted(0.9)).prop_map(
        |(event, mut fact, features, keep)| {
            if let Fact::Decision(decision) = &mut fact {
                decision.features = features;
            }
            Event { fact: if keep { fact } else { Fact::Erased }, ..event }
        },
    )
}

fn comes_back(stream: Stream, events: Vec<Event>, rows: (usize, usize), cut: usize, from: usize) {
    let archive = in_memory(rows.0, rows.1);
    let before = Records::new(events[..cut].to_vec());
    let whole = Records::new(events);
    assert_eq!(all(&archive, stream, &before).position, cut as u64);
    assert_eq!(all(&archive, stream, &whole).records, (whole.events.len() - cut) as u64);
    let expected = whole.with_offsets();
    assert_eq!(read(&archive, stream, 0), expected);
    assert_eq!(read(&archive, stream, from as u64), expected[from..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn events_come_back(
        events in vec(an_event(), 1..40),
        rows in (8usize..50, 1usize..20),
        cut in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
    ) {
        let (cut, from) = (cut.index(events.len()), from.index(events.len()));
        comes_back(Stream::Events, events, rows, cut, from);
    }

    #[test]
    fn decisions_come_back(
        events in vec(a_decision(), 1..12),
        rows in (20usize..100, 1usize..40),
        cut in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
    ) {
        let (cut, from) = (cut.index(events.len()), from.index(events.len()));
        comes_back(Stream::Decisions, events, rows, cut, from);
    }
}

#[test]
fn what_has_no_place_in_a_table_is_refused_by_offset() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 10);
    let source = Records::new(crate::tests::events("e", 1));
    let refused = archive.archive(Stream::Decisions, super::P, &source, super::Until::Now, &mut |_, _| true);
    assert!(matches!(refused, Err(ArchiveError::Misplaced { offset: 0, stream: Stream::Decisions, .. })));
    assert_eq!(super::names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_number_that_is_none_stays_none() {
    // `FeatureValue::number` maps NaN to missing; a shown score may still be one.
    let archive = in_memory(10, 10);
    let words: Arc<[_]> = vec!["a".into()].into();
    let mut event = crate::tests::events("d", 1).remove(0);
    let mut decided = crate::codec::tests::samples(1).remove(6).fact;
    if let Fact::Decision(decision) = &mut decided {
        decision.items[0].score = f32::NAN;
        decision.features = Some(Box::new(LoggedFeatures {
            schema: u64::MAX,
            time: event.time,
            share: 0.5,
            rows: vec![vec![FeatureValue::Words(words)], vec![], vec![FeatureValue::Missing]],
        }));
    }
    event.fact = decided;
    all(&archive, Stream::Decisions, &Records::new(vec![event.clone()]));
    let back = read(&archive, Stream::Decisions, 0).remove(0).1;
    assert_eq!(format!("{back:?}"), format!("{event:?}"));
}
