//! Every event round-trips; no bytes panic; what other versions wrote stays readable.

mod features;

use std::path::PathBuf;

use compact_str::CompactString;
use headwater_base::{
    Actor, Decision, Event, EventId, Fact, Fields, Interaction, ItemId, RequestId, Rung, SessionId, Shown,
    Stage, Timestamp, UserId, Value,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{CodecError, VERSION, decode, encode, peek, peek_request_id};

pub(crate) fn text() -> impl Strategy<Value = CompactString> {
    "\\PC{0,30}".prop_map(CompactString::from)
}

fn value() -> impl Strategy<Value = Value> {
    let finite = prop::num::f64::NORMAL | prop::num::f64::ZERO;
    prop_oneof![
        text().prop_map(Value::Categorical),
        finite.prop_map(Value::Numeric),
        vec(text(), 0..5).prop_map(Value::Tags),
        "\\PC{0,200}".prop_map(Value::Text),
        any::<i64>().prop_map(|micros| Value::Time(Timestamp::from_micros(micros))),
        vec(-1e6f32..1e6, 0..9).prop_map(Value::Vector),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    vec((text(), value()), 0..6).prop_map(Fields::new)
}

fn actor() -> impl Strategy<Value = Actor> {
    (option::of(text()), option::of(text())).prop_map(|(user, session)| Actor {
        user: user.map(UserId::trusted),
        session: session.map(SessionId::trusted),
    })
}

fn interaction() -> impl Strategy<Value = Fact> {
    (text(), actor(), text(), option::of(-1e9f32..1e9), option::of(text()), fields()).prop_map(
        |(kind, actor, item, value, request_id, context)| {
            Fact::Interaction(Interaction {
                kind,
                actor,
                item: ItemId::trusted(item),
                value,
                request_id: request_id.map(RequestId::trusted),
                context,
            })
        },
    )
}

fn shown() -> impl Strategy<Value = Shown> {
    (text(), -1e3f32..1e3, "ials|trending|popular|", 0f32..=1.0).prop_map(
        |(item, score, source, propensity)| Shown {
            item: ItemId::trusted(item),
            score,
            source: source.into(),
            propensity,
        },
    )
}

pub(crate) fn decision() -> impl Strategy<Value = Fact> {
    let rung = prop::sample::select(super::decision::RUNGS.to_vec());
    let stage = (text(), any::<u32>(), any::<u32>(), text())
        .prop_map(|(name, entered, left, skipped)| Stage { name, entered, left, skipped });
    let who = (text(), text(), actor(), option::of(text()), fields());
    let how =
        (vec(any::<u64>(), 0..3), text(), any::<u64>(), vec((text(), text()), 0..3), any::<u64>(), rung);
    let what = (vec(shown(), 0..12), vec(stage, 0..6), option::of(features::logged()));
    (who, how, what).prop_map(|(who, how, (items, stages, features))| {
        let (request_id, surface, actor, item, context) = who;
        let (position, model, settings, arms, seed, rung) = how;
        Fact::Decision(Box::new(Decision {
            request_id: RequestId::trusted(request_id),
            surface,
            actor,
            item: item.map(ItemId::trusted),
            context,
            position,
            model,
            settings,
            arms,
            seed,
            rung,
            items,
            stages,
            features: features.map(Box::new),
        }))
    })
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        interaction(),
        (text(), fields(), vec(text(), 0..3), option::of(any::<bool>()), any::<bool>()).prop_map(
            |(item, fields, removed, available, patch)| {
                Fact::ItemUpsert { item: ItemId::trusted(item), fields, removed, available, patch }
            }
        ),
        text().prop_map(|item| Fact::ItemDelete { item: ItemId::trusted(item) }),
        (text(), fields(), vec(text(), 0..3), any::<bool>()).prop_map(|(user, fields, removed, patch)| {
            Fact::UserUpsert { user: UserId::trusted(user), fields, removed, patch }
        }),
        text().prop_map(|user| Fact::UserDelete { user: UserId::trusted(user) }),
        (text(), text()).prop_map(|(session, user)| Fact::Merge {
            session: SessionId::trusted(session),
            user: UserId::trusted(user)
        }),
        decision(),
        Just(Fact::Erased),
    ]
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    (text(), any::<i64>(), any::<i64>(), fact()).prop_map(|(id, time, received, fact)| Event {
        id: EventId::trusted(id),
        time: Timestamp::from_micros(time),
        received: Timestamp::from_micros(received),
        fact,
    })
}

fn encoded(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(event, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn every_event_round_trips(event in event()) {
        let bytes = encoded(&event);
        let read = decode(&bytes).unwrap();
        prop_assert_eq!(encoded(&read), bytes.clone(), "also what == does not tell apart");
        prop_assert_eq!(read, event.clone());
        let head = peek(&bytes).unwrap();
        prop_assert_eq!((head.id, head.time, head.received), (event.id.as_str(), event.time, event.received));
        let request_id = match &event.fact {
            Fact::Decision(decision) => Some(decision.request_id.as_str()),
            _ => None,
        };
        prop_assert_eq!(peek_request_id(&bytes).unwrap(), request_id);
    }

    #[test]
    fn a_part_of_an_event_is_refused(event in event(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&event);
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert!(decode(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn no_bytes_panic(mut bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
        for version in 1..=VERSION {
            if let Some(first) = bytes.first_mut() {
                *first = version;
            }
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn no_flipped_byte_panics(event in event(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut bytes = encoded(&event);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let _ = decode(&bytes);
    }
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let mut bytes = encoded(&samples(VERSION)[0]);
    bytes[0] = VERSION + 1;
    assert_eq!(decode(&bytes), Err(CodecError::Newer { found: VERSION + 1 }));
    bytes[0] = 0;
    assert!(matches!(decode(&bytes), Err(CodecError::Malformed { .. })));
}

#[test]
fn a_count_larger_than_the_record_allocates_nothing() {
    let mut bytes = encoded(&Event { fact: Fact::Erased, ..samples(1)[0].clone() });
    bytes.pop();
    // An item upsert whose fields would be 2^62.
    bytes.extend_from_slice(&[2, 1, b'i', 0, 2]);
    bytes.extend_from_slice(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]);
    assert!(matches!(
        decode(&bytes),
        Err(CodecError::Malformed { reason: "a count larger than the record", .. })
    ));
}

#[test]
fn an_interaction_is_small() {
    assert!(encoded(&samples(VERSION)[0]).len() < 80, "{}", encoded(&samples(VERSION)[0]).len());
}

/// What the fixture of a version holds: what the one before holds, and what is new. Never changes.
pub(crate) fn samples(version: u8) -> Vec<Event> {
    let mut samples = first_samples();
    if version >= 2 {
        let mut event = samples[6].clone();
        if let Fact::Decision(decision) = &mut event.fact {
            decision.features = Some(Box::new(features::sample()));
        }
        samples.push(event);
    }
    samples
}

/// One event of each shape of version 1.
fn first_samples() -> Vec<Event> {
    let of = |fact| Event {
        id: EventId::trusted("e-1"),
        time: Timestamp::from_micros(1_764_000_000_123_456),
        received: Timestamp::from_micros(1_764_000_000_623_456),
        fact,
    };
    let fields = Fields::new([
        ("category".into(), Value::Categorical("shoes".into())),
        ("price".into(), Value::Numeric(59.9)),
        ("tags".into(), Value::Tags(vec!["red".into(), "schön".into()])),
        ("title".into(), Value::Text("Red shoes".into())),
        ("listed".into(), Value::Time(Timestamp::from_seconds(-5))),
        ("vector".into(), Value::Vector(vec![0.5, -1.25])),
    ]);
    let removed = vec!["old".into()];
    let (user, session, item) = (UserId::trusted("u1"), SessionId::trusted("s1"), ItemId::trusted("i42"));
    let actor = Actor { user: Some(user.clone()), session: Some(session.clone()) };
    let shown = |item: &str, source: &str| Shown {
        item: ItemId::trusted(item),
        score: 0.75,
        source: source.into(),
        propensity: 1.0,
    };
    vec![
        of(Fact::Interaction(Interaction {
            kind: "click".into(),
            actor: actor.clone(),
            item: item.clone(),
            value: Some(2.5),
            request_id: Some(RequestId::trusted("r7")),
            context: Fields::new([("device".into(), Value::Categorical("mobile".into()))]),
        })),
        of(Fact::ItemUpsert {
            item: item.clone(),
            fields: fields.clone(),
            removed: removed.clone(),
            available: Some(false),
            patch: true,
        }),
        of(Fact::ItemDelete { item: item.clone() }),
        of(Fact::UserUpsert { user: user.clone(), fields: fields.clone(), removed, patch: false }),
        of(Fact::UserDelete { user: user.clone() }),
        of(Fact::Merge { session, user }),
        of(Fact::Decision(Box::new(Decision {
            request_id: RequestId::trusted("r7"),
            surface: "home".into(),
            actor,
            item: Some(item),
            context: fields,
            position: vec![300],
            model: "ials@3".into(),
            settings: 0xfeed,
            arms: vec![("layout".into(), "b".into())],
            seed: 99,
            rung: Rung::Personal,
            items: vec![shown("i1", "ials"), shown("i2", "trending"), shown("i3", "ials")],
            stages: vec![Stage { name: "filter:seen".into(), entered: 500, left: 480, skipped: "".into() }],
            features: None,
        }))),
        of(Fact::Erased),
    ]
}

fn fixture(version: u8) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/events-{version}.bin"))
}

/// A fixture is the records of [`samples`], each after its length as a little-endian `u32`.
#[test]
fn every_version_ever_written_stays_readable() {
    for version in 1..=VERSION {
        let bytes = std::fs::read(fixture(version)).unwrap();
        let (mut rest, mut events) = (&bytes[..], Vec::new());
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let (record, after) = after.split_at(u32::from_le_bytes(*length) as usize);
            assert_eq!(record[0], version);
            events.push(decode(record).unwrap());
            rest = after;
        }
        assert_eq!(events, samples(version), "version {version}");
    }
}

/// The encoding of a version never changes; a new version finds no fixture and leaves one to commit.
#[test]
fn this_version_still_writes_its_fixture() {
    let mut bytes = Vec::new();
    for event in samples(VERSION) {
        let record = encoded(&event);
        bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&record);
    }
    let path = fixture(VERSION);
    if !path.exists() {
        std::fs::write(&path, &bytes).unwrap();
        panic!("wrote {}: look at it and commit it", path.display());
    }
    assert_eq!(std::fs::read(path).unwrap(), bytes);
}
