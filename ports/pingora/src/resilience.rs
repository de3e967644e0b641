//! The resilience state of one router: one guard per placement, and the buckets of routing keys. Follows each new table and
//! says who may serve a request now. The rules stand in the modules that it holds together; the order in `proxy.rs`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use indexmap::IndexMap;
use parking_lot::Mutex;

use crate::circuit_breaker::{AttemptOutcome, BreakerPermit, BreakerRefusal, BreakerState, CircuitBreaker};
use crate::concurrency_limit::{ConcurrencyLimit, Permit};
use crate::failover::{Refusal, RefusalReason, TargetChoice, choose_target};
use crate::resilience_settings::{CircuitBreakerSettings, RetryBudgetSettings};
use crate::retry_budget::RetryBudget;
use crate::routing_table::{Placement, RoutingTable};
use crate::token_bucket::{KeyedBuckets, TakeResult, TokenBucket, carried_over};

/// What one placement has at run time. A part that the table does not name is absent and costs nothing.
pub struct Guard {
    pub url: String,
    pub limit: Arc<ConcurrencyLimit>,
    pub bucket: Option<Arc<Mutex<TokenBucket>>>,
    pub breaker: Option<Arc<GuardedBreaker>>,
    pub budget: Arc<Mutex<RetryBudget>>,
}

/// The right to make one attempt at a placement. Dropped without an outcome, the attempt counts as abandoned: no way out
/// can forget it, a panic included.
#[derive(Default)]
pub struct Admission {
    _place: Option<Permit>,
    breaker: Option<(Arc<GuardedBreaker>, BreakerPermit)>,
}

impl Admission {
    /// Tells the breaker how the attempt went. Only the first call counts.
    pub fn record(&mut self, outcome: AttemptOutcome, now_ms: f64) {
        if let Some((breaker, permit)) = self.breaker.take() {
            breaker.record(permit, outcome, now_ms);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        // An abandoned attempt changes no time, so the moment does not matter.
        self.record(AttemptOutcome::Abandoned, 0.0);
    }
}

pub type BreakerListener = Arc<dyn Fn(&str, BreakerState, BreakerState) + Send + Sync>;
pub type IsHealthy = Arc<dyn Fn(&str) -> bool + Send + Sync>;

// #region resilience
pub struct Resilience {
    state: ArcSwap<State>,
    /// The last result of the active health checks: a look-up in memory.
    is_healthy: IsHealthy,
    on_breaker: BreakerListener,
}

#[derive(Default)]
struct State {
    guards: IndexMap<String, Arc<Guard>>,
    keys: KeyedBuckets,
}

impl Resilience {
    pub fn new(is_healthy: IsHealthy, on_breaker: BreakerListener) -> Self {
        Resilience { state: ArcSwap::default(), is_healthy, on_breaker }
    }

    /// Follows a new table. What a placement has counted so far stays, as long as it is the same cell.
    pub fn update(&self, table: &RoutingTable, now_ms: f64) {
        let before = self.state.load();
        let guards: IndexMap<String, Arc<Guard>> = table
            .placements
            .values()
            .map(|placement| {
                let known = before.guards.get(&placement.name);
                (placement.name.clone(), Arc::new(self.guard_for(placement, known, table, now_ms)))
            })
            .collect();
        for (name, old) in &before.guards {
            let next = guards.get(name).and_then(|guard| guard.breaker.as_ref());
            if let Some(breaker) = old.breaker.as_ref().filter(|old| next.is_none_or(|next| !Arc::ptr_eq(old, next))) {
                breaker.retired.store(true, Ordering::Release);
            }
        }
        let keys = before.keys.following(table, now_ms);
        self.state.store(Arc::new(State { guards, keys }));
    }

    /// The guard of a placement; for a cell that only the older table of a request under way names, an open one.
    pub fn guard(&self, placement: &Placement) -> Arc<Guard> {
        let state = self.state.load();
        let guard = state.guards.get(&placement.name).filter(|guard| guard.url == placement.endpoint.url);
        guard.cloned().unwrap_or_else(|| Arc::new(unguarded(&placement.endpoint.url)))
    }

    /// Each placement of the table in use, with its guard.
    pub fn each_guard(&self, mut see: impl FnMut(&str, &Guard)) {
        for (name, guard) in &self.state.load().guards {
            see(name, guard);
        }
    }

    pub fn is_healthy(&self, placement: &str) -> bool {
        (self.is_healthy)(placement)
    }

    /// Takes one token of the routing key's bucket and one of the placement's, where there are any.
    pub fn try_take(&self, table: &RoutingTable, routing_key: &str, placement: &Placement, now_ms: f64) -> TakeResult {
        match self.state.load().keys.try_take(routing_key, table, now_ms) {
            TakeResult::Taken if placement.resilience.rate_limit.is_none() => TakeResult::Taken,
            TakeResult::Taken => {
                let guard = self.guard(placement);
                guard.bucket.as_ref().map_or(TakeResult::Taken, |bucket| bucket.lock().try_take(now_ms))
            }
            empty => empty,
        }
    }

    /// Chooses who serves: the primary, or a placement of its chain. Each is asked for its health, then its breaker; a
    /// fallback for its own concurrency limit too. The primary's place is taken once for the whole request, before this:
    /// so what spills over to others is bounded by the limit of the one it spills from.
    ///
    /// `avoid`: placements that this request has already failed to reach.
    pub fn admit(
        &self,
        table: &RoutingTable,
        primary: &Arc<Placement>,
        avoid: &HashMap<String, Refusal>,
        now_ms: f64,
    ) -> (TargetChoice, Admission) {
        let mut admission = Admission::default();
        let choice = choose_target(table, primary, |placement| {
            if let Some(refusal) = avoid.get(&placement.name) {
                return Err(*refusal);
            }
            let is_origin = placement.name == primary.name;
            admission = self.admit_to(placement, is_origin, now_ms)?;
            Ok(())
        });
        (choice, admission)
    }

