//! How many requests may be in flight at one moment for one placement (a bulkhead): a slow cell fills its own limit and
//! not the whole router. There is no queue: a request that waits holds memory and still comes too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// No limit, which still counts.
pub const UNLIMITED: u64 = u64::MAX;

// #region concurrency-limit
#[derive(Debug)]
pub struct ConcurrencyLimit {
    limit: AtomicU64,
    in_flight: AtomicU64,
}

/// The right to be in flight. It goes back when it is dropped, so no way out can forget it, a panic included.
#[derive(Debug)]
pub struct Permit(Arc<ConcurrencyLimit>);

impl ConcurrencyLimit {
    /// `limit`: most permits out at one moment, at least 1; `None` for no limit.
    pub fn new(limit: Option<u64>) -> Arc<Self> {
        Arc::new(ConcurrencyLimit { limit: AtomicU64::new(limit.unwrap_or(UNLIMITED)), in_flight: AtomicU64::new(0) })
    }

    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// A permit, or `None` when as many as the limit are out.
    pub fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        let limit = self.limit.load(Ordering::Relaxed);
        let one_more = |out: u64| (out < limit).then_some(out + 1);
        self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Relaxed, one_more).ok()?;
        Some(Permit(self.clone()))
    }

    /// Changes the limit. Permits that are out stay valid: below them, nothing is granted until enough came back.
    pub fn reconfigure(&self, limit: Option<u64>) {
        self.limit.store(limit.unwrap_or(UNLIMITED), Ordering::Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
// #endregion concurrency-limit

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grants_as_many_as_the_limit_and_one_more_for_each_that_comes_back() {
        let limit = ConcurrencyLimit::new(Some(2));
        let first = limit.try_acquire();
        let _second = limit.try_acquire().expect("the second of two");
        assert!(first.is_some() && limit.try_acquire().is_none());
        drop(first);
        assert!(limit.try_acquire().is_some());
    }

    #[test]
    fn takes_no_permit_back_when_it_is_lowered() {
        let limit = ConcurrencyLimit::new(None);
        let mut out: Vec<Permit> = (0..3).filter_map(|_| limit.try_acquire()).collect();
        limit.reconfigure(Some(2));
        assert_eq!(limit.in_flight(), 3);
        out.pop();
        assert!(limit.try_acquire().is_none());
        out.pop();
        assert!(limit.try_acquire().is_some());
    }

    #[test]
    fn gets_its_permit_back_from_a_request_that_panics() {
        let limit = ConcurrencyLimit::new(Some(1));
        let moved = limit.clone();
        let panicked = std::panic::catch_unwind(move || {
            let _permit = moved.try_acquire();
            panic!("planted");
        });
        assert!(panicked.is_err());
        assert_eq!(limit.in_flight(), 0);
    }

    proptest! {
        #[test]
        fn counts_what_is_out(limit in 1u64..6, acquires in prop::collection::vec(any::<bool>(), 0..100)) {
            let bulkhead = ConcurrencyLimit::new(Some(limit));
            let mut out = Vec::new();
            for acquire in acquires {
                if acquire {
                    let free = (out.len() as u64) < limit;
                    let permit = bulkhead.try_acquire();
                    prop_assert_eq!(permit.is_some(), free);
                    out.extend(permit);
                } else {
                    out.pop();
                }
                prop_assert_eq!(bulkhead.in_flight(), out.len() as u64);
            }
        }
    }
}
