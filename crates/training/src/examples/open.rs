//! The decisions whose outcomes may still come, small enough to hold all of them: hashes instead of ids.

use std::collections::VecDeque;
use std::time::Duration;

use compact_str::CompactString;
use hashbrown::HashMap;
use headwater_base::{Actor, Decision, Interaction, ItemId, RequestId, SessionId, Timestamp, UserId};
use headwater_log::Offset;
use xxhash_rust::xxh3::xxh3_64;

/// An outcome of an open decision.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrived {
    pub(super) item: ItemId,
    pub(super) kind: CompactString,
    pub(super) time: Timestamp,
    pub(super) value: Option<f32>,
}

/// What is kept of a decision until it closes.
pub(super) struct OpenDecision {
    pub(super) offset: Offset,
    pub(super) time: Timestamp,
    pub(super) received: Timestamp,
    pub(super) outcomes: Vec<Arrived>,
    /// Whether its user was deleted since.
    pub(super) erased: bool,
    request: u64,
    user: Option<u64>,
    session: Option<u64>,
    items: Box<[u64]>,
}

/// An interaction with the moment at which it came, and which decisions wait for it.
pub(super) struct Arriving<'a> {
    pub(super) interaction: &'a Interaction,
    pub(super) time: Timestamp,
    /// Decisions received before this no longer wait.
    pub(super) horizon: Timestamp,
    pub(super) window: Duration,
}

/// What became of an interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An outcome of the decision it names.
    ByRequest,
    /// An outcome of the latest decision that showed the item to the same user or session.
    ByActor,
    /// An outcome that was there already, of an interaction of the same type.
    Repeated,
    /// No outcome of any open decision.
    Nothing,
}

/// Open decisions in the order of the stream, found by request id, user and session.
#[derive(Default)]
pub(super) struct OpenDecisions {
    decisions: VecDeque<OpenDecision>,
    by_request: HashMap<u64, Offset>,
    by_user: HashMap<u64, VecDeque<Offset>>,
    by_session: HashMap<u64, VecDeque<Offset>>,
    /// The sessions that became a user's, with when; as old as open decisions at most.
    merged: HashMap<u64, VecDeque<(Timestamp, u64)>>,
    /// When, and whose session; in order.
    merges: VecDeque<(Timestamp, u64)>,
}

impl OpenDecisions {
    pub(super) fn len(&self) -> usize {
        self.decisions.len()
    }

    /// Opens the decision at `offset`, which is higher than any before.
    pub(super) fn open(&mut self, offset: Offset, time: Timestamp, received: Timestamp, decision: &Decision) {
        let (user, session) = hashes(&decision.actor);
        let request = of_request(&decision.request_id);
        self.by_request.insert(request, offset);
        if let Some(user) = user {
            self.by_user.entry(user).or_default().push_back(offset);
        }
        if let Some(session) = session {
            self.by_session.entry(session).or_default().push_back(offset);
        }
        self.decisions.push_back(OpenDecision {
            offset,
            time,
            received,
            outcomes: Vec::new(),
            erased: false,
            request,
            user,
            session,
            items: decision.items.iter().map(|shown| of_item(&shown.item)).collect(),
        });
    }

    /// How many were received at or after `horizon`.
    pub(super) fn received_from(&self, horizon: Timestamp) -> usize {
        self.decisions.len() - self.decisions.partition_point(|decision| decision.received < horizon)
    }

    /// Closes the oldest decision if it was received before `horizon`.
    pub(super) fn close(&mut self, horizon: Timestamp) -> Option<OpenDecision> {
        while let Some((_, user)) = self.merges.pop_front_if(|(received, _)| *received < horizon) {
            if let Some(sessions) = self.merged.get_mut(&user) {
                sessions.pop_front();
                if sessions.is_empty() {
                    self.merged.remove(&user);
                }
            }
        }
        if self.decisions.front()?.received >= horizon {
            return None;
        }
        let closed = self.decisions.pop_front()?;
        if self.by_request.get(&closed.request) == Some(&closed.offset) {
            self.by_request.remove(&closed.request);
        }
        for (lists, key) in [(&mut self.by_user, closed.user), (&mut self.by_session, closed.session)] {
            if let Some(key) = key
                && let Some(list) = lists.get_mut(&key)
            {
                list.pop_front();
                if list.is_empty() {
                    lists.remove(&key);
                }
            }
        }
        Some(closed)
    }

    /// From now on, what was shown to `session` was shown to `user`.
    pub(super) fn merge(&mut self, received: Timestamp, session: &SessionId, user: &UserId) {
        let (session, user) = (of_session(session), of_user(user));
        self.merges.push_back((received, user));
        self.merged.entry(user).or_default().push_back((received, session));
    }