    fn admit_to(&self, placement: &Placement, is_origin: bool, now_ms: f64) -> Result<Admission, Refusal> {
        let guard = self.guard(placement);
        // By another table, the name stands for another cell: its health says nothing about this one.
        let is_known = self.state.load().guards.get(&placement.name).is_some_and(|known| Arc::ptr_eq(known, &guard));
        let health = placement.resilience.health.as_ref().filter(|_| is_known);
        if let Some(health) = health.filter(|_| !self.is_healthy(&placement.name)) {
            return Err(Refusal { reason: RefusalReason::Unhealthy, retry_after_ms: Some(health.interval_ms) });
        }
        let overloaded = Refusal { reason: RefusalReason::Overloaded, retry_after_ms: None };
        let place = if is_origin { None } else { Some(guard.limit.try_acquire().ok_or(overloaded)?) };
        let Some(breaker) = &guard.breaker else { return Ok(Admission { _place: place, breaker: None }) };
        match breaker.allow(now_ms) {
            Ok(permit) => Ok(Admission { _place: place, breaker: Some((breaker.clone(), permit)) }),
            Err(BreakerRefusal { retry_after_ms }) => {
                Err(Refusal { reason: RefusalReason::CircuitOpen, retry_after_ms: Some(retry_after_ms) })
            }
        }
    }

    fn guard_for(&self, placement: &Placement, known: Option<&Arc<Guard>>, table: &RoutingTable, now_ms: f64) -> Guard {
        let settings = &placement.resilience;
        let url = &placement.endpoint.url;
        // Another URL is another cell: what the old one did says nothing about it, and what hangs there fills nothing here.
        let same = known.filter(|known| known.url == *url);
        let limit = same.map_or_else(|| ConcurrencyLimit::new(None), |same| same.limit.clone());
        limit.reconfigure(settings.concurrency_limit);
        let budget_settings = table.resilience.retry_budget.unwrap_or_default();
        let budget = same.map_or_else(|| new_budget(budget_settings), |same| same.budget.clone());
        budget.lock().reconfigure(budget_settings);
        // It limits the requests that lead here, whichever cell they reach.
        let known_bucket = known.and_then(|known| known.bucket.as_ref());
        let bucket = settings.rate_limit.map(|limit| carried_over(known_bucket, limit, now_ms));
        let breaker = settings.circuit_breaker.map(|settings| {
            let known = same.and_then(|same| same.breaker.as_ref());
            self.breaker_for(&placement.name, settings, known)
        });
        Guard { url: url.clone(), limit, bucket, breaker, budget }
    }

    fn breaker_for(
        &self,
        name: &str,
        settings: CircuitBreakerSettings,
        known: Option<&Arc<GuardedBreaker>>,
    ) -> Arc<GuardedBreaker> {
        let Some(known) = known else {
            return Arc::new(GuardedBreaker {
                placement: name.to_owned(),
                breaker: Mutex::new(CircuitBreaker::new(settings)),
                retired: AtomicBool::new(false),
                on_breaker: self.on_breaker.clone(),
            });
        };
        known.with(|breaker| breaker.reconfigure(settings));
        known.clone()
    }
}
// #endregion resilience

/// A breaker whose transitions are told. One that has left the table falls silent: a late result of a cell that is gone
/// must not look like news of the one that took its place.
pub struct GuardedBreaker {
    placement: String,
    breaker: Mutex<CircuitBreaker>,
    retired: AtomicBool,
    on_breaker: BreakerListener,
}

impl GuardedBreaker {
    pub fn state(&self, now_ms: f64) -> BreakerState {
        self.breaker.lock().state(now_ms)
    }

    fn allow(&self, now_ms: f64) -> Result<BreakerPermit, BreakerRefusal> {
        self.with(|breaker| breaker.allow(now_ms))
    }

    fn record(&self, permit: BreakerPermit, outcome: AttemptOutcome, now_ms: f64) {
        self.with(|breaker| breaker.record(permit, outcome, now_ms));
    }

    fn with<T>(&self, act: impl FnOnce(&mut CircuitBreaker) -> T) -> T {
        let (result, transitions) = {
            let mut breaker = self.breaker.lock();
            let result = act(&mut breaker);
            (result, breaker.take_transitions())
        };
        for transition in transitions.iter().filter(|_| !self.retired.load(Ordering::Acquire)) {
            (self.on_breaker)(&self.placement, transition.to, transition.from);
        }
        result
    }
}

fn new_budget(settings: RetryBudgetSettings) -> Arc<Mutex<RetryBudget>> {
    Arc::new(Mutex::new(RetryBudget::new(settings)))
}

/// No retries: a cell that has left the table gets what is under way, and nothing more.
fn unguarded(url: &str) -> Guard {
    let none = RetryBudgetSettings { ratio: 0.0, min_per_second: 0.0, max_balance: 1.0 };
    let limit = ConcurrencyLimit::new(None);
    Guard { url: url.to_owned(), limit, bucket: None, breaker: None, budget: new_budget(none) }
}

#[cfg(test)]
#[path = "resilience_tests.rs"]
mod tests;
