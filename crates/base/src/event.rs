//! Events: the immutable facts everything else is derived from.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{EventId, Fields, ItemId, LoggedFeatures, RequestId, SessionId, Timestamp, UserId};

/// A fact, with the two times that matter: when it happened and when it was received.
///
/// Views move in receive order; the event time only chooses where in a window the fact counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The sender's id, or a generated one; appends are idempotent by it.
    pub id: EventId,
    /// When it happened, by the sender's clock.
    pub time: Timestamp,
    /// When the server took it.
    pub received: Timestamp,
    /// What happened.
    pub fact: Fact,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// Somebody did something to an item.
    Interaction(Interaction),
    /// An item exists with these fields.
    ItemUpsert {
        /// Which item.
        item: ItemId,
        /// Its fields: all of them, or the changed ones where `patch`.
        fields: Fields,
        /// Fields a patch takes away.
        removed: Vec<CompactString>,
        /// Whether it may be recommended; `None` keeps what is (true for a new item, and for a replaced one).
        available: Option<bool>,
        /// Keep the fields not named here.
        patch: bool,
    },
    /// An item is gone and is no longer recommended.
    ItemDelete {
        /// Which item.
        item: ItemId,
    },
    /// A user has these fields.
    UserUpsert {
        /// Which user.
        user: UserId,
        /// Their fields: all of them, or the changed ones where `patch`.
        fields: Fields,
        /// Fields a patch takes away.
        removed: Vec<CompactString>,
        /// Keep the fields not named here.
        patch: bool,
    },
    /// A user is gone, with their profile.
    UserDelete {
        /// Which user.
        user: UserId,
    },
    /// A session turned out to be a user's: its history is theirs, and so is what the session still does.
    Merge {
        /// The anonymous session.
        session: SessionId,
        /// The user it belongs to.
        user: UserId,
    },
    /// What was recommended; lives in the decision stream.
    Decision(Box<Decision>),
    /// What remains of an erased record, so that offsets stay.
    Erased,
}

/// A user or a session did something of a declared type to an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Interaction {
    /// The declared interaction type: `click`, `purchase`.
    pub kind: CompactString,
    /// Who.
    pub actor: Actor,
    /// To what.
    pub item: ItemId,
    /// How much: a rating, an amount, seconds watched.
    pub value: Option<f32>,
    /// The decision that showed the item, where the sender says so.
    pub request_id: Option<RequestId>,
    /// What was true of the moment.
    pub context: Fields,
}

/// Who acts or asks: a user, an anonymous session, or a user within a session. At least one is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// The known user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The visit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

impl Actor {
    /// A known user outside any session.
    pub fn user(user: UserId) -> Self {
        Self { user: Some(user), session: None }
    }

    /// An anonymous session.
    pub fn session(session: SessionId) -> Self {
        Self { user: None, session: Some(session) }
    }
}

/// What was recommended to whom, and everything needed to say why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The id the answer carried.
    pub request_id: RequestId,
    /// The surface that asked.
    pub surface: CompactString,
    /// For whom.
    pub actor: Actor,
    /// The item the request was about, on surfaces such as `similar`.
    pub item: Option<ItemId>,
    /// What was true of the moment.
    pub context: Fields,
    /// Offset of the views the request saw, one per partition of the event log.
    pub position: Vec<u64>,
    /// The model that answered, as `name@version`; empty where no model took part.
    pub model: CompactString,
    /// Hash of the effective settings.
    pub settings: u64,
    /// Experiment and arm, for each experiment the request took part in.
    pub arms: Vec<(CompactString, CompactString)>,
    /// Seed of every random choice made for this request.
    pub seed: u64,
    /// The rung of the fallback ladder that answered.
    pub rung: Rung,
    /// What was shown, in order.
    pub items: Vec<Shown>,
    /// What each stage did: candidates in and out, and why it was skipped if it was.
    pub stages: Vec<Stage>,
    /// The features of the shown items, for the sampled share of requests. They were read at `position`.
    pub features: Option<Box<LoggedFeatures>>,
}

/// One shown item.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Which item.
    pub item: ItemId,
    /// The score it was ranked by.
    pub score: f32,
    /// The source that brought it.
    pub source: CompactString,
    /// Probability that the policy shows this item at this position; 1 for a deterministic one.
    pub propensity: f32,
}

/// What one stage of the pipeline did for one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The stage's name: `source:ials`, `filter:seen`.
    pub name: CompactString,
    /// Candidates that entered.
    pub entered: u32,
    /// Candidates that left.
    pub left: u32,
    /// Why it was skipped or failed; empty when it ran.
    pub skipped: CompactString,
}

/// A rung of the fallback ladder, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// From a model of the user's own taste.
    Personal,
    /// From neighbours of what the user touched last.
    Neighbours,
    /// From what moves now.
    Trending,
    /// From what always works.
    Popular,
    /// Nothing could be recommended: the catalogue is empty or everything was filtered.
    Empty,
}

impl Rung {
    /// The name used on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Neighbours => "neighbours",
            Self::Trending => "trending",
            Self::Popular => "popular",
            Self::Empty => "empty",
        }
    }
}