    /// Forgets what came of the decisions for `user`; they close as erased.
    pub(super) fn erase(&mut self, user: &UserId) {
        let user = of_user(user);
        let merged = self.merged.get(&user).into_iter().flatten();
        let of_merged = merged.filter_map(|(_, session)| self.by_session.get(session));
        let lists = self.by_user.get(&user).into_iter().chain(of_merged);
        let offsets: Vec<Offset> = lists.flatten().copied().collect();
        for offset in offsets {
            if let Some(decision) = self.at_mut(offset).filter(|decision| of_same(decision, Some(user))) {
                decision.erased = true;
                decision.outcomes = Vec::new();
            }
        }
    }

    /// Gives an interaction to the decision that it is an outcome of.
    pub(super) fn take(&mut self, arriving: &Arriving<'_>) -> Found {
        let interaction = arriving.interaction;
        let (offset, found) = match &interaction.request_id {
            Some(request_id) => {
                let offset = self.by_request.get(&of_request(request_id)).copied();
                (offset.filter(|offset| self.is_outcome(*offset, arriving)), Found::ByRequest)
            }
            None => (self.latest(arriving), Found::ByActor),
        };
        let Some(decision) = offset.and_then(|offset| self.at_mut(offset)) else {
            return Found::Nothing;
        };
        let same =
            |arrived: &&mut Arrived| arrived.kind == interaction.kind && arrived.item == interaction.item;
        match decision.outcomes.iter_mut().find(same) {
            Some(first) => {
                if arriving.time < first.time {
                    first.time = arriving.time;
                    first.value = interaction.value;
                }
                Found::Repeated
            }
            None => {
                decision.outcomes.push(Arrived {
                    item: interaction.item.clone(),
                    kind: interaction.kind.clone(),
                    time: arriving.time,
                    value: interaction.value,
                });
                found
            }
        }
    }

    /// The latest decision that showed the item to the same user or session, and of which this is an outcome.
    fn latest(&self, arriving: &Arriving<'_>) -> Option<Offset> {
        let (user, session) = hashes(&arriving.interaction.actor);
        let of_user = user.and_then(|user| self.by_user.get(&user));
        let of_session = session.and_then(|session| self.by_session.get(&session));
        let merged = user.and_then(|user| self.merged.get(&user)).into_iter().flatten();
        let of_merged = merged
            .filter(|(received, _)| *received >= arriving.horizon)
            .filter_map(|(_, session)| self.by_session.get(session));
        let lists = of_user.into_iter().chain(of_session).chain(of_merged);
        lists
            .filter_map(|list| {
                list.iter().rev().copied().find(|offset| {
                    self.is_outcome(*offset, arriving)
                        && self.at(*offset).is_some_and(|decision| of_same(decision, user))
                })
            })
            .max()
    }

    /// Whether the interaction happened to a shown item within the window, and came in time. It was received after the
    /// decision, or this would not be open yet.
    fn is_outcome(&self, offset: Offset, arriving: &Arriving<'_>) -> bool {
        self.at(offset).is_some_and(|decision| {
            !decision.erased
                && decision.received >= arriving.horizon
                && arriving.time >= decision.time
                && arriving.time <= decision.time.plus(arriving.window)
                && decision.items.contains(&of_item(&arriving.interaction.item))
        })
    }

    fn place(&self, offset: Offset) -> Option<usize> {
        let place = self.decisions.partition_point(|decision| decision.offset < offset);
        self.decisions.get(place).filter(|decision| decision.offset == offset).map(|_| place)
    }

    fn at(&self, offset: Offset) -> Option<&OpenDecision> {
        self.place(offset).map(|place| &self.decisions[place])
    }

    fn at_mut(&mut self, offset: Offset) -> Option<&mut OpenDecision> {
        self.place(offset).map(|place| &mut self.decisions[place])
    }
}

/// A session may be shared; two known users are never the same.
fn of_same(decision: &OpenDecision, user: Option<u64>) -> bool {
    decision.user.is_none() || user.is_none() || decision.user == user
}

fn hashes(actor: &Actor) -> (Option<u64>, Option<u64>) {
    (actor.user.as_ref().map(of_user), actor.session.as_ref().map(of_session))
}

fn of_user(user: &UserId) -> u64 {
    xxh3_64(user.as_str().as_bytes())
}

fn of_session(session: &SessionId) -> u64 {
    xxh3_64(session.as_str().as_bytes())
}

fn of_request(request_id: &RequestId) -> u64 {
    xxh3_64(request_id.as_str().as_bytes())
}

fn of_item(item: &ItemId) -> u64 {
    xxh3_64(item.as_str().as_bytes())
}
