//! Counts successes and failures of the recent past for the circuit breaker. Ten slots stand for the window: memory and
//! cost stay the same at one result per second and at a hundred thousand.

const SLOTS: i64 = 10;

// #region rolling-window
/// Totals of the last `window_ms`, to a tenth of it: between nine tenths and the whole window are counted.
#[derive(Debug, Clone)]
pub struct FailureWindow {
    slot_ms: f64,
    totals: [u64; SLOTS as usize],
    failed: [u64; SLOTS as usize],
    newest_slot: Option<i64>,
    total: u64,
    failures: u64,
}

impl FailureWindow {
    /// `window_ms`: length of the window in milliseconds, more than 0.
    pub fn new(window_ms: f64) -> Self {
        FailureWindow {
            slot_ms: window_ms / SLOTS as f64,
            totals: [0; SLOTS as usize],
            failed: [0; SLOTS as usize],
            newest_slot: None,
            total: 0,
            failures: 0,
        }
    }

    /// Results in the window, as of the last `add`.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Failures in the window, as of the last `add`.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    pub fn add(&mut self, failed: bool, now_ms: f64) {
        let newest = self.drop_old_slots(now_ms);
        let index = newest.rem_euclid(SLOTS) as usize;
        self.totals[index] += 1;
        self.total += 1;
        if failed {
            self.failed[index] += 1;
            self.failures += 1;
        }
    }

    fn drop_old_slots(&mut self, now_ms: f64) -> i64 {
        let slot = (now_ms / self.slot_ms).floor() as i64;
        let Some(newest) = self.newest_slot else {
            self.newest_slot = Some(slot);
            return slot;
        };
        // A clock that went back adds to the newest slot: nothing is dropped twice.
        if slot <= newest {
            return newest;
        }
        for each in (newest + 1).max(slot - SLOTS + 1)..=slot {
            let index = each.rem_euclid(SLOTS) as usize;
            self.total -= std::mem::take(&mut self.totals[index]);
            self.failures -= std::mem::take(&mut self.failed[index]);
        }
        self.newest_slot = Some(slot);
        slot
    }
}
// #endregion rolling-window

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forgets_what_is_older_than_the_window() {
        let mut window = FailureWindow::new(1000.0);
        window.add(true, 0.0);
        window.add(false, 50.0);
        window.add(true, 950.0);
        assert_eq!((window.total(), window.failures()), (3, 2));
        window.add(false, 1000.0);
        assert_eq!((window.total(), window.failures()), (2, 1));
        window.add(false, 1e9);
        assert_eq!((window.total(), window.failures()), (1, 0));
    }

    proptest! {
        #[test]
        fn counts_between_nine_tenths_and_the_whole_window(
            results in prop::collection::vec((any::<bool>(), 0.0f64..300.0), 1..200),
        ) {
            let mut window = FailureWindow::new(1000.0);
            let mut seen: Vec<(f64, bool)> = Vec::new();
            let mut now = 0.0;
            for (failed, gap) in results {
                now += gap;
                window.add(failed, now);
                seen.push((now, failed));
                let within = |ms: f64| seen.iter().filter(|(at, _)| now - at < ms).count() as u64;
                prop_assert!(window.total() >= within(900.0) && window.total() <= within(1000.0));
                prop_assert!(window.failures() <= window.total());
            }
        }
    }
}
