//! Rate limits as token buckets: one bucket, and a set of them by routing key. No timer fills a bucket: each look first
//! adds what has flowed in since the last one. The 429 is left to `proxy.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::resilience_settings::{RateLimitSettings, TableResilience};
use crate::routing_table::RoutingTable;

/// What a bucket said. `retry_after_ms`: whole milliseconds after which one token will be there, if nobody takes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TakeResult {
    Taken,
    Empty { retry_after_ms: f64 },
}

/// Ten tenths of a token must make one, in floating point too.
const ROUNDING: f64 = 1e-9;

// #region token-bucket
/// Lets `burst` requests through at once and `rate_per_second` in the long run. A new bucket is full.
#[derive(Debug)]
pub struct TokenBucket {
    settings: RateLimitSettings,
    tokens: f64,
    filled_at_ms: f64,
}

impl TokenBucket {
    pub fn new(settings: RateLimitSettings, now_ms: f64) -> Self {
        TokenBucket { settings, tokens: settings.burst, filled_at_ms: now_ms }
    }

    /// Takes one token, or says when there will be one.
    pub fn try_take(&mut self, now_ms: f64) -> TakeResult {
        self.fill(now_ms);
        if self.tokens >= 1.0 - ROUNDING {
            self.tokens -= 1.0;
            return TakeResult::Taken;
        }
        let missing = 1.0 - ROUNDING - self.tokens;
        TakeResult::Empty { retry_after_ms: (missing / self.settings.rate_per_second * 1000.0).ceil() }
    }

    /// Changes the limit. A bucket that was half full is half full afterwards: a push neither refills nor drains it.
    pub fn reconfigure(&mut self, settings: RateLimitSettings, now_ms: f64) {
        self.fill(now_ms);
        self.tokens *= settings.burst / self.settings.burst;
        self.settings = settings;
    }

    fn fill(&mut self, now_ms: f64) {
        self.tokens = self.level_at(now_ms);
        // A clock that went back is not followed: the same stretch of time would fill the bucket twice.
        self.filled_at_ms = self.filled_at_ms.max(now_ms);
    }

    fn level_at(&self, now_ms: f64) -> f64 {
        let elapsed_ms = (now_ms - self.filled_at_ms).max(0.0);
        self.settings.burst.min(self.tokens + elapsed_ms * self.settings.rate_per_second / 1000.0)
    }
}
// #endregion token-bucket

// #region keyed-buckets
/// One bucket for each key in `keyLimits`, and one for all keys that the table does not name anywhere.
///
/// Buckets are made from the table only, never from a request: a client that invents a million keys meets one shared
/// bucket and costs no memory. The keys that the table routes stay out of that bucket, so that such a client does not
/// use up what belongs to a tenant.
#[derive(Debug, Default)]
pub struct KeyedBuckets {
    buckets: HashMap<String, Arc<Mutex<TokenBucket>>>,
    unlisted: Option<Arc<Mutex<TokenBucket>>>,
}

impl KeyedBuckets {
    /// The buckets for a new table. One whose key is still limited keeps its level.
    pub fn following(&self, table: &RoutingTable, now_ms: f64) -> KeyedBuckets {
        let TableResilience { key_limits, unlisted_keys_limit, .. } = &table.resilience;
        let carried = |(key, limit): (&String, &RateLimitSettings)| {
            (key.clone(), carried_over(self.buckets.get(key), *limit, now_ms))
        };
        KeyedBuckets {
            buckets: key_limits.iter().map(carried).collect(),
            unlisted: unlisted_keys_limit.map(|limit| carried_over(self.unlisted.as_ref(), limit, now_ms)),
        }
    }

    /// Takes one token for `routing_key`, which `table` may route; always succeeds for a key without a limit.
    pub fn try_take(&self, routing_key: &str, table: &RoutingTable, now_ms: f64) -> TakeResult {
        if let Some(own) = self.buckets.get(routing_key) {
            return own.lock().try_take(now_ms);
        }
        match &self.unlisted {
            Some(shared) if !table.placement_by_key.contains_key(routing_key) => shared.lock().try_take(now_ms),
            _ => TakeResult::Taken,
        }
    }
}
// #endregion keyed-buckets

