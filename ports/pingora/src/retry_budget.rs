//! Bounds what retries add to the load of a cell. Without it, an outage multiplies the load by the number of attempts at
//! the very moment at which the cell can bear it least. One budget per placement: a cell in trouble must not spend the
//! retries of the others.

use crate::resilience_settings::RetryBudgetSettings;

/// Ten requests that pay a tenth each must buy one retry, in floating point too.
const ROUNDING: f64 = 1e-9;

// #region retry-budget
/// An account of retries: every request pays `ratio` in, every retry takes 1 out, and it is never overdrawn. Under a full
/// outage a cell therefore sees at most 1 + `ratio` times the load. `min_per_second` lets a placement with few requests
/// retry at all; `max_balance` keeps an hour without failures from paying for a storm of retries.
///
/// See <https://sre.google/sre-book/handling-overload/>, per-client retry budget.
#[derive(Debug)]
pub struct RetryBudget {
    settings: RetryBudgetSettings,
    balance: f64,
    paid_at_ms: Option<f64>,
}

impl RetryBudget {
    /// A new account holds what the minimum brings in one second.
    pub fn new(settings: RetryBudgetSettings) -> Self {
        let balance = settings.max_balance.min(settings.min_per_second);
        RetryBudget { settings, balance, paid_at_ms: None }
    }

    /// Pays in for one request. Call it once per request, not per attempt: retries must not pay for retries.
    pub fn deposit(&mut self, now_ms: f64) {
        let RetryBudgetSettings { ratio, min_per_second, max_balance } = self.settings;
        let paid_at_ms = self.paid_at_ms.unwrap_or(now_ms);
        let elapsed_ms = (now_ms - paid_at_ms).max(0.0);
        // The larger one, not both: a busy placement has no use for the minimum, and the ratio stays the bound.
        let paid_in = ratio.max(min_per_second * elapsed_ms / 1000.0);
        self.balance = max_balance.min(self.balance + paid_in);
        self.paid_at_ms = Some(paid_at_ms.max(now_ms));
    }

    /// Takes one retry out, or returns false and takes nothing.
    pub fn try_withdraw(&mut self) -> bool {
        if self.balance < 1.0 - ROUNDING {
            return false;
        }
        self.balance = (self.balance - 1.0).max(0.0);
        true
    }

    /// Changes the settings. What has been paid in stays, up to the new maximum.
    pub fn reconfigure(&mut self, settings: RetryBudgetSettings) {
        self.settings = settings;
        self.balance = settings.max_balance.min(self.balance);
    }
}
// #endregion retry-budget

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(ratio: f64, min_per_second: f64, max_balance: f64) -> RetryBudgetSettings {
        RetryBudgetSettings { ratio, min_per_second, max_balance }
    }

    #[test]
    fn allows_one_retry_in_five_requests() {
        let mut budget = RetryBudget::new(settings(0.2, 0.0, 10.0));
        assert!(!budget.try_withdraw());
        for request in 1..=20 {
            budget.deposit(0.0);
            assert_eq!(budget.try_withdraw(), request % 5 == 0, "after request {request}");
        }
    }

    #[test]
    fn lets_a_quiet_placement_retry() {
        let mut budget = RetryBudget::new(settings(0.0, 2.0, 10.0));
        assert!(budget.try_withdraw() && budget.try_withdraw() && !budget.try_withdraw());
        budget.deposit(0.0);
        assert!(!budget.try_withdraw());
        budget.deposit(500.0);
        assert!(budget.try_withdraw());
    }

    proptest! {
        #[test]
        fn adds_at_most_the_ratio_to_the_load(ratio in 0.0f64..1.0, requests in 1usize..500) {
            let mut budget = RetryBudget::new(settings(ratio, 0.0, 10.0));
            let mut retries = 0.0;
            for _ in 0..requests {
                budget.deposit(0.0);
                while budget.try_withdraw() {
                    retries += 1.0;
                }
            }
            prop_assert!(retries <= ratio * requests as f64 + 1e-6);
        }
    }
}
