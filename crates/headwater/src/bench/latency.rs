//! Latencies in logarithmic buckets: bounded memory, exact counts, quantiles at most 1.6 % too high.

use std::time::Duration;

/// Each power of two is cut into this many buckets.
const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Buckets up to 2^40 ns, about 18 minutes; what takes longer is counted in the last one.
const BUCKETS: usize = (STEPS as usize) * (40 - STEP_BITS as usize + 1);

/// A histogram of durations, from one nanosecond to minutes.
///
/// A quantile is the upper edge of its bucket, so that it never flatters.
#[derive(Clone, Debug)]
pub struct Latencies {
    counts: Box<[u64]>,
    count: u64,
    total: Duration,
    longest: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS].into_boxed_slice(),
            count: 0,
            total: Duration::ZERO,
            longest: Duration::ZERO,
        }
    }
}

impl Latencies {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.count += 1;
        self.total += duration;
        self.longest = self.longest.max(duration);
    }

    /// Adds what another histogram counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.count += other.count;
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest one, exactly.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// The mean, exactly; zero where nothing was counted.
    pub fn mean(&self) -> Duration {
        self.total.checked_div(u32::try_from(self.count).unwrap_or(u32::MAX)).unwrap_or_default()
    }

    /// The least duration that `share` (0 to 1) of the counted ones do not exceed; zero where nothing was counted.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = ((share.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper_edge(index)).min(self.longest);
            }
        }
        Duration::ZERO
    }

    /// [`Latencies::quantile`] in milliseconds.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        self.quantile(share).as_secs_f64() * 1e3
    }
}

/// Values below [`STEPS`] have a bucket each; above, a bucket is a 64th of its power of two.
fn bucket(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - STEP_BITS;
    let within = (nanos >> shift) - STEPS;
    (((u64::from(shift) + 1) * STEPS + within) as usize).min(BUCKETS - 1)
}

fn upper_edge(index: usize) -> u64 {
    let (shift, within) = (index as u64 / STEPS, index as u64 % STEPS);
    match shift {
        0 => within,
        shift => ((STEPS + within + 1) << (shift - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use headwater_base::random::seeded;
    use rand::RngExt as _;

    use super::*;

    fn exact(sorted: &[u64], share: f64) -> u64 {
        sorted[((share * sorted.len() as f64).ceil() as usize).max(1) - 1]
    }

    #[test]
    fn quantiles_are_the_exact_ones_rounded_up_by_less_than_two_percent() {
        let mut random = seeded(3, "latency");
        let mut nanos: Vec<u64> = (0..20_000)
            .map(|_| (1_000.0 * (random.random::<f64>() * 16.0).exp()) as u64)
            .chain(0..200)
            .collect();
        let mut latencies = Latencies::default();
        for value in &nanos {
            latencies.record(Duration::from_nanos(*value));
        }
        nanos.sort_unstable();
        for share in [0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let (ours, exact) = (latencies.quantile(share).as_nanos() as u64, exact(&nanos, share));
            assert!(
                ours >= exact && ours as f64 <= exact as f64 * 1.016 + 1.0,
                "{share}: {ours} for {exact}"
            );
        }
        assert_eq!(latencies.longest().as_nanos() as u64, *nanos.last().unwrap());
        let mean = nanos.iter().sum::<u64>() / nanos.len() as u64;
        assert!((latencies.mean().as_nanos() as u64).abs_diff(mean) <= 1);
    }

    #[test]
    fn merging_equals_recording_together() {
        let (mut one, mut other, mut both) =
            (Latencies::default(), Latencies::default(), Latencies::default());
        for value in 1..1_000_u64 {
            let duration = Duration::from_micros(value * value);
            if value % 3 == 0 { &mut one } else { &mut other }.record(duration);
            both.record(duration);
        }
        one.merge(&other);
        assert_eq!(one.counts, both.counts);
        assert_eq!((one.count(), one.longest(), one.mean()), (both.count(), both.longest(), both.mean()));
    }

    #[test]
    fn nothing_recorded_is_zero_and_hours_do_not_overflow() {
        let mut latencies = Latencies::default();
        assert_eq!((latencies.quantile(0.99), latencies.mean()), (Duration::ZERO, Duration::ZERO));
        latencies.record(Duration::from_secs(7_200));
        assert_eq!(latencies.count(), 1);
        assert!(latencies.quantile(0.5) > Duration::from_secs(600));
    }

    #[test]
    fn buckets_are_contiguous() {
        for nanos in (0..4_096).chain([1 << 20, (1 << 20) + 1, (1 << 39) + 12_345]) {
            let index = bucket(nanos);
            assert!(nanos <= upper_edge(index), "{nanos}");
            assert!(index == 0 || nanos > upper_edge(index - 1), "{nanos}");
        }
    }
}
