//! Who goes to the disk: nearly the least recently active.
//!
//! A hand goes round all entities in memory and takes those whose last event is older than most were when the round
//! began, found out from a sample. So choosing costs a few steps each time and no memory, and nobody waits for a list
//! of all to be sorted.

use super::{Cold, Spilled};
use crate::FeaturesError;
use crate::profiles::Profiles;
use crate::profiles::keyed::{Keyed, Place, SHARDS};
use crate::tables::Tables;

/// Entities that are moved at once.
const PIECE: usize = 64;
/// Entities of which the age is looked at as a round begins.
const SAMPLE: usize = 1024;
/// One in so many is taken in a round.
const SHARE: usize = 8;

/// Where the hand is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hand {
    kind: u8,
    shard: usize,
    slot: usize,
    /// Who received nothing after this is taken. A round begins with the sample.
    oldest: Option<i64>,
}

/// Entities that are on the disk by now, to be removed from memory.
#[derive(Debug, Default)]
pub(crate) struct Victims {
    users: Vec<Place>,
    sessions: Vec<Place>,
    rows: Vec<Place>,
    bytes: usize,
}

impl Victims {
    fn len(&self) -> usize {
        self.users.len() + self.sessions.len() + self.rows.len()
    }

    /// Removes them from memory, and says how many bytes that frees.
    pub(crate) fn leave(self, profiles: &mut Profiles, tables: &mut Tables) -> usize {
        self.users.into_iter().for_each(|place| drop(profiles.users.remove_at(place)));
        self.sessions.into_iter().for_each(|place| drop(profiles.sessions.remove_at(place)));
        self.rows.into_iter().for_each(|place| drop(tables.sessions.remove_at(place)));
        self.bytes
    }
}

/// Bytes of an entity in memory, about.
pub(crate) fn bytes_of<T: Spilled>(id: &str, state: &T) -> usize {
    Keyed::<T>::fixed_bytes(id) + state.heap_bytes()
}

/// Bytes of all entities in memory, about.
pub(crate) fn all_bytes(profiles: &Profiles, tables: &Tables) -> usize {
    fn of<T: Spilled>(keyed: &Keyed<T>) -> usize {
        keyed.iter().map(|(id, state)| bytes_of(id, state)).sum()
    }
    of(&profiles.users) + of(&profiles.sessions) + of(&tables.sessions)
}

impl Hand {
    /// Puts some of the oldest entities on the disk, of `bytes` bytes or until a piece is full; none where there is
    /// nobody.
    pub(crate) fn put_away(
        &mut self,
        (profiles, tables): (&Profiles, &Tables),
        cold: &Cold,
        bytes: usize,
    ) -> Result<Victims, FeaturesError> {
        let mut victims = Victims::default();
        let mut rounds = 0;
        while victims.bytes < bytes && victims.len() < PIECE {
            let Some(oldest) = self.oldest else {
                // Those of this round are still in memory: another would take them again.
                if victims.len() > 0 || rounds == 2 {
                    break;
                }
                rounds += 1;
                *self = Self { oldest: Some(old(profiles, tables)), ..Self::default() };
                continue;
            };
            let at = (&mut self.shard, &mut self.slot);
            let more = match self.kind {
                0 => step(&profiles.users, at, oldest, cold, (&mut victims.users, &mut victims.bytes))?,
                1 => step(&profiles.sessions, at, oldest, cold, (&mut victims.sessions, &mut victims.bytes))?,
                _ => step(&tables.sessions, at, oldest, cold, (&mut victims.rows, &mut victims.bytes))?,
            };
            if !more {
                let kind = self.kind + 1;
                *self = if usize::from(kind) < super::KINDS {
                    Self { kind, shard: 0, slot: 0, ..*self }
                } else {
                    Self::default()
                };
            }
        }
        Ok(victims)
    }
}

/// Goes on to the next entity that is old enough, and puts it on the disk; false when there is none left.
fn step<T: Spilled>(
    keyed: &Keyed<T>,
    (shard, slot): (&mut usize, &mut usize),
    oldest: i64,
    cold: &Cold,
    (victims, bytes): (&mut Vec<Place>, &mut usize),
) -> Result<bool, FeaturesError> {
    while *shard < SHARDS {
        while *slot < keyed.slots(*shard) {
            let place = Place { shard: *shard as u32, slot: *slot as u32 };
            *slot += 1;
            if let Some((id, state)) = keyed.at(place)
                && state.stamp() <= oldest
            {
                cold.put(id, state)?;
                victims.push(place);
                *bytes += bytes_of(id, state);
                return Ok(true);
            }
        }
        (*shard, *slot) = (*shard + 1, 0);
    }
    Ok(false)
}

/// The stamp below which about one in [`SHARE`] is.
fn old(profiles: &Profiles, tables: &Tables) -> i64 {
    let all = profiles.users.len() + profiles.sessions.len() + tables.sessions.len();
    let stride = all / SAMPLE + 1;
    let mut stamps = Vec::with_capacity(2 * SAMPLE);
    sample(&profiles.users, stride, &mut stamps);
    sample(&profiles.sessions, stride, &mut stamps);
    sample(&tables.sessions, stride, &mut stamps);
    let place = stamps.len() / SHARE;
    if stamps.is_empty() { i64::MIN } else { *stamps.select_nth_unstable(place).1 }
}

fn sample<T: Spilled>(keyed: &Keyed<T>, stride: usize, stamps: &mut Vec<i64>) {
    stamps.extend(keyed.iter().step_by(stride).map(|(_, state)| state.stamp()));
}

/// Puts entities away until `hot`, the bytes in memory, is within the limit, with some room besides.
pub(crate) fn make_room(
    (profiles, tables): (&mut Profiles, &mut Tables),
    cold: &mut Cold,
    hand: &mut Hand,
    hot: &mut usize,
    limit: usize,
) -> Result<(), FeaturesError> {
    if *hot <= limit {
        return Ok(());
    }
    cold.open()?;
    while *hot > limit - limit / 16 {
        let victims = hand.put_away((profiles, tables), cold, usize::MAX)?;
        if victims.len() == 0 {
            break;
        }
        *hot = hot.saturating_sub(victims.leave(profiles, tables));
    }
    Ok(())
}
