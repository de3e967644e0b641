//! Stops asking a cell that keeps failing: it gets time to recover, and its clients a fast response. One breaker per
//! placement. What counts as a failure, and what to do when the circuit is open, is left to `attempts.rs`.

use crate::failure_window::FailureWindow;
use crate::resilience_settings::CircuitBreakerSettings;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BreakerState {
    Closed {
        consecutive_failures: u32,
    },
    Open {
        opened_at_ms: f64,
        wait_ms: f64,
    },
    /// `wait_ms`: the wait that led here; a failure doubles it.
    HalfOpen {
        wait_ms: f64,
        probes_in_flight: u32,
        successes: u32,
    },
}

/// `Abandoned`: it says nothing about the cell, such as when the client left first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    Success,
    Failure,
    Abandoned,
}

/// The right to make one attempt. Its holder must record an outcome on every way out, an abort included.
#[derive(Debug, PartialEq, Eq)]
pub struct BreakerPermit {
    generation: u64,
}

/// When to ask again, in milliseconds; an estimate while the probes of half-open are under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerRefusal {
    pub retry_after_ms: f64,
}

/// A change of state, for whoever is told of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    pub to: BreakerState,
    pub from: BreakerState,
}

impl BreakerState {
    pub fn kind(self) -> &'static str {
        match self {
            BreakerState::Closed { .. } => "closed",
            BreakerState::Open { .. } => "open",
            BreakerState::HalfOpen { .. } => "half-open",
        }
    }
}

const CLOSED: BreakerState = BreakerState::Closed { consecutive_failures: 0 };

// #region circuit-breaker
/// closed → open → half-open → closed or open again. There is no timer: an open circuit becomes half-open when the first
/// request after the wait asks for it.
#[derive(Debug)]
pub struct CircuitBreaker {
    settings: CircuitBreakerSettings,
    state: BreakerState,
    window: FailureWindow,
    /// One more for each transition. A permit carries its number: a result from an older state says nothing about this one.
    generation: u64,
    transitions: Vec<Transition>,
}

impl CircuitBreaker {
    pub fn new(settings: CircuitBreakerSettings) -> Self {
        let window = FailureWindow::new(settings.window_ms);
        CircuitBreaker { settings, state: CLOSED, window, generation: 0, transitions: Vec::new() }
    }

    /// A permit for one attempt, or the reason to go elsewhere.
    pub fn allow(&mut self, now_ms: f64) -> Result<BreakerPermit, BreakerRefusal> {
        if let BreakerState::Open { opened_at_ms, wait_ms } = self.state {
            let remaining_ms = opened_at_ms + wait_ms - now_ms;
            if remaining_ms > 0.0 {
                return Err(BreakerRefusal { retry_after_ms: wait_ms.min(remaining_ms.ceil()) });
            }
            self.move_to(half_open(wait_ms));
        }
        if let BreakerState::HalfOpen { probes_in_flight, successes, .. } = &mut self.state {
            // Successes keep their slots: the phase ends after exactly this many results, it does not let more in.
            if *probes_in_flight + *successes >= self.settings.half_open_probes {
                return Err(BreakerRefusal { retry_after_ms: self.settings.wait_ms });
            }
            *probes_in_flight += 1;
        }
        Ok(BreakerPermit { generation: self.generation })
    }

    /// Tells how the attempt went. It takes the permit, so nobody can tell twice.
    pub fn record(&mut self, permit: BreakerPermit, outcome: AttemptOutcome, now_ms: f64) {
        if permit.generation != self.generation {
            return;
        }
        match self.state {
            BreakerState::Closed { consecutive_failures } => {
                self.record_closed(consecutive_failures, outcome, now_ms);
            }
            BreakerState::HalfOpen { wait_ms, probes_in_flight, successes } => {
                self.record_probe(wait_ms, probes_in_flight, successes, outcome, now_ms);
            }
            BreakerState::Open { .. } => {}
        }
    }

    /// The state at `now_ms`, for display. Reading causes no transition and no event.
    pub fn state(&self, now_ms: f64) -> BreakerState {
        match self.state {
            BreakerState::Open { opened_at_ms, wait_ms } if now_ms >= opened_at_ms + wait_ms => half_open(wait_ms),
            state => state,
        }
    }

    /// Changes the thresholds. State and counts stay, but a new window starts empty.
    pub fn reconfigure(&mut self, settings: CircuitBreakerSettings) {
        if settings.window_ms != self.settings.window_ms {
            self.window = FailureWindow::new(settings.window_ms);
        }
        self.settings = settings;
        // With fewer probes to pass, those that passed may be enough; no further result would come to notice it.
        if let BreakerState::HalfOpen { successes, .. } = self.state {
            self.close_if_proven(successes);
        }
    }

    /// What has changed since the last call, oldest first: the caller tells it once it has let go of the breaker.
    pub fn take_transitions(&mut self) -> Vec<Transition> {
        std::mem::take(&mut self.transitions)
    }

    fn record_closed(&mut self, failures_before: u32, outcome: AttemptOutcome, now_ms: f64) {
        if outcome == AttemptOutcome::Abandoned {
            return;
        }
        self.window.add(outcome == AttemptOutcome::Failure, now_ms);
        if outcome == AttemptOutcome::Success {
            self.state = CLOSED;
            return;
        }
        let consecutive_failures = failures_before + 1;
        self.state = BreakerState::Closed { consecutive_failures };
        let settings = self.settings;
        let (total, failures) = (self.window.total(), self.window.failures());
        // A ratio of two requests means nothing: below the minimum only failures in a row count.
        let ratio_reached =
            total >= settings.minimum_requests && failures as f64 >= settings.failure_ratio * total as f64;
        if consecutive_failures >= settings.consecutive_failures || ratio_reached {
            let wait_ms = settings.wait_ms.min(settings.max_wait_ms);
            self.move_to(BreakerState::Open { opened_at_ms: now_ms, wait_ms });
        }
    }

    fn record_probe(&mut self, wait_ms: f64, probes: u32, successes: u32, outcome: AttemptOutcome, now_ms: f64) {
        if outcome == AttemptOutcome::Failure {
            let wait_ms = self.settings.max_wait_ms.min(wait_ms * 2.0);
            self.move_to(BreakerState::Open { opened_at_ms: now_ms, wait_ms });
            return;
        }
        // An abandoned probe frees its slot and proves nothing: another request gets to try.
        let successes = successes + u32::from(outcome == AttemptOutcome::Success);
        self.state = BreakerState::HalfOpen { wait_ms, probes_in_flight: probes - 1, successes };
        self.close_if_proven(successes);
    }

    fn close_if_proven(&mut self, successes: u32) {
        if successes < self.settings.half_open_probes {
            return;
        }
        // The failures that opened the circuit are over; they must not open it again.
        self.window = FailureWindow::new(self.settings.window_ms);
        self.move_to(CLOSED);
    }

    fn move_to(&mut self, to: BreakerState) {
        let from = std::mem::replace(&mut self.state, to);
        self.generation += 1;
        self.transitions.push(Transition { to, from });
    }
}
// #endregion circuit-breaker

fn half_open(wait_ms: f64) -> BreakerState {
    BreakerState::HalfOpen { wait_ms, probes_in_flight: 0, successes: 0 }
}

#[cfg(test)]
#[path = "circuit_breaker_tests.rs"]
mod tests;