/// The bucket that was known, brought to `settings`, or a new one.
pub fn carried_over(
    known: Option<&Arc<Mutex<TokenBucket>>>,
    settings: RateLimitSettings,
    now_ms: f64,
) -> Arc<Mutex<TokenBucket>> {
    let Some(known) = known else { return Arc::new(Mutex::new(TokenBucket::new(settings, now_ms))) };
    let mut bucket = known.lock();
    if bucket.settings != settings {
        bucket.reconfigure(settings, now_ms);
    }
    drop(bucket);
    known.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit(rate_per_second: f64, burst: f64) -> RateLimitSettings {
        RateLimitSettings { rate_per_second, burst }
    }

    fn taken(bucket: &mut TokenBucket, now_ms: f64) -> bool {
        bucket.try_take(now_ms) == TakeResult::Taken
    }

    #[test]
    fn lets_the_burst_through_and_then_the_rate() {
        let mut bucket = TokenBucket::new(limit(10.0, 3.0), 0.0);
        let results: Vec<bool> =
            [0.0, 0.0, 0.0, 0.0, 99.0, 100.0, 100.0, 200.0].map(|at| taken(&mut bucket, at)).to_vec();
        assert_eq!(results, [true, true, true, false, false, true, false, true]);
    }

    #[test]
    fn says_when_the_next_token_comes() {
        let mut bucket = TokenBucket::new(limit(4.0, 1.0), 0.0);
        assert!(taken(&mut bucket, 0.0));
        assert_eq!(bucket.try_take(0.0), TakeResult::Empty { retry_after_ms: 250.0 });
        assert_eq!(bucket.try_take(200.0), TakeResult::Empty { retry_after_ms: 50.0 });
        assert!(taken(&mut bucket, 250.0));
    }

    #[test]
    fn makes_one_token_of_ten_tenths() {
        let mut bucket = TokenBucket::new(limit(1.0, 1.0), 0.0);
        assert!(taken(&mut bucket, 0.0));
        for tenth in 1..10 {
            assert!(!taken(&mut bucket, f64::from(tenth) * 100.0));
        }
        assert!(taken(&mut bucket, 1000.0));
    }

    #[test]
    fn stays_half_full_when_its_limit_changes() {
        let mut bucket = TokenBucket::new(limit(1.0, 10.0), 0.0);
        for _ in 0..5 {
            assert!(taken(&mut bucket, 0.0));
        }
        bucket.reconfigure(limit(1.0, 4.0), 0.0);
        assert!(taken(&mut bucket, 0.0) && taken(&mut bucket, 0.0) && !taken(&mut bucket, 0.0));
    }

    #[test]
    fn does_not_fill_twice_when_the_clock_goes_back() {
        let mut bucket = TokenBucket::new(limit(1.0, 1.0), 5000.0);
        assert!(taken(&mut bucket, 5000.0));
        assert!(!taken(&mut bucket, 4000.0));
        assert!(!taken(&mut bucket, 5000.0));
        assert!(taken(&mut bucket, 6000.0));
    }

    proptest! {
        #[test]
        fn never_lets_more_than_burst_and_rate_through(
            rate in 0.1f64..500.0,
            burst in 1.0f64..50.0,
            gaps in prop::collection::vec(0.0f64..400.0, 1..200),
        ) {
            let mut bucket = TokenBucket::new(limit(rate, burst), 0.0);
            let (mut now, mut through) = (0.0, 0.0);
            for gap in gaps {
                now += gap;
                if taken(&mut bucket, now) {
                    through += 1.0;
                }
                prop_assert!(through <= burst + rate * now / 1000.0 + 1e-6);
            }
        }

        #[test]
        fn grants_a_token_after_the_time_that_it_named(
            rate in 0.1f64..500.0, burst in 1.0f64..5.0, takes in 1usize..20, at in 0.0f64..5000.0,
        ) {
            let mut bucket = TokenBucket::new(limit(rate, burst), 0.0);
            for _ in 0..takes {
                if let TakeResult::Empty { retry_after_ms } = bucket.try_take(at) {
                    prop_assert!(retry_after_ms > 0.0);
                    prop_assert!(taken(&mut bucket, at + retry_after_ms));
                    break;
                }
            }
        }
    }
}
