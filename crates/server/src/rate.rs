//! Requests per key and second.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use parking_lot::RwLock;

/// One limiter per key. Keys are made by an operator, so there are few, and none is ever forgotten.
pub(crate) struct Rates {
    quota: Option<Quota>,
    clock: DefaultClock,
    limiters: RwLock<HashMap<String, Arc<DefaultDirectRateLimiter>>>,
}

impl Rates {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = NonZeroU32::new(per_second).map(|rate| Quota::per_second(rate).allow_burst(burst));
        Self { quota, clock: DefaultClock::default(), limiters: RwLock::default() }
    }

    /// Counts a request of `key`; where its rate is used up, the whole seconds until one is free, at least 1.
    pub(crate) fn take(&self, key: &str) -> Result<(), u64> {
        let Some(quota) = self.quota else { return Ok(()) };
        let known = self.limiters.read().get(key).cloned();
        let limiter = known.unwrap_or_else(|| {
            let mut limiters = self.limiters.write();
            Arc::clone(limiters.entry(key.to_owned()).or_insert_with(|| Arc::new(RateLimiter::direct(quota))))
        });
        limiter.check().map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_rate() {
        let rates = Rates::new(1, 2);
        assert_eq!((rates.take("a"), rates.take("a")), (Ok(()), Ok(())));
        assert_eq!(rates.take("a"), Err(1));
        assert_eq!(rates.take("b"), Ok(()));
        assert!((0..1000).all(|_| Rates::new(0, 1).take("a").is_ok()));
    }
}
