//! What the demo counts: clicks by arm and by time, latencies, and what was stale.

use std::time::Duration;

use crate::bench::latency::Latencies;

/// The two policies a user may be given; which one follows from a hash of their id and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// The same popular items for everybody, less what they had.
    Popularity,
    /// What the model makes of the user's own history, this second.
    Personal,
}

impl Arm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Popularity, Self::Personal];

    /// The arm of a user.
    pub fn of(user: &str) -> Self {
        if headwater_base::random::stable_hash(user).is_multiple_of(2) {
            Self::Popularity
        } else {
            Self::Personal
        }
    }

    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Popularity => "popularity",
            Self::Personal => "personal",
        }
    }

    /// The surface that answers its users.
    pub fn surface(self) -> &'static str {
        match self {
            Self::Popularity => "popular",
            Self::Personal => "home",
        }
    }
}

/// Items shown and clicked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clicks {
    /// Items shown.
    pub shown: u64,
    /// Of these, clicked.
    pub clicked: u64,
}

impl Clicks {
    /// Clicked of shown; 0 where nothing was shown.
    pub fn rate(self) -> f64 {
        self.clicked as f64 / (self.shown as f64).max(1.0)
    }

    /// Half the width of the 95 % interval of the rate, taking clicks for independent.
    pub fn margin(self) -> f64 {
        let rate = self.rate();
        1.96 * (rate * (1.0 - rate) / (self.shown as f64).max(1.0)).sqrt()
    }

    fn add(&mut self, shown: usize, clicked: usize) {
        self.shown += shown as u64;
        self.clicked += clicked as u64;
    }
}

/// Latencies and counts of a stretch of time.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    /// Events acknowledged.
    pub events: u64,
    /// Answers received.
    pub answers: u64,
    /// How long answers took.
    pub answer: Latencies,
    /// From an event's acknowledgement to an answer that knows it.
    pub lag: Latencies,
}

/// Everything counted in a run.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Since the start.
    pub total: Stretch,
    /// Since the screen was last drawn.
    pub recent: Stretch,
    /// Answers that did not know an acknowledged event.
    pub stale: u64,
    /// Before and after the shift, by arm in the order of [`Arm::ALL`].
    phases: [[Clicks; 2]; 2],
    /// By slices of equal length.
    slices: [Vec<Clicks>; 2],
    shifted: bool,
    slice: Duration,
}

impl Tally {
    /// Click rates are also kept by slices of this length.
    pub fn new(slice: Duration) -> Self {
        Self {
            total: Stretch::default(),
            recent: Stretch::default(),
            stale: 0,
            phases: Default::default(),
            slices: Default::default(),
            shifted: false,
            slice: slice.max(Duration::from_millis(1)),
        }
    }

    /// From now on it is after the shift.
    pub fn shift(&mut self) {
        self.shifted = true;
    }

    /// Whether it is after the shift.
    pub fn shifted(&self) -> bool {
        self.shifted
    }

    /// Counts acknowledged events.
    pub fn events(&mut self, count: usize) {
        self.total.events += count as u64;
        self.recent.events += count as u64;
    }

    /// Counts an answer.
    pub fn answer(&mut self, took: Duration) {
        for stretch in [&mut self.total, &mut self.recent] {
            stretch.answers += 1;
            stretch.answer.record(took);
        }
    }

    /// Counts the first answer after an event that knows it.
    pub fn lag(&mut self, took: Duration) {
        self.total.lag.record(took);
        self.recent.lag.record(took);
    }

    /// Counts a page at a moment since the start.
    pub fn page(&mut self, arm: Arm, at: Duration, shown: usize, clicked: usize) {
        let arm = arm as usize;
        self.phases[usize::from(self.shifted)][arm].add(shown, clicked);
        let slice = (at.as_nanos() / self.slice.as_nanos()) as usize;
        let slices = &mut self.slices[arm];
        if slices.len() <= slice {
            slices.resize(slice + 1, Clicks::default());
        }
        slices[slice].add(shown, clicked);
    }

    /// Clicks of an arm before or after the shift.
    pub fn clicks(&self, arm: Arm, after: bool) -> Clicks {
        self.phases[usize::from(after)][arm as usize]
    }

    /// Click rates of an arm, slice by slice.
    pub fn rates(&self, arm: Arm) -> Vec<f64> {
        self.slices[arm as usize].iter().map(|clicks| clicks.rate()).collect()
    }

    /// Takes what was counted since the last call.
    pub fn take_recent(&mut self) -> Stretch {
        std::mem::take(&mut self.recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_are_sticky_and_about_even() {
        let personal = (0..2_000).filter(|user| Arm::of(&format!("user-{user}")) == Arm::Personal).count();
        assert!((900..1_100).contains(&personal), "{personal}");
        assert_eq!(Arm::of("user-17"), Arm::of("user-17"));
    }

    #[test]
    fn pages_count_by_arm_phase_and_slice() {
        let mut tally = Tally::new(Duration::from_secs(2));
        tally.page(Arm::Personal, Duration::from_secs(1), 10, 3);
        tally.page(Arm::Popularity, Duration::from_secs(1), 10, 1);
        tally.shift();
        tally.page(Arm::Personal, Duration::from_secs(5), 10, 2);
        assert_eq!(tally.clicks(Arm::Personal, false), Clicks { shown: 10, clicked: 3 });
        assert_eq!(tally.clicks(Arm::Personal, true).rate(), 0.2);
        assert_eq!(tally.rates(Arm::Personal), [0.3, 0.0, 0.2]);
        assert_eq!(tally.rates(Arm::Popularity), [0.1]);
        assert!(tally.clicks(Arm::Popularity, true).rate().abs() < f64::EPSILON);
    }

    #[test]
    fn recent_figures_start_anew_and_totals_do_not() {
        let mut tally = Tally::new(Duration::from_secs(1));
        tally.answer(Duration::from_millis(2));
        tally.events(3);
        assert_eq!(tally.take_recent().answers, 1);
        tally.answer(Duration::from_millis(2));
        assert_eq!((tally.take_recent().answers, tally.total.answers, tally.total.events), (1, 2, 3));
    }
}
