//! What has to hold once the killing is over, read from the files alone.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_base::{Event, Fact, RequestId};
use headwater_features::Views;
use headwater_log::{Batch, LogReader, Partition};
use serde_json::{Value, json};

use super::client::Sent;
use super::server::Site;

const WHOLE: usize = usize::MAX;

/// The log holds each acknowledged event once, as sent and in its client's order, and nothing that nobody sent.
pub(super) fn exactly_once(site: &Site, sent: &[Sent]) -> Vec<Event> {
    let events = read(site, "events");
    let mut offsets: HashMap<&str, usize> = HashMap::new();
    for (offset, event) in events.iter().enumerate() {
        let before = offsets.insert(event.id.as_str(), offset);
        assert_eq!(before, None, "{} is at offset {offset} again", event.id.as_str());
    }
    let mut named = 0;
    for client in sent {
        let mut last = None;
        for expected in &client.events {
            let id = expected["id"].as_str().expect("an id");
            let offset =
                *offsets.get(id).unwrap_or_else(|| panic!("{id} was acknowledged and is not in the log"));
            assert!(last < Some(offset), "{id} is before what its client sent earlier");
            last = Some(offset);
            assert_eq!(&words(&events[offset]), expected);
        }
        named += client.events.len();
    }
    let puts = events.iter().filter(|event| matches!(event.fact, Fact::ItemUpsert { .. })).count();
    let acknowledged_puts: usize = sent.iter().map(|client| client.puts).sum();
    // A put has no id of the client's: sent again after a kill, it is stored again.
    assert!(puts >= acknowledged_puts, "{puts} of {acknowledged_puts} puts");
    assert_eq!(events.len(), named + puts, "the log holds what nobody sent");
    // Otherwise this test would have tested nothing.
    assert!(named > 1_000 && acknowledged_puts > 100, "{named} events, {acknowledged_puts} puts");
    assert!(sent.iter().any(|client| client.duplicates > 0), "no kill came between storing and answering");
    events
}

/// Each answer that arrived can be explained.
pub(super) fn decisions_are_kept(site: &Site, sent: &[Sent]) {
    let decisions = read(site, "decisions");
    let kept: std::collections::HashSet<&str> =
        decisions.iter().map(|decision| request_id(decision).as_str()).collect();
    let answered: Vec<&String> = sent.iter().flat_map(|client| &client.decisions).collect();
    assert!(answered.len() > 50, "{} answers", answered.len());
    for request_id in answered {
        assert!(kept.contains(request_id.as_str()), "the decision {request_id} was answered and is lost");
    }
}

/// The newest checkpoint and the log behind it make the same state as the log alone.
pub(super) fn views_equal_a_replay(site: &Site, events: &[Event]) {
    let whole = state(&replayed(site, events, WHOLE));
    for batch in [1, 7, 1_000] {
        assert!(state(&replayed(site, events, batch)) == whole, "a replay in batches of {batch} differs");
    }
    let restored = restored(site);
    let position = restored.position().offset(Partition(0)) as usize;
    assert!(position > 0, "no checkpoint was usable");
    fold(&restored, &events[position..], position, WHOLE);
    assert!(state(&restored) == whole, "the checkpoint at {position} and the events behind it differ");
    // What was folded is not folded again.
    fold(&restored, events, 0, 500);
    assert!(state(&restored) == whole, "applying the log again changed the views");
}

/// Asked to stop, the server leaves a checkpoint that needs no replay.
pub(super) fn a_clean_stop_checkpoints_everything(site: &Site, events: &[Event]) {
    let (server, _) = site.start();
    assert!(server.stop(), "the server did not stop cleanly");
    let restored = restored(site);
    assert_eq!(restored.position().offset(Partition(0)), events.len() as u64);
    assert!(
        state(&restored) == state(&replayed(site, events, WHOLE)),
        "the last checkpoint differs from a replay"
    );
}

fn read(site: &Site, stream: &str) -> Vec<Event> {
    let reader = LogReader::open(&site.data.join(stream)).expect("the log opens");
    let mut events = Vec::new();
    loop {
        let batch = reader.read(events.len() as u64, 1_000).expect("the log reads");
        if batch.events.is_empty() {
            return events;
        }
        assert_eq!(batch.first, events.len() as u64, "offsets are dense");
        events.extend(batch.events.iter().cloned());
    }
}

fn request_id(decision: &Event) -> &RequestId {
    match &decision.fact {
        Fact::Decision(decision) => &decision.request_id,
        other => panic!("not a decision: {other:?}"),
    }
}

/// An event in the words of the client that sent it.
fn words(event: &Event) -> Value {
    let id = event.id.as_str();
    match &event.fact {
        Fact::Interaction(interaction) => {
            let mut words = json!({ "id": id, "type": interaction.kind, "item": interaction.item });
            if let Some(user) = &interaction.actor.user {
                words["user"] = json!(user);
            }
            if let Some(session) = &interaction.actor.session {
                words["session"] = json!(session);
            }
            words
        }
        Fact::Merge { session, user } => {
            json!({ "id": id, "type": "merge", "session": session, "user": user })
        }
        other => panic!("{id} became {other:?}"),
    }
}

fn replayed(site: &Site, events: &[Event], batch: usize) -> Views {
    let (schema, options) = site.views();
    let views = Views::new(schema, options);
    fold(&views, events, 0, batch);
    views
}

fn restored(site: &Site) -> Views {
    let (schema, options) = site.views();
    Views::open(&site.data.join("views"), schema, options).expect("the views open").0
}

fn fold(views: &Views, events: &[Event], first: usize, batch: usize) {
    let mut offset = first as u64;
    for piece in events.chunks(batch.min(events.len()).max(1)) {
        let piece = Batch { partition: Partition(0), first: offset, events: Arc::from(piece) };
        views.apply(&piece).expect("consecutive events");
        offset = piece.next();
    }
}

fn state(views: &Views) -> Vec<u8> {
    let mut bytes = Vec::new();
    views.write_state(&mut bytes).expect("writing to memory");
    bytes
}
