//! A slice held out of training data, for what a training chooses by itself.
//!
//! By time where there is time: the last tenth. Else the last interaction of each user where the order is theirs, and a seeded
//! tenth of each user's items where it is not.

use hashbrown::HashSet;
use headwater_base::random::seeded;
use headwater_models::Past;
use rand::seq::index::sample;

use super::split::{Case, Entry, Split};

/// The share that is trained on where there is time.
const CUT: f64 = 0.9;

impl Split {
    /// The same items and users, with a slice of the training data as the cases; nothing else is looked at.
    #[must_use]
    pub fn hold_out(&self, seed: u64) -> Self {
        let by_time = self.timed.then(|| self.without(&self.latest()));
        // Where users came one after another, the latest have no past.
        by_time
            .filter(|slice| !slice.cases.is_empty())
            .unwrap_or_else(|| self.without(&self.some_of_each_user(seed)))
    }

    /// What is held out as the cases, the rest as the training data.
    fn without(&self, held_out: &[bool]) -> Self {
        let now =
            self.entries.iter().zip(held_out).filter(|(_, out)| !**out).map(|(entry, _)| entry.time).max();
        let now = now.unwrap_or(self.now);
        let mut cases = vec![Case { history: Vec::new(), relevant: Vec::new() }; self.users];
        for (entry, out) in self.entries.iter().zip(held_out) {
            let case = &mut cases[entry.user as usize];
            if *out {
                case.relevant.push(entry.item);
            } else {
                let age = if self.timed { now.seconds_since(entry.time).max(0.0) as f32 } else { 0.0 };
                case.history.push(Past { row: entry.item, weight: entry.weight, age });
            }
        }
        for case in &mut cases {
            if !self.repeats {
                let seen: HashSet<u32> = case.history.iter().map(|past| past.row).collect();
                case.relevant.retain(|row| !seen.contains(row));
            }
            case.relevant.sort_unstable();
            case.relevant.dedup();
        }
        cases.retain(|case| !case.relevant.is_empty() && !case.history.is_empty());
        let entries = self.entries.iter().zip(held_out).filter(|(_, out)| !**out).map(|(entry, _)| *entry);
        Self { entries: entries.collect(), cases, cold: Vec::new(), now, ..self.without_cases() }
    }

    /// The same items and users, with nothing that was done.
    pub(crate) fn without_cases(&self) -> Self {
        Self {
            items: self.items.clone(),
            by_id: self.by_id.clone(),
            fields: self.fields.clone(),
            entries: Vec::new(),
            cases: Vec::new(),
            cold: Vec::new(),
            ..*self
        }
    }

    /// The last entries by time.
    fn latest(&self) -> Vec<bool> {
        let mut times: Vec<_> = self.entries.iter().map(|entry| entry.time).collect();
        times.sort_unstable();
        let Some(cut) = times.get((times.len() as f64 * CUT) as usize) else { return Vec::new() };
        self.entries.iter().map(|entry| entry.time >= *cut).collect()
    }

    /// A tenth of each user's items, drawn, where users are judged on many; else the last entry of each.
    fn some_of_each_user(&self, seed: u64) -> Vec<bool> {
        let mut of_user: Vec<Vec<usize>> = vec![Vec::new(); self.users];
        for (place, entry) in self.entries.iter().enumerate() {
            of_user[entry.user as usize].push(place);
        }
        let mut random = seeded(seed, "blend");
        let mut held_out = vec![false; self.entries.len()];
        for places in of_user {
            if self.protocol == "given" {
                let mut items: Vec<u32> = places.iter().map(|place| self.entries[*place].item).collect();
                items.sort_unstable();
                items.dedup();
                if items.len() < 2 {
                    continue;
                }
                let count = ((items.len() + 5) / 10).max(1);
                let drawn: HashSet<u32> =
                    sample(&mut random, items.len(), count).into_iter().map(|index| items[index]).collect();
                for place in places {
                    let Entry { item, .. } = self.entries[place];
                    held_out[place] = drawn.contains(&item);
                }
            } else if let [_, .., last] = places.as_slice() {
                held_out[*last] = true;
            }
        }
        held_out
    }
}

#[cfg(test)]
mod tests {
    use crate::dataset::{Dataset, Stage};
    use crate::train::tests::{event, ok, schema, two_tastes};

    #[test]
    fn the_last_tenth_is_held_out_by_time() {
        let split = two_tastes().split(Stage::Test).unwrap();
        let inner = split.hold_out(1);
        assert_eq!(inner.entries.len(), split.entries.len() * 9 / 10);
        let last = inner.entries.iter().map(|entry| entry.time).max().unwrap();
        assert!(inner.now == last && inner.now < split.now);
        assert_eq!((inner.items.len(), inner.users), (split.items.len(), split.users));
        assert!(!inner.cases.is_empty());
        for case in &inner.cases {
            let seen: Vec<u32> = case.history.iter().map(|past| past.row).collect();
            assert!(case.relevant.iter().all(|row| !seen.contains(row)));
        }
    }

    #[test]
    fn where_users_came_one_after_another_the_last_of_each_is_held_out() {
        let events: Vec<_> = (0..60)
            .map(|number| {
                event(
                    number,
                    number as i64,
                    &format!("u{}", number / 6),
                    "click",
                    &format!("i{}", number % 7),
                )
            })
            .collect();
        let split = Dataset::from_events(&schema(), ok(&events)).unwrap().everything().unwrap();
        assert!(split.timed);
        let inner = split.hold_out(1);
        assert_eq!((inner.cases.len(), inner.entries.len()), (10, 50));
    }

    #[test]
    fn without_times_a_tenth_of_each_user_or_their_last_is() {
        let events: Vec<_> = (0..60)
            .map(|number| {
                event(number, number as i64, &format!("u{}", number % 3), "click", &format!("i{number}"))
            })
            .collect();
        let mut split = Dataset::from_events(&schema(), ok(&events)).unwrap().everything().unwrap();
        split.timed = false;
        split.protocol = "given";
        let inner = split.hold_out(1);
        assert_eq!(inner.cases.iter().map(|case| case.relevant.len()).collect::<Vec<_>>(), [2, 2, 2]);
        assert_ne!(inner.cases, split.hold_out(2).cases);
        assert_eq!(inner.cases, split.hold_out(1).cases);
        split.protocol = "leave-one-out";
        let inner = split.hold_out(1);
        let last = |user: u32| split.entries.iter().rev().find(|entry| entry.user == user).unwrap().item;
        for (user, case) in (0..).zip(&inner.cases) {
            assert_eq!(case.relevant, [last(user)]);
            assert_eq!(case.history.len(), 19);
        }
    }
}
